"""What the caller's line can carry: frames on either side of the threshold, one at a time and for a while."""

from collections.abc import Callable
from typing import Final

from callfsm.audit.verify.inputs import NOISE, Events, Input, Make, on_their_way
from callfsm.call import Call
from callfsm.events import RmsFrame
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.turn import TurnPhase, Utterance
from callfsm.states.base import State
from callfsm.states.transcripts import ANSWERABLE_MS

SILENT_RMS: Final = 90.0
LOUD_RMS: Final = 4000.0
"""So loud that an utterance with one such frame stays above the threshold, whatever weak frames follow."""


def _bound(call: Call, most: int) -> int:
    """Return how many may be on their way: before anybody has spoken, a second one only over a greeting."""
    is_alone = call.business.enable_greeting and not call.has_real_user_utterance
    return 1 if is_alone and call.state is not State.AI_SPEAKING else most


def _always_so(_call: Call) -> bool:
    return True


def _quiet(
    rms_of: Callable[[Call], float], count: Callable[[Call], int], *, only: Callable[[Call], bool] = _always_so
) -> Make:
    return lambda call, at: [RmsFrame(at, rms_of(call), "f")] * count(call) if only(call) else ()


def _loud(
    rms_of: Callable[[Call], float],
    count: Callable[[Call], int],
    most: int,
    *,
    only: Callable[[Call], bool] = _always_so,
    voicing: float = 0.0,
) -> Make:
    def make(call: Call, at: float) -> Events:
        begins = call.turn.phase is not TurnPhase.SPEAKING
        if not only(call) or (begins and on_their_way(call) >= _bound(call, most)):
            return ()
        return [RmsFrame(at, rms_of(call), "f", voicing)] * count(call)

    return make


def _is_measuring(call: Call) -> bool:
    return call.state is State.CALIBRATING


def _is_measured(call: Call) -> bool:
    return call.state is not State.CALIBRATING


def _is_loudness_asked(call: Call) -> bool:
    """How loud an utterance was matters until the first real one; one from the grace is as loud as what follows."""
    return not call.has_real_user_utterance and call.state is not State.AI_GRACE


def _silent(_call: Call) -> float:
    return SILENT_RMS


def _hum(call: Call) -> float:
    return call.config.gate.quiet_rms


def _below(call: Call) -> float:
    return call.gate.threshold_rms - 0.1


def _at(call: Call) -> float:
    return call.gate.threshold_rms


def _above(call: Call) -> float:
    # Where transcripts are made up all sound is weak, so that each of them is rejected.
    return _at(call) if call.business.name == NOISE else LOUD_RMS


def _one(_call: Call) -> int:
    return 1


def _frames_of(ms: Callable[[Call], int]) -> Callable[[Call], int]:
    return lambda call: max(0, ms(call) // FRAME_MS)


def _quiet_ms(call: Call) -> int:
    return call.turn.open.quiet_ms if call.turn.open else call.config.turn.end_of_turn_ms


def _past_hangover(call: Call) -> int:
    return call.config.gate.hangover_ms + FRAME_MS - _quiet_ms(call)


def _end_of_turn(call: Call) -> int:
    return call.config.turn.end_of_turn_ms - _quiet_ms(call)


def _heard(call: Call) -> Utterance | None:
    """Return the open utterance while its gate is open; past that, a frame opens it and longer inputs go on."""
    utterance = call.turn.open
    return utterance if utterance is not None and utterance.quiet_ms <= call.config.gate.hangover_ms else None


def _proving(call: Call) -> int:
    utterance = _heard(call)
    return call.config.turn.min_speech_ms - utterance.loud_ms if utterance is not None else 0


def _answerable(call: Call) -> int:
    utterance = _heard(call)
    # A doubt would end in the midst of it: its frames are offered one at a time.
    if utterance is None or call.playback.is_paused:
        return 0
    return ANSWERABLE_MS - utterance.loud_ms if utterance.loud_ms >= call.config.turn.min_speech_ms else 0


def _is_stopped(call: Call) -> bool:
    """Whether a sound is voiced matters once it has stopped the assistant, or may."""
    return call.playback.is_paused or call.state in (State.AI_GRACE, State.AI_SPEAKING)


def _filling(call: Call) -> int:
    utterance = _heard(call)
    is_long = utterance is not None and utterance.loud_ms >= ANSWERABLE_MS
    return call.config.turn.max_turn_ms - utterance.frames * FRAME_MS if utterance is not None and is_long else 0


WEAK: Final = [
    Input("a silent frame", "weak", _quiet(_silent, _one, only=_is_measuring)),
    Input("a frame just too loud for a sample of the noise", "weak", _quiet(_hum, _one, only=_is_measuring)),
    Input("a frame just below the threshold", "weak", _quiet(_below, _one, only=_is_measured)),
    Input("silence past the hangover", "weak", _quiet(_silent, _frames_of(_past_hangover))),
    Input("silence to the end of the turn", "weak", _quiet(_silent, _frames_of(_end_of_turn))),
]


def sounds(most: int) -> list[Input]:
    """Return the loud inputs; no more than `most` utterances may be on their way."""
    return [
        Input("a frame at the threshold", "loud", _loud(_at, _one, most, only=_is_measured)),
        Input("a loud frame", "loud", _loud(_above, _one, most, only=_is_loudness_asked)),
        Input("a voiced frame", "loud", _loud(_at, _one, most, only=_is_stopped, voicing=1.0)),
        Input("speech", "loud", _loud(_above, _frames_of(_proving), most, voicing=1.0)),
        Input("long speech", "loud", _loud(_above, _frames_of(_answerable), most, voicing=1.0)),
        Input("sound that fills the turn", "loud", _loud(_at, _frames_of(_filling), most)),
    ]
