"""One response of the simulated Realtime server: from response.created to response.done, at its script's pace."""

import asyncio
import base64
import itertools
from contextlib import suppress
from enum import Enum, auto
from typing import Any, Final

import attrs
from aiohttp import WSCloseCode

from callfsm.hearing.mulaw import BYTES_PER_MS
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_conversation import Item, Status
from callfsm.sim.realtime_script import Fault, Reply

_LATE_DELTAS: Final = 2
_RATE_LIMIT: Final = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Rate limit reached."}
_QUOTA: Final = {
    "type": "insufficient_quota",
    "code": "insufficient_quota",
    "message": "You exceeded your current quota.",
}
_BEFORE_AUDIO: Final[dict[Fault, tuple[str, dict[str, Any] | None]]] = {
    Fault.FAILED: ("failed", {"type": "failed", "error": _RATE_LIMIT}),
    Fault.FAILED_FOR_QUOTA: ("failed", {"type": "failed", "error": _QUOTA}),
    Fault.CONTENT_FILTER: ("incomplete", {"type": "incomplete", "reason": "content_filter"}),
    Fault.NO_AUDIO: ("completed", None),
}
"""How responses end that say nothing."""


class Phase(Enum):
    """How far a response has come. Only an ACTIVE one can be cancelled; one that is not OVER bars the next."""

    REQUESTED = auto()
    ACTIVE = auto()
    OVER = auto()


@attrs.frozen
class _Piece:
    """What one delta carries: mu-law, and the words spoken in it."""

    audio: bytes
    words: str


@attrs.define(eq=False)
class Response:
    """A response in the making; `metadata` is the request's, echoed."""

    id: str
    _connection: Connection
    _reply: Reply
    _metadata: dict[str, str] | None
    phase: Phase = attrs.field(default=Phase.REQUESTED, init=False)
    _item: Item = attrs.field(init=False)
    _is_item_open: bool = attrs.field(default=False, init=False)
    _pieces_sent: int = attrs.field(default=0, init=False)
    _cancelled: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    @_item.default
    def _empty_item(self) -> Item:
        return Item(self._connection.conversation.new_id(), "assistant", "output_audio", status="in_progress")

    def cancel(self) -> None:
        """Stop at once; the response then ends as cancelled."""
        self._cancelled.set()

    async def run(self) -> None:
        """Send the whole response."""
        await self._connection.pause(self._reply.created_delay_ms)
        await self.begin()
        await self.generate()

    async def begin(self) -> None:
        """Send response.created; from here on the response is active."""
        self.phase = Phase.ACTIVE
        await self._connection.send("response.created", response=self._as_wire("in_progress"))
        limit = {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 60.0}
        await self._connection.send("rate_limits.updated", rate_limits=[limit])

    async def generate(self) -> None:
        """Send what follows response.created, up to response.done."""
        for fault, (status, details) in _BEFORE_AUDIO.items():
            if self._has(fault):
                await self._done(status, details)
                return

        await self._wait(self._reply.audio_delay_ms)
        if not self._cancelled.is_set():
            await self._speak()
        if self._cancelled.is_set():
            await self._end_cancelled()
        elif self._has(Fault.MAX_OUTPUT_TOKENS):
            await self._close_item("incomplete")
            await self._done("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
        else:
            await self._close_item("completed")
            await self._done("completed")

    async def _speak(self) -> None:
        """Open the item and send its deltas, until they are all sent or the response is cancelled."""
        await self._open_item()
        pieces = _pieces(self._reply)
        for piece in itertools.cycle(pieces) if self._has(Fault.ENDLESS) else pieces:
            if self._pieces_sent == len(pieces) // 2:
                await self._misbehave()
                if self._has(Fault.MAX_OUTPUT_TOKENS) or self._cancelled.is_set():
                    return
            await self._send_piece(piece)
            await self._wait(self._reply.delta_ms / self._reply.rate)
            if self._cancelled.is_set():
                return

    async def _end_cancelled(self) -> None:
        if self._has(Fault.CANCEL_UNANSWERED):
            self.phase = Phase.OVER
            return
        await self._send_late_deltas()
        await self._close_item("incomplete")
        if self._has(Fault.CANCELLED_EVENT):
            self.phase = Phase.OVER
            await self._connection.send("response.cancelled")
            return
        await self._done("cancelled", {"type": "cancelled", "reason": "client_cancelled"})
        await self._send_late_deltas()

    async def _done(self, status: str, details: dict[str, Any] | None = None) -> None:
        # Over before the event goes out: a client that answers it with response.create is in the right.
        self.phase = Phase.OVER
        for _ in range(2 if self._has(Fault.DUPLICATE_DONE) else 1):
            await self._connection.send("response.done", response=self._as_wire(status, details))

    async def _open_item(self) -> None:
        self._is_item_open = True
        previous_id = self._connection.conversation.add(self._item)
        wire = self._item.as_wire()
        await self._send("response.output_item.added", item=wire)
        await self._connection.send("conversation.item.added", previous_item_id=previous_id, item=wire)
        await self._send_part("response.content_part.added", part={"type": "audio", "transcript": ""})

    async def _close_item(self, status: Status) -> None:
        """Close what `_open_item` opened, in reverse; nothing where a cancel came before it."""
        if not self._is_item_open:
            return
        item = self._item
        item.status = status
        await self._send_part("response.output_audio.done")
        await self._send_part("response.output_audio_transcript.done", transcript=item.text)
        await self._send_part("response.content_part.done", part={"type": "audio", "transcript": item.text})
        await self._send("response.output_item.done", item=item.as_wire())
        await self._connection.send("conversation.item.done", item=item.as_wire())

    async def _send_piece(self, piece: _Piece) -> None:
        self._pieces_sent += 1
        self._item.text += piece.words
        self._item.audio += piece.audio
        if piece.words:
            await self._send_part("response.output_audio_transcript.delta", delta=piece.words)
        if piece.audio:
            delta = base64.b64encode(piece.audio).decode()
            await self._send_part("response.output_audio.delta", delta=delta)

    async def _send_late_deltas(self) -> None:
        if self._has(Fault.LATE_DELTAS):
            for piece in _pieces(self._reply)[self._pieces_sent :][:_LATE_DELTAS]:
                await self._send_piece(piece)

    async def _misbehave(self) -> None:
        """Do what the response's faults ask for in the middle of it."""
        if self._has(Fault.MALFORMED_JSON):
            await self._connection.send_raw('{"type": "response.output_audio.delta", "delta": ')
        if self._has(Fault.BAD_BASE64):
            await self._send_part("response.output_audio.delta", delta="*no base64*")
        if self._has(Fault.CLOSE_MID_RESPONSE):
            await self._connection.close(WSCloseCode.INTERNAL_ERROR)
        if self._has(Fault.ABORT_MID_RESPONSE):
            await self._connection.abort()
        if self._has(Fault.STALLED):
            await self._cancelled.wait()

    async def _send_part(self, event_type: str, **fields: Any) -> None:
        """Send an event about the one content part of the item."""
        await self._send(event_type, item_id=self._item.id, content_index=0, **fields)

    async def _send(self, event_type: str, **fields: Any) -> None:
        """Send an event about the one item of the response."""
        await self._connection.send(event_type, response_id=self.id, output_index=0, **fields)

    async def _wait(self, delay_ms: float) -> None:
        """Let a delay pass, or a cancel come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_ms / 1000 / self._connection.script.speed):
                await self._cancelled.wait()

    def _has(self, fault: Fault) -> bool:
        return fault in self._reply.faults or fault in self._connection.script.faults

    def _as_wire(self, status: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.id,
            "conversation_id": f"conv_{self._connection.number}",
            "status": status,
            "status_details": details,
            "output": [self._item.as_wire()] if self._is_item_open else [],
            "output_modalities": ["audio"],
            "metadata": self._metadata,
            "usage": None if status == "in_progress" else self._usage(),
        }

    def _usage(self) -> dict[str, Any]:
        """Return the tokens at the vendor's rate for audio: 10 a second heard, 20 a second spoken."""
        heard = sum(item.audio_ms for item in self._connection.conversation.items if item.role == "user") // 100
        spoken = self._item.audio_ms // 50
        return {
            "total_tokens": heard + spoken,
            "input_tokens": heard,
            "output_tokens": spoken,
            "input_token_details": {"audio_tokens": heard, "text_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"audio_tokens": spoken, "text_tokens": 0},
        }


def _pieces(reply: Reply) -> list[_Piece]:
    """Cut a reply into deltas, its words spread evenly over them."""
    delta_bytes = reply.delta_ms * BYTES_PER_MS
    count = max(1, -(-len(reply.audio) // delta_bytes))
    words = reply.text.split()
    return [
        _Piece(
            audio=reply.audio[number * delta_bytes : (number + 1) * delta_bytes],
            words=_joined(words, number * len(words) // count, (number + 1) * len(words) // count),
        )
        for number in range(count)
    ]


def _joined(words: list[str], first: int, end: int) -> str:
    """Return some of the words, led by the space that sets them off from those before."""
    return "".join(f" {word}" if first + place else word for place, word in enumerate(words[first:end]))
