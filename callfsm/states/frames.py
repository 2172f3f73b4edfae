"""What every state does with the caller's sound: the gate, the pre-roll, the utterance and its end."""

from typing import TYPE_CHECKING

from callfsm.effects import DEBUG, AppendAudio, ClearAudio, CommitAudio
from callfsm.events import RmsFrame
from callfsm.hearing.gate import HeardFrame
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.turn import TurnPhase, Utterance
from callfsm.states.base import Transition as T

if TYPE_CHECKING:
    from callfsm.call import Call

# Guards


def is_loud(call: "Call", frame: RmsFrame) -> bool:
    """The frame is at or above the limit in force: the speech threshold, or more while the assistant may be echoing."""
    return frame.rms >= call.gate.limit_rms


def is_silence_between_turns(call: "Call", frame: RmsFrame) -> bool:
    """The frame is below the limit and no utterance is open: the gate is closed."""
    return frame.rms < call.gate.limit_rms and call.turn.phase is not TurnPhase.SPEAKING


def is_turn_full(call: "Call", _frame: RmsFrame) -> bool:
    """The open utterance reaches max_turn_ms with this frame."""
    utterance = call.turn.open
    return utterance is not None and (utterance.frames + 1) * FRAME_MS >= call.config.turn.max_turn_ms


def is_in_hangover(call: "Call", _frame: RmsFrame) -> bool:
    """The last loud frame is no more than hangover_ms ago: the gate is still open."""
    return call.turn.utterance.quiet_ms + FRAME_MS <= call.config.gate.hangover_ms


def is_turn_going_on(call: "Call", _frame: RmsFrame) -> bool:
    """The last loud frame is less than end_of_turn_ms ago."""
    return call.turn.utterance.quiet_ms + FRAME_MS < call.config.turn.end_of_turn_ms


def is_blip(call: "Call", _frame: RmsFrame) -> bool:
    """The open utterance has less than min_speech_ms of loud frames."""
    return call.turn.utterance.loud_ms < call.config.turn.min_speech_ms


def is_voiced(call: "Call", frame: RmsFrame | HeardFrame) -> bool:
    """The frame is as periodic as a voice, and not the assistant's own that comes back."""
    return frame.voicing >= call.config.gate.min_voicing and not call.gate.is_echo


# Actions


def _append(call: "Call", utterance: Utterance, payload: str) -> None:
    utterance.audio.append(payload)
    call.turn.trim()
    call.tell_realtime(AppendAudio(payload))


def pass_speech(call: "Call", frame: RmsFrame) -> None:
    """Open the gate if it is closed: the pre-roll goes out, then the loud frame; it belongs to the utterance."""
    turn = call.turn
    begins = turn.phase is not TurnPhase.SPEAKING
    utterance = turn.speech_started(call.gate.threshold_rms) if begins else turn.utterance
    for held in call.gate.release(call.config.gate.preroll_ms):
        _append(call, utterance, held.payload)
        if begins and (held.is_loud or utterance.frames):
            utterance.hear(held.rms, loud=held.is_loud, voiced=is_voiced(call, held))
    _append(call, utterance, frame.payload)
    utterance.hear(frame.rms, loud=True, voiced=is_voiced(call, frame))


def pass_weak(call: "Call", frame: RmsFrame) -> None:
    """Let a weak frame through the open gate: the end of a word, a consonant."""
    utterance = call.turn.utterance
    _append(call, utterance, frame.payload)
    utterance.hear(frame.rms, loud=False)


def hold_frame(call: "Call", frame: RmsFrame) -> None:
    """Keep the frame unsent, for the pre-roll, which covers the grace as well while the assistant is audible."""
    grace_ms = call.config.turn.grace_ms if call.playback.is_audible else 0
    held = HeardFrame(frame.rms, frame.payload, frame.voicing, is_loud(call, frame))
    call.gate.hold(held, call.config.gate.preroll_ms + grace_ms)


def drop_frame(call: "Call", frame: RmsFrame) -> None:
    """Drop the frame at the closed gate, log it, and keep it for the pre-roll."""
    call.log(DEBUG, f"[AUDIO GATE] Drop frame, rms={frame.rms:.1f} < {call.gate.limit_rms:.1f}")
    hold_frame(call, frame)


def count_quiet(call: "Call", frame: RmsFrame) -> None:
    """Count the frame towards the end of the turn."""
    call.turn.utterance.hear(frame.rms, loud=False)


def drop_blip(call: "Call", _frame: RmsFrame) -> None:
    """Forget the open utterance and clear the API's buffer: it was a blip."""
    call.turn.drop()
    call.tell_realtime(ClearAudio())


def commit_turn(call: "Call", frame: RmsFrame) -> None:
    """Commit the utterance; its transcript is awaited."""
    send_commit(call, call.turn.commit(), frame.at)


def send_commit(call: "Call", utterance: Utterance, at: float) -> None:
    """Commit what was appended for an utterance, now or, without a session, once there is one."""
    if call.is_ready:
        utterance.commit_event_id = call.event_id("commit")
        utterance.deadline = at + call.config.turn.transcript_timeout_ms / 1000
        call.turn.unacknowledged.append(utterance)
        call.effects.append(CommitAudio(utterance.commit_event_id))


def resend(call: "Call", utterance: Utterance) -> None:
    """Append an utterance's audio once more, to a session that has not heard it."""
    call.effects += [AppendAudio(payload) for payload in utterance.audio]


# Rows. A loud frame opens the gate, a weak one passes in the hangover, silence ends the turn. SILENCE comes first and
# SPEECH second: behind them an utterance is open, which the guards that follow rely on.
# fmt: off
SILENCE = (
    T(RmsFrame, None, (is_silence_between_turns,), (drop_frame,)),
)
SPEECH = (
    T(RmsFrame, None, (is_loud, is_turn_full),     (pass_speech, commit_turn)),
    T(RmsFrame, None, (is_loud,),                  (pass_speech,)),
    T(RmsFrame, None, (is_in_hangover,),           (pass_weak,)),
    T(RmsFrame, None, (is_turn_going_on,),         (drop_frame, count_quiet)),
)
END_OF_TURN = (
    T(RmsFrame, None, (is_blip,),                  (drop_frame, drop_blip)),
    T(RmsFrame, None, (),                          (drop_frame, commit_turn)),
)
# fmt: on
