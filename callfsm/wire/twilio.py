"""Twilio Media Streams: JSON text frames, mu-law 8000 Hz mono in base64.

Source: Twilio's page "Media Streams: WebSocket messages". Numbers that Twilio sends as strings stay strings.
"""

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from callfsm.effects import ClearPlayback, PlayAudio, SendMark
from callfsm.hearing.mulaw import FRAME_BYTES, rms
from callfsm.hearing.voicing import Voicing
from callfsm.wire.malformed import MalformedError, place_of


class _OfStream(msgspec.Struct, rename="camel", tag_field="event", kw_only=True):
    """Whose message it is. Simple clients leave both out, or send anything as the number."""

    stream_sid: str | None = None
    sequence_number: Any = None


class Connected(_OfStream, tag="connected"):
    """The first message of a stream; it has no number."""


class MediaFormat(msgspec.Struct, rename="camel", frozen=True):
    """What the line carries."""

    encoding: str = "audio/x-mulaw"
    sample_rate: int | str = 8000
    channels: int | str = 1

    @property
    def is_mulaw(self) -> bool:
        """Whether this is what Media Streams always carry: mu-law, 8000 Hz, one channel."""
        return (self.encoding, str(self.sample_rate), str(self.channels)) == ("audio/x-mulaw", "8000", "1")


class StartBody(msgspec.Struct, rename="camel"):
    """Whose call it is, and the parameters of our TwiML."""

    call_sid: str
    account_sid: str = ""
    media_format: MediaFormat = MediaFormat()
    custom_parameters: dict[str, str] = {}

    def __repr__(self) -> str:
        # A parameter holds the stream's token.
        return f"StartBody({self.call_sid!r})"


class Start(_OfStream, tag="start"):
    """The stream begins; comes once."""

    stream_sid: str
    start: StartBody


class MediaBody(msgspec.Struct):
    """A piece of the caller's line, of any length."""

    payload: str
    track: str = "inbound"


class Media(_OfStream, tag="media"):
    """The caller's line."""

    media: MediaBody


class MarkBody(msgspec.Struct):
    """The mark that came back."""

    name: str


class MarkEchoed(_OfStream, tag="mark"):
    """All audio before the mark has been played, or was cleared."""

    mark: MarkBody


class DtmfBody(msgspec.Struct):
    """The key that was pressed."""

    digit: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#]\Z")]


class Dtmf(_OfStream, tag="dtmf"):
    """The caller pressed a key."""

    dtmf: DtmfBody


class Stop(_OfStream, tag="stop"):
    """The stream ended: the call is over."""


class _Tag(msgspec.Struct):
    event: str


class UnknownMessageError(MalformedError):
    """A message of a kind that we do not know; a newer Twilio may send such."""


Message = Connected | Start | Media | MarkEchoed | Dtmf | Stop
VOICE_RMS: Final = 60.0
"""No threshold is lower by default, and no voice is looked for below it."""
_DECODE: Final[Callable[[str | bytes], Message]] = msgspec.json.Decoder(Message).decode
_DECODE_TAG: Final = msgspec.json.Decoder(_Tag).decode
_KNOWN: Final = frozenset({"connected", "start", "media", "mark", "dtmf", "stop"})


def decode(text: str | bytes) -> Message:
    """Return the message; raise MalformedError, or UnknownMessageError for a kind that we do not know."""
    try:
        return _DECODE(text)
    except RecursionError:
        raise MalformedError("twilio message: nested too deeply") from None
    except UnicodeError:
        raise MalformedError("twilio message: not UTF-8") from None
    except msgspec.DecodeError as error:
        try:
            kind = _DECODE_TAG(text).event
        except RecursionError:
            raise MalformedError("twilio message: nested too deeply") from None
        except (msgspec.DecodeError, UnicodeError) as worse:
            raise MalformedError(f"twilio message: {place_of(worse)}") from None
        if kind not in _KNOWN:
            raise UnknownMessageError("twilio message: unknown event") from None
        raise MalformedError(f"twilio {kind}: {place_of(error)}") from None


class Frame(NamedTuple):
    """20 ms of the caller's line: its RMS, its mu-law in base64, and how voiced it is (0.0 below VOICE_RMS)."""

    rms: float
    payload: str
    voicing: float


class Framer:
    """Cuts the caller's line into 20 ms frames, whatever the lengths in which it comes."""

    def __init__(self) -> None:
        self._rest = b""
        self._voicing = Voicing()

    def frames(self, payload: str) -> Iterator[Frame]:
        """Yield each full frame; raise MalformedError for what is not base64.

        A payload of exactly one frame, as Twilio sends them, is handed on as it came.
        """
        try:
            ulaw = a2b_base64(payload, strict_mode=True)
        except (Base64Error, ValueError):
            raise MalformedError("twilio media: payload is not base64") from None
        if len(ulaw) == FRAME_BYTES and not self._rest:
            yield self._measured(ulaw, payload)
            return
        line = self._rest + ulaw
        whole = len(line) - len(line) % FRAME_BYTES
        self._rest = line[whole:]
        for start in range(0, whole, FRAME_BYTES):
            frame = line[start : start + FRAME_BYTES]
            yield self._measured(frame, b64encode(frame).decode())

    def _measured(self, ulaw: bytes, payload: str) -> Frame:
        loudness = rms(ulaw)
        if loudness >= VOICE_RMS:
            return Frame(loudness, payload, self._voicing.measure(ulaw))
        self._voicing.skip(ulaw)
        return Frame(loudness, payload, 0.0)


class Encoder:
    """Effects to messages of one stream."""

    def __init__(self, stream_sid: str) -> None:
        sid = msgspec.json.encode(stream_sid)
        self._media = b'{"event":"media","streamSid":' + sid + b',"media":{"payload":"'
        self._mark = b'{"event":"mark","streamSid":' + sid + b',"mark":{"name":"'
        self._clear = b'{"event":"clear","streamSid":' + sid + b"}"

    def encode(self, effect: PlayAudio | SendMark | ClearPlayback) -> bytes:
        """Return the JSON text of an effect."""
        if isinstance(effect, PlayAudio):
            return self._media + b64encode(effect.audio) + b'"}}'
        if isinstance(effect, SendMark):
            return self._mark + effect.name.encode() + b'"}}'
        return self._clear
