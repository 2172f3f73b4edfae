"""The conversation that a simulated Realtime server keeps: messages in order, and the audio in them. Pure."""

import itertools
from collections.abc import Iterator
from typing import Any, Final, Literal

import attrs

from callfsm.hearing.mulaw import BYTES_PER_MS
from callfsm.sim.realtime_wire import RefusedError

Role = Literal["user", "assistant", "system"]
Content = Literal["input_text", "input_audio", "output_text", "output_audio"]
Status = Literal["in_progress", "completed", "incomplete"]

_AT_BEGINNING: Final = "root"


@attrs.define
class Item:
    """A message: its text or transcript, and the audio (of the user, or generated so far) where it has any."""

    id: str
    role: Role
    content: Content
    text: str = ""
    status: Status = "completed"
    audio: bytearray = attrs.field(factory=bytearray, repr=lambda audio: f"{len(audio)} bytes")

    @property
    def audio_ms(self) -> int:
        """How much audio the message holds, were it mu-law."""
        return len(self.audio) // BYTES_PER_MS

    def as_wire(self) -> dict[str, Any]:
        """Return the item's JSON value; while it is being generated its content is still to come."""
        words = "transcript" if self.content.endswith("audio") else "text"
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "message",
            "status": self.status,
            "role": self.role,
            "content": [] if self.status == "in_progress" else [{"type": self.content, words: self.text}],
        }


@attrs.define(eq=False)
class Conversation:
    """The items in order, by id. Names its items itself, unlike those of any other conversation."""

    number: int
    items: list[Item] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    @property
    def has_assistant_spoken(self) -> bool:
        """Whether there is any message of the assistant."""
        return any(item.role == "assistant" for item in self.items)

    def new_id(self) -> str:
        """Return an item id that no other item of any conversation of this server has."""
        return f"item_{self.number}_{next(self._numbers)}"

    def add(self, item: Item, previous_id: str | None = None) -> str | None:
        """Insert an item after another, by default the last, and return the id of the one before it."""
        if previous_id is None:
            index = len(self.items)
        elif previous_id == _AT_BEGINNING:
            index = 0
        else:
            index = self.items.index(self.get(previous_id)) + 1
        self.items.insert(index, item)
        return self.items[index - 1].id if index else None

    def get(self, item_id: str) -> Item:
        """Return an item; RefusedError where there is none of this id."""
        for item in self.items:
            if item.id == item_id:
                return item
        raise RefusedError("item_not_found", f"Item with item_id '{item_id}' not found.", "item_id")

    def delete(self, item_id: str) -> None:
        """Remove an item."""
        self.items.remove(self.get(item_id))

    def truncate(self, item_id: str, audio_end_ms: int) -> None:
        """Cut what the assistant said to what was heard of it; the transcript goes, for nobody knows where to cut."""
        item = self.get(item_id)
        if item.content != "output_audio":
            raise RefusedError(None, "Only model output audio messages can be truncated")
        if audio_end_ms > item.audio_ms:
            raise RefusedError(None, f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms")
        del item.audio[audio_end_ms * BYTES_PER_MS :]
        item.text = ""
