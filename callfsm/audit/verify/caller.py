"""What the caller's line can carry: frames on either side of the threshold, one at a time and for a while."""

from collections.abc import Callable
from typing import Final

from callfsm.audit.verify.inputs import Events, Input, Make
from callfsm.call import Call
from callfsm.events import RmsFrame
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.turn import TurnPhase
from callfsm.states.base import State
from callfsm.states.transcripts import ANSWERABLE_MS

SILENT_RMS: Final = 90.0
LOUD_RMS: Final = 2000.0
"""So loud that an utterance with one such frame stays above the threshold, whatever weak frames follow."""


def _on_their_way(call: Call) -> int:
    """Return how many utterances have no verdict, or no name."""
    return len({id(utterance) for utterance in (*call.turn.unsettled, *call.turn.unacknowledged)})


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
) -> Make:
    def make(call: Call, at: float) -> Events:
        begins = call.turn.phase is not TurnPhase.SPEAKING
        if not only(call) or (begins and _on_their_way(call) >= most):
            return ()
        return [RmsFrame(at, rms_of(call), "f")] * count(call)

    return make


def _is_measuring(call: Call) -> bool:
    return call.state is State.CALIBRATING


def _is_measured(call: Call) -> bool:
    return call.state is not State.CALIBRATING


def _is_nobody_real(call: Call) -> bool:
    """How loud an utterance was matters until the first real one."""
    return not call.has_real_user_utterance


def _silent(_call: Call) -> float:
    return SILENT_RMS


def _hum(call: Call) -> float:
    return call.config.gate.quiet_rms


def _below(call: Call) -> float:
    return call.gate.threshold_rms - 0.1


def _at(call: Call) -> float:
    return call.gate.threshold_rms


def _above(_call: Call) -> float:
    return LOUD_RMS


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


def _loud_ms(call: Call) -> int:
    return call.turn.open.loud_ms if call.turn.open else 0


def _proving(call: Call) -> int:
    return call.config.turn.min_speech_ms - _loud_ms(call) if call.turn.open else 0


def _answerable(call: Call) -> int:
    return ANSWERABLE_MS - _loud_ms(call) if _loud_ms(call) >= call.config.turn.min_speech_ms else 0


def _filling(call: Call) -> int:
    utterance = call.turn.open
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
        Input("a loud frame", "loud", _loud(_above, _one, most, only=_is_nobody_real)),
        Input("speech", "loud", _loud(_above, _frames_of(_proving), most)),
        Input("long speech", "loud", _loud(_above, _frames_of(_answerable), most)),
        Input("sound that fills the turn", "loud", _loud(_at, _frames_of(_filling), most)),
    ]
