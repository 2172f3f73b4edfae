"""What a key's value must be: the checks of the configuration, each of which names the key and never the value."""

import re
import string
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from attrs import Attribute

PROMPT_FIELDS: Final = ("business", "date", "time", "weekday", "opening_hours", "caller")
"""What a prompt may name in braces."""
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


Check = Callable[[Any, "Attribute[Any]", Any], None]
"""Raises ConfigError, as a validator of attrs does."""


def is_url(text: str, schemes: tuple[str, ...]) -> bool:
    """Say whether a text is an address of one of these schemes, with a host, and without a user's name."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text
    return is_plain and parts.scheme in schemes and has_host and parts.username is None


def between(low: float, high: float) -> Callable[[Any, "Attribute[Any]", Any], None]:
    """Return the check of a number that has bounds."""

    def check(_instance: object, attribute: "Attribute[Any]", value: float) -> None:
        if not low <= value <= high:
            raise ConfigError(attribute.name, f"must be a number from {low:g} to {high:g}")

    return check


def not_blank(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    """A text that is not empty."""
    if not value.strip():
        raise ConfigError(attribute.name, "must not be empty")


def is_token_limit(_instance: object, attribute: "Attribute[Any]", value: int | str) -> None:
    """A number of tokens, or no limit."""
    if value != "inf" and not (type(value) is int and 1 <= value <= 4096):
        raise ConfigError(attribute.name, 'must be a whole number from 1 to 4096, or "inf"')


def is_public_url(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    """An address that Twilio can call and sign, or none."""
    if value and (not is_url(value, ("https",)) or "?" in value or "#" in value):
        raise ConfigError(attribute.name, "must be an https:// address without a query")


def is_time_zone(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    """A time zone of the IANA database."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise ConfigError(attribute.name, "must be a time zone of the IANA database, as Asia/Jerusalem") from None


def is_prompt(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    """A text that names in braces what is known and nothing else."""
    try:
        parts = [part[1:] for part in string.Formatter().parse(value) if part[1] is not None]
        fields = [name if not form and conversion is None else "" for name, form, conversion in parts]
    except ValueError:
        fields = [""]
    if not set(fields) <= set(PROMPT_FIELDS):
        known = ", ".join(f"{{{name}}}" for name in PROMPT_FIELDS)
        raise ConfigError(attribute.name, f"may name {known} in braces, and a brace itself is doubled")


def is_tool_name(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    """A name that the API takes for a function."""
    if not _TOOL_NAME.fullmatch(value):
        raise ConfigError(attribute.name, "must be 1 to 64 letters, digits, _ or -")


def is_webhook(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    """An address to which a function is posted."""
    if not is_url(value, ("https", "http")):
        raise ConfigError(attribute.name, "must be an https:// or http:// address")


def is_number_or_empty(_instance: object, attribute: "Attribute[Any]", value: str) -> None:
    """A phone number in E.164, or none."""
    if value and not _PHONE_NUMBER.fullmatch(value):
        raise ConfigError(attribute.name, "must be a phone number in E.164, as +97231234567")


def are_redactable(_instance: object, attribute: "Attribute[Any]", value: tuple[str, ...]) -> None:
    """Kinds of private data that can be struck out."""
    if not set(value) <= set(REDACTABLE):
        raise ConfigError(attribute.name, f"may hold {', '.join(REDACTABLE)}")


MS = between(0, 600_000)
WAIT_MS = between(1, 600_000)
WAIT_S = between(0.1, 3600)
RMS = between(0, 32_768)
