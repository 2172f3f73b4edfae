"""`callfsm replay`: the log that the live call had, what leads elsewhere, the summary, and what cannot be read."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from callfsm.audit.replay.command import main
from callfsm.audit.replay.settings import changed_config
from callfsm.config import Config
from callfsm.config_checks import ConfigError
from callfsm.effects import DEBUG, INFO, WARNING, Effect
from tests.audit.recorded import HEADER, RecordedDialogue, answered, barged_in, end_of, write
from tests.calls import LOUD

Output = pytest.CaptureFixture[str]
LOGGED = {"DEBUG": DEBUG, "INFO": INFO, "WARNING": WARNING, "ERROR": 40}


def noisy() -> RecordedDialogue:
    """A call with lines of every level: frames dropped, transcripts rejected, a reply that is not Hebrew."""
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.said("?!")
    call.said("כן")
    call.said("what do you have today?")
    call.openai.begins()
    call.openai.speaks(400)
    call.openai.words("We have bread.")
    call.openai.finishes()
    call.twilio.plays()
    return call.hangs_up()


@pytest.mark.parametrize("level", LOGGED)
def test_log_is_that_of_the_live_call(tmp_path: Path, capsys: Output, level: str) -> None:
    call = noisy()

    assert 0 == main([str(call.write(tmp_path / "j")), "--log-level", level])
    lines = call.log(above=LOGGED[level] - 1)
    assert ("".join(f"{line}\n" for line in lines), "") == capsys.readouterr()


def test_log_begins_at_info_and_names_every_line_word_for_word(tmp_path: Path, capsys: Output) -> None:
    main([str(noisy().write(tmp_path / "j"))])

    assert capsys.readouterr().out.splitlines() == [
        "[VAD] Calibrated noise=90.0, speech_threshold=150.0",
        "[REALTIME] Skipping AI response – no real user utterance yet",
        "[NLP] First real user utterance detected – has_real_user_utterance=True",
        "User said: what do you have today?",
        "[LANGUAGE] Reply is not Hebrew, share=0.00",
    ]


def test_lines_of_the_shell_stand_in_their_places(tmp_path: Path, capsys: Output) -> None:
    lines = answered().journal()
    note = {"log": {"level": WARNING, "message": "[WIRE] twilio message: not text"}}
    lines.insert(2, note)
    lines.insert(-1, {"log": {"level": INFO, "message": "last"}})

    main([str(write(tmp_path / "j", lines))])
    log = capsys.readouterr().out.splitlines()
    assert ("[WIRE] twilio message: not text", "last") == (log[0], log[-1])


def elsewhere(lines: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The journal of a machine that was of another mind in so many of its last events."""
    return [*lines[: -count - 1], *(line | {"to": "CANCELLING"} for line in lines[-count - 1 : -1]), lines[-1]]


def test_line_that_leads_elsewhere_is_named(tmp_path: Path, capsys: Output) -> None:
    path = write(tmp_path / "j", elsewhere(answered().journal(), 1))
    number = len(path.read_bytes().splitlines()) - 1

    assert 1 == main([str(path)])
    out, err = capsys.readouterr()
    assert "User said: שלום, מתי אתם פתוחים?" in out
    assert err == (
        f"callfsm replay: {path}, line {number}: CallEnded led from LISTENING to CANCELLING;"
        " now it leads from LISTENING to ENDED\n"
    )


def test_ten_lines_that_lead_elsewhere_are_named_and_the_rest_counted(tmp_path: Path, capsys: Output) -> None:
    path = write(tmp_path / "j", elsewhere(answered().journal(), 25))

    assert 1 == main([str(path)])
    err = capsys.readouterr().err.splitlines()
    assert (11, f"callfsm replay: {path}: 15 more lines lead elsewhere") == (len(err), err[-1])


def test_bug_of_ours_is_named(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def meets_a_bug(*_: object) -> list[Effect]:
        raise RuntimeError("two\nlines")

    path = answered().write(tmp_path / "j")
    monkeypatch.setattr("callfsm.audit.recording.dispatch", meets_a_bug)

    assert 1 == main([str(path)])
    err = f"callfsm replay: {path}, line 2: RealtimeReady in CALIBRATING meets a bug: RuntimeError: two lines\n"
    assert ("", err) == capsys.readouterr()


def test_torn_journal_is_replayed_up_to_where_it_breaks_off(tmp_path: Path, capsys: Output) -> None:
    path = answered().write(tmp_path / "j")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-10]) + lines[-10][:20])

    assert 0 == main([str(path)])
    out, err = capsys.readouterr()
    assert 3 == len(out.splitlines())
    assert (
        f"callfsm replay: {path} breaks off after line {len(lines) - 10}: the end of the call is not in it\n" == err
    )


def test_header_alone_says_nothing_and_is_no_error(tmp_path: Path, capsys: Output) -> None:
    path = write(tmp_path / "j", [HEADER])

    assert 0 == main([str(path)])
    assert (
        "",
        f"callfsm replay: {path} breaks off after line 1: the end of the call is not in it\n",
    ) == capsys.readouterr()


@pytest.mark.parametrize("more", [[], ["--log-level", "DEBUG"], ["--set", "gate.max_threshold=300"], ["--as-test"]])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 99, b'{"journal":2}\n', b"[" * 99_999 + b"\n"])
def test_file_that_is_no_journal_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: Output, content: bytes, more: list[str]
) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)

    assert 2 == main([str(path), *more])
    out, err = capsys.readouterr()
    assert ("", 1, True) == (out, err.count("\n"), err.startswith(f"callfsm replay: {path}, line 1: "))


def test_directory_and_missing_file_are_exit_code_2(tmp_path: Path, capsys: Output) -> None:
    assert (2, 2) == (main([str(tmp_path)]), main([str(tmp_path / "none")]))
    assert 2 == len(capsys.readouterr().err.splitlines())


# Several


def test_several_journals_give_a_row_each_and_the_totals(tmp_path: Path, capsys: Output) -> None:
    paths = [
        str(answered().write(tmp_path / "1", call_sid="CA1")),
        str(barged_in().write(tmp_path / "2", call_sid="CA22")),
        str(write(tmp_path / "3", [HEADER | {"call_sid": "CA\x1b[3"}])),
    ]

    assert 0 == main(paths)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    first, second = answered().now - 0.0, barged_in().now - 0.0
    assert rows == [
        ["call", "seconds", "accepted", "heard", "out", "barge-ins", "went", "on", "as", "recorded", "ended", "by"],
        ["CA1", f"{first:.1f}", "1", "1", "0", "0", "yes", "hangup"],
        ["CA22", f"{second:.1f}", "2", "1", "1", "0", "yes", "hangup"],
        ["CA", "[3", "0.0", "0", "0", "0", "0", "yes", "(breaks", "off)"],
        ["3", "calls", f"{first + second:.1f}", "3", "2", "1", "0", "3", "of", "3"],
    ]


def test_exit_code_of_several_is_the_worst(tmp_path: Path, capsys: Output) -> None:
    good = str(answered().write(tmp_path / "good"))
    other = str(write(tmp_path / "other", elsewhere(answered().journal(), 1)))

    assert [0, 1, 2] == [main([good, good]), main([good, other]), main([good, other, str(tmp_path / "none")])]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["yes", "no"] == [row[6] for row in rows if row[0] == "CA1"][-2:]


# Under other numbers: which are refused, see test_what_if.py for the rest


SETTINGS = [
    ("gate.volume=3", "gate.volume: is not a key of the configuration"),
    ("volume=3", "volume: is not a key of the configuration"),
    ("gate=3", "gate: is not a key of the configuration"),
    ("gate.max.threshold=3", "gate.max.threshold: is not a key of the configuration"),
    ("max_calls.x=3", "max_calls.x: is not a key of the configuration"),
    ("=3", ": is not a key of the configuration"),
    ("gate.max_threshold", 'gate.max_threshold: needs one value in TOML, as 300, 1.5, true or "text"'),
    ("gate.max_threshold=loud", 'gate.max_threshold: needs one value in TOML, as 300, 1.5, true or "text"'),
    ("gate.max_threshold=3\nx=4", 'gate.max_threshold: needs one value in TOML, as 300, 1.5, true or "text"'),
    ('gate.max_threshold="3"', "gate.max_threshold: must be a number"),
    ("gate.max_threshold=nan", "gate.max_threshold: must be a number from 0 to 32768"),
    ("turn.grace_ms=1.5", "turn.grace_ms: must be a whole number"),
    ("turn.grace_ms=-1", "turn.grace_ms: must be a number from 0 to 600000"),
    ("gate.hangover_ms=600", "gate.hangover_ms: must be shorter than turn.end_of_turn_ms"),
    ("max_calls=0", "max_calls: must be a number from 1 to 100000"),
    ('business.name="x"', "business.name: what a business says of itself cannot be changed here, only numbers can"),
    ("business=[]", "business: what a business says of itself cannot be changed here, only numbers can"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "why"), SETTINGS)
def test_impossible_setting_is_one_line_that_names_the_key(
    tmp_path: Path, capsys: Output, setting: str, why: str
) -> None:
    path = answered().write(tmp_path / "j")

    assert 2 == main([str(path), "--set", setting])
    assert ("", f"callfsm replay: {why}\n") == capsys.readouterr()


def test_settings_are_put_in_together() -> None:
    config = changed_config(
        Config(), ["gate.hangover_ms = 700", "turn.end_of_turn_ms=900", 'realtime.voice="ash"', "max_calls=3"]
    )

    found = (config.gate.hangover_ms, config.turn.end_of_turn_ms, config.realtime.voice, config.max_calls)
    assert (700, 900, "ash", 3) == found


def test_setting_that_forbids_another_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"^gate\.hangover_ms: "):
        changed_config(Config(), ["turn.end_of_turn_ms=400"])


# The command


@pytest.mark.parametrize(
    "argv", [[], ["j", "--log-level", "LOUD"], ["j", "k", "--as-test"], ["j", "--as-test", "--set", "max_calls=1"]]
)
def test_command_that_cannot_be_is_exit_code_2(argv: list[str], capsys: Output) -> None:
    with pytest.raises(SystemExit) as error:
        main(argv)

    assert (2, "") == (error.value.code, capsys.readouterr().out)


def test_reader_that_has_seen_enough_is_no_traceback(tmp_path: Path) -> None:
    call = RecordedDialogue()
    call.caller.hums(60_000, LOUD / 10)
    path = call.hangs_up().write(tmp_path / "j")
    reader, writer = os.pipe()
    os.close(reader)

    command = [sys.executable, "-m", "callfsm.cli", "replay", str(path), "--log-level", "DEBUG"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)  # noqa: S603 - our own words
    os.close(writer)

    assert (1, b"") == (done.returncode, done.stderr)


def test_end_line_of_a_machine_is_of_no_consequence(tmp_path: Path, capsys: Output) -> None:
    path = write(tmp_path / "j", [*answered().journal()[:-1], end_of("internal_error")])

    assert 0 == main([str(path)])
    assert "" == capsys.readouterr().err
