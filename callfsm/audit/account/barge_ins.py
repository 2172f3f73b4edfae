"""Following the stops of the assistant through a call that is run again: what each proved to be, and what it cost."""

from enum import Enum
from typing import Final

from attrs import define, evolve, field, frozen

from callfsm.audit.account.before import Before
from callfsm.audit.recording import Step
from callfsm.effects import Log, PlayAudio
from callfsm.events import Event, RmsFrame, SpeechDetected
from callfsm.hearing.mulaw import BYTES_PER_MS
from callfsm.states.interrupting import BARGE_IN_LINE, CONFIRMED_LINE, RESUMED_LINE


class Verdict(Enum):
    """What a stop of the assistant proved to be."""

    VOICE = "confirmed by voice"
    DETECTOR = "confirmed by the detector"
    WORDS = "confirmed by words"
    NOBODY = "not confirmed: the assistant went on"
    NOTHING_LEFT = "not waited for: nothing was left to go on with"
    OPEN = "open at the end of the call"

    @property
    def is_confirmed(self) -> bool:
        """Somebody spoke."""
        return self.value.startswith("confirmed")


@frozen
class BargeIn:
    """A sound on the line stopped the assistant. `rms` and `limit_rms` are those of the frame that did it."""

    at: float
    rms: float
    limit_rms: float
    heard_ms: int
    generated_ms: int
    """What had come of the reply by then."""
    reply: int
    """Its place among the account's replies, from 0."""
    utterance: int
    """The place of the sound that did it among the account's utterances, from 0."""
    verdict: Verdict = Verdict.OPEN
    confirmed_at: float | None = None
    """When it was confirmed, which may be after the assistant had gone on; None where it never was."""
    went_on_at: float | None = None
    """When the assistant was heard again; None where it was not."""
    went_on_from_ms: int | None = None
    """The place of the reply from which it went on, a little before `heard_ms`."""

    @property
    def confirmed_ms(self) -> int | None:
        """How long after the stop it was confirmed."""
        return None if self.confirmed_at is None else round((self.confirmed_at - self.at) * 1000)

    @property
    def silent_ms(self) -> int | None:
        """How long the caller heard nothing before the assistant went on."""
        return None if self.went_on_at is None else round((self.went_on_at - self.at) * 1000)


_LINES: Final = frozenset({BARGE_IN_LINE, CONFIRMED_LINE, RESUMED_LINE})
_PROOFS: Final[dict[type[Event], Verdict]] = {RmsFrame: Verdict.VOICE, SpeechDetected: Verdict.DETECTOR}


@define(eq=False)
class BargeIns:
    """The stops so far, in the order in which they came."""

    stops: list[BargeIn] = field(factory=list)

    def follow(self, step: Step, event: Event, before: Before, stop: BargeIn, words_of: int | None) -> None:
        """Note what an event stopped, confirmed or let go on.

        `stop` is what a stop by it amounts to, `words_of` the place of the utterance that it settles.
        """
        for line in (effect.message for effect in step.effects if isinstance(effect, Log)):
            if line == BARGE_IN_LINE:
                self._stopped(step, stop)
            elif line == CONFIRMED_LINE:
                self._confirmed(event, words_of)
            elif line == RESUMED_LINE:
                self._went_on(step, before.time_of(step, event))

    def _stopped(self, step: Step, stop: BargeIn) -> None:
        is_kept = step.call.playback.is_paused
        self.stops.append(evolve(stop, verdict=Verdict.OPEN if is_kept else Verdict.NOTHING_LEFT))

    def _confirmed(self, event: Event, words_of: int | None) -> None:
        verdict = _PROOFS.get(type(event), Verdict.WORDS)
        place = len(self.stops) - 1
        if self.stops[place].verdict is Verdict.NOBODY:
            # The assistant has gone on over somebody whose words came later: a sound of that stop, or of its silence.
            place = self._stop_of(words_of)
        self.stops[place] = evolve(self.stops[place], verdict=verdict, confirmed_at=event.at)

    def _stop_of(self, utterance: int | None) -> int:
        """Return the place of the newest stop that an utterance does not come before; of the newest for none."""
        newest = len(self.stops) - 1
        if utterance is None:
            return newest
        return next((i for i in range(newest, -1, -1) if self.stops[i].utterance <= utterance), newest)

    def _went_on(self, step: Step, at: float) -> None:
        self.stops[-1] = evolve(self.stops[-1], verdict=Verdict.NOBODY, went_on_at=at, went_on_from_ms=place_ms(step))


def place_ms(step: Step) -> int:
    """Return from which place of the reply the caller hears it with this event."""
    sent = sum(len(effect.audio) for effect in step.effects if isinstance(effect, PlayAudio))
    return max(0, step.call.playback.received - sent) // BYTES_PER_MS
