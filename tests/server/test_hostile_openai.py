"""OpenAI fails, errs and raves in a live call: what the caller hears of it."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from callfsm.config import Config
from callfsm.server import link
from callfsm.sim.realtime_script import Fault, Reply
from tests.server.beside import ending, metric, ready, until_over
from tests.server.by_hand import LOUD, PROOF, QUIET, TIMEOUT_S, Api, Hands
from tests.server.openai_side import (
    GRACELESS,
    HASTY,
    NEXT,
    SCRIPT,
    VOICE,
    WORDS,
    asks,
    begun,
    driven,
    ear,
    goes_well,
    hangs_up,
    is_answered,
    is_idle,
    lines,
    replies,
    said,
    simulated,
    transcribed,
    twiml,
    voice,
    with_limits,
)

# Responses that come to nothing

NOTHING: list[tuple[str, str, Any]] = [
    (
        "failed",
        "failed",
        {"type": "failed", "error": {"type": "server_error", "code": "server_error", "message": ""}},
    ),
    ("rate limit", "failed", {"type": "failed", "error": {"code": "rate_limit_exceeded"}}),
    ("no details", "failed", None),
    ("tokens", "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}),
    ("filter", "incomplete", {"type": "incomplete", "reason": "content_filter"}),
    ("no reason", "incomplete", {}),
    ("cancelled by the server", "cancelled", {"type": "cancelled", "reason": "turn_detected"}),
    ("unknown status", "pondering", {"type": "pondering"}),
    ("text for details", "failed", "insufficient_quota"),
    ("a number", "failed", 7),
    ("a list", "failed", [{"error": {"code": "insufficient_quota"}}]),
    ("text for an error", "failed", {"error": "insufficient_quota"}),
    ("a list for an error", "failed", {"error": ["insufficient_quota"]}),
    ("a number for a code", "failed", {"error": {"code": 429}}),
    ("an object for a code", "failed", {"error": {"code": {"insufficient_quota": 1}}}),
    ("a null code", "failed", {"error": {"code": None, "type": None}}),
    ("a long code", "failed", {"error": {"code": "x" * 100_000}}),
]
"""How a response ended that said nothing."""


async def ends(api: Api, create: dict[str, Any], response_id: str, status: str, details: Any) -> None:
    response = {"id": response_id, "status": status, "status_details": details, "output": [],
                "metadata": create["response"]["metadata"]}  # fmt: skip
    await api.send("response.done", response=response)


async def test_response_that_says_nothing_is_requested_once_more(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            for number, (_, status, details) in enumerate(NOTHING, 1):
                create = await said(line, api, number)
                await api.creates(f"nothing{number}", create["response"]["metadata"]["turn"])
                await ends(api, create, f"nothing{number}", status, details)
                await replies(api, await api.until("response.create", 2 * number), f"r{number}")
                await hearing.hears_in_all(len(VOICE) * number)
            await hangs_up(line)
            await hearing.until_closed()

    assert ending(tmp_path)["reason"] == "hangup"
    assert api.types().count("response.create") == 2 * len(NOTHING)


@pytest.mark.parametrize(("status", "details"), [("failed", None), ("incomplete", {"reason": "content_filter"})])
async def test_response_that_says_nothing_twice_ends_the_call(tmp_path: Path, status: str, details: Any) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        create = await said(line, api)
        await api.creates("r1", create["response"]["metadata"]["turn"])
        await ends(api, create, "r1", status, details)
        await ends(api, await api.until("response.create", 2), "r2", status, details)
        await line.until("closed")

        assert "/clips/apology" in await twiml(hands, "/twilio/after")

    assert ending(tmp_path)["reason"] == "reply_failed"
    assert api.types().count("response.create") == 2


async def test_response_that_breaks_off_is_heard_and_is_not_requested_again(tmp_path: Path) -> None:
    cases = [case for case in NOTHING if case[1] != "failed"]
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            for number, (_, status, details) in enumerate(cases, 1):
                create = await said(line, api, number)
                await api.creates(f"r{number}", create["response"]["metadata"]["turn"])
                await api.speaks(f"r{number}", f"item_r{number}", 200)
                await ends(api, create, f"r{number}", status, details)
                await hearing.hears_in_all(len(VOICE) * number)
            await goes_well(line, api, hearing, len(cases) + 1)

    assert api.types().count("response.create") == len(cases) + 1
    assert bytes(hearing.audio) == VOICE * len(cases) + voice(200, 0x22)


async def test_rest_of_a_response_that_failed_is_requested(tmp_path: Path) -> None:
    cases = [case for case in NOTHING if case[1] == "failed"]
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            for number, (_, status, details) in enumerate(cases, 1):
                create = await said(line, api, number)
                await api.creates(f"begun{number}", create["response"]["metadata"]["turn"])
                await api.speaks(f"begun{number}", f"item_begun{number}", 200)
                await ends(api, create, f"begun{number}", status, details)
                create = await api.until("response.create", 2 * number)
                assert "המשך" in create["response"]["instructions"]
                await replies(api, create, f"r{number}", value=0x11)
                await hearing.hears_in_all(2 * len(VOICE) * number)

    assert bytes(hearing.audio) == (VOICE + voice(200, 0x11)) * len(cases)


FAULTS_OF_A_REPLY = [Fault.FAILED, Fault.CONTENT_FILTER, Fault.NO_AUDIO, Fault.NO_RESPONSE]


@pytest.mark.parametrize("fault", FAULTS_OF_A_REPLY)
async def test_fault_of_a_reply_is_overcome_once(tmp_path: Path, fault: Fault) -> None:
    bad = attrs.evolve(SCRIPT.default_reply, faults=frozenset({fault}))
    async with simulated(attrs.evolve(SCRIPT, replies=(bad,)), folder=tmp_path, config=Config(turn=HASTY)) as stage:
        line = await stage.hands.call()
        async with ear(line) as hearing:
            await asks(line)
            await hearing.hears(VOICE * 5)


QUOTA = {"type": "failed", "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": ""}}


@pytest.mark.parametrize("details", [QUOTA, {"error": {"type": "insufficient_quota"}}])
async def test_exhausted_quota_ends_the_call_at_once(tmp_path: Path, details: Any) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        create = await said(line, api)
        await api.creates("r1", create["response"]["metadata"]["turn"])
        await ends(api, create, "r1", "failed", details)
        await line.until("closed")
        await until_over(hands)

        assert metric(hands, "realtime_errors", code="insufficient_quota") == 1
        assert "/clips/apology" in await twiml(hands, "/twilio/after")

    assert ending(tmp_path)["reason"] == "realtime_quota_exhausted"
    assert api.types().count("response.create") == 1


async def test_request_refused_for_quota_ends_the_call_at_once(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        create = await said(line, api)
        await api.send("error", error={"code": "insufficient_quota", "event_id": create["event_id"]})
        await line.until("closed")

    assert ending(tmp_path)["reason"] == "realtime_quota_exhausted"


async def test_no_event_after_a_request_is_waited_for_twice(tmp_path: Path) -> None:
    async with driven(tmp_path, Config(turn=HASTY)) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await said(line, api)
            await api.until("response.cancel")
            await replies(api, await api.until("response.create", 2), "r2")
            await hearing.hears(VOICE)
            await said(line, api, 2, NEXT)
            await hearing.until_closed()

        assert "/clips/apology" in await twiml(hands, "/twilio/after")

    assert ending(tmp_path)["reason"] == "reply_failed"
    assert api.types().count("response.create") == 4


async def test_reply_that_stalls_is_given_up_and_its_rest_is_asked_for(tmp_path: Path) -> None:
    async with driven(tmp_path, Config(turn=HASTY)) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            create = await said(line, api)
            await api.creates("r1", create["response"]["metadata"]["turn"])
            await api.speaks("r1", "item_r1", 200)
            cancel = await api.until("response.cancel")
            await api.ends("r1", create["response"]["metadata"]["turn"], "cancelled", "item_r1")
            rest = await api.until("response.create", 2)
            await replies(api, rest, "r2", value=0x11)
            await hearing.hears(voice(200, 0x11))
            await goes_well(line, api, hearing, 2)

    assert cancel["response_id"] == "r1"
    assert "המשך" in rest["response"]["instructions"]


# Errors

CODES: list[Any] = [
    "response_cancel_not_active", "input_audio_buffer_commit_empty", "item_not_found", "invalid_value",
    "unknown_parameter", "cannot_update_voice", "beta_api_shape_disabled", "server_error", "rate_limit_exceeded",
    "made_up", 429, "", None,
]  # fmt: skip
ADDRESSES: list[Any] = [None, "nobody", "commit1", "session1"]


@pytest.mark.parametrize("event_id", ADDRESSES)
async def test_errors_that_are_not_about_the_request_change_nothing(tmp_path: Path, event_id: Any) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await err(api, event_id)
            create = await said(line, api)
            await err(api, event_id)
            await replies(api, create, "r1")
            await err(api, event_id)
            await hearing.hears(VOICE)
            await err(api, event_id)
            await goes_well(line, api, hearing, 2)

    assert ending(tmp_path)["reason"] == "hangup"
    assert api.types().count("response.create") == 2


async def err(api: Api, event_id: Any) -> None:
    """Send every error there is."""
    for code in CODES:
        error = {
            "type": "invalid_request_error",
            "code": code,
            "message": "Audio content of 1ms",
            "event_id": event_id,
        }
        await api.send("error", error=error)


async def refused(api: Api, create: dict[str, Any], code: Any) -> None:
    await api.send("error", error={"type": "server_error", "code": code, "event_id": create["event_id"]})


async def test_error_about_the_request_has_it_made_once_more(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            for number, code in enumerate(CODES, 1):
                await refused(api, await said(line, api, number), code)
                await replies(api, await api.until("response.create", 2 * number), f"r{number}")
                await hearing.hears_in_all(len(VOICE) * number)
            await refused(api, await said(line, api, len(CODES) + 1), "server_error")
            await refused(api, await api.until("response.create", 2 * len(CODES) + 2), "server_error")
            await hearing.until_closed()

    assert ending(tmp_path)["reason"] == "reply_failed"


BUSY = [
    {"code": "conversation_already_has_active_response"},
    {"code": None, "message": "Conversation already has an active response in progress: resp_1."},
    {"type": "conversation_already_has_active_response", "code": None},
]


@pytest.mark.parametrize("error", BUSY)
@pytest.mark.parametrize("is_addressed", [True, False])
async def test_request_that_finds_another_response_is_made_again_after_it(
    tmp_path: Path, error: dict[str, Any], is_addressed: bool
) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            create = await said(line, api)
            await api.creates("foreign", None)
            await api.send("error", error={**error, "event_id": create["event_id"] if is_addressed else None})
            await api.speaks("foreign", "f1", 200, value=0x11)
            await api.ends("foreign", None, "cancelled")
            await replies(api, await api.until("response.create", 2), "r1")
            await hearing.hears(VOICE)

    assert bytes(hearing.audio) == VOICE


ODD_ERRORS: list[Any] = [None, {}, {"code": {}}, {"code": []}, {"message": 7}, {"event_id": 7}, "quota", [], 7, True]


async def test_error_of_an_odd_shape_is_none(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            for error in ODD_ERRORS:
                await api.send("error", error=error)
            await goes_well(line, api, hearing)

    assert ending(tmp_path)["reason"] == "hangup"


# Events that have no place


def item(kind: str, item_id: str = "u1", **more: Any) -> dict[str, Any]:
    return {"type": kind, "item_id": item_id, "content_index": 0, **more}


def delta(response_id: str = "r1") -> dict[str, Any]:
    audio = base64.b64encode(voice(200, 0x11)).decode()
    return item("response.output_audio.delta", f"item_{response_id}", response_id=response_id, delta=audio)


def response(kind: str, response_id: str = "r1", turn: str | None = "1", status: str = "completed") -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": response_id,
        "status": status,
        "metadata": {"turn": turn} if turn else None,
        "output": [],
    }
    return {"type": kind, "response": body}


STRAY = [
    response("response.done"), response("response.done", status="failed"), response("response.created"), delta(),
    response("response.created", "x1", None), delta("x1"), response("response.done", "x1", None), delta("x2"),
    response("response.done", "x3", "9"), {"type": "response.cancelled"}, {"type": "response.cancelled", "response_id": "r1"},
    item("input_audio_buffer.committed"), item("input_audio_buffer.committed", "u77"),
    item("conversation.item.input_audio_transcription.completed", transcript="עוד פעם?"),
    item("conversation.item.input_audio_transcription.completed", "u77", transcript="של אף אחד"),
    item("conversation.item.input_audio_transcription.failed", error={"code": "x"}),
    item("conversation.item.input_audio_transcription.delta", delta="x"),
    {"type": "session.created", "session": {}}, {"type": "session.updated", "session": {"audio": {"input": {"format": {"type": "audio/pcm"}}}}},
    {"type": "conversation.created"}, {"type": "session.weather"}, {"type": "rate_limits.updated", "rate_limits": 7},
    item("response.output_audio_transcript.done", "item_r1", response_id="r1", transcript="סוד"),
    item("response.function_call_arguments.done", "f1", response_id="r1", call_id="c1", name="hang_up", arguments="{}"),
    {"type": "input_audio_buffer.speech_started", "item_id": "u9"}, {"type": "input_audio_buffer.timeout_triggered"},
]  # fmt: skip
"""After r1 is over: late, twice, out of order, about nothing, or unknown."""


async def test_events_that_have_no_place_are_not_heard(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await is_idle(line, api, hearing)
            for stray in STRAY:
                await api.send(**_kind(stray))
            await is_answered(line, api, hearing, 2)
            for stray in STRAY[::-1]:
                await api.send(**_kind(stray))
            await goes_well(line, api, hearing, 2)

    assert bytes(hearing.audio) == VOICE + voice(200, 0x22) * 2
    assert api.types().count("response.create") == 3
    assert ending(tmp_path)["reason"] == "hangup"


def _kind(event: dict[str, Any]) -> dict[str, Any]:
    return {"kind": event["type"], **{key: value for key, value in event.items() if key != "type"}}


async def test_events_out_of_order_are_put_up_with(tmp_path: Path) -> None:
    """Audio before its response.created, an end before its audio, a transcript before its item."""
    async with driven(tmp_path, Config(turn=HASTY)) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await line.asks()
            await api.until("input_audio_buffer.commit")
            await api.transcribes("u1", WORDS)
            await api.send("input_audio_buffer.committed", item_id="u1")
            await api.transcribes("u1", WORDS)
            create = await api.until("response.create")
            await api.speaks("r1", "item_r1", 200, value=0x11)
            await api.ends("r1", create["response"]["metadata"]["turn"], "completed", "item_r1")
            await api.creates("r1", create["response"]["metadata"]["turn"])
            await replies(api, await api.until("response.create", 2), "r2")
            await hearing.hears(VOICE)

    assert bytes(hearing.audio) == VOICE


async def test_unsolicited_response_does_not_disturb_the_one_that_is_heard(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            create = await said(line, api)
            await api.creates("r1", create["response"]["metadata"]["turn"])
            await api.speaks("r1", "item_r1", 200)
            await api.creates("x1", None)
            await api.speaks("x1", "item_x1", 200, value=0x11)
            await api.speaks("r1", "item_r1", 200)
            await api.speaks("x1", "item_x1", 200, value=0x11)
            await api.ends("x1", None, "cancelled")
            await api.speaks("r1", "item_r1", 200)
            await api.ends("r1", create["response"]["metadata"]["turn"], "completed", "item_r1")
            cancel = await api.until("response.cancel")
            await hearing.hears(voice(600))

    assert cancel["response_id"] == "x1"
    assert bytes(hearing.audio) == voice(600)
    assert api.types().count("response.cancel") == 1


# Too much


def speech(number: int) -> bytes:
    """200 ms that no other number has, and that are not loud."""
    return bytes(0xE0 | int(digit, 16) for digit in f"{number:04x}") * 400


async def test_minute_in_a_second_is_played_in_order_and_stops_at_once(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        async with ear(line, is_echoing=False) as hearing:
            create = await said(line, api)
            await api.creates("r1", create["response"]["metadata"]["turn"])
            for number in range(300):
                audio = base64.b64encode(speech(number)).decode()
                await api.send(**_kind({**delta(), "delta": audio}))
            await hearing.hears(speech(299))
            assert bytes(hearing.audio) == b"".join(map(speech, range(300)))
            await line.hears(*PROOF)
            await api.until("response.cancel")
            await hearing.until(lambda: "clear" in hearing.events)
            await api.ends("r1", create["response"]["metadata"]["turn"], "cancelled", "item_r1")
            await line.hears(*[LOUD] * 8, *[QUIET] * 30)
            await replies(api, await transcribed(api, 2, NEXT), "r2", value=0x22)
            await hearing.hears(voice(200, 0x22))
            session = hands.server.calls["CA1"]

            assert hearing.events.count("clear") == 1
            assert session._to_twilio._size_bytes == 0
            assert sum(len(piece) for _, piece in session._call.playback._kept) < 10_000


async def test_audio_without_end_ends_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MOST_AHEAD_S", 30.0)
    async with driven(tmp_path) as hands:
        good, good_api = await begun(hands, "CA99")
        line, api = await begun(hands)
        async with ear(line, is_echoing=False) as hearing, ear(good) as beside:
            create = await said(line, api)
            await api.creates("r1", create["response"]["metadata"]["turn"])
            for _ in range(31):
                await api.speaks("r1", "item_r1", 1_000 + 10)
            await hearing.until_closed()
            await until_over(hands)
            await is_answered(good, good_api, beside)

        assert "/clips/apology" in await twiml(hands, "/twilio/after")

    assert ending(tmp_path)["reason"] == "realtime_flood"
    assert sum(line.get("event") == "AudioDelta" for line in lines(tmp_path)) in {29, 30}


async def test_half_an_hour_in_two_messages_is_a_flood_as_well(tmp_path: Path) -> None:
    async with driven(tmp_path) as hands:
        line, api = await begun(hands)
        create = await said(line, api)
        await api.creates("r1", create["response"]["metadata"]["turn"])
        await api.speaks("r1", "item_r1", 1_000_000)
        await api.speaks("r1", "item_r1", 1_000_000)
        await line.until("closed")

    assert ending(tmp_path)["reason"] == "realtime_flood"


async def test_endless_reply_of_the_simulated_api_is_stopped_by_the_caller(tmp_path: Path) -> None:
    endless = Reply("בלי סוף", VOICE * 5, rate=100.0, faults=frozenset({Fault.ENDLESS}))
    async with simulated(attrs.evolve(SCRIPT, replies=(endless,)), folder=tmp_path) as stage:
        line = await stage.hands.call()
        async with ear(line, is_echoing=False) as hearing:
            await asks(line)
            await hearing.until(lambda: len(hearing.audio) > 20 * len(VOICE))
            await line.hears(*PROOF, *[LOUD] * 8, *[QUIET] * 30)
            await hearing.until(lambda: "clear" in hearing.events)
            hearing.is_echoing = True
            count = len(hearing.audio)
            await hearing.until(lambda: len(hearing.audio) == count + 5 * len(VOICE))


async def test_message_above_the_limit_costs_the_session_and_not_the_call(tmp_path: Path) -> None:
    async with driven(tmp_path, with_limits(realtime_message_bytes=65_536)) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await is_idle(line, api, hearing)
            await api.send("session.weather", wind="x" * 70_000)
            await goes_well(line, await ready(hands), hearing)


# Anything at all

TYPES = sorted({stray["type"] for stray in STRAY} | {"error", "response.output_audio.delta", "response.text.delta"})
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["u1", "r1", "r2", "1", "2", "completed", "audio/pcmu"])  # fmt: skip
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "status", "metadata", "turn", "output", "code", "error", "type", "event_id"]), inner, max_size=4), max_leaves=8)  # fmt: skip
FIELDS = ["item_id", "response_id", "delta", "transcript", "call_id", "name", "arguments", "response", "error", "session"]  # fmt: skip
MESSAGE = st.builds(
    lambda kind, fields: json.dumps({**fields, "type": kind}),
    st.sampled_from(TYPES), st.dictionaries(st.sampled_from(FIELDS), VALUE, max_size=5),
)  # fmt: skip
MUTATED = st.builds(
    lambda stray, at, more: _mutated(json.dumps(stray), at, more),
    st.sampled_from([*STRAY, *(response("response.created", "r2", "2"), delta("r2"))]), st.integers(0, 400), st.text(max_size=3),
)  # fmt: skip
SENT = st.lists(MESSAGE | MUTATED | st.text(max_size=20) | st.binary(max_size=20), min_size=20, max_size=40)


def _mutated(text: str, at: int, more: str) -> str:
    place = at % (len(text) + 1)
    return text[:place] + more + text[place + 1 :]


async def _raves(api: Api, messages: list[str | bytes]) -> None:
    for message in messages:
        try:
            if isinstance(message, bytes):
                await api.socket.send_bytes(message)
            else:
                await api.socket.send_str(message.encode("utf-8", "replace").decode())
        except ConnectionError:
            return


async def _survives(hands: Hands, call_sid: str, messages: list[str | bytes]) -> str:
    """Rave into every part of a call; return how it ended."""
    line, api = await begun(hands, call_sid)
    async with ear(line) as hearing:
        third = len(messages) // 3
        await _raves(api, messages[:third])
        await line.asks()
        await _raves(api, messages[third : 2 * third])
        await line.hears(*PROOF)
        await _raves(api, messages[2 * third :])
        await _raves(api, [json.dumps(response("response.created", "r1")), json.dumps(delta())])
        await line.hears(*[QUIET] * 30)
        await hangs_up(line)
        await hearing.until_closed()
    async with asyncio.timeout(TIMEOUT_S):
        await until_over(hands, call_sid)
    return call_sid


def test_whatever_comes_is_no_bug_of_ours(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path_factory.mktemp("journals")

    @settings(max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(SENT)
    def rave(messages: list[str | bytes]) -> None:
        asyncio.run(_rave(messages))

    async def _rave(messages: list[str | bytes]) -> None:
        async with driven(folder, Config(turn=GRACELESS)) as hands:
            await _survives(hands, "CA1", messages)
            assert metric(hands, "calls", end="internal_error") == 0

    rave()
    assert [record.getMessage() for record in caplog.records if "[BUG]" in record.getMessage()] == []
