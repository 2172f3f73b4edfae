"""The simulated Realtime server's responses, and what a client may do to them and to the conversation."""

from typing import Any

import attrs
import pytest

from callfsm.sim.realtime_script import Reply, Script
from tests.sim.conftest import Connect
from tests.sim.realtime_client import Client, audio_of, types

VOICE = bytes(range(256)) * 30  # 960 ms: four whole deltas and a part
REPLY = Reply("אנחנו פתוחים עד שש בערב", VOICE)
SCRIPT = Script(replies=(REPLY,), default_reply=REPLY, speed=50.0)
LONG = attrs.evolve(SCRIPT, replies=(Reply("one two", VOICE * 200),))
# A tenth of a second before response.created, and again before the audio: time to get in between.
HESITANT = attrs.evolve(SCRIPT, replies=(attrs.evolve(REPLY, created_delay_ms=5000, audio_delay_ms=5000),))


async def test_a_response_runs_from_created_to_done(connect: Connect) -> None:
    client = await connect(SCRIPT)

    await client.send("response.create", response={"metadata": {"turn": "7"}})
    events = await client.until("response.done")

    delta = ["response.output_audio_transcript.delta", "response.output_audio.delta"]
    assert types(events) == [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        *delta * 5,
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert audio_of(events) == VOICE
    assert "".join(event["delta"] for event in events if event["type"] == delta[0]) == REPLY.text
    created, done = events[0]["response"], events[-1]["response"]
    assert created["status"] == "in_progress"
    assert created["metadata"] == done["metadata"] == {"turn": "7"}
    assert created["id"] == done["id"]
    assert done["status"] == "completed"
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": REPLY.text}]
    assert done["usage"]["output_tokens"] == 19


async def test_audio_comes_at_a_multiple_of_its_own_pace(connect: Connect) -> None:
    reply = Reply("", bytes(800 * 8), rate=10.0, delta_ms=100)
    client = await connect(Script(default_reply=reply, speed=2.0))

    await client.send("response.create")
    await client.until("response.done")

    deltas = client.connection.records("response.output_audio.delta")
    assert len(deltas) == 8
    assert deltas[-1].at_s - deltas[0].at_s >= 0.7 / 10 / 2


async def test_one_response_at_a_time(connect: Connect) -> None:
    client = await connect(HESITANT)

    await client.send("response.create")
    before_created = await client.error("response.create")
    created = await client.next("response.created")
    await client.send("response.create", event_id="again")
    after_created = (await client.next("error"))["error"]
    await client.until("response.done")
    await client.send("response.create")

    assert before_created["code"] == "conversation_already_has_active_response"
    assert after_created["code"] == "conversation_already_has_active_response"
    assert after_created["event_id"] == "again"
    assert created["response"]["id"] in after_created["message"]
    await client.until("response.done")


async def test_a_request_with_instructions_before_all_else_is_for_the_greeting(connect: Connect) -> None:
    greeting = Reply("שלום", bytes(160))
    client = await connect(attrs.evolve(SCRIPT, greeting=greeting))
    said = []

    for _ in range(2):
        await client.send("response.create", response={"instructions": "Say hello."})
        said.append((await client.next("response.output_audio_transcript.done"))["transcript"])
        await client.until("response.done")

    assert said == ["שלום", REPLY.text]


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_cancel_stops_the_active_response(connect: Connect, by_id: bool) -> None:
    client = await connect(LONG)
    await client.send("response.create")
    response_id = (await client.next("response.created"))["response"]["id"]
    await client.until("response.output_audio.delta")

    await client.send("response.cancel", **({"response_id": response_id} if by_id else {}))
    response = (await client.next("response.done"))["response"]

    assert response["id"] == response_id
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    assert len(client.connection.records("response.output_audio.delta")) < 900
    assert (await client.error("response.cancel"))["code"] == "response_cancel_not_active"


async def test_a_cancel_before_the_audio_leaves_no_output(connect: Connect) -> None:
    client = await connect(HESITANT)
    await client.send("response.create")
    await client.until("rate_limits.updated")

    await client.send("response.cancel")

    assert (await client.receive())["response"]["output"] == []


async def test_a_cancel_of_nothing_or_of_another_response_is_refused(connect: Connect) -> None:
    client = await connect(HESITANT)

    idle = await client.error("response.cancel")
    await client.send("response.create")
    await client.until("rate_limits.updated")
    other = await client.error("response.cancel", response_id="resp_of_old")

    assert idle["code"] == other["code"] == "response_cancel_not_active"
    assert (await client.next("response.done"))["response"]["status"] == "completed"


async def test_a_cancel_that_overtakes_response_created_does_nothing(connect: Connect) -> None:
    client = await connect(HESITANT)
    await client.send("response.create")

    error = await client.error("response.cancel")

    assert error["code"] == "response_cancel_not_active"
    assert (await client.next("response.done"))["response"]["status"] == "completed"


async def spoken_item(client: Client) -> str:
    """Have the assistant speak all of its reply, and return the item."""
    await client.send("response.create")
    item_id: str = (await client.next("response.output_item.done"))["item"]["id"]
    await client.until("response.done")
    return item_id


async def typed_item(client: Client) -> str:
    """Add a message in writing, and return the item."""
    content = [{"type": "input_text", "text": "שלום"}]
    await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    item_id: str = (await client.next("conversation.item.done"))["item"]["id"]
    return item_id


@pytest.mark.parametrize("audio_end_ms", [0, 500, 960])
async def test_a_reply_is_truncated_to_what_was_heard(connect: Connect, audio_end_ms: int) -> None:
    client = await connect(SCRIPT)
    item_id = await spoken_item(client)

    cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": audio_end_ms}
    await client.send("conversation.item.truncate", **cut)
    truncated = await client.next("conversation.item.truncated")
    await client.send("conversation.item.retrieve", item_id=item_id)
    retrieved = await client.next("conversation.item.retrieved")

    assert truncated == truncated | cut
    assert client.connection.conversation.get(item_id).audio == VOICE[: audio_end_ms * 8]
    assert retrieved["item"]["content"] == [{"type": "output_audio", "transcript": ""}]


@pytest.mark.parametrize(
    ("make_item", "audio_end_ms", "code", "message"),
    [
        (spoken_item, 961, None, "Audio content of 960ms is already shorter than 961ms"),
        (typed_item, 0, None, "Only model output audio messages can be truncated"),
    ],
)
async def test_a_truncation_that_cannot_be_is_refused(
    connect: Connect, make_item: Any, audio_end_ms: int, code: str | None, message: str
) -> None:
    client = await connect(SCRIPT)
    item_id = await make_item(client)

    error = await client.error(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=audio_end_ms
    )

    assert (error["code"], error["message"]) == (code, message)


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("conversation.item.truncate", {"content_index": 0, "audio_end_ms": 0}),
        ("conversation.item.delete", {}),
        ("conversation.item.retrieve", {}),
    ],
)
async def test_an_unknown_item_is_not_found(connect: Connect, event_type: str, fields: dict[str, Any]) -> None:
    client = await connect(SCRIPT)

    assert (await client.error(event_type, item_id="item_of_old", **fields))["code"] == "item_not_found"


async def test_a_deleted_item_is_gone(connect: Connect) -> None:
    client = await connect(SCRIPT)
    item_id = await typed_item(client)

    await client.send("conversation.item.delete", item_id=item_id)
    await client.until("conversation.item.deleted")

    assert client.connection.conversation.items == []


async def test_messages_are_added_where_they_are_wanted(connect: Connect) -> None:
    client = await connect(SCRIPT)
    first = await typed_item(client)
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}], "id": "mine"}

    await client.send("conversation.item.create", item=item, previous_item_id="root")
    added = await client.next("conversation.item.added")

    assert added["previous_item_id"] is None
    assert [item.id for item in client.connection.conversation.items] == ["mine", first]


async def test_the_assistant_does_not_say_what_the_user_types(connect: Connect) -> None:
    client = await connect(SCRIPT)
    item = {"type": "message", "role": "assistant", "content": [{"type": "input_text", "text": "x"}]}

    assert (await client.error("conversation.item.create", item=item))["code"] == "invalid_value"
