"""Stopped at once, and then: proven to be somebody, or nobody, and the assistant goes on.

A loud frame stops the assistant in that very step, and what the caller has not heard is kept. Enough voiced sound
proves a speaker, or the detector does, or an accepted transcript: only then is the conversation truncated and the rest
dropped. Without proof in confirm_ms it was nobody, for now: the assistant goes on, and a sound that was more than a
blip is committed all the same, so that its transcript has the last word.
"""

from typing import TYPE_CHECKING

from callfsm.effects import INFO, ClearPlayback
from callfsm.events import (
    AudioDelta,
    Event,
    ReplyDue,
    ResponseDone,
    RmsFrame,
    SpeechDetected,
    TranscriptCompleted,
)
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.speaking.response import Owed, OwedInput, ResponsePhase
from callfsm.states.base import State
from callfsm.states.base import Transition as T
from callfsm.states.frames import (
    commit_turn,
    drop_blip,
    hold_frame,
    is_blip,
    is_loud,
    is_voiced,
    pass_speech,
)
from callfsm.states.playing import (
    finish_playback,
    is_caller_speaking,
    mark_end,
    piece_of,
    send_audio,
    stop_playback,
    truncate_heard,
)
from callfsm.states.responses import cancel_response, delete_unheard_items, request_reply, request_rest
from callfsm.states.tools import stay
from callfsm.states.transcripts import (
    accept,
    has_real_user,
    is_doubted,
    is_first_real_utterance,
    note_first_real_utterance,
)

if TYPE_CHECKING:
    from callfsm.call import Call

BARGE_IN_LINE = "[BARGE-IN] User speaking while AI speaking – sending response.cancel"
CONFIRMED_LINE = "[BARGE-IN] Confirmed as speech"
RESUMED_LINE = "[BARGE-IN] Not confirmed as speech – the assistant goes on"

# Guards


def is_paused(call: "Call", _event: Event) -> bool:
    """The assistant was stopped, and what the caller has not heard is kept."""
    return call.playback.is_paused


def is_proven(call: "Call", frame: RmsFrame) -> bool:
    """With this loud frame the sound has confirm_voiced_ms of voiced sound."""
    utterance = call.turn.open
    if utterance is None:
        # What is held from the grace becomes a part of it.
        voiced = sum(held.is_loud and is_voiced(call, held) for held in call.gate.held)
    else:
        voiced = utterance.voiced_frames
    return (voiced + is_voiced(call, frame)) * FRAME_MS >= call.config.turn.confirm_voiced_ms


def is_doubt_over(call: "Call", _frame: RmsFrame) -> bool:
    """The sound began confirm_ms ago and has not been proven to be speech."""
    utterance = call.turn.open
    return utterance is not None and utterance.frames * FRAME_MS >= call.config.turn.confirm_ms


def is_all_played(call: "Call", event: Event) -> bool:
    """Nothing is left to go on with: the caller has heard all that has been received."""
    return call.playback.is_all_heard(event.at)


def is_stopped_response(call: "Call", delta: AudioDelta) -> bool:
    """The audio is of the response that was stopped."""
    return delta.response_id == call.response.response_id


def is_unfinished_reply(call: "Call", frame: RmsFrame) -> bool:
    """What is being said is a reply, and some of it has not been heard, or not been generated."""
    response = call.response
    is_more_to_come = response.phase is ResponsePhase.ACTIVE or response.is_cut
    return response.kind is Owed.REPLY and (is_more_to_come or not call.playback.is_all_heard(frame.at))


def is_cut(call: "Call", _event: Event) -> bool:
    """The reply was cancelled while it was being generated: there is more to say than was received."""
    return call.response.is_cut


def is_recording(call: "Call", _event: Event) -> bool:
    """What is being said is a recording in mid-call, and pays no debt."""
    return call.response.kind is Owed.NOTHING


def is_rest_owed(call: "Call", _event: Event) -> bool:
    """What is owed is the rest of a reply."""
    return call.response.owed is Owed.REST


def is_failed_reply(call: "Call", event: ResponseDone) -> bool:
    """The reply failed while it was being said, and is no goodbye: there is more to say than was received."""
    return event.status == "failed" and call.response.kind is Owed.REPLY and not call.farewell


# Actions


def log_barge_in(call: "Call", _event: RmsFrame) -> None:
    """Log the barge-in."""
    call.log(INFO, BARGE_IN_LINE)


def owe_rest(call: "Call", _event: Event) -> None:
    """The rest of the reply is owed, unless somebody has said something."""
    call.response.owe(OwedInput.INTERRUPTED)
    call.response.is_cut |= call.response.phase is ResponsePhase.ACTIVE


def bound_rest(call: "Call", _event: Event) -> None:
    """The rest of one reply is owed no more than so often."""
    call.response.confirm_interruption(call.config.turn.most_continued)


def pause_playback(call: "Call", event: Event) -> None:
    """Freeze the playback estimate and clear what the caller has not heard, ahead of everything; keep it."""
    call.effects.append(ClearPlayback())
    call.playback.pause(event.at)


def note_interrupter(call: "Call", _event: Event) -> None:
    """Note that the utterance began while the assistant was audible."""
    call.turn.utterance.interrupts = True


def drop_rest(call: "Call", event: Event) -> None:
    """Drop what was kept; truncate the item that was heard in part, and delete those of which nothing was heard."""
    finish_playback(call, event)
    truncate_heard(call, event)
    if call.response.phase is ResponsePhase.NONE:
        delete_unheard_items(call, event)


def confirm(call: "Call", event: Event) -> None:
    """Log that the interruption is speech; the rest stays owed, so often at most, in case its words are rejected."""
    call.log(INFO, CONFIRMED_LINE)
    bound_rest(call, event)
    stay(call, event)


def commit_doubted(call: "Call", frame: RmsFrame) -> None:
    """Commit a sound that has not been proven to be speech; it is settled by its transcript alone."""
    call.turn.utterance.is_doubted = True
    commit_turn(call, frame)


def play_rest(call: "Call", event: Event) -> None:
    """Go on a little before the place where the caller stopped hearing the assistant."""
    call.log(INFO, RESUMED_LINE)
    send_audio(call, call.playback.resume(event.at))
    mark_end(call, event)
    call.left_items = ()


def end_rest(call: "Call", event: Event) -> None:
    """It was nobody, and the caller has heard what was received: the rest has yet to be said."""
    call.log(INFO, RESUMED_LINE)
    finish_playback(call, event)
    call.left_items = ()


def keep_audio(call: "Call", delta: AudioDelta) -> None:
    """Keep what still comes of a reply that was stopped: the model takes it for said, and it may be yet."""
    call.playback.keep(piece_of(delta))


def settle_rest(call: "Call", _event: Event) -> None:
    """All of the reply is here: no more is owed."""
    call.response.owe(OwedInput.RESUMED)


# Rows
OWE_REST_AGAIN = (owe_rest, bound_rest)
CONFIRM = (drop_rest, confirm)
STOP = (log_barge_in, stop_playback, cancel_response, truncate_heard)
PAUSE = (log_barge_in, pause_playback, cancel_response)
SPEAKER = (pass_speech, note_interrupter)
STOP_AGAIN = (stop_playback, cancel_response, truncate_heard, confirm)
CANCELLING, AI_GRACE = State.CANCELLING, State.AI_GRACE
# fmt: off
BARGE_IN = (
    T(RmsFrame,            CANCELLING, (is_loud, is_proven, is_unfinished_reply),     (owe_rest, *STOP, confirm, *SPEAKER)),
    T(RmsFrame,            CANCELLING, (is_loud, is_proven),                          (*STOP, confirm, *SPEAKER)),
    T(RmsFrame,            CANCELLING, (is_loud, is_unfinished_reply),                (owe_rest, *PAUSE, *SPEAKER)),
    T(RmsFrame,            CANCELLING, (is_loud, is_all_played),                      (*STOP, stay, *SPEAKER)),
    T(RmsFrame,            CANCELLING, (is_loud,),                                    (*PAUSE, *SPEAKER)),
)
"""In AI_SPEAKING: speech stops the assistant in that very step."""
DOUBT = (
    T(RmsFrame,            None,       (is_paused, is_loud, is_proven),               (pass_speech, *CONFIRM)),
    T(RmsFrame,            None,       (is_paused, is_doubt_over, is_blip),           (drop_blip, hold_frame)),
    T(RmsFrame,            None,       (is_paused, is_doubt_over),                    (commit_doubted, hold_frame)),
)
"""Behind the row for silence between turns: an utterance is open, or the frame opens one."""
PROOF = (
    T(SpeechDetected,      None,       (is_paused, is_caller_speaking),               CONFIRM),
    T(SpeechDetected,      None),
)
LATE_AUDIO = (
    T(AudioDelta,          None,       (is_paused, is_stopped_response),               (keep_audio,)),
)
PROVEN_BY_WORDS = (
    T(TranscriptCompleted, None,       (is_paused, has_real_user),                    (accept, *CONFIRM)),
    T(TranscriptCompleted, None,       (is_paused, is_first_real_utterance),          (note_first_real_utterance, accept, *CONFIRM)),
)
STOPPED_BY_WORDS = (
    T(TranscriptCompleted, CANCELLING, (is_doubted, has_real_user),                   (accept, *STOP_AGAIN)),
    T(TranscriptCompleted, CANCELLING, (is_doubted, is_first_real_utterance),         (note_first_real_utterance, accept, *STOP_AGAIN)),
)
"""While the assistant is audible: it went on over somebody after all."""
RESUME_WHOLE = (
    T(ReplyDue,            AI_GRACE,   (is_paused,),                                  (play_rest, settle_rest)),
)
"""A greeting goes on with what was received."""
RESUME = (
    T(ReplyDue,            None,       (is_paused, is_all_played, is_rest_owed),      (end_rest, stay, request_rest)),
    T(ReplyDue,            None,       (is_paused, is_all_played),                    (end_rest, stay, request_reply)),
    T(ReplyDue,            AI_GRACE,   (is_paused, is_recording),                     (play_rest,)),
    T(ReplyDue,            AI_GRACE,   (is_paused, is_cut),                           (play_rest,)),
    *RESUME_WHOLE,
)
# fmt: on
