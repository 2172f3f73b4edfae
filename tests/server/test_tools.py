"""What the assistant may do beside speaking, over real sockets: hang up, transfer, ask a webhook, hear keys."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from attrs import evolve

from callfsm.config import Business, Config, LimitsConfig, Tool
from callfsm.server.tools import ToolFailedError, ask
from tests.server.by_hand import LOUD, PROOF, Api, Hands, Twilio, by_hand
from tests.server.test_doors import post
from tests.server.test_session import GRACELESS, answered, last_line

TRANSFERS = evolve(GRACELESS, business=(Business(transfer_number="+97239999999"),))


async def calls_function(api: Api, name: str, arguments: str = "{}", response_id: str = "r1") -> None:
    await api.send(
        "response.function_call_arguments.done",
        response_id=response_id, item_id="f1", output_index=1, call_id="c1", name=name, arguments=arguments,
    )  # fmt: skip


async def last_mark(twilio: Twilio) -> str:
    """The mark behind a second of speech."""
    marks: list[str] = []
    while len(marks) < 5:
        marks += [m["mark"]["name"] for m in await twilio.until("mark") if m["event"] == "mark"]
    return marks[-1]


async def says_goodbye(hands: Hands, function: str) -> tuple[Twilio, Api, str]:
    """A call in which a second of goodbye has been said, and a function that ends the call has been called."""
    twilio, api = await answered(hands)
    await api.speaks("r1", "a1", 1000)
    await calls_function(api, function)
    await api.ends("r1", "1", "completed", "a1", "f1")
    return twilio, api, await last_mark(twilio)


async def test_call_is_hung_up_when_the_goodbye_has_been_heard(tmp_path: Path) -> None:
    async with by_hand(GRACELESS, folder=tmp_path) as hands:
        twilio, api, mark = await says_goodbye(hands, "hang_up")
        was_live = not api.is_closed
        await twilio.echoes(mark)
        closed = await twilio.until("closed")
        await api.until_closed()
        _, after = await post(hands, "/twilio/after", {"CallSid": "CA1"})

    assert was_live
    assert closed[-1]["code"] == aiohttp.WSCloseCode.OK
    assert "<Hangup" in after
    assert "<Play" not in after
    assert last_line(tmp_path)["end"]["reason"] == "hang_up"


async def test_caller_who_interrupts_the_goodbye_keeps_the_call() -> None:
    async with by_hand(GRACELESS) as hands:
        twilio, api, mark = await says_goodbye(hands, "hang_up")
        await twilio.hears(*PROOF)
        await twilio.until("clear")
        output = await api.until("conversation.item.create")
        await twilio.echoes(mark)
        await twilio.hears(*[LOUD] * 15)
        await api.until("input_audio_buffer.append", 75)

        assert output["item"]["type"] == "function_call_output"
        assert "goes on" in output["item"]["output"]
        assert not api.is_closed


async def test_caller_is_transferred_when_the_words_have_been_heard(tmp_path: Path) -> None:
    async with by_hand(TRANSFERS, folder=tmp_path) as hands:
        twilio, _, mark = await says_goodbye(hands, "transfer_call")
        await twilio.echoes(mark)
        await twilio.until("closed")
        await hands.server.wait_for_the_last_call()
        _, after = await post(hands, "/twilio/after", {"CallSid": "CA1"})

    assert "<Dial>+97239999999</Dial>" in after
    assert last_line(tmp_path)["end"]["reason"] == "transfer_call"


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def webhook(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/lookup", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/lookup"
    finally:
        await runner.cleanup()


def lookup(url: str, timeout_s: float = 5.0) -> Tool:
    return Tool(name="lookup", description="…", url=url, timeout_s=timeout_s)


async def test_webhook_is_asked_and_its_answer_is_told() -> None:
    asked: list[dict[str, Any]] = []

    async def open_hours(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response({"open": "9-18"})

    async with webhook(open_hours) as url:
        async with by_hand(evolve(GRACELESS, business=(Business(tool=(lookup(url),)),))) as hands:
            _, api = await answered(hands)
            await calls_function(api, "lookup", '{"day":"א"}')
            await api.ends("r1", "1", "completed", "f1")
            output = await api.until("conversation.item.create")
            await api.until("response.create", 2)

    assert asked == [{"name": "lookup", "call_sid": "CA1", "arguments": {"day": "א"}}]
    assert output["item"] == {"type": "function_call_output", "call_id": "c1", "output": '{"open": "9-18"}'}


async def gone(_request: web.Request) -> web.Response:
    return web.Response(status=410, text="secret")


async def test_webhook_that_breaks_is_told_to_the_model_and_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with webhook(gone) as url:
        async with by_hand(evolve(GRACELESS, business=(Business(tool=(lookup(url),)),))) as hands:
            _, api = await answered(hands)
            await calls_function(api, "lookup")
            output = await api.until("conversation.item.create")

    assert json.loads(output["item"]["output"]) == {"error": "the function answered with status 410"}
    assert [record.getMessage() for record in caplog.records] == [
        "[TOOL] lookup: the function answered with status 410"
    ]


async def test_webhook_that_does_not_answer_is_told_to_the_model_alone() -> None:
    async def never(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with webhook(never) as url:
        business = Business(tool=(lookup(url, timeout_s=0.2),))
        async with by_hand(evolve(GRACELESS, business=(business,))) as hands:
            _, api = await answered(hands)
            await calls_function(api, "lookup")
            await api.ends("r1", "1", "completed", "f1")
            output = await api.until("conversation.item.create")
            await api.until("response.create", 2)

    assert "error" in json.loads(output["item"]["output"])


async def huge(_request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 20_000)


async def binary(_request: web.Request) -> web.Response:
    return web.Response(body=b"\xff\xfe")


async def elsewhere(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})


@pytest.mark.parametrize("answer", [gone, huge, binary, elsewhere])
async def test_webhook_that_fails_says_why(answer: Answer) -> None:
    async with webhook(answer) as url, aiohttp.ClientSession() as http:
        with pytest.raises(ToolFailedError) as failed:
            await ask(http, lookup(url), "CA1", "{}")

    assert "secret" not in str(failed.value)


async def test_webhook_that_is_not_there_and_arguments_that_are_none_are_errors() -> None:
    async with aiohttp.ClientSession() as http:
        for arguments in ("{}", "{"):
            with pytest.raises(ToolFailedError):
                await ask(http, lookup("http://127.0.0.1:1/"), "CA1", arguments)


async def test_keys_are_told_to_the_model_and_answered() -> None:
    config = Config(limits=LimitsConfig(digits_pause_s=0.1))
    async with by_hand(config) as hands:
        twilio, api = await answered(hands)
        await api.ends("r1", "1", "completed")
        await api.until("response.create", 2)
        for digit in "12#":
            await twilio.send({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": digit}})
        item = await api.until("conversation.item.create")
        await api.until("response.cancel")

    assert item["item"]["role"] == "user"
    assert item["item"]["content"][0]["text"].endswith(": 12#")
