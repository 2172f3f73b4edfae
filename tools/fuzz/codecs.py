"""Targets: what reads the bytes of others. Each takes any bytes, and fails by raising."""

import json
from contextlib import suppress
from itertools import pairwise
from typing import Final

from callfsm.audit.lines import LineError, end_of, entry_of, header_of, values_of
from callfsm.config_checks import REDACTABLE
from callfsm.events import Event
from callfsm.hearing.mulaw import FRAME_BYTES
from callfsm.hearing.wav import ulaw_of_wav
from callfsm.wire import realtime, twilio
from callfsm.wire.malformed import MalformedError
from callfsm.wire.redaction import MAX_KEPT_BACK, Redaction
from callfsm.wire.sequence import Sequence

MOST_RMS: Final = 32_768.0
PIECES: Final = 7


def text_of(data: bytes) -> str:
    """Return the text that a WebSocket would hand on; none that is not UTF-8 gets so far."""
    return data.decode("utf-8", "replace")


def twilio_messages(data: bytes) -> None:
    """Each line is a message of Twilio's: it is read, or it is malformed."""
    sequence, framer = Sequence("1"), twilio.Framer()
    for line in data.split(b"\n"):
        try:
            message = twilio.decode(text_of(line))
        except MalformedError as error:
            assert error.place.startswith("twilio ")
            sequence.unread()
            continue
        assert sequence.take(message.sequence_number) >= -1
        if isinstance(message, twilio.Media):
            with suppress(MalformedError):
                for frame in framer.frames(message.media.payload):
                    assert 0.0 <= frame.rms <= MOST_RMS
                    assert 0.0 <= frame.voicing <= 1.0
                    assert len(frame.payload) == -(-FRAME_BYTES // 3) * 4
        elif isinstance(message, twilio.Start):
            assert repr(message.start) == f"StartBody({message.start.call_sid!r})"


def realtime_messages(data: bytes) -> None:
    """Each line is a message of OpenAI's: an event, nothing, or malformed; redaction changes only the words."""
    redaction = Redaction(REDACTABLE)
    for line in data.split(b"\n"):
        text = text_of(line)
        plain, redacted = _event_of(text, None), _event_of(text, redaction)
        if redacted is not None:
            assert type(plain) is type(redacted)


def _event_of(text: str, redaction: Redaction | None) -> Event | realtime.SessionUpdated | None:
    try:
        return realtime.decode(text, 1.0, redaction)
    except MalformedError as error:
        assert error.place.startswith("realtime ")
        return None


def redaction_of_text(data: bytes) -> None:
    """The first bytes cut a text into pieces: what is said of them piece by piece is how the whole begins."""
    text = text_of(data[PIECES:])
    redaction = Redaction(REDACTABLE)
    whole = redaction.text(text)
    assert redaction.text(whole) == whole or len(text) > MAX_KEPT_BACK
    cuts = sorted({0, len(text), *(byte * len(text) // 256 for byte in data[:PIECES])})
    said = "".join(redaction.next_words("r", "i", text[start:end]) for start, end in pairwise(cuts))
    assert whole.startswith(said), (text, whole, said)
    cleaned = redaction.json(text)
    cleaned.encode()
    with suppress(ValueError, RecursionError):
        json.loads(text)
        assert _is_json(cleaned), (text, cleaned)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def wav_file(data: bytes) -> None:
    """A wav file is read, or refused with a ValueError."""
    with suppress(ValueError):
        assert len(ulaw_of_wav(data)) <= len(data)


def journal_lines(data: bytes) -> None:
    """Each line of a journal is read, or refused with a LineError."""
    for line in data.split(b"\n"):
        for read in (header_of, lambda text: entry_of(values_of(text), 0.0), lambda text: end_of(values_of(text))):
            with suppress(LineError, KeyError):
                read(line)
