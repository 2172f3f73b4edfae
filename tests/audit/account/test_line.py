"""What an account tells of the caller's line, and of words that nobody said."""

from pathlib import Path

import pytest
from attrs import evolve

from callfsm.audit.account.values import Fate
from callfsm.config import Config, GateConfig
from callfsm.effects import Log
from callfsm.hearing.echo import START_GAIN
from callfsm.hearing.line import NewsKind
from callfsm.states.base import State
from tests.audit.recorded import RecordedDialogue, asked, levels, noisy, taped
from tests.calls import LOUD, QUIET, THRESHOLD


def test_noise_that_is_followed_and_ends(tmp_path: Path) -> None:
    account = noisy().account(tmp_path)
    follows, restored = account.line

    assert (follows.kind, follows.noise_rms, follows.threshold_rms) == (NewsKind.FOLLOWS, 250.0, 500.0)
    assert (restored.kind, restored.noise_rms, restored.threshold_rms) == (NewsKind.RESTORED, QUIET, THRESHOLD)
    assert (account.noise_floor_rms, account.threshold_rms) == (QUIET, THRESHOLD)


def test_threshold_of_each_frame_is_the_one_that_was_in_force(tmp_path: Path) -> None:
    account = noisy().account(tmp_path)
    follows, restored = (change.at for change in account.line)
    between = [frame for frame in account.frames if follows <= frame.at < restored]

    assert {frame.threshold_rms for frame in between} == {500.0}
    assert {frame.threshold_rms for frame in account.frames if frame not in between} == {THRESHOLD}


def test_changes_are_as_the_log_has_them(tmp_path: Path) -> None:
    dialogue = noisy()
    told = [line.message for line in dialogue.did(Log) if "[VAD] " in line.message][1:]

    assert [
        f"noise={change.noise_rms:.1f}, speech_threshold={change.threshold_rms:.1f}"
        for change in dialogue.account(tmp_path).line
    ] == [line.partition(", ")[2] for line in told]


def test_silent_line_that_hums_is_measured_again(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.hums(1500, 0.0)
    dialogue.caller.hums(6000, 50.0)
    account = dialogue.account(tmp_path)

    assert [(c.kind, c.noise_rms, c.threshold_rms) for c in account.line] == [(NewsKind.RAISED, 50.0, 110.0)]
    assert (account.noise_floor_rms, account.threshold_rms) == (0.0, 60.0)


def test_alarm_of_a_line_that_lets_nothing_pass(tmp_path: Path) -> None:
    """Speech whose peaks just miss the threshold, over a line that has become quieter than it was measured."""
    dialogue = RecordedDialogue()
    dialogue.caller.hums(1500, QUIET)
    for _ in range(60):
        dialogue.caller.hums(60, 140.0)
        dialogue.caller.hums(140, 20.0)
    account = dialogue.account(tmp_path)
    (alarm,) = account.line

    assert (alarm.kind, alarm.noise_rms, alarm.threshold_rms) == (NewsKind.DEAF, 20.0, 80.0)
    assert account.utterances[0].threshold_rms == 80.0


def test_calibration_is_judged_by_the_threshold_that_was_found_whatever_the_noise(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.hums(1500, 200.0)
    account = dialogue.account(tmp_path)

    assert {(f.threshold_rms, f.limit_rms, f.state) for f in account.frames} == {(160.0, 160.0, State.CALIBRATING)}


def test_limit_is_above_the_echo_of_the_assistant(tmp_path: Path) -> None:
    """3000 RMS were played; how much of it comes back is not known yet, and is taken to be the usual."""
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.speaks(2000, levels_rms=levels(2000))
    dialogue.caller.silent(140)
    *_, frame = dialogue.account(tmp_path).frames

    assert frame.threshold_rms == THRESHOLD
    assert frame.limit_rms == pytest.approx(START_GAIN * 3000 * Config().gate.echo_factor)
    assert (frame.is_loud, frame.was_dropped) == (False, True)


def test_stop_is_told_with_the_limit_that_it_reached(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.speaks(2000, levels_rms=levels(2000))
    dialogue.caller.silent(320)
    dialogue.caller.hums(20, LOUD)
    (stop,) = dialogue.account(tmp_path).barge_ins

    assert stop.rms == LOUD
    assert stop.limit_rms == pytest.approx(START_GAIN * 3000 * Config().gate.echo_factor)


def test_frames_tell_how_voiced_they_are_and_utterances_how_long(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.hums(100, LOUD, voicing=0.9)
    dialogue.caller.hums(60, LOUD, voicing=0.2)
    account = dialogue.account(tmp_path)

    assert [frame.voicing for frame in account.frames[-4:]] == [0.9, 0.2, 0.2, 0.2]
    assert [(u.loud_ms, u.voiced_ms) for u in account.utterances] == [(160, 100)]


def test_utterance_has_the_threshold_that_it_began_with(tmp_path: Path) -> None:
    config = Config(gate=GateConfig(follow_factor=0.0))
    account = noisy().account(tmp_path)
    other = noisy().account(tmp_path, evolve(config, business=noisy().config.business))

    assert [u.threshold_rms for u in account.utterances] == [THRESHOLD]
    assert other.line == ()


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        pytest.param("אנחנו פתוחים בכל יום.", Fate.ECHO, id="the assistant's own words"),
        pytest.param("פתוחים בכל שבת", Fate.ACCEPTED, id="some of them, and another"),
    ],
)
def test_words_of_the_reply_that_was_interrupted_are_its_echo(tmp_path: Path, said: str, fate: Fate) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.speaks(3000)
    dialogue.openai.words("אנחנו פתוחים בכל יום משמונה", is_whole=False)
    dialogue.twilio.plays(1000)
    dialogue.caller.says(500)
    dialogue.openai.transcribes(said)
    *_, utterance = dialogue.account(tmp_path).utterances

    assert (utterance.fate, utterance.transcript) == (fate, said)
    assert utterance.fate.is_rejected is (fate is Fate.ECHO)


@pytest.mark.parametrize(
    ("rms", "ms", "fate"),
    [
        pytest.param(200.0, 600, Fate.HALLUCINATION, id="weak"),
        pytest.param(LOUD, 300, Fate.HALLUCINATION, id="short"),
        pytest.param(LOUD, 600, Fate.ACCEPTED, id="neither"),
    ],
)
def test_phrase_that_is_made_up_is_told_as_that(tmp_path: Path, rms: float, ms: int, fate: Fate) -> None:
    dialogue = taped()
    dialogue.caller.hums(ms, rms)
    dialogue.caller.silent(600)
    dialogue.openai.transcribes("תודה שצפיתם")
    (utterance,) = dialogue.account(tmp_path).utterances

    assert utterance.fate is fate
