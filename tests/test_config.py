"""The configuration: the defaults of the design, what is refused, and errors that name the key and never the value."""

import tomllib
from pathlib import Path

import pytest
from attrs import asdict
from attrs.exceptions import FrozenInstanceError

from callfsm.config import Business, Config
from callfsm.config_checks import ConfigError
from callfsm.config_file import config_from, config_values, read_config

DESIGN = """
max_calls = 200
max_call_s = 1800
drain_s = 600

[realtime]
model = "gpt-realtime-2.1"
voice = "marin"
transcription_model = "gpt-transcribe"
max_output_tokens = 1024

[gate]
calibration_ms = 1500
quiet_rms = 120.0
default_noise_floor = 100.0
default_threshold = 160.0
threshold_margin = 60.0
max_threshold = 175.0
preroll_ms = 300
follow_factor = 2.0
max_following_threshold = 1200.0
echo_factor = 2.0
min_voicing = 0.55
detector = false
detector_model = ""
min_speech_probability = 0.5
hangover_ms = 500

[turn]
grace_ms = 300
end_of_turn_ms = 600
max_turn_ms = 30000
min_speech_ms = 100
confirm_voiced_ms = 120
confirm_ms = 600
most_continued = 2
cancel_timeout_ms = 1500
transcript_timeout_ms = 3000
reply_timeout_ms = 8000
moment_ms = 3000

[[business]]
number = "*"
name = "המשרד"
enable_greeting = false
greeting = "שלום, איך אפשר לעזור?"
"""
SECRET = "sk-very-secret"


def tool(changed: str = "") -> str:
    """A business with one function, one of whose lines is this."""
    lines = {"name": '"lookup"', "description": '"finds"', "url": '"https://shop.example.org/lookup"'}
    lines |= dict([changed.split(" = ", 1)] if changed else [])
    return "\n".join(["[[business]]", "[[business.tool]]", *(f"{key} = {told}" for key, told in lines.items()), ""])


BAD = [
    # document                                          key
    ("foo = 1",                                         "foo"),
    ("gate.foo = 1",                                    "gate.foo"),
    ("turn.foo = 1",                                    "turn.foo"),
    ('realtime.api_key = "sk-very-secret"',             "realtime.api_key"),
    ("[[business]]\nfoo = 1",                           "business[0].foo"),
    ('[[business]]\n[[business]]\nnumber = ""',         "business[1].number"),
    ("gate = 5",                                        "gate"),
    ('turn = "sk-very-secret"',                         "turn"),
    ("business = 5",                                    "business"),
    ("business = [5]",                                  "business[0]"),
    ('business = "sk-very-secret"',                     "business[0]"),
    ('public_url = "http://sk-very-secret"',            "public_url"),
    ('public_url = "https://"',                         "public_url"),
    ('public_url = "https://sk-very-secret@calls.example.org"',"public_url"),
    ('public_url = "https://["',                        "public_url"),
    ('public_url = "https://calls.example.org:0"',      "public_url"),
    ('public_url = "https://calls.example.org:99999"',  "public_url"),
    ('public_url = "https://calls example.org"',        "public_url"),
    ('public_url = "https://calls.example.org?key=1"',  "public_url"),
    ('public_url = "https://calls.example.org#top"',    "public_url"),
    ('public_url = "https://קול.example.org"',          "public_url"),
    ("public_url = 5",                                  "public_url"),
    ("max_calls = 0",                                   "max_calls"),
    ("max_calls = 100001",                              "max_calls"),
    ('max_calls = "sk-very-secret"',                    "max_calls"),
    ("max_call_s = 0",                                  "max_call_s"),
    ("warning_s = -1",                                  "warning_s"),
    ("privacy.redact = ['names']",                      "privacy.redact"),
    ("limits.connections = -1",                         "limits.connections"),
    ("drain_s = -1",                                    "drain_s"),
    ('realtime.model = "  "',                           "realtime.model"),
    ("realtime.voice = 5",                              "realtime.voice"),
    ('realtime.transcription_model = ""',               "realtime.transcription_model"),
    ("realtime.max_output_tokens = 0",                  "realtime.max_output_tokens"),
    ("realtime.max_output_tokens = 4097",               "realtime.max_output_tokens"),
    ("realtime.max_output_tokens = 1.5",                "realtime.max_output_tokens"),
    ("realtime.max_output_tokens = true",               "realtime.max_output_tokens"),
    ('realtime.max_output_tokens = "sk-very-secret"',   "realtime.max_output_tokens"),
    ("gate.calibration_ms = -1",                        "gate.calibration_ms"),
    ("gate.calibration_ms = 1.5",                       "gate.calibration_ms"),
    ("gate.quiet_rms = -0.1",                           "gate.quiet_rms"),
    ("gate.quiet_rms = 32769",                          "gate.quiet_rms"),
    ("gate.quiet_rms = nan",                            "gate.quiet_rms"),
    ("gate.quiet_rms = inf",                            "gate.quiet_rms"),
    ("gate.quiet_rms = true",                           "gate.quiet_rms"),
    ('gate.quiet_rms = "sk-very-secret"',               "gate.quiet_rms"),
    ("gate.default_noise_floor = -1",                   "gate.default_noise_floor"),
    ("gate.default_threshold = -1",                     "gate.default_threshold"),
    ("gate.threshold_margin = -1",                      "gate.threshold_margin"),
    ("gate.max_threshold = -1",                         "gate.max_threshold"),
    ("gate.preroll_ms = -20",                           "gate.preroll_ms"),
    ("gate.preroll_ms = true",                          "gate.preroll_ms"),
    ("gate.follow_factor = -0.1",                       "gate.follow_factor"),
    ("gate.follow_factor = 10.1",                       "gate.follow_factor"),
    ("gate.max_following_threshold = -1",               "gate.max_following_threshold"),
    ("gate.echo_factor = -0.1",                         "gate.echo_factor"),
    ("gate.echo_factor = 10.1",                         "gate.echo_factor"),
    ("gate.min_voicing = -0.1",                         "gate.min_voicing"),
    ("gate.min_voicing = 1.1",                          "gate.min_voicing"),
    ("gate.detector = 1",                               "gate.detector"),
    ("gate.detector_model = 5",                         "gate.detector_model"),
    ("gate.min_speech_probability = -0.1",              "gate.min_speech_probability"),
    ("gate.min_speech_probability = 1.1",               "gate.min_speech_probability"),
    ("gate.hangover_ms = -20",                          "gate.hangover_ms"),
    ("gate.hangover_ms = 600",                          "gate.hangover_ms"),
    ("turn.end_of_turn_ms = 500",                       "gate.hangover_ms"),
    ("turn.end_of_turn_ms = 19",                        "turn.end_of_turn_ms"),
    ("turn.grace_ms = -1",                              "turn.grace_ms"),
    ("turn.max_turn_ms = 999",                          "turn.max_turn_ms"),
    ("turn.min_speech_ms = -1",                         "turn.min_speech_ms"),
    ("turn.min_speech_ms = 30000",                      "turn.min_speech_ms"),
    ("turn.min_speech_ms = 0\ngate.hangover_ms = 80",   "turn.min_speech_ms"),
    ("turn.confirm_voiced_ms = -1",                     "turn.confirm_voiced_ms"),
    ("turn.confirm_ms = 19",                            "turn.confirm_ms"),
    ("turn.confirm_ms = 601",                           "turn.confirm_ms"),
    ("turn.end_of_turn_ms = 599",                       "turn.confirm_ms"),
    ("turn.end_of_turn_ms = 2000\nturn.confirm_ms = 1001\nturn.max_turn_ms = 1000", "turn.confirm_ms"),
    ("turn.most_continued = -1",                        "turn.most_continued"),
    ("turn.most_continued = 1.5",                       "turn.most_continued"),
    ("turn.cancel_timeout_ms = 0",                      "turn.cancel_timeout_ms"),
    ("turn.transcript_timeout_ms = 0",                  "turn.transcript_timeout_ms"),
    ("turn.reply_timeout_ms = 0",                       "turn.reply_timeout_ms"),
    ("[[business]]\nnumber = 5",                        "business[0].number"),
    ("[[business]]\nenable_greeting = 1",               "business[0].enable_greeting"),
    ('[[business]]\ngreeting = " "',                    "business[0].greeting"),
    ("[[business]]\nname = 7",                          "business[0].name"),
    ("[[business]]\n[[business]]",                      "business.number"),
    ('[[business]]\ntime_zone = "Mars/Olympus"',        "business[0].time_zone"),
    ('[[business]]\ntime_zone = "../passwd"',           "business[0].time_zone"),
    ('[[business]]\nprompt = "{secret}"',               "business[0].prompt"),
    ('[[business]]\nprompt = "{"',                      "business[0].prompt"),
    ('[[business]]\nprompt = "{date:>9999}"',           "business[0].prompt"),
    ('[[business]]\nprompt = "{date!r}"',               "business[0].prompt"),
    ('[[business]]\ngreeting_clip = "notice.wav"',      "business[0].greeting_clip"),
    ('[[business]]\ntransfer_number = "03-1234567"',    "business[0].transfer_number"),
    ('[[business]]\ntransfer_number = "+0123456789"',   "business[0].transfer_number"),
    (tool('name = "look up"'),                          "business[0].tool[0].name"),
    (tool('name = ""'),                                 "business[0].tool[0].name"),
    (tool(f'name = "{"x" * 65}"'),                      "business[0].tool[0].name"),
    (tool('name = "hang_up"'),                          "business[0].tool.name"),
    (tool('name = "transfer_call"'),                    "business[0].tool.name"),
    (tool() + tool().removeprefix("[[business]]"),      "business[0].tool.name"),
    (tool('description = " "'),                         "business[0].tool[0].description"),
    (tool('url = ""'),                                  "business[0].tool[0].url"),
    (tool('url = "wss://sk-very-secret.example.org"'),  "business[0].tool[0].url"),
    (tool("timeout_s = 0"),                             "business[0].tool[0].timeout_s"),
    (tool("parameters = 5"),                            "business[0].tool[0].parameters"),
    ("limits.digits_pause_s = 0",                       "limits.digits_pause_s"),
]  # fmt: skip

GOOD = [
    "realtime.max_output_tokens = 'inf'",
    "realtime.max_output_tokens = 1",
    "realtime.max_output_tokens = 4096",
    "gate.preroll_ms = 0\ngate.hangover_ms = 0",
    "gate.hangover_ms = 599",
    "gate.quiet_rms = 120",
    "gate.max_threshold = 32768",
    "turn.min_speech_ms = 0\ngate.hangover_ms = 100",
    "turn.grace_ms = 0",
    "turn.confirm_ms = 20\nturn.confirm_voiced_ms = 0",
    "turn.end_of_turn_ms = 700\nturn.confirm_ms = 700",
    "turn.end_of_turn_ms = 2000\nturn.confirm_ms = 1000\nturn.max_turn_ms = 1000",
    "turn.most_continued = 0",
    "gate.follow_factor = 0\ngate.echo_factor = 0",
    "gate.min_voicing = 1",
    "public_url = ''",
    "public_url = 'https://calls.example.org'",
    "public_url = 'https://calls.example.org:8443/voice'",
    "business = []",
    tool(),
    tool('url = "http://127.0.0.1:9000/lookup"'),
    tool('parameters = { type = "object", properties = { order = { type = "string" } } }'),
    "[[business]]\ntransfer_number = '+97239999999'",
    "max_call_s = 86400\ndrain_s = 0",
]


def parsed(document: str) -> Config:
    return config_from(tomllib.loads(document))


def test_the_defaults_are_those_of_the_design() -> None:
    assert parsed(DESIGN) == Config()
    assert "" == Config().public_url


def test_the_design_names_every_key() -> None:
    named = tomllib.loads(DESIGN)
    known = asdict(Config())

    assert {"public_url", "limits", "clips", "privacy", "warning_s"} == known.keys() - named.keys()
    assert known["realtime"].keys() == named["realtime"].keys()
    assert known["gate"].keys() == named["gate"].keys()
    assert known["turn"].keys() == named["turn"].keys()
    assert known["business"][0].keys() - named["business"][0].keys() == {
        "prompt",
        "greeting_clip",
        "time_zone",
        "opening_hours",
        "transfer_number",
        "tool",
    }


def test_nothing_need_be_said() -> None:
    assert Config() == config_from({})


@pytest.mark.parametrize(("document", "key"), BAD)
def test_what_is_refused(document: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(document)

    assert key == refused.value.key
    assert str(refused.value).startswith(f"{key}: ")
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("document", GOOD)
def test_what_is_taken(document: str) -> None:
    assert isinstance(parsed(document), Config)


def test_whole_numbers_are_numbers() -> None:
    quiet = parsed("gate.quiet_rms = 110").gate.quiet_rms

    assert (110.0, float) == (quiet, type(quiet))


def test_it_can_be_written_down_and_read_again() -> None:
    config = parsed('gate.max_threshold = 300\n[[business]]\nnumber = "+97231234567"\nenable_greeting = true')

    assert config == config_from(config_values(config))


def test_it_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().gate.preroll_ms = 0  # type: ignore[misc]


# The business that a number belongs to


def business(number: str, name: str) -> dict[str, str]:
    return {"number": number, "name": name}


@pytest.mark.parametrize(
    ("number", "name"),
    [
        pytest.param("+1", "one", id="its own"),
        pytest.param("+2", "every other", id="every other"),
        pytest.param("", "every other", id="withheld"),
        pytest.param("*", "every other", id="the star itself"),
    ],
)
def test_the_business_of_a_number(number: str, name: str) -> None:
    config = config_from({"business": [business("+1", "one"), business("*", "every other")]})

    assert name == config.business_of(number).name


def test_a_number_of_no_business() -> None:
    config = config_from({"business": [business("+1", "one")]})

    assert Business() == config.business_of("+2")


# Files


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "callfsm.toml"
    path.write_text(DESIGN, encoding="utf-8")

    assert Config() == read_config(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.toml"
    with pytest.raises(ConfigError) as refused:
        read_config(path)

    assert f"{path}: cannot be read (FileNotFoundError)" == str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"\xff\xfe", "cannot be read (UnicodeDecodeError)", id="not text"),
        pytest.param(b"gate = ", "is not TOML: ", id="not TOML"),
        pytest.param(b'key = "sk-very-secret', "is not TOML: ", id="an open string"),
        pytest.param(b"sk-very-secret", "is not TOML: ", id="no key"),
        pytest.param(b"gate.foo = 1", "", id="an unknown key"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "callfsm.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_config(path)

    assert refused.value.key in (str(path), "gate.foo")
    assert refused.value.why.startswith(why)
    assert SECRET not in str(refused.value)
