"""Whole calls over a Realtime connection that is lost and resumed, in every state."""

import pytest

from callfsm.effects import (
    AppendAudio,
    CancelResponse,
    ClearPlayback,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    PlayAudio,
)
from callfsm.states.base import State
from tests.calls import GREETING_BUSINESS
from tests.dialogue import Dialogue, answering, calibrated, greeted_by_the_caller

QUESTION = CreateItem("user", "שלום, מתי אתם פתוחים?")


def asked(call: Dialogue) -> list[int]:
    return [asked.turn for asked in call.did(CreateResponse)]


def to_realtime(call: Dialogue) -> list[Effect]:
    kinds = (AppendAudio, CommitAudio, CreateResponse, CreateItem, DeleteItem)
    return [effect for effect in call.effects if isinstance(effect, kinds)]


def test_lost_while_calibrating() -> None:
    call = Dialogue(GREETING_BUSINESS)
    call.caller.silent(500)
    call.openai.is_lost()
    call.caller.silent(1500)
    assert State.WAITING_FOR_USER is call.where()

    call.openai.is_ready()
    assert State.GREETING is call.where()


def test_lost_while_nobody_has_spoken() -> None:
    call = calibrated()
    call.openai.is_lost()
    call.openai.is_ready()

    assert State.WAITING_FOR_USER is call.where()
    assert [] == to_realtime(call)


def test_lost_while_the_greeting_is_awaited() -> None:
    call = calibrated(GREETING_BUSINESS)
    call.openai.begins()
    call.openai.is_lost()
    assert State.WAITING_FOR_USER is call.where()

    call.openai.is_ready()
    assert State.GREETING is call.where()
    assert [1, 2] == asked(call)


def test_lost_while_the_greeting_is_heard() -> None:
    call = calibrated(GREETING_BUSINESS)
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.is_lost()
    call.openai.is_ready()
    call.twilio.plays()
    call.caller.silent(5000)

    assert State.WAITING_FOR_USER is call.where()
    assert [1] == asked(call)


def test_lost_while_the_caller_speaks_sends_all_again_in_order() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.forget()
    call.caller.speaks(300)
    first = [sent.payload for sent in call.did(AppendAudio)]
    call.openai.is_lost()
    call.caller.speaks(300)
    assert first == [sent.payload for sent in call.did(AppendAudio)]

    call.forget()
    call.openai.is_ready()
    again = [sent.payload for sent in call.did(AppendAudio)]
    assert first == again[: len(first)]
    assert len(first) + 15 == len(again)

    call.caller.silent(600)
    assert 1 == len(call.did(CommitAudio))


def test_lost_while_an_utterance_is_unsettled() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.forget()
    call.caller.says(500)
    sent = call.did(AppendAudio)
    call.openai.names()
    call.openai.is_lost()
    call.caller.silent(5000)
    call.forget()
    call.openai.is_ready()
    assert [QUESTION, *sent, CommitAudio("commit4")] == call.effects

    call.openai.transcribes("ומה עם שישי?")
    assert [2] == asked(call)


def test_speech_without_a_session_is_committed_when_there_is_one() -> None:
    call = greeted_by_the_caller()
    call.openai.is_lost()
    call.forget()
    call.caller.says(500)
    call.caller.says(500)
    assert [] == to_realtime(call)

    call.openai.is_ready()
    assert [QUESTION] == call.did(CreateItem)
    assert 2 == len(call.did(CommitAudio))
    assert [] == call.did(CreateResponse)

    call.openai.transcribes("ראשון")
    call.openai.transcribes("שני")
    assert [2] == asked(call)


def test_more_than_30_s_without_a_session_keeps_the_newest() -> None:
    call = greeted_by_the_caller()
    call.openai.is_lost()
    call.forget()
    for _ in range(4):
        call.caller.says(9000)
    call.openai.is_ready()

    sent = [int(sent.payload[1:]) for sent in call.did(AppendAudio)]
    assert 1500 == len(sent)
    assert sorted(sent) == sent
    assert 4 == len(call.did(CommitAudio))


@pytest.mark.parametrize("begun", [0, 1])
def test_lost_while_a_reply_is_awaited(begun: int) -> None:
    call = greeted_by_the_caller()
    for _ in range(begun):
        call.openai.begins()
    call.openai.is_lost()
    assert State.LISTENING is call.where()

    call.forget()
    call.openai.is_ready()
    assert [QUESTION, CreateResponse("create3", 2, None)] == call.effects


def test_lost_while_first_audio_is_held_back() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.caller.speaks(80)
    call.openai.speaks(500)
    call.openai.is_lost()
    call.caller.silent(600)
    assert [] == call.did(PlayAudio)

    call.openai.is_ready()
    assert [1, 2] == asked(call)


def test_lost_while_the_reply_is_heard_and_generated() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.twilio.plays(400)
    call.openai.is_lost()
    call.openai.is_ready()
    assert [1] == asked(call)

    call.twilio.plays()
    assert [1, 2] == asked(call)
    assert State.LISTENING is call.where()


def test_lost_when_all_of_the_reply_was_generated() -> None:
    call = answering(1000)
    call.openai.is_lost()
    call.twilio.plays()
    call.openai.is_ready()

    assert State.LISTENING is call.where()
    assert [] == asked(call)


def test_the_new_session_is_told_the_turns_so_far() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words("אנחנו פתוחים עד חמש")
    call.openai.finishes()
    call.twilio.plays()
    call.openai.is_lost()
    call.forget()
    call.openai.is_ready()

    assert [QUESTION, CreateItem("assistant", "אנחנו פתוחים עד חמש")] == call.effects


def test_a_reply_being_heard_is_told_to_the_new_session() -> None:
    """The model must know what it is saying just now; else it says it twice, or contradicts it."""
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words("אנחנו פתוחים עד חמש")
    call.openai.finishes()
    call.twilio.plays(400)
    call.openai.is_lost()
    call.openai.is_ready()
    call.twilio.plays()

    assert "assistant" in [told.role for told in call.did(CreateItem)]


def test_the_words_of_a_reply_whose_marks_were_lost_are_remembered_whole() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words("אנחנו פתוחים עד חמש")
    call.openai.finishes()
    call.twilio.plays(echoing=False)
    call.caller.silent(1100)
    assert State.LISTENING is call.where()

    call.openai.is_lost()
    call.openai.is_ready()
    assert [QUESTION, CreateItem("assistant", "אנחנו פתוחים עד חמש")] == call.did(CreateItem)


def test_of_a_reply_that_was_cut_off_only_what_was_heard_is_told() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words("0123456789")
    call.openai.finishes()
    call.twilio.plays(500)
    call.caller.says(500)
    call.openai.is_lost()
    call.forget()
    call.openai.is_ready()

    assert CreateItem("assistant", "01234") == call.did(CreateItem)[-1]


def test_lost_while_cancelling() -> None:
    call = answering()
    call.caller.says(500)
    assert State.CANCELLING is call.where()

    call.openai.is_lost()
    assert State.LISTENING is call.where()

    call.openai.is_ready()
    call.openai.transcribes("עוד שאלה")
    assert [2] == asked(call)


def test_barge_in_without_a_session() -> None:
    call = answering(4000)
    call.openai.is_lost()
    call.forget()
    call.caller.says(500)
    assert [ClearPlayback()] == call.did(ClearPlayback)
    assert 1 == len(call.did(CancelResponse))
    assert [] == to_realtime(call)

    call.openai.is_ready()
    assert 1 == len(call.did(CommitAudio))

    call.openai.transcribes("עוד שאלה")
    call.caller.silent(1500)
    assert [2] == asked(call)


def test_lost_after_the_end() -> None:
    call = greeted_by_the_caller()
    call.caller.silent(20_000)
    call.forget()
    call.openai.is_lost()
    call.openai.is_ready()

    assert [] == call.effects


def test_commits_of_a_lost_session_are_not_waited_for() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(500)
    call.openai.is_lost()
    call.openai.is_ready()
    call.openai.transcribes("ומה עם שישי?")
    call.openai.replies(500)
    call.twilio.plays()
    call.caller.says(500)
    call.forget()
    call.openai.transcribes("תודה")

    assert [3] == asked(call)
