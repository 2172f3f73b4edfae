"""The configuration as frozen values: every key with its default, its bounds and what it says.

The defaults are the product's numbers. Units stand in the names: `_ms`, `_s`, `_bytes`, and `_rms` (with the
thresholds) on the 16-bit linear scale.
"""

import re
import string
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from attrs import Attribute, field, frozen

from callfsm.hearing.mulaw import FRAME_MS

API_MINIMUM_MS: Final = 100
"""The Realtime API refuses to commit less audio than this."""
PROMPT_FIELDS: Final = ("business", "date", "time", "weekday", "opening_hours", "caller")
"""What a prompt may name in braces."""
HANG_UP: Final = "hang_up"
TRANSFER: Final = "transfer_call"
BUILT_IN_TOOLS: Final = (HANG_UP, TRANSFER)
REDACTABLE: Final = ("identity", "card", "phone", "email")
"""Israeli identity numbers, payment cards, telephone numbers, e-mail addresses."""
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PHONE_NUMBER: Final = re.compile(r"\+[1-9]\d{5,14}")


class ConfigError(ValueError):
    """A configuration that cannot be served. `key` is its place, `why` says what would be right."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key
        self.why = why


_Check = Callable[[Any, "Attribute[Any]", Any], None]


def _option(default: Any, says: str, check: _Check | None = None) -> Any:
    """Return a key's field; what it says stands in the reference that is made from this module."""
    return field(default=default, validator=check, metadata={"says": says})


def is_url(text: str, schemes: tuple[str, ...]) -> bool:
    """Say whether a text is an address of one of these schemes, with a host, and without a user's name."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text
    return is_plain and parts.scheme in schemes and has_host and parts.username is None


def _between(low: float, high: float) -> Callable[[Any, "Attribute[Any]", Any], None]:
    def check(_instance: object, attribute: "Attribute[Any]", value: float) -> None:
        if not low <= value <= high:
            raise ConfigError(attribute.name, f"must be a number from {low:g} to {high:g}")

    return check


def _not_blank(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    if not value.strip():
        raise ConfigError(attribute.name, "must not be empty")


def _is_token_limit(_instance: object, attribute: "Attribute[Any]", value: int | str) -> None:
    if value != "inf" and not (type(value) is int and 1 <= value <= 4096):
        raise ConfigError(attribute.name, 'must be a whole number from 1 to 4096, or "inf"')


def _is_public_url(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    if value and (not is_url(value, ("https",)) or "?" in value or "#" in value):
        raise ConfigError(attribute.name, "must be an https:// address without a query")


def _is_time_zone(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise ConfigError(attribute.name, "must be a time zone of the IANA database, as Asia/Jerusalem") from None


def _is_prompt(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    try:
        parts = [part[1:] for part in string.Formatter().parse(value) if part[1] is not None]
        fields = [name if not form and conversion is None else "" for name, form, conversion in parts]
    except ValueError:
        fields = [""]
    if not set(fields) <= set(PROMPT_FIELDS):
        known = ", ".join(f"{{{name}}}" for name in PROMPT_FIELDS)
        raise ConfigError(attribute.name, f"may name {known} in braces, and a brace itself is doubled")


def _is_tool_name(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    if not _TOOL_NAME.fullmatch(value):
        raise ConfigError(attribute.name, "must be 1 to 64 letters, digits, _ or -")


def _is_webhook(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    if not is_url(value, ("https", "http")):
        raise ConfigError(attribute.name, "must be an https:// or http:// address")


def _is_number_or_empty(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    if value and not _PHONE_NUMBER.fullmatch(value):
        raise ConfigError(attribute.name, "must be a phone number in E.164, as +97231234567")


def _are_redactable(_instance: object, attribute: "Attribute[Any]", value: tuple[str, ...]) -> None:
    if not set(value) <= set(REDACTABLE):
        raise ConfigError(attribute.name, f"may hold {', '.join(REDACTABLE)}")


_MS = _between(0, 600_000)
_WAIT_MS = _between(1, 600_000)
_WAIT_S = _between(0.1, 3600)
_RMS = _between(0, 32_768)


@frozen
class RealtimeConfig:
    """How the OpenAI Realtime session is set up."""

    model: str = _option("gpt-realtime-2.1", "the model that listens and speaks", _not_blank)
    voice: str = _option("marin", "its voice", _not_blank)
    transcription_model: str = _option("gpt-transcribe", "the model that writes down what was said", _not_blank)
    max_output_tokens: int | str = _option(1024, 'the longest reply: 1 to 4096, or "inf"', _is_token_limit)


@frozen
class GateConfig:
    """What counts as sound, on the 16-bit linear scale, and what goes out around it."""

    calibration_ms: int = _option(1500, "the line is measured at the start of every call", _MS)
    quiet_rms: float = _option(120.0, "frames below it are noise-floor samples", _RMS)
    default_noise_floor: float = _option(100.0, "the noise floor where there were no samples", _RMS)
    default_threshold: float = _option(160.0, "the threshold until the line has been measured", _RMS)
    threshold_margin: float = _option(60.0, "threshold = noise floor + margin, at most max_threshold", _RMS)
    max_threshold: float = _option(175.0, "the highest threshold", _RMS)
    preroll_ms: int = _option(300, "goes out ahead of the frame that opens the gate", _MS)
    follow_factor: float = _option(
        2.0, "on a line noisier than quiet_rms, threshold = noise * factor; 0: never", _between(0, 10)
    )
    max_following_threshold: float = _option(1200.0, "the highest threshold on such a line", _RMS)
    echo_factor: float = _option(
        2.0,
        "while the assistant is audible, threshold >= factor * its echo; 0: never",
        _between(0, 10),
    )
    min_voicing: float = _option(0.55, "periodicity from which a loud frame is voiced, 0 to 1", _between(0, 1))
    detector: bool = _option(False, "whether Silero VAD, if installed, confirms interruptions as well")
    detector_model: str = _option("", "its model, a path to silero_vad.onnx; empty: that of the package silero-vad")
    min_speech_probability: float = _option(
        0.5, "from which it takes 32 ms of sound for speech, 0 to 1; three such in a row confirm", _between(0, 1)
    )
    hangover_ms: int = _option(500, "the gate stays open after a loud frame; shorter than end_of_turn_ms", _MS)


@frozen
class TurnConfig:
    """When the caller's turn ends, and how long anything is waited for."""

    grace_ms: int = _option(300, "of the assistant's speech, in which sound may be its echo", _MS)
    end_of_turn_ms: int = _option(600, "of silence end the caller's turn", _between(FRAME_MS, 600_000))
    max_turn_ms: int = _option(30_000, "of unbroken sound end it, too", _between(1000, 600_000))
    min_speech_ms: int = _option(100, "of loud frames, or it was a blip", _MS)
    confirm_voiced_ms: int = _option(120, "of voiced sound over the assistant prove somebody; 0: any sound does", _MS)
    confirm_ms: int = _option(
        600, "for that proof; without it the assistant goes on. At most end_of_turn_ms", _between(FRAME_MS, 600_000)
    )
    most_continued: int = _option(
        2, "times a reply is continued although somebody spoke, of whom no word was accepted", _between(0, 100)
    )
    cancel_timeout_ms: int = _option(1500, "for the end of a cancelled response", _WAIT_MS)
    transcript_timeout_ms: int = _option(3000, "for the transcript of an utterance", _WAIT_MS)
    reply_timeout_ms: int = _option(8000, "for the first audio of a response", _WAIT_MS)
    moment_ms: int = _option(
        3000, "without a Realtime session, a silent caller who is owed a reply hears the clip `moment`", _WAIT_MS
    )


@frozen
class LimitsConfig:
    """What a peer may do, and how long it may take."""

    start_s: float = _option(5.0, "from a media socket's opening to its start; else it is closed (1008)", _WAIT_S)
    no_media_s: float = _option(15.0, "without the caller's audio end the call", _WAIT_S)
    token_s: float = _option(60.0, "a media socket's token lives", _WAIT_S)
    request_s: float = _option(10.0, "for all of an HTTP request to arrive", _WAIT_S)
    connections: int = _option(
        0,
        "open connections of the public listener, more are closed at once; 0: 100 and two a call",
        _between(0, 10**6),
    )
    twilio_ahead_s: float = _option(
        60.0, "Twilio's audio may be ahead of the clock; more is dropped, twice as much closes (1008)", _WAIT_S
    )
    twilio_message_bytes: int = _option(65_536, "the largest message of Twilio (else 1009)", _between(1024, 2**24))
    realtime_message_bytes: int = _option(2**24, "the largest message of OpenAI", _between(65_536, 2**28))
    realtime_connect_s: float = _option(5.0, "for a connection to OpenAI", _WAIT_S)
    realtime_ready_s: float = _option(5.0, "from there to session.updated", _WAIT_S)
    realtime_tries: int = _option(3, "tries to get a session, a 401 is not tried again", _between(1, 20))
    realtime_tries_s: float = _option(10.0, "in which the tries must lie", _WAIT_S)
    realtime_silent_s: float = _option(
        10.0, "without any message of OpenAI after one that it must answer, and the session is lost", _WAIT_S
    )
    realtime_session_s: float = _option(
        3000.0, "a session's age from which it is renewed between two turns; OpenAI ends it after 3600", _WAIT_S
    )
    breaker_calls: int = _option(
        3, "calls that OpenAI fails, with no reply between, and it is down", _between(1, 1000)
    )
    breaker_s: float = _option(60.0, "in which these calls fail", _WAIT_S)
    breaker_probe_s: float = _option(5.0, "between two looks whether it is up again", _WAIT_S)
    digits_pause_s: float = _option(2.0, "after the last key pressed the digits are told to the assistant", _WAIT_S)
    realtime_ping_s: float = _option(20.0, "between two pings to OpenAI", _WAIT_S)


@frozen
class ClipsConfig:
    """Recordings of our own: wav files of 8000 Hz, one channel, mu-law or 16-bit. Empty: the one that ships."""

    apology: str = _option("", "spoken after a call that failed")
    busy: str = _option("", "spoken to a caller whom no place is free for")
    moment: str = _option("", "spoken to a silent caller who waits for a reply while OpenAI cannot be reached")
    warning: str = _option("", "spoken before max_call_s ends the call")


@frozen
class PrivacyConfig:
    """What is struck out of transcripts before anything is made of them: log, journal, and later sessions."""

    redact: tuple[str, ...] = _option((), f"kinds of private data, of: {', '.join(REDACTABLE)}", _are_redactable)


@frozen
class Tool:
    """A function that the assistant may call: a webhook of the operator's that takes and gives JSON."""

    name: str = _option("", "what the model calls it: letters, digits, _ and -", _is_tool_name)
    description: str = _option("", "what it does and when to call it, told to the model", _not_blank)
    url: str = field(
        default="",
        validator=_is_webhook,
        repr=False,
        metadata={"says": "the arguments are posted to this address as JSON"},
    )
    parameters: dict[str, Any] = field(factory=lambda: {"type": "object"}, metadata={"says": "their JSON schema"})
    timeout_s: float = _option(5.0, "for the answer; after it the model is told that it failed", _WAIT_S)


@frozen
class Business:
    """Who is being called: one of the operator's numbers, `"*"` for every other."""

    number: str = _option("*", 'the number called; "*" is every other', _not_blank)
    name: str = _option("המשרד", "what the business is called")
    enable_greeting: bool = _option(False, "whether the assistant speaks first, once")
    greeting: str = _option("שלום, איך אפשר לעזור?", "what it then says", _not_blank)
    greeting_clip: str = _option("", "a wav file that is played word for word in place of the generated greeting")
    prompt: str = _option(
        "אתה העוזר הקולי של העסק. ענה בקצרה, בנימוס ולעניין, כמו בשיחת טלפון.",
        "the assistant's role; may name {business}, {date}, {time}, {weekday}, {opening_hours}, {caller}",
        _is_prompt,
    )
    time_zone: str = _option("Asia/Jerusalem", "where the business's clock stands", _is_time_zone)
    opening_hours: str = _option("", "told to the assistant, where there are any")
    transfer_number: str = _option("", "where the assistant may transfer a caller to", _is_number_or_empty)
    tool: tuple[Tool, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.greeting_clip and not self.enable_greeting:
            raise ConfigError("greeting_clip", "is played only with enable_greeting = true")
        names = [*BUILT_IN_TOOLS, *(tool.name for tool in self.tool)]
        if len(set(names)) != len(names):
            raise ConfigError("tool.name", f"must differ from the others, and from {', '.join(BUILT_IN_TOOLS)}")


@frozen
class Config:
    """One server's configuration."""

    public_url: str = _option("", "the https address that Twilio calls; it is what Twilio signs", _is_public_url)
    max_calls: int = _option(
        200, "live calls at most; further callers hear that all lines are busy", _between(1, 100_000)
    )
    max_call_s: int = _option(1800, "the longest call", _between(1, 86_400))
    warning_s: int = _option(60, "before max_call_s the caller hears the clip `warning`; 0: never", _between(0, 3600))
    drain_s: int = _option(600, "live calls may go on so long after SIGTERM", _between(0, 86_400))
    realtime: RealtimeConfig = RealtimeConfig()
    gate: GateConfig = GateConfig()
    turn: TurnConfig = TurnConfig()
    limits: LimitsConfig = LimitsConfig()
    clips: ClipsConfig = ClipsConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    business: tuple[Business, ...] = (Business(),)

    def __attrs_post_init__(self) -> None:
        if self.gate.hangover_ms >= self.turn.end_of_turn_ms:
            raise ConfigError("gate.hangover_ms", "must be shorter than turn.end_of_turn_ms")
        if self.turn.min_speech_ms + self.gate.hangover_ms < API_MINIMUM_MS:
            raise ConfigError("turn.min_speech_ms", f"must be at least {API_MINIMUM_MS} with gate.hangover_ms")
        if self.turn.confirm_ms > min(self.turn.end_of_turn_ms, self.turn.max_turn_ms):
            raise ConfigError("turn.confirm_ms", "must not be longer than turn.end_of_turn_ms and turn.max_turn_ms")
        if self.turn.min_speech_ms >= self.turn.max_turn_ms:
            raise ConfigError("turn.min_speech_ms", "must be shorter than turn.max_turn_ms")
        numbers = [business.number for business in self.business]
        if len(set(numbers)) != len(numbers):
            raise ConfigError("business.number", "must differ from one business to the next")

    def business_of(self, number: str) -> Business:
        """Return the business that the called number belongs to; the default one where none is named."""
        by_number = {business.number: business for business in self.business}
        return by_number.get(number) or by_number.get("*") or Business()
