"""Following the assistant's replies through a call that is run again: what was generated, and what was heard."""

import copy
from typing import Any, Final

from attrs import define, evolve, field

from callfsm.audit.account.values import BargeIn, Reply, ReplyFate, ReplyKind
from callfsm.audit.recording import Step
from callfsm.call import Call
from callfsm.effects import Count, CreateResponse, PlayAudio
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
from callfsm.speaking.playback import Playback, PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State

AUDIBLE: Final = frozenset({PlaybackPhase.PLAYING, PlaybackPhase.HEARD})
_IN_FLIGHT: Final = frozenset({ResponsePhase.REQUESTED, ResponsePhase.ACTIVE})
BARGE_IN: Final = (State.AI_SPEAKING, RmsFrame, State.CANCELLING)


@define(eq=False)
class _Draft:
    reply: Reply
    turn: int
    response_id: str | None = None
    generated: int = 0
    has_called_tool: bool = False
    is_lost: bool = False
    is_over: bool = False

    def note(self, **fields: Any) -> None:
        self.reply = evolve(self.reply, **fields)


@define(eq=False)
class Before:
    """What is needed of a call as it was before an event; the call itself goes on changing."""

    playback: Playback
    phase: ResponsePhase
    deadline: float
    digits: str

    @classmethod
    def of(cls, call: Call) -> "Before":
        """Return it of a call as it is now."""
        playback = copy.copy(call.playback)
        playback.marks = call.playback.marks.copy()
        return cls(playback, call.response.phase, call.deadline, call.digits)


@define(eq=False)
class Replies:
    """The replies so far, in the order in which they were requested."""

    drafts: list[_Draft] = field(factory=list)
    barge_ins: list[BargeIn] = field(factory=list)

    def follow(self, step: Step, event: Event, before: Before, utterance: int) -> None:
        """Note what an event did to them; `utterance` is the place of the one that the caller spoke last."""
        if not isinstance(event, RmsFrame):
            self._receive(step, event, before)
        self._settle(step, event, before, utterance)
        for effect in step.effects:
            if isinstance(effect, CreateResponse):
                self._settle(step, event, before, utterance)
                kind = ReplyKind.GREETING if step.call.response.kind is Owed.GREETING else ReplyKind.REPLY
                self._begin(kind, event.at, effect.turn)
            elif isinstance(effect, PlayAudio) and not step.call.response.turn:
                self._play_clip(step.call, event.at, effect)
        if step.call.playback.phase in AUDIBLE and self.drafts[-1].reply.audible_from is None:
            self.drafts[-1].note(audible_from=event.at)

    def finished(self) -> tuple[Reply, ...]:
        """Return them; those that are not over yet were cut by the end of the journal."""
        for draft in self.drafts:
            if not draft.is_over:
                draft.note(fate=ReplyFate.UNFINISHED, why="the journal breaks off")
        return tuple(evolve(draft.reply, generated_ms=draft.generated // BYTES_PER_MS) for draft in self.drafts)

    def _begin(self, kind: ReplyKind, at: float, turn: int) -> None:
        self.drafts.append(_Draft(Reply(kind, at, None, None, None, None, 0, 0, "", ReplyFate.UNFINISHED), turn))

    def _play_clip(self, call: Call, at: float, effect: PlayAudio) -> None:
        # Nothing was ever requested: what plays is the recording.
        if not self.drafts:
            self._begin(ReplyKind.CLIP, at, 0)
            self.drafts[-1].note(words=call.business.greeting)
        self.drafts[-1].generated += len(effect.audio)

    def _receive(self, step: Step, event: Event, before: Before) -> None:
        for draft in self.drafts:
            match event:
                case ResponseCreated(turn=turn) if turn == draft.turn:
                    draft.response_id = event.response_id
                    draft.note(begun_at=event.at)
                case ReplyTranscript() if event.response_id == draft.response_id:
                    draft.note(words=draft.reply.words + event.transcript)
                case ResponseDone(status=status) if event.turn == draft.turn:
                    draft.note(status=status)
                case AudioDelta() if event.response_id == draft.response_id and not draft.is_over:
                    draft.generated += len(event.audio)
                case ToolCalled() if event.response_id == draft.response_id:
                    draft.has_called_tool |= not any(isinstance(effect, Count) for effect in step.effects)
                case RealtimeLost() if before.phase in _IN_FLIGHT and not draft.is_over:
                    draft.is_lost = True

    def _settle(self, step: Step, event: Event, before: Before, utterance: int) -> None:
        draft = self.drafts[-1] if self.drafts else None
        if draft is None or draft.is_over:
            return
        if draft.reply.audible_from is not None:
            if step.call.playback.phase not in AUDIBLE or step.dest is State.ENDED:
                self._stop(draft, step, event, before, utterance)
        elif _is_given_up(step.call, draft):
            draft.is_over = True
            fate, why = _why_unheard(draft, step, event, before)
            draft.note(fate=fate, why=why, over_at=event.at)

    def _stop(self, draft: _Draft, step: Step, event: Event, before: Before, utterance: int) -> None:
        draft.is_over = True
        playback = before.playback
        mark = playback.pending_mark(event.name) if isinstance(event, PlaybackMarked) else None
        if mark is not None:
            playback.confirm(event.at, mark)
        heard = playback.heard(event.at)
        heard_ms = heard // BYTES_PER_MS
        is_complete = before.phase is not ResponsePhase.ACTIVE or isinstance(event, ResponseDone)
        fate, why = ReplyFate.CUT, "no more of it came"
        if BARGE_IN in step.moves and isinstance(event, RmsFrame):
            fate, why = ReplyFate.BARGED_IN, ""
            place = self.drafts.index(draft)
            generated_ms = draft.generated // BYTES_PER_MS
            threshold_rms = step.call.gate.threshold_rms
            self.barge_ins.append(
                BargeIn(event.at, event.rms, threshold_rms, heard_ms, generated_ms, place, utterance)
            )
        elif heard == playback.sent and draft.is_lost:
            why = "the connection was lost"
        elif heard == playback.sent and is_complete:
            fate, why = ReplyFate.HEARD, ""
        elif step.dest is State.ENDED:
            why = "the call ended"
        audible_to = min(event.at, playback.ends_at)
        draft.note(fate=fate, why=why, heard_ms=heard_ms, audible_to=audible_to, over_at=event.at)


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
