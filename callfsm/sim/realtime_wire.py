"""What a client may send to the Realtime API (GA), as types: what does not fit them is refused."""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from callfsm.sim.realtime_settings import ResponseRequest, Session, Strict

_MAX_AUDIO_CHARS: Final = 15 * 1024 * 1024


class RefusedError(Exception):
    """A client event is refused: the fields of the `error` event that says so."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


class Text(Strict):
    """The content of a message that a client writes."""

    type: Literal["input_text", "output_text"]
    text: str


class Message(Strict, tag="message"):
    """A message that a client adds to the conversation."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Text], Meta(min_length=1)]
    id: str | UnsetType = UNSET
    status: Literal["completed", "incomplete", "in_progress"] | UnsetType = UNSET
    object: Literal["realtime.item"] | UnsetType = UNSET


class _Event(Strict):
    event_id: str | None = None


class SessionUpdate(_Event, tag="session.update", kw_only=True):
    """Change the session."""

    session: Session


class Append(_Event, tag="input_audio_buffer.append", kw_only=True):
    """Base64 audio for the buffer."""

    audio: Annotated[str, Meta(max_length=_MAX_AUDIO_CHARS)]


class Commit(_Event, tag="input_audio_buffer.commit"):
    """Make the buffer a user's message."""


class ClearBuffer(_Event, tag="input_audio_buffer.clear"):
    """Empty the buffer."""


class CreateItem(_Event, tag="conversation.item.create", kw_only=True):
    """Add a message, at the end or after another ("root": at the beginning)."""

    item: Message
    previous_item_id: str | None = None


class RetrieveItem(_Event, tag="conversation.item.retrieve", kw_only=True):
    """Ask for an item."""

    item_id: str


class TruncateItem(_Event, tag="conversation.item.truncate", kw_only=True):
    """Cut the audio of the assistant to what was heard."""

    item_id: str
    content_index: int
    audio_end_ms: Annotated[int, Meta(ge=0)]


class DeleteItem(_Event, tag="conversation.item.delete", kw_only=True):
    """Remove an item."""

    item_id: str


class CreateResponse(_Event, tag="response.create"):
    """Ask the model to speak."""

    response: ResponseRequest = msgspec.field(default_factory=ResponseRequest)


class CancelResponse(_Event, tag="response.cancel"):
    """Stop the active response; where an id is given, only if it is that one."""

    response_id: str | None = None


ItemEvent = CreateItem | RetrieveItem | TruncateItem | DeleteItem
ClientEvent = SessionUpdate | Append | Commit | ClearBuffer | ItemEvent | CreateResponse | CancelResponse

# The wording of msgspec's complaints, whose place reads like "$.session.audio".
_UNKNOWN: Final = re.compile(r"unknown field `(?P<field>.+?)`(?: - at `\$\.?(?P<place>.*)`)?$")
_MISSING: Final = re.compile(r"missing required field `(?P<field>.+?)`(?: - at `\$\.?(?P<place>.*)`)?$")
_PLACE: Final = re.compile(r"`\$\.?(?P<place>[^`]*)`$")


def decode(event: Any) -> ClientEvent:
    """Return a client event from its JSON value; RefusedError says what the API would say against it."""
    try:
        decoded: ClientEvent = msgspec.convert(event, ClientEvent)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None
    return decoded


def _refusal(complaint: str) -> RefusedError:
    for pattern, code, words in (
        (_UNKNOWN, "unknown_parameter", "Unknown parameter"),
        (_MISSING, "missing_required_parameter", "Missing required parameter"),
    ):
        if found := pattern.search(complaint):
            param = ".".join(filter(None, (found["place"], found["field"])))
            return RefusedError(code, f"{words}: '{param}'.", param)
    place = _PLACE.search(complaint)
    return RefusedError("invalid_value", complaint, place["place"] if place else None)
