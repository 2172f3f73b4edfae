"""What an account tells of the stops of the assistant: what each proved to be, and what became of the reply."""

from pathlib import Path

import pytest
from attrs import evolve

from callfsm.audit.account.barge_ins import Verdict
from callfsm.audit.account.values import Account, Fate, ReplyFate, ReplyKind
from callfsm.config import Config, TurnConfig
from callfsm.effects import TruncateItem
from tests.audit.recorded import (
    RecordedDialogue,
    asked,
    continued,
    gone_on,
    interrupted,
    levels,
    taped,
    whispered,
)
from tests.calls import GREETING_BUSINESS


def talking(ms: int = 3000, config: Config | None = None) -> RecordedDialogue:
    """The caller has heard 1 s of an answer that was generated at once; it is 3.6 s."""
    dialogue = asked(config=config)
    dialogue.openai.replies(ms)
    dialogue.twilio.plays(1000)
    return dialogue


def heard_in(account: Account, reply: int = 0) -> list[tuple[float, float, int, int]]:
    """When the assistant was audible with a reply, and with which part of it."""
    return [
        (pytest.approx(s.began_at, abs=0.021), pytest.approx(s.ended_at, abs=0.021), s.from_ms, s.to_ms)  # type: ignore[misc]
        for s in account.replies[reply].stretches
    ]


def test_voice_confirms_with_its_sixth_frame(tmp_path: Path) -> None:
    account = interrupted().account(tmp_path)
    (stop,) = account.barge_ins

    assert (stop.verdict, stop.confirmed_ms, stop.silent_ms) == (Verdict.VOICE, 100, None)
    assert account.replies[0].fate is ReplyFate.BARGED_IN
    assert account.replies[0].over_at == stop.confirmed_at


def test_voice_that_the_grace_has_heard_confirms_at_once(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(3000)
    dialogue.caller.silent(100)
    dialogue.caller.speaks(220)
    account = dialogue.account(tmp_path)

    assert [(s.verdict, s.confirmed_ms) for s in account.barge_ins] == [(Verdict.VOICE, 0)]
    assert account.replies[0].over_at == account.barge_ins[0].at


def test_detector_confirms_when_it_is_sure(tmp_path: Path) -> None:
    dialogue = talking()
    dialogue.caller.whispers(300)
    dialogue.openai.is_sure_of_speech()
    account = dialogue.account(tmp_path)

    assert [(s.verdict, s.confirmed_ms) for s in account.barge_ins] == [(Verdict.DETECTOR, 280)]
    assert account.replies[0].fate is ReplyFate.BARGED_IN
    assert "The detector was sure of speech." in [note.what for note in account.notes]


def test_words_confirm_while_the_assistant_is_silent(tmp_path: Path) -> None:
    dialogue = talking()
    dialogue.caller.whispers(400)
    dialogue.caller.silent(220)
    dialogue.openai.transcribes("רגע אחד")
    account = dialogue.account(tmp_path)

    assert [(s.verdict, s.confirmed_ms, s.silent_ms) for s in account.barge_ins] == [(Verdict.WORDS, 600, None)]
    assert (account.utterances[1].fate, account.utterances[1].is_doubted) == (Fate.ACCEPTED, True)


def test_nobody_is_gone_on_after(tmp_path: Path) -> None:
    dialogue = gone_on()
    account = dialogue.account(tmp_path)
    (stop,) = account.barge_ins
    (reply,) = account.replies

    assert (stop.verdict, stop.confirmed_at, stop.silent_ms) == (Verdict.NOBODY, None, 600)
    assert (reply.fate, reply.why, reply.heard_ms, reply.generated_ms) == (ReplyFate.HEARD, "", 3000, 3000)
    assert dialogue.did(TruncateItem) == []
    assert (account.utterances[1].fate, account.utterances[1].is_doubted) == (Fate.TOO_SHORT, True)


def test_reply_that_goes_on_is_heard_in_stretches(tmp_path: Path) -> None:
    """It was heard up to 1020 ms; its last pause before that ended at 900 ms, and it goes on with its last 10 ms."""
    account = gone_on().account(tmp_path)

    assert [(2.8, 3.82, 0, 1020), (4.42, 4.42 + 2.11, 890, 3000)] == heard_in(account)
    assert account.barge_ins[0].went_on_from_ms == 890
    assert (account.replies[0].audible_from, account.replies[0].audible_to) == pytest.approx((2.8, 6.53), abs=0.02)


def test_words_of_somebody_who_was_gone_on_over_confirm_late(tmp_path: Path) -> None:
    account = whispered().account(tmp_path)
    (stop,) = account.barge_ins
    first, second = account.replies

    assert (stop.verdict, stop.silent_ms, stop.confirmed_ms) == (Verdict.WORDS, 600, 1200)
    assert (first.fate, second.fate) == (ReplyFate.BARGED_IN, ReplyFate.HEARD)
    assert [(2.8, 3.82, 0, 1020), (4.42, 5.02, 720, 1320)] == heard_in(account)
    assert first.heard_ms == 1320


def test_late_words_confirm_the_stop_that_they_were_spoken_at(tmp_path: Path) -> None:
    dialogue = talking(6000)
    dialogue.caller.whispers(400)
    dialogue.openai.had_nothing_to_cancel()
    dialogue.caller.silent(220)
    dialogue.twilio.plays(600)
    dialogue.caller.clicks()
    dialogue.openai.had_nothing_to_cancel()
    dialogue.caller.silent(20)
    dialogue.openai.transcribes("רגע אחד")
    account = dialogue.account(tmp_path)

    assert [s.verdict for s in account.barge_ins] == [Verdict.WORDS, Verdict.NOBODY]
    assert [account.utterances[s.utterance].fate for s in account.barge_ins] == [Fate.ACCEPTED, Fate.BLIP]


def test_late_words_may_be_of_a_sound_that_came_while_the_assistant_was_stopped(tmp_path: Path) -> None:
    dialogue = talking()
    dialogue.caller.clicks()
    dialogue.caller.silent(20)
    dialogue.caller.whispers(400)
    dialogue.caller.silent(220)
    dialogue.openai.had_nothing_to_cancel()
    dialogue.twilio.plays(300)
    dialogue.openai.transcribes("רגע אחד")
    account = dialogue.account(tmp_path)

    assert [(s.verdict, s.silent_ms, s.utterance) for s in account.barge_ins] == [(Verdict.WORDS, 1240, 1)]
    assert [u.fate for u in account.utterances] == [Fate.ACCEPTED, Fate.BLIP, Fate.ACCEPTED]


def test_reply_cut_while_it_was_generated_is_heard_so_far_and_its_rest_is_a_reply_of_its_own(tmp_path: Path) -> None:
    account = continued().account(tmp_path)
    first, rest = account.replies

    assert (first.kind, first.fate) == (ReplyKind.REPLY, ReplyFate.HEARD_SO_FAR)
    assert (first.heard_ms, first.generated_ms, first.words, first.status) == (
        2000,
        2000,
        "אנחנו פתוחים",
        "cancelled",
    )
    assert (rest.kind, rest.fate, rest.heard_ms, rest.words) == (ReplyKind.REST, ReplyFate.HEARD, 800, "בכל יום")


def test_late_deltas_of_a_stopped_reply_are_of_it(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.speaks(2000)
    dialogue.twilio.plays(1000)
    dialogue.caller.whispers(40)
    dialogue.openai.speaks(400)
    account = dialogue.account(tmp_path)

    assert account.replies[0].generated_ms == 2400


def test_stop_with_nothing_left_to_go_on_with_is_not_waited_for(tmp_path: Path) -> None:
    """A greeting goes on only with what was received, all of which has been heard."""
    dialogue = taped(GREETING_BUSINESS)
    dialogue.openai.begins()
    dialogue.openai.speaks(1000)
    dialogue.twilio.plays()
    dialogue.caller.whispers(40)
    account = dialogue.account(tmp_path)
    (stop,) = account.barge_ins

    assert (stop.verdict, stop.confirmed_at, stop.went_on_at) == (Verdict.NOTHING_LEFT, None, None)
    assert account.replies[0].fate is ReplyFate.HEARD_SO_FAR


def test_call_that_ends_in_doubt_leaves_it_open(tmp_path: Path) -> None:
    dialogue = talking()
    dialogue.caller.whispers(40)
    account = dialogue.hangs_up().account(tmp_path)

    assert [s.verdict for s in account.barge_ins] == [Verdict.OPEN]
    assert [(r.fate, r.why, r.heard_ms) for r in account.replies] == [(ReplyFate.CUT, "the call ended", 1020)]


def test_recording_that_greets_goes_on_and_is_counted_once(tmp_path: Path) -> None:
    dialogue = RecordedDialogue(GREETING_BUSINESS, clip_ms=2000, clip_levels_rms=levels(2000))
    dialogue.caller.silent(1500)
    dialogue.twilio.plays(900)
    dialogue.caller.clicks()
    dialogue.openai.had_nothing_to_cancel()
    dialogue.twilio.plays()
    (clip,) = dialogue.account(tmp_path).replies

    assert (clip.kind, clip.fate) == (ReplyKind.CLIP, ReplyFate.HEARD)
    assert (clip.generated_ms, clip.heard_ms, [s.from_ms for s in clip.stretches]) == (2000, 2000, [0, 890])


def test_journal_that_breaks_off_in_a_reply_tells_how_far_it_was_heard(tmp_path: Path) -> None:
    account = talking().account(tmp_path)

    assert [(r.fate, r.heard_ms) for r in account.replies] == [(ReplyFate.UNFINISHED, 1000)]
    assert [(2.6, 3.6, 0, 1000)] == heard_in(account)


def test_cancel_that_is_given_up_lets_it_go_on_at_its_deadline(tmp_path: Path) -> None:
    dialogue = talking()
    dialogue.caller.clicks()
    dialogue.frames += 100
    dialogue.caller.silent(20)
    account = dialogue.account(tmp_path)

    assert [(s.verdict, s.silent_ms) for s in account.barge_ins] == [(Verdict.NOBODY, 1500)]
    assert account.replies[0].stretches[1].began_at == pytest.approx(3.62 + 1.5)
    assert [band.began_at for band in account.bands if band.state.name == "AI_GRACE"][1] == pytest.approx(5.12)


def test_stop_that_needs_no_proof_is_confirmed_by_any_sound(tmp_path: Path) -> None:
    config = evolve(Config(), turn=TurnConfig(confirm_voiced_ms=0))
    dialogue = talking(config=config)
    dialogue.caller.whispers(20)

    assert [(s.verdict, s.confirmed_ms) for s in dialogue.account(tmp_path).barge_ins] == [(Verdict.VOICE, 0)]
