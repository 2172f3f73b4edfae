"""How a call gets its session, tries again, gives up, and leaves an old session for a new one."""

import asyncio
import socket
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import pytest
from aiohttp import web

from callfsm.server import link
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_script import Fault
from tests.server.beside import ending, metric, ready, until_over
from tests.server.by_hand import LOUD, QUIET, TIMEOUT_S, Api, Hands
from tests.server.openai_side import (
    SCRIPT,
    VOICE,
    WORDS,
    Ear,
    Simulated,
    abort,
    asks,
    begun,
    driven,
    ear,
    fed,
    hangs_up,
    replies,
    said,
    served,
    simulated,
    told,
    transcribed,
    twiml,
    with_limits,
)

ONCE, ALL = 1, 3


def faulty(*faults: Fault, retry_after: str = "") -> Any:
    return attrs.evolve(SCRIPT, faults=frozenset(faults), retry_after=retry_after)


NO_SESSION: list[tuple[str, Any, dict[str, Any], str, int]] = [
    ("401", faulty(Fault.UNAUTHORIZED), {}, "realtime_refused_401", ONCE),
    ("403", faulty(Fault.FORBIDDEN), {}, "realtime_refused_403", ONCE),
    ("404", faulty(Fault.NOT_FOUND), {}, "realtime_refused_404", ALL),
    ("500", faulty(Fault.SERVER_ERROR), {}, "realtime_refused_500", ALL),
    ("429", faulty(Fault.TOO_MANY_REQUESTS), {}, "realtime_refused_429", ALL),
    ("429, at once", faulty(Fault.TOO_MANY_REQUESTS, retry_after="0"), {}, "realtime_refused_429", ALL),
    ("429, much later", faulty(Fault.TOO_MANY_REQUESTS, retry_after="3600"), {}, "realtime_refused_429", ONCE),
    ("429, never", faulty(Fault.TOO_MANY_REQUESTS, retry_after="9" * 400), {}, "realtime_refused_429", ONCE),
    ("429, on a day", faulty(Fault.TOO_MANY_REQUESTS, retry_after="Wed, 25 Nov 2026 10:00:00 GMT"), {}, "realtime_refused_429", ALL),
    ("429, nonsense", faulty(Fault.TOO_MANY_REQUESTS, retry_after="-1 \u00b2 soon"), {}, "realtime_refused_429", ALL),
    ("429, no quota", faulty(Fault.REFUSED_FOR_QUOTA), {}, "realtime_quota_exhausted", ONCE),
    ("no handshake", faulty(Fault.NO_HANDSHAKE), {"realtime_connect_s": 0.1}, "realtime_unreachable:TimeoutError", ALL),
    ("silence", faulty(Fault.SILENT), {"realtime_ready_s": 0.1}, "realtime_never_ready", ALL),
    ("no update", faulty(Fault.NO_SESSION_UPDATED), {"realtime_ready_s": 0.1}, "realtime_never_ready", ALL),
    ("settings rejected", faulty(Fault.REJECTED_SESSION), {}, "realtime_session_rejected:invalid_value", ONCE),
    ("no mu-law", faulty(Fault.NOT_MULAW), {}, "realtime_session_not_mulaw", ONCE),
    ("no quota", faulty(Fault.QUOTA_EXHAUSTED), {}, "realtime_quota_exhausted", ONCE),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "limits", "reason", "tries"), [pytest.param(*c[1:], id=c[0]) for c in NO_SESSION])
async def test_call_without_a_session_ends_with_an_apology_and_the_call_beside_it_does_not(
    tmp_path: Path, bad: Any, limits: dict[str, Any], reason: str, tries: int
) -> None:
    async with simulated(SCRIPT, bad, folder=tmp_path, config=with_limits(**limits)) as stage:
        hands = stage.hands
        good = await hands.call("CA99")
        await stage.api.wait_for(1)
        async with ear(good) as hearing:
            line = await hands.call()
            await line.until("closed")
            await until_over(hands)
            await asks(good)
            await hearing.hears(VOICE)
            await hangs_up(good)
            await hearing.until_closed()

        assert stage.api.handshakes == 1 + tries
        assert metric(hands, "realtime_sessions", result=reason.partition(":")[0]) == tries
        assert metric(hands, "realtime_sessions", result="ready") == 1
        assert "/clips/apology" in await twiml(hands, "/twilio/after")

    assert ending(tmp_path)["reason"] == reason
    assert ending(tmp_path, "CA99")["reason"] == "hangup"


async def test_port_that_nobody_listens_at_is_tried_again(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with served(f"ws://127.0.0.1:{taken.getsockname()[1]}/v1/realtime", tmp_path) as hands:
            line = await hands.call()
            await line.until("closed")

            assert metric(hands, "realtime_sessions", result="realtime_unreachable") == ALL

    assert ending(tmp_path)["reason"] == "realtime_unreachable:ClientConnectorError"


async def test_quota_is_found_in_a_body_that_comes_in_pieces(tmp_path: Path) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=429)
        await answer.prepare(request)
        for piece in (b'{"error": {"type": "insuffi', b'cient_quota"', b"}}"):
            await answer.write(piece)
            await asyncio.sleep(0.05)
        return answer

    app = web.Application()
    app.router.add_get("/v1/realtime", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with served(f"ws://127.0.0.1:{runner.addresses[0][1]}/v1/realtime", tmp_path) as hands:
            line = await hands.call()
            await line.until("closed")
    finally:
        await runner.cleanup()

    assert ending(tmp_path)["reason"] == "realtime_quota_exhausted"


async def test_retry_after_is_waited_for(tmp_path: Path) -> None:
    later = faulty(Fault.TOO_MANY_REQUESTS, retry_after="1")
    async with simulated(later, SCRIPT, folder=tmp_path) as stage:
        line = await stage.hands.call()
        async with ear(line) as hearing:
            await asks(line)
            await hearing.hears(VOICE)
        first, second = stage.api.tried_at_s

    assert 1 <= second - first < 10


async def test_pauses_grow_and_are_left_to_chance_in_part(tmp_path: Path) -> None:
    config = with_limits(realtime_tries=4)
    async with simulated(faulty(Fault.SERVER_ERROR), folder=tmp_path, config=config) as stage:
        with mock.patch.object(link, "FIRST_BACKOFF_S", 0.1):
            line = await stage.hands.call()
            await line.until("closed")
        pauses = [then - before for before, then in pairwise(stage.api.tried_at_s)]

    assert len(pauses) == 3
    assert pauses[0] >= 0.05
    assert pauses[1] >= 0.15
    assert pauses[2] >= 0.45


async def test_try_that_would_be_too_late_is_not_made(tmp_path: Path) -> None:
    config = with_limits(realtime_tries=20, realtime_tries_s=0.5)
    async with simulated(faulty(Fault.SERVER_ERROR), folder=tmp_path, config=config) as stage:
        with mock.patch.object(link, "FIRST_BACKOFF_S", 0.1):
            line = await stage.hands.call()
            await line.until("closed")

        assert 2 <= stage.api.handshakes <= 4


def test_pause_before_a_try_lies_within_its_bounds() -> None:
    for is_known, tries, most in ((False, 0, 0.25), (False, 1, 1.0), (False, 2, 3.0), (True, 1, 2.0), (True, 2, 6.0)):
        pauses = [link._backoff_s(tries, is_known=is_known) for _ in range(200)]
        assert max(pauses) <= most
        assert min(pauses) >= (most * 0.75 if tries else 0)
        assert max(pauses) - min(pauses) > most / 8


async def test_calls_that_lose_their_sessions_together_do_not_come_back_together(tmp_path: Path) -> None:
    async with driven() as hands:
        with mock.patch.multiple(link, JITTER_S=0.25, STEADY_S=0.0):
            for number in range(20):
                await hands.call(f"CA{number}")
            apis = [await ready(hands) for _ in range(20)]
            for api in apis:
                abort(api)
            now = asyncio.get_running_loop().time
            came_at = []
            for _ in range(20):
                await hands.api()
                came_at.append(now())

    assert came_at[-1] - came_at[0] > 0.05


async def test_session_that_lasted_has_its_tries_anew(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        with mock.patch.multiple(link, STEADY_S=0.0, LASTING_S=0.0):
            await hands.call()
            for _ in range(3 * ALL):
                abort(await ready(hands))
            await ready(hands)


async def test_sessions_that_all_end_without_a_word_are_given_up(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        with mock.patch.object(link, "STEADY_S", 0.0):
            line = await hands.call()
            for _ in range(link.MOST_SPEECHLESS):
                abort(await ready(hands))
            await line.until("closed")

    assert ending(tmp_path)["reason"] == "realtime_lost"


# Renewal

OLD = with_limits(realtime_session_s=0.1)


async def stays(api: Api, spare: Api, looks: Any) -> None:
    """The machine has been reminded that its session is old, and has not left it."""
    await looks.until("RealtimeExpiring", 3)
    assert not api.is_closed
    assert spare.types() == ["session.update"]


async def test_session_is_renewed_between_two_turns_and_never_within_one(tmp_path: Path) -> None:
    with fed() as looks:
        async with driven(tmp_path, OLD) as hands:
            line, api = await begun(hands)
            async with ear(line, is_echoing=False) as hearing:
                await line.hears(*[LOUD] * 15)
                spare = await ready(hands)
                await stays(api, spare, looks)
                await line.hears(*[QUIET] * 30)
                await api.until("input_audio_buffer.commit")
                await stays(api, spare, looks)
                create = await transcribed(api)
                await stays(api, spare, looks)
                await replies(api, create, "r1", words="בתשע.", ms=400)
                await hearing.until_marked(2)
                await stays(api, spare, looks)
                await hearing.echo()
                await api.until_closed()
                create = await said(line, spare, words="ובשישי?")
                await replies(spare, create, "r2", value=0x22)
                await hearing.until(lambda: bytes([0x22]) in hearing.audio)
                await hangs_up(line)
                await hearing.until_closed()

    assert told(spare) == [("user", WORDS), ("assistant", "בתשע.")]
    assert spare.types().count("response.create") == 1
    assert bytes(hearing.audio) == bytes([0x55]) * 3200 + bytes([0x22]) * 1600
    assert ending(tmp_path)["reason"] == "hangup"


async def test_new_session_is_ready_before_the_old_one_is_left(tmp_path: Path) -> None:
    with fed() as looks:
        async with driven(tmp_path, OLD) as hands:
            _, api = await begun(hands)
            spare = await hands.api()
            await spare.until("session.update")
            await looks.until("look", 5)

            assert not api.is_closed
            assert looks.counts["RealtimeExpiring"] == 0
            await spare.ready()
            await api.until_closed()
            assert not spare.is_closed


async def answered_by(stage: Simulated, number: int, hearing: Ear) -> Connection:
    before = len(hearing.audio)
    await hearing.line.asks()
    await hearing.until(lambda: len(hearing.audio) >= before + len(VOICE) * 5, "the reply")
    connection = stage.api.opened[number - 1]
    await connection.wait_for("response.done")
    return connection


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.UNAUTHORIZED, Fault.REFUSED_FOR_QUOTA, Fault.REJECTED_SESSION]
)
async def test_old_session_serves_on_where_no_new_one_can_be_had(tmp_path: Path, fault: Fault) -> None:
    async with simulated(SCRIPT, faulty(fault), folder=tmp_path, config=OLD) as stage:
        line = await stage.hands.call()
        async with ear(line) as hearing:
            await line.hears(*[QUIET] * 75)
            await stage.api.wait_for_handshakes(4)
            old = await answered_by(stage, 1, hearing)

            assert not old.is_closed
            stage.api.scripts = (SCRIPT,)
            await old.wait_closed()
            await hangs_up(line)
            await hearing.until_closed()

    assert ending(tmp_path)["reason"] == "hangup"


async def test_old_session_that_is_lost_is_replaced_by_the_one_in_the_making(tmp_path: Path) -> None:
    async with driven(tmp_path, OLD) as hands:
        line, api = await begun(hands)
        spare = await hands.api()
        await spare.until("session.update")
        abort(api)
        await spare.ready()
        await said(line, spare)

        assert metric(hands, "realtime_sessions", result="ready") == 2


async def test_spare_session_goes_with_its_call(tmp_path: Path) -> None:
    async with driven(tmp_path, OLD) as hands:
        line, api = await begun(hands)
        await line.hears(*[LOUD] * 15)
        spare = await ready(hands)
        late = await _next_spare(hands, spare)
        await hangs_up(line)
        for session in (api, spare, late):
            await session.until_closed()


async def _next_spare(hands: Hands, spare: Api) -> Api:
    """The session that is being made when the call ends, in place of a spare one that was lost."""
    abort(spare)
    async with asyncio.timeout(TIMEOUT_S):
        return await hands.api()


async def test_spare_session_that_is_closed_while_it_waits_is_not_taken(tmp_path: Path) -> None:
    with fed() as looks:
        async with driven(tmp_path, OLD) as hands:
            line, api = await begun(hands)
            await line.hears(*[LOUD] * 15)
            spare = await ready(hands)
            await looks.until("RealtimeExpiring")
            await spare.socket.close()
            await ready(hands)
            assert not api.is_closed
            await line.hears(*[QUIET] * 30)
            create = await transcribed(api)
            async with ear(line):
                await replies(api, create, "r1")
                await api.until_closed()

    assert looks.counts["RealtimeReady"] == 2


async def test_tries_are_bounded_where_the_spare_session_is_gone_at_the_last_moment(tmp_path: Path) -> None:
    take = link.RealtimeLink._next_session

    async def take_too_late(self: link.RealtimeLink) -> Any:
        if self._spare._socket is not None:
            await self._spare._socket.close()
        return await take(self)

    config = with_limits(realtime_session_s=0.1)
    with mock.patch.object(link.RealtimeLink, "_next_session", take_too_late):
        async with simulated(SCRIPT, SCRIPT, faulty(Fault.SERVER_ERROR), folder=tmp_path, config=config) as stage:
            line = await stage.hands.call()
            await line.hears(*[QUIET] * 75)
            await line.until("closed")

            assert stage.api.handshakes == 2 + ALL

    assert ending(tmp_path)["reason"] == "realtime_refused_500"
