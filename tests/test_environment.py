"""What the environment gives, and that its errors name the variable and never the value."""

import pytest

from callfsm.config import Config
from callfsm.config_checks import ConfigError
from callfsm.environment import DEFAULT_REALTIME_URL, Environment, read_environment, with_public_url

KEY = "sk-planted"
FULL = {
    "OPENAI_API_KEY": f" {KEY} ",
    "OPENAI_REALTIME_URL": "ws://127.0.0.1:9/v1/realtime",
    "TWILIO_AUTH_TOKEN": "planted",
    "TWILIO_ACCOUNT_SID": "AC1",
    "CALLFSM_ADMIN_TOKEN": " planted-0123456789 ",
}


def test_all_of_it_is_taken() -> None:
    expected = Environment(KEY, "ws://127.0.0.1:9/v1/realtime", "planted", "AC1", "planted-0123456789")

    assert expected == read_environment(FULL)


def test_the_key_is_enough() -> None:
    assert Environment(KEY, DEFAULT_REALTIME_URL) == read_environment({"OPENAI_API_KEY": KEY})


def test_secrets_are_not_shown() -> None:
    assert "planted" not in repr(read_environment(FULL))


REFUSED = [
    ({}, "OPENAI_API_KEY"),
    ({"OPENAI_API_KEY": "  "}, "OPENAI_API_KEY"),
    ({"OPENAI_API_KEY": "sk-planted\nX: y"}, "OPENAI_API_KEY"),
    ({"OPENAI_API_KEY": "sk-מפתח"}, "OPENAI_API_KEY"),
    ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": "https://planted"}, "OPENAI_REALTIME_URL"),
    ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": "wss://"}, "OPENAI_REALTIME_URL"),
    ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": "wss://planted:x/"}, "OPENAI_REALTIME_URL"),
    ({"OPENAI_API_KEY": KEY, "CALLFSM_ADMIN_TOKEN": "planted-1234567"}, "CALLFSM_ADMIN_TOKEN"),
    ({"OPENAI_API_KEY": KEY, "CALLFSM_ADMIN_TOKEN": "planted-מפתח-0123456789"}, "CALLFSM_ADMIN_TOKEN"),
    ({"OPENAI_API_KEY": KEY, "CALLFSM_ADMIN_TOKEN": "planted-0123456789\nX: y"}, "CALLFSM_ADMIN_TOKEN"),
]


@pytest.mark.parametrize(("environ", "key"), REFUSED)
def test_what_cannot_be_is_named(environ: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_environment(environ)

    assert key == refused.value.key
    assert "planted" not in str(refused.value)


def test_public_url_of_the_environment_goes_first() -> None:
    config = Config(public_url="https://file.example.org")

    assert config == with_public_url(config, {})
    environ = {"CALLFSM_PUBLIC_URL": "https://environment.example.org"}
    assert with_public_url(config, environ).public_url == "https://environment.example.org"


def test_public_url_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError) as refused:
        with_public_url(Config(), {"CALLFSM_PUBLIC_URL": "http://planted"})

    assert refused.value.key == "CALLFSM_PUBLIC_URL"
    assert "planted" not in str(refused.value)
