"""Whole calls whose transcripts fail or do not come, are made up or the assistant's own, or whose commits are refused."""

import pytest

from callfsm.effects import (
    INFO,
    AppendAudio,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    Log,
)
from callfsm.states.base import State
from tests.calls import LOUD
from tests.dialogue import Dialogue, answering, calibrated, greeted_by_the_caller

QUESTION = CreateItem("user", "שלום, מתי אתם פתוחים?")
ECHO = "[TRANSCRIPT FILTER] Echo of the assistant, ignoring"
MADE_UP = "[TRANSCRIPT FILTER] Known hallucination, ignoring"
GOES_ON = "[BARGE-IN] Not confirmed as speech – the assistant goes on"
THRESHOLD = 150.0
HOURS = "אנחנו פתוחים בכל יום מתשע עד חמש."
THANKS_FOR_WATCHING = "תודה שצפיתם."


def asked(call: Dialogue) -> list[int]:
    return [asked.turn for asked in call.did(CreateResponse)]


def to_realtime(call: Dialogue) -> list[Effect]:
    kinds = (AppendAudio, CommitAudio, CreateResponse, CreateItem, DeleteItem)
    return [effect for effect in call.effects if isinstance(effect, kinds)]


# Transcripts


def test_no_transcript_of_a_later_utterance_is_answered_all_the_same() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.forget()
    call.caller.says(300)
    call.openai.cannot_transcribe()

    assert [2] == asked(call)
    assert [] == call.did(DeleteItem)


def test_no_transcript_of_a_short_one_deletes_it() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.forget()
    call.caller.says(280)
    call.openai.cannot_transcribe()

    assert [] == asked(call)
    assert [DeleteItem("i2")] == call.did(DeleteItem)


def test_a_transcript_that_comes_after_3_s_is_ignored() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(500)
    call.openai.names()
    call.forget()
    call.caller.silent(2980)
    assert [] == asked(call)

    call.caller.silent(40)
    assert [2] == asked(call)

    call.openai.transcribes("סוף סוף")
    assert [2] == asked(call)
    assert [] == [line for line in call.did(Log) if "User said" in line.message]


def test_an_item_named_after_its_rejection_is_deleted() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(280)
    call.caller.silent(3020)
    assert [] == call.did(DeleteItem)

    call.openai.names()
    assert [DeleteItem("i2")] == call.did(DeleteItem)


# What models make up from near-silence


def answered() -> Dialogue:
    """A call whose first reply has been heard."""
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.forget()
    return call


def murmurs(call: Dialogue, ms: int, rms: float) -> None:
    """The caller says something so loud, and is silent."""
    call.caller.hums(ms, rms, voicing=1.0)
    call.caller.silent(600)


@pytest.mark.parametrize(
    ("ms", "rms", "is_heard"),
    [
        pytest.param(1000, 2 * THRESHOLD - 1, False, id="weak"),
        pytest.param(380, LOUD, False, id="short"),
        pytest.param(400, 2 * THRESHOLD, True, id="neither weak nor short"),
    ],
)
def test_a_made_up_phrase_is_believed_where_the_sound_was_strong_and_long(
    ms: int, rms: float, *, is_heard: bool
) -> None:
    call = answered()
    murmurs(call, ms, rms)
    call.openai.transcribes(THANKS_FOR_WATCHING)

    assert [MADE_UP] * (not is_heard) == [line for line in call.log(0) if "FILTER" in line]
    assert [DeleteItem("i2")] * (not is_heard) == call.did(DeleteItem)
    assert [2] * is_heard == asked(call)


@pytest.mark.parametrize("text", ["תודה", "תודה רבה", "תודה שצפיתם בי בחנות", "thanks"])
def test_thanks_are_heard_however_weak(text: str) -> None:
    call = answered()
    murmurs(call, 200, THRESHOLD)
    call.openai.transcribes(text)

    assert [2] == asked(call)
    assert [] == call.did(DeleteItem)


def test_a_made_up_phrase_is_no_first_utterance() -> None:
    call = calibrated()
    murmurs(call, 1000, 200.0)
    call.forget()
    call.openai.transcribes(THANKS_FOR_WATCHING)

    assert [MADE_UP] == call.log(0)
    assert [DeleteItem("i1")] == call.did(DeleteItem)
    assert State.WAITING_FOR_USER is call.where()


def test_a_noise_of_which_a_phrase_is_made_up_does_not_stop_the_assistant_who_has_gone_on() -> None:
    call = answering()
    call.caller.whispers(200)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(420)
    call.openai.transcribes(THANKS_FOR_WATCHING)
    call.twilio.plays()

    assert [DeleteItem("i2")] == call.did(DeleteItem)
    assert [] == asked(call)
    assert GOES_ON in call.log()
    assert State.LISTENING is call.where()


# What the assistant hears itself say


def saying_the_hours(*, is_whole: bool = True) -> Dialogue:
    """A reply of which 400 ms of 2 s were heard, and whose words are known; all, or as far as they have come."""
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(2000)
    call.openai.words(HOURS, is_whole=is_whole)
    call.openai.finishes()
    call.twilio.plays(400)
    call.forget()
    return call


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("text", ["אנחנו פתוחים", "אנחנו, פתוחים!", "אנחנו פתוחים בכל"])
def test_the_assistants_own_words_are_no_question_and_it_says_the_rest(text: str, *, is_whole: bool) -> None:
    """Its echo has a voice, and so it has been cut."""
    call = saying_the_hours(is_whole=is_whole)
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes(text)

    assert [ECHO] == [line for line in call.log(0) if "FILTER" in line]
    assert [DeleteItem("i2")] == call.did(DeleteItem)
    assert [2] == asked(call)
    assert [] == [line for line in call.log(INFO - 1) if "User said" in line]


@pytest.mark.parametrize("text", ["בכל", "פתוחים בשבת", "פתוחים בכל יום וגם בלילה"])
def test_one_word_or_words_of_ones_own_are_heard(text: str) -> None:
    call = saying_the_hours()
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes(text)

    assert [] == call.did(DeleteItem)
    assert f"User said: {text}" in call.log()


def test_a_faint_echo_does_not_stop_the_assistant_who_has_gone_on() -> None:
    call = saying_the_hours()
    call.caller.whispers(200)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(420)
    call.openai.transcribes("בכל יום")
    call.twilio.plays()

    assert [DeleteItem("i2")] == call.did(DeleteItem)
    assert [] == asked(call)
    assert GOES_ON in call.log()


def test_one_who_says_the_assistants_words_after_it_has_been_heard_is_answered() -> None:
    call = saying_the_hours()
    call.twilio.plays()
    call.caller.says(400)
    call.openai.transcribes("פתוחים בכל יום?")

    assert [] == call.did(DeleteItem)
    assert [2] == asked(call)


# Refused commits


def test_a_refused_commit_is_forgotten() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(500)
    call.openai.refuses("input_audio_buffer_commit_empty", "commit3")
    call.forget()
    call.caller.silent(5000)

    assert [] == to_realtime(call)
    assert State.LISTENING is call.where()


def test_a_refusal_that_comes_after_the_next_item_was_named() -> None:
    """The item that was matched with the refused commit belongs to the one behind it."""
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(500)
    call.caller.says(500)
    call.openai._unnamed.pop()
    call.openai.names()
    call.openai.refuses("input_audio_buffer_commit_empty", "commit3")
    call.forget()
    call.openai.transcribes("שני")

    assert [2] == asked(call)


def test_a_refusal_of_a_commit_that_was_named_all_the_same() -> None:
    """It contradicts itself; the call must live on."""
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(500)
    call.openai.names()
    call.openai.refuses("input_audio_buffer_commit_empty", "commit3")

    assert State.LISTENING is call.where()


# The order of commits


def test_items_are_those_of_our_commits_in_their_order() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(280)
    call.caller.says(500)
    call.forget()
    call.openai.cannot_transcribe()
    assert [DeleteItem("i2")] == call.did(DeleteItem)
    assert [] == asked(call)

    call.openai.cannot_transcribe()
    assert [2] == asked(call)


def test_the_item_of_a_rejected_utterance_is_named_before_that_of_the_next() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(280)
    call.caller.silent(1500)
    call.caller.says(500)
    call.caller.silent(700)
    call.forget()
    call.openai.names()
    assert [DeleteItem("i2")] == call.did(DeleteItem)

    call.openai._untranscribed.popleft()
    call.openai.transcribes("עוד שאלה")
    assert [2] == asked(call)


def test_words_that_the_caller_has_not_heard_yet_are_no_echo() -> None:
    """The very question that the reply is about to answer."""
    call = saying_the_hours()
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes("עד חמש?")

    assert [] == call.did(DeleteItem)
    assert "User said: עד חמש?" in call.log()
