"""ENDED: the call is over, and whatever comes is ignored."""

import pytest

from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    CallEnded,
    DtmfReceived,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ReplyDue,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.states.base import State
from tests.calls import audio, loud, speaking
from tests.table import Case, case, check

HERE = State.ENDED
OVER = speaking().then(CallEnded(4.0, "hung_up"))
AT = 99.0

EVENTS: list[Event] = [
    loud(AT),
    SpeechDetected(AT),
    TranscriptCompleted(AT, "u1", "שלום לך"),
    TranscriptFailed(AT, "u1"),
    AudioCommitted(AT, "u1"),
    ReplyDue(AT),
    ResponseCreated(AT, "r2", 2),
    AudioDelta(AT, "r1", "a1", audio(100)),
    ReplyTranscript(AT, "r1", "Hello"),
    ResponseDone(AT, "r1", 1, "completed"),
    PlaybackMarked(AT, "m2"),
    TimerFired(AT),
    RealtimeReady(AT),
    RealtimeLost(AT),
    RealtimeError(AT, "server_error", None),
    DtmfReceived(AT, "1"),
    ToolCalled(AT, "r1", "c1", "hang_up", "{}"),
    ToolAnswered(AT, "c1", "{}"),
    CallEnded(AT, "again"),
]
CASES = [case(type(event).__name__, HERE, OVER, event, HERE) for event in EVENTS]


@pytest.mark.parametrize("case", CASES)
def test_ended(case: Case) -> None:
    check(case)
