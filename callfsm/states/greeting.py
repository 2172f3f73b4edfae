"""GREETING: the caller hears nothing yet; the one greeting has been requested.

It ends with the greeting's first audio, with a caller who speaks first, or when no audio comes.
"""

from callfsm.events import (
    AudioDelta,
    CallExpiring,
    PlaybackMarked,
    RealtimeError,
    RealtimeExpiring,
    RealtimeLost,
    RealtimeMissing,
    RealtimeReady,
    ReplyDue,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.states.base import State, StateSpec
from callfsm.states.base import Transition as T
from callfsm.states.frames import END_OF_TURN, SILENCE, SPEECH
from callfsm.states.link import END, lose
from callfsm.states.playing import is_caller_speaking, play
from callfsm.states.responses import (
    OTHER_ERRORS,
    STRAY_DONE,
    UNASKED,
    UNASKED_AUDIO,
    adopt_response,
    block_request,
    cancel_response,
    count_failure,
    delete_unheard_items,
    end_for_quota,
    is_blocker_over,
    is_current_response,
    is_our_response,
    is_our_turn,
    is_quota_exhausted,
    is_request_blocked,
    is_request_refused,
    is_request_unpaid,
    is_second_failure,
    owe_greeting,
    request_deadline,
    response_over,
)
from callfsm.states.tools import DIGITS, DIGITS_BEFORE_SPEECH
from callfsm.states.transcripts import (
    COMMITS,
    FAILURES,
    WORDLESS,
    accept,
    is_first_real_utterance,
    is_transcript_overdue,
    log_skipped_response,
    note_first_real_utterance,
    reject,
)

WAITING, CANCELLING, AI_GRACE = State.WAITING_FOR_USER, State.CANCELLING, State.AI_GRACE
ENDED = State.ENDED

# fmt: off
SPEC = StateSpec(
    State.GREETING,
    transitions=(
        # event               to          when                                      do
        *SILENCE,
        *SPEECH,
        *END_OF_TURN,
        *WORDLESS,
        T(TranscriptCompleted, CANCELLING, (is_first_real_utterance,),               (note_first_real_utterance, accept, cancel_response)),
        T(TranscriptCompleted, None,       (),                                       (log_skipped_response, reject)),
        *FAILURES,
        T(TranscriptFailed,    None,       (),                                       (log_skipped_response, reject)),
        *COMMITS,
        T(ResponseCreated,     None,       (is_our_turn,),                           (adopt_response,)),
        *UNASKED,
        T(AudioDelta,          CANCELLING, (is_current_response, is_caller_speaking), (cancel_response, owe_greeting)),
        T(AudioDelta,          AI_GRACE,   (is_current_response,),                   (play,)),
        *UNASKED_AUDIO,
        T(ResponseDone,        ENDED,      (is_our_response, is_quota_exhausted),    (end_for_quota,)),
        T(ResponseDone,        WAITING,    (is_our_response, is_second_failure),     (response_over, delete_unheard_items)),
        T(ResponseDone,        WAITING,    (is_our_response,),                       (response_over, delete_unheard_items, count_failure, owe_greeting)),
        *STRAY_DONE,
        *DIGITS,
        *DIGITS_BEFORE_SPEECH,
        T(TimerFired,          None,       (is_transcript_overdue,),                 (log_skipped_response, reject)),
        T(TimerFired,          CANCELLING, (is_second_failure,),                     (cancel_response,)),
        T(TimerFired,          CANCELLING, (),                                       (cancel_response, count_failure, owe_greeting)),
        T(RealtimeLost,        WAITING,    (),                                       (lose, owe_greeting)),
        T(RealtimeError,       WAITING,    (is_request_blocked, is_second_failure),  (response_over,)),
        T(RealtimeError,       WAITING,    (is_request_blocked, is_blocker_over),    (response_over, owe_greeting)),
        T(RealtimeError,       WAITING,    (is_request_blocked,),                    (block_request, owe_greeting)),
        T(RealtimeError,       ENDED,      (is_request_unpaid,),                     (end_for_quota,)),
        T(RealtimeError,       WAITING,    (is_request_refused, is_second_failure),  (response_over,)),
        T(RealtimeError,       WAITING,    (is_request_refused,),                    (response_over, count_failure, owe_greeting)),
        *OTHER_ERRORS,
        *END,
    ),
    ignores=(
        SpeechDetected, RealtimeReady, RealtimeMissing, RealtimeExpiring, CallExpiring, ReplyDue, ReplyTranscript,
        ToolCalled, ToolAnswered, PlaybackMarked,
    ),
    deadline=request_deadline,
)
# fmt: on
