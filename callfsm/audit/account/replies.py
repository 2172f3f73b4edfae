"""Following the assistant's replies through a call that is run again: what was generated, and what was heard."""

from typing import Any, Final

from attrs import define, evolve, field

from callfsm.audit.account.barge_ins import place_ms
from callfsm.audit.account.before import Before
from callfsm.audit.account.values import Reply, ReplyFate, ReplyKind, Stretch
from callfsm.audit.recording import Step, asks_for_the_rest
from callfsm.call import Call
from callfsm.effects import CancelResponse, Count, CreateResponse, Effect, Log, PlayAudio
from callfsm.events import (
    AudioDelta,
    CallEnded,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    ToolCalled,
)
from callfsm.hearing.mulaw import BYTES_PER_MS
from callfsm.speaking.playback import PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from callfsm.states.interrupting import BARGE_IN_LINE, CONFIRMED_LINE

AUDIBLE: Final = frozenset({PlaybackPhase.PLAYING, PlaybackPhase.HEARD})
_IN_FLIGHT: Final = frozenset({ResponsePhase.REQUESTED, ResponsePhase.ACTIVE})


@define(eq=False)
class _Draft:
    reply: Reply
    turn: int
    response_id: str | None = None
    words: str = ""
    """Those of its finished pieces."""
    generated: int = 0
    heard: int = 0
    """How far it has been heard, in bytes, up to the newest stop."""
    began: tuple[float, int] | None = None
    """Since when it is audible, and from which place, in ms; None in silence."""
    has_called_tool: bool = False
    is_cut: bool = False
    """It was cancelled while it was being generated, after the caller had begun to hear it."""
    is_lost: bool = False
    is_over: bool = False

    def note(self, **fields: Any) -> None:
        self.reply = evolve(self.reply, **fields)

    def is_audible_from(self, at: float, from_ms: int) -> None:
        self.began = at, from_ms
        if self.reply.audible_from is None:
            self.note(audible_from=at)

    def is_audible_to(self, at: float, heard: int) -> None:
        """Note that the caller hears no more, having heard up to this place, in bytes."""
        self.heard = max(self.heard, heard)
        if self.began is not None:
            began_at, from_ms = self.began
            stretch = Stretch(began_at, max(at, began_at), from_ms, max(heard // BYTES_PER_MS, from_ms))
            self.note(stretches=(*self.reply.stretches, stretch), heard_ms=self.heard // BYTES_PER_MS)
            self.began = None


@define(eq=False)
class Replies:
    """The replies so far, in the order in which they were requested."""

    drafts: list[_Draft] = field(factory=list)

    def follow(self, step: Step, event: Event, before: Before) -> None:
        """Note what an event did to them."""
        if not isinstance(event, RmsFrame):
            self._receive(step, event, before)
        self._settle(step, event, before)
        for effect in step.effects:
            if isinstance(effect, CreateResponse):
                self._settle(step, event, before)
                self._begin(_kind(step.call, effect), event.at, effect.turn)
            elif isinstance(effect, PlayAudio) and not step.call.response.turn:
                self._play_clip(step.call, event.at, effect, before)
        if step.call.playback.phase in AUDIBLE and self.drafts[-1].began is None:
            goes_on = before.playback.is_paused
            self.drafts[-1].is_audible_from(before.time_of(step, event) if goes_on else event.at, place_ms(step))

    def finished(self, call: Call, at: float) -> tuple[Reply, ...]:
        """Return them, of a call that is followed up to this time; those not over were cut by the journal's end."""
        for draft in self.drafts:
            if not draft.is_over:
                draft.is_audible_to(at, call.playback.heard(at))
                draft.note(fate=ReplyFate.UNFINISHED, why="the journal breaks off")
        return tuple(evolve(draft.reply, generated_ms=draft.generated // BYTES_PER_MS) for draft in self.drafts)

    def _begin(self, kind: ReplyKind, at: float, turn: int) -> None:
        self.drafts.append(_Draft(Reply(kind, at, None, None, None, None, 0, 0, "", ReplyFate.UNFINISHED), turn))

    def _play_clip(self, call: Call, at: float, effect: PlayAudio, before: Before) -> None:
        # Nothing was ever requested: what plays is the recording.
        if not self.drafts:
            self._begin(ReplyKind.CLIP, at, 0)
            self.drafts[-1].note(words=call.business.greeting)
        if before.playback.phase is PlaybackPhase.IDLE:
            self.drafts[-1].generated += len(effect.audio)

    def _receive(self, step: Step, event: Event, before: Before) -> None:
        is_dropped = any(isinstance(effect, Count) for effect in step.effects)
        for draft in self.drafts:
            match event:
                case ResponseCreated(turn=turn) if turn == draft.turn:
                    draft.response_id = event.response_id
                    draft.note(begun_at=event.at)
                case ReplyTranscript(is_whole=True) if event.response_id == draft.response_id:
                    draft.words += event.transcript
                    draft.note(words=draft.words)
                case ReplyTranscript() if event.response_id == draft.response_id:
                    draft.note(words=draft.reply.words + event.transcript)
                case ResponseDone(status=status) if event.turn == draft.turn:
                    draft.note(status=status)
                case AudioDelta() if event.response_id == draft.response_id and not (draft.is_over or is_dropped):
                    draft.generated += len(event.audio)
                case ToolCalled() if event.response_id == draft.response_id:
                    draft.has_called_tool |= not is_dropped
                case RealtimeLost() if before.phase in _IN_FLIGHT and not draft.is_over:
                    draft.is_lost = True

    def _settle(self, step: Step, event: Event, before: Before) -> None:
        draft = self.drafts[-1] if self.drafts else None
        if draft is None or draft.is_over:
            return
        if draft.reply.audible_from is not None:
            draft.is_cut |= before.phase is ResponsePhase.ACTIVE and _is_cancelled(draft, step.effects)
            phase = step.call.playback.phase
            if phase not in AUDIBLE or step.dest is State.ENDED:
                _hush(draft, step, event, before)
                if not step.call.playback.is_paused or step.dest is State.ENDED:
                    _end(draft, step, event, before)
        elif _is_given_up(step.call, draft):
            draft.is_over = True
            fate, why = _why_unheard(draft, step, event, before)
            draft.note(fate=fate, why=why, over_at=event.at)


def _kind(call: Call, request: CreateResponse) -> ReplyKind:
    if call.response.kind is Owed.GREETING:
        return ReplyKind.GREETING
    return ReplyKind.REST if asks_for_the_rest(call, request) else ReplyKind.REPLY


def _is_cancelled(draft: _Draft, effects: tuple[Effect, ...]) -> bool:
    return any(isinstance(e, CancelResponse) and e.response_id == draft.response_id for e in effects)


def _hush(draft: _Draft, step: Step, event: Event, before: Before) -> None:
    """Note up to where an event let the caller hear the reply."""
    playback = before.playback
    mark = playback.pending_mark(event.name) if isinstance(event, PlaybackMarked) else None
    if mark is not None:
        playback.confirm(event.at, mark)
    now = step.call.playback
    heard = now.sent if now.is_paused else playback.heard(event.at)
    at = min(event.at, playback.ends_at)
    draft.is_audible_to(at, heard)
    draft.note(audible_to=draft.reply.stretches[-1].ended_at if draft.reply.stretches else at)


def _end(draft: _Draft, step: Step, event: Event, before: Before) -> None:
    """Say what became of a reply that the caller heard, or a part of it."""
    draft.is_over = True
    is_complete = before.phase is not ResponsePhase.ACTIVE or isinstance(event, ResponseDone)
    is_all_heard = draft.heard >= before.playback.received
    lines = {effect.message for effect in step.effects if isinstance(effect, Log)}
    fate, why = ReplyFate.CUT, "no more of it came"
    if is_all_heard and draft.is_lost:
        why = "the connection was lost"
    elif is_all_heard and is_complete and not draft.is_cut:
        fate, why = ReplyFate.HEARD, ""
    elif CONFIRMED_LINE in lines:
        fate, why = ReplyFate.BARGED_IN, ""
    elif is_all_heard and (is_complete or BARGE_IN_LINE in lines):
        fate, why = ReplyFate.HEARD_SO_FAR, ""
    elif step.dest is State.ENDED:
        why = "the call ended"
    draft.note(fate=fate, why=why, over_at=event.at)


def _is_given_up(call: Call, draft: _Draft) -> bool:
    is_gone = call.response.turn != draft.turn or call.response.phase not in _IN_FLIGHT
    return call.state is State.ENDED or (is_gone and call.playback.phase is PlaybackPhase.IDLE)


def _why_unheard(draft: _Draft, step: Step, event: Event, before: Before) -> tuple[ReplyFate, str]:
    timeout_ms = step.call.config.turn.reply_timeout_ms
    is_awaited = before.phase in _IN_FLIGHT and before.playback.phase is PlaybackPhase.IDLE
    if is_awaited and draft.reply.requested_at + timeout_ms / 1000 <= event.at:
        return ReplyFate.FAILED, f"no audio in {timeout_ms} ms"
    if before.digits and not step.call.digits:
        return ReplyFate.CANCELLED, "the caller pressed keys"
    match event:
        case RealtimeLost():
            fate, why = ReplyFate.LOST, ""
        case CallEnded():
            fate, why = ReplyFate.UNFINISHED, ""
        case ResponseDone() if draft.has_called_tool:
            fate, why = ReplyFate.SILENT, ""
        case ResponseDone(status=status):
            fate, why = ReplyFate.FAILED, f"the response ended without audio: {status}"
        case RealtimeError(code=code):
            fate, why = ReplyFate.FAILED, f"refused: {code}"
        case RmsFrame() | AudioDelta():
            fate, why = ReplyFate.CANCELLED, "the caller went on talking"
        case _:
            fate, why = ReplyFate.CANCELLED, "the caller said more"
    return fate, why
