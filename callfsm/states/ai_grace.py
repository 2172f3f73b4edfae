"""AI_GRACE: the caller hears the assistant's first words; sound in these 300 ms may be their echo.

A loud frame is kept, unsent, so that a caller who goes on past the grace interrupts with the first word intact.
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
from callfsm.states.frames import drop_frame, hold_frame, is_loud
from callfsm.states.interrupting import STOPPED_BY_WORDS
from callfsm.states.link import END, READY
from callfsm.states.playing import WORDS, grace_deadline, play
from callfsm.states.responses import OTHER_ERRORS, UNASKED, UNASKED_AUDIO, is_current_response
from callfsm.states.speaking import ENDS_OF_REPLY, LOSSES
from callfsm.states.tools import ANSWERS, DIGITS, DIGITS_ASIDE, TOOL_OVERDUE, TOOLS
from callfsm.states.transcripts import ACCEPTED_ASIDE, COMMITS, FILTER, OVERDUE_ASIDE

# fmt: off
SPEC = StateSpec(
    State.AI_GRACE,
    transitions=(
        # event      to                 when                    do
        T(RmsFrame,   None,              (is_loud,),             (hold_frame,)),
        T(RmsFrame,   None,              (),                     (drop_frame,)),
        *FILTER,
        *STOPPED_BY_WORDS,
        *ACCEPTED_ASIDE,
        *COMMITS,
        *UNASKED,
        T(AudioDelta, None,              (is_current_response,), (play,)),
        *UNASKED_AUDIO,
        *WORDS,
        *ENDS_OF_REPLY,
        *TOOLS,
        *ANSWERS,
        *DIGITS,
        *DIGITS_ASIDE,
        *TOOL_OVERDUE,
        *OVERDUE_ASIDE,
        T(TimerFired, State.AI_SPEAKING),
        *READY,
        *LOSSES,
        *OTHER_ERRORS,
        *END,
    ),
    ignores=(SpeechDetected, RealtimeMissing, RealtimeExpiring, CallExpiring, ReplyDue),
    deadline=grace_deadline,
)
# fmt: on
