"""The buckets: every field of a call is in one, or left out for a reason, and calls that are told apart differ."""

from collections import Counter

import attrs
import pytest

from callfsm.audit.verify.abstraction import BUCKETS, LEFT_OUT
from callfsm.audit.verify.agreement import disagreements, unlike_effects
from callfsm.audit.verify.explore import Explorer
from callfsm.audit.verify.scopes import TALK
from callfsm.call import Call
from callfsm.hearing.gate import Gate
from callfsm.hearing.turn import Turn
from callfsm.machine import ENGINE
from callfsm.speaking.playback import Playback
from callfsm.speaking.response import Response
from tests.audit.verify.changed import A_CALL, explorer

pytestmark = pytest.mark.no_cover
"""What is explored here is covered elsewhere, and tracing it takes a minute."""

PARTS: dict[str, type] = {"gate": Gate, "turn": Turn, "response": Response, "playback": Playback}


def fields() -> set[str]:
    whole = {field.name for field in attrs.fields(Call)} - PARTS.keys()
    return whole | {f"{part}.{field.name}" for part, kind in PARTS.items() for field in attrs.fields(kind)}


def test_every_field_of_a_call_is_in_a_bucket_or_left_out_for_a_reason() -> None:
    named = Counter([*(field for bucket in BUCKETS for field in bucket.fields), *LEFT_OUT])

    assert fields() == named.keys()
    assert [] == [field for field, count in named.items() if count > 1]
    assert all(LEFT_OUT.values())


def test_every_bucket_says_why() -> None:
    assert all(bucket.why for bucket in BUCKETS)
    assert len(BUCKETS) == len({bucket.name for bucket in BUCKETS})


def explored(buckets: tuple[str, ...] = ()) -> Explorer:
    """A short exploration, with some buckets left out."""
    short = explorer(
        ENGINE, (*A_CALL, "a loud frame", "a voiced frame", "speech", "session lost", "response.cancelled of nobody")
    )
    short.buckets = [bucket for bucket in BUCKETS if bucket.name not in buckets]
    short.run()
    return short


@pytest.fixture(scope="module")
def whole() -> Explorer:
    return explored()


def test_calls_of_one_configuration_go_on_alike(whole: Explorer) -> None:
    assert [] == disagreements(whole)
    assert sum(len(here.others) for here in whole.order) > 100


def test_calls_are_kept_for_the_configurations_that_are_compared_and_no_others(whole: Explorer) -> None:
    few = explorer(ENGINE, A_CALL)
    few.one_of = 16
    few.run()

    assert {0} == {here.number % 16 for here in few.order if here.others}
    assert {0, 1, 2} == {len(here.others) for here in whole.order}


@pytest.mark.parametrize("name", ["open utterance", "unsettled", "debts", "session"])
def test_a_bucket_that_is_left_out_does_not_go_unnoticed(name: str) -> None:
    """Some of them, on a short exploration; `make mutants` tries every one on the whole."""
    assert disagreements(explored((name,)))


def test_a_disagreement_names_both_ways_and_what_differs() -> None:
    found = disagreements(explored(("open utterance",)), most=1)[0]

    assert found.path != found.other_path
    assert found.by in {one.name for one in TALK.explorer(ENGINE).inputs}
    assert found.buckets


def test_the_same_inputs_have_the_same_effects(whole: Explorer) -> None:
    assert unlike_effects(whole) is None
