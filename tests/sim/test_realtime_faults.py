"""The simulated Realtime server's misbehaviours: each does what its name says, and no more."""

import asyncio
import json

import attrs
import pytest
from aiohttp import WSMsgType
from pytest_aiohttp import AiohttpClient

from callfsm.sim.realtime import CONNECTIONS, build_realtime_app
from callfsm.sim.realtime_script import Fault, Reply, Script, Utterance
from tests.sim.conftest import Connect
from tests.sim.realtime_client import HEADERS, TELEPHONE, URL, Client, types

VOICE = bytes(800)
REPLY = Reply("one two three four", VOICE * 16)
SCRIPT = Script(default_reply=REPLY, default_utterance=Utterance("hello"), speed=50.0)
TRANSCRIPT = "conversation.item.input_audio_transcription"
DELTA = "response.output_audio.delta"


def script(*faults: Fault) -> Script:
    """Return a script whose whole connection has these faults."""
    return attrs.evolve(SCRIPT, faults=frozenset(faults))


def faulty_reply(*faults: Fault) -> Script:
    """Return a script whose first reply alone has these faults."""
    return attrs.evolve(SCRIPT, replies=(attrs.evolve(REPLY, faults=frozenset(faults)),))


async def cancelled(client: Client) -> None:
    """Ask for a response, and cancel it in its first words."""
    await client.send("response.create")
    await client.until(DELTA)
    await client.send("response.cancel")


async def spoken_well(client: Client) -> None:
    """Check that the next response is as it should be."""
    await client.send("response.create")
    events = await client.until("response.done")
    assert types(events).count(DELTA) == 8


async def test_a_handshake_may_fail_and_the_next_succeed(aiohttp_client: AiohttpClient) -> None:
    app = build_realtime_app(script(Fault.UNAUTHORIZED), script(Fault.SERVER_ERROR), SCRIPT)
    client = await aiohttp_client(app)

    answers = [(await client.get(URL, headers=HEADERS)).status for _ in range(2)]
    await client.ws_connect(URL, headers=HEADERS)

    assert answers == [401, 500]
    assert app[CONNECTIONS].handshakes == 3
    assert (await app[CONNECTIONS].wait_for(1)).script is SCRIPT


async def test_a_session_update_may_go_unanswered(connect: Connect) -> None:
    client = await connect(script(Fault.NO_SESSION_UPDATED))

    await client.send("session.update", session=TELEPHONE)
    await client.send("input_audio_buffer.clear")

    assert (await client.receive())["type"] == "input_audio_buffer.cleared"


async def test_a_session_update_may_be_refused(connect: Connect) -> None:
    client = await connect(script(Fault.REJECTED_SESSION))

    assert (await client.error("session.update", session=TELEPHONE))["param"] == "session"


async def test_transcripts_may_fail_or_never_come(connect: Connect) -> None:
    utterances = (Utterance("lost", never=True), Utterance("failed", fail=True), Utterance("heard"))
    client = await connect(attrs.evolve(SCRIPT, utterances=utterances))
    await client.set_up()

    items = [await client.say(VOICE) for _ in utterances]
    await client.connection.wait_for(f"{TRANSCRIPT}.completed")

    answered = [record.event for record in client.connection.sent if TRANSCRIPT in record.type]
    assert types(answered) == [f"{TRANSCRIPT}.{end}" for end in ("failed", "delta", "completed")]
    assert [event["item_id"] for event in answered] == [items[1], items[2], items[2]]


@pytest.mark.parametrize("is_set_up", [True, False])
async def test_no_transcript_comes_where_none_may(connect: Connect, is_set_up: bool) -> None:
    client = await connect(script(Fault.NO_TRANSCRIPT) if is_set_up else SCRIPT)
    if is_set_up:
        await client.set_up()

    await client.say(VOICE * 6)
    await spoken_well(client)

    assert [record for record in client.connection.sent if TRANSCRIPT in record.type] == []


async def test_a_response_may_come_unasked(connect: Connect) -> None:
    client = await connect(script(Fault.UNSOLICITED_RESPONSE))
    await client.set_up()

    await client.say(VOICE)
    unasked = (await client.next("response.done"))["response"]
    await client.say(VOICE)
    await spoken_well(client)

    assert unasked["metadata"] is None
    assert len(client.connection.records("response.created")) == 2


async def test_the_first_request_may_find_a_foreign_response_under_way(connect: Connect) -> None:
    client = await connect(script(Fault.FOREIGN_RESPONSE))

    await client.send("response.create", response={"metadata": {"turn": "1"}})
    before_error = await client.until("error")
    foreign = (await client.next("response.done"))["response"]
    await client.send("response.create", response={"metadata": {"turn": "1"}})
    ours = (await client.next("response.done"))["response"]

    assert types(before_error) == ["response.created", "rate_limits.updated", "error"]
    assert before_error[-1]["error"]["code"] == "conversation_already_has_active_response"
    assert (foreign["status"], foreign["metadata"]) == ("completed", None)
    assert (ours["status"], ours["metadata"]) == ("completed", {"turn": "1"})


async def test_events_may_have_the_names_of_the_beta(connect: Connect) -> None:
    client = await connect(script(Fault.BETA_NAMES))
    client.is_strict = False

    await client.send("response.create")
    seen = types(await client.until("response.done"))

    assert "response.audio.delta" in seen
    assert "response.audio_transcript.done" in seen
    assert seen.count("conversation.item.created") == 1
    assert not {name for name in seen if "output_audio" in name or name.startswith("conversation.item.d")}


async def test_unknown_events_may_come_between(connect: Connect) -> None:
    client = await connect(SCRIPT)
    client.connection.script = script(Fault.UNKNOWN_EVENTS)
    client.is_strict = False

    await client.send("response.create")
    seen = types(await client.until("response.done"))

    assert set(seen[0::2]) == {"session.weather"}
    assert "session.weather" not in seen[1::2]


async def test_a_request_may_go_unanswered(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.NO_RESPONSE))

    await client.send("response.create")
    await spoken_well(client)

    assert len(client.connection.records("response.created")) == 1


@pytest.mark.parametrize(("fault", "status"), [(Fault.FAILED, "failed"), (Fault.NO_AUDIO, "completed")])
async def test_a_response_may_have_no_audio(connect: Connect, fault: Fault, status: str) -> None:
    client = await connect(faulty_reply(fault))

    await client.send("response.create")
    events = await client.until("response.done")
    await spoken_well(client)

    assert types(events) == ["response.created", "rate_limits.updated", "response.done"]
    assert (events[-1]["response"]["status"], events[-1]["response"]["output"]) == (status, [])


async def test_one_delta_may_be_no_base64(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.BAD_BASE64))

    await client.send("response.create")
    deltas = [event["delta"] for event in await client.until("response.done") if event["type"] == DELTA]

    assert [delta for delta in deltas if "*" in delta] == [deltas[4]]
    assert len(deltas) == 9


async def test_one_message_may_be_no_json(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.MALFORMED_JSON))
    flaws = 0

    await client.send("response.create")
    while not client.connection.records("response.done"):
        try:
            json.loads((await client.socket.receive(timeout=5)).data)
        except ValueError:
            flaws += 1

    assert flaws == 1


async def test_the_socket_may_close_in_mid_response(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.CLOSE_MID_RESPONSE))

    await client.send("response.create")
    while (await client.socket.receive(timeout=5)).type is WSMsgType.TEXT:
        pass
    await client.connection.wait_closed()

    assert client.socket.close_code == 1011
    assert len(client.connection.records(DELTA)) == 4


async def test_response_done_may_come_twice(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.DUPLICATE_DONE))

    await client.send("response.create")
    first = await client.next("response.done")
    second = await client.receive()

    assert second == first | {"event_id": second["event_id"]}


async def test_a_cancel_may_go_unanswered(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.CANCEL_UNANSWERED))

    await cancelled(client)
    await client.send("conversation.item.retrieve", item_id=client.connection.conversation.items[0].id)
    await client.until("conversation.item.retrieved")
    await spoken_well(client)

    assert len(client.connection.records("response.created")) == 2
    assert len(client.connection.records("response.done")) == 1


async def test_a_cancel_may_be_answered_as_in_the_beta(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.CANCELLED_EVENT))
    client.is_strict = False

    await cancelled(client)
    answer = await client.next("response.cancelled")
    await spoken_well(client)

    assert "response_id" not in answer
    assert len(client.connection.records("response.done")) == 1


async def test_deltas_may_come_late(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.LATE_DELTAS))

    await cancelled(client)
    done = (await client.until("response.done"))[-1]["response"]
    late = await client.until(DELTA)

    assert done["status"] == "cancelled"
    assert late[-1]["response_id"] == done["id"]


REFUSED = [
    (Fault.UNAUTHORIZED, 401, "invalid_request_error"),
    (Fault.FORBIDDEN, 403, "invalid_request_error"),
    (Fault.NOT_FOUND, 404, "invalid_request_error"),
    (Fault.TOO_MANY_REQUESTS, 429, "rate_limit_exceeded"),
    (Fault.REFUSED_FOR_QUOTA, 429, "insufficient_quota"),
    (Fault.SERVER_ERROR, 500, "invalid_request_error"),
]


@pytest.mark.parametrize(("fault", "status", "kind"), REFUSED)
async def test_a_handshake_may_be_refused(
    aiohttp_client: AiohttpClient, fault: Fault, status: int, kind: str
) -> None:
    app = build_realtime_app(attrs.evolve(script(fault), retry_after="7"))
    client = await aiohttp_client(app)

    async with client.get(URL, headers=HEADERS) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["type"] == kind
        assert answer.headers["Retry-After"] == "7"
    assert len(app[CONNECTIONS].tried_at_s) == 1


async def test_a_handshake_may_hang(aiohttp_client: AiohttpClient) -> None:
    app = build_realtime_app(script(Fault.NO_HANDSHAKE))
    client = await aiohttp_client(app)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.ws_connect(URL, headers=HEADERS)
    assert app[CONNECTIONS].opened == []


async def test_nothing_may_ever_come(aiohttp_client: AiohttpClient) -> None:
    app = build_realtime_app(script(Fault.SILENT))
    client = await aiohttp_client(app)
    socket = await client.ws_connect(URL, headers=HEADERS)

    await socket.send_json({"type": "session.update", "session": TELEPHONE})
    connection = await app[CONNECTIONS].wait_for()
    await connection.wait_for("session.update")

    assert connection.sent == []


async def test_nothing_may_come_any_more(connect: Connect) -> None:
    client = await connect(script(Fault.HALF_OPEN))
    await client.set_up()

    await client.send("input_audio_buffer.clear")
    await client.connection.wait_for("input_audio_buffer.clear")

    assert [record.type for record in client.connection.sent] == ["session.created", "session.updated"]


async def test_a_session_may_speak_another_format(connect: Connect) -> None:
    client = await connect(script(Fault.NOT_MULAW))

    await client.send("session.update", session=TELEPHONE)
    audio = (await client.next("session.updated"))["session"]["audio"]

    assert audio["output"]["format"] == {"type": "audio/pcm", "rate": 24000}


async def test_a_session_may_have_no_quota(connect: Connect) -> None:
    client = await connect(script(Fault.QUOTA_EXHAUSTED))

    await client.send("session.update", session=TELEPHONE)
    error = (await client.next("error"))["error"]

    assert (error["type"], error["code"], error["event_id"]) == ("insufficient_quota", "insufficient_quota", None)


async def test_a_session_may_have_expired(connect: Connect) -> None:
    client = await connect(script(Fault.SESSION_EXPIRED))
    await client.set_up()

    await client.send("response.create", event_id="mine")
    error = (await client.next("error"))["error"]
    await client.socket.receive()

    assert (error["code"], error["event_id"]) == ("session_expired", None)
    assert client.socket.close_code == 1001


ENDED_EARLY = [
    (Fault.FAILED_FOR_QUOTA, "failed", "error", 0),
    (Fault.CONTENT_FILTER, "incomplete", "reason", 0),
    (Fault.MAX_OUTPUT_TOKENS, "incomplete", "reason", 4),
]


@pytest.mark.parametrize(("fault", "status", "told", "deltas"), ENDED_EARLY)
async def test_a_response_may_end_early(connect: Connect, fault: Fault, status: str, told: str, deltas: int) -> None:
    client = await connect(faulty_reply(fault))

    await client.send("response.create")
    events = await client.until("response.done")
    await spoken_well(client)

    response = events[-1]["response"]
    assert (response["status"], response["status_details"]["type"]) == (status, status)
    assert response["status_details"][told]
    assert types(events).count(DELTA) == deltas


async def test_the_connection_may_break_in_mid_response(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.ABORT_MID_RESPONSE))

    await client.send("response.create")
    while (await client.socket.receive(timeout=5)).type is WSMsgType.TEXT:
        pass

    assert client.socket.close_code == 1006
    assert len(client.connection.records(DELTA)) >= 4


async def test_a_response_may_stall_until_it_is_cancelled(connect: Connect) -> None:
    client = await connect(faulty_reply(Fault.STALLED))

    await client.send("response.create")
    await client.connection.wait_for(DELTA, 4)
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")
    await client.send("response.cancel")
    done = (await client.next("response.done"))["response"]

    assert done["status"] == "cancelled"
    assert len(client.connection.records(DELTA)) == 4


async def test_a_response_may_have_no_end(connect: Connect) -> None:
    endless = attrs.evolve(REPLY, rate=1000.0, faults=frozenset({Fault.ENDLESS}))
    client = await connect(attrs.evolve(SCRIPT, replies=(endless,)))

    await client.send("response.create")
    await client.connection.wait_for(DELTA, 30)
    await client.send("response.cancel")
    done = (await client.next("response.done"))["response"]

    assert done["status"] == "cancelled"
