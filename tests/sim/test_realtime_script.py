"""Scripts of the simulated Realtime server, and their files."""

from pathlib import Path

import pytest

from callfsm.hearing.wav import write_wav
from callfsm.sim import speech_files
from callfsm.sim.realtime_script import Fault, Reply, Script, Utterance, default_script
from callfsm.sim.realtime_script_file import load_script

HOURS = speech_files.load("he_reply_hours")
GREETING = speech_files.load("he_greeting")


def written(folder: Path, toml: str) -> Path:
    path = folder / "story.toml"
    path.write_text(toml, encoding="utf-8")
    return path


def test_a_file_says_what_a_script_says(tmp_path: Path) -> None:
    write_wav(tmp_path / "mine.wav", b"\x10" * 80)
    path = written(
        tmp_path,
        """
        speed = 2
        faults = ["beta_names"]
        greeting = { audio = "he_greeting" }
        [[utterances]]
        text = "מה שעות הפתיחה?"
        delay_ms = 500
        [[utterances]]
        never = true
        [[replies]]
        audio = "he_reply_hours"
        faults = ["late_deltas", "duplicate_done"]
        [[replies]]
        audio = "mine.wav"
        text = "mine"
        [default_reply]
        audio = "he_reply_hours"
        text = "other words"
        """,
    )

    assert load_script(path) == Script(
        utterances=(Utterance("מה שעות הפתיחה?", delay_ms=500), Utterance(never=True)),
        replies=(
            Reply(HOURS.text, HOURS.ulaw, faults=frozenset({Fault.LATE_DELTAS, Fault.DUPLICATE_DONE})),
            Reply("mine", b"\x10" * 80),
        ),
        default_reply=Reply("other words", HOURS.ulaw),
        greeting=Reply(GREETING.text, GREETING.ulaw),
        faults=frozenset({Fault.BETA_NAMES}),
        speed=2.0,
    )


@pytest.mark.parametrize(
    ("toml", "flaw"),
    [
        ("colour = 1", r"extra fields found \(colour\) @ story.toml"),
        ("speed = '2'", r"must be a float, not '2' @ story.toml.speed"),
        ("speed = 0", r"'speed' must be > 0: 0.0"),
        ("faults = ['tired']", r"'tired' is not a valid Fault @ story.toml.faults\[0\]"),
        ("[[utterances]]\nfail = 'no'", r"must be a bool, not 'no' @ story.toml.utterances\[0\].fail"),
        ("[[utterances]]\ndelay_ms = -1", r"'delay_ms' must be >= 0: -1"),
        ("replies = ['hello']", r"must be a table, not 'hello' @ story.toml.replies\[0\]"),
        ("[[replies]]\naudio = 'he_hours'", r"no speech clip 'he_hours'.* @ story.toml.replies\[0\]"),
        ("[[replies]]\naudio = 'a.wav'", r"required field missing @ story.toml.replies\[0\].text"),
        ("[[replies]]\naudio = 'a.wav'\ntext = ''", r"No such file .*a.wav' @ story.toml.replies\[0\].audio"),
        ("[greeting]\naudio = 3\ntext = ''", r"must be a str, not 3 @ story.toml.greeting.audio"),
        ("[[replies", r"story.toml: Expected"),
    ],
)
def test_a_flaw_is_named_with_its_key(tmp_path: Path, toml: str, flaw: str) -> None:
    with pytest.raises(ValueError, match=flaw):
        load_script(written(tmp_path, toml))


def test_the_default_script_answers_in_hebrew() -> None:
    script = default_script()

    assert script.replies[0] == Reply(HOURS.text, HOURS.ulaw)
    assert script.greeting == Reply(GREETING.text, GREETING.ulaw)
    assert script.default_utterance.text == speech_files.load("he_question").text
