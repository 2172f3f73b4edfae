"""The configuration as frozen values: every key with its default, its bounds and what it says.

The defaults are the product's numbers. Units stand in the names: `_ms`, `_s`, `_bytes`, and `_rms` (with the
thresholds) on the 16-bit linear scale.
"""

from typing import Any, Final

from attrs import field, frozen

from callfsm.config_checks import (
    MS,
    REDACTABLE,
    RMS,
    WAIT_MS,
    WAIT_S,
    Check,
    ConfigError,
    are_redactable,
    between,
    is_number_or_empty,
    is_prompt,
    is_public_url,
    is_time_zone,
    is_token_limit,
    is_tool_name,
    is_webhook,
    not_blank,
)
from callfsm.hearing.mulaw import FRAME_MS

API_MINIMUM_MS: Final = 100
"""The Realtime API refuses to commit less audio than this."""
HANG_UP: Final = "hang_up"
TRANSFER: Final = "transfer_call"
BUILT_IN_TOOLS: Final = (HANG_UP, TRANSFER)


def _option(default: Any, says: str, check: Check | None = None) -> Any:
    """Return a key's field; what it says stands in the reference that is made from this module."""
    return field(default=default, validator=check, metadata={"says": says})


@frozen
class RealtimeConfig:
    """How the OpenAI Realtime session is set up."""

    model: str = _option("gpt-realtime-2.1", "the model that listens and speaks", not_blank)
    voice: str = _option("marin", "its voice", not_blank)
    transcription_model: str = _option("gpt-transcribe", "the model that writes down what was said", not_blank)
    max_output_tokens: int | str = _option(1024, 'the longest reply: 1 to 4096, or "inf"', is_token_limit)


@frozen
class GateConfig:
    """What counts as sound, on the 16-bit linear scale, and what goes out around it."""

    calibration_ms: int = _option(1500, "the line is measured at the start of every call", MS)
    quiet_rms: float = _option(120.0, "frames below it are noise-floor samples", RMS)
    default_noise_floor: float = _option(100.0, "the noise floor where there were no samples", RMS)
    default_threshold: float = _option(160.0, "the threshold until the line has been measured", RMS)
    threshold_margin: float = _option(60.0, "threshold = noise floor + margin, at most max_threshold", RMS)
    max_threshold: float = _option(175.0, "the highest threshold", RMS)
    preroll_ms: int = _option(300, "goes out ahead of the frame that opens the gate", MS)
    follow_factor: float = _option(
        2.0, "on a line noisier than quiet_rms, threshold = noise * factor; 0: never", between(0, 10)
    )
    max_following_threshold: float = _option(1200.0, "the highest threshold on such a line", RMS)
    echo_factor: float = _option(
        2.0,
        "while the assistant is audible, threshold >= factor * its echo; 0: never",
        between(0, 10),
    )
    min_voicing: float = _option(0.55, "periodicity from which a loud frame is voiced, 0 to 1", between(0, 1))
    detector: bool = _option(False, "whether Silero VAD, if installed, confirms interruptions as well")
    detector_model: str = _option("", "its model, a path to silero_vad.onnx; empty: that of the package silero-vad")
    min_speech_probability: float = _option(
        0.5, "from which it takes 32 ms of sound for speech, 0 to 1; three such in a row confirm", between(0, 1)
    )
    hangover_ms: int = _option(500, "the gate stays open after a loud frame; shorter than end_of_turn_ms", MS)


@frozen
class TurnConfig:
    """When the caller's turn ends, and how long anything is waited for."""

    grace_ms: int = _option(300, "of the assistant's speech, in which sound may be its echo", MS)
    end_of_turn_ms: int = _option(600, "of silence end the caller's turn", between(FRAME_MS, 600_000))
    max_turn_ms: int = _option(30_000, "of unbroken sound end it, too", between(1000, 600_000))
    min_speech_ms: int = _option(100, "of loud frames, or it was a blip", MS)
    confirm_voiced_ms: int = _option(120, "of voiced sound over the assistant prove somebody; 0: any sound does", MS)
    confirm_ms: int = _option(
        600, "for that proof; without it the assistant goes on. At most end_of_turn_ms", between(FRAME_MS, 600_000)
    )
    most_continued: int = _option(
        2, "times a reply is continued although somebody spoke, of whom no word was accepted", between(0, 100)
    )
    cancel_timeout_ms: int = _option(1500, "for the end of a cancelled response", WAIT_MS)
    transcript_timeout_ms: int = _option(3000, "for the transcript of an utterance", WAIT_MS)
    reply_timeout_ms: int = _option(8000, "for the first audio of a response", WAIT_MS)
    moment_ms: int = _option(
        3000, "without a Realtime session, a silent caller who is owed a reply hears the clip `moment`", WAIT_MS
    )


@frozen
class LimitsConfig:
    """What a peer may do, and how long it may take."""

    start_s: float = _option(5.0, "from a media socket's opening to its start; else it is closed (1008)", WAIT_S)
    no_media_s: float = _option(15.0, "without the caller's audio end the call", WAIT_S)
    token_s: float = _option(60.0, "a media socket's token lives", WAIT_S)
    request_s: float = _option(
        10.0, "for a request's head to arrive, as long again for its body, and for the answer to be taken", WAIT_S
    )
    connections: int = _option(
        0,
        "open connections of the public listener, more are closed at once; 0: 100 and two a call",
        between(0, 10**6),
    )
    twilio_ahead_s: float = _option(
        60.0, "Twilio's audio may be ahead of the clock; more is dropped, twice as much closes (1008)", WAIT_S
    )
    twilio_message_bytes: int = _option(65_536, "the largest message of Twilio (else 1009)", between(1024, 2**24))
    realtime_message_bytes: int = _option(2**24, "the largest message of OpenAI", between(65_536, 2**28))
    realtime_connect_s: float = _option(5.0, "for a connection to OpenAI", WAIT_S)
    realtime_ready_s: float = _option(5.0, "from there to session.updated", WAIT_S)
    realtime_tries: int = _option(
        3,
        "tries to get a session; not again after a 401 or 403, an exhausted quota, rejected settings, 1008 or 4xxx",
        between(1, 20),
    )
    realtime_tries_s: float = _option(10.0, "in which the tries must lie", WAIT_S)
    realtime_silent_s: float = _option(
        10.0, "without a message of OpenAI while it owes one (a commit, a response), and the session is lost", WAIT_S
    )
    realtime_session_s: float = _option(
        3000.0,
        "a session's age from which it is renewed between two turns, by chance up to a twentieth sooner;"
        " a shorter call (max_call_s) never renews; OpenAI ends it after 3600",
        WAIT_S,
    )
    breaker_calls: int = _option(
        3, "calls that OpenAI fails, with no reply between, and it is down", between(1, 1000)
    )
    breaker_s: float = _option(60.0, "in which these calls fail", WAIT_S)
    breaker_probe_s: float = _option(5.0, "between two looks whether it is up again", WAIT_S)
    digits_pause_s: float = _option(2.0, "after the last key pressed the digits are told to the assistant", WAIT_S)
    realtime_ping_s: float = _option(20.0, "between two pings to OpenAI", WAIT_S)


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

    redact: tuple[str, ...] = _option((), f"kinds of private data, of: {', '.join(REDACTABLE)}", are_redactable)


@frozen
class Tool:
    """A function that the assistant may call: a webhook of the operator's that takes and gives JSON."""

    name: str = _option("", "what the model calls it: letters, digits, _ and -", is_tool_name)
    description: str = _option("", "what it does and when to call it, told to the model", not_blank)
    url: str = field(
        default="",
        validator=is_webhook,
        repr=False,
        metadata={"says": "the arguments are posted to this address as JSON"},
    )
    parameters: dict[str, Any] = field(factory=lambda: {"type": "object"}, metadata={"says": "their JSON schema"})
    timeout_s: float = _option(5.0, "for the answer; after it the model is told that it failed", WAIT_S)


@frozen
class Business:
    """Who is being called: one of the operator's numbers, `"*"` for every other."""

    number: str = _option("*", 'the number called; "*" is every other', not_blank)
    name: str = _option("המשרד", "what the business is called")
    enable_greeting: bool = _option(False, "whether the assistant speaks first, once")
    greeting: str = _option("שלום, איך אפשר לעזור?", "what it then says", not_blank)
    greeting_clip: str = _option("", "a wav file that is played word for word in place of the generated greeting")
    prompt: str = _option(
        "אתה העוזר הקולי של העסק. ענה בקצרה, בנימוס ולעניין, כמו בשיחת טלפון.",
        "the assistant's role; may name {business}, {date}, {time}, {weekday}, {opening_hours}, {caller}",
        is_prompt,
    )
    time_zone: str = _option("Asia/Jerusalem", "where the business's clock stands", is_time_zone)
    opening_hours: str = _option("", "told to the assistant, where there are any")
    transfer_number: str = _option("", "where the assistant may transfer a caller to", is_number_or_empty)
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

    public_url: str = _option("", "the https address that Twilio calls; it is what Twilio signs", is_public_url)
    max_calls: int = _option(
        200, "live calls at most; further callers hear that all lines are busy", between(1, 100_000)
    )
    max_call_s: int = _option(1800, "the longest call", between(1, 86_400))
    warning_s: int = _option(
        60,
        "before max_call_s the caller hears the clip `warning`; 0, or not below max_call_s: never",
        between(0, 3600),
    )
    drain_s: int = _option(600, "live calls may go on so long after SIGTERM", between(0, 86_400))
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
