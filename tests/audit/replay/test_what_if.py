"""A call under other numbers: the peers' answers stay with what they answered, and the difference is told."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from attrs import evolve

from callfsm.audit.account.account import account_of
from callfsm.audit.account.values import Account, Fate, ReplyFate
from callfsm.audit.recording import Recording, read_journal
from callfsm.audit.replay.change import Difference, difference
from callfsm.audit.replay.command import main
from callfsm.audit.replay.what_if import what_if
from callfsm.config import Config, GateConfig, TurnConfig
from callfsm.events import AudioCommitted, PlaybackMarked, ResponseCreated, ResponseDone, TranscriptCompleted
from tests.audit.recorded import (
    RecordedDialogue,
    answered,
    barged_in,
    continued,
    gone_on,
    greeted,
    helped,
    noisy,
    whispered,
)
from tests.calls import GREETING_BUSINESS, LOUD, QUIET

Output = pytest.CaptureFixture[str]
WEAK = 400.0
"""Louder than the line, and weaker than LOUD: another threshold parts them."""
DEAF = GateConfig(threshold_margin=500.0, max_threshold=600.0)
SLOW = TurnConfig(end_of_turn_ms=900)


def twice() -> RecordedDialogue:
    """A call whose caller asks something in a weak voice, then something else in a loud one."""
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.caller.hums(500, WEAK)
    call.caller.silent(800)
    call.openai.transcribes("שאלה חלשה")
    call.caller.silent(100)
    call.openai.replies(1000)
    call.twilio.plays()
    call.caller.silent(1000)
    call.said("שאלה חזקה")
    call.caller.silent(100)
    call.openai.replies(1400)
    call.twilio.plays()
    return call.hangs_up()


def paused() -> RecordedDialogue:
    """A call whose caller pauses for 400 ms in the middle of a question, and then asks another."""
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.caller.speaks(500)
    call.caller.silent(400)
    call.said("כן, ועוד דבר")
    call.openai.replies(1000)
    call.twilio.plays()
    call.caller.silent(4000)
    call.said("ומה עם שישי?")
    call.openai.replies(1400)
    call.twilio.plays()
    return call.hangs_up()


def coughed(ms: int = 200) -> RecordedDialogue:
    """A call in whose first 300 ms of the answer somebody coughs, which the grace ignores."""
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.said("שלום, מתי אתם פתוחים?")
    call.openai.replies(3000)
    call.caller.speaks(ms)
    call.twilio.plays()
    call.caller.silent(1000)
    call.said("תודה רבה")
    call.openai.replies(1400)
    call.twilio.plays()
    return call.hangs_up()


def recording_of(call: RecordedDialogue, tmp_path: Path) -> Recording:
    return read_journal(call.write(tmp_path / "j"))


def changed(call: RecordedDialogue, tmp_path: Path, **sections: object) -> Difference:
    recording = recording_of(call, tmp_path)
    return difference(recording, attrs.evolve(recording.config, **sections))  # type: ignore[arg-type]


def hasty(config: Config) -> Config:
    """The same, with a turn that ends after 300 ms of silence."""
    gate = evolve(config.gate, hangover_ms=100)
    return evolve(config, gate=gate, turn=evolve(config.turn, end_of_turn_ms=300, confirm_ms=300))


def kinds(found: Difference) -> dict[str, int]:
    counts: dict[str, int] = {}
    for change in found.changes:
        counts[change.kind] = counts.get(change.kind, 0) + change.count
    return counts


def without_log(account: Account) -> Account:
    return evolve(account, lines=())


CALLS = [answered, barged_in, greeted, helped, twice, paused, coughed, gone_on, continued, whispered, noisy]


@pytest.mark.parametrize("made", CALLS)
def test_same_numbers_change_nothing_at_all(tmp_path: Path, made: Callable[[], RecordedDialogue]) -> None:
    recording = recording_of(made(), tmp_path)
    same = what_if(recording, recording.config)

    assert () == same.notes
    assert without_log(account_of(recording)) == without_log(account_of(same.recording))
    assert [entry.line for entry in recording.entries] == [entry.line for entry in same.recording.entries]


@pytest.mark.parametrize("made", CALLS)
def test_nothing_changes_is_said(tmp_path: Path, capsys: Output, made: Callable[[], RecordedDialogue]) -> None:
    path = made().write(tmp_path / "j")

    assert 0 == main([str(path), "--set", "gate.max_threshold=300"])
    assert ["threshold: 150.0 -> 150.0", "Nothing changes."] == capsys.readouterr().out.splitlines()[1:]


# Answers stay with their questions


def test_answers_to_an_utterance_that_vanished_fall_away_and_the_others_stay(tmp_path: Path) -> None:
    recording = recording_of(twice(), tmp_path)
    other = what_if(recording, evolve(recording.config, gate=DEAF))
    account = account_of(other.recording)

    (utterance,) = account.utterances
    (reply,) = account.replies
    assert (Fate.ACCEPTED, "שאלה חזקה", "i2") == (utterance.fate, utterance.transcript, utterance.item_id)
    assert (ReplyFate.HEARD, 1400) == (reply.fate, reply.heard_ms)
    assert other.notes == (
        "The transcript “שאלה חלשה”, at 2.80 s, has no place in this call.",
        "The model's answer to “שאלה חלשה”, from 2.90 s on, has no place in this call.",
    )


def test_turns_are_counted_anew(tmp_path: Path) -> None:
    recording = recording_of(twice(), tmp_path)
    other = what_if(recording, evolve(recording.config, gate=DEAF))
    events = [entry.what for entry in other.recording.entries]

    assert {1: 2} == {turn: live for turn, live in other.turns.items() if turn}
    assert [("r2", 1)] == [(event.response_id, event.turn) for event in events if isinstance(event, ResponseCreated)]
    assert [("r2", 1)] == [(event.response_id, event.turn) for event in events if isinstance(event, ResponseDone)]


def test_answers_come_as_long_after_their_questions_as_they_did(tmp_path: Path) -> None:
    found = changed(twice(), tmp_path, turn=SLOW)

    shifts = [
        (
            round((new.requested_at - old.requested_at) * 1000),
            round(((new.audible_from or 0) - (old.audible_from or 0)) * 1000),
        )
        for old, new in zip(found.live.replies, found.changed.replies, strict=True)
    ]
    assert [(300, 300), (300, 300)] == shifts
    assert [ReplyFate.HEARD, ReplyFate.CUT] == [reply.fate for reply in found.changed.replies]
    assert () == found.notes


def test_utterance_that_breaks_in_two_keeps_one_answer_and_gives_none_away(tmp_path: Path) -> None:
    recording = recording_of(paused(), tmp_path)
    other = what_if(recording, hasty(recording.config))
    utterances = account_of(other.recording).utterances

    assert ["כן, ועוד דבר", None, "ומה עם שישי?"] == [utterance.transcript for utterance in utterances]
    assert [Fate.ACCEPTED] * 3 == [utterance.fate for utterance in utterances]
    assert ["i1", "unknown-commit2", "i2"] == [utterance.item_id for utterance in utterances]
    assert ("The utterance that is complete at 3.20 s was not transcribed in the live call.",) == other.notes


def test_items_are_named_in_the_order_of_the_commits(tmp_path: Path) -> None:
    recording = recording_of(paused(), tmp_path)
    other = what_if(recording, hasty(recording.config))
    events = [entry.what for entry in other.recording.entries]

    named = [event.item_id for event in events if isinstance(event, AudioCommitted)]
    assert ["i1", "i2"] == [event.item_id for event in events if isinstance(event, TranscriptCompleted)]
    assert (3, {"i1", "i2"}) == (len(named), {name for name in named if not name.startswith("unknown")})


def test_time_never_runs_back(tmp_path: Path) -> None:
    recording = recording_of(barged_in(), tmp_path)
    for config in (evolve(recording.config, turn=SLOW), evolve(recording.config, turn=TurnConfig(grace_ms=2000))):
        times = [entry.what.at for entry in what_if(recording, config).recording.entries]  # type: ignore[union-attr]
        assert sorted(times) == times


# Interruptions


def test_reply_that_is_not_cut_any_more_is_heard_to_its_end(tmp_path: Path) -> None:
    found = changed(barged_in(), tmp_path, turn=TurnConfig(grace_ms=1500))

    (reply,) = found.changed.replies
    assert (ReplyFate.HEARD, 3000) == (reply.fate, reply.heard_ms)
    assert found.live.replies[0].fate is ReplyFate.BARGED_IN
    assert {"barge-ins gone": 1, "utterances gone": 1, "replies not cut any more": 1, "replies gone": 1} == {
        kind: count for kind, count in kinds(found).items() if not kind.startswith("frames")
    }


def test_echo_of_a_mark_that_was_cleared_comes_when_it_would_have_been_played(tmp_path: Path) -> None:
    recording = recording_of(barged_in(), tmp_path)
    other = what_if(recording, evolve(recording.config, turn=TurnConfig(grace_ms=1500)))
    (began,) = (entry.what.at for entry in other.recording.entries if isinstance(entry.what, ResponseCreated))
    echoes = [entry.what.at for entry in other.recording.entries if isinstance(entry.what, PlaybackMarked)]

    assert 15 == len(echoes)
    assert pytest.approx([began + 0.2 * mark for mark in range(1, 16)], abs=0.021) == echoes


def test_reply_that_is_cut_now_is_cut_where_the_sound_is(tmp_path: Path) -> None:
    found = changed(coughed(), tmp_path, turn=TurnConfig(grace_ms=0))

    (barge_in,) = found.changed.barge_ins
    (change,) = (change for change in found.changes if change.kind == "barge-ins new")
    assert (LOUD, 150.0) == (barge_in.rms, barge_in.limit_rms)
    at = f"{barge_in.at - found.live.started_at:.2f} s"
    assert f"{at}, rms 1000.0, limit 150.0, confirmed by voice after 100 ms" == change.text
    assert 1 == kinds(found)["replies cut"]


def test_call_goes_on_where_nobody_knows_the_answer(tmp_path: Path) -> None:
    """The cough is a real interruption now, which nobody transcribed and no reply was made to."""
    found = changed(coughed(280), tmp_path, turn=TurnConfig(grace_ms=0))

    assert "hangup" == found.changed.end.reason
    assert ["שלום, מתי אתם פתוחים?", None, "תודה רבה"] == [u.transcript for u in found.changed.utterances]
    assert (ReplyFate.HEARD, 1400) == (found.changed.replies[-1].fate, found.changed.replies[-1].heard_ms)
    assert [True, True] == [
        found.notes[0].startswith("The utterance that is complete at "),
        found.notes[1].startswith("What the model would have said, asked at "),
    ]


def of_kind(found: Difference, words: str) -> list[str]:
    """What the changes of a kind say of themselves."""
    return [change.text for change in found.changes if change.kind == words]


def test_stop_that_goes_on_and_is_confirmed_now(tmp_path: Path) -> None:
    found = changed(gone_on(), tmp_path, turn=TurnConfig(confirm_voiced_ms=0))

    assert ["3.82 s, not confirmed, gone on after 600 ms -> confirmed by voice at once"] == of_kind(
        found, "barge-ins confirmed now"
    )
    assert [ReplyFate.HEARD, ReplyFate.BARGED_IN] == [a.replies[0].fate for a in (found.live, found.changed)]
    assert 1 == kinds(found)["replies cut"]


def test_stop_that_is_confirmed_and_goes_on_now(tmp_path: Path) -> None:
    found = changed(barged_in(), tmp_path, turn=TurnConfig(confirm_voiced_ms=700))

    assert ["3.62 s, confirmed by voice after 100 ms -> confirmed by words after 800 ms"] == of_kind(
        found, "barge-ins settled otherwise"
    )


def test_stop_that_is_waited_for_otherwise(tmp_path: Path) -> None:
    found = changed(gone_on(), tmp_path, turn=TurnConfig(confirm_ms=300))

    assert ["3.82 s, not confirmed, gone on after 600 ms -> not confirmed, gone on after 300 ms"] == of_kind(
        found, "barge-ins settled otherwise"
    )


def test_stop_that_vanishes_leaves_a_reply_that_needs_no_rest(tmp_path: Path) -> None:
    found = changed(continued(), tmp_path, turn=TurnConfig(grace_ms=1500))

    assert 1 == kinds(found)["barge-ins gone"]
    assert ["The model's answer to “שלום, מתי אתם פתוחים?”, from 5.70 s on, has no place in this call."] == list(
        found.notes
    )


def test_rest_of_a_reply_is_given_to_no_other_request(tmp_path: Path) -> None:
    """The click that stopped the live call is held back here; what was said a second later asks for a reply of its own."""
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.said("שלום, מתי אתם פתוחים?")
    call.openai.begins()
    call.openai.speaks(1000)
    call.twilio.plays(600)
    call.caller.whispers(40)
    call.openai.finishes("cancelled")
    call.caller.silent(580)
    call.twilio.plays()
    call.openai.replies(200)
    call.twilio.plays()
    call.said("תודה")
    call.openai.replies(400)
    call.twilio.plays()
    found = changed(call.hangs_up(), tmp_path, turn=TurnConfig(grace_ms=1000))

    assert [200, 400] == [reply.generated_ms for reply in found.live.replies[1:]]
    assert [400] == [reply.generated_ms for reply in found.changed.replies[1:]]


def test_line_that_is_followed_no_more(tmp_path: Path, capsys: Output) -> None:
    path = noisy().write(tmp_path / "j")

    assert 0 == main([str(path), "--set", "gate.follow_factor=0"])
    assert [
        "changes of the line gone: 2",
        "    4.72 s, threshold 500.0, follows",
        "    8.30 s, threshold 150.0, restored",
    ] == capsys.readouterr().out.splitlines()[2:5]


def test_greeting_stays_a_greeting_however_much_later_it_comes(tmp_path: Path) -> None:
    call = RecordedDialogue(GREETING_BUSINESS)
    call.caller.silent(1500)
    call.openai.replies(600)
    call.twilio.plays()
    call.caller.silent(9000)
    found = changed(call.hangs_up(), tmp_path, gate=GateConfig(calibration_ms=5000))

    (greeting,) = found.changed.replies
    assert (ReplyFate.HEARD, 600, 5.0) == (greeting.fate, greeting.heard_ms, greeting.requested_at)
    assert () == found.notes


def test_recording_that_greets_is_the_same_reply(tmp_path: Path) -> None:
    call = RecordedDialogue(GREETING_BUSINESS, clip_ms=500)
    call.caller.silent(9000)
    path = call.hangs_up().write(tmp_path / "j")
    recording = read_journal(path)
    found = difference(recording, evolve(recording.config, gate=GateConfig(calibration_ms=3000)))

    assert {"replies changed": 1} == {kind: count for kind, count in kinds(found).items() if kind.startswith("repl")}


# The difference in words


def test_difference_is_told(tmp_path: Path, capsys: Output) -> None:
    path = twice().write(tmp_path / "j")

    assert 0 == main([str(path), "--set", "gate.threshold_margin=500", "--set", "gate.max_threshold=600"])
    lines = capsys.readouterr().out.splitlines()
    assert ["CA1, 7.7 s, ended by hangup", "threshold: 150.0 -> 590.0", "frames passed -> dropped: 50"] == lines[:3]
    assert lines[3:] == [
        "    1.52–2.50 s, 50, rms 90.0–400.0",
        "utterances gone: 1",
        "    1.52–2.00 s, 500 ms, accepted “שאלה חלשה”",
        "replies gone: 1",
        "    reply of 1000 ms, heard from 2.90 s, 1000 ms heard: heard to its end",
        "frames sent to the model: 65",
        "    130 -> 65",
        "of the peers' answers:",
        "    The transcript “שאלה חלשה”, at 2.80 s, has no place in this call.",
        "    The model's answer to “שאלה חלשה”, from 2.90 s on, has no place in this call.",
    ]


def test_frames_that_pass_now_are_told_in_stretches(tmp_path: Path) -> None:
    call = RecordedDialogue()
    call.caller.silent(1500)
    for rms in (120.0, 130.0):
        call.caller.hums(200, rms)
        call.caller.silent(1500)
    gate = GateConfig(threshold_margin=20.0, hangover_ms=100)
    found = changed(call.hangs_up(), tmp_path, gate=gate)

    assert [change.text for change in found.changes if change.kind == "frames dropped -> passed"] == [
        "1.52–1.80 s, 15, rms 90.0–120.0",
        "3.22–3.50 s, 15, rms 90.0–130.0",
    ]
    assert (QUIET + 60, QUIET + 20) == (found.live.threshold_rms, found.changed.threshold_rms)


def test_utterance_of_another_length_is_told_as_it_was_and_as_it_is(tmp_path: Path) -> None:
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.caller.hums(200, WEAK)
    call.said("שלום")
    found = changed(call.hangs_up(), tmp_path, gate=DEAF)

    (text,) = (change.text for change in found.changes if change.kind == "utterances changed")
    assert "1.52–2.20 s, 700 ms, accepted “שלום” -> 1.72–2.20 s, 500 ms, accepted “שלום”" == text


def test_keys_of_the_shell_are_said_to_be_so(tmp_path: Path, capsys: Output) -> None:
    path = answered().write(tmp_path / "j")

    assert 0 == main([str(path), "--set", "max_call_s=2"])
    lines = capsys.readouterr().out.splitlines()
    assert ("max_call_s is the shell's: a replay does not show what it does.", "Nothing changes.") == (
        lines[0],
        lines[-1],
    )


def test_several_calls_give_the_totals_and_those_that_change(tmp_path: Path, capsys: Output) -> None:
    paths = [
        str(twice().write(tmp_path / "1", call_sid="CA1")),
        str(answered().write(tmp_path / "2", call_sid="CA2")),
        str(twice().write(tmp_path / "3", call_sid="CA3")),
    ]

    assert 0 == main([*paths, "--set", "gate.threshold_margin=500", "--set", "gate.max_threshold=600"])
    counts = "threshold 150.0 -> 590.0; frames passed -> dropped: 50; utterances gone: 1; replies gone: 1"
    counts += "; frames sent to the model: 65"
    assert capsys.readouterr().out.splitlines() == [
        "calls with another threshold: 3 of 3",
        "calls in which something else changes: 2",
        "frames passed -> dropped: 100",
        "utterances gone: 2",
        "replies gone: 2",
        "frames sent to the model: 130",
        f"    CA1: {counts}",
        f"    CA3: {counts}",
    ]


def test_several_calls_in_which_nothing_changes(tmp_path: Path, capsys: Output) -> None:
    path = str(answered().write(tmp_path / "1"))

    assert 0 == main([path, path, "--set", "turn.grace_ms=100"])
    assert "Nothing changes." == capsys.readouterr().out.splitlines()[-1]


def test_torn_journal_can_be_asked_too(tmp_path: Path) -> None:
    path = twice().write(tmp_path / "j")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-50]))
    recording = read_journal(path)

    assert kinds(difference(recording, Config(gate=DEAF)))["utterances gone"] == 1
