"""What is said or done between two turns that nobody asked for: a moment, please; the call ends soon; a new session.

The shell tells again and again that there is reason to. Whether this is the moment for it is decided here.
"""

from typing import TYPE_CHECKING

from callfsm.effects import RenewSession
from callfsm.events import CallExpiring, Event, RealtimeExpiring, RealtimeMissing
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from callfsm.states.base import Transition as T
from callfsm.states.playing import play_recording

if TYPE_CHECKING:
    from callfsm.call import Call

# Guards


def _is_quiet(call: "Call") -> bool:
    is_nothing_said = call.turn.phase is not TurnPhase.SPEAKING and call.playback.phase is PlaybackPhase.IDLE
    return is_nothing_said and call.response.phase is ResponsePhase.NONE


def is_kept_waiting(call: "Call", _event: Event) -> bool:
    """There is no session, nobody says anything, and the caller is owed an answer."""
    is_waiting = call.response.owed is not Owed.NOTHING or call.turn.phase is TurnPhase.UNSETTLED
    return is_waiting and not call.is_ready and _is_quiet(call)


def is_between_turns(call: "Call", _event: Event) -> bool:
    """Nobody says anything, nothing is awaited, and nothing is owed."""
    is_awaited = call.turn.phase is not TurnPhase.SILENT or bool(call.tools) or bool(call.digits)
    return not is_awaited and call.response.owed is Owed.NOTHING and _is_quiet(call)


def has_moment_clip(call: "Call", _event: Event) -> bool:
    """There is a recording that asks for a moment's patience."""
    return bool(call.clips.moment.piece.audio)


def has_warning_clip(call: "Call", _event: Event) -> bool:
    """There is a recording that says that the call ends soon."""
    return bool(call.clips.warning.piece.audio)


# Actions


def ask_for_a_moment(call: "Call", event: Event) -> None:
    """Ask for a moment's patience; what is owed stays owed."""
    play_recording(call, event, Owed.NOTHING, call.clips.moment)


def warn_of_the_end(call: "Call", event: Event) -> None:
    """Say that the call ends soon."""
    play_recording(call, event, Owed.NOTHING, call.clips.warning)


def renew_session(call: "Call", _event: Event) -> None:
    """Have the session left for the one that is ready, while nobody waits for it."""
    call.effects.append(RenewSession())


# Rows
# fmt: off
ANNOUNCEMENTS = (
    T(RealtimeMissing,  State.AI_GRACE, (is_kept_waiting, has_moment_clip),   (ask_for_a_moment,)),
    T(RealtimeMissing,  None),
    T(CallExpiring,     State.AI_GRACE, (is_between_turns, has_warning_clip), (warn_of_the_end,)),
    T(CallExpiring,     None),
)
RENEWAL = (
    T(RealtimeExpiring, None,           (is_between_turns,),                  (renew_session,)),
    T(RealtimeExpiring, None),
)
# fmt: on
