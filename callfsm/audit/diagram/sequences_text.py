"""What stands at the arrows of a sequence chart, and how a text is made safe to stand there."""

import re
import textwrap
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field

from callfsm.sim.virtual_call import Message

_WIDTH: Final = 48
_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"
UNTOLD: Final = (
    f"{_TRANSCRIPTION}.delta",
    "conversation.item.added",
    "conversation.item.done",
    "rate_limits.updated",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_audio.done",
    "response.output_item.added",
    "response.output_item.done",
)
"""Messages of the API that belong to its protocol and mean nothing to a call: they are not drawn."""
_SPECIAL: Final = re.compile(r'[#;:<>"%$\u2068\u2069]')
_RIGHT_TO_LEFT: Final = re.compile(r"“?[\u0590-\u06ff](?:.*[\u0590-\u06ff])?[?.!,”]*")
_ISOLATED: Final = "\u2068\\g<0>\u2069"
"""A right-to-left run keeps its quotes and its full stop, whatever stands around it."""


def safe(text: str, width: int = _WIDTH) -> str:
    """Return a text of which nothing is Mermaid's syntax, broken into lines of so many characters."""
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return "<br/>".join(_escape(_RIGHT_TO_LEFT.sub(_ISOLATED, line)) for line in lines)


def _escape(line: str) -> str:
    return _SPECIAL.sub(lambda special: f"#{ord(special[0])};", line)


def told(message: Message) -> str:
    """Return a message's name and, where there is something to tell of it, a line with that."""
    detail = _DETAILS.get(message.name)
    return f"{message.name}<br/>{safe(detail(message.body))}" if detail else message.name


@define
class Run:
    """Messages of one kind, to be drawn as one arrow: how many, how much sound, and the marks among them."""

    arrow: str
    name: str
    count: int = 0
    ms: int = 0
    loud: int | None = None
    """How many frames were loud; None for what is not the caller's line."""
    marks: list[str] = field(factory=list)

    def __str__(self) -> str:
        parts = [f"{self.name} × {self.count}" if self.count > 1 else self.name]
        parts += [f"{self.ms} ms"] if self.ms else []
        parts += [f"{self.loud or 'none'} loud"] if self.loud is not None else []
        parts += [self._marks()] if self.marks else []
        return f"{self.arrow}: {safe(', '.join(parts))}"

    def _marks(self) -> str:
        names = " … ".join(dict.fromkeys((self.marks[0], self.marks[-1])))
        return names if self.name == "mark" else f"mark {names}"


def _quoted(text: str) -> str:
    return f"“{text}”"


_DETAILS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "input_audio_buffer.committed": lambda body: str(body["item_id"]),
    f"{_TRANSCRIPTION}.completed": lambda body: _quoted(body["transcript"]),
    "response.create": lambda body: f"turn {body['response']['metadata']['turn']}",
    "response.created": lambda body: str(body["response"]["id"]),
    "response.output_audio_transcript.done": lambda body: _quoted(body["transcript"]),
    "response.done": lambda body: str(body["response"]["status"]),
    "response.cancel": lambda body: str(body.get("response_id", "whatever is active")),
    "conversation.item.truncate": lambda body: f"{body['item_id']} at {body['audio_end_ms']} ms",
    "conversation.item.truncated": lambda body: str(body["item_id"]),
    "conversation.item.delete": lambda body: str(body["item_id"]),
    "conversation.item.deleted": lambda body: str(body["item_id"]),
    "error": lambda body: str(body["error"]["code"]),
}
