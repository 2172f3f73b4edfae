"""Whole calls, from the first answer on: barge-in, echo, cancelling, marks, one answer to all that was said."""

import pytest

from callfsm.effects import (
    INFO,
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    Count,
    CreateResponse,
    DeleteItem,
    Log,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from callfsm.events import ResponseCreated, RmsFrame
from callfsm.speaking.prompts import Facts, briefing, continue_instructions
from callfsm.states.base import State
from tests.calls import GREETING_BUSINESS, LOUD, SILENT_BUSINESS, grace
from tests.dialogue import Dialogue, answering, calibrated, greeted_by_the_caller

BARGE_IN = "[BARGE-IN] User speaking while AI speaking – sending response.cancel"
CONFIRMED = "[BARGE-IN] Confirmed as speech"
CONTINUED_WITH = continue_instructions(briefing(SILENT_BUSINESS, Facts()))


def test_a_question_and_its_answer() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(2000)
    assert State.AI_GRACE is call.where()

    call.twilio.plays(320)
    assert State.AI_SPEAKING is call.where()

    call.twilio.plays()
    assert State.LISTENING is call.where()
    assert 16_000 == sum(len(sent.audio) for sent in call.did(PlayAudio))
    assert [f"m{number}" for number in range(1, 11)] == [sent.name for sent in call.did(SendMark)]
    assert [] == call.did(ClearPlayback)


def test_speaking_ends_when_the_caller_has_heard_it() -> None:
    """The response is over seconds before its last word is heard; barge-in works all the while."""
    call = answering(2000)
    call.twilio.plays(1560)
    assert State.AI_SPEAKING is call.where()

    call.caller.speaks(20)
    assert State.CANCELLING is call.where()


def test_barge_in_during_generation() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.twilio.plays(500)
    call.forget()
    call.caller.speaks(20)

    loud = call.frames
    assert [
        Log(INFO, BARGE_IN),
        ClearPlayback(),
        CancelResponse("cancel3", "r1"),
        *[AppendAudio(f"f{number}") for number in range(loud - 15, loud + 1)],
    ] == call.effects
    assert State.CANCELLING is call.where()

    call.forget()
    call.caller.speaks(60)
    assert [AppendAudio(f"f{number}") for number in range(loud + 1, loud + 4)] == call.effects

    call.caller.speaks(20)
    assert [CONFIRMED] == call.log()
    assert [TruncateItem("a1", 520)] == call.did(TruncateItem)
    assert [AppendAudio(f"f{number}") for number in range(loud + 1, loud + 5)] == call.did(AppendAudio)
    assert State.CANCELLING is call.where()


def test_barge_in_on_the_tail() -> None:
    call = answering(1000)
    call.caller.speaks(20)
    assert [CancelResponse("cancel3", "r1")] == call.did(CancelResponse)
    assert [] == call.did(TruncateItem)

    call.openai.had_nothing_to_cancel()
    assert State.LISTENING is call.where()

    call.caller.speaks(80)
    assert [TruncateItem("a1", 420)] == call.did(TruncateItem)
    assert State.LISTENING is call.where()


def test_every_interruption_is_logged_and_that_it_was_speech() -> None:
    call = answering()
    for _ in range(3):
        call.caller.says(400)
        call.openai.had_nothing_to_cancel()
        call.openai.transcribes("רגע")
        call.openai.replies(2000)
        call.twilio.plays(400)

    assert [BARGE_IN, CONFIRMED] * 3 == [line for line in call.log() if line.startswith("[BARGE-IN]")]


def test_the_truncation_never_exceeds_what_was_received() -> None:
    """The marks were lost and the clock has run on."""
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(100)
    call.caller.silent(3000)
    call.forget()
    call.caller.speaks(200)

    assert [BARGE_IN, CONFIRMED] == call.log()
    assert [] == call.did(TruncateItem)
    assert [ClearPlayback()] == call.did(ClearPlayback)


@pytest.mark.parametrize(
    ("after_ms", "state"),
    [
        pytest.param(299, State.AI_GRACE, id="299 ms"),
        pytest.param(300, State.CANCELLING, id="300 ms"),
        pytest.param(301, State.CANCELLING, id="301 ms"),
    ],
)
def test_barge_in_is_ignored_for_300_ms(after_ms: int, state: State) -> None:
    call = grace().call()
    Dialogue.feed(_of(call), RmsFrame(3.25 + after_ms / 1000, LOUD, "x"))

    assert state is call.state


def _of(call: object) -> Dialogue:
    dialogue = Dialogue(ready=False)
    dialogue.call = call  # type: ignore[assignment]
    return dialogue


def test_one_who_began_in_the_grace_and_goes_on_interrupts_with_the_first_word_intact() -> None:
    call = greeted_by_the_caller()
    call.caller.silent(400)
    call.openai.replies(2000)
    call.forget()
    first = call.frames + 6
    call.caller.silent(100)
    call.caller.speaks(180)
    assert State.AI_GRACE is call.where()
    assert [] == call.did(AppendAudio)
    assert 5 == len(call.log(0))

    call.caller.speaks(20)
    assert State.CANCELLING is call.where()
    sent = [int(sent.payload[1:]) for sent in call.did(AppendAudio)]
    assert list(range(first - 15, first + 10)) == sent


def test_an_echo_in_the_grace_is_not_barge_in() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(2000)
    call.caller.speaks(280)
    call.twilio.plays()

    assert State.LISTENING is call.where()
    assert [] == call.did(CancelResponse)


def test_an_echo_in_the_grace_is_no_part_of_what_is_heard_after_the_reply() -> None:
    """The pre-roll covers the grace while the assistant is audible; after it, a click is a blip again."""
    call = greeted_by_the_caller()
    call.openai.replies(200)
    call.caller.speaks(100)
    call.twilio.plays()
    assert State.LISTENING is call.where()

    call.caller.silent(300)
    call.forget()
    call.caller.says(20)
    assert [ClearAudio()] == call.did(ClearAudio)
    assert 15 + 1 + 25 == len(call.did(AppendAudio))


def test_late_audio_of_a_cancelled_reply_is_dropped_for_good() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.twilio.plays(400)
    call.caller.speaks(100)
    call.forget()
    call.openai.speaks(1000)
    call.openai.finishes("cancelled")
    call.openai.speaks(1000)

    assert [] == call.did(PlayAudio)
    assert [Count("stray_response")] * 2 == call.did(Count)
    assert [] == call.did(CancelResponse)


def test_the_marks_of_a_clear_are_no_played_marks() -> None:
    call = answering(1000)
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes("רגע, עוד שאלה")
    call.openai.replies(1000)
    assert ["m3", "m4", "m5"] == call.twilio.cleared

    call.forget()
    for name in call.twilio.cleared:
        call.twilio.echoes(name)
    assert [Count("stray_mark")] * 3 == call.effects
    assert State.AI_GRACE is call.where()


def test_lost_marks_end_the_reply_a_second_after_its_estimated_end() -> None:
    call = answering(1000)
    call.twilio.plays(echoing=False)
    call.caller.silent(940)
    assert State.AI_SPEAKING is call.where()

    call.caller.silent(80)
    assert State.LISTENING is call.where()
    assert [ClearPlayback()] == call.did(ClearPlayback)


def test_a_stalled_generation_is_given_up() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.twilio.plays()
    call.caller.silent(7900)
    assert State.AI_SPEAKING is call.where()

    call.caller.silent(200)
    assert State.CANCELLING is call.where()
    assert [CancelResponse("cancel3", "r1")] == call.did(CancelResponse)

    call.openai.finishes("cancelled")
    assert State.LISTENING is call.where()


def test_two_utterances_are_given_one_answer() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.caller.says(500)
    call.openai.transcribes("ובאיזו כתובת?")
    assert State.CANCELLING is call.where()
    assert [CancelResponse("cancel4", "r1")] == call.did(CancelResponse)

    call.openai.finishes("cancelled")
    call.openai.replies(500)
    call.twilio.plays()
    assert State.LISTENING is call.where()
    assert [1, 2] == [asked.turn for asked in call.did(CreateResponse)]


def test_nothing_is_requested_while_an_utterance_is_unsettled() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.forget()
    call.caller.says(500)
    call.caller.says(500)
    call.openai.transcribes("ראשון")
    assert [] == call.did(CreateResponse)

    call.openai.transcribes("שני")
    assert 1 == len(call.did(CreateResponse))


def test_nothing_is_requested_while_the_caller_speaks() -> None:
    call = greeted_by_the_caller()
    call.openai.replies(500)
    call.twilio.plays()
    call.forget()
    call.caller.says(500)
    call.caller.speaks(500)
    call.openai.transcribes("ראשון")
    call.caller.silent(580)
    assert [] == call.did(CreateResponse)

    call.caller.silent(20)
    call.openai.transcribes("שני")
    assert 1 == len(call.did(CreateResponse))


def test_what_was_said_before_the_reply_was_audible_is_answered_after_it() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.caller.says(500)
    call.openai.speaks(1000)
    call.openai.transcribes("עוד משהו")
    call.openai.finishes()
    assert State.AI_GRACE is call.where()
    assert 1 == len(call.did(CreateResponse))

    call.twilio.plays()
    assert [1, 2] == [asked.turn for asked in call.did(CreateResponse)]
    assert [] == call.did(CancelResponse)


def test_a_cancel_that_overtook_the_response() -> None:
    call = greeted_by_the_caller()
    call.caller.says(500)
    call.openai.transcribes("ובאיזו כתובת?")
    assert [CancelResponse("cancel4", None)] == call.did(CancelResponse)

    call.openai.had_nothing_to_cancel()
    assert State.CANCELLING is call.where()

    call.openai.begins(1)
    assert CancelResponse("cancel5", "r1") == call.did(CancelResponse)[-1]

    call.openai.speaks(500, 1)
    call.openai.finishes("cancelled", 1)
    assert [] == call.did(PlayAudio)
    assert [1, 2] == [asked.turn for asked in call.did(CreateResponse)]


def test_a_cancelled_turn_that_begins_after_the_time_out_is_cancelled() -> None:
    call = greeted_by_the_caller()
    call.caller.says(500)
    call.openai.transcribes("ובאיזו כתובת?")
    call.caller.silent(1520)
    assert State.LISTENING is call.where()
    assert [1, 2] == [asked.turn for asked in call.did(CreateResponse)]

    call.openai.begins(1)
    call.openai.speaks(500, 1)
    assert CancelResponse("foreign6", "r1") == call.did(CancelResponse)[-1]
    assert [] == call.did(PlayAudio)

    call.openai.replies(500)
    assert State.AI_GRACE is call.where()


def test_a_response_that_nobody_asked_for_is_never_played() -> None:
    call = answering()
    call.openai.begins_unasked()
    assert [CancelResponse("foreign3", "x1")] == call.did(CancelResponse)

    call.forget()
    call.feed(ResponseCreated(call.now, "x1", None))
    assert [Count("stray_response")] == call.effects


def says_nothing_in_words(call: Dialogue) -> None:
    """The caller interrupts with a voice, of which no word is accepted."""
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes(" . ")


def test_an_interruption_without_words_has_the_rest_said_at_most_twice() -> None:
    call = answering()
    for turn in (2, 3):
        says_nothing_in_words(call)
        assert turn == call.did(CreateResponse)[-1].turn
        call.openai.replies(2000)
        call.twilio.plays(400)
    says_nothing_in_words(call)
    call.caller.silent(20_000)

    assert [CONTINUED_WITH] * 2 == [asked.instructions for asked in call.did(CreateResponse)]
    assert [DeleteItem(f"i{number}") for number in (2, 3, 4)] == call.did(DeleteItem)
    assert State.LISTENING is call.where()


def test_the_answer_to_a_new_question_may_be_continued_twice_again() -> None:
    call = answering()
    for _ in range(2):
        says_nothing_in_words(call)
        call.openai.replies(2000)
        call.twilio.plays(400)
    call.caller.says(500)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes("שאלה חדשה")
    call.openai.replies(2000)
    call.twilio.plays(400)
    call.forget()
    for _ in range(3):
        says_nothing_in_words(call)
        call.openai.replies(2000)
        call.twilio.plays(400)

    assert [CONTINUED_WITH] * 2 == [asked.instructions for asked in call.did(CreateResponse)]


def test_a_rejected_interruption_has_the_rest_of_the_reply_requested() -> None:
    call = answering()
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    assert [] == call.did(CreateResponse)

    call.openai.transcribes(" . ")
    assert [DeleteItem("i2")] == call.did(DeleteItem)
    assert [CONTINUED_WITH] == [asked.instructions for asked in call.did(CreateResponse)]


def test_first_audio_is_held_while_a_sound_may_be_a_blip_and_played_if_it_is() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.caller.speaks(80)
    call.openai.speaks(500)
    call.openai.finishes()
    assert [] == call.did(PlayAudio)

    call.caller.silent(580)
    assert [] == call.did(PlayAudio)

    call.caller.silent(20)
    assert 4000 == sum(len(sent.audio) for sent in call.did(PlayAudio))
    assert State.AI_GRACE is call.where()

    call.twilio.plays()
    assert State.LISTENING is call.where()


def test_first_audio_is_dropped_if_the_sound_grows() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.caller.speaks(80)
    call.openai.speaks(500)
    call.caller.speaks(20)
    assert State.CANCELLING is call.where()
    assert [CancelResponse("cancel3", "r1")] == call.did(CancelResponse)

    call.caller.says(500)
    call.openai.finishes("cancelled")
    assert [] == call.did(PlayAudio)
    assert [DeleteItem("a1")] == call.did(DeleteItem)

    call.openai.transcribes("ומה עם שבת?")
    assert [1, 2] == [asked.turn for asked in call.did(CreateResponse)]


def test_what_was_never_heard_is_deleted_where_the_cancel_is_never_answered() -> None:
    dialogue = greeted_by_the_caller()
    dialogue.openai.begins()
    dialogue.openai.speaks(400)
    dialogue.openai.speaks(400, item="b")
    dialogue.twilio.plays(360)
    dialogue.caller.speaks(1600)

    assert [DeleteItem("b1")] == dialogue.did(DeleteItem)


def test_what_was_never_heard_of_a_greeting_is_deleted_where_the_cancel_is_never_answered() -> None:
    dialogue = calibrated(GREETING_BUSINESS)
    dialogue.openai.begins()
    dialogue.openai.speaks(400)
    dialogue.openai.speaks(400, item="b")
    dialogue.twilio.plays(360)
    dialogue.caller.speaks(1600)

    assert State.WAITING_FOR_USER is dialogue.where()
    assert [DeleteItem("b1")] == dialogue.did(DeleteItem)


def test_what_was_never_heard_is_deleted_where_nothing_was_left_to_cancel() -> None:
    dialogue = greeted_by_the_caller()
    dialogue.openai.begins()
    dialogue.openai.speaks(400)
    dialogue.openai.speaks(400, item="b")
    dialogue.openai.finishes()
    dialogue.twilio.plays(360)
    dialogue.caller.speaks(100)

    assert [DeleteItem("b1")] == dialogue.openai.had_nothing_to_cancel()


def test_a_greeting_whose_mark_comes_early_was_heard_to_its_end() -> None:
    """A mark is proof, whatever the clock says."""
    dialogue = calibrated(GREETING_BUSINESS)
    dialogue.openai.begins()
    dialogue.openai.speaks(200)
    dialogue.openai.words("שלום, מאפייה.")
    dialogue.openai.finishes()
    dialogue.twilio.echoes("m1")

    assert [("assistant", "שלום, מאפייה.")] == list(dialogue.call.history)


def test_what_was_never_heard_of_a_greeting_is_deleted_where_nothing_was_left_to_cancel() -> None:
    dialogue = calibrated(GREETING_BUSINESS)
    dialogue.openai.begins()
    dialogue.openai.speaks(400)
    dialogue.openai.speaks(400, item="b")
    dialogue.openai.finishes()
    dialogue.twilio.plays(360)
    dialogue.caller.speaks(100)

    assert [DeleteItem("b1")] == dialogue.openai.had_nothing_to_cancel()
