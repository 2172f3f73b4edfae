"""The simulated Realtime server's protocol, as a client of the GA API sees it."""

import base64
from typing import Any

import aiohttp
import pytest
from pytest_aiohttp import AiohttpClient

from callfsm.sim.realtime import CONNECTIONS, build_realtime_app, running, serve
from callfsm.sim.realtime_script import Reply, Script, Utterance
from tests.sim.conftest import Connect
from tests.sim.realtime_client import HEADERS, TELEPHONE, URL, Client, types

VOICE = bytes(range(256)) * 30  # 960 ms
REPLY = Reply("אנחנו פתוחים עד שש בערב", VOICE)
SPEED = 50.0
SCRIPT = Script(utterances=(Utterance("מה שעות הפתיחה?"),), replies=(REPLY,), default_reply=REPLY, speed=SPEED)


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        pytest.param(URL, {}, 401, id="no key"),
        pytest.param(URL, {"Authorization": "Basic key"}, 401, id="another scheme"),
        pytest.param(URL, {"Authorization": "Bearer "}, 401, id="empty key"),
        pytest.param("/v1/realtime", HEADERS, 400, id="no model"),
    ],
)
async def test_a_handshake_needs_a_key_and_a_model(
    aiohttp_client: AiohttpClient, url: str, headers: dict[str, str], status: int
) -> None:
    client = await aiohttp_client(build_realtime_app(SCRIPT))

    assert (await client.get(url, headers=headers)).status == status


async def test_the_beta_header_is_refused(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(build_realtime_app(SCRIPT))
    socket = await client.ws_connect(URL, headers=HEADERS | {"OpenAI-Beta": "realtime=v1"})

    assert (await socket.receive_json())["error"]["code"] == "beta_api_shape_disabled"
    await socket.receive()
    assert socket.close_code == 4000


async def test_a_session_begins_with_defaults_that_no_telephone_can_use(connect: Connect) -> None:
    client = await connect(SCRIPT)

    (created,) = client.connection.records("session.created")
    audio = created.event["session"]["audio"]
    assert audio["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert audio["input"]["turn_detection"]["type"] == "server_vad"
    assert created.event["session"]["model"] == client.connection.model == "gpt-realtime-2.1"


async def test_an_update_changes_what_it_names_and_nothing_else(connect: Connect) -> None:
    client = await connect(SCRIPT)

    await client.send("session.update", session=TELEPHONE)
    first = (await client.next("session.updated"))["session"]
    await client.send("session.update", session={"type": "realtime", "audio": {"output": {"speed": 1.5}}})
    second = (await client.next("session.updated"))["session"]

    assert first == first | TELEPHONE
    assert second["audio"]["output"] == first["audio"]["output"] | {"speed": 1.5}
    assert second["audio"]["input"] == first["audio"]["input"]


def session_of(**fields: Any) -> dict[str, Any]:
    return {"type": "realtime", **fields}


def input_of(**fields: Any) -> dict[str, Any]:
    return session_of(audio={"input": fields})


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({}, "missing_required_parameter", "session.type"),
        (session_of(input_audio_format="g711_ulaw"), "unknown_parameter", "session.input_audio_format"),
        (session_of(voice="marin"), "unknown_parameter", "session.voice"),
        (session_of(turn_detection=None), "unknown_parameter", "session.turn_detection"),
        (session_of(temperature=0.8), "unknown_parameter", "session.temperature"),
        (session_of(output_modalities=["audio", "text"]), "invalid_value", "session.output_modalities"),
        (session_of(max_output_tokens=5000), "invalid_value", "session.max_output_tokens"),
        (input_of(format="g711_ulaw"), "invalid_value", "session.audio.input.format"),
        (input_of(format={"type": "g711_ulaw"}), "invalid_value", "session.audio.input.format.type"),
        (
            input_of(format={"type": "audio/pcmu", "rate": 8000}),
            "unknown_parameter",
            "session.audio.input.format.rate",
        ),
        (input_of(format={"type": "audio/pcm", "rate": 8000}), "invalid_value", "session.audio.input.format.rate"),
    ],
)
async def test_a_bad_session_is_refused_and_the_old_one_stays(
    connect: Connect, session: dict[str, Any], code: str, param: str
) -> None:
    client = await connect(SCRIPT)
    before = client.connection.session

    error = await client.error("session.update", session=session)

    assert (error["code"], error["param"]) == (code, param)
    assert client.connection.session == before


async def test_the_voice_is_locked_once_it_was_heard(connect: Connect) -> None:
    client = await connect(SCRIPT)
    await client.send("response.create")
    await client.until("response.done")

    error = await client.error("session.update", session=session_of(audio={"output": {"voice": "cedar"}}))

    assert error["code"] == "cannot_update_voice"


async def test_committed_audio_becomes_an_item_and_then_a_transcript(connect: Connect) -> None:
    client = await connect(SCRIPT)
    await client.set_up()

    await client.send("input_audio_buffer.append", audio=base64.b64encode(VOICE).decode())
    await client.send("input_audio_buffer.commit")
    events = await client.until("conversation.item.input_audio_transcription.completed")

    assert types(events) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        *["conversation.item.input_audio_transcription.delta"] * 3,
        "conversation.item.input_audio_transcription.completed",
    ]
    committed, added, completed = events[0], events[1], events[-1]
    assert committed["item_id"] == added["item"]["id"] == completed["item_id"]
    assert completed["transcript"] == "מה שעות הפתיחה?"
    assert completed["usage"] == {"type": "duration", "seconds": 1}
    assert client.connection.conversation.get(committed["item_id"]).audio == VOICE
    assert client.connection.input_audio == b""


async def test_items_follow_one_another(connect: Connect) -> None:
    client = await connect(SCRIPT)
    await client.set_up()

    first = await client.say(VOICE)
    await client.send("response.create")
    reply = (await client.next("response.output_item.added"))["item"]["id"]
    added = await client.next("conversation.item.added")

    assert (added["item"]["id"], added["previous_item_id"]) == (reply, first)
    assert [item.id for item in client.connection.conversation.items] == [first, reply]


@pytest.mark.parametrize("ulaw", [b"", bytes(799)], ids=["empty", "just under 100 ms"])
async def test_a_commit_of_too_little_is_refused(connect: Connect, ulaw: bytes) -> None:
    client = await connect(SCRIPT)
    await client.set_up()
    await client.send("input_audio_buffer.append", audio=base64.b64encode(ulaw).decode())

    error = await client.error("input_audio_buffer.commit")

    assert error["code"] == "input_audio_buffer_commit_empty"


async def test_100_ms_are_enough_and_a_clear_takes_them_away(connect: Connect) -> None:
    client = await connect(Script(default_utterance=Utterance(never=True)))
    await client.set_up()

    await client.say(bytes(800))
    await client.send("input_audio_buffer.append", audio=base64.b64encode(bytes(800)).decode())
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")
    error = await client.error("input_audio_buffer.commit")

    assert error["code"] == "input_audio_buffer_commit_empty"


async def test_mu_law_in_a_session_that_still_expects_pcm_is_too_little(connect: Connect) -> None:
    client = await connect(SCRIPT)
    await client.send("input_audio_buffer.append", audio=base64.b64encode(bytes(800)).decode())

    assert (await client.error("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize(
    ("event_type", "fields", "param"),
    [
        ("input_audio_buffer.append", {"audio": "*"}, "audio"),
        ("input_audio_buffer.append", {"audio": None}, "audio"),
        ("output_audio_buffer.clear", {}, "type"),
        ("response.sing", {}, "type"),
        ("response.create", {"response": {"metadata": {"turn": 7}}}, "response.metadata[...]"),
        ("response.create", {"response": {"metadata": {"t" * 65: "7"}}}, "response.metadata"),
    ],
)
async def test_an_event_that_is_none_is_refused(
    connect: Connect, event_type: str, fields: dict[str, Any], param: str
) -> None:
    client = await connect(SCRIPT)

    error = await client.error(event_type, **fields)

    assert (error["code"], error["param"]) == ("invalid_value", param)


@pytest.mark.parametrize("text", ["{", "[]", '"hello"'])
async def test_a_message_that_is_no_event_is_refused(connect: Connect, text: str) -> None:
    client = await connect(SCRIPT)

    await client.socket.send_str(text)

    assert (await client.next("error"))["error"]["code"] == "invalid_json"


async def test_connections_are_kept_and_closed_with_the_server(aiohttp_client: AiohttpClient) -> None:
    app = build_realtime_app(SCRIPT)
    client = await aiohttp_client(app)
    sockets = [await client.ws_connect(URL, headers=HEADERS) for _ in range(2)]
    first, second = [await app[CONNECTIONS].wait_for(number) for number in (1, 2)]
    ours = Client(sockets[0], first)
    await ours.send("input_audio_buffer.clear")
    (record,) = await first.wait_for("input_audio_buffer.clear")

    await client.server.close()

    assert record.event == {"type": "input_audio_buffer.clear"}
    assert second.received == []
    assert first.is_closed
    assert second.is_closed


async def test_a_server_runs_for_the_length_of_a_block_and_has_its_port_alone() -> None:
    async with running(SCRIPT) as server, aiohttp.ClientSession(headers=HEADERS) as session:
        socket = await session.ws_connect(f"{server.url}?model=m")
        connection = await server.connections.wait_for()
        with pytest.raises(OSError, match="in use"):
            await serve(int(server.url.split(":")[2].split("/")[0]), SCRIPT)

    assert connection.model == "m"
    assert connection.is_closed
    await socket.close()


async def test_waiting_for_an_event_that_does_not_come_tells_which_did(connect: Connect) -> None:
    client = await connect(SCRIPT)

    with pytest.raises(TimeoutError, match=r"no response\.done within .*; seen were session\.created"):
        await client.connection.wait_for("response.done", timeout_s=0.01)
