"""The clock on the wall names journals and tells the assistant the date, and nothing else."""

import ast
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from itertools import cycle
from pathlib import Path

import attrs
import pytest

from callfsm.config import LimitsConfig
from callfsm.sim.caller import place_call
from callfsm.sim.realtime_script import clip_reply
from tests.server.stage import FAST, HUM, QUESTION, SPEED, script, staged

ROOT = Path(__file__).parents[2]
WALL_CLOCKS = {
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime", "clock_gettime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
"""Who reads the wall clock, by the name in front of the point."""
YEAR_S = 365 * 86_400.0


def readings(file: Path) -> list[str]:
    """Where a module reads the wall clock, or takes a name by which it could."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            found += [f"{owner}.{node.attr}"] * (node.attr in WALL_CLOCKS.get(owner, ()))
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [f"time.{name.name}" for name in node.names if name.name in WALL_CLOCKS["time"]]
    return found


def test_wall_clock_is_read_where_a_call_begins_and_in_the_simulators() -> None:
    files = [*(ROOT / "callfsm").rglob("*.py"), ROOT / "server.py"]
    found = {str(file.relative_to(ROOT)): readings(file) for file in files if readings(file)}

    assert found == {
        "callfsm/server/media.py": ["datetime.now"],
        "callfsm/sim/realtime_settings.py": ["time.time"],
    }


def test_reading_of_the_wall_clock_is_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "from time import time, monotonic\nimport datetime\ndatetime.datetime.now()\ntime.strftime('')\ntime.monotonic()\n",
        encoding="utf-8",
    )

    assert readings(file) == ["time.time", "datetime.now", "time.strftime"]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A wall clock that is a year ahead, right, and a year behind, from one reading to the next."""
    true_time = time.time
    of_dates, of_times = cycle([YEAR_S, 0.0, -YEAR_S]), cycle([YEAR_S, 0.0, -YEAR_S])

    class Stepping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Stepping":
            return super().fromtimestamp(true_time(), tz) + timedelta(seconds=next(of_dates))

    with monkeypatch.context() as patch:
        patch.setattr("callfsm.server.media.datetime", Stepping)
        patch.setattr(time, "time", lambda: true_time() + next(of_times))
        yield


async def test_calls_do_not_notice_a_clock_that_steps_a_year_back_and_forth(tmp_path: Path, steps: None) -> None:
    hours = clip_reply("he_reply_hours")
    config = attrs.evolve(FAST, limits=LimitsConfig(token_s=5.0, twilio_ahead_s=3600.0))
    talk = script("שאלה", replies=(hours,))
    async with staged(tmp_path, talk, talk, config=config) as stage:
        for _ in range(2):
            async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
                await caller.silence(2)
                await caller.say(QUESTION)
                await caller.wait_heard(1000)
                await caller.wait_quiet()
        registry = stage.server.metrics.registry
        refused = registry.get_sample_value("callfsm_rejected_total", {"reason": "token"})
        replies = registry.get_sample_value("callfsm_reply_seconds_count")
        reply_s = registry.get_sample_value("callfsm_reply_seconds_sum")

    years = sorted(int(path.name[:4]) for path in tmp_path.glob("*.jsonl"))
    assert len(set(years)) == 2
    assert (refused, replies) == (None, 2)
    assert 0 < (reply_s or 0.0) < 20
    assert {path.read_text(encoding="utf-8").count('"reason":"hangup"') for path in tmp_path.glob("*.jsonl")} == {2}
