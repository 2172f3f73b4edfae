"""WAITING_FOR_USER: the caller hears nothing, because nobody has said anything real yet.

It ends with the first real utterance, or when an owed greeting can be requested.
"""

from callfsm.events import (
    CallExpiring,
    PlaybackMarked,
    RealtimeLost,
    RealtimeMissing,
    ReplyDue,
    ResponseDone,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.states.announcing import RENEWAL
from callfsm.states.base import State, StateSpec
from callfsm.states.base import Transition as T
from callfsm.states.frames import END_OF_TURN, SILENCE, SPEECH
from callfsm.states.interrupting import CONFIRM, DOUBT, PROOF, RESUME_WHOLE, is_paused
from callfsm.states.link import END, READY, lose
from callfsm.states.playing import WORDS, has_greeting_clip, play_clip
from callfsm.states.responses import (
    OTHER_ERRORS,
    STRAY_DONE,
    UNASKED,
    UNASKED_AUDIO,
    count_failure,
    is_blocked,
    request_deadline,
    request_greeting,
    response_over,
)
from callfsm.states.tools import DIGITS, DIGITS_BEFORE_SPEECH
from callfsm.states.transcripts import (
    COMMITS,
    FAILURES,
    FILTER,
    accept,
    is_first_real_utterance,
    is_transcript_overdue,
    log_skipped_response,
    note_first_real_utterance,
    reject,
)

# fmt: off
SPEC = StateSpec(
    State.WAITING_FOR_USER,
    transitions=(
        # event               to               when                        do
        *SILENCE,
        *DOUBT,
        *SPEECH,
        *END_OF_TURN,
        *PROOF,
        *FILTER,
        T(TranscriptCompleted, State.LISTENING, (is_first_real_utterance, is_paused), (note_first_real_utterance, accept, *CONFIRM)),
        T(TranscriptCompleted, State.LISTENING, (is_first_real_utterance,), (note_first_real_utterance, accept)),
        T(TranscriptCompleted, None,            (),                         (log_skipped_response, reject)),
        *FAILURES,
        T(TranscriptFailed,    None,            (),                         (log_skipped_response, reject)),
        *COMMITS,
        *RESUME_WHOLE,
        T(ReplyDue,            State.AI_GRACE,  (has_greeting_clip,),       (play_clip,)),
        T(ReplyDue,            State.GREETING,  (),                         (request_greeting,)),
        *UNASKED,
        *UNASKED_AUDIO,
        T(ResponseDone,        None,            (is_blocked,),              (response_over,)),
        *WORDS,
        *STRAY_DONE,
        *DIGITS,
        *DIGITS_BEFORE_SPEECH,
        T(TimerFired,          None,            (is_transcript_overdue,),   (log_skipped_response, reject)),
        T(TimerFired,          None,            (),                         (response_over, count_failure)),
        *READY,
        T(RealtimeLost,        None,            (),                         (lose,)),
        *RENEWAL,
        *OTHER_ERRORS,
        *END,
    ),
    ignores=(RealtimeMissing, CallExpiring, ToolCalled, ToolAnswered, PlaybackMarked),
    deadline=request_deadline,
)
# fmt: on
