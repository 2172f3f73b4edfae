"""AI_SPEAKING: the caller hears the assistant; a loud frame stops it in that very step (barge-in).

It lasts until the caller has heard the last word, which is long after the last word was generated.
"""

from callfsm.events import AudioDelta, ReplyDue, RmsFrame, TimerFired
from callfsm.states.base import State, StateSpec
from callfsm.states.base import Transition as T
from callfsm.states.frames import drop_frame, is_loud, pass_speech
from callfsm.states.link import END, READY
from callfsm.states.playing import (
    WORDS,
    is_restorable_reply,
    log_barge_in,
    owe_if_nobody,
    play,
    playback_deadline,
    stop_playback,
    truncate_heard,
)
from callfsm.states.responses import (
    OTHER_ERRORS,
    UNASKED,
    UNASKED_AUDIO,
    cancel_response,
    is_current_response,
    is_generating,
)
from callfsm.states.speaking import ENDS_OF_REPLY, LOSSES
from callfsm.states.tools import ANSWERS, DIGITS, DIGITS_ASIDE, TOOL_OVERDUE, TOOLS, is_leaving, leave, stay
from callfsm.states.transcripts import ACCEPTED_ASIDE, COMMITS, OVERDUE_ASIDE, has_real_user

CANCELLING, LISTENING, WAITING = State.CANCELLING, State.LISTENING, State.WAITING_FOR_USER
ENDED = State.ENDED
BARGE_IN = (log_barge_in, stop_playback, cancel_response, truncate_heard, stay, pass_speech)

# fmt: off
SPEC = StateSpec(
    State.AI_SPEAKING,
    transitions=(
        # event      to          when                            do
        T(RmsFrame,   CANCELLING, (is_loud, is_restorable_reply), (*BARGE_IN, owe_if_nobody)),
        T(RmsFrame,   CANCELLING, (is_loud,),                     BARGE_IN),
        T(RmsFrame,   None,       (),                             (drop_frame,)),
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
        T(TimerFired, CANCELLING, (is_generating,),               (stop_playback, cancel_response, stay)),
        T(TimerFired, ENDED,      (is_leaving,),                  (leave, stop_playback)),
        T(TimerFired, LISTENING,  (has_real_user,),               (stop_playback, stay)),
        T(TimerFired, WAITING,    (),                             (stop_playback,)),
        *READY,
        *LOSSES,
        *OTHER_ERRORS,
        *END,
    ),
    ignores=(ReplyDue,),
    deadline=playback_deadline,
)
# fmt: on
