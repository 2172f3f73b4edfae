"""Copies of calls: alike, and sharing nothing."""

import pytest

from callfsm.audit.verify.copying import copy_of
from callfsm.events import CallEnded, Event, ResponseDone, RmsFrame
from callfsm.machine import dispatch
from tests.calls import (
    Story,
    calibrating,
    cancelling,
    confirmed,
    given_up,
    grace,
    listening,
    loud,
    louds,
    quiets,
    said_hello,
    speaking,
    tail,
    utterance,
)
from tests.table import snapshot


def doubted() -> Story:
    """CANCELLING: a sound without a voice stopped the assistant, and is over; what was not heard is kept."""
    return speaking().then(louds(3.75, 31, "b", voicing=0.0))


STORIES = {
    "calibrating": calibrating(),
    "an utterance that awaits its name": said_hello(),
    "audible": grace(),
    "its tail": tail(),
    "interrupted": cancelling(),
    "interrupted for good": confirmed(),
    "doubted": doubted(),
    "gone on": doubted().then(ResponseDone(4.5, "r1", 1, "cancelled", ("a1",))),
    "given up": given_up(),
    "two utterances": listening().then(utterance(4.0, "v"), utterance(5.0, "w")),
}
NEXT: list[Event] = [RmsFrame(30.0, 2000.0, "f"), *quiets(30.5, 40), loud(31.0), CallEnded(32.0, "hangup")]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_copy_is_alike_and_goes_on_alike(story: Story) -> None:
    call = story.call()
    copied = copy_of(call)

    assert snapshot(call) == snapshot(copied)
    assert [dispatch(call, event) for event in NEXT] == [dispatch(copied, event) for event in NEXT]
    assert snapshot(call) == snapshot(copied)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_happens_to_a_copy_does_not_happen_to_the_call(story: Story) -> None:
    call = story.call()
    before = snapshot(call)
    copied = copy_of(call)
    for event in NEXT:
        dispatch(copied, event)

    assert before == snapshot(call)


def test_a_line_that_moves_is_not_shared() -> None:
    call = tail().call()
    copied = copy_of(call)
    levels = call.gate.line.floor._sorted.copy()
    for event in quiets(4.0, 40, rms=300.0):
        dispatch(copied, event)

    assert levels == call.gate.line.floor._sorted
    assert levels != copied.gate.line.floor._sorted


def test_an_utterance_in_two_lists_is_one_in_the_copy() -> None:
    call = listening().then(utterance(4.0, "v")).call()
    copied = copy_of(call)

    assert copied.turn.unsettled[0] is copied.turn.unacknowledged[0]
    assert copied.turn.unsettled[0] is not call.turn.unsettled[0]
