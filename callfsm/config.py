"""The configuration: TOML in, frozen values out, and errors that name the key and never the value.

The defaults are the product's numbers. Units stand in the names: `_ms`, `_s`, and `_rms` (with the thresholds)
on the 16-bit linear scale.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import cattrs
from attrs import Attribute, field, frozen

from callfsm.hearing.mulaw import FRAME_MS

API_MINIMUM_MS: Final = 100
"""The Realtime API refuses to commit less audio than this."""


class ConfigError(ValueError):
    """A configuration that cannot be served. `key` is its place, `why` says what would be right."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key
        self.why = why


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


_MS = _between(0, 600_000)
_RMS = _between(0, 32_768)


@frozen
class RealtimeConfig:
    """How the OpenAI Realtime session is set up."""

    model: str = field(default="gpt-realtime-2.1", validator=_not_blank)
    voice: str = field(default="marin", validator=_not_blank)
    transcription_model: str = field(default="gpt-transcribe", validator=_not_blank)
    max_output_tokens: int | str = field(default=1024, validator=_is_token_limit)


@frozen
class GateConfig:
    """What counts as sound, on the 16-bit linear scale, and what goes out around it."""

    calibration_ms: int = field(default=1500, validator=_MS)
    quiet_rms: float = field(default=120.0, validator=_RMS)
    default_noise_floor: float = field(default=100.0, validator=_RMS)
    default_threshold: float = field(default=160.0, validator=_RMS)
    threshold_margin: float = field(default=60.0, validator=_RMS)
    max_threshold: float = field(default=175.0, validator=_RMS)
    preroll_ms: int = field(default=300, validator=_MS)
    hangover_ms: int = field(default=500, validator=_MS)


@frozen
class TurnConfig:
    """When the caller's turn ends, and how long anything is waited for."""

    grace_ms: int = field(default=300, validator=_MS)
    end_of_turn_ms: int = field(default=600, validator=_between(FRAME_MS, 600_000))
    max_turn_ms: int = field(default=30_000, validator=_between(1000, 600_000))
    min_speech_ms: int = field(default=100, validator=_MS)
    cancel_timeout_ms: int = field(default=1500, validator=_between(1, 600_000))
    transcript_timeout_ms: int = field(default=3000, validator=_between(1, 600_000))
    reply_timeout_ms: int = field(default=8000, validator=_between(1, 600_000))


@frozen
class Business:
    """Who is being called: one of the operator's numbers, `"*"` for every other."""

    number: str = field(default="*", validator=_not_blank)
    name: str = "המשרד"
    enable_greeting: bool = False
    greeting: str = field(default="שלום, איך אפשר לעזור?", validator=_not_blank)
    prompt: str = "אתה העוזר הקולי של העסק. ענה בקצרה, בנימוס ולעניין, כמו בשיחת טלפון."


@frozen
class Config:
    """One server's configuration."""

    public_url: str = field(default="", validator=_is_public_url)
    max_calls: int = field(default=200, validator=_between(1, 100_000))
    max_call_s: int = field(default=1800, validator=_between(1, 86_400))
    drain_s: int = field(default=600, validator=_between(0, 86_400))
    realtime: RealtimeConfig = RealtimeConfig()
    gate: GateConfig = GateConfig()
    turn: TurnConfig = TurnConfig()
    business: tuple[Business, ...] = (Business(),)

    def __attrs_post_init__(self) -> None:
        if self.gate.hangover_ms >= self.turn.end_of_turn_ms:
            raise ConfigError("gate.hangover_ms", "must be shorter than turn.end_of_turn_ms")
        if self.turn.min_speech_ms + self.gate.hangover_ms < API_MINIMUM_MS:
            raise ConfigError("turn.min_speech_ms", f"must be at least {API_MINIMUM_MS} with gate.hangover_ms")
        if self.turn.min_speech_ms >= self.turn.max_turn_ms:
            raise ConfigError("turn.min_speech_ms", "must be shorter than turn.max_turn_ms")
        numbers = [business.number for business in self.business]
        if len(set(numbers)) != len(numbers):
            raise ConfigError("business.number", "must differ from one business to the next")

    def business_of(self, number: str) -> Business:
        """Return the business that the called number belongs to; the default one where none is named."""
        by_number = {business.number: business for business in self.business}
        return by_number.get(number) or by_number.get("*") or Business()


class _WrongTypeError(TypeError):
    """A value of another type than its key takes."""


def _exactly(kind: type, says: str) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise _WrongTypeError(f"must be {says}")
        return value

    return structure


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise _WrongTypeError("must be a number")
    return float(value)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(int, _exactly(int, "a whole number"))
    converter.register_structure_hook(str, _exactly(str, "a text"))
    converter.register_structure_hook(bool, _exactly(bool, "true or false"))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(int | str, lambda value, _: value)
    return converter


_CONVERTER: Final = _converter()


def _why(error: BaseException, _kind: type | None = None) -> str:
    if isinstance(error, cattrs.errors.ForbiddenExtraKeysError):
        return "unknown key " + ", ".join(sorted(error.extra_fields))
    return str(error) if isinstance(error, ConfigError | _WrongTypeError) else "is not of the right form"


def _first_error(error: cattrs.BaseValidationError) -> ConfigError:
    """Return the first of cattrs' findings as `section.key: why`."""
    why, _, path = cattrs.transform_error(error, format_exception=_why)[0].rpartition(" @ ")
    key = path.removeprefix("$").lstrip(".")
    if ": " in why:
        name, why = why.split(": ", 1)
        key = f"{key}.{name}".lstrip(".")
    elif why.startswith("unknown key "):
        key, why = (
            f"{key}.{why.removeprefix('unknown key ')}".lstrip("."),
            "is not a key of the configuration",
        )
    return ConfigError(key or "configuration", why)


def config_from(values: Mapping[str, Any]) -> Config:
    """Return the configuration that a parsed TOML document describes; raise ConfigError naming the key."""
    try:
        return _CONVERTER.structure(values, Config)
    except cattrs.BaseValidationError as error:
        raise _first_error(error) from None


def config_values(config: Config) -> dict[str, Any]:
    """Return the whole configuration as plain values, as `config_from` takes them."""
    values: dict[str, Any] = _CONVERTER.unstructure(config)
    return values


def read_config(path: Path) -> Config:
    """Return the configuration of a TOML file; raise ConfigError naming the file or the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read ({type(error).__name__})") from None
    try:
        return config_from(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not TOML: {error}") from None
