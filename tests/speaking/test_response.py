"""The responses of a call: what is remembered of those that are over, and what is owed how often."""

import pytest

from callfsm.speaking.response import MAX_RESTORED, Owed, OwedInput, Response, ResponseInput, ResponsePhase


def test_a_response_that_never_showed_itself_leaves_no_id() -> None:
    response = Response()
    response.settle()

    assert [] == list(response.settled_ids)


def test_a_response_that_is_over_is_remembered() -> None:
    response = Response(response_id="r1")
    response.settle()

    assert ["r1"] == list(response.settled_ids)


def test_the_memory_is_bounded() -> None:
    response = Response()
    for number in range(1000):
        response.response_id = f"r{number}"
        response.settle()

    assert len(response.settled_ids) < 100
    assert "r999" == response.settled_ids[-1]


def test_the_life_of_a_response() -> None:
    response = Response()
    phases = []
    for by in (ResponseInput.REQUESTED, ResponseInput.CREATED, ResponseInput.CANCELLED, ResponseInput.OVER):
        response.move(by)
        phases.append(response.phase)

    assert [ResponsePhase.REQUESTED, ResponsePhase.ACTIVE, ResponsePhase.CANCELLING, ResponsePhase.NONE] == phases


@pytest.mark.parametrize(
    ("inputs", "owed", "restored"),
    [
        pytest.param([OwedInput.INTERRUPTED], Owed.REPLY_IF_NOBODY, 0, id="cut off"),
        pytest.param([OwedInput.INTERRUPTED, OwedInput.NOBODY], Owed.REPLY, 1, id="by nobody"),
        pytest.param([OwedInput.INTERRUPTED, OwedInput.ACCEPTED], Owed.REPLY, 0, id="by somebody"),
        pytest.param([OwedInput.NOBODY], Owed.NOTHING, 0, id="a blip where nothing was cut off"),
        pytest.param(
            [OwedInput.INTERRUPTED, OwedInput.NOBODY, OwedInput.REQUESTED] * 2, Owed.NOTHING, 2, id="twice by nobody"
        ),
        pytest.param(
            [OwedInput.INTERRUPTED, OwedInput.NOBODY, OwedInput.ACCEPTED],
            Owed.REPLY,
            0,
            id="by nobody, then a question",
        ),
    ],
)
def test_what_is_owed_after_an_interruption(inputs: list[OwedInput], owed: Owed, restored: int) -> None:
    response = Response()
    for by in inputs:
        response.owe(by)

    assert (owed, restored) == (response.owed, response.restored)


def test_a_reply_is_restored_at_most_twice() -> None:
    assert 2 == MAX_RESTORED
