"""The session of a live call breaks off, expires or falls silent: what the caller hears of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest

from callfsm.sim.realtime_script import Fault
from tests.server.beside import ending, metric, ready, until_over
from tests.server.by_hand import LOUD, PROOF, QUIET, Api, Twilio
from tests.server.openai_side import (
    HASTY,
    HEARD,
    NEXT,
    SCRIPT,
    VOICE,
    WORDS,
    Ear,
    abort,
    asks,
    begun,
    driven,
    ear,
    fed,
    goes_well,
    has_words,
    is_answered,
    is_idle,
    replies,
    said,
    simulated,
    told,
    transcribed,
    twiml,
    voice,
    with_limits,
)

# Sessions that are lost, by when


async def test_lost_between_two_turns(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await is_idle(line, api, hearing)
            abort(api)
            second = await ready(hands)
            await goes_well(line, second, hearing)

    assert told(second) == [("user", WORDS), ("assistant", "בתשע.")]
    assert second.types()[:3] == ["session.update", *["conversation.item.create"] * 2]
    assert second.types().count("response.create") == 1
    assert bytes(hearing.audio) == VOICE + voice(200, 0x22)


async def test_lost_while_the_caller_speaks(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await line.hears(*[LOUD] * 10)
            await api.until("input_audio_buffer.append", 25)
            abort(api)
            await line.hears(*[LOUD] * 5)
            second = await ready(hands)
            await line.hears(*[QUIET] * 30)
            await replies(second, await transcribed(second), "r1")
            await hearing.hears(VOICE)

    audio = [event["audio"] for event in second.received if event["type"] == "input_audio_buffer.append"]
    assert audio[:25] == [event["audio"] for event in api.received if "audio" in event]
    assert len(audio) == HEARD


async def test_lost_while_a_transcript_is_awaited(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await line.asks()
            await api.until("input_audio_buffer.commit")
            abort(api)
            second = await ready(hands)
            await replies(second, await transcribed(second), "r1")
            await hearing.hears(VOICE)

    assert second.types().count("input_audio_buffer.append") == HEARD


async def test_lost_while_a_request_is_unanswered(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await said(line, api)
            abort(api)
            second = await ready(hands)
            create = await second.until("response.create")
            await replies(second, create, "r1")
            await hearing.hears(VOICE)
            await goes_well(line, second, hearing)

    assert second.types()[:3] == ["session.update", "conversation.item.create", "response.create"]
    assert "instructions" not in create["response"]
    assert second.types().count("response.create") == 2


async def is_half_spoken(line: Twilio, api: Api, hearing: Ear) -> None:
    """The reply is being generated, 800 ms of it are here, and the caller has heard 400."""
    create = await said(line, api)
    await api.creates("r1", create["response"]["metadata"]["turn"])
    for _ in range(4):
        await api.speaks("r1", "item_r1", 200)
    await has_words(api, "r1", "אבגדהוזח")
    await hearing.until_marked(4)
    await hearing.echo(2)


@pytest.mark.parametrize("is_back_early", [True, False])
async def test_lost_in_mid_reply(tmp_path: Path, is_back_early: bool) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line, is_echoing=False) as hearing:
            await is_half_spoken(line, api, hearing)
            abort(api)
            second = await hands.api()
            await second.until("session.update")
            steps: list[Callable[[], Awaitable[None]]] = [second.ready, hearing.echo]
            for step in steps[:: 1 if is_back_early else -1]:
                await step()
            create = await second.until("response.create")
            hearing.is_echoing = True
            await replies(second, create, "r2", value=0x11)
            await hearing.hears(voice(200, 0x11))
            await goes_well(line, second, hearing)

    kinds = [kind for kind in second.types() if not kind.startswith("input")]
    assert kinds[:4] == ["session.update", *["conversation.item.create"] * 2, "response.create"]
    assert told(second)[:2] == [("user", WORDS), ("assistant", "אבגדהוזח")]
    assert "המשך" in create["response"]["instructions"]
    assert second.types().count("response.create") == 2
    assert bytes(hearing.audio) == voice(800) + voice(200, 0x11) + voice(200, 0x22)


async def test_lost_in_mid_reply_and_stopped_by_the_caller(tmp_path: Path) -> None:
    """What was heard is told as heard, and the rest is forgotten for what the caller says."""
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line, is_echoing=False) as hearing:
            await is_half_spoken(line, api, hearing)
            abort(api)
            await line.hears(*PROOF, *[LOUD] * 8, *[QUIET] * 30)
            await hearing.until(lambda: "clear" in hearing.events)
            second = await ready(hands)
            create = await transcribed(second, words=NEXT)
            hearing.is_echoing = True
            await replies(second, create, "r2", value=0x11)
            await hearing.hears(voice(200, 0x11))

    assert told(second)[0] == ("user", WORDS)
    assert told(second)[1][0] == "assistant"
    assert "אבגדהוזח".startswith(told(second)[1][1])
    assert 4 <= len(told(second)[1][1]) < 8
    assert "instructions" not in create["response"]
    assert second.types().count("response.create") == 1


async def test_lost_during_a_barge_in(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line, is_echoing=False) as hearing:
            await is_half_spoken(line, api, hearing)
            await line.hears(*PROOF)
            await api.until("response.cancel")
            abort(api)
            await line.hears(*[LOUD] * 8, *[QUIET] * 30)
            second = await ready(hands)
            create = await transcribed(second, words=NEXT)
            hearing.is_echoing = True
            await replies(second, create, "r2", value=0x11)
            await hearing.hears(voice(200, 0x11))

    assert second.types().count("input_audio_buffer.append") == 5 + 15 + 25
    assert second.types().count("response.create") == 1
    assert bytes(hearing.audio) == voice(800) + voice(200, 0x11)


async def test_lost_twice_in_a_row(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await said(line, api)
            abort(api)
            second = await ready(hands)
            await second.until("response.create")
            abort(second)
            third = await ready(hands)
            await replies(third, await third.until("response.create"), "r1")
            await hearing.hears(VOICE)

    assert told(third) == [("user", WORDS)]


async def test_lost_twice_in_mid_reply_continues_from_all_that_was_heard(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            create = await said(line, api)
            for number, value in enumerate((0x55, 0x11)):
                await api.creates(f"r{number}", create["response"]["metadata"]["turn"])
                await api.speaks(f"r{number}", f"item_r{number}", 200, value=value)
                await has_words(api, f"r{number}", f"חלק {number}. ")
                await hearing.hears(voice(200, value))
                abort(api)
                api = await ready(hands)
                create = await api.until("response.create")
            await replies(api, create, "r2", value=0x22)
            await hearing.hears(voice(200, 0x22))

    assert told(api) == [("user", WORDS), ("assistant", "חלק 0. "), ("assistant", "חלק 1. ")]
    assert "המשך" in create["response"]["instructions"]
    assert bytes(hearing.audio) == VOICE + voice(200, 0x11) + voice(200, 0x22)


# Sessions that are lost, by how


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 3000])
async def test_closed_session_is_replaced(tmp_path: Path, code: int) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await is_idle(line, api, hearing)
            await api.socket.close(code=code)
            await goes_well(line, await ready(hands), hearing)

    assert ending(tmp_path)["reason"] == "hangup"


@pytest.mark.parametrize("code", [1008, 4000, 4999])
async def test_session_closed_for_good_ends_the_call_and_no_other(tmp_path: Path, code: int) -> None:
    async with driven(tmp_path) as hands:
        good, good_api = await begun(hands, "CA99")
        line, api = await begun(hands)
        async with ear(line) as hearing, ear(good) as beside:
            await is_idle(line, api, hearing)
            await api.socket.close(code=code)
            await hearing.until_closed()
            await until_over(hands)
            await is_answered(good, good_api, beside)

        assert "/clips/apology" in await twiml(hands, "/twilio/after")

    assert ending(tmp_path)["reason"] == f"realtime_closed:{code}"


async def expires_with_an_error(api: Api) -> None:
    await api.send(
        "error", error={"type": "invalid_request_error", "code": "session_expired", "message": "60 minutes"}
    )


async def expires_with_a_close(api: Api) -> None:
    await api.socket.close(code=1001, message=b"Your session hit the maximum duration of 60 minutes.")


@pytest.mark.parametrize("expire", [expires_with_an_error, expires_with_a_close])
async def test_expired_session_is_replaced_between_turns(
    tmp_path: Path, expire: Callable[[Api], Awaitable[None]]
) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await is_idle(line, api, hearing)
            await expire(api)
            second = await ready(hands)
            await api.until_closed()
            await goes_well(line, second, hearing)

    assert told(second) == [("user", WORDS), ("assistant", "בתשע.")]


@pytest.mark.parametrize("expire", [expires_with_an_error, expires_with_a_close])
async def test_expired_session_is_replaced_in_mid_reply(
    tmp_path: Path, expire: Callable[[Api], Awaitable[None]]
) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line, is_echoing=False) as hearing:
            await is_half_spoken(line, api, hearing)
            await expire(api)
            second = await ready(hands)
            await hearing.echo()
            create = await second.until("response.create")

    assert "המשך" in create["response"]["instructions"]


async def test_expired_session_of_the_simulated_api_is_replaced(tmp_path: Path) -> None:
    expired = attrs.evolve(SCRIPT, faults=frozenset({Fault.SESSION_EXPIRED}))
    async with simulated(expired, SCRIPT, folder=tmp_path) as stage:
        line = await stage.hands.call()
        async with ear(line) as hearing:
            await asks(line)
            await hearing.hears(VOICE)

        assert metric(stage.hands, "realtime_errors", code="session_expired") == 1


# Half open

SILENT = with_limits(realtime_silent_s=0.2)


async def test_silence_after_a_commit(tmp_path: Path) -> None:
    async with driven(tmp_path, SILENT) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await line.asks()
            await api.until("input_audio_buffer.commit")
            second = await ready(hands)
            await replies(second, await transcribed(second), "r1")
            await hearing.hears(VOICE)


async def test_silence_after_a_request(tmp_path: Path) -> None:
    async with driven(tmp_path, SILENT) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await said(line, api)
            second = await ready(hands)
            await replies(second, await second.until("response.create"), "r1")
            await hearing.hears(VOICE)

    assert told(second) == [("user", WORDS)]


async def test_silence_within_a_response(tmp_path: Path) -> None:
    async with driven(tmp_path, SILENT) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            create = await said(line, api)
            await api.creates("r1", create["response"]["metadata"]["turn"])
            await api.speaks("r1", "item_r1", 200)
            second = await ready(hands)
            rest = await second.until("response.create")
            await replies(second, rest, "r2", value=0x11)
            await hearing.hears(VOICE + voice(200, 0x11))

    assert "המשך" in rest["response"]["instructions"]


async def test_silence_longer_than_a_reply_is_waited_for(tmp_path: Path) -> None:
    """The request has been given up once, and made again, when the session is given up."""
    config = with_limits(turn=attrs.evolve(HASTY, reply_timeout_ms=300), realtime_silent_s=0.5)
    async with driven(tmp_path, config) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await said(line, api)
            second = await ready(hands)
            await replies(second, await second.until("response.create"), "r1")
            await hearing.hears(VOICE)

    assert api.types().count("response.create") == 2
    assert second.types().count("response.create") == 1


async def test_silence_that_nobody_need_break_is_none(tmp_path: Path) -> None:
    with fed() as looks:
        async with driven(tmp_path, SILENT) as hands:
            line, api = await begun(hands)
            async with ear(line) as hearing:
                await is_idle(line, api, hearing)
                await line.hears(*[LOUD] * 10)
                await looks.until("look", 30)
                assert not api.is_closed
                await line.hears(*[QUIET] * 30)
                await replies(api, await transcribed(api, 2), "r2", value=0x22)
                await hearing.hears(voice(200, 0x22))


async def test_peer_that_stands_still_is_found_by_its_pings(tmp_path: Path) -> None:
    async with driven(tmp_path, with_limits(realtime_ping_s=0.2)) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await is_idle(line, api, hearing)
            request = api.socket._req
            assert request is not None
            assert isinstance(request.transport, asyncio.Transport)
            request.transport.pause_reading()
            second = await ready(hands)
            await goes_well(line, second, hearing)
            request.transport.abort()

    assert told(second) == [("user", WORDS), ("assistant", "בתשע.")]


async def test_half_open_session_of_the_simulated_api_is_replaced(tmp_path: Path) -> None:
    half_open = attrs.evolve(SCRIPT, faults=frozenset({Fault.HALF_OPEN}))
    async with simulated(SCRIPT, half_open, SCRIPT, folder=tmp_path, config=SILENT) as stage:
        good = await stage.hands.call("CA99")
        await stage.api.wait_for(1)
        line = await stage.hands.call()
        await stage.api.wait_for(2)
        async with ear(line) as hearing, ear(good) as beside:
            await asks(good)
            await beside.hears(VOICE)
            await asks(line)
            await hearing.hears(VOICE)

        assert stage.api.handshakes == 3
