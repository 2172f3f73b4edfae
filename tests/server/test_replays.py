"""Journals of calls over real sockets, run again: the log of the live call, byte for byte."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from callfsm import machine
from callfsm.audit.replay import command
from callfsm.sim.caller import SimulatedCaller, place_call
from callfsm.sim.realtime_script import Fault, clip_reply
from callfsm.sim.webhook import Details
from tests.server.stage import HUM, INTERRUPTION, QUESTION, SPEED, script, staged

HOURS = clip_reply("he_reply_hours")
SAID = ("מה שעות הפתיחה שלכם?", "רגע, יש לי עוד שאלה")


async def says_nothing(caller: SimulatedCaller) -> None:
    await caller.silence(4)


async def interrupts(caller: SimulatedCaller) -> None:
    await caller.silence(2)
    await caller.say(QUESTION)
    await caller.wait_heard(2000)
    await caller.say(INTERRUPTION)
    await caller.wait_heard(500)
    await caller.wait_quiet()


async def is_greeted(caller: SimulatedCaller) -> None:
    await caller.wait_heard(500)
    await caller.wait_quiet()


CALLS: dict[str, tuple[Any, Any, Details]] = {
    "silence": (says_nothing, script(), Details()),
    "a barge-in while the reply is generated": (
        interrupts, script(*SAID, replies=(attrs.evolve(HOURS, rate=1.5), clip_reply("he_reply_short"))), Details()),
    "a barge-in on the tail": (
        interrupts, script(*SAID, replies=(attrs.evolve(HOURS, rate=30.0), clip_reply("he_reply_short"))), Details()),
    "a greeting": (is_greeted, script(greeting=clip_reply("he_greeting")), Details(called="+97239876543")),
    "messages that cannot be read": (
        interrupts, script(*SAID, replies=(attrs.evolve(HOURS, faults=frozenset({Fault.MALFORMED_JSON})), clip_reply("he_reply_short"))), Details()),
    "a lost connection": (
        interrupts,
        script(*SAID, replies=(attrs.evolve(HOURS, rate=4.0, faults=frozenset({Fault.CLOSE_MID_RESPONSE})),)),
        Details()),
}  # fmt: skip


def live(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "callfsm.call"]


def replayed(folder: Path, capsys: pytest.CaptureFixture[str], *, code: int = 0) -> list[str]:
    (journal,) = folder.glob("*.jsonl")
    capsys.readouterr()
    assert code == command.main(["--log-level", "DEBUG", str(journal)])
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("act", "played", "details"), CALLS.values(), ids=CALLS)
async def test_replay_prints_the_log_of_the_live_call(
    act: Any,
    played: Any,
    details: Details,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", "callfsm")
    async with staged(tmp_path, played, played) as stage:
        async with place_call(stage.voice, details=details, speed=SPEED, background=HUM) as caller:
            await act(caller)

    assert len(live(caplog)) > 50
    assert live(caplog) == replayed(tmp_path, capsys)


async def test_replay_of_a_call_that_met_a_bug_says_where(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG", "callfsm")

    def is_broken(*_args: object) -> bool:
        raise ZeroDivisionError

    trigger = {event: is_broken if event.__name__ == "TranscriptCompleted" else take
               for event, take in machine.ENGINE._trigger.items()}  # fmt: skip
    monkeypatch.setattr(machine.ENGINE, "_trigger", trigger)
    async with staged(tmp_path, script(*SAID)) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await caller.silence(2)
            await caller.say(QUESTION)
            await caller.wait_over()

    lines = live(caplog)
    assert ["[BUG] The call is ended", "[CALL] Ended: internal_error"] == lines[-2:]
    assert lines == replayed(tmp_path, capsys, code=1)
