"""What the soak judges by: numbers that it must let pass, and such that it must not."""

import math
from importlib import import_module
from types import ModuleType

import pytest

judge: ModuleType = import_module("bench.soak.judge")
calls: ModuleType = import_module("bench.soak.calls")
kinds: ModuleType = import_module("bench.soak.kinds")

MIB = 1024
FLAT = [60 * MIB] * 40
WARMED_UP = [50 * MIB] * 10 + [60 * MIB] * 30
LEAKING = [60 * MIB + number * MIB for number in range(40)]
SPIKED = [*[60 * MIB] * 35, 200 * MIB, *[60 * MIB] * 4]


@pytest.mark.parametrize(
    ("rss_kib", "is_wrong"), [(FLAT, False), (WARMED_UP, False), (SPIKED, False), (LEAKING, True), ([MIB], True)]
)
def test_memory_that_grows_is_found(rss_kib: list[int], is_wrong: bool) -> None:
    assert bool(judge.memory(rss_kib)) is is_wrong


QUIET = [1.12, 1.13, 1.12]
WAITS = [
    ("as in the quiet run", QUIET * 20, 0),
    ("all of them later", [each + 0.6 for each in QUIET] * 20, 1),
    ("one in ten much later", [*QUIET * 6, 2.6, 2.6], 1),
    ("one too late for anybody", [*QUIET * 20, 5.0], 1),
    ("none at all", [], 1),
]


@pytest.mark.parametrize(("loaded", "count"), [pytest.param(*c[1:], id=c[0]) for c in WAITS])
def test_a_call_that_waited_on_others_is_found(loaded: list[float], count: int) -> None:
    assert len(judge.waits(judge.ANSWER, QUIET, loaded)) == count


def test_quantile_lies_within_its_bucket() -> None:
    buckets = [(0.01, 90.0), (0.02, 100.0), (math.inf, 100.0)]

    assert judge.quantile(buckets, 0.5) == pytest.approx(0.01 * 50 / 90)
    assert judge.quantile(buckets, 0.95) == pytest.approx(0.015)
    assert judge.quantile([(0.01, 0.0), (math.inf, 5.0)], 0.99) == 0.01
    assert math.isnan(judge.quantile([(0.01, 0.0), (math.inf, 0.0)], 0.99))


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (1.0, 4.0), (0.0, 1.0)])
def test_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert judge.percentile([4.0, 1.0, 3.0, 2.0], share) == value


def test_what_is_left_over_is_told() -> None:
    assert judge.left_over("tasks", 5, 5) == []
    assert judge.left_over("tasks", 5, 6) == ["tasks: 6 after the last call, 5 before the first"]


def test_half_of_all_calls_are_healthy_and_every_kind_is_dealt() -> None:
    dealing = calls.dealt(kinds.DECK, seed=3)
    dealt = [next(dealing) for _ in range(2 * len(kinds.DECK))]

    assert {kind.name for kind in kinds.ALL} == {kind.name for kind in dealt}
    assert len({kind.name for kind in kinds.ALL}) == len(kinds.ALL)
    assert 0.45 < sum(kind.is_healthy for kind in dealt) / len(dealt) < 0.55


@pytest.mark.parametrize(
    ("end", "is_allowed"), [("realtime_session_rejected:x", True), ("internal_error", False), ("", False)]
)
def test_a_call_may_end_as_its_kind_allows(end: str, is_allowed: bool) -> None:
    outcome = calls.Outcome("rejected", "CA1", ("realtime_session_rejected", "hangup"), end=end)

    assert calls.is_allowed(outcome) is is_allowed
