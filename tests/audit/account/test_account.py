"""What an account tells of a call, where the call was held on the pure core and then read from its journal."""

from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callfsm.audit.account.account import account_of
from callfsm.audit.account.barge_ins import Verdict
from callfsm.audit.account.values import Fate, ReplyFate, ReplyKind
from callfsm.audit.recording import read_journal
from callfsm.config import Business, Config, GateConfig
from callfsm.effects import CreateResponse, Log, TruncateItem
from callfsm.events import RmsFrame
from callfsm.states.base import State
from callfsm.states.interrupting import BARGE_IN_LINE, CONFIRMED_LINE, RESUMED_LINE
from tests.audit.recorded import HELLO, RecordedDialogue, asked, interrupted, taped
from tests.audit.scripts import BEGINNING, BUSINESSES, SCRIPTS, Script, performed
from tests.calls import GREETING_BUSINESS, LOUD, QUIET, THRESHOLD, TOOL_BUSINESS

WEAK = 120.0


def test_frames_tell_what_the_gate_made_of_each(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.hums(20, LOUD)
    dialogue.caller.hums(500, WEAK)
    dialogue.caller.hums(40, WEAK)
    *_, last, first_dropped, second_dropped = dialogue.account(tmp_path).frames
    loud = dialogue.account(tmp_path).frames[75]

    assert (loud.rms, loud.is_loud, loud.is_gate_open, loud.was_dropped) == (LOUD, True, True, False)
    assert (last.rms, last.is_loud, last.is_gate_open, last.was_dropped) == (WEAK, False, True, False)
    assert [(f.is_gate_open, f.was_dropped) for f in (first_dropped, second_dropped)] == [(False, True)] * 2
    assert {frame.threshold_rms for frame in dialogue.account(tmp_path).frames} == {THRESHOLD}


def test_frames_of_the_calibration_stand_at_their_own_times(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.silent(200)
    dialogue.caller.speaks(200)
    dialogue.caller.silent(1100)
    account = dialogue.account(tmp_path)

    assert account.calibrated_at == pytest.approx(1.5)
    assert [frame.at for frame in account.frames[:3]] == pytest.approx([0.02, 0.04, 0.06])
    assert {frame.state for frame in account.frames} == {State.CALIBRATING}
    assert [frame.is_gate_open for frame in account.frames] == [False] * 10 + [True] * 35 + [False] * 30
    assert [frame.was_dropped for frame in account.frames] == [True] * 10 + [False] * 35 + [True] * 30


def test_calibration_is_gated_with_the_threshold_of_all_its_frames(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.hums(20, 15.0)
    dialogue.caller.hums(1480, 90.0)
    account = dialogue.account(tmp_path)

    assert account.threshold_rms == 149.0
    assert {(frame.threshold_rms, frame.was_dropped) for frame in account.frames} == {(149.0, True)}
    assert account.utterances == ()


@pytest.mark.parametrize("ready", [True, False], ids=["ready", "no session yet"])
def test_utterances_of_the_calibration_are_told_apart(tmp_path: Path, *, ready: bool) -> None:
    dialogue = RecordedDialogue(ready=ready)
    dialogue.caller.hums(40, LOUD)
    dialogue.caller.silent(620)
    dialogue.caller.speaks(140)
    dialogue.caller.silent(600)
    dialogue.caller.speaks(200)
    blip, committed, open_one = dialogue.account(tmp_path).utterances

    assert [u.fate for u in (blip, committed, open_one)] == [Fate.BLIP, Fate.UNSETTLED, Fate.UNSETTLED]
    assert [u.began_at for u in (blip, committed, open_one)] == pytest.approx([0.02, 0.68, 1.42])
    assert [u.loud_ms for u in (blip, committed, open_one)] == [40, 140, 200]
    assert [blip.closed_at, committed.closed_at] == pytest.approx([0.64, 1.4])
    assert open_one.closed_at is None


def test_utterance_that_began_in_the_calibration_goes_on_behind_it(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.silent(1300)
    dialogue.caller.says(500)
    dialogue.openai.transcribes(HELLO)
    (utterance,) = dialogue.account(tmp_path).utterances

    assert (utterance.began_at, utterance.ended_at) == pytest.approx((1.32, 1.8))
    assert (utterance.fate, utterance.transcript, utterance.loud_ms) == (Fate.ACCEPTED, HELLO, 500)


def test_call_that_ends_while_it_is_measured(tmp_path: Path) -> None:
    dialogue = RecordedDialogue()
    dialogue.caller.speaks(400)
    account = dialogue.hangs_up().account(tmp_path)

    assert account.calibrated_at is None
    assert account.utterances == ()
    assert {(f.threshold_rms, f.is_loud, f.is_gate_open, f.was_dropped) for f in account.frames} == {
        (160.0, True, False, False)
    }


def test_utterance_has_its_figures(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.speaks(200)
    dialogue.caller.hums(100, WEAK)
    dialogue.caller.says(100)
    dialogue.openai.transcribes(HELLO)
    (utterance,) = dialogue.account(tmp_path).utterances

    assert (utterance.began_at, utterance.ended_at) == pytest.approx((1.52, 1.9))
    assert (utterance.closed_at, utterance.settled_at) == pytest.approx((2.5, 2.5))
    assert (utterance.loud_ms, utterance.frames, utterance.duration_ms) == (300, 20, 400)
    assert utterance.rms == pytest.approx(((15 * LOUD**2 + 5 * WEAK**2) / 20) ** 0.5)
    assert (utterance.threshold_rms, utterance.item_id) == (THRESHOLD, "i1")


@pytest.mark.parametrize(
    ("transcript", "fate"),
    [
        pytest.param(HELLO, Fate.ACCEPTED, id="real speech"),
        pytest.param(" a", Fate.TOO_SHORT, id="one character"),
        pytest.param("?!..", Fate.PUNCTUATION, id="punctuation"),
        pytest.param("כן", Fate.NOT_REAL_YET, id="two characters, and nobody has spoken yet"),
    ],
)
def test_fate_of_an_utterance_is_its_transcripts(tmp_path: Path, transcript: str, fate: Fate) -> None:
    dialogue = taped()
    dialogue.caller.says(500)
    dialogue.openai.transcribes(transcript)
    (utterance,) = dialogue.account(tmp_path).utterances

    assert (utterance.fate, utterance.transcript) == (fate, transcript)


def test_blip_is_an_utterance_without_a_transcript(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.says(80)
    (utterance,) = dialogue.account(tmp_path).utterances

    assert (utterance.fate, utterance.loud_ms, utterance.transcript) == (Fate.BLIP, 80, None)
    assert utterance.settled_at == pytest.approx(2.18)


def test_transcript_that_does_not_come_rejects_at_its_deadline(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.says(500)
    dialogue.openai.names()
    dialogue.frames += 500
    dialogue.caller.silent(20)
    (utterance,) = dialogue.account(tmp_path).utterances

    assert (utterance.fate, utterance.transcript) == (Fate.NO_TRANSCRIPT, None)
    assert utterance.settled_at == pytest.approx(2.6 + 3.0)


def test_transcript_behind_its_deadline_is_too_late(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.says(500)
    dialogue.openai.names()
    dialogue.frames += 500
    dialogue.openai.transcribes("?")
    (utterance,) = dialogue.account(tmp_path).utterances

    assert (utterance.fate, utterance.transcript) == (Fate.NO_TRANSCRIPT, None)


def test_commit_that_the_api_refuses(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.says(500)
    dialogue.openai.refuses("input_audio_buffer_commit_empty", dialogue.call.turn.unsettled[0].commit_event_id)
    (utterance,) = dialogue.account(tmp_path).utterances

    assert utterance.fate is Fate.REFUSED
    assert utterance.fate.is_rejected


def test_utterance_without_words_is_accepted_where_it_is_answered(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.caller.says(500)
    dialogue.openai.cannot_transcribe()
    *_, utterance = dialogue.account(tmp_path).utterances

    assert (utterance.fate, utterance.transcript) == (Fate.ACCEPTED, None)


def test_reply_heard_to_its_end(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.speaks(1000)
    dialogue.openai.words("אנחנו פתוחים")
    dialogue.openai.finishes()
    dialogue.twilio.plays()
    (reply,) = dialogue.account(tmp_path).replies

    assert (reply.kind, reply.fate, reply.why) == (ReplyKind.REPLY, ReplyFate.HEARD, "")
    assert (reply.requested_at, reply.begun_at, reply.audible_from) == pytest.approx((2.6, 2.6, 2.6))
    assert reply.audible_to == pytest.approx(3.6)
    assert (reply.generated_ms, reply.heard_ms) == (1000, 1000)
    assert (reply.words, reply.status) == ("אנחנו פתוחים", "completed")


def test_reply_whose_last_mark_is_lost_ends_when_it_was_heard(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(1000)
    dialogue.twilio.plays(echoing=False)
    dialogue.caller.silent(3000)
    (reply,) = dialogue.account(tmp_path).replies

    assert (reply.fate, reply.heard_ms) == (ReplyFate.HEARD, 1000)
    assert reply.audible_to == pytest.approx(3.6)


def test_barge_in_names_its_frame_and_what_was_heard(tmp_path: Path) -> None:
    dialogue = interrupted()
    account = dialogue.account(tmp_path)
    cut, owed = account.replies

    (barge_in,) = account.barge_ins
    assert barge_in.at == account.utterances[1].began_at == pytest.approx(3.62)
    assert (barge_in.rms, barge_in.limit_rms) == (LOUD, THRESHOLD)
    assert (barge_in.heard_ms, barge_in.generated_ms, barge_in.reply, barge_in.utterance) == (1020, 3000, 0, 1)
    assert (barge_in.verdict, barge_in.confirmed_ms) == (Verdict.VOICE, 100)
    assert (cut.fate, cut.heard_ms, cut.generated_ms) == (ReplyFate.BARGED_IN, 1020, 3000)
    assert cut.audible_to == pytest.approx(3.62)
    assert [told.audio_end_ms for told in dialogue.did(TruncateItem)] == [cut.heard_ms]
    assert (owed.fate, owed.why) == (ReplyFate.UNFINISHED, "the journal breaks off")


def test_speech_begun_in_the_grace_belongs_to_the_utterance_that_interrupts(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.caller.silent(100)
    dialogue.caller.says(500)
    account = dialogue.account(tmp_path)

    assert account.barge_ins[0].at == pytest.approx(2.6 + 0.3)
    assert account.utterances[1].began_at == pytest.approx(2.6 + 0.12)
    assert account.utterances[1].loud_ms == 500


def test_greeting_and_clip_have_their_kinds(tmp_path: Path) -> None:
    greeted = taped(GREETING_BUSINESS)
    greeted.openai.replies(500)
    greeted.twilio.plays()
    clip = RecordedDialogue(evolve(GREETING_BUSINESS), clip_ms=500)
    clip.caller.silent(1500)
    clip.twilio.plays()
    (generated,), (recorded,) = greeted.account(tmp_path).replies, clip.account(tmp_path).replies

    assert (generated.kind, generated.fate, generated.heard_ms) == (ReplyKind.GREETING, ReplyFate.HEARD, 500)
    assert (recorded.kind, recorded.fate, recorded.heard_ms) == (ReplyKind.CLIP, ReplyFate.HEARD, 500)
    assert (recorded.generated_ms, recorded.words, recorded.begun_at) == (500, GREETING_BUSINESS.greeting, None)


def test_reply_to_an_older_question_is_cancelled_unheard(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.caller.says(500)
    dialogue.openai.transcribes("ועוד דבר")
    cancelled = dialogue.account(tmp_path).replies[0]

    assert (cancelled.fate, cancelled.why) == (ReplyFate.CANCELLED, "the caller said more")
    assert (cancelled.audible_from, cancelled.heard_ms) == (None, 0)


def test_reply_is_cancelled_by_keys(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.caller.presses("5", pause_ms=2020)
    cancelled = dialogue.account(tmp_path).replies[0]

    assert (cancelled.fate, cancelled.why) == (ReplyFate.CANCELLED, "the caller pressed keys")


def test_reply_held_back_and_then_dropped_is_cancelled(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.caller.speaks(60)
    dialogue.openai.speaks(400)
    dialogue.caller.speaks(100)
    cancelled = dialogue.account(tmp_path).replies[0]

    assert (cancelled.fate, cancelled.why) == (ReplyFate.CANCELLED, "the caller went on talking")
    assert (cancelled.generated_ms, cancelled.heard_ms) == (400, 0)


def test_reply_held_back_for_a_blip_is_heard_behind_it(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.caller.speaks(60)
    dialogue.openai.speaks(400)
    dialogue.openai.finishes()
    dialogue.caller.silent(600)
    dialogue.twilio.plays()
    (reply,) = dialogue.account(tmp_path).replies

    assert (reply.fate, reply.heard_ms) == (ReplyFate.HEARD, 400)
    assert reply.audible_from == pytest.approx(2.6 + 0.66)


def test_reply_without_audio_fails_and_is_requested_again(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.finishes("failed")
    failed, again = dialogue.account(tmp_path).replies

    assert (failed.fate, failed.status) == (ReplyFate.FAILED, "failed")
    assert failed.why == "the response ended without audio: failed"
    assert again.requested_at == pytest.approx(2.6)


def test_reply_that_does_not_come_in_time_fails(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.frames += 500
    dialogue.caller.silent(20)
    failed, _ = dialogue.account(tmp_path).replies

    assert (failed.fate, failed.why) == (ReplyFate.FAILED, "no audio in 8000 ms")


def test_refused_request_fails_with_the_code(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.refuses("rate_limit_exceeded", dialogue.call.response.create_event_id)
    assert [(r.fate, r.why) for r in dialogue.account(tmp_path).replies] == [
        (ReplyFate.FAILED, "refused: rate_limit_exceeded"),
        (ReplyFate.UNFINISHED, "the journal breaks off"),
    ]


def test_reply_lost_with_the_connection(tmp_path: Path) -> None:
    unheard, audible = asked(), asked()
    unheard.openai.begins()
    unheard.openai.is_lost()
    audible.openai.begins()
    audible.openai.speaks(1000)
    audible.openai.is_lost()
    audible.twilio.plays()
    (lost,), (cut, *_) = unheard.account(tmp_path).replies, audible.account(tmp_path).replies

    assert lost.fate is ReplyFate.LOST
    assert (cut.fate, cut.why, cut.heard_ms) == (ReplyFate.CUT, "the connection was lost", 1000)


def test_reply_that_only_called_a_function(tmp_path: Path) -> None:
    dialogue = asked(TOOL_BUSINESS)
    dialogue.openai.begins()
    dialogue.openai.calls("lookup")
    dialogue.openai.finishes()
    dialogue.answers()
    silent, answer = dialogue.account(tmp_path).replies

    assert silent.fate is ReplyFate.SILENT
    assert answer.fate is ReplyFate.UNFINISHED


def test_hanging_up_cuts_what_is_audible(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.twilio.plays(600)
    account = dialogue.hangs_up().account(tmp_path)

    assert [(r.fate, r.why, r.heard_ms) for r in account.replies] == [(ReplyFate.CUT, "the call ended", 600)]
    assert (account.end.reason, account.end.is_torn) == ("hangup", False)


def test_goodbye_of_the_assistant_is_heard_to_its_end(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.speaks(600)
    dialogue.openai.calls("hang_up")
    dialogue.openai.finishes()
    dialogue.twilio.plays()
    account = dialogue.account(tmp_path)

    assert [(r.fate, r.heard_ms) for r in account.replies] == [(ReplyFate.HEARD, 600)]
    assert account.end.reason == "hang_up"


def test_bands_cover_the_call_without_a_gap(tmp_path: Path) -> None:
    account = interrupted().hangs_up().account(tmp_path)

    assert [band.state.name for band in account.bands] == [
        "CALIBRATING",
        "WAITING_FOR_USER",
        "LISTENING",
        "AI_GRACE",
        "AI_SPEAKING",
        "CANCELLING",
        "LISTENING",
        "ENDED",
    ]
    assert [band.ended_at for band in account.bands[:-1]] == [band.began_at for band in account.bands[1:]]
    assert (account.bands[0].began_at, account.bands[-1].ended_at) == (account.started_at, account.end.at)


def test_deadline_that_no_timer_fired_changes_the_state_at_its_own_time(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.speaks(3000)
    dialogue.frames += 40
    dialogue.caller.speaks(20)
    account = dialogue.account(tmp_path)

    assert account.bands[4].state is State.AI_SPEAKING
    assert account.bands[4].began_at == pytest.approx(2.9)
    assert account.frames[-1].state is State.AI_SPEAKING
    assert account.barge_ins[0].at == pytest.approx(3.42)


def test_log_is_told_without_the_gates_lines(tmp_path: Path) -> None:
    lines = asked().account(tmp_path).lines

    assert [line.message for line in lines] == [
        "[VAD] Calibrated noise=90.0, speech_threshold=150.0",
        "[NLP] First real user utterance detected – has_real_user_utterance=True",
        f"User said: {HELLO}",
    ]
    assert [line.at for line in lines] == pytest.approx([1.5, 2.6, 2.6])


def test_other_numbers_give_another_account(tmp_path: Path) -> None:
    config = Config(gate=GateConfig(max_threshold=2000.0, threshold_margin=1500.0))
    dialogue = asked()
    account = dialogue.account(tmp_path, evolve(config, business=dialogue.config.business))

    assert account.threshold_rms == QUIET + 1500.0
    assert account.utterances == ()


def test_journal_that_breaks_off_is_told_up_to_there(tmp_path: Path) -> None:
    dialogue = interrupted()
    whole = dialogue.write(tmp_path / "CA1.jsonl").read_bytes()
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(whole[: whole.rindex(b"i2") - 20])
    account = account_of(read_journal(torn))

    assert (account.end.is_torn, account.end.reason) == (True, "")
    assert len(account.barge_ins) == 1
    assert account.utterances[-1].fate is Fate.UNSETTLED


def test_journal_of_nothing_but_its_header(tmp_path: Path) -> None:
    account = RecordedDialogue(ready=False).account(tmp_path)

    assert (account.frames, account.utterances, account.replies, account.duration_s) == ((), (), (), 0.0)
    assert account.end.is_torn


def test_bug_that_the_call_met_is_told(tmp_path: Path) -> None:
    dialogue = asked()
    recording = read_journal(dialogue.write(tmp_path / "CA1.jsonl"))
    entry = evolve(recording.entries[-1], what=RmsFrame(9.0, "no number"))  # type: ignore[arg-type]
    account = account_of(evolve(recording, entries=(*recording.entries, entry)))

    assert account.end.error.startswith("TypeError")
    assert len(account.utterances) == 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BUSINESSES, st.sampled_from([0, 500]), SCRIPTS)
def test_account_of_any_call_agrees_with_what_was_done_in_it(
    business: Business, clip_ms: int, script: Script
) -> None:
    recording, effects = performed(business, clip_ms, [*BEGINNING, *script])
    account = account_of(recording)
    log = [effect.message for effect in effects if isinstance(effect, Log)]
    requests = sum(isinstance(effect, CreateResponse) for effect in effects)
    said = [u.transcript for u in account.utterances if u.fate is Fate.ACCEPTED and u.transcript is not None]

    assert sum(frame.was_dropped for frame in account.frames) == sum(line.startswith("[AUDIO GATE]") for line in log)
    assert len(account.barge_ins) == log.count(BARGE_IN_LINE)
    assert sum(b.went_on_at is not None for b in account.barge_ins) == log.count(RESUMED_LINE)
    assert sum(b.verdict.is_confirmed for b in account.barge_ins) == log.count(CONFIRMED_LINE)
    assert len(account.line) == sum(line.startswith("[VAD]") and "Calibrated noise" not in line for line in log)
    assert [f"User said: {text}" for text in said] == [line for line in log if line.startswith("User said")]
    assert requests == sum(reply.kind is not ReplyKind.CLIP for reply in account.replies)
    assert all(reply.heard_ms <= reply.generated_ms for reply in account.replies)
    assert all((reply.heard_ms > 0) <= (reply.audible_from is not None) for reply in account.replies)
    assert [b.ended_at for b in account.bands[:-1]] == [b.began_at for b in account.bands[1:]]
    assert all(b.began_at <= b.ended_at for b in account.bands)
    assert all(u.began_at <= u.ended_at for u in account.utterances)
    assert all(s.began_at <= s.ended_at and s.from_ms <= s.to_ms for r in account.replies for s in r.stretches)
    assert all(b.at <= (b.went_on_at or b.at) for b in account.barge_ins)
