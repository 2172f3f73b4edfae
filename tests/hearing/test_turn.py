"""The caller's utterances: what they consist of, how long they are, and which are unsettled."""

import math

import pytest

from callfsm.hearing.turn import RING_FRAMES, Turn, TurnPhase, Utterance


def spoken(turn: Turn, *audio: str) -> Utterance:
    """The caller says something and stops."""
    utterance = turn.speech_started(150.0)
    utterance.audio.extend(audio)
    utterance.hear(400.0, loud=True)
    return turn.commit()


def test_the_loudness_is_over_all_frames_from_the_first_loud_one_to_the_last() -> None:
    utterance = Utterance()
    for rms, loud in ((400.0, True), (100.0, False), (200.0, True), (50.0, False), (50.0, False)):
        utterance.hear(rms, loud=loud)

    assert math.sqrt((400**2 + 100**2 + 200**2) / 3) == utterance.rms


def test_the_loudness_of_one_frame() -> None:
    utterance = Utterance()
    utterance.hear(150.0, loud=True)

    assert 150.0 == utterance.rms


def test_what_is_loud_and_what_is_quiet() -> None:
    utterance = Utterance()
    for loud in (True, False, True, False, False, False):
        utterance.hear(200.0, loud=loud)

    assert (40, 60) == (utterance.loud_ms, utterance.quiet_ms)


def test_an_utterance_knows_the_threshold_that_it_began_with() -> None:
    turn = Turn()

    assert 240.0 == turn.speech_started(240.0).threshold_rms


def test_only_a_loud_frame_can_be_voiced() -> None:
    utterance = Utterance()
    for loud, voiced in ((True, True), (True, False), (False, True), (True, True)):
        utterance.hear(200.0, loud=loud, voiced=voiced)

    assert (3, 2) == (utterance.loud_frames, utterance.voiced_frames)


def test_an_utterance_is_neither_an_interruption_nor_doubted_by_itself() -> None:
    utterance = Turn().speech_started(150.0)

    assert (False, False, 0) == (utterance.interrupts, utterance.is_doubted, utterance.voiced_frames)


def test_an_utterance_opens_and_is_committed() -> None:
    turn = Turn()
    utterance = turn.speech_started(150.0)
    assert (TurnPhase.SPEAKING, utterance) == (turn.phase, turn.open)

    assert utterance is turn.commit()
    assert (TurnPhase.UNSETTLED, None, [utterance]) == (turn.phase, turn.open, list(turn.unsettled))


def test_a_blip_is_forgotten() -> None:
    turn = Turn()
    turn.speech_started(150.0)
    turn.drop()

    assert (TurnPhase.SILENT, None) == (turn.phase, turn.open)


def test_a_blip_after_an_unsettled_utterance() -> None:
    turn = Turn()
    earlier = spoken(turn)
    turn.speech_started(150.0)
    turn.drop()

    assert (TurnPhase.UNSETTLED, [earlier]) == (turn.phase, list(turn.unsettled))


def test_the_last_verdict_makes_the_turn_silent() -> None:
    turn = Turn()
    first, second = spoken(turn, "a"), spoken(turn, "b")
    turn.settle(second, rejected=True)
    assert (TurnPhase.UNSETTLED, [first], True) == (turn.phase, list(turn.unsettled), second.rejected)

    turn.settle(first, rejected=False)
    assert (TurnPhase.SILENT, [], False) == (turn.phase, list(turn.unsettled), first.rejected)
    assert [] == [*first.audio, *second.audio]


def test_a_verdict_while_the_caller_goes_on() -> None:
    turn = Turn()
    first = spoken(turn)
    turn.speech_started(150.0)
    turn.settle(first, rejected=False)

    assert TurnPhase.SPEAKING is turn.phase


def test_the_oldest_transcript_is_given_up_first() -> None:
    turn = Turn()
    assert math.inf == turn.deadline

    spoken(turn).deadline = 5.0
    spoken(turn).deadline = 7.0
    assert 5.0 == turn.deadline


def test_an_utterance_is_found_by_its_item() -> None:
    turn = Turn()
    first, second = spoken(turn), spoken(turn)
    first.item_id, second.item_id = "i1", "i2"

    assert [first, second, None] == [turn.unsettled_item(item_id) for item_id in ("i1", "i2", "i3")]


def test_an_utterance_that_is_not_there_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        _ = Turn().utterance


def test_the_ring_holds_the_newest_30_s() -> None:
    turn = Turn()
    oldest, older = spoken(turn, *["a"] * 20), spoken(turn, *["b"] * 20)
    newest = turn.speech_started(150.0)
    newest.audio.extend("c" * (RING_FRAMES - 30))
    turn.trim()
    assert (10, 20, 1470) == (len(oldest.audio), len(older.audio), len(newest.audio))

    newest.audio.extend("c" * 30)
    turn.trim()
    assert (0, 0, 1500) == (len(oldest.audio), len(older.audio), len(newest.audio))


def test_the_ring_holds_30_s() -> None:
    assert 30_000 == RING_FRAMES * 20
