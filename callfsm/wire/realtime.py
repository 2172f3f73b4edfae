"""The OpenAI Realtime protocol (GA), from server events to ours. Old event names are accepted.

Source: the event models of the `openai` package and OpenAI's guide "Realtime conversations".
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from typing import Any, Final

import msgspec
from attrs import frozen

from callfsm import events
from callfsm.events import Event
from callfsm.hearing.mulaw import levels_rms
from callfsm.wire.malformed import MalformedError, place_of
from callfsm.wire.redaction import Redaction


class _Item(msgspec.Struct):
    id: str | None = None
    type: str | None = "message"


class _Response(msgspec.Struct):
    id: str
    status: str | None = None
    metadata: dict[str, Any] | None = None
    output: list[_Item] | None = None
    status_details: Any = None
    """Read with care: the end of a response is not lost because its reason is odd."""


class _Error(msgspec.Struct):
    type: str | None = None
    code: str | int | None = None
    message: str | None = None
    event_id: str | None = None


class _Format(msgspec.Struct):
    type: str | None = None


class _Direction(msgspec.Struct):
    format: _Format | None = None


class _Audio(msgspec.Struct):
    input: _Direction | None = None
    output: _Direction | None = None


class _Session(msgspec.Struct):
    audio: _Audio | None = None


class _Message(msgspec.Struct):
    type: str
    item_id: str | None = None
    response_id: str | None = None
    delta: str | None = None
    transcript: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    response: _Response | None = None
    error: _Error | None = None
    session: _Session | None = None


class _Tag(msgspec.Struct):
    type: str


@frozen
class SessionUpdated:
    """The session has our settings. `is_mulaw` is False where it says that it speaks anything else."""

    is_mulaw: bool


class UnknownEventError(MalformedError):
    """An event of a kind that means nothing to us."""


MOST_NAME: Final = 512
MOST_WORDS: Final = 10_000
"""A turn of half a minute has some hundred; a reply of 4096 tokens has fewer."""
MOST_ARGUMENTS: Final = 2**16
ODD_CODE: Final = "odd_code"
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TURN_DIGITS: Final = 9
_BUSY: Final = "conversation_already_has_active_response"
_NOT_ACTIVE: Final = "response_cancel_not_active"
_CODE_BY_TEXT: Final = (("already has an active response", _BUSY), ("no active response", _NOT_ACTIVE))
"""Some servers put no code in an error, or put it where the type belongs."""


def _text(value: Any) -> str:
    """Return a text or a number as a text; empty for whatever else a peer puts in its place."""
    return str(value) if isinstance(value, str | int) else ""


def _turn_of(response: _Response) -> int | None:
    turn = _text((response.metadata or {}).get("turn"))
    return int(turn) if turn.isascii() and turn.isdigit() and len(turn) <= _TURN_DIGITS else None


def _response(message: _Message) -> _Response:
    if message.response is None:
        raise MalformedError(f"realtime {message.type}: no response")
    return message.response


def _named(message: _Message, name: str, value: str | None) -> str:
    if not value:
        raise MalformedError(f"realtime {message.type}: no {name}")
    return value


def _check_sizes(message: _Message) -> None:
    """Raise MalformedError for a text that is longer than any such text is: it is read on the loop that all share."""
    response_id = message.response.id if message.response else None
    names = (message.item_id, message.response_id, message.call_id, message.name, response_id)
    if any(name is not None and len(name) > MOST_NAME for name in names):
        raise MalformedError(f"realtime {message.type}: a name is too long")
    words = message.delta if _READ.get(message.type) is _next_words else message.transcript
    if words is not None and len(words) > MOST_WORDS:
        raise MalformedError(f"realtime {message.type}: too many words")
    if message.arguments is not None and len(message.arguments) > MOST_ARGUMENTS:
        raise MalformedError(f"realtime {message.type}: too many arguments")


def _session_updated(_at: float, message: _Message) -> SessionUpdated:
    audio = message.session.audio if message.session else None
    sides = [side.format.type for side in (audio.input, audio.output) if side and side.format] if audio else []
    return SessionUpdated(all(side == "audio/pcmu" for side in sides))


def _committed(at: float, message: _Message) -> Event:
    return events.AudioCommitted(at, _named(message, "item_id", message.item_id))


def _transcribed(at: float, message: _Message) -> Event:
    return events.TranscriptCompleted(at, _named(message, "item_id", message.item_id), message.transcript or "")


def _not_transcribed(at: float, message: _Message) -> Event:
    code = _plain(_text((message.error or _Error()).code))
    return events.TranscriptFailed(at, _named(message, "item_id", message.item_id), code)


def _created(at: float, message: _Message) -> Event:
    response = _response(message)
    return events.ResponseCreated(at, response.id, _turn_of(response))


def _audio(at: float, message: _Message) -> Event | None:
    try:
        audio = a2b_base64(message.delta or "", strict_mode=True)
    except (Base64Error, ValueError):
        raise MalformedError(f"realtime {message.type}: delta is not base64") from None
    response_id = _named(message, "response_id", message.response_id)
    item_id = _named(message, "item_id", message.item_id)
    return events.AudioDelta(at, response_id, item_id, audio, levels_rms(audio)) if audio else None


def _next_words(at: float, message: _Message) -> Event | None:
    response_id = _named(message, "response_id", message.response_id)
    return events.ReplyTranscript(at, response_id, message.delta, is_whole=False) if message.delta else None


def _words(at: float, message: _Message) -> Event:
    return events.ReplyTranscript(at, _named(message, "response_id", message.response_id), message.transcript or "")


def _tool_called(at: float, message: _Message) -> Event:
    return events.ToolCalled(
        at,
        _named(message, "response_id", message.response_id),
        _named(message, "call_id", message.call_id),
        _named(message, "name", message.name),
        message.arguments or "{}",
    )


def _code_of(details: Any) -> str:
    """Return why a response failed, as an error's code; empty where it does not say."""
    error = details.get("error") if isinstance(details, dict) else None
    if not isinstance(error, dict):
        return ""
    # Some servers put the code where the type belongs.
    return _plain(_text(error.get("code")) or _text(error.get("type")))


def _plain(code: str) -> str:
    """Return an error's code, which goes into logs and counts, or that it is none."""
    return code if not code or _CODE.fullmatch(code) else ODD_CODE


def _done(at: float, message: _Message) -> Event:
    response = _response(message)
    items = tuple(item.id for item in response.output or () if item.id and item.type in (None, "message"))
    status, code = response.status or "completed", _code_of(response.status_details)
    return events.ResponseDone(at, response.id, _turn_of(response), status, items, code)


def _cancelled(at: float, message: _Message) -> Event:
    response_id = message.response.id if message.response else message.response_id
    return events.ResponseDone(at, response_id, None, "cancelled")


def _error(at: float, message: _Message) -> Event:
    error = message.error or _Error()
    code = str(error.code or "")
    if not code:
        text = f"{error.type} {error.message}".lower()
        code = next((known for words, known in _CODE_BY_TEXT if words in text or known in text), "")
    return events.RealtimeError(at, _plain(code), error.event_id)


_READ: Final[dict[str, Callable[[float, _Message], Event | SessionUpdated | None]]] = {
    "session.updated": _session_updated,
    "input_audio_buffer.committed": _committed,
    "conversation.item.input_audio_transcription.completed": _transcribed,
    "conversation.item.input_audio_transcription.failed": _not_transcribed,
    "response.created": _created,
    "response.output_audio.delta": _audio,
    "response.output_audio_transcript.delta": _next_words,
    "response.output_audio_transcript.done": _words,
    "response.function_call_arguments.done": _tool_called,
    "response.done": _done,
    "error": _error,
    # Names that the API has given up; compatible servers still use them.
    "response.audio.delta": _audio,
    "response.audio_transcript.delta": _next_words,
    "response.audio_transcript.done": _words,
    "response.cancelled": _cancelled,
}
_SILENT: Final = frozenset({
    "session.created", "conversation.created", "conversation.item.created", "conversation.item.added",
    "conversation.item.done", "conversation.item.deleted", "conversation.item.truncated",
    "conversation.item.retrieved", "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.segment", "input_audio_buffer.cleared",
    "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
    "input_audio_buffer.timeout_triggered", "rate_limits.updated", "response.output_item.added",
    "response.output_item.done", "response.content_part.added", "response.content_part.done",
    "response.output_audio.done", "response.output_text.delta",
    "response.output_text.done", "response.audio.done",
    "response.text.delta", "response.text.done", "response.function_call_arguments.delta",
})  # fmt: skip
"""Events that belong to the protocol and change nothing in a call."""
_TOO_DEEP: Final = "realtime message: nested too deeply"
_DECODE: Final = msgspec.json.Decoder(_Message).decode
_DECODE_TAG: Final = msgspec.json.Decoder(_Tag).decode


def _strike_out(message: _Message, redaction: Redaction) -> None:
    """Take out of a message what is private: no event is made of it."""
    response_id, item_id = message.response_id or "", message.item_id or ""
    read = _READ.get(message.type)
    if read is _transcribed:
        message.transcript = redaction.text(message.transcript or "")
    elif read is _next_words:
        message.delta = redaction.next_words(response_id, item_id, message.delta or "")
    elif read is _words:
        message.transcript = redaction.whole_words(response_id, item_id, message.transcript or "")
    elif read in {_done, _cancelled}:
        redaction.response_over(message.response.id if message.response else response_id)


def _kind_of(text: str | bytes) -> str:
    """Return the type of a message that is otherwise not as it should be."""
    try:
        return _DECODE_TAG(text).type
    except RecursionError:
        raise MalformedError(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise MalformedError(f"realtime message: {place_of(error)}") from None


def decode(text: str | bytes, at: float, redaction: Redaction | None = None) -> Event | SessionUpdated | None:
    """Return what a server event means to a call, None where it means nothing or all its words are kept back.

    Raise MalformedError with its place, or UnknownEventError for a kind that is not of the protocol.
    """
    try:
        message = _DECODE(text)
    except RecursionError:
        raise MalformedError(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        kind = _kind_of(text)
        if kind in _READ:
            raise MalformedError(f"realtime {kind}: {place_of(error)}") from None
        message = _Message(kind)
    _check_sizes(message)
    if redaction is not None:
        _strike_out(message, redaction)
    read = _READ.get(message.type)
    if read is not None:
        return read(at, message)
    if message.type not in _SILENT:
        raise UnknownEventError("realtime message: unknown type")
    return None
