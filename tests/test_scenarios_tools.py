"""What the assistant does beside speaking, and keys that the caller presses, told as whole calls."""

import json
from collections.abc import Callable, Sequence

import pytest

from callfsm.effects import (
    AnswerTool,
    CallTool,
    CancelResponse,
    ClearPlayback,
    Count,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    EndCall,
)
from callfsm.events import RealtimeLost, ResponseDone
from callfsm.speaking.response import Owed
from callfsm.states.base import State
from callfsm.states.tools import MOST_DIGITS, MOST_OPEN, STILL_TALKING, TOO_MANY_TOOLS, TOOL_FAILED, UNKNOWN_TOOL
from callfsm.wire.realtime import decode
from tests.calls import GREETING_BUSINESS, SILENT_BUSINESS, TOOL_BUSINESS
from tests.dialogue import Dialogue, calibrated, greeted_by_the_caller

FAREWELLS = pytest.mark.parametrize("farewell", ["hang_up", "transfer_call"])
KEYS = "הלקוח הקיש במקלדת הטלפון: {}"


def asked() -> Dialogue:
    """The caller has asked something; the reply has begun."""
    dialogue = greeted_by_the_caller(business=TOOL_BUSINESS)
    dialogue.openai.begins()
    dialogue.forget()
    return dialogue


def looking_up() -> Dialogue:
    """The reply was nothing but a function call, which is awaited."""
    dialogue = asked()
    dialogue.openai.calls("lookup")
    dialogue.openai.finishes()
    return dialogue


def saying_goodbye(farewell: str = "hang_up", heard_ms: int = 400) -> Dialogue:
    """A goodbye of 1 s is generated, and so much of it has been heard."""
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls(farewell)
    dialogue.openai.finishes()
    dialogue.twilio.plays(heard_ms)
    return dialogue


def told(dialogue: Dialogue) -> list[AnswerTool]:
    return dialogue.did(AnswerTool)


def requests(effects: Sequence[Effect]) -> int:
    return len([effect for effect in effects if isinstance(effect, CreateResponse)])


def strays(dialogue: Dialogue) -> int:
    return dialogue.did(Count).count(Count("stray_tool"))


# The farewell


@FAREWELLS
def test_the_call_ends_with_the_last_mark_of_the_goodbye(farewell: str) -> None:
    dialogue = saying_goodbye(farewell, heard_ms=980)
    assert dialogue.where() is State.AI_SPEAKING
    assert [] == dialogue.did(EndCall)

    dialogue.twilio.plays()

    assert dialogue.where() is State.ENDED
    assert [EndCall(farewell)] == dialogue.did(EndCall)
    assert [] == [*told(dialogue), *dialogue.did(ClearPlayback)]


@FAREWELLS
def test_the_call_ends_with_the_response_where_all_was_heard(farewell: str) -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.twilio.plays()
    dialogue.openai.calls(farewell)
    assert dialogue.where() is State.AI_SPEAKING

    assert [EndCall(farewell)] == dialogue.openai.finishes()
    assert dialogue.where() is State.ENDED


@FAREWELLS
def test_a_farewell_without_a_word_ends_the_call_at_once(farewell: str) -> None:
    dialogue = asked()
    assert [] == dialogue.openai.calls(farewell)

    assert [EndCall(farewell)] == dialogue.openai.finishes()
    assert dialogue.where() is State.ENDED


@FAREWELLS
def test_the_call_ends_a_second_after_the_goodbye_whose_marks_are_lost(farewell: str) -> None:
    dialogue = saying_goodbye(farewell, heard_ms=0)
    dialogue.caller.silent(1980)
    assert dialogue.where() is State.AI_SPEAKING

    dialogue.caller.silent(20)

    assert [ClearPlayback(), EndCall(farewell)] == [*dialogue.did(ClearPlayback), *dialogue.did(EndCall)]
    assert dialogue.where() is State.ENDED


def test_a_short_goodbye_that_is_heard_within_the_grace() -> None:
    dialogue = asked()
    dialogue.openai.speaks(200)
    dialogue.openai.calls("hang_up")
    dialogue.openai.finishes()
    dialogue.twilio.plays()

    assert [EndCall("hang_up")] == dialogue.did(EndCall)


def test_a_goodbye_that_was_held_back_for_a_click_is_heard_and_the_call_ends() -> None:
    dialogue = asked()
    dialogue.caller.speaks(80)
    dialogue.openai.speaks(500)
    dialogue.openai.calls("hang_up")
    dialogue.openai.finishes()
    dialogue.caller.silent(600)
    assert dialogue.where() is State.AI_GRACE
    dialogue.twilio.plays()

    assert [EndCall("hang_up")] == dialogue.did(EndCall)


@FAREWELLS
def test_a_caller_who_interrupts_the_goodbye_keeps_the_call(farewell: str) -> None:
    dialogue = saying_goodbye(farewell)
    dialogue.caller.says(500)
    assert dialogue.where() is State.CANCELLING
    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)

    dialogue.openai.had_nothing_to_cancel()
    effects = dialogue.openai.transcribes("רגע, עוד שאלה")
    assert 1 == requests(effects)
    dialogue.openai.replies(500)
    dialogue.twilio.plays()

    assert dialogue.where() is State.LISTENING
    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert [] == dialogue.did(EndCall)


@FAREWELLS
def test_a_click_in_the_goodbye_has_the_rest_of_it_said_and_the_call_ends(farewell: str) -> None:
    dialogue = saying_goodbye(farewell)
    dialogue.caller.clicks()
    dialogue.openai.had_nothing_to_cancel()
    assert State.AI_GRACE is dialogue.where()
    dialogue.twilio.plays()

    assert [EndCall(farewell)] == dialogue.did(EndCall)
    assert [] == [*told(dialogue), *dialogue.did(CreateResponse)]


def test_a_click_in_a_goodbye_that_was_not_all_generated_has_it_said_again() -> None:
    """What was cut off may have been the reason to stay."""
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("hang_up")
    dialogue.twilio.plays(400)
    dialogue.caller.clicks()
    dialogue.openai.finishes("cancelled")
    dialogue.twilio.plays()

    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert 1 == requests(dialogue.effects)
    assert [] == dialogue.did(EndCall)

    dialogue.openai.begins()
    dialogue.openai.speaks(500)
    dialogue.openai.calls("hang_up", "c2")
    dialogue.openai.finishes()
    dialogue.twilio.plays()
    assert [EndCall("hang_up")] == dialogue.did(EndCall)


@FAREWELLS
def test_a_caller_who_speaks_before_the_goodbye_is_heard_keeps_the_call(farewell: str) -> None:
    dialogue = asked()
    dialogue.openai.calls(farewell)
    dialogue.caller.speaks(200)
    dialogue.openai.speaks(1000)

    assert dialogue.where() is State.CANCELLING
    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert 1 == len(dialogue.did(CancelResponse))


@FAREWELLS
def test_a_caller_who_speaks_before_a_farewell_without_a_word_keeps_the_call(farewell: str) -> None:
    dialogue = asked()
    dialogue.caller.speaks(200)
    dialogue.openai.calls(farewell)
    dialogue.openai.finishes()
    assert dialogue.where() is State.LISTENING

    dialogue.caller.silent(600)
    effects = dialogue.openai.transcribes("ועוד משהו")

    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert 1 == requests(effects)


@FAREWELLS
def test_an_utterance_that_is_unsettled_when_the_goodbye_has_been_heard_keeps_the_call(farewell: str) -> None:
    dialogue = asked()
    dialogue.caller.says(500)
    dialogue.openai.speaks(500)
    dialogue.openai.calls(farewell)
    dialogue.openai.finishes()
    dialogue.twilio.plays()
    assert dialogue.where() is State.LISTENING

    effects = dialogue.openai.transcribes("רגע")

    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert 1 == requests(effects)
    assert [] == dialogue.did(EndCall)


def test_a_caller_who_spoke_before_the_goodbye_is_answered_though_it_has_been_heard() -> None:
    dialogue = asked()
    dialogue.caller.says(500)
    dialogue.openai.calls("hang_up")
    dialogue.openai.speaks(1000)
    dialogue.twilio.plays(400)
    dialogue.openai.transcribes("רגע, עוד שאלה")
    dialogue.openai.finishes()
    dialogue.twilio.plays()

    assert dialogue.where() is State.LISTENING
    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert 1 == requests(dialogue.effects)


@pytest.mark.parametrize("ms", [80, 200])
def test_a_sound_that_kept_the_call_and_proves_to_be_nobody_s_is_told_to_the_model(ms: int) -> None:
    dialogue = asked()
    dialogue.caller.speaks(ms)
    dialogue.openai.calls("hang_up")
    dialogue.openai.finishes()
    dialogue.caller.silent(600)
    if ms >= 100:
        dialogue.openai.transcribes("?!")

    assert dialogue.where() is State.ENDED or [AnswerTool("c1", STILL_TALKING)] == told(dialogue)


def test_a_goodbye_whose_response_never_ends_leaves_nobody_on_a_silent_line() -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("hang_up")
    dialogue.twilio.plays()
    dialogue.caller.silent(12_000)

    assert dialogue.where() is State.ENDED or told(dialogue)


def test_a_goodbye_that_was_generated_when_the_session_was_lost_ends_the_call() -> None:
    dialogue = saying_goodbye()
    dialogue.openai.is_lost()
    dialogue.twilio.plays()

    assert [EndCall("hang_up")] == dialogue.did(EndCall)


def test_a_new_session_is_told_nothing_of_a_farewell_that_it_did_not_bid() -> None:
    dialogue = asked()
    dialogue.openai.calls("hang_up")
    dialogue.openai.is_lost()
    effects = dialogue.openai.is_ready()

    assert 1 == requests(effects)
    assert [] == told(dialogue)


def test_there_is_nowhere_to_transfer_to() -> None:
    dialogue = greeted_by_the_caller(business=SILENT_BUSINESS)
    dialogue.openai.begins()
    assert [AnswerTool("c1", UNKNOWN_TOOL)] == dialogue.openai.calls("transfer_call")

    assert 1 == requests(dialogue.openai.finishes())
    assert dialogue.where() is State.LISTENING


# Functions of the business


def test_a_function_answers_and_one_reply_is_requested() -> None:
    dialogue = looking_up()
    assert [CallTool("c1", "lookup", "{}")] == dialogue.did(CallTool)
    dialogue.caller.silent(3000)
    assert 0 == requests(dialogue.effects)

    effects = dialogue.answers(output='{"order":7}')

    assert [AnswerTool("c1", '{"order":7}')] == effects[:1]
    assert 1 == requests(effects)
    dialogue.openai.replies(500)
    dialogue.twilio.plays()
    assert 1 == requests(dialogue.effects)
    assert dialogue.where() is State.LISTENING


def test_a_function_that_answers_while_its_reply_is_heard() -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("lookup")
    dialogue.openai.finishes()
    dialogue.twilio.plays(400)
    assert [AnswerTool("c1", '{"found":1}')] == dialogue.answers()

    effects = dialogue.twilio.plays()

    assert 1 == requests(effects)
    assert [] == dialogue.did(ClearPlayback)


def test_two_functions_of_one_response_and_one_reply_after_both() -> None:
    dialogue = asked()
    dialogue.openai.calls("lookup", "c1")
    dialogue.openai.calls("lookup", "c2")
    dialogue.openai.finishes()
    assert 0 == requests(dialogue.answers("c2"))
    assert 1 == requests(dialogue.answers("c1"))
    assert ["c2", "c1"] == [answer.call_id for answer in told(dialogue)]


def test_a_function_that_does_not_answer_is_told_to_the_model_and_its_answer_comes_too_late() -> None:
    dialogue = looking_up()
    dialogue.caller.silent(4980)
    assert [] == told(dialogue)

    effects = dialogue.caller.silent(20)

    assert [AnswerTool("c1", TOOL_FAILED)] == told(dialogue)
    assert 1 == requests(effects)
    assert [Count("stray_tool")] == dialogue.answers()


def test_two_functions_that_do_not_answer_and_one_reply_after_both() -> None:
    dialogue = asked()
    dialogue.openai.calls("lookup", "c1")
    dialogue.openai.calls("lookup", "c2")
    dialogue.openai.finishes()
    effects = dialogue.caller.silent(5000)

    assert [AnswerTool("c1", TOOL_FAILED), AnswerTool("c2", TOOL_FAILED)] == told(dialogue)
    assert 1 == requests(effects)
    assert isinstance(effects[-2], CreateResponse)


def test_a_function_whose_name_is_unknown() -> None:
    dialogue = asked()
    assert [AnswerTool("c1", UNKNOWN_TOOL)] == dialogue.openai.calls("order_pizza")
    assert 1 == requests(dialogue.openai.finishes())


def test_replies_that_are_function_calls_are_no_failures() -> None:
    dialogue = asked()
    for number in range(5):
        dialogue.openai.calls("lookup", f"c{number}")
        dialogue.openai.finishes()
        dialogue.answers(f"c{number}")
        dialogue.openai.begins()

    assert dialogue.where() is State.LISTENING
    assert 0 == dialogue.call.response.failures


def test_a_caller_who_speaks_while_a_function_is_awaited_gets_one_reply_to_all() -> None:
    dialogue = looking_up()
    dialogue.caller.says(500)
    assert 0 == requests(dialogue.openai.transcribes("את יודעת מה"))
    assert 1 == requests(dialogue.answers())


def test_a_function_that_answers_while_the_caller_speaks() -> None:
    dialogue = looking_up()
    dialogue.caller.speaks(500)
    assert [AnswerTool("c1", '{"found":1}')] == dialogue.answers()
    dialogue.caller.silent(600)
    assert 1 == requests(dialogue.openai.transcribes("עוד משהו"))


def test_a_caller_who_interrupts_while_a_function_is_awaited() -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("lookup")
    dialogue.twilio.plays(400)
    dialogue.caller.says(500)
    dialogue.openai.finishes("cancelled")
    assert 0 == requests(dialogue.openai.transcribes("רגע"))
    assert 1 == requests(dialogue.answers())


def test_a_function_call_that_will_be_answered_stays_in_the_conversation() -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("lookup")
    dialogue.twilio.plays(400)
    dialogue.caller.speaks(200)
    output = [{"id": "a1", "type": "message"}, {"id": "f1", "type": "function_call", "call_id": "c1"}]
    response = {"id": "r1", "status": "cancelled", "metadata": {"turn": "1"}, "output": output}
    done = decode(json.dumps({"type": "response.done", "response": response}), dialogue.now)
    assert isinstance(done, ResponseDone)
    dialogue.feed(done)

    assert [AnswerTool("c1", '{"found":1}')] == dialogue.answers()
    assert DeleteItem("f1") not in dialogue.did(DeleteItem)


@pytest.mark.parametrize("over", [False, True])
def test_a_lost_session_forgets_its_functions_and_owes_the_reply(over: bool) -> None:
    dialogue = asked()
    dialogue.openai.calls("lookup")
    if over:
        dialogue.openai.finishes()
    dialogue.openai.is_lost()
    assert [Count("stray_tool")] == dialogue.answers()

    assert 1 == requests(dialogue.openai.is_ready())
    assert [] == told(dialogue)


@pytest.mark.parametrize("over", [False, True])
def test_a_session_that_is_lost_after_an_interruption_with_a_function_awaited(over: bool) -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("lookup")
    dialogue.twilio.plays(400)
    dialogue.caller.speaks(200)
    if over:
        dialogue.openai.finishes("cancelled")
    dialogue.feed(RealtimeLost(dialogue.now))

    assert {} == dialogue.call.tools
    assert dialogue.call.response.owed is Owed.REPLY


def test_only_the_reply_that_is_being_generated_may_call() -> None:
    greeting = calibrated(GREETING_BUSINESS)
    greeting.openai.begins()
    greeting.openai.speaks(500)
    assert [Count("stray_tool")] == greeting.openai.calls("hang_up")
    assert "" == greeting.call.farewell

    late = asked()
    late.openai.finishes("failed")
    late.openai.begins()
    assert [Count("stray_tool")] == late.openai.calls("lookup", turn=1)
    assert {} == late.call.tools


def test_a_reply_that_is_over_calls_nothing() -> None:
    dialogue = asked()
    dialogue.openai.speaks(500)
    dialogue.openai.finishes()
    dialogue.openai.calls("hang_up")
    dialogue.twilio.plays()

    assert 1 == strays(dialogue)
    assert dialogue.where() is State.LISTENING


# Keys


def test_keys_are_told_when_no_other_follows() -> None:
    dialogue = greeted_by_the_caller()
    dialogue.openai.replies(500)
    dialogue.twilio.plays()
    dialogue.forget()
    dialogue.caller.presses("123#", pause_ms=1980)
    assert [] == dialogue.did(CreateItem)

    effects = dialogue.caller.silent(20)

    assert [CreateItem("user", KEYS.format("123#"))] == dialogue.did(CreateItem)
    assert 1 == requests(effects)
    assert ("user", KEYS.format("123#")) == dialogue.call.history[-1]


def test_keys_before_anybody_spoke_are_told_and_nothing_is_requested() -> None:
    dialogue = calibrated()
    dialogue.caller.presses("12")
    dialogue.caller.silent(3000)

    assert [CreateItem("user", KEYS.format("12"))] == dialogue.did(CreateItem)
    assert 0 == requests(dialogue.effects)
    assert dialogue.where() is State.WAITING_FOR_USER


def test_keys_before_there_is_a_session_are_told_when_there_is_one() -> None:
    dialogue = Dialogue(ready=False)
    dialogue.caller.presses("12")
    dialogue.caller.silent(3000)
    assert [] == dialogue.did(CreateItem)

    assert [CreateItem("user", KEYS.format("12"))] == dialogue.openai.is_ready()


def test_keys_that_are_being_pressed_when_the_session_becomes_ready_are_told_once() -> None:
    dialogue = Dialogue(ready=False)
    dialogue.caller.presses("12")
    dialogue.openai.is_ready()
    dialogue.caller.silent(3000)

    assert [CreateItem("user", KEYS.format("12"))] == dialogue.did(CreateItem)


def test_keys_cancel_a_reply_that_nobody_has_heard() -> None:
    dialogue = asked()
    dialogue.caller.presses("5")
    effects = dialogue.caller.silent(1500)
    assert dialogue.where() is State.CANCELLING
    assert [CreateItem, CancelResponse] == [
        type(effect) for effect in effects if isinstance(effect, CreateItem | CancelResponse)
    ]

    assert 1 == requests(dialogue.openai.finishes("cancelled"))


def test_keys_pressed_while_the_assistant_speaks_are_answered_when_it_has_been_heard() -> None:
    dialogue = asked()
    dialogue.openai.speaks(5000)
    dialogue.openai.finishes()
    dialogue.caller.presses("5")
    effects = dialogue.twilio.plays()

    assert [CreateItem("user", KEYS.format("5"))] == dialogue.did(CreateItem)
    assert [] == dialogue.did(ClearPlayback)
    assert 1 == requests(effects)


def test_keys_and_words_get_one_answer() -> None:
    dialogue = greeted_by_the_caller()
    dialogue.openai.replies(500)
    dialogue.twilio.plays()
    dialogue.forget()
    dialogue.caller.presses("5", pause_ms=1000)
    dialogue.caller.says(1000)
    assert 0 == requests(dialogue.effects)

    assert 1 == requests(dialogue.openai.transcribes("הקשתי חמש"))


def test_keys_pressed_while_a_function_is_awaited_get_no_answer_of_their_own() -> None:
    dialogue = looking_up()
    dialogue.caller.presses("5")
    dialogue.caller.silent(2000)
    assert 0 == requests(dialogue.effects)

    assert 1 == requests(dialogue.answers())


@FAREWELLS
def test_a_sound_that_keeps_the_assistant_from_leaving_and_is_nobodys_has_the_caller_answered(farewell: str) -> None:
    """Else both would wait: the question was met with nothing but a goodbye that was not let."""
    dialogue = asked()
    dialogue.caller.speaks(40)
    dialogue.openai.calls(farewell)
    dialogue.openai.finishes()

    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)

    dialogue.caller.silent(600)

    assert [2] == [request.turn for request in dialogue.did(CreateResponse)]
    assert [] == dialogue.did(EndCall)


def _speaks_over_what_is_kept_back(dialogue: Dialogue) -> None:
    dialogue.caller.speaks(20)
    dialogue.openai.speaks(400)
    dialogue.caller.speaks(100)


def _speaks_before_the_first_audio(dialogue: Dialogue) -> None:
    dialogue.caller.speaks(120)
    dialogue.openai.speaks(400)


def _says_what_cannot_be_transcribed(dialogue: Dialogue) -> None:
    dialogue.caller.says(400)
    dialogue.openai.cannot_transcribe()


def _says_what_is_never_transcribed(dialogue: Dialogue) -> None:
    dialogue.caller.says(400)
    dialogue.openai.names()
    dialogue.caller.silent(3000)


def _presses_a_key(dialogue: Dialogue) -> None:
    dialogue.caller.presses("1", pause_ms=2000)


def _waits_for_audio_that_never_comes(dialogue: Dialogue) -> None:
    dialogue.caller.silent(8000)
    dialogue.openai.finishes("cancelled")


@pytest.mark.parametrize(
    "goes_on",
    [
        _speaks_over_what_is_kept_back,
        _speaks_before_the_first_audio,
        _says_what_cannot_be_transcribed,
        _says_what_is_never_transcribed,
        _presses_a_key,
        _waits_for_audio_that_never_comes,
    ],
)
def test_a_goodbye_that_nobody_heard_is_taken_back_when_the_call_goes_on(
    goes_on: Callable[[Dialogue], None],
) -> None:
    dialogue = asked()
    dialogue.openai.calls("hang_up")
    goes_on(dialogue)

    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert "" == dialogue.call.farewell
    assert [] == dialogue.did(EndCall)


@pytest.mark.parametrize("heard_last", [True, False], ids=["heard last", "generated last"])
@pytest.mark.parametrize("ms", [200, 1000], ids=["in the grace", "past it"])
def test_a_goodbye_that_was_heard_is_taken_back_where_more_was_said_meanwhile(ms: int, *, heard_last: bool) -> None:
    dialogue = asked()
    dialogue.caller.says(300)
    dialogue.openai.names()
    dialogue.openai.speaks(ms)
    dialogue.openai.calls("hang_up")
    dialogue.openai.transcribes("ועוד משהו")
    for step in (
        (dialogue.openai.finishes, dialogue.twilio.plays)
        if heard_last
        else (
            dialogue.twilio.plays,
            dialogue.openai.finishes,
        )
    ):
        step()

    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)
    assert [2] == [request.turn for request in dialogue.did(CreateResponse)]
    assert [] == dialogue.did(EndCall)


@pytest.mark.parametrize("heard_ms", [100, 400], ids=["in the grace", "past it"])
def test_a_function_is_forgotten_with_the_session_that_called_it(heard_ms: int) -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("lookup")
    dialogue.twilio.plays(heard_ms)
    dialogue.openai.is_lost()

    assert {} == dialogue.call.tools


def test_keys_that_are_told_while_a_reply_is_being_cancelled_are_answered() -> None:
    """What the caller says meanwhile may prove nobody; the keys were pressed by somebody."""
    dialogue = asked()
    dialogue.openai.speaks(3000)
    dialogue.twilio.plays(400)
    dialogue.caller.presses("1", pause_ms=1000)
    dialogue.caller.speaks(1020)

    assert State.CANCELLING is dialogue.where()
    assert [KEYS.format("1")] == [item.text for item in dialogue.did(CreateItem)]
    assert Owed.REPLY is dialogue.call.response.owed


@pytest.mark.parametrize("heard_last", [True, False], ids=["heard last", "generated last"])
@pytest.mark.parametrize("ms", [200, 1000], ids=["in the grace", "past it"])
def test_a_goodbye_is_taken_back_at_its_end_though_a_function_is_still_awaited(ms: int, *, heard_last: bool) -> None:
    dialogue = asked()
    dialogue.openai.speaks(ms)
    dialogue.openai.calls("lookup", "c1")
    dialogue.openai.calls("order", "c2")
    dialogue.openai.calls("hang_up", "c3")
    steps: list[Callable[[], object]] = [dialogue.openai.finishes, dialogue.twilio.plays]
    for step in steps if heard_last else reversed(steps):
        step()

    assert [AnswerTool("c2", UNKNOWN_TOOL), AnswerTool("c3", STILL_TALKING)] == told(dialogue)
    assert State.LISTENING is dialogue.where()
    assert [] == dialogue.did(CreateResponse)


def test_a_goodbye_that_is_cut_off_is_taken_back_though_its_reply_is_not_owed_again() -> None:
    """A reply is continued twice over a voice without words; the third time it is cut off for good."""
    dialogue = asked()
    for _ in range(2):
        dialogue.openai.speaks(1000)
        dialogue.twilio.plays(400)
        dialogue.caller.says(100)
        dialogue.openai.finishes("cancelled")
        dialogue.openai.transcribes("?!")
        dialogue.openai.begins()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("hang_up")
    dialogue.twilio.plays(400)
    dialogue.caller.speaks(100)

    assert Owed.NOTHING is dialogue.call.response.owed
    assert State.CANCELLING is dialogue.where()
    assert [AnswerTool("c1", STILL_TALKING)] == told(dialogue)


@pytest.mark.parametrize("is_over", [True, False], ids=["its marks are lost", "its generation never ends"])
def test_a_goodbye_whose_end_never_comes_is_taken_back_where_more_is_owed(*, is_over: bool) -> None:
    dialogue = asked()
    dialogue.openai.speaks(1000)
    dialogue.openai.calls("lookup", "c1")
    dialogue.openai.calls("order", "c2")
    dialogue.openai.calls("hang_up", "c3")
    for step in [dialogue.openai.finishes] * is_over:
        step()
    dialogue.twilio.plays(echoing=False)
    dialogue.forget()
    dialogue.caller.silent(1000 if is_over else 8000)

    assert AnswerTool("c3", STILL_TALKING) in told(dialogue)
    assert (State.LISTENING if is_over else State.CANCELLING) is dialogue.where()


def test_more_functions_at_once_than_anybody_needs_are_refused() -> None:
    dialogue = asked()
    for number in range(MOST_OPEN + 1):
        dialogue.openai.calls("lookup", call_id=f"c{number}")

    assert MOST_OPEN == len(dialogue.did(CallTool))
    assert [AnswerTool(f"c{MOST_OPEN}", TOO_MANY_TOOLS)] == told(dialogue)


def test_a_function_that_is_being_asked_is_not_asked_again() -> None:
    dialogue = asked()
    for _ in range(3):
        dialogue.openai.calls("lookup")

    assert 1 == len(dialogue.did(CallTool))
    assert [Count("stray_tool")] * 2 == dialogue.did(Count)


def test_of_keys_pressed_without_end_the_newest_are_told() -> None:
    dialogue = greeted_by_the_caller(business=TOOL_BUSINESS)
    digits = "0" + "123456789*" * (MOST_DIGITS // 10)
    dialogue.caller.presses(digits, pause_ms=20)
    dialogue.forget()
    dialogue.caller.silent(2000)

    assert [KEYS.format(digits[-MOST_DIGITS:])] == [item.text for item in dialogue.did(CreateItem)]
