"""The responses of a call: what is remembered of those that are over, and what is owed how often."""

import pytest

from callfsm.speaking.response import Owed, OwedInput, Response, ResponseInput, ResponsePhase


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
    ("inputs", "owed"),
    [
        pytest.param([OwedInput.INTERRUPTED], Owed.REST, id="stopped"),
        pytest.param([OwedInput.INTERRUPTED, OwedInput.RESUMED], Owed.NOTHING, id="by nobody, and all of it is here"),
        pytest.param([OwedInput.INTERRUPTED, OwedInput.ACCEPTED], Owed.REPLY, id="by somebody"),
        pytest.param([OwedInput.INTERRUPTED, OwedInput.REQUESTED], Owed.NOTHING, id="the rest is requested"),
        pytest.param([OwedInput.INTERRUPTED] * 2, Owed.REST, id="stopped again"),
        pytest.param(
            [OwedInput.INTERRUPTED, OwedInput.ACCEPTED, OwedInput.RESUMED],
            Owed.REPLY,
            id="by somebody, and it goes on",
        ),
        pytest.param([OwedInput.ACCEPTED, OwedInput.INTERRUPTED], Owed.REPLY, id="more was said before"),
        pytest.param([OwedInput.RESUMED], Owed.NOTHING, id="a greeting goes on"),
    ],
)
def test_what_is_owed_after_an_interruption(inputs: list[OwedInput], owed: Owed) -> None:
    response = Response()
    for by in inputs:
        response.owe(by)

    assert owed is response.owed


def interrupted(response: Response, times: int, *, most: int = 2) -> list[Owed]:
    """The reply is stopped so often by somebody of whom no word is accepted, and goes on where it may."""
    owed = []
    for _ in range(times):
        response.owe(OwedInput.INTERRUPTED)
        response.confirm_interruption(most)
        owed.append(response.owed)
    return owed


@pytest.mark.parametrize(
    ("most", "owed"),
    [
        pytest.param(0, [Owed.NOTHING] * 4, id="never"),
        pytest.param(1, [Owed.REST, *[Owed.NOTHING] * 3], id="once"),
        pytest.param(2, [Owed.REST, Owed.REST, *[Owed.NOTHING] * 2], id="twice"),
    ],
)
def test_the_rest_of_a_reply_stays_owed_so_often(most: int, owed: list[Owed]) -> None:
    assert owed == interrupted(Response(), 4, most=most)


def test_an_accepted_utterance_begins_the_count_anew() -> None:
    response = Response()
    interrupted(response, 3)
    response.owe(OwedInput.ACCEPTED)
    response.owe(OwedInput.REQUESTED)

    assert [Owed.REST, Owed.REST, Owed.NOTHING] == interrupted(response, 3)


def test_a_confirmed_interruption_forgoes_no_reply_that_is_owed() -> None:
    response = Response(owed=Owed.REPLY)
    response.confirm_interruption(2)

    assert (Owed.REPLY, 0) == (response.owed, response.continued)


def test_a_confirmed_interruption_of_nothing_owes_nothing() -> None:
    response = Response()
    response.confirm_interruption(2)

    assert (Owed.NOTHING, 0) == (response.owed, response.continued)
