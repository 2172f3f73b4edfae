"""A call under watch: what has been seen of it, and the laws at every step."""

from enum import Enum

from attrs import define

from callfsm.audit.verify.laws import (
    AUDIBLE,
    Before,
    Law,
    LawBrokenError,
    judge_barge_in,
    judge_readiness,
    judge_verdict,
    judge_waiting,
)
from callfsm.call import Call
from callfsm.effects import CancelResponse, CreateResponse, Effect, PlayAudio
from callfsm.events import AudioDelta, Event, RealtimeError, RealtimeLost, ResponseCreated, ResponseDone, TimerFired
from callfsm.machine import Engine
from callfsm.speaking.response import Owed
from callfsm.states.base import State


class Debt(Enum):
    """What the caller is owed for what was accepted."""

    NONE = 0
    ACCEPTED = 1
    REQUESTED = 2


@define
class Watch:
    """What has been seen of one call."""

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

    def feed(self, engine: Engine, call: Call, event: Event) -> list[Effect]:
        """Feed an event, with the timers that are due before it; raise LawBrokenError where a law is broken."""
        effects: list[Effect] = []
        while call.deadline <= event.at:
            effects += self._step(engine, call, TimerFired(call.deadline))
        if not isinstance(event, TimerFired):
            effects += self._step(engine, call, event)
        return effects

    def _step(self, engine: Engine, call: Call, event: Event) -> list[Effect]:
        before = Before.of(call, event)
        try:
            effects = engine.dispatch(call, event)
        except Exception as error:
            raise LawBrokenError(Law.NO_EXCEPTION, f"{event} raised {error!r}") from error
        self._note_event(before, event)
        kinds = [type(effect) for effect in effects]
        self._judge_requests(call, event, effects)
        self._judge_audio(call, event, kinds)
        judge_barge_in(before, call, kinds)
        judge_readiness(call, kinds)
        judge_verdict(before, call, event, effects)
        judge_waiting(call)
        self._note_effects(before, call, effects)
        return effects

    def _note_event(self, before: Before, event: Event) -> None:
        if isinstance(event, ResponseCreated) and event.turn == self.turn > 0 and self.is_in_flight:
            self._begin(event.response_id)
        elif self._ends_response(before, event):
            self.is_in_flight = self.is_overtaken = False
            # Only what is held back may still be played.
            self.playable_id = self.playable_id if before.is_held else None
        if isinstance(event, RealtimeLost):
            self.playable_id = None

    @property
    def is_cancel_waiting(self) -> bool:
        """A cancel was sent that an error may answer."""
        return self.is_in_flight and self.is_cancelled and not self.is_overtaken

    def _begin(self, response_id: str) -> None:
        if self.begun_id is None:
            self.begun_id = response_id
            self.playable_id = None if self.is_overtaken else response_id

    def _ends_response(self, before: Before, event: Event) -> bool:
        """Whether the one in flight is over with this event, or given up."""
        if isinstance(event, ResponseDone):
            if event.response_id is None:
                return self.begun_id is not None or self.is_cancel_waiting
            return event.turn == self.turn or event.response_id == self.begun_id
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

    def _judge_requests(self, call: Call, event: Event, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, CreateResponse):
                greets = call.business.enable_greeting and call.response.kind is Owed.GREETING
                if not call.has_real_user_utterance and (not greets or self.greeting_heard):
                    raise LawBrokenError(Law.NO_EARLY_RESPONSE, f"{effect} on {event}")
                if self.is_in_flight or call.state is State.CANCELLING:
                    raise LawBrokenError(Law.ONE_RESPONSE, f"{effect} on {event} in {call.state.name}")
                self.is_in_flight, self.is_overtaken, self.is_cancelled = True, False, False
                self.begun_id = self.playable_id = None
                self.turn, self.create_event_id = effect.turn, effect.event_id
            elif isinstance(effect, CancelResponse) and effect.event_id == call.response.cancel_event_id:
                # Nothing is requested before a cancel is answered, not even where nothing was left to cancel.
                self.is_overtaken = self.is_in_flight and self.begun_id is None
                self.is_in_flight = self.is_cancelled = True
                self.cancel_event_id = effect.event_id
                self.playable_id = None

    def _judge_audio(self, call: Call, event: Event, kinds: list[type[Effect]]) -> None:
        if PlayAudio in kinds:
            if call.state not in AUDIBLE:
                raise LawBrokenError(Law.NO_STRAY_AUDIO, f"audio in {call.state.name}")
            spoken_by = event.response_id if isinstance(event, AudioDelta) else call.response.response_id
            is_clip = spoken_by is None and bool(call.greeting_clip)
            if not is_clip and spoken_by != self.playable_id:
                raise LawBrokenError(Law.NO_STRAY_AUDIO, f"audio of {spoken_by}, which may not be played")
            self.greeting_heard |= not call.has_real_user_utterance

    def _note_effects(self, before: Before, call: Call, effects: list[Effect]) -> None:
        if before.text_is_accepted or before.is_accepted:
            self.debt = Debt.ACCEPTED
        for effect in effects:
            if isinstance(effect, CreateResponse) and self.debt is Debt.ACCEPTED:
                self.debt = Debt.REQUESTED
            elif isinstance(effect, PlayAudio) and self.debt is Debt.REQUESTED:
                self.debt = Debt.NONE
        if call.state is State.ENDED:
            self.debt = Debt.NONE
