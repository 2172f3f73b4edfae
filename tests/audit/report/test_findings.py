"""What the findings say of calls on good lines and bad ones, and that their advice works."""

import re
from pathlib import Path

import pytest
from attrs import evolve

from callfsm.audit.account.account import account_of
from callfsm.audit.account.values import Account, Fate
from callfsm.audit.recording import read_journal
from callfsm.audit.report.findings import findings
from callfsm.config import Config, GateConfig, TurnConfig
from callfsm.config_file import config_from, config_values
from tests.audit.recorded import HELLO, RecordedDialogue, asked, interrupted, taped

SETTING = re.compile(r"--set (\w+)\.(\w+)=(\d+\.?\d*)")
FIXED = Config(gate=GateConfig(follow_factor=0.0))
"""The threshold is the calibrated one, whatever the noise."""


def about(account: Account, words: str) -> str:
    """The one finding with these words."""
    (finding,) = [finding for finding in findings(account) if words in finding]
    return finding


def advised(account: Account, finding: str) -> Config:
    """The call's configuration with the settings that a finding advises."""
    values = config_values(account.config)
    for section, key, value in SETTING.findall(finding):
        values[section][key] = float(value) if "." in value else int(value)
    return config_from(values)


def line(noise_rms: float, speech_rms: float, pause_rms: float | None = None) -> RecordedDialogue:
    """A call with so loud a line, so loud a caller, and pauses louder than the calibration where said."""
    dialogue = RecordedDialogue(config=FIXED)
    dialogue.caller.hums(1500, noise_rms)
    dialogue.caller.hums(500, speech_rms)
    dialogue.caller.hums(3000, pause_rms or noise_rms)
    dialogue.openai.transcribes(HELLO)
    return dialogue


def test_good_line_is_told_and_nothing_advised(tmp_path: Path) -> None:
    assert findings(line(60.0, 1000.0).account(tmp_path)) == (
        "The noise floor of this line is 60.0 RMS and its speech threshold 120.0.",
        "50 of 250 frames (20%) passed the gate.",
        "The quietest speech that passed has an RMS of 1000.0, 8.3 times the threshold (at 0:01.52).",
        "The loudest frame that was dropped has an RMS of 60.0, 0.50 of its limit (at 0:00.02).",
        "The threshold of 120.0 fits this line: pauses reach 60.0 RMS, the quietest speech has 1000.0 RMS.",
    )


def test_call_without_a_frame_has_nothing_to_say(tmp_path: Path) -> None:
    assert findings(RecordedDialogue().account(tmp_path)) == ()


def test_call_that_ends_while_it_is_measured(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.silent(400)

    assert findings(dialogue.hangs_up().account(tmp_path)) == (
        "The call ended before the line was measured; the default threshold is 160.0.",
        "0 of 20 frames (0%) passed the gate.",
    )


def test_pauses_near_the_threshold_advise_a_higher_one(tmp_path: Path) -> None:
    dialogue = line(60.0, 1000.0, pause_rms=110.0)
    account = dialogue.account(tmp_path)
    finding = about(account, "is low for this line: pauses reach 110.0 RMS")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert finding.endswith("Worth trying: callfsm replay JOURNAL --set gate.threshold_margin=78")
    assert 110.0 <= other.threshold_rms * 0.8 < 111.0


def test_weak_end_of_speech_is_no_pause(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.hums(1500, 60.0)
    dialogue.caller.hums(500, 1000.0)
    dialogue.caller.hums(600, 110.0)
    dialogue.caller.hums(2000, 60.0)
    dialogue.openai.transcribes(HELLO)

    assert "pauses reach 60.0 RMS" in about(dialogue.account(tmp_path), "fits this line")


def test_threshold_above_the_cap_advises_the_cap_too(tmp_path: Path) -> None:
    account = line(115.0, 1000.0, pause_rms=170.0).account(tmp_path)
    finding = about(account, "is low for this line")

    assert SETTING.findall(finding) == [("gate", "threshold_margin", "98"), ("gate", "max_threshold", "213")]
    assert advised(account, finding).gate.max_threshold == 213.0


def test_faint_speech_advises_a_lower_threshold(tmp_path: Path) -> None:
    dialogue = line(40.0, 150.0)
    account = dialogue.account(tmp_path)
    finding = about(account, "is high for this line: pauses reach 40.0 RMS, the quietest speech has 150.0 RMS")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert other.threshold_rms == 75.0
    assert other.utterances[0].fate is Fate.ACCEPTED


def test_noise_as_loud_as_speech_has_no_advice(tmp_path: Path) -> None:
    finding = about(line(90.0, 200.0, pause_rms=140.0).account(tmp_path), "too close")

    assert not SETTING.search(finding)


def test_line_without_a_quiet_frame_is_not_measured(tmp_path: Path) -> None:
    dialogue = line(150.0, 1000.0)
    account = dialogue.account(tmp_path)
    finding = about(account, "No frame of the calibration was below 120.0 RMS")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert account.noise_floor_rms == 100.0
    assert (other.noise_floor_rms, other.threshold_rms) == (150.0, 210.0)


def test_caller_who_speaks_at_once_leaves_few_samples(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.speaks(1200)
    dialogue.caller.silent(300)

    assert "Only 15 of the 75 frames" in about(dialogue.account(tmp_path), "the noise floor is that of a moment")


def test_gate_that_is_open_most_of_the_time_advises_a_threshold_above_the_noise(tmp_path: Path) -> None:
    dialogue = taped(config=FIXED)
    dialogue.caller.hums(6000, 200.0)
    dialogue.caller.silent(600)
    dialogue.openai.transcribes("")
    account = dialogue.account(tmp_path)
    finding = about(account, "The gate was open for 80% of the call")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert other.threshold_rms == 250.0
    assert other.utterances == ()


def test_first_words_that_are_too_faint_advise_a_threshold_that_takes_them(tmp_path: Path) -> None:
    dialogue = taped()
    for _ in range(10):
        dialogue.caller.hums(20, 160.0)
        dialogue.caller.hums(60, 100.0)
    dialogue.caller.silent(600)
    dialogue.openai.transcribes(HELLO)
    account = dialogue.account(tmp_path)
    finding = about(account, "was not taken for the first real one")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert account.utterances[0].fate is Fate.NOT_REAL_YET
    assert other.utterances[0].rms >= other.threshold_rms


def test_barge_in_of_a_weak_blip_advises_a_threshold_above_it(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.caller.silent(1000)
    dialogue.caller.hums(40, 160.0)
    dialogue.openai.had_nothing_to_cancel()
    dialogue.caller.silent(600)
    account = dialogue.account(tmp_path)
    finding = about(account, "1 of 1 barge-ins were nobody's")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert "with frames of up to 160.0 RMS" in finding
    assert other.barge_ins == ()


def test_barge_in_of_a_loud_blip_has_no_advice(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.caller.silent(1000)
    dialogue.caller.speaks(40)
    dialogue.openai.had_nothing_to_cancel()
    dialogue.caller.silent(600)

    assert "No threshold keeps out" in about(dialogue.account(tmp_path), "barge-ins were nobody's")


def test_sound_just_behind_the_grace_may_be_echo(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.caller.silent(380)
    dialogue.caller.speaks(60)
    dialogue.caller.silent(600)
    account = dialogue.account(tmp_path)
    finding = about(account, "it may be the assistant's own echo")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert "came 100 ms behind the grace" in finding
    assert (len(account.barge_ins), len(other.barge_ins)) == (1, 0)


def test_caller_who_interrupts_is_no_finding(tmp_path: Path) -> None:
    assert not [finding for finding in findings(interrupted().account(tmp_path)) if "barge-in" in finding]


def test_accepted_utterance_that_was_almost_a_blip(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.caller.says(120)
    dialogue.openai.transcribes("כן")
    finding = about(dialogue.account(tmp_path), "close to being blips")

    assert finding.startswith("1 of 2 accepted utterances were close to being blips: 120 ms")
    assert finding.endswith("--set turn.min_speech_ms=60")


def test_caller_who_goes_on_behind_a_pause_advises_a_longer_one(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.caller.silent(200)
    dialogue.caller.says(500)
    dialogue.openai.transcribes("ועוד משהו")
    account = dialogue.account(tmp_path)
    finding = about(account, "1 times the caller went on within 500 ms")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert finding.endswith("--set turn.end_of_turn_ms=850")
    assert (len(account.utterances), len(other.utterances)) == (2, 1)


def test_transcripts_that_do_not_come_advise_a_longer_wait(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.says(500)
    dialogue.openai.names()
    dialogue.caller.silent(4000)
    dialogue.openai.transcribes(HELLO)
    account = dialogue.account(tmp_path)
    finding = about(account, "1 utterances had no transcript in 3000 ms")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert other.utterances[0].fate is Fate.ACCEPTED


@pytest.mark.parametrize("min_speech_ms", [20, 100, 200])
def test_advice_is_always_a_configuration_that_serves(tmp_path: Path, min_speech_ms: int) -> None:
    config = evolve(Config(), turn=evolve(TurnConfig(), min_speech_ms=min_speech_ms))
    dialogue = asked(config=config)
    dialogue.caller.says(220)
    dialogue.openai.transcribes("כן")
    account = account_of(read_journal(dialogue.write(tmp_path / "CA1.jsonl")))

    assert all(advised(account, finding) for finding in findings(account))
