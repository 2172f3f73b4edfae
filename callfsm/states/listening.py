"""LISTENING: the caller has the floor; a reply may have been requested and not be heard yet.

It ends with the reply's first audio while the caller is silent. A caller who goes on talking, or says more, has
the reply cancelled, and one reply to all of it is owed. A reply that fails twice ends the call.
"""

import math
from typing import TYPE_CHECKING

from callfsm.events import (
    AudioDelta,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    ReplyDue,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.speaking.playback import PlaybackPhase
from callfsm.states.announcing import ANNOUNCEMENTS, RENEWAL
from callfsm.states.base import State, StateSpec
from callfsm.states.base import Transition as T
from callfsm.states.frames import (
    END_OF_TURN,
    SILENCE,
    SPEECH,
    drop_blip,
    drop_frame,
    is_blip,
    is_loud,
    pass_speech,
)
from callfsm.states.interrupting import CONFIRM, DOUBT, PROOF, RESUME, is_paused, is_rest_owed
from callfsm.states.link import END, READY, lose
from callfsm.states.playing import (
    WORDS,
    finish_playback,
    generation_over,
    hold_back,
    is_caller_speaking,
    is_held_back,
    is_proving_speech,
    is_speech_proven,
    is_unheard_reply,
    play,
    play_held,
)
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
    fail_call,
    is_blocked,
    is_blocker_over,
    is_current_response,
    is_our_response,
    is_our_turn,
    is_quota_exhausted,
    is_request_blocked,
    is_request_refused,
    is_request_unpaid,
    is_second_failure,
    owe_reply,
    request_deadline,
    request_reply,
    request_rest,
    response_over,
)
from callfsm.states.tools import (
    ANSWERS,
    DIGITS,
    TOOL_OVERDUE,
    TOOLS,
    are_digits_due,
    forget_tools,
    has_bidden_farewell,
    has_called_tool,
    is_awaiting_tool,
    is_leaving,
    leave,
    owe_answer,
    stay,
    tell_digits,
)
from callfsm.states.transcripts import (
    COMMITS,
    FAILURES,
    FILTER,
    accept,
    accept_untranscribed,
    is_answerable,
    is_transcript_overdue,
    reject,
)

if TYPE_CHECKING:
    from callfsm.call import Call

CANCELLING, AI_GRACE, ENDED = State.CANCELLING, State.AI_GRACE, State.ENDED
DROP_REPLY = (stay, finish_playback, cancel_response)


def reply_deadline(call: "Call") -> float:
    """The first audio within reply_timeout_ms of the request; none is awaited while audio is held back."""
    return math.inf if call.playback.phase is PlaybackPhase.HELD else request_deadline(call)


# fmt: off
SPEC = StateSpec(
    State.LISTENING,
    transitions=(
        # event               to          when                                     do
        *SILENCE,
        T(RmsFrame,            CANCELLING, (is_loud, is_held_back, is_proving_speech), (pass_speech, *DROP_REPLY, owe_reply)),
        *DOUBT,
        *SPEECH,
        T(RmsFrame,            AI_GRACE,   (is_blip, is_held_back),                 (drop_frame, drop_blip, play_held)),
        *END_OF_TURN,
        *PROOF,
        *FILTER,
        T(TranscriptCompleted, None,       (is_paused,),                            (accept, *CONFIRM)),
        T(TranscriptCompleted, CANCELLING, (is_unheard_reply,),                     (accept, *DROP_REPLY)),
        T(TranscriptCompleted, None,       (),                                      (accept,)),
        *FAILURES,
        T(TranscriptFailed,    CANCELLING, (is_answerable, is_unheard_reply),       (accept_untranscribed, *DROP_REPLY)),
        T(TranscriptFailed,    None,       (is_answerable,),                        (accept_untranscribed,)),
        T(TranscriptFailed,    None,       (),                                      (reject,)),
        *COMMITS,
        *RESUME,
        T(ReplyDue,            None,       (is_rest_owed,),                         (stay, request_rest)),
        T(ReplyDue,            None,       (),                                      (stay, request_reply)),
        T(ResponseCreated,     None,       (is_our_turn,),                          (adopt_response,)),
        *UNASKED,
        T(AudioDelta,          CANCELLING, (is_current_response, is_caller_speaking, is_speech_proven), (*DROP_REPLY, owe_reply)),
        T(AudioDelta,          None,       (is_current_response, is_caller_speaking), (hold_back,)),
        T(AudioDelta,          AI_GRACE,   (is_current_response,),                  (play,)),
        *UNASKED_AUDIO,
        *WORDS,
        T(ResponseDone,        None,       (is_our_response, is_held_back),         (generation_over,)),
        T(ResponseDone,        ENDED,      (is_our_response, is_leaving),           (leave,)),
        T(ResponseDone,        None,       (is_our_response, has_bidden_farewell),  (stay, response_over, owe_reply)),
        T(ResponseDone,        None,       (is_our_response, has_called_tool),      (response_over,)),
        T(ResponseDone,        ENDED,      (is_our_response, is_quota_exhausted),   (end_for_quota,)),
        T(ResponseDone,        ENDED,      (is_our_response, is_second_failure),    (fail_call,)),
        T(ResponseDone,        None,       (is_our_response,),                      (response_over, delete_unheard_items, count_failure, owe_reply)),
        T(ResponseDone,        None,       (is_blocked,),                           (response_over,)),
        *STRAY_DONE,
        *TOOLS,
        *ANSWERS,
        *DIGITS,
        T(TimerFired,          CANCELLING, (are_digits_due, is_unheard_reply),      (tell_digits, owe_answer, *DROP_REPLY)),
        T(TimerFired,          None,       (are_digits_due,),                       (tell_digits, owe_answer)),
        *TOOL_OVERDUE,
        T(TimerFired,          CANCELLING, (is_transcript_overdue, is_answerable, is_unheard_reply), (accept_untranscribed, *DROP_REPLY)),
        T(TimerFired,          None,       (is_transcript_overdue, is_answerable),  (accept_untranscribed,)),
        T(TimerFired,          None,       (is_transcript_overdue,),                (reject,)),
        T(TimerFired,          ENDED,      (is_second_failure,),                    (fail_call,)),
        T(TimerFired,          None,       (is_blocked,),                           (response_over, count_failure)),
        T(TimerFired,          CANCELLING, (),                                      (cancel_response, count_failure, owe_reply)),
        *READY,
        T(RealtimeLost,        None,       (is_unheard_reply,),                     (forget_tools, finish_playback, lose, owe_reply)),
        T(RealtimeLost,        None,       (is_awaiting_tool,),                     (forget_tools, lose, owe_reply)),
        T(RealtimeLost,        None,       (),                                      (lose,)),
        *ANNOUNCEMENTS,
        *RENEWAL,
        T(RealtimeError,       None,       (is_request_blocked, is_blocker_over),   (response_over, owe_reply)),
        T(RealtimeError,       None,       (is_request_blocked,),                   (block_request, owe_reply)),
        T(RealtimeError,       ENDED,      (is_request_unpaid,),                    (end_for_quota,)),
        T(RealtimeError,       ENDED,      (is_request_refused, is_second_failure), (fail_call,)),
        T(RealtimeError,       None,       (is_request_refused,),                   (response_over, count_failure, owe_reply)),
        *OTHER_ERRORS,
        *END,
    ),
    ignores=(PlaybackMarked,),
    deadline=reply_deadline,
)
# fmt: on
