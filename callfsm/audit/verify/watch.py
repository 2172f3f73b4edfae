"""A call under watch: what has been seen of it, and the laws at every step."""

import math
from enum import Enum
from typing import Final

from attrs import define

from callfsm.audit.verify.before import Before
from callfsm.audit.verify.clock import ROUNDING_S
from callfsm.audit.verify.laws import (
    AUDIBLE,
    Law,
    LawBrokenError,
    Step,
    judge_barge_in,
    judge_readiness,
    judge_verdict,
    judge_waiting,
)
from callfsm.audit.verify.stopping import judge_stop
from callfsm.call import Call
from callfsm.effects import CancelResponse, ClearPlayback, CreateResponse, Effect, PlayAudio, SendMark
from callfsm.events import (
    AudioDelta,
    CallExpiring,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeMissing,
    ResponseCreated,
    ResponseDone,
    TimerFired,
)
from callfsm.machine import Engine, state_deadline
from callfsm.speaking.response import Owed
from callfsm.states.base import State

_ANNOUNCED: Final = (RealtimeMissing, CallExpiring)
"""The reasons for which a recording is played in mid-call."""
_OF_RESPONSE: Final = (ResponseCreated, ResponseDone, RealtimeError, RealtimeLost, TimerFired)


def _recorded_bytes(call: Call) -> int:
    # Where calls have recordings in mid-call they have no recorded greeting.
    return len(call.clips.moment.piece.audio or call.greeting_clip)


class Debt(Enum):
    """What the caller is owed for what was accepted."""

    NONE = 0
    ACCEPTED = 1
    REQUESTED = 2


@define
class Watch:
    """What has been seen of one call."""

    has_real_user: bool = False
    """Somebody real has spoken, by the rules and not by the call's own word."""
    greeting_heard: bool = False
    turn: int = 0
    """That of the newest request."""
    is_in_flight: bool = False
    is_cancelled: bool = False
    is_overtaken: bool = False
    """The newest request was cancelled before its response began."""
    begun_id: str | None = None
    """The response of the newest request, once it has begun."""
    playable_id: str | None = None
    """The same, as long as it has not been cancelled."""
    create_event_id: str | None = None
    cancel_event_id: str | None = None
    debt: Debt = Debt.NONE
    marks: tuple[str, ...] = ()
    """Those behind audio that the caller may not have heard yet, in order."""
    has_tail: bool = False
    """Audio was sent that no mark stands behind."""
    grace_until: float = math.inf
    item_id: str | None = None
    """The item of the newest audio of our responses."""
    is_stopped: bool = False
    """Speech stopped the assistant, who had more to say; nothing has shown yet who it was."""
    is_cut: bool = False
    """A reply was cut off, what was still to come has not been asked for, and nothing has been accepted since."""

    def feed(self, engine: Engine, call: Call, event: Event) -> list[Effect]:
        """Feed an event, with the timers that are due before it; raise LawBrokenError where a law is broken."""
        effects: list[Effect] = []
        while call.deadline <= event.at:
            effects += self._step(engine, call, TimerFired(call.deadline))
        if not isinstance(event, TimerFired):
            effects += self._step(engine, call, event)
        return effects

    def _step(self, engine: Engine, call: Call, event: Event) -> list[Effect]:
        before = Before.of(call, event, has_real_user=self.has_real_user)
        try:
            effects = engine.dispatch(call, event)
        except Exception as error:
            raise LawBrokenError(Law.NO_EXCEPTION, f"{event} raised {error!r}") from error
        step = Step.of(call, event, effects)
        was_generating = self.is_in_flight and self.playable_id is not None
        if isinstance(event, _OF_RESPONSE):
            self._note_event(before, event)
        if before.is_first:
            self.has_real_user = True
        if effects:
            self._judge_requests(call, step)
        self._judge_audio(before, call, step)
        judge_barge_in(before, call, step)
        self._judge_hearing(call, step)
        judge_readiness(call, step)
        judge_verdict(before, call, step)
        self._judge_stop(before, call, step, was_generating=was_generating)
        judge_waiting(call)
        self._note_debt(before, call, step)
        return effects

    def _note_event(self, before: Before, event: Event) -> None:
        if isinstance(event, ResponseCreated):
            self._note_beginning(event)
        elif self._ends_response(before, event):
            self.is_in_flight = self.is_overtaken = False
            # Only what is held back may still be played.
            self.playable_id = self.playable_id if before.held_bytes else None
        if isinstance(event, RealtimeLost):
            # What was requested of that session never begins.
            self.playable_id, self.turn = None, 0

    def _note_beginning(self, event: ResponseCreated) -> None:
        is_awaited = self.is_in_flight and self.begun_id is None
        if is_awaited and event.turn == self.turn > 0:
            self.begun_id = event.response_id
            self.playable_id = None if self.is_overtaken else event.response_id

    @property
    def is_rest_due(self) -> bool:
        """The assistant was cut off, and has neither gone on nor been given something else to say."""
        return self.is_stopped or self.is_cut

    @property
    def is_cancel_waiting(self) -> bool:
        """A cancel was sent that an error may answer."""
        return self.is_in_flight and self.is_cancelled and not self.is_overtaken

    def _ends_response(self, before: Before, event: Event) -> bool:
        """Whether the one in flight is over with this event, or given up."""
        if isinstance(event, ResponseDone):
            if event.response_id is None:
                return self.begun_id is not None or self.is_cancel_waiting
            return event.turn == self.turn > 0 or event.response_id == self.begun_id
        if isinstance(event, RealtimeError):
            if self.is_cancel_waiting:
                is_idle = event.event_id is None and event.code == "response_cancel_not_active"
                return is_idle or event.event_id == self.cancel_event_id
            is_busy = event.event_id is None and event.code == "conversation_already_has_active_response"
            return (
                self.begun_id is None
                and not self.is_overtaken
                and (is_busy or event.event_id == self.create_event_id)
            )
        return before.gives_up or isinstance(event, RealtimeLost)

    def _judge_requests(self, call: Call, step: Step) -> None:
        for effect in step.effects:
            if isinstance(effect, CreateResponse):
                greets = call.business.enable_greeting and call.response.kind is Owed.GREETING
                if not self.has_real_user and (not greets or self.greeting_heard):
                    raise LawBrokenError(Law.NO_EARLY_RESPONSE, f"{effect} on {step.event}")
                if self.is_in_flight or call.state is State.CANCELLING:
                    raise LawBrokenError(Law.ONE_RESPONSE, f"{effect} on {step.event} in {call.state.name}")
                self.is_in_flight, self.is_overtaken, self.is_cancelled = True, False, False
                self.begun_id = self.playable_id = None
                self.turn, self.create_event_id = effect.turn, effect.event_id
            elif isinstance(effect, CancelResponse) and effect.event_id == call.response.cancel_event_id:
                # Nothing is requested before a cancel is answered, not even where nothing was left to cancel.
                self.is_overtaken = self.is_in_flight and self.begun_id is None
                self.is_in_flight = self.is_cancelled = True
                self.cancel_event_id = effect.event_id
                self.playable_id = None

    def _judge_audio(self, before: Before, call: Call, step: Step) -> None:
        event, played, received = step.event, step.played_bytes, 0
        if isinstance(event, AudioDelta) and self.is_in_flight and event.response_id == self.playable_id:
            received, self.item_id = len(event.audio), event.item_id
        if not (played or received) or (self.is_stopped and not received):
            return
        if played:
            self._judge_beginning(before, call, event)
            received = received if call.response.response_id else _recorded_bytes(call)
            self.greeting_heard |= not self.has_real_user
        held = sum(len(piece.audio) for piece in call.playback.held)
        is_lost = played + held != before.held_bytes + received and self.playable_id is not None
        if received and is_lost and call.state is not State.ENDED:
            raise LawBrokenError(Law.WHOLE, f"{played} bytes are played and {held} held, of {received}")
        if played and not received and played != before.held_bytes:
            raise LawBrokenError(Law.WHOLE, f"{played} bytes are played of {before.held_bytes} that were held")

    def _judge_beginning(self, before: Before, call: Call, event: Event) -> None:
        spoken_by = event.response_id if isinstance(event, AudioDelta) else call.response.response_id
        is_greeting = bool(call.greeting_clip) and not (self.greeting_heard or self.has_real_user)
        is_announcement = isinstance(event, _ANNOUNCED) and self.has_real_user
        is_clip = spoken_by is None and (is_greeting or is_announcement)
        if is_announcement:
            # Of what is heard from now on nothing ever begins or ends.
            self.begun_id, self.playable_id, self.turn = None, None, 0
        if call.state not in AUDIBLE:
            raise LawBrokenError(Law.NO_STRAY_AUDIO, f"audio in {call.state.name}")
        if not is_clip and (spoken_by is None or spoken_by != self.playable_id):
            raise LawBrokenError(Law.NO_STRAY_AUDIO, f"audio of {spoken_by}, which may not be played")
        if before.state not in AUDIBLE and call.turn.open is not None:
            raise LawBrokenError(Law.NO_STRAY_AUDIO, "audio begins while the caller speaks")
        if before.state not in AUDIBLE and self.debt is Debt.ACCEPTED and not is_announcement:
            raise LawBrokenError(Law.NEWEST, f"audio of {spoken_by} begins")

    def _judge_stop(self, before: Before, call: Call, step: Step, *, was_generating: bool) -> None:
        is_stop = before.state is State.AI_SPEAKING and step.is_loud
        was_stopped = self.is_stopped or (is_stop and before.rest_bytes > 0)
        self.is_stopped = judge_stop(before, call, step, self.item_id, was_stopped=self.is_stopped)
        is_confirmed = was_stopped and not self.is_stopped and not step.played_bytes
        if call.response.kind is Owed.REPLY:
            self.is_cut |= is_confirmed or (is_stop and was_generating)
        if before.is_accepted or CreateResponse in step.kinds or call.state is State.ENDED:
            self.is_cut = False

    def _judge_hearing(self, call: Call, step: Step) -> None:
        event = step.event
        if isinstance(event, PlaybackMarked) and event.name in self.marks:
            self.marks = self.marks[self.marks.index(event.name) + 1 :]
        was_heard = bool(self.marks) or self.has_tail
        for effect in step.effects:
            if isinstance(effect, PlayAudio):
                self.has_tail = True
            elif isinstance(effect, SendMark):
                self.marks, self.has_tail = (*self.marks, effect.name), False
            elif isinstance(effect, ClearPlayback):
                self.marks, self.has_tail = (), False
        is_heard = bool(self.marks) or self.has_tail
        if is_heard and call.state not in (*AUDIBLE, State.ENDED):
            raise LawBrokenError(Law.HEARD, f"{call.state.name} while the caller may hear the assistant")
        if is_heard and not was_heard:
            self.grace_until = event.at + call.config.turn.grace_ms / 1000
        if call.state is State.AI_GRACE and state_deadline(call) > self.grace_until + ROUNDING_S:
            raise LawBrokenError(Law.GRACE, f"it is to last until {state_deadline(call)}, not {self.grace_until}")

    def _note_debt(self, before: Before, call: Call, step: Step) -> None:
        if before.is_accepted:
            self.debt = Debt.ACCEPTED
        if self.debt is Debt.ACCEPTED and CreateResponse in step.kinds:
            self.debt = Debt.REQUESTED
        elif self.debt is Debt.REQUESTED and step.played_bytes and call.response.kind is not Owed.NOTHING:
            self.debt = Debt.NONE
        if call.state is State.ENDED:
            self.debt = Debt.NONE
