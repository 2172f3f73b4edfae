"""Whole calls whose transcripts fail or do not come, or whose commits are refused."""

from callfsm.effects import (
    AppendAudio,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    Log,
)
from callfsm.states.base import State
from tests.dialogue import Dialogue, greeted_by_the_caller

QUESTION = CreateItem("user", "שלום, מתי אתם פתוחים?")


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
