"""How far a line may be ahead of the clock."""

import pytest

from callfsm.server.pace import Pace

SECOND = (1.0, 50)
CASES: list[tuple[str, list[tuple[float, int]], bool, bool]] = [
    ("real time for an hour", [SECOND] * 3600, False, False),
    ("twice as fast for an hour", [(1.0, 100)] * 3600, False, False),
    ("three times as fast for a minute", [(1.0, 150)] * 58, False, False),
    ("and on", [(1.0, 150)] * 62, True, False),
    ("and on and on", [(1.0, 150)] * 122, True, True),
    ("five seconds at once", [SECOND] * 10 + [(5.0, 250)], False, False),
    ("a minute at once", [(0.0, 3000)], False, False),
    ("and a frame", [(0.0, 3001)], True, False),
    ("two minutes at once", [(0.0, 6000)], True, False),
    ("and a frame more", [(0.0, 6001)], True, True),
    ("two minutes, and then real time for as long", [(0.0, 6000)] + [SECOND] * 60, False, False),
    ("silence is not saved up", [(3600.0, 0), (0.0, 3001)], True, False),
]


@pytest.mark.parametrize(("came", "is_ahead", "is_flood"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_line_may_be_a_minute_ahead(came: list[tuple[float, int]], is_ahead: bool, is_flood: bool) -> None:
    now, pace = 7.0, Pace(60.0, 7.0)
    for after_s, frames in came:
        now += after_s
        pace.spend(frames, now)

    assert (pace.is_ahead, pace.is_flood) == (is_ahead, is_flood)
