"""Deadlines that pass at one and the same time: keys, functions, transcripts, then the state's own, in every state."""

from collections.abc import Sequence

import pytest

from callfsm.effects import AnswerTool, CancelResponse, CreateItem, CreateResponse, DeleteItem, Effect, EndCall
from callfsm.events import AudioCommitted, AudioDelta, DtmfReceived, ResponseDone, TimerFired, ToolCalled
from callfsm.machine import dispatch
from callfsm.states.base import State
from callfsm.states.tools import KEYS_PRESSED, TOOL_FAILED
from tests.calls import Story, audio, greeting_begun, reply_begun, said_hello, utterance
from tests.states.shared import SKIPPED

KEYS = CreateItem("user", KEYS_PRESSED.format(digits="1"))
FAILED = AnswerTool("c1", TOOL_FAILED)
DELETED = DeleteItem("v1")


SECOND_GREETING = greeting_begun().then(TimerFired(9.0), ResponseDone(9.25, "g1", 1, "cancelled"))
"""Requested again at 9.25; its audio is awaited until 17.25."""
SECOND_REPLY = reply_begun().then(ResponseDone(2.75, "r1", 1, "failed"))
"""Requested again at 2.75; its audio is awaited until 10.75."""


def sound(at: float) -> Story:
    """The reply of turn 1 has begun; a sound too short to be answered without words is awaited for 3 s from here."""
    return reply_begun().with_tools().then(utterance(at, "v", 5), AudioCommitted(at, "v1"))


def looks_up(at: float) -> ToolCalled:
    """A function that is given up 5 s later."""
    return ToolCalled(at, "r1", "c1", "lookup", "{}")


def presses(at: float) -> DtmfReceived:
    """A key that is told 2 s later."""
    return DtmfReceived(at, "1")


def speaks(at: float) -> AudioDelta:
    return AudioDelta(at, "r1", "a1", audio(4000))


# fmt: off
TIES: list[tuple[State, Story, float, Sequence[Effect]]] = [
    (State.WAITING_FOR_USER, said_hello().then(presses(3.0)), 5.0, [KEYS, SKIPPED, DeleteItem("u1")]),
    (State.GREETING,
        greeting_begun().then(utterance(2.0, "v"), AudioCommitted(2.0, "v1"), presses(3.0)), 5.0, [KEYS, SKIPPED, DELETED]),
    (State.GREETING, SECOND_GREETING.then(utterance(14.25, "v"), AudioCommitted(14.25, "v1")), 17.25,
        [SKIPPED, DELETED, CancelResponse("cancel5", None)]),
    (State.LISTENING, sound(7.5), 10.5, [DELETED, CancelResponse("cancel4", "r1")]),
    (State.LISTENING, SECOND_REPLY.then(utterance(7.75, "v", 5), AudioCommitted(7.75, "v1")), 10.75,
        [DELETED, EndCall("reply_failed")]),
    (State.CANCELLING, sound(9.0).then(TimerFired(10.5)), 12.0, [DELETED, CreateResponse("create5", 2)]),
    (State.LISTENING, sound(4.5).then(presses(5.5)), 7.5, [KEYS, CancelResponse("cancel4", "r1"), DELETED]),
    (State.LISTENING, sound(4.75).then(looks_up(2.75)), 7.75, [FAILED, DELETED]),
    (State.LISTENING, reply_begun().with_tools().then(looks_up(2.75), utterance(4.75, "v"), AudioCommitted(4.75, "v1")), 7.75,
        [FAILED, CancelResponse("cancel4", "r1")]),
    (State.AI_GRACE, sound(5.0).then(looks_up(3.0), presses(6.0), speaks(7.75)), 8.0, [KEYS, FAILED, DELETED]),
    (State.AI_SPEAKING, sound(5.0).then(looks_up(3.0), presses(6.0), speaks(7.0), TimerFired(7.3)), 8.0, [KEYS, FAILED, DELETED]),
    (State.CANCELLING, sound(8.0).then(looks_up(6.0), presses(9.0), TimerFired(10.5)), 11.0, [KEYS, FAILED, DELETED]),
]
# fmt: on


@pytest.mark.parametrize(("state", "given", "at", "effects"), TIES, ids=lambda value: getattr(value, "name", ""))
def test_what_is_due_at_one_time_passes_in_this_order(
    state: State, given: Story, at: float, effects: Sequence[Effect]
) -> None:
    call = given.call()

    assert state is call.state
    assert at == call.deadline
    assert list(effects) == dispatch(call, TimerFired(at))
