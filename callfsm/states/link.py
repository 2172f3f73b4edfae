"""The Realtime connection and the end of the call."""

import math
from typing import TYPE_CHECKING

from callfsm.effects import CreateItem, EndCall
from callfsm.events import CallEnded, Event, RealtimeLost, RealtimeReady
from callfsm.speaking.playback import PlaybackPhase
from callfsm.states.base import State
from callfsm.states.base import Transition as T
from callfsm.states.frames import resend, send_commit
from callfsm.states.responses import response_over

if TYPE_CHECKING:
    from callfsm.call import Call


def resume(call: "Call", event: RealtimeReady) -> None:
    """Tell the session the turns so far, then all audio that no session has accepted, in order."""
    call.is_ready = True
    call.effects += [CreateItem(role, text) for role, text in call.history]
    for utterance in call.turn.unsettled:
        resend(call, utterance)
        send_commit(call, utterance, event.at)
    if call.turn.open is not None:
        resend(call, call.turn.open)


def lose(call: "Call", event: RealtimeLost) -> None:
    """Nothing may be sent until a new session is ready; what the old one had not settled waits for it."""
    call.is_ready = False
    call.is_reply_unknown = call.playback.phase is not PlaybackPhase.IDLE
    response_over(call, event)
    call.turn.unacknowledged.clear()
    for utterance in call.turn.unsettled:
        utterance.item_id = utterance.commit_event_id = None
        utterance.deadline = math.inf


def note_end(call: "Call", event: CallEnded) -> None:
    """Note why the call is over."""
    call.end_reason = event.reason


def end_call(call: "Call", _event: Event) -> None:
    """Have both legs closed."""
    call.effects.append(EndCall(call.end_reason))


# fmt: off
READY = (
    T(RealtimeReady, None,        (), (resume,)),
)
END = (
    T(CallEnded,     State.ENDED, (), (note_end,)),
)
# fmt: on
