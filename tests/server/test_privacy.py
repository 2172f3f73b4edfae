"""What is private stays out of log, journal, replay and later sessions; the model and the functions have it as it is."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from attrs import evolve

from callfsm.audit.recording import read_journal
from callfsm.audit.replay import command
from callfsm.config import Business, LimitsConfig, PrivacyConfig, Tool
from callfsm.config_file import config_from, config_values, journal_values
from callfsm.environment import Environment
from callfsm.server.facts import HASH_DIGITS, caller_hash
from callfsm.server.quiet_formatter import QuietFormatter
from callfsm.server.realtime_session import RealtimeAddress
from callfsm.server.tokens import Tokens
from callfsm.speaking.language import hebrew_share
from callfsm.wire import twilio
from tests.server.by_hand import by_hand
from tests.server.test_doors import FORM, PUBLIC, SIGNED, signature, token
from tests.server.test_session import GRACELESS, answered, journal
from tests.server.test_tools import calls_function, lookup, webhook

PRIVATE = evolve(
    GRACELESS,
    privacy=PrivacyConfig(redact=("identity", "card", "phone", "email")),
    limits=LimitsConfig(digits_pause_s=0.1),
)
SAID = "כרטיס 4111 1111 1111 1111, טלפון 050-1234567"
STRUCK_OUT = "כרטיס [card], טלפון [phone]"


def replayed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    (path,) = folder.glob("*.jsonl")
    capsys.readouterr()
    assert command.main(["--log-level", "DEBUG", str(path)]) == 0
    return capsys.readouterr().out.splitlines()


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [item["item"]["content"][0]["text"] for item in items]


async def test_what_was_said_is_private_everywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second utterance and a reply have private data; then the session is lost, and the next one is told of them."""
    caplog.set_level("DEBUG", "callfsm")
    async with by_hand(PRIVATE, folder=tmp_path) as hands:
        twilio_side, api = await answered(hands)
        await api.speaks("r1", "a1", 200)
        for words in ("הטלפון שלנו 05", "0-12", "3 4567", " וזהו"):
            await api.send("response.output_audio_transcript.delta", response_id="r1", item_id="a1", delta=words)
        await api.send(
            "response.output_audio_transcript.done",
            response_id="r1", item_id="a1", transcript="הטלפון שלנו 050-12 3 4567 וזהו",
        )  # fmt: skip
        await api.ends("r1", "1", "completed", "a1")
        await twilio_side.echoes((await twilio_side.until("mark"))[-1]["mark"]["name"])
        await twilio_side.asks()
        await api.until("input_audio_buffer.commit", 2)
        await api.send("input_audio_buffer.committed", item_id="u2")
        await api.transcribes("u2", SAID)
        await api.until("response.create", 2)
        await api.socket.close()
        second = await hands.api()
        await second.until("session.update")
        await second.ready()
        await second.until("conversation.item.create", 3)
        told = texts([event for event in second.received if event["type"] == "conversation.item.create"])
        await twilio_side.send({"event": "stop"})
        await twilio_side.until("closed")

    live = [record.getMessage() for record in caplog.records if record.name == "callfsm.call"]
    spoken = [line["transcript"] for line in journal(tmp_path) if line.get("event") == "ReplyTranscript"]
    assert told == ["מה שעות הפתיחה?", "הטלפון שלנו [phone] וזהו", STRUCK_OUT]
    assert f"User said: {STRUCK_OUT}" in live
    assert spoken == ["הטלפון שלנו ", "[phone] ", "הטלפון שלנו [phone] וזהו"]
    assert live == replayed(tmp_path, capsys)


async def test_functions_and_keys_are_private_in_the_journal_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG", "callfsm")
    asked: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((await request.json())["arguments"])
        return web.json_response({"mail": "dana@example.com", "open": "9-18"})

    async with webhook(handler) as url:
        async with by_hand(evolve(PRIVATE, business=(Business(tool=(lookup(url),)),)), folder=tmp_path) as hands:
            twilio_side, api = await answered(hands)
            await calls_function(api, "lookup", '{"phone":"050-1234567","day":4}')
            output = await api.until("conversation.item.create")
            await api.ends("r1", "1", "completed", "f1")
            await api.until("response.create", 2)
            for digit in "4580":
                await twilio_side.send({"event": "dtmf", "dtmf": {"digit": digit}})
            keys = await api.until("conversation.item.create", 2)
            await twilio_side.send({"event": "stop"})
            await twilio_side.until("closed")

    lines = {line["event"]: line for line in journal(tmp_path) if "event" in line}
    live = [record.getMessage() for record in caplog.records if record.name == "callfsm.call"]
    assert asked == [{"phone": "050-1234567", "day": 4}]
    assert json.loads(output["item"]["output"])["mail"] == "dana@example.com"
    assert keys["item"]["content"][0]["text"].endswith(": 4580")
    assert json.loads(lines["ToolCalled"]["arguments"]) == {"phone": "[phone]", "day": 4}
    assert json.loads(lines["ToolAnswered"]["output"]) == {"mail": "[email]", "open": "9-18"}
    assert [line["digit"] for line in journal(tmp_path) if line.get("event") == "DtmfReceived"] == ["0"] * 4
    assert live == replayed(tmp_path, capsys)


@pytest.mark.parametrize("reply", ["כן, [phone]", "[phone] [email] [card] [identity]", "כן [card]"])
def test_what_was_struck_out_makes_no_reply_foreign(reply: str) -> None:
    assert hebrew_share(reply) == 1.0


# Who calls


async def test_journals_of_one_caller_have_one_name_that_is_not_the_number(tmp_path: Path) -> None:
    callers = {"CA1": "+972501234567", "CA2": "+972501234567", "CA3": "+972529999999", "CA4": "anonymous"}
    async with by_hand(PUBLIC, SIGNED, tmp_path) as hands:
        for call_sid, caller in callers.items():
            key = await token(hands, {**FORM, "CallSid": call_sid, "From": caller})
            twilio_side = await hands.connect(signature("/twilio/media"))
            await twilio_side.starts(call_sid, token=key)
            await twilio_side.send({"event": "stop"})
            await twilio_side.until("closed")

    headers = [read_journal(path).header for path in tmp_path.glob("*.jsonl")]
    names = {header["call_sid"]: header["caller"] for header in headers}
    assert names["CA1"] == names["CA2"]
    assert len({*names.values()}) == 3
    assert names["CA4"] == ""
    assert all("501234567" not in path.read_text(encoding="utf-8") for path in tmp_path.glob("*.jsonl"))


def test_name_of_a_caller_is_short_and_keyed() -> None:
    name = caller_hash("+972501234567", "one token")

    assert len(name) == HASH_DIGITS
    assert int(name, 16) >= 0
    assert name == caller_hash("+972501234567", "one token")
    assert name != caller_hash("+972501234567", "another token")
    assert caller_hash("+972501234567", "") == caller_hash("+972501234567", "")
    assert caller_hash("+972501234567", "") != name


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", "+266696687"])
def test_withheld_number_has_no_name(caller: str) -> None:
    assert caller_hash(caller, "token") == ""


# Secrets of the configuration, and in what a value shows of itself

TOOL = Tool(name="lookup", description="…", url="https://hooks.example.org/planted/hook?planted&key=planted#planted")


def test_journal_has_no_more_of_a_webhook_than_its_host() -> None:
    config = evolve(PRIVATE, business=(Business(tool=(TOOL,)), Business(number="+9723")))
    values = journal_values(config)

    assert values["business"][0]["tool"][0]["url"] == "https://hooks.example.org/*/*?*&key=*"
    assert "planted" not in json.dumps(values)
    assert config_from(values).business[0].tool[0].name == "lookup"
    assert "planted" in json.dumps(config_values(config))


def test_nothing_shows_a_secret_or_a_number() -> None:
    tokens = Tokens(lambda: 0.0, 60.0)
    stream = twilio.decode(
        '{"event":"start","streamSid":"MZ","start":{"callSid":"CA","customParameters":{"token":"planted"}}}'
    )
    shown = [
        tokens.redeem(tokens.issue("CA", "AC", Business(tool=(TOOL,)), "planted"), "CA", "AC"),
        tokens,
        stream,
        TOOL,
        evolve(PRIVATE, business=(Business(tool=(TOOL,)),)),
        RealtimeAddress("wss://x.example/v1?key=planted", "model", "planted", b"planted"),
        Environment("planted", twilio_auth_token="planted", admin_token="planted"),
    ]

    assert [value for value in shown if "planted" in repr(value)] == []


# Exceptions in the log


def formatted(error: BaseException, *, name: str = "callfsm.call", message: str = "[BUG]", args: object = ()) -> str:
    exc_info = (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, logging.ERROR, "x.py", 1, message, args, exc_info)  # type: ignore[arg-type]
    return QuietFormatter("%(message)s").format(record)


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """The exception, once it has been raised."""
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def test_exception_is_its_type_and_its_place() -> None:
    text = formatted(raised(ValueError("planted"), raised(KeyError("planted"))))

    assert "planted" not in text
    assert text.count('test_privacy.py", line') >= 2
    assert text.index("builtins.KeyError") < text.index("led to this one") < text.index("builtins.ValueError")


def test_exceptions_of_a_group_are_shown_and_a_circle_has_an_end() -> None:
    first, second = KeyError("planted"), ValueError("planted")
    first.__context__, second.__context__ = second, first

    assert formatted(first).count("builtins.") == 2
    assert "\n+ builtins.KeyError" in formatted(raised(ExceptionGroup("planted", [KeyError("planted")])))


def test_context_that_is_suppressed_is_not_shown() -> None:
    error = ValueError("planted")
    error.__context__, error.__suppress_context__ = KeyError("planted"), True

    assert "KeyError" not in formatted(error)


LIBRARIES = [
    ("asyncio", "Exception in callback handle('planted')", "Exception in callback handle"),
    ("asyncio", "Task exception was never retrieved\nfuture: <Task planted>", "Task exception was never retrieved"),
    ("aiohttp.server", "Error handling request from 127.0.0.1", "Error handling request from 127.0.0.1"),
    ("aiohttp.server", "<planted>", ""),
    ("callfsm.server", "[DOOR] Refused at /twilio/voice: unsigned", "[DOOR] Refused at /twilio/voice: unsigned"),
]


@pytest.mark.parametrize(("name", "message", "line"), LIBRARIES)
def test_message_of_a_library_is_cut_before_what_it_quotes(name: str, message: str, line: str) -> None:
    assert formatted(KeyError("planted"), name=name, message=message).splitlines()[0] == line
