"""AI_SPEAKING: the caller hears the assistant; a loud frame stops it in that very step (barge-in).

What it had still to say is kept until it is known whether somebody spoke.

It lasts until the caller has heard the last word, which is long after the last word was generated.
"""

from callfsm.events import (
    AudioDelta,
    CallExpiring,
    RealtimeExpiring,
    RealtimeMissing,
    ReplyDue,
    RmsFrame,
    SpeechDetected,
    TimerFired,
)
from callfsm.states.base import State, StateSpec
from callfsm.states.base import Transition as T
from callfsm.states.frames import drop_frame
from callfsm.states.interrupting import BARGE_IN, OWE_REST_AGAIN, STOPPED_BY_WORDS
from callfsm.states.link import END, READY
from callfsm.states.playing import WORDS, play, playback_deadline, stop_playback
from callfsm.states.responses import (
    OTHER_ERRORS,
    UNASKED,
    UNASKED_AUDIO,
    cancel_response,
    is_current_response,
    is_generating,
    is_reply,
)
from callfsm.states.speaking import ENDS_OF_REPLY, LOSSES
from callfsm.states.tools import ANSWERS, DIGITS, DIGITS_ASIDE, TOOL_OVERDUE, TOOLS, is_leaving, leave, stay
from callfsm.states.transcripts import ACCEPTED_ASIDE, COMMITS, FILTER, OVERDUE_ASIDE, has_real_user

CANCELLING, LISTENING, WAITING = State.CANCELLING, State.LISTENING, State.WAITING_FOR_USER
ENDED = State.ENDED

# fmt: off
SPEC = StateSpec(
    State.AI_SPEAKING,
    transitions=(
        # event      to          when                            do
        *BARGE_IN,
        T(RmsFrame,   None,       (),                             (drop_frame,)),
        *FILTER,
        *STOPPED_BY_WORDS,
        *ACCEPTED_ASIDE,
        *COMMITS,
        *UNASKED,
        T(AudioDelta, None,       (is_current_response,),         (play,)),
        *UNASKED_AUDIO,
        *WORDS,
        *ENDS_OF_REPLY,
        *TOOLS,
        *ANSWERS,
        *DIGITS,
        *DIGITS_ASIDE,
        *TOOL_OVERDUE,
        *OVERDUE_ASIDE,
        T(TimerFired, ENDED,      (is_generating, is_leaving),    (leave, stop_playback)),
        T(TimerFired, CANCELLING, (is_generating, is_reply),      (*OWE_REST_AGAIN, stop_playback, cancel_response, stay)),
        T(TimerFired, CANCELLING, (is_generating,),               (stop_playback, cancel_response)),
        T(TimerFired, ENDED,      (is_leaving,),                  (leave, stop_playback)),
        T(TimerFired, LISTENING,  (has_real_user,),               (stop_playback, stay)),
        T(TimerFired, WAITING,    (),                             (stop_playback,)),
        *READY,
        *LOSSES,
        *OTHER_ERRORS,
        *END,
    ),
    ignores=(SpeechDetected, RealtimeMissing, RealtimeExpiring, CallExpiring, ReplyDue),
    deadline=playback_deadline,
)
# fmt: on
