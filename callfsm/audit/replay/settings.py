"""`--set`: the numbers that a call is run under instead of its own."""

import tomllib
from collections.abc import Iterable
from typing import Any

from callfsm.config import Config
from callfsm.config_checks import ConfigError
from callfsm.config_file import config_from, config_values


def changed_config(config: Config, settings: Iterable[str]) -> Config:
    """Return a configuration with `section.key=value` put in, values in TOML; raise ConfigError naming the key."""
    values = config_values(config)
    for setting in settings:
        key, _, text = (part.strip() for part in setting.partition("="))
        section, _, name = key.rpartition(".")
        if key.partition(".")[0] == "business":
            raise ConfigError(key, "what a business says of itself cannot be changed here, only numbers can")
        table = values[section] if isinstance(values.get(section), dict) else {}
        known = table if section else {name for name, value in values.items() if not isinstance(value, dict)}
        if name not in known:
            raise ConfigError(key, "is not a key of the configuration")
        (table if section else values)[name] = _toml_value(key, text)
    return config_from(values)


def _toml_value(key: str, text: str) -> Any:
    try:
        values = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        values = {}
    if values.keys() != {"value"}:
        raise ConfigError(key, 'needs one value in TOML, as 300, 1.5, true or "text"')
    return values["value"]
