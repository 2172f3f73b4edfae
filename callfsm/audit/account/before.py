"""What is needed of a call as it was before an event; the call itself goes on changing."""

import copy

from attrs import define

from callfsm.audit.recording import Step
from callfsm.call import Call
from callfsm.events import Event, TimerFired
from callfsm.speaking.playback import Playback
from callfsm.speaking.response import ResponsePhase


@define(eq=False)
class Before:
    """A call before an event."""

    playback: Playback
    """Its marks are its own; its audio is the call's, and may not be touched."""
    phase: ResponsePhase
    deadline: float
    digits: str

    @classmethod
    def of(cls, call: Call) -> "Before":
        """Return it of a call as it is now."""
        playback = copy.copy(call.playback)
        playback.marks = call.playback.marks.copy()
        return cls(playback, call.response.phase, call.deadline, call.digits)

    def time_of(self, step: Step, event: Event) -> float:
        """Return when an event's timer came, where one was fed ahead of it; else the event's own time."""
        has_timer = any(by is TimerFired for _, by, _ in step.moves)
        return min(self.deadline, event.at) if has_timer else event.at
