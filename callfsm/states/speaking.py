"""What AI_GRACE and AI_SPEAKING have in common: how a reply comes to its end, or loses its connection."""

from callfsm.events import PlaybackMarked, RealtimeLost, ResponseDone
from callfsm.states.base import State
from callfsm.states.base import Transition as T
from callfsm.states.interrupting import OWE_REST_AGAIN, is_failed_reply, owe_rest
from callfsm.states.link import lose
from callfsm.states.playing import (
    confirm_mark,
    finish_playback,
    generation_over,
    is_all_heard,
    is_final_mark,
    is_stray_mark,
    mark_end,
    note_stray_mark,
)
from callfsm.states.responses import STRAY_DONE, is_generating, is_our_response, is_reply, owe_reply
from callfsm.states.tools import forget_tools, is_awaiting_tool, is_leaving, leave, stay
from callfsm.states.transcripts import has_real_user

LISTENING, WAITING, ENDED = State.LISTENING, State.WAITING_FOR_USER, State.ENDED

# fmt: off
ENDS_OF_REPLY = (
    T(ResponseDone,   ENDED,     (is_our_response, is_all_heard, is_leaving),    (leave,)),
    T(ResponseDone,   LISTENING, (is_our_response, is_failed_reply, is_all_heard), (*OWE_REST_AGAIN, generation_over, finish_playback)),
    T(ResponseDone,   None,      (is_our_response, is_failed_reply),             (*OWE_REST_AGAIN, generation_over)),
    T(ResponseDone,   LISTENING, (is_our_response, is_all_heard, has_real_user), (generation_over, finish_playback, stay)),
    T(ResponseDone,   WAITING,   (is_our_response, is_all_heard),                (generation_over, finish_playback)),
    T(ResponseDone,   None,      (is_our_response,),                             (generation_over,)),
    *STRAY_DONE,
    T(PlaybackMarked, None,      (is_stray_mark,),                               (note_stray_mark,)),
    T(PlaybackMarked, ENDED,     (is_final_mark, is_leaving),                    (leave,)),
    T(PlaybackMarked, LISTENING, (is_final_mark, has_real_user),                 (confirm_mark, finish_playback, stay)),
    T(PlaybackMarked, WAITING,   (is_final_mark,),                               (confirm_mark, finish_playback)),
    T(PlaybackMarked, None,      (),                                             (confirm_mark,)),
)
LOSSES = (
    T(RealtimeLost,   LISTENING, (is_generating, is_reply, is_all_heard),        (forget_tools, owe_rest, lose, finish_playback)),
    T(RealtimeLost,   None,      (is_generating, is_reply),                      (forget_tools, owe_rest, lose, mark_end)),
    T(RealtimeLost,   None,      (is_awaiting_tool,),                            (forget_tools, lose, owe_reply)),
    T(RealtimeLost,   None,      (),                                             (lose, mark_end)),
)
# fmt: on
