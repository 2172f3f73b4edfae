"""Whole calls, up to the first answer: silence, the first words, the greeting, the first real utterance."""

import pytest
from attrs import evolve

from callfsm.config import Config
from callfsm.effects import (
    INFO,
    AppendAudio,
    ClearAudio,
    CommitAudio,
    CreateResponse,
    DeleteItem,
    EndCall,
    Log,
    PlayAudio,
)
from callfsm.events import CallEnded
from callfsm.states.base import State
from tests.calls import GREETED_WITH, GREETING_BUSINESS, SILENT_BUSINESS
from tests.dialogue import Dialogue, calibrated, greeted_by_the_caller

DETECTED = "[NLP] First real user utterance detected – has_real_user_utterance=True"
SKIPPED = "[REALTIME] Skipping AI response – no real user utterance yet"
TOO_SHORT = "[TRANSCRIPT FILTER] Too short, ignoring"
PUNCTUATION = "[TRANSCRIPT FILTER] Punctuation noise, ignoring"
CALIBRATED = "[VAD] Calibrated noise=90.0, speech_threshold=150.0"
EVERY = 0


def test_a_silent_call_says_nothing_and_asks_for_nothing() -> None:
    call = calibrated()
    call.caller.silent(60_000)

    assert State.WAITING_FOR_USER is call.where()
    assert [CALIBRATED] + ["[AUDIO GATE] Drop frame, rms=90.0 < 150.0"] * 3075 == call.log(EVERY)
    assert call.effects == call.did(Log)


def test_a_silent_call_with_a_greeting_is_greeted_and_no_more() -> None:
    call = calibrated(GREETING_BUSINESS)
    call.openai.replies(1000)
    call.twilio.plays()
    call.caller.silent(30_000)

    assert State.WAITING_FOR_USER is call.where()
    assert [CreateResponse("create1", 1, GREETED_WITH)] == call.did(CreateResponse)
    assert [CALIBRATED] == call.log()


def test_numbers_in_log_lines_have_one_decimal() -> None:
    call = Dialogue()
    call.caller.hums(1480, 92.25)
    call.caller.hums(20, 92.35)
    call.caller.hums(20, 80.0)

    assert "[VAD] Calibrated noise=92.3, speech_threshold=152.3" == call.log(EVERY)[0]
    assert "[AUDIO GATE] Drop frame, rms=92.2 < 152.3" == call.log(EVERY)[1]
    assert "[AUDIO GATE] Drop frame, rms=80.0 < 152.3" == call.log(EVERY)[-1]


def test_the_threshold_is_capped() -> None:
    call = Dialogue()
    call.caller.hums(1500, 119.9)

    assert "[VAD] Calibrated noise=119.9, speech_threshold=175.0" == call.log(INFO - 1)[0]


def test_a_loud_line_has_the_default_noise() -> None:
    call = Dialogue()
    call.caller.hums(1500, 120.0)

    assert "[VAD] Calibrated noise=100.0, speech_threshold=160.0" == call.log(INFO - 1)[0]


def test_the_caller_who_speaks_in_the_first_moment_is_heard() -> None:
    call = Dialogue()
    call.caller.silent(200)
    call.caller.speaks(800)
    call.caller.silent(480)
    assert [] == call.effects

    call.caller.silent(20)
    assert [f"f{number}" for number in range(1, 76)] == [sent.payload for sent in call.did(AppendAudio)]

    call.caller.silent(100)
    call.openai.transcribes("שלום, זה דחוף")
    assert [DETECTED, "User said: שלום, זה דחוף"] == call.log()[1:]
    assert 1 == len(call.did(CreateResponse))
    assert State.LISTENING is call.where()


def test_the_transcript_of_one_who_spoke_at_once_has_3_s_from_its_commit() -> None:
    call = Dialogue()
    call.caller.says(300)
    call.caller.silent(600)
    assert [CommitAudio("commit1")] == call.did(CommitAudio)
    assert pytest.approx(1.5 + 3.0) == call.call.deadline


def test_the_pre_roll_goes_out_once_and_in_order() -> None:
    call = calibrated()
    call.caller.silent(500)
    call.caller.says(200)

    assert [f"f{number}" for number in range(86, 86 + 15 + 10 + 25)] == [
        sent.payload for sent in call.did(AppendAudio)
    ]
    assert ["commit1"] == [commit.event_id for commit in call.did(CommitAudio)]


@pytest.mark.parametrize(
    ("text", "log"),
    [
        pytest.param("", [TOO_SHORT], id="nothing"),
        pytest.param(" a ", [TOO_SHORT], id="one character"),
        pytest.param("?!", [PUNCTUATION], id="two noise characters"),
        pytest.param("., ? !", [PUNCTUATION], id="noise characters"),
        pytest.param(" כן ", [SKIPPED], id="two characters"),
    ],
)
def test_what_is_no_first_utterance_leaves_no_trace(text: str, log: list[str]) -> None:
    call = calibrated()
    call.caller.says(500)
    call.forget()
    call.openai.transcribes(text)

    assert log == call.log(EVERY)
    assert [DeleteItem("i1")] == call.did(DeleteItem)
    assert [] == call.did(CreateResponse)
    assert State.WAITING_FOR_USER is call.where()


@pytest.mark.parametrize("text", ["הלו", "אני", "yes", "да?", "house"])
def test_three_characters_are_the_first_real_utterance(text: str) -> None:
    call = calibrated()
    call.caller.says(500)
    call.forget()
    call.openai.transcribes(f" {text}\n")

    assert [DETECTED, f"User said: {text}"] == call.log()
    assert [CreateResponse("create2", 1, None)] == call.did(CreateResponse)


def test_the_first_utterance_at_the_threshold_counts() -> None:
    call = calibrated()
    call.caller.hums(500, 150.0)
    call.caller.silent(600)
    call.openai.transcribes("שלום לך")

    assert State.LISTENING is call.where()


def test_the_first_utterance_below_the_threshold_does_not() -> None:
    """One frame of 149 between those of 150: over the loud frames alone the rule could never fail."""
    call = calibrated()
    call.caller.hums(240, 150.0)
    call.caller.hums(20, 149.0)
    call.caller.hums(240, 150.0)
    call.caller.silent(600)
    call.openai.transcribes("שלום לך")

    assert [SKIPPED] == call.log()[1:]
    assert [] == call.did(CreateResponse)


def test_the_silence_behind_the_last_loud_frame_does_not_count() -> None:
    call = calibrated()
    call.caller.hums(100, 150.0)
    call.caller.silent(600)
    call.openai.transcribes("שלום לך")

    assert State.LISTENING is call.where()


def test_a_first_utterance_without_a_transcript_is_not_answered() -> None:
    call = calibrated()
    call.caller.says(2000)
    call.openai.cannot_transcribe()

    assert [SKIPPED] == call.log()[1:]
    assert [DeleteItem("i1")] == call.did(DeleteItem)
    assert [] == call.did(CreateResponse)


def test_a_blip_is_no_utterance() -> None:
    call = calibrated()
    call.caller.says(80)

    assert [ClearAudio()] == call.did(ClearAudio)
    assert [] == call.did(CommitAudio)


def test_the_shortest_utterance() -> None:
    call = calibrated()
    call.caller.says(100)

    assert [] == call.did(ClearAudio)
    assert [CommitAudio("commit1")] == call.did(CommitAudio)


def test_a_turn_of_30_s_is_committed_without_a_pause() -> None:
    call = calibrated()
    call.caller.speaks(29_980)
    assert [] == call.did(CommitAudio)

    call.caller.speaks(20)
    assert [CommitAudio("commit1")] == call.did(CommitAudio)

    call.caller.says(1000)
    assert 2 == len(call.did(CommitAudio))
    assert 15 + 1500 + 50 + 25 == len(call.did(AppendAudio))


def test_noise_during_the_greeting_is_not_a_question() -> None:
    call = calibrated(GREETING_BUSINESS)
    call.openai.replies(3000)
    call.twilio.plays(1000)
    call.caller.says(80)
    call.openai.had_nothing_to_cancel()
    call.caller.says(400)
    call.openai.transcribes("...")
    call.caller.silent(5000)

    assert State.WAITING_FOR_USER is call.where()
    assert 1 == len(call.did(CreateResponse))
    assert not [line for line in call.log() if line.startswith("User said")]


def test_the_greeting_waits_for_the_session() -> None:
    call = Dialogue(GREETING_BUSINESS, ready=False)
    call.caller.silent(2000)
    assert [] == call.did(CreateResponse)

    call.openai.is_ready()
    assert 1 == len(call.did(CreateResponse))
    assert State.GREETING is call.where()


def test_one_who_speaks_before_the_greeting_is_answered_instead() -> None:
    call = Dialogue(GREETING_BUSINESS)
    call.caller.silent(800)
    call.caller.says(700)
    call.openai.transcribes("שלום, אני רוצה להזמין")

    assert [CreateResponse("create2", 1, None)] == call.did(CreateResponse)
    assert State.LISTENING is call.where()


def test_one_who_speaks_before_the_greeting_is_heard_is_answered_instead() -> None:
    call = calibrated(GREETING_BUSINESS)
    call.openai.begins()
    call.caller.says(700)
    call.openai.transcribes("שלום, אני רוצה להזמין")
    assert State.CANCELLING is call.where()

    call.openai.speaks(500)
    call.openai.finishes("cancelled")
    assert [] == call.did(PlayAudio)
    assert [None] == [asked.instructions for asked in call.did(CreateResponse)[1:]]
    assert State.LISTENING is call.where()


def test_a_greeting_interrupted_by_its_caller_before_it_is_heard_stays_owed() -> None:
    call = calibrated(GREETING_BUSINESS)
    call.openai.begins()
    call.caller.speaks(80)
    call.openai.speaks(500)
    call.openai.finishes("cancelled")
    assert State.WAITING_FOR_USER is call.where()

    call.caller.silent(600)
    assert State.GREETING is call.where()
    assert 2 == len(call.did(CreateResponse))


def test_a_greeting_of_which_anything_was_heard_is_not_owed() -> None:
    call = calibrated(GREETING_BUSINESS)
    call.openai.replies(3000)
    call.twilio.plays(500)
    call.caller.says(80)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(5000)

    assert 1 == len(call.did(CreateResponse))


def test_a_greeting_that_fails_is_requested_once_more() -> None:
    call = calibrated(GREETING_BUSINESS)
    for _ in range(2):
        call.openai.begins()
        call.openai.finishes("failed")
    call.caller.silent(60_000)

    assert 2 == len(call.did(CreateResponse))
    assert State.WAITING_FOR_USER is call.where()


def test_a_call_whose_greeting_failed_twice_goes_on() -> None:
    call = calibrated(GREETING_BUSINESS)
    for _ in range(2):
        call.caller.silent(8020)
        call.caller.silent(1520)
    call.caller.says(500)
    call.openai.transcribes("שלום לך")

    assert 3 == len(call.did(CreateResponse))
    assert State.LISTENING is call.where()


def test_the_greeting_is_off_by_default() -> None:
    call = calibrated(evolve(SILENT_BUSINESS, name="אחר"), Config())
    call.caller.silent(10_000)

    assert [] == call.did(CreateResponse)


def test_a_call_that_ends_is_closed_once() -> None:
    call = greeted_by_the_caller()
    call.feed(CallEnded(call.now, "hung_up"))
    call.feed(CallEnded(call.now, "again"))
    call.caller.says(500)

    assert [EndCall("hung_up")] == call.did(EndCall)
    assert State.ENDED is call.where()


def test_nothing_goes_out_before_the_session_is_ready() -> None:
    call = Dialogue(ready=False)
    call.caller.silent(1500)
    call.caller.says(500)
    call.caller.says(500)
    call.caller.speaks(100)
    assert call.effects == call.did(Log)

    call.forget()
    call.openai.is_ready()
    kinds = "".join("C" if isinstance(effect, CommitAudio) else "a" for effect in call.effects)
    # 300 ms of pre-roll, 500 ms, the hangover; the next has the 5 frames behind the hangover for its pre-roll
    assert "a" * 65 + "C" + "a" * 55 + "C" + "a" * 10 == kinds
    numbers = [int(sent.payload[1:]) for sent in call.did(AppendAudio)]
    assert sorted(numbers) == numbers
