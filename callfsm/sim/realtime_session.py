"""The protocol of the simulated Realtime server: what it does with each event of a client."""

import json
from typing import Any

import attrs
import msgspec
from aiohttp import WSCloseCode

from callfsm.sim import realtime_wire as wire
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_conversation import Content, Item
from callfsm.sim.realtime_listener import Listener
from callfsm.sim.realtime_script import Fault
from callfsm.sim.realtime_settings import initial_session, merged
from callfsm.sim.realtime_speaker import Speaker


@attrs.define(eq=False)
class Session:
    """Answers one client, by the script of its connection."""

    _connection: Connection
    _listener: Listener = attrs.field(init=False)
    _speaker: Speaker = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._listener = Listener(self._connection)
        self._speaker = Speaker(self._connection)

    async def open(self) -> None:
        """Greet the client with session.created."""
        connection = self._connection
        connection.session = initial_session(connection.new_id("sess"), connection.model)
        await connection.send("session.created", session=connection.session)

    async def receive(self, text: str) -> None:
        """Answer a message of the client."""
        event: dict[str, Any] = {}
        try:
            event = _json_object(text)
            self._connection.note_received(event)
            await self._handle(wire.decode(event))
        except wire.RefusedError as refusal:
            await self._say_error(refusal, event.get("event_id"))

    async def _say_error(self, refusal: wire.RefusedError, event_id: str | None, kind: str = "") -> None:
        error = {
            "type": kind or "invalid_request_error",
            "code": refusal.code,
            "message": refusal.message,
            "param": refusal.param,
            "event_id": event_id,
        }
        await self._connection.send("error", error=error)

    async def _handle(self, event: wire.ClientEvent) -> None:
        match event:
            case wire.SessionUpdate():
                await self._update_session(event)
            case wire.Append():
                self._listener.append(event.audio)
            case wire.Commit():
                await self._listener.commit()
                self._speaker.after_commit()
            case wire.ClearBuffer():
                await self._listener.clear()
            case wire.CreateResponse() if Fault.SESSION_EXPIRED in self._connection.script.faults:
                await self._expire()
            case wire.CreateResponse():
                await self._speaker.create(event.response)
            case wire.CancelResponse():
                self._speaker.cancel(event.response_id)
            case _:
                await self._handle_item(event)

    async def _handle_item(self, event: wire.ItemEvent) -> None:
        match event:
            case wire.CreateItem():
                await self._create_item(event)
            case wire.RetrieveItem():
                item = self._connection.conversation.get(event.item_id)
                await self._connection.send("conversation.item.retrieved", item=item.as_wire())
            case wire.TruncateItem():
                await self._truncate_item(event)
            case wire.DeleteItem():
                self._connection.conversation.delete(event.item_id)
                await self._connection.send("conversation.item.deleted", item_id=event.item_id)

    async def _expire(self) -> None:
        message = "Your session hit the maximum duration of 60 minutes."
        await self._say_error(wire.RefusedError("session_expired", message), None)
        await self._connection.close(WSCloseCode.GOING_AWAY)

    async def _update_session(self, event: wire.SessionUpdate) -> None:
        connection = self._connection
        if Fault.NO_SESSION_UPDATED in connection.script.faults:
            return
        if Fault.QUOTA_EXHAUSTED in connection.script.faults:
            refusal = wire.RefusedError("insufficient_quota", "You exceeded your current quota.")
            await self._say_error(refusal, None, "insufficient_quota")
            return
        if Fault.REJECTED_SESSION in connection.script.faults:
            raise wire.RefusedError("invalid_value", "Invalid value: 'session'.", "session")
        session = merged(connection.session, msgspec.to_builtins(event.session))
        if connection.conversation.has_assistant_spoken and _voice(session) != _voice(connection.session):
            raise wire.RefusedError("cannot_update_voice", "Cannot update a conversation's voice: audio is present.")
        if Fault.NOT_MULAW in connection.script.faults:
            session["audio"]["output"]["format"] = {"type": "audio/pcm", "rate": 24000}
        connection.session = session
        await connection.send("session.updated", session=session)

    async def _create_item(self, event: wire.CreateItem) -> None:
        message = event.item
        content: Content = "output_text" if message.role == "assistant" else "input_text"
        if any(part.type != content for part in message.content):
            raise wire.RefusedError(
                "invalid_value", f"Invalid value: a {message.role} message holds {content}.", "item.content[0].type"
            )
        item_id = self._connection.conversation.new_id() if message.id is msgspec.UNSET else message.id
        item = Item(item_id, message.role, content, "".join(part.text for part in message.content))
        await self._connection.announce(item, self._connection.conversation.add(item, event.previous_item_id))

    async def _truncate_item(self, event: wire.TruncateItem) -> None:
        self._connection.conversation.truncate(event.item_id, event.audio_end_ms)
        await self._connection.send(
            "conversation.item.truncated",
            item_id=event.item_id,
            content_index=event.content_index,
            audio_end_ms=event.audio_end_ms,
        )


def _json_object(text: str) -> dict[str, Any]:
    try:
        event = json.loads(text)
    except ValueError:
        raise wire.RefusedError("invalid_json", "We could not parse the JSON body of your event.") from None
    if not isinstance(event, dict):
        raise wire.RefusedError("invalid_json", "An event is a JSON object.")
    return event


def _voice(session: dict[str, Any]) -> Any:
    return session["audio"]["output"]["voice"]
