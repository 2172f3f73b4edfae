"""OpenAI is down: new callers hear so at once, live calls go on, and it is noticed when it is up again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import define
from prometheus_client import CollectorRegistry, Gauge

from callfsm.config import LimitsConfig
from callfsm.server.breaker import Breaker
from callfsm.server.realtime_session import RefusedError, UnavailableError
from callfsm.sim.realtime import running
from callfsm.sim.realtime_script import Fault, Script
from tests.server.beside import metric, until_over
from tests.server.by_hand import TIMEOUT_S, Hands
from tests.server.openai_side import (
    SCRIPT,
    VOICE,
    asks,
    ear,
    gauge,
    served,
    simulated,
    status,
    twiml,
    with_limits,
)

TRIES: dict[str, Any] = {"realtime_tries": 1, "breaker_calls": 2}
CONFIG = with_limits(**TRIES, breaker_probe_s=0.1)
NO_PROBE = with_limits(**TRIES, breaker_probe_s=3600.0)


def faulty(*faults: Fault) -> Script:
    return attrs.evolve(SCRIPT, faults=frozenset(faults))


async def fails(hands: Hands, call_sid: str) -> None:
    """A call that finds no session."""
    line = await hands.call(call_sid)
    await line.until("closed")
    await until_over(hands, call_sid)


async def is_served(hands: Hands, call_sid: str) -> None:
    """A call like any other."""
    line = await hands.call(call_sid)
    async with ear(line) as hearing:
        await asks(line)
        await hearing.hears(VOICE)


async def until_status(hands: Hands, wanted: int) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while await status(hands) != wanted:
            pass


async def is_down(hands: Hands) -> None:
    """New callers hear that it does not work; everybody else may know, too."""
    assert await status(hands) == 503
    assert await status(hands, "/livez") == 200
    assert gauge(hands, "realtime_down") == 1
    refused = metric(hands, "rejected", reason="openai_down")
    answer = await twiml(hands, "/twilio/voice", "CA77")
    assert "<Play>" in answer
    assert "/clips/apology" in answer
    assert "<Connect" not in answer
    assert metric(hands, "rejected", reason="openai_down") == refused + 1


async def is_up(hands: Hands) -> None:
    assert await status(hands) == 200
    assert gauge(hands, "realtime_down") == 0
    assert "<Connect" in await twiml(hands, "/twilio/voice", "CA78")


DOWN = [Fault.SERVER_ERROR, Fault.UNAUTHORIZED, Fault.REJECTED_SESSION, Fault.REFUSED_FOR_QUOTA]


@pytest.mark.parametrize("fault", DOWN)
async def test_calls_that_fail_open_it_and_a_look_closes_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callfsm.server.breaker.QUOTA_LOOKS", 1)
    async with simulated(faulty(fault), folder=tmp_path, config=CONFIG) as stage:
        hands = stage.hands
        await fails(hands, "CA1")
        await is_up(hands)
        await fails(hands, "CA2")
        await is_down(hands)
        looks = stage.api.handshakes
        await stage.api.wait_for_handshakes(looks + 2)
        await is_down(hands)
        stage.api.scripts = (SCRIPT,)
        await until_status(hands, 200)
        await is_up(hands)
        await is_served(hands, "CA3")

    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("[OPENAI]")]
    assert [line.partition(":")[0] for line in said] == [
        "[OPENAI] Down, and new callers hear an apology",
        "[OPENAI] Up again",
    ]


async def test_api_that_is_restarted_on_its_port_is_found(tmp_path: Path) -> None:
    async with running(SCRIPT) as api:
        url = api.url
    port = int(url.rsplit(":", 1)[1].partition("/")[0])
    async with served(url, tmp_path, CONFIG) as hands:
        await fails(hands, "CA1")
        await fails(hands, "CA2")
        await is_down(hands)
        async with running(SCRIPT, port=port):
            await until_status(hands, 200)
            await is_up(hands)
            await is_served(hands, "CA3")


async def test_live_call_is_not_touched_and_closes_it_when_it_hears_openai(tmp_path: Path) -> None:
    async with simulated(SCRIPT, faulty(Fault.SERVER_ERROR), folder=tmp_path, config=NO_PROBE) as stage:
        hands = stage.hands
        good = await hands.call("CA99")
        await stage.api.wait_for(1)
        await fails(hands, "CA1")
        await fails(hands, "CA2")
        await is_down(hands)
        async with ear(good) as hearing:
            await asks(good)
            await hearing.hears(VOICE)
            await is_up(hands)


async def test_call_that_was_let_in_before_is_served(tmp_path: Path) -> None:
    async with simulated(faulty(Fault.SERVER_ERROR), folder=tmp_path, config=NO_PROBE) as stage:
        hands = stage.hands
        answer = await twiml(hands, "/twilio/voice", "CA9")
        token = answer.split('name="token" value="')[1].split('"')[0]
        await fails(hands, "CA1")
        await fails(hands, "CA2")
        await is_down(hands)
        stage.api.scripts = (SCRIPT,)
        line = await hands.call("CA9", token=token)
        async with ear(line) as hearing:
            await asks(line)
            await hearing.hears(VOICE)
            await is_up(hands)


async def test_calls_that_fail_for_other_reasons_do_not_open_it(tmp_path: Path) -> None:
    config = with_limits(**TRIES, no_media_s=0.1)
    async with simulated(SCRIPT, folder=tmp_path, config=config) as stage:
        for number in range(3):
            await fails(stage.hands, f"CA{number}")
        await is_up(stage.hands)


async def test_server_stops_while_it_looks(tmp_path: Path) -> None:
    config = with_limits(**TRIES, breaker_probe_s=0.1, realtime_connect_s=0.2)
    async with simulated(faulty(Fault.NO_HANDSHAKE), folder=tmp_path, config=config) as stage:
        await fails(stage.hands, "CA1")
        await fails(stage.hands, "CA2")
        await stage.api.wait_for_handshakes(3)


# By itself, on a clock of its own


@define
class Clock:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def breaker(clock: Clock, **limits: float) -> tuple[Breaker, Callable[[], float]]:
    registry = CollectorRegistry()
    config = LimitsConfig(**{"breaker_calls": 3, "breaker_s": 60.0, "breaker_probe_s": 0.1, **limits})  # type: ignore[arg-type]
    made = Breaker(config, Gauge("down", "", registry=registry), clock)
    return made, lambda: registry.get_sample_value("down") or 0.0


REASONS = [
    ("realtime_lost", True), ("realtime_refused_500", True), ("realtime_unreachable:TimeoutError", True),
    ("realtime_never_ready", True), ("reply_failed", True), ("realtime_flood", True), ("realtime_refused_401", True),
    ("hangup", False), ("hang_up", False), ("internal_error", False), ("twilio_lost", False), ("max_call_s", False),
    ("shutdown", False), ("no_media", False),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "is_openais"), REASONS)
def test_ends_that_are_openais_failure_open_it(reason: str, is_openais: bool) -> None:
    made, down = breaker(Clock())
    for _ in range(3):
        assert not made.is_open
        made.ended(reason)
    assert made.is_open is is_openais
    assert down() == is_openais


def test_failures_far_apart_do_not_open_it() -> None:
    clock = Clock()
    made, _ = breaker(clock)
    for _ in range(10):
        made.ended("realtime_lost")
        clock.at += 30.1
    assert not made.is_open


@pytest.mark.parametrize("reason", ["realtime_refused_401", "realtime_refused_403", "realtime_quota_exhausted"])
def test_failures_that_time_does_not_mend_open_it_however_far_apart(reason: str) -> None:
    clock = Clock()
    made, _ = breaker(clock)
    for _ in range(3):
        assert not made.is_open
        clock.at += 3600
        made.ended(reason)
    assert made.is_open


def test_reply_between_two_failures_has_them_counted_anew() -> None:
    made, _ = breaker(Clock())
    for _ in range(5):
        made.ended("reply_failed")
        made.ended("reply_failed")
        made.spoke()
    assert not made.is_open


async def watches(made: Breaker, look: Callable[[], Awaitable[None]], looked: asyncio.Event) -> None:
    """Have a breaker look until a look has come to its last answer."""
    watch = asyncio.create_task(made.watch(look))
    async with asyncio.timeout(TIMEOUT_S):
        await looked.wait()
    await asyncio.sleep(0)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


async def test_look_that_fails_leaves_it_open(caplog: pytest.LogCaptureFixture) -> None:
    made, down = breaker(Clock(), breaker_calls=1)
    made.ended("realtime_lost")
    looked = asyncio.Event()
    answers: list[Exception | None] = [RefusedError("realtime_refused_401"), UnavailableError("realtime_lost"), None]

    async def look() -> None:
        assert made.is_open
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        looked.set()

    await watches(made, look, looked)

    assert down() == 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


async def test_look_that_meets_a_bug_opens_the_door(caplog: pytest.LogCaptureFixture) -> None:
    made, down = breaker(Clock(), breaker_calls=1)
    made.ended("realtime_lost")
    looked = asyncio.Event()

    async def look() -> None:
        looked.set()
        raise RuntimeError("can't start new thread")

    await watches(made, look, looked)

    assert down() == 0
    assert "[BUG] OpenAI cannot be looked for" in caplog.messages
