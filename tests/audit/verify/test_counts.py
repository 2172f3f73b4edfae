"""How many configurations there are: a bucket that has become coarser or finer changes the number.

A changed table changes it as well: then look whether the change is the one that was meant, and write the new number.
"""

import gc
from collections.abc import Iterator

import pytest
from attrs import evolve

from callfsm.audit.verify.scopes import ECHOES, TALK, TOOLS
from callfsm.machine import ENGINE
from tests.audit.verify.changed import TOOL_CALL, explorer

pytestmark = pytest.mark.no_cover
"""What is explored here is covered elsewhere, and tracing it takes a minute."""

ONE_UTTERANCE = 4125
FUNCTIONS = 2922
NOISE = 4617


@pytest.fixture(autouse=True)
def no_garbage() -> Iterator[None]:
    """Nothing of an exploration is garbage; looking for it takes a quarter of the time."""
    gc.disable()
    yield
    gc.enable()


def test_talk_with_one_utterance_on_its_way_has_so_many_configurations() -> None:
    whole = evolve(TALK, most=1).explorer(ENGINE)
    whole.run()

    assert ONE_UTTERANCE == len(whole.order)


def test_talk_with_functions_has_so_many_configurations() -> None:
    keys = "a key is pressed", "a function that there is not is called"
    short = explorer(ENGINE, (*TOOL_CALL, *keys), TOOLS)
    short.run()

    assert FUNCTIONS == len(short.order)


def test_talk_in_noise_and_echo_has_so_many_configurations() -> None:
    whole = ECHOES.explorer(ENGINE)
    whole.run()

    assert NOISE == len(whole.order)
