"""A bug of ours, wherever a call meets it, ends that call alone: with its journal, a count and an apology."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest
from attrs import evolve

from callfsm.audit.journal import line_of
from callfsm.audit.recording import read_journal
from callfsm.config import Business, Tool
from callfsm.detector.service import Detector
from callfsm.events import Event, RmsFrame
from callfsm.server.session import CallSession
from callfsm.states.base import State
from tests.server.by_hand import QUIET, TIMEOUT_S, Api, Hands, Twilio, by_hand
from tests.server.test_detector import StandIn
from tests.server.test_doors import metric, post
from tests.server.test_session import GRACELESS

LUCKY, UNLUCKY = "CA-lucky", "CA-unlucky"
LOOKUP = Tool(name="lookup", description="…", url="http://127.0.0.1:1")
CONFIG = evolve(GRACELESS, business=(Business(tool=(LOOKUP,)),))


async def replies_to(twilio: Twilio, api: Api) -> str:
    """Have the caller ask, and a reply begun; return its turn."""
    await twilio.hears(*[QUIET] * 75)
    await twilio.asks()
    await api.until("input_audio_buffer.commit")
    await api.send("input_audio_buffer.committed", item_id="u1")
    await api.transcribes("u1", "מה שעות הפתיחה?")
    turn: str = (await api.until("response.create"))["response"]["metadata"]["turn"]
    await api.creates("r1", turn)
    return turn


async def begun(hands: Hands, call_sid: str) -> tuple[Twilio, Api]:
    twilio = await hands.call(call_sid)
    api = await hands.api()
    await api.until("session.update")
    await api.ready()
    return twilio, api


async def until_over(hands: Hands) -> None:
    """The unlucky call is noted as ended."""
    async with asyncio.timeout(TIMEOUT_S), hands.server._ended:
        await hands.server._ended.wait_for(lambda: list(hands.server.calls) == [LUCKY])


# What the unlucky caller does


async def starts(hands: Hands) -> Twilio:
    return await hands.call(UNLUCKY)


async def is_heard(hands: Hands) -> Twilio:
    twilio, _ = await begun(hands, UNLUCKY)
    await twilio.hears(QUIET)
    return twilio


async def hangs_up(hands: Hands) -> Twilio:
    twilio, _ = await begun(hands, UNLUCKY)
    await twilio.send({"event": "stop"})
    return twilio


async def has_a_function_asked(hands: Hands) -> Twilio:
    twilio, api = await begun(hands, UNLUCKY)
    await replies_to(twilio, api)
    await api.send(
        "response.function_call_arguments.done",
        response_id="r1", item_id="f1", output_index=1, call_id="c1", name="lookup", arguments="{}",
    )  # fmt: skip
    return twilio


# What breaks


def raises(error: Exception) -> Callable[..., Any]:
    def broken(*_: object, **__: object) -> Any:
        raise error

    return broken


BUG = raises(ZeroDivisionError("a bug"))
NO_ZONE = raises(ZoneInfoNotFoundError("No time zone found with key Asia/Jerusalem"))


async def broken_later(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("a bug")


def frames_break(event: Event, source: State, dest: State) -> dict[str, Any]:
    if isinstance(event, RmsFrame):
        raise ZeroDivisionError("a bug")
    return line_of(event, source, dest)


close_session = CallSession._close


async def close_and_break(self: CallSession, *values: Any) -> None:
    await close_session(self, *values)
    raise ZeroDivisionError("a bug")


MEDIA, SESSION = "callfsm.server.media", "callfsm.server.session"
# fmt: off
BUGS: list[tuple[str, Callable[[Hands], Awaitable[Twilio]], str, Any, bool]] = [
    # id                        the caller            what breaks                                        and how          has a journal
    ("opening the journal",     starts,               "callfsm.audit.journal.JournalWriter.open",        BUG,             False),
    ("the header",              starts,               "callfsm.audit.journal.Journal.begin",             BUG,             False),
    ("time zone data",          starts,               "callfsm.server.facts.ZoneInfo",                   NO_ZONE,         True),
    ("the session's settings",  starts,               "callfsm.server.shared.Server.realtime_address",   BUG,             True),
    ("making the session",      starts,               f"{SESSION}.CallGauges",                           BUG,             True),
    ("beginning the session",   starts,               f"{SESSION}.MediaWatch",                           BUG,             True),
    ("the link",                starts,               f"{SESSION}.RealtimeLink.run",                     broken_later,    True),
    ("the journal's line",      is_heard,             "callfsm.audit.journal.line_of",                   frames_break,    True),
    ("the detector",            is_heard,             f"{SESSION}.CallDetector.look",                    BUG,             True),
    ("measuring",               is_heard,             f"{SESSION}.CallGauges.heard",                     BUG,             True),
    ("a function",              has_a_function_asked, "callfsm.server.tool_calls.ask",                   broken_later,    True),
    ("closing",                 hangs_up,             f"{MEDIA}.CallSession._close",                     close_and_break, True),
    ("reporting the end",       hangs_up,             f"{MEDIA}.CallSession._report_end",                BUG,             True),
]
# fmt: on


@pytest.mark.parametrize(("does", "what", "how", "has_journal"), [pytest.param(*c[1:], id=c[0]) for c in BUGS])
async def test_bug_ends_its_call_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    does: Callable[[Hands], Awaitable[Twilio]],
    what: str,
    how: Any,
    has_journal: bool,
) -> None:
    async with by_hand(CONFIG, folder=tmp_path) as hands:
        hands.server.detector = Detector(StandIn(), 0.5, hands.server.metrics.registry)
        lucky, api = await begun(hands, LUCKY)
        with monkeypatch.context() as patch:
            patch.setattr(what, how)
            unlucky = await does(hands)
            closed = await unlucky.until("closed")
            await until_over(hands)
        _, after = await post(hands, "/twilio/after", {"CallSid": UNLUCKY})
        await replies_to(lucky, api)
        live = list(hands.server.calls)
        counted = metric(hands, "callfsm_calls_total", end="internal_error"), metric(hands, "callfsm_active_calls")
        await lucky.send({"event": "stop"})
        await lucky.until("closed")

    ends = {path.name.split("-", 1)[1]: read_journal(path).end for path in tmp_path.glob("*.jsonl")}
    reasons = {name: (end or {}).get("reason") for name, end in ends.items()}
    assert closed[-1]["code"] == 1000
    assert "/clips/apology" in after
    assert live == [LUCKY]
    assert counted == (1, 1)
    assert reasons == dict([(f"{LUCKY}.jsonl", "hangup"), *[(f"{UNLUCKY}.jsonl", "internal_error")] * has_journal])
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["[BUG] The call is ended"]
