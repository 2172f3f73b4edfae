"""Reading the configuration: TOML in, frozen values out, and errors that name the key and never the value."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import cattrs

from callfsm.config import Config
from callfsm.config_checks import ConfigError


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
_PART: Final = re.compile(r"[^/]+")


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


def journal_values(config: Config) -> dict[str, Any]:
    """Return the values for a journal: as `config_from` takes them, and of webhooks no more than the host."""
    values = config_values(config)
    for tool in (tool for business in values["business"] for tool in business["tool"]):
        tool["url"] = _without_secrets(tool["url"])
    return values


def _without_secrets(url: str) -> str:
    """Blank all of an address that may be a key: the parts of its path, and the values of its query."""
    parts = urlsplit(url)
    path = _PART.sub("*", parts.path)
    query = "&".join(f"{name}=*" if is_value else "*" for name, is_value, _ in _pairs(parts.query))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _pairs(query: str) -> list[tuple[str, str, str]]:
    return [pair.partition("=") for pair in query.split("&") if pair]


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
