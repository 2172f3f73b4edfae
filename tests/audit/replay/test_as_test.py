"""`callfsm replay --as-test`: a test that passes as it stands, and fails where the machine is of another mind."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from callfsm.audit.replay.command import main
from callfsm.effects import Effect
from tests.audit.recorded import (
    HEADER,
    RecordedDialogue,
    answered,
    barged_in,
    continued,
    gone_on,
    greeted,
    helped,
    levels,
    noisy,
    whispered,
    write,
)
from tests.calls import GREETING_BUSINESS

Output = pytest.CaptureFixture[str]
ROW = re.compile(r"^    \(", re.MULTILINE)
NAMED = "test_call_ca1"


def printed(call: RecordedDialogue, path: Path, capsys: Output) -> str:
    assert 0 == main([str(call.write(path)), "--as-test"])
    return capsys.readouterr().out


def run_pytest(directory: Path, text: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_pasted.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "test_pasted.py"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def run_here(text: str) -> None:
    """Run the printed test as pytest would, without the time that a pytest of its own takes."""
    pasted: dict[str, Callable[[], None]] = {}
    exec(text, pasted)  # noqa: S102 - what our own command printed
    (test,) = (found for name, found in pasted.items() if name.startswith("test_"))
    test()


def test_text_is_a_test_that_pytest_passes(tmp_path: Path, capsys: Output) -> None:
    done = run_pytest(tmp_path, printed(barged_in(), tmp_path / "j", capsys))

    assert (0, True) == (done.returncode, "1 passed" in done.stdout), done.stdout


def test_text_is_a_test_that_pytest_fails_where_a_state_is_changed(tmp_path: Path, capsys: Output) -> None:
    text = printed(barged_in(), tmp_path / "j", capsys)
    done = run_pytest(tmp_path, text.replace("State.CANCELLING", "State.LISTENING", 1))

    assert (1, True) == (done.returncode, f"FAILED test_pasted.py::{NAMED}" in done.stdout), done.stdout


@pytest.mark.parametrize("made", [answered, barged_in, greeted, helped, gone_on, continued, whispered, noisy])
def test_text_passes_as_it_stands(tmp_path: Path, capsys: Output, made: Callable[[], RecordedDialogue]) -> None:
    run_here(printed(made(), tmp_path / "j", capsys))


CHANGES = [
    ("a state", "State.CANCELLING", "State.LISTENING"),
    ("an effect", 'CancelResponse("cancel', 'CancelResponse("other'),
    ("how much was played", "PlayAudio(audio(1600))", "PlayAudio(audio(1599))"),
    ("a loudness", "1000.0", "100.0"),
    ("a line of the log", "User said: ", "User says: "),
    ("a number of the configuration", "threshold_margin=60.0", "threshold_margin=5000.0, max_threshold=5000.0"),
]


@pytest.mark.parametrize(("old", "new"), [pytest.param(*c[1:], id=c[0]) for c in CHANGES])
def test_text_fails_where_one_thing_is_changed(tmp_path: Path, capsys: Output, old: str, new: str) -> None:
    text = printed(barged_in(), tmp_path / "j", capsys).replace("        max_threshold=175.0,\n", "")
    assert old in text

    with pytest.raises(AssertionError):
        run_here(text.replace(old, new, 1))


def test_frames_of_one_outcome_are_one_row_and_lose_nothing(tmp_path: Path, capsys: Output) -> None:
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.caller.hums(400, 80.1)
    call.caller.whispers(200)
    call.caller.silent(600)
    text = printed(call.hangs_up(), tmp_path / "j", capsys)

    # Ready, measured, the end of that, silence, the first loud frame, speech and its hangover, its end, the hang-up.
    rows = ROW.split(text[text.index("CALL: ") : text.index("# fmt: on")])[1:]
    frames = [len(re.findall(r"\d+\.\d+, \d+\.\d+", row)) for row in rows]
    assert [0, 74, 1, 20, 1, 34, 4, 1, 0] == frames
    assert '[AppendAudio("")] * 16),' in rows[4]
    assert "[AUDIO GATE] Drop" not in text


def test_long_call_is_a_text_of_sane_width(tmp_path: Path, capsys: Output) -> None:
    call = RecordedDialogue()
    call.caller.silent(60_000)
    call.caller.hums(45_000, 1234.5678901234)
    text = printed(call.hangs_up(), tmp_path / "j", capsys)

    assert 118 >= max(map(len, text.splitlines()))


def test_text_holds_what_the_machine_knows_of_a_business_and_no_address(tmp_path: Path, capsys: Output) -> None:
    text = printed(helped(), tmp_path / "j", capsys)

    assert 'Tool("lookup", "a function", "https://example.org/")' in text
    assert "secret" not in text


def test_text_keeps_to_the_manner_of_the_project(tmp_path: Path, capsys: Output) -> None:
    pasted = tmp_path / "tests" / "test_pasted.py"
    pasted.parent.mkdir()
    pasted.write_text(printed(greeted(), tmp_path / "j", capsys), encoding="utf-8")

    settings = Path(__file__).parents[3] / "pyproject.toml"
    command = [sys.executable, "-m", "ruff", "check", "--config", str(settings), "--no-cache", "tests/test_pasted.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert 0 == done.returncode, done.stdout


def test_text_ends_ahead_of_a_bug(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def meets_a_bug(call: object, event: object) -> list[Effect]:
        raise RuntimeError("no")

    path = answered().write(tmp_path / "j")
    monkeypatch.setattr("callfsm.audit.recording.dispatch", meets_a_bug)

    assert 1 == main([str(path), "--as-test"])
    text = capsys.readouterr().out
    assert "# Here it meets a bug of ours: RuntimeError: no" in text
    run_here(text)


def test_name_of_a_call_cannot_leave_its_place(tmp_path: Path, capsys: Output) -> None:
    header = {"call_sid": '"""\nimport os', "started": '"""\\'}
    path = write(tmp_path / "j", [HEADER | header, *answered().lines])

    main([str(path), "--as-test"])
    text = capsys.readouterr().out
    assert "import os" not in text
    run_here(text)


def test_greeting_that_is_a_recording_is_played(tmp_path: Path, capsys: Output) -> None:
    call = RecordedDialogue(GREETING_BUSINESS, clip_ms=500)
    call.caller.silent(1500)
    path = call.write(tmp_path / "j")

    main([str(path), "--as-test"])
    text = capsys.readouterr().out
    assert "greeting_clip=audio(4000))" in text
    run_here(text)


def test_recording_that_greets_is_as_loud_as_it_was(tmp_path: Path, capsys: Output) -> None:
    """It goes on at a pause between its words, and not 300 ms before the place where it was stopped."""
    call = RecordedDialogue(GREETING_BUSINESS, clip_ms=3000, clip_levels_rms=levels(3000))
    call.caller.silent(1500)
    call.twilio.plays(900)
    call.caller.clicks()
    call.openai.had_nothing_to_cancel()
    text = printed(call, tmp_path / "j", capsys)

    run_here(text)
    with pytest.raises(AssertionError):
        run_here(text.replace(", greeting_levels_rms=LEVELS", ""))


def test_text_says_how_voiced_each_frame_is(tmp_path: Path, capsys: Output) -> None:
    text = printed(barged_in(), tmp_path / "j", capsys)

    with pytest.raises(AssertionError):
        run_here(text.replace("1000.0, 1.0", "1000.0, 0.0"))


def test_levels_of_a_reply_stand_in_lines_of_sane_width(tmp_path: Path, capsys: Output) -> None:
    text = printed(gone_on(), tmp_path / "j", capsys)

    assert 118 >= max(map(len, text.splitlines()))
    with pytest.raises(AssertionError):
        run_here(text.replace(" 40, 40, 40, 40, 40,", " 3000, 3000, 3000, 3000, 3000,"))
