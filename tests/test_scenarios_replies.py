"""Whole calls whose replies fail, are in the way of one another, or are not in Hebrew."""

from callfsm.effects import (
    WARNING,
    CreateResponse,
    EndCall,
)
from callfsm.events import TimerFired
from callfsm.speaking.prompts import CRITICAL_RULES
from callfsm.states.base import State
from tests.dialogue import greeted_by_the_caller


def test_a_reply_that_fails_twice_ends_the_call() -> None:
    call = greeted_by_the_caller()
    call.caller.silent(8020)
    assert State.CANCELLING is call.where()

    call.caller.silent(1500)
    assert State.LISTENING is call.where()
    assert 2 == len(call.did(CreateResponse))

    call.caller.silent(8020)
    assert State.ENDED is call.where()
    assert [EndCall("reply_failed")] == call.did(EndCall)


def test_a_reply_that_is_heard_in_the_end_is_no_failure() -> None:
    call = greeted_by_the_caller()
    for _ in range(4):
        call.openai.begins()
        call.openai.finishes("failed")
        call.openai.replies(500)
        call.twilio.plays()
        call.caller.says(500)
        call.openai.transcribes("עוד שאלה")

    assert State.LISTENING is call.where()


def test_another_response_is_in_the_way() -> None:
    call = greeted_by_the_caller()
    call.openai.refuses("conversation_already_has_active_response", "create2")
    assert 1 == len(call.did(CreateResponse))

    call.openai.finishes(turn=99)
    assert [1, 2] == [asked.turn for asked in call.did(CreateResponse)]

    call.openai.replies(500)
    call.twilio.plays()
    assert State.LISTENING is call.where()


def test_a_reply_that_is_not_hebrew_is_followed_by_a_reminder() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(500)
    call.openai.words("We are open until five, שבת שלום")
    call.openai.finishes()
    assert ["[LANGUAGE] Reply is not Hebrew, share=0.28"] == call.log(WARNING - 1)

    call.twilio.plays()
    call.forget()
    for text in ("ומה עם שישי?", "תודה"):
        call.caller.says(500)
        call.openai.transcribes(text)
        call.openai.replies(500)
        call.twilio.plays()
    reminder, nothing = (asked.instructions for asked in call.did(CreateResponse))
    assert reminder is not None
    assert reminder.endswith(CRITICAL_RULES)
    assert nothing is None


def test_a_stale_timer_does_nothing() -> None:
    call = greeted_by_the_caller()
    call.forget()
    call.feed(TimerFired(call.now))

    assert [] == call.effects
    assert State.LISTENING is call.where()
