"""CALIBRATING: the caller hears nothing while the line's noise is measured.

It ends with the frame that completes calibration_ms. What was heard meanwhile is kept and then gated with the
threshold that was found, so that a caller who speaks at once is not lost.
"""

from typing import TYPE_CHECKING

from attrs import evolve

from callfsm.effects import INFO
from callfsm.events import (
    AudioCommitted,
    CallExpiring,
    PlaybackMarked,
    RealtimeError,
    RealtimeExpiring,
    RealtimeLost,
    RealtimeMissing,
    ReplyDue,
    ReplyTranscript,
    ResponseDone,
    RmsFrame,
    SpeechDetected,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.calibration import noise_floor, speech_threshold
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.speaking.response import Owed
from callfsm.states.base import State, StateSpec
from callfsm.states.base import Transition as T
from callfsm.states.link import END, READY, lose
from callfsm.states.playing import has_greeting_clip, play_clip
from callfsm.states.responses import UNASKED, UNASKED_AUDIO, note_error, request_greeting
from callfsm.states.tools import DIGITS, tell_digits

if TYPE_CHECKING:
    from callfsm.call import Call


def is_still_measuring(call: "Call", _frame: RmsFrame) -> bool:
    """With this frame less than calibration_ms have been heard."""
    return (len(call.calibration) + 1) * FRAME_MS < call.config.gate.calibration_ms


def is_greeting_due(call: "Call", frame: RmsFrame) -> bool:
    """A greeting is owed, the Realtime session is ready, and no frame was loud by the threshold just found."""
    heard = [kept.rms for kept in (*call.calibration, frame)]
    threshold = speech_threshold(noise_floor(heard, call.config.gate), call.config.gate)
    return call.response.owed is Owed.GREETING and call.is_ready and max(heard) < threshold


def keep_frame(call: "Call", frame: RmsFrame) -> None:
    """Keep the frame until the line has been measured."""
    call.calibration.append(frame)


def calibrate(call: "Call", frame: RmsFrame) -> None:
    """Set the noise floor and the threshold, log them, and have the kept frames gated."""
    noise_rms = noise_floor((kept.rms for kept in call.calibration), call.config.gate)
    threshold_rms = speech_threshold(noise_rms, call.config.gate)
    call.gate.line.calibrate(noise_rms, threshold_rms)
    call.log(INFO, f"[VAD] Calibrated noise={noise_rms:.1f}, speech_threshold={threshold_rms:.1f}")
    call.backlog.extend(evolve(kept, at=frame.at) for kept in call.calibration)
    call.calibration.clear()


# fmt: off
SPEC = StateSpec(
    State.CALIBRATING,
    transitions=(
        # event        to                      when                   do
        T(RmsFrame,     None,                   (is_still_measuring,), (keep_frame,)),
        T(RmsFrame,     State.AI_GRACE,         (is_greeting_due, has_greeting_clip), (keep_frame, calibrate, play_clip)),
        T(RmsFrame,     State.GREETING,         (is_greeting_due,),    (keep_frame, calibrate, request_greeting)),
        T(RmsFrame,     State.WAITING_FOR_USER, (),                    (keep_frame, calibrate)),
        *UNASKED,
        *UNASKED_AUDIO,
        *READY,
        T(RealtimeLost, None,                   (),                    (lose,)),
        T(RealtimeError, None,                  (),                    (note_error,)),
        *DIGITS,
        T(TimerFired,   None,                   (),                    (tell_digits,)),
        *END,
    ),
    ignores=(
        SpeechDetected, TranscriptCompleted, TranscriptFailed, AudioCommitted, ReplyDue, ReplyTranscript, ResponseDone,
        PlaybackMarked, ToolCalled, ToolAnswered, RealtimeMissing, RealtimeExpiring, CallExpiring,
    ),
)
# fmt: on
