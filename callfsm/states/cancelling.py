"""CANCELLING: the caller hears nothing; a response was cancelled, and no other may begin before its end.

The caller is heard all the while. It ends with the response's end, with the answer that there was nothing left to
cancel, or after cancel_timeout_ms; at once where no session is there to answer.
"""

from callfsm.events import (
    CallExpiring,
    PlaybackMarked,
    RealtimeError,
    RealtimeExpiring,
    RealtimeLost,
    RealtimeMissing,
    RealtimeReady,
    ReplyDue,
    ResponseCreated,
    ResponseDone,
    TimerFired,
    ToolCalled,
)
from callfsm.states.base import State, StateSpec
from callfsm.states.base import Transition as T
from callfsm.states.frames import END_OF_TURN, SILENCE, SPEECH
from callfsm.states.interrupting import DOUBT, LATE_AUDIO, PROOF, PROVEN_BY_WORDS, is_paused
from callfsm.states.link import END, lose
from callfsm.states.playing import WORDS
from callfsm.states.responses import (
    OTHER_ERRORS,
    STRAY_DONE,
    UNASKED,
    UNASKED_AUDIO,
    cancel_begun_response,
    cancel_deadline,
    delete_unheard_items,
    is_cancel_answered,
    is_cancelled_turn,
    is_our_response,
    note_left_items,
    owe_reply,
    response_over,
)
from callfsm.states.tools import ANSWERS, DIGITS, DIGITS_ASIDE, TOOL_OVERDUE, forget_tools, is_awaiting_tool
from callfsm.states.transcripts import ACCEPTED_ASIDE, COMMITS, FILTER, OVERDUE_ASIDE, has_real_user

LISTENING, WAITING = State.LISTENING, State.WAITING_FOR_USER
OVER = (response_over, delete_unheard_items)

# fmt: off
SPEC = StateSpec(
    State.CANCELLING,
    transitions=(
        # event           to         when                                 do
        *SILENCE,
        *DOUBT,
        *SPEECH,
        *END_OF_TURN,
        *PROOF,
        *FILTER,
        *PROVEN_BY_WORDS,
        *ACCEPTED_ASIDE,
        *COMMITS,
        T(ResponseCreated, None,      (is_cancelled_turn,),                (cancel_begun_response,)),
        *UNASKED,
        *LATE_AUDIO,
        *UNASKED_AUDIO,
        *WORDS,
        T(ResponseDone,    LISTENING, (is_our_response, is_paused, has_real_user), (response_over, note_left_items)),
        T(ResponseDone,    WAITING,   (is_our_response, is_paused),        (response_over, note_left_items)),
        T(ResponseDone,    LISTENING, (is_our_response, has_real_user),    OVER),
        T(ResponseDone,    WAITING,   (is_our_response,),                  OVER),
        *STRAY_DONE,
        *ANSWERS,
        *DIGITS,
        *DIGITS_ASIDE,
        *TOOL_OVERDUE,
        *OVERDUE_ASIDE,
        T(TimerFired,      LISTENING, (has_real_user,),                    OVER),
        T(TimerFired,      WAITING,   (),                                  OVER),
        T(RealtimeLost,    LISTENING, (is_awaiting_tool,),                 (forget_tools, lose, owe_reply)),
        T(RealtimeLost,    LISTENING, (has_real_user,),                    (lose,)),
        T(RealtimeLost,    WAITING,   (),                                  (lose,)),
        T(RealtimeError,   LISTENING, (is_cancel_answered, has_real_user), OVER),
        T(RealtimeError,   WAITING,   (is_cancel_answered,),               OVER),
        *OTHER_ERRORS,
        *END,
    ),
    ignores=(
        RealtimeReady, RealtimeMissing, RealtimeExpiring, CallExpiring, ReplyDue, ToolCalled, PlaybackMarked,
    ),
    deadline=cancel_deadline,
)
# fmt: on
