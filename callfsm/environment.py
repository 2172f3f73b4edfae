"""What the server takes from the process environment: secrets, and addresses that differ between machines."""

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from callfsm.config import Config
from callfsm.config_checks import ConfigError, is_url

DEFAULT_REALTIME_URL = "wss://api.openai.com/v1/realtime"
SHORTEST_ADMIN_TOKEN: Final = 16


@frozen
class Environment:
    """The environment's values. Secrets are kept out of `repr`."""

    openai_api_key: str = field(repr=False)
    realtime_url: str = DEFAULT_REALTIME_URL
    twilio_auth_token: str = field(default="", repr=False)
    twilio_account_sid: str = ""
    admin_token: str = field(default="", repr=False)


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Return the environment's values; raise ConfigError naming the variable, never its value."""
    key = environ.get("OPENAI_API_KEY", "").strip()
    if not key:
        raise ConfigError("OPENAI_API_KEY", "must be set in the environment")
    if not key.isascii() or not key.isprintable():
        raise ConfigError("OPENAI_API_KEY", "must be printable ASCII")
    url = environ.get("OPENAI_REALTIME_URL", "").strip() or DEFAULT_REALTIME_URL
    if not is_url(url, ("wss", "ws")):
        raise ConfigError("OPENAI_REALTIME_URL", "must be a wss:// or ws:// address")
    token = environ.get("CALLFSM_ADMIN_TOKEN", "").strip()
    if token and not (len(token) >= SHORTEST_ADMIN_TOKEN and token.isascii() and token.isprintable()):
        raise ConfigError("CALLFSM_ADMIN_TOKEN", f"must be {SHORTEST_ADMIN_TOKEN} or more printable ASCII characters")
    return Environment(
        openai_api_key=key,
        realtime_url=url,
        twilio_auth_token=environ.get("TWILIO_AUTH_TOKEN", "").strip(),
        twilio_account_sid=environ.get("TWILIO_ACCOUNT_SID", "").strip(),
        admin_token=token,
    )


def with_public_url(config: Config, environ: Mapping[str, str]) -> Config:
    """Return the configuration with the environment's public URL, where it names one."""
    url = environ.get("CALLFSM_PUBLIC_URL", "").strip()
    if not url:
        return config
    try:
        return evolve(config, public_url=url)
    except ConfigError as error:
        raise ConfigError("CALLFSM_PUBLIC_URL", error.why) from None
