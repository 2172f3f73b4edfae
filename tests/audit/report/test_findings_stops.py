"""What the findings say of the stops of the assistant, of words that nobody said, and of a line that changes."""

from pathlib import Path

import pytest

from callfsm.audit.account.account import account_of
from callfsm.audit.recording import read_journal
from callfsm.audit.replay.what_if import what_if
from callfsm.audit.report.findings import findings
from tests.audit.recorded import RecordedDialogue, asked, gone_on, interrupted, levels, noisy, taped, whispered
from tests.audit.report.test_findings import about, advised
from tests.calls import QUIET


def test_false_stop_is_told_with_what_it_cost(tmp_path: Path) -> None:
    finding = about(gone_on().account(tmp_path), "barge-ins were nobody's")

    assert finding.startswith("1 of 1 barge-ins were nobody's, with frames of up to 1000.0 RMS.")
    assert "in all that cost 0.60 s of silence, and 0.13 s were said twice." in finding


def test_stop_that_was_confirmed_is_no_false_one(tmp_path: Path) -> None:
    assert not [finding for finding in findings(interrupted().account(tmp_path)) if "nobody's" in finding]


def test_stop_that_was_confirmed_and_brought_no_words_cut_the_reply_for_nothing(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.twilio.plays(1000)
    dialogue.caller.says(500)
    dialogue.openai.transcribes("?")
    finding = about(dialogue.account(tmp_path), "the reply was cut for nothing")

    assert finding.startswith(
        "1 of 1 barge-ins were taken for speech and brought no words that were accepted (at 0:03.62)"
    )


def test_caller_who_was_spoken_over_is_told_with_how_long(tmp_path: Path) -> None:
    finding = about(whispered().account(tmp_path), "known by its words alone")

    assert "the assistant had been talking over the caller for 0.60 s: 0 ms of its 400 ms of loud sound" in finding
    assert "Worth trying" not in finding


def test_caller_with_a_little_voice_advises_to_want_no_more(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.twilio.plays(1000)
    dialogue.caller.hums(60, 1000.0, voicing=0.8)
    dialogue.caller.whispers(300)
    dialogue.openai.had_nothing_to_cancel()
    dialogue.caller.silent(260)
    dialogue.twilio.plays(300)
    dialogue.openai.transcribes("רגע אחד")
    path = dialogue.write(tmp_path / "CA1.jsonl")
    account = account_of(read_journal(path))
    finding = about(account, "known by its words alone")
    other = account_of(what_if(read_journal(path), advised(account, finding)).recording)

    assert finding.endswith("--set turn.confirm_voiced_ms=60")
    assert other.barge_ins[0].went_on_at is None


def test_echo_that_was_rejected_advises_a_greater_factor(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.words("אנחנו פתוחים בכל יום")
    dialogue.openai.speaks(3000, levels_rms=levels(3000))
    dialogue.openai.finishes()
    dialogue.caller.silent(60)
    dialogue.caller.hums(400, 900.0, voicing=0.9)
    dialogue.caller.silent(600)
    dialogue.openai.transcribes("אנחנו פתוחים")
    account = dialogue.account(tmp_path)
    finding = about(account, "the assistant's own words")
    other = dialogue.account(tmp_path, advised(account, finding))

    assert finding.startswith("1 utterances were the assistant's own words, come back as echo, and were rejected")
    assert (len(account.barge_ins), len(other.barge_ins)) == (1, 0)


def test_words_that_were_made_up_advise_a_threshold_above_their_sound(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.hums(500, 170.0)
    dialogue.caller.silent(600)
    dialogue.openai.transcribes("תודה שצפיתם")
    account = dialogue.account(tmp_path)
    finding = about(account, "transcription makes up")

    assert dialogue.account(tmp_path, advised(account, finding)).utterances == ()


def test_noisy_line_is_told_with_what_the_threshold_did(tmp_path: Path) -> None:
    dialogue = noisy()
    account = dialogue.account(tmp_path)

    assert about(account, "The line is noisy") == (
        "The line is noisy: from 0:04.72 on the threshold followed the noise of 250.0 RMS, to 500.0. It was above the"
        " calibrated one for 34% of the call. The calibrated one was in force again from 0:08.30 on."
    )
    assert not [finding for finding in findings(account) if "fits this line" in finding]


def test_noisy_line_is_advised_a_factor_and_no_margin(tmp_path: Path) -> None:
    """Words that nobody said, on a line whose threshold follows: what holds them back is the factor."""
    dialogue = RecordedDialogue()
    dialogue.caller.hums(5000, 200.0)
    dialogue.openai.transcribes("")
    dialogue.caller.hums(500, 450.0)
    dialogue.caller.hums(1200, 200.0)
    dialogue.openai.transcribes("תודה שצפיתם")
    account = dialogue.account(tmp_path)
    finding = about(account, "transcription makes up")

    assert finding.endswith("--set gate.follow_factor=3")
    assert [u.transcript for u in dialogue.account(tmp_path, advised(account, finding)).utterances] == [""]


def test_line_measured_in_noise_is_not_advised_what_it_does_by_itself(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.hums(3000, 150.0)

    assert about(dialogue.account(tmp_path), "No frame of the calibration").endswith(
        "is the default and not this line's."
    )


def test_silent_line_that_hums_is_told(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.hums(1500, 0.0)
    dialogue.caller.hums(6000, 50.0)

    assert about(dialogue.account(tmp_path), "hums").endswith("it was measured again, and the threshold is 110.0.")


@pytest.mark.parametrize(
    ("quiet_rms", "says"),
    [
        pytest.param(20.0, "The line was measured again: 150.0 before, 80.0 after.", id="speech"),
        pytest.param(112.0, "It is steady noise, or the threshold follows: 150.0 stayed in force.", id="noise"),
    ],
)
def test_deaf_line_is_an_alarm(tmp_path: Path, quiet_rms: float, says: str) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.hums(1500, QUIET)
    for _ in range(60):
        dialogue.caller.hums(60, 140.0)
        dialogue.caller.hums(140, quiet_rms)
    account = dialogue.account(tmp_path)
    finding = next(finding for finding in findings(account) if finding.startswith("Alarm at "))

    assert finding.endswith(says)
