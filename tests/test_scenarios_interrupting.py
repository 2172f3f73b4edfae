"""Whole calls in which the assistant is stopped, and who it was shows later: somebody, who is heard, or nobody.

Of a reply whose first 400 ms have been heard 420 have been when the first loud frame stops it. Nothing tells its
pauses unless a test does, and so it goes on 300 ms before that place.
"""

from collections.abc import Callable

import pytest

from callfsm.config import Config, TurnConfig
from callfsm.effects import (
    DEBUG,
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    CommitAudio,
    Count,
    CreateItem,
    CreateResponse,
    DeleteItem,
    EndCall,
    PlayAudio,
    TruncateItem,
)
from callfsm.events import CallEnded
from callfsm.speaking.prompts import Facts, briefing, continue_instructions
from callfsm.speaking.response import Owed
from callfsm.states.base import State
from tests.calls import GREETING_BUSINESS, LOUD, SILENT_BUSINESS
from tests.dialogue import TAPE, Dialogue, answering, calibrated, greeted_by_the_caller

BARGE_IN = "[BARGE-IN] User speaking while AI speaking – sending response.cancel"
CONFIRMED = "[BARGE-IN] Confirmed as speech"
GOES_ON = "[BARGE-IN] Not confirmed as speech – the assistant goes on"
DETECTED = "[NLP] First real user utterance detected – has_real_user_utterance=True"
CONTINUED_WITH = continue_instructions(briefing(SILENT_BUSINESS, Facts()))
QUESTION = CreateItem("user", "שלום, מתי אתם פתוחים?")
WORDS = "אנחנו פתוחים כל יום עד חמש"
TO_CONVERSATION = (TruncateItem, DeleteItem, CreateItem, CommitAudio, CreateResponse)
Step = Callable[[Dialogue], object]


def generating() -> Dialogue:
    """A call in which 1 s of a reply has been generated, more will be, and its first 400 ms were heard."""
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.twilio.plays(400)
    call.forget()
    return call


def greeted(*, over: bool = True) -> Dialogue:
    """A call whose greeting of 1 s was generated, or is, and whose first 400 ms were heard."""
    call = calibrated(GREETING_BUSINESS)
    call.openai.begins()
    call.openai.speaks(1000)
    if over:
        call.openai.finishes()
    call.twilio.plays(400)
    call.forget()
    return call


def stopped(call: Dialogue) -> Dialogue:
    """The same, stopped by a click that is not over, and OpenAI has answered that there was nothing to cancel."""
    call.caller.whispers(40)
    call.openai.had_nothing_to_cancel()
    return call


def told_to_conversation(call: Dialogue) -> list[object]:
    """All that the session was told but the caller's sound and the cancels."""
    return [effect for effect in call.effects if isinstance(effect, TO_CONVERSATION)]


def truncated(call: Dialogue) -> list[tuple[str, int]]:
    """The items that were truncated, and the millisecond to the nearest ten, for the clock is of binary fractions."""
    return [(item.item_id, round(item.audio_end_ms, -1)) for item in call.did(TruncateItem)]


def interruptions(call: Dialogue) -> list[str]:
    return [line for line in call.log() if line.startswith("[BARGE-IN]")]


def asked_with(call: Dialogue) -> list[str | None]:
    return [request.instructions for request in call.did(CreateResponse)]


# Nobody


def test_a_click_stops_the_assistant_at_once_and_it_goes_on_600_ms_later() -> None:
    call = answering()
    call.caller.whispers(20)
    assert State.CANCELLING is call.where()
    assert [ClearPlayback()] == call.did(ClearPlayback)
    assert [CancelResponse("cancel3", "r1")] == call.did(CancelResponse)

    call.openai.had_nothing_to_cancel()
    call.caller.silent(580)
    assert State.LISTENING is call.where()
    assert [] == call.did(PlayAudio)

    call.caller.silent(20)
    assert State.AI_GRACE is call.where()
    assert [BARGE_IN, GOES_ON] == call.log()
    assert 120 == call.twilio.sent_from_ms()

    call.twilio.plays()
    assert State.LISTENING is call.where()
    assert [ClearAudio()] == call.did(ClearAudio)
    assert [] == told_to_conversation(call)
    assert Owed.NOTHING is call.call.response.owed


def test_what_goes_on_is_heard_to_its_end() -> None:
    call = stopped(answering(2000))
    call.caller.silent(600)

    assert TAPE[120 * 8 : 2000 * 8] == call.twilio.sent
    call.twilio.plays(1860)
    assert State.AI_SPEAKING is call.where()

    call.twilio.plays()
    assert State.LISTENING is call.where()


def test_the_frame_that_finds_the_doubt_over_is_kept_and_not_told_as_dropped() -> None:
    call = stopped(answering())
    call.caller.silent(560)
    call.forget()
    call.caller.silent(20)

    assert [GOES_ON] == call.log(DEBUG - 1)
    assert f"f{call.frames}" == call.call.gate.held[-1].payload


@pytest.mark.parametrize(
    ("pauses_ms", "from_ms"),
    [
        pytest.param([], 1200, id="no pause"),
        pytest.param([1100], 1110, id="a pause"),
        pytest.param([600, 1300], 1310, id="the last of two pauses"),
        pytest.param([500], 510, id="a pause less than a second ago"),
        pytest.param([460], 1200, id="a pause more than a second ago"),
    ],
)
def test_it_goes_on_at_a_pause_between_words(pauses_ms: list[int], from_ms: int) -> None:
    """It was heard up to 1500 ms. In the middle of the pause it begins again."""
    call = greeted_by_the_caller()
    call.openai.begins()
    levels_rms = tuple(0 if ms in pauses_ms else 1000 for ms in range(0, 2000, 20))
    call.openai.speaks(2000, levels_rms=levels_rms)
    call.openai.finishes()
    call.twilio.plays(1480)
    stopped(call)
    call.caller.silent(600)

    assert from_ms == call.twilio.sent_from_ms()


def test_a_cough_of_300_ms_is_transcribed_while_the_assistant_goes_on() -> None:
    call = answering()
    call.caller.whispers(300)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(300)
    assert [] == call.did(CommitAudio)

    call.caller.silent(20)
    assert 1 == len(call.did(CommitAudio))
    assert State.AI_GRACE is call.where()

    call.openai.transcribes("")
    call.twilio.plays()
    assert [BARGE_IN, GOES_ON] == interruptions(call)
    assert [*call.did(CommitAudio), DeleteItem("i2")] == told_to_conversation(call)
    assert [] == call.did(ClearAudio)
    assert State.LISTENING is call.where()


@pytest.mark.parametrize(
    "comes",
    [
        pytest.param(lambda call: call.openai.cannot_transcribe(), id="it fails"),
        pytest.param(lambda call: call.caller.silent(3000), id="it does not come"),
    ],
)
def test_a_noise_without_a_transcript_is_never_answered(comes: Step) -> None:
    """Of a caller who is heard while nobody speaks, 300 ms would be answered."""
    call = answering(500)
    call.caller.whispers(400)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(220)
    call.openai.names()
    comes(call)
    call.twilio.plays()

    assert [*call.did(CommitAudio), DeleteItem("i2")] == told_to_conversation(call)


def hears_noise(call: Dialogue, ms: int, rms: float = LOUD) -> None:
    """A noise goes on, while Twilio plays and OpenAI has nothing to cancel and hears no words."""
    for _ in range(ms // 20):
        call.caller.hums(20, rms)
        call.twilio.plays_on()
        if call.where() is State.CANCELLING:
            call.openai.had_nothing_to_cancel()
        if call.call.turn.unsettled:
            call.openai.transcribes("")


def test_a_noise_of_1_s_stops_it_twice_and_it_goes_on_each_time() -> None:
    call = answering()
    hears_noise(call, 1000)
    hears_noise(call, 400, rms=90.0)
    assert [BARGE_IN, GOES_ON] * 2 == interruptions(call)

    call.twilio.plays()
    assert [] == [*call.did(TruncateItem), *call.did(CreateResponse)]
    assert [DeleteItem("i2"), DeleteItem("i3")] == call.did(DeleteItem)
    assert TAPE[: 2000 * 8].endswith(bytes(call.twilio.sent))
    assert State.LISTENING is call.where()


def test_a_noise_that_does_not_end_is_followed_and_the_reply_is_heard_to_its_end() -> None:
    call = answering(4000)
    hears_noise(call, 12_000)
    follows = call.log().index("[VAD] Threshold follows the noise, noise=1000.0, speech_threshold=1200.0")

    assert BARGE_IN not in call.log()[follows:]
    assert len(interruptions(call)) == 2 * interruptions(call).count(GOES_ON) > 2
    assert [] == [*call.did(TruncateItem), *call.did(CreateResponse)]
    assert TAPE[: 4000 * 8].endswith(bytes(call.twilio.sent))
    assert State.LISTENING is call.where()


def test_two_clicks_one_after_the_other_are_one_doubt() -> None:
    call = stopped(answering())
    call.caller.silent(200)
    call.caller.whispers(40)
    call.caller.silent(320)
    assert State.LISTENING is call.where()

    call.caller.silent(20)
    assert [BARGE_IN, GOES_ON] == interruptions(call)
    assert [ClearAudio()] == call.did(ClearAudio)
    assert 120 == call.twilio.sent_from_ms()
    assert [] == told_to_conversation(call)


def test_two_clicks_that_are_together_no_blip_are_transcribed() -> None:
    call = answering()
    call.caller.whispers(60)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(200)
    call.caller.whispers(60)
    call.caller.silent(300)

    assert [BARGE_IN, GOES_ON] == interruptions(call)
    assert 1 == len(call.did(CommitAudio))


def test_a_click_after_it_has_gone_on_stops_it_again_and_it_goes_on_again() -> None:
    call = stopped(answering())
    call.caller.silent(600)
    call.twilio.plays(400)
    stopped(call)
    call.caller.silent(600)

    assert [BARGE_IN, GOES_ON] * 2 == interruptions(call)
    assert 120 + 400 + 20 - 300 == call.twilio.sent_from_ms()
    assert [] == told_to_conversation(call)


def test_a_click_while_it_is_paused_and_the_cancel_unanswered_is_a_new_doubt() -> None:
    call = answering()
    call.caller.clicks()
    call.caller.whispers(40)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(560)
    assert State.LISTENING is call.where()

    call.caller.silent(20)
    assert [BARGE_IN, GOES_ON] == interruptions(call)
    assert 120 == call.twilio.sent_from_ms()


def test_ten_clicks_and_it_goes_on_ten_times() -> None:
    call = answering(4000)
    for _ in range(10):
        stopped(call)
        call.caller.silent(600)
        call.twilio.plays(600)
    call.twilio.plays()

    assert [BARGE_IN, GOES_ON] * 10 == interruptions(call)
    assert [] == told_to_conversation(call)
    assert State.LISTENING is call.where()


# While it is being generated


def test_a_click_while_it_is_generated_and_the_rest_is_requested_when_what_was_kept_has_been_heard() -> None:
    call = generating()
    call.caller.whispers(40)
    call.openai.speaks(500)
    call.openai.finishes("cancelled")
    assert State.LISTENING is call.where()
    assert [] == call.did(Count)

    call.caller.silent(600)
    assert State.AI_GRACE is call.where()
    assert TAPE[120 * 8 : 1500 * 8] == call.twilio.sent

    call.twilio.plays(1360)
    assert [] == told_to_conversation(call)

    call.twilio.plays()
    assert [CONTINUED_WITH] == asked_with(call)
    assert [] == [*call.did(TruncateItem), *call.did(DeleteItem)]

    call.openai.replies(500)
    call.twilio.plays()
    assert State.LISTENING is call.where()
    assert 1 == len(call.did(CreateResponse))


def test_it_does_not_go_on_before_the_cancelled_response_is_over() -> None:
    call = generating()
    call.caller.clicks()
    call.caller.silent(500)
    assert State.CANCELLING is call.where()
    assert [] == call.did(PlayAudio)

    call.openai.finishes("cancelled")
    assert State.AI_GRACE is call.where()
    assert 120 == call.twilio.sent_from_ms()


def test_it_goes_on_when_the_cancel_is_never_answered() -> None:
    call = generating()
    call.caller.clicks()
    call.caller.silent(860)
    assert State.CANCELLING is call.where()

    call.caller.silent(40)
    assert State.AI_GRACE is call.where()


def test_the_items_of_a_reply_that_goes_on_stay_in_the_conversation() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(500)
    call.openai.speaks(500, item="b")
    call.twilio.plays(400)
    call.forget()
    call.caller.whispers(40)
    call.openai.finishes("cancelled", items=("a", "b", "c"))
    call.caller.silent(600)
    call.twilio.plays()

    assert [CONTINUED_WITH] == asked_with(call)
    assert [] == [*call.did(TruncateItem), *call.did(DeleteItem)]


def test_the_items_that_nobody_heard_are_deleted_when_it_is_confirmed_after_the_response_is_over() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(500)
    call.openai.speaks(500, item="b")
    call.twilio.plays(400)
    call.caller.whispers(40)
    call.openai.finishes("cancelled", items=("a", "b", "c"))
    assert [] == call.did(DeleteItem)

    call.caller.speaks(100)
    assert [TruncateItem("a1", 420)] == call.did(TruncateItem)
    assert [DeleteItem("b1"), DeleteItem("c1")] == call.did(DeleteItem)


def test_the_items_that_nobody_heard_are_deleted_when_the_response_is_over_after_it_was_confirmed() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(500)
    call.openai.speaks(500, item="b")
    call.twilio.plays(400)
    call.caller.speaks(100)
    assert [TruncateItem("a1", 420)] == call.did(TruncateItem)
    assert [] == call.did(DeleteItem)

    call.openai.finishes("cancelled", items=("a", "b", "c"))
    assert [DeleteItem("b1"), DeleteItem("c1")] == call.did(DeleteItem)


def test_what_still_arrives_of_a_reply_that_was_stopped_is_said_when_it_goes_on() -> None:
    """OpenAI is ahead of what has arrived when the cancel reaches it, and takes all of its item for said."""
    call = generating()
    call.caller.whispers(40)
    call.openai.speaks(500)
    call.openai.finishes("cancelled")
    call.caller.silent(600)
    call.twilio.plays()

    assert TAPE[120 * 8 : 1500 * 8] == call.twilio.sent
    assert [] == call.did(TruncateItem)
    assert [CONTINUED_WITH] == asked_with(call)


def test_a_noise_too_loud_to_be_followed_does_not_have_the_same_words_said_for_ever() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(2000, levels_rms=tuple(0 if ms % 400 == 0 else 1000 for ms in range(0, 2000, 20)))
    call.openai.finishes()
    call.twilio.plays(400)
    hears_noise(call, 60_000, rms=3000.0)

    assert State.LISTENING is call.where()
    assert Owed.NOTHING is call.call.response.owed


# Somebody


def test_one_who_goes_on_talking_after_a_beginning_like_a_click_is_heard() -> None:
    call = answering()
    call.caller.whispers(80)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(100)
    call.caller.speaks(80)
    assert [BARGE_IN] == call.log()
    assert [] == told_to_conversation(call)

    call.caller.speaks(20)
    assert [BARGE_IN, CONFIRMED] == call.log()
    assert [TruncateItem("a1", 420)] == told_to_conversation(call)

    call.caller.says(300)
    call.openai.transcribes("רגע, עוד שאלה")
    assert [None] == asked_with(call)
    assert [] == call.did(PlayAudio)


def test_four_voiced_frames_are_no_proof() -> None:
    call = answering()
    call.caller.speaks(80)
    call.caller.whispers(200)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(340)

    assert [BARGE_IN, GOES_ON] == call.log()


def test_one_who_begins_at_the_end_of_the_doubt_stops_it_for_good() -> None:
    """It has gone on just then; the grace over, the sound is proven already."""
    call = stopped(answering())
    call.caller.silent(520)
    call.caller.speaks(60)
    assert State.AI_GRACE is call.where()

    call.caller.speaks(280)
    assert [BARGE_IN, GOES_ON] == call.log()

    call.caller.speaks(20)
    assert [BARGE_IN, GOES_ON, BARGE_IN, CONFIRMED] == call.log()
    assert [TruncateItem("a1", 420)] == call.did(TruncateItem)


def test_one_who_began_in_the_grace_is_confirmed_in_the_step_that_stops_the_assistant() -> None:
    call = greeted_by_the_caller()
    call.caller.silent(400)
    call.openai.replies(2000)
    call.forget()
    call.caller.silent(100)
    call.caller.speaks(180)
    assert [] == call.log()

    call.caller.speaks(20)
    assert [BARGE_IN, CONFIRMED] == call.log()
    assert 1 == len(call.did(TruncateItem))


def test_a_noise_in_the_grace_that_goes_on_is_confirmed_by_nothing() -> None:
    call = greeted_by_the_caller()
    call.caller.silent(400)
    call.openai.replies(2000)
    call.forget()
    call.caller.silent(100)
    call.caller.whispers(220)
    assert [BARGE_IN] == call.log()

    call.openai.had_nothing_to_cancel()
    call.caller.silent(420)
    assert [BARGE_IN, GOES_ON] == call.log()


def test_a_detector_that_is_sure_confirms_a_whisper() -> None:
    call = answering()
    call.caller.whispers(200)
    call.openai.is_sure_of_speech()

    assert [BARGE_IN, CONFIRMED] == call.log()
    assert [TruncateItem("a1", 420)] == told_to_conversation(call)


def test_a_detector_that_is_sure_too_late_changes_nothing() -> None:
    call = answering()
    call.caller.clicks()
    assert [] == call.openai.is_sure_of_speech()

    call.openai.had_nothing_to_cancel()
    assert [] == call.openai.is_sure_of_speech()
    assert [BARGE_IN, GOES_ON] == call.log()


def test_a_detector_that_is_sure_of_one_who_interrupts_nobody_changes_nothing() -> None:
    call = greeted_by_the_caller()
    call.caller.speaks(200)

    assert [] == call.openai.is_sure_of_speech()


@pytest.mark.parametrize(
    ("heard_ms", "state", "truncated_ms"),
    [
        pytest.param(200, State.AI_GRACE, 420, id="in the grace, before the place where it was stopped"),
        pytest.param(600, State.AI_SPEAKING, 720, id="past it"),
    ],
)
def test_a_whisper_that_is_accepted_after_the_assistant_has_gone_on_stops_it_again(
    heard_ms: int, state: State, truncated_ms: int
) -> None:
    """What was heard before the whisper has been heard, though the assistant went back."""
    call = answering()
    call.caller.whispers(400)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(220)
    call.openai.names()
    call.twilio.plays(heard_ms)
    assert state is call.where()

    call.forget()
    call.openai.transcribes("רגע, רגע")
    assert State.CANCELLING is call.where()
    assert ["User said: רגע, רגע", CONFIRMED] == call.log()
    assert [ClearPlayback()] == call.did(ClearPlayback)
    assert [CancelResponse("cancel5", "r1")] == call.did(CancelResponse)
    assert [TruncateItem("a1", truncated_ms)] == told_to_conversation(call)

    call.openai.had_nothing_to_cancel()
    assert [None] == asked_with(call)
    assert Owed.NOTHING is call.call.response.owed


def test_a_whisper_that_is_accepted_after_all_has_been_heard_is_answered() -> None:
    call = answering(500)
    call.caller.whispers(400)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(220)
    call.twilio.plays()
    assert State.LISTENING is call.where()

    call.openai.transcribes("רגע, רגע")
    assert [None] == asked_with(call)
    assert [] == call.did(TruncateItem)
    assert CONFIRMED not in call.log()


OVER_FIRST = [lambda call: call.openai.finishes("cancelled"), lambda call: call.openai.transcribes("ועוד משהו")]


@pytest.mark.parametrize("steps", [OVER_FIRST, OVER_FIRST[::-1]], ids=["the response is over", "it is not over"])
def test_a_transcript_of_what_was_said_before_confirms_whatever_stopped_the_assistant(steps: list[Step]) -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.caller.says(500)
    call.openai.names()
    call.openai.speaks(2000)
    call.twilio.plays(400)
    call.forget()
    call.caller.whispers(40)
    for step in steps:
        step(call)

    assert [BARGE_IN, "User said: ועוד משהו", CONFIRMED] == call.log()
    assert [TruncateItem("a1", 420)] == told_to_conversation(call)

    call.caller.silent(600)
    assert [] == call.did(PlayAudio)
    assert [None] == asked_with(call)


def test_a_confirmed_interruption_whose_words_are_rejected_has_the_rest_said_at_most_twice() -> None:
    call = answering()
    for turn in (1, 2, 3):
        call.caller.says(400)
        call.openai.had_nothing_to_cancel()
        call.openai.transcribes("?")
        assert (f"a{turn}", 420) == truncated(call)[-1]
        if turn < 3:
            call.openai.replies(2000)
        call.twilio.plays(400)
    call.caller.silent(10_000)

    assert [BARGE_IN, CONFIRMED] * 3 == interruptions(call)
    assert [CONTINUED_WITH] * 2 == asked_with(call)
    assert State.LISTENING is call.where()


def test_clicks_do_not_count_as_continuations() -> None:
    call = answering(4000)
    for _ in range(3):
        stopped(call)
        call.caller.silent(600)
        call.twilio.plays(400)
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes("?")

    assert [CONTINUED_WITH] == asked_with(call)


def test_a_reply_need_not_be_continued() -> None:
    call = answering(config=Config(turn=TurnConfig(most_continued=0)))
    call.caller.says(400)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes("?")

    assert [] == asked_with(call)


def test_where_any_sound_is_proof_it_is_confirmed_in_the_very_step() -> None:
    call = answering(config=Config(turn=TurnConfig(confirm_voiced_ms=0)))
    call.caller.whispers(20)

    assert [BARGE_IN, CONFIRMED] == call.log()
    assert [TruncateItem("a1", 420)] == told_to_conversation(call)


def test_one_who_interrupts_when_all_was_heard_leaves_nothing_to_go_on_with() -> None:
    """The last mark is on its way."""
    call = answering(500)
    call.caller.silent(100)
    call.caller.clicks()
    call.openai.had_nothing_to_cancel()
    call.caller.silent(1000)

    assert [BARGE_IN] == interruptions(call)
    assert [] == told_to_conversation(call)
    assert State.LISTENING is call.where()


# The greeting


@pytest.mark.parametrize(
    ("over", "answers"),
    [
        pytest.param(True, lambda call: call.openai.had_nothing_to_cancel(), id="generated"),
        pytest.param(False, lambda call: call.openai.finishes("cancelled"), id="being generated"),
    ],
)
def test_a_click_on_the_greeting_has_what_was_received_of_it_said_and_no_more(answers: Step, *, over: bool) -> None:
    call = greeted(over=over)
    call.caller.clicks()
    answers(call)
    assert State.AI_GRACE is call.where()
    assert 120 == call.twilio.sent_from_ms()
    assert TAPE[: 1000 * 8].endswith(bytes(call.twilio.sent))

    call.twilio.plays()
    call.caller.silent(10_000)
    assert State.WAITING_FOR_USER is call.where()
    assert [BARGE_IN, GOES_ON] == call.log()
    assert [] == told_to_conversation(call)


def test_a_click_on_a_recorded_greeting_and_the_model_is_told_all_of_it_once() -> None:
    call = Dialogue(GREETING_BUSINESS, greeting_clip=TAPE[: 1000 * 8])
    call.caller.silent(1500)
    call.twilio.plays(400)
    call.forget()
    stopped(call)
    assert State.WAITING_FOR_USER is call.where()

    call.caller.silent(600)
    assert State.AI_GRACE is call.where()
    assert 120 == call.twilio.sent_from_ms()

    call.twilio.plays()
    call.caller.silent(10_000)
    assert State.WAITING_FOR_USER is call.where()
    assert [CreateItem("assistant", GREETING_BUSINESS.greeting)] == told_to_conversation(call)


def test_one_who_interrupts_the_greeting_is_answered_and_greeted_no_more() -> None:
    call = greeted()
    call.caller.whispers(20)
    call.openai.had_nothing_to_cancel()
    assert State.WAITING_FOR_USER is call.where()

    call.caller.says(300)
    assert [BARGE_IN, CONFIRMED] == call.log()
    assert [("a1", 420)] == truncated(call)
    assert [*call.did(TruncateItem), *call.did(CommitAudio)] == told_to_conversation(call)

    call.openai.transcribes("שלום, יש לי שאלה")
    assert [None] == asked_with(call)
    assert State.LISTENING is call.where()


def test_one_who_interrupts_the_greeting_without_words_is_not_greeted_again() -> None:
    call = greeted()
    call.caller.says(300)
    call.openai.had_nothing_to_cancel()
    call.openai.transcribes("...")
    call.caller.silent(10_000)

    assert [] == call.did(CreateResponse)
    assert State.WAITING_FOR_USER is call.where()


def test_a_whisper_over_the_greeting_is_the_first_real_utterance() -> None:
    call = greeted()
    call.caller.whispers(400)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(220)
    assert State.AI_GRACE is call.where()

    call.openai.transcribes("שלום, יש לי שאלה")
    assert [BARGE_IN, GOES_ON, DETECTED, "User said: שלום, יש לי שאלה", CONFIRMED] == call.log()
    assert State.CANCELLING is call.where()
    assert [("a1", 420)] == truncated(call)

    call.openai.had_nothing_to_cancel()
    assert [None] == asked_with(call)


# The words, and a session that is lost


def test_all_the_words_of_a_reply_that_went_on_are_remembered() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words(WORDS)
    call.openai.finishes()
    call.twilio.plays(400)
    stopped(call)
    call.caller.silent(600)
    call.twilio.plays()

    assert ("assistant", WORDS) == call.call.history[-1]


def test_of_a_reply_that_was_interrupted_the_words_that_were_heard_are_remembered() -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words("0123456789")
    call.openai.finishes()
    call.twilio.plays(480)
    call.caller.speaks(100)

    assert ("assistant", "01234") == call.call.history[-1]


@pytest.mark.parametrize(
    ("voicing", "line", "words"),
    [
        pytest.param(0.0, GOES_ON, "0123456789", id="by a noise"),
        pytest.param(1.0, CONFIRMED, "01234", id="by somebody"),
    ],
)
def test_a_session_that_is_lost_while_it_is_paused(voicing: float, line: str, words: str) -> None:
    call = greeted_by_the_caller()
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words("0123456789")
    call.openai.finishes()
    call.twilio.plays(480)
    call.forget()
    call.caller.whispers(40)
    call.openai.is_lost()
    assert State.LISTENING is call.where()

    call.caller.hums(100, LOUD, voicing)
    call.caller.silent(600)
    assert [BARGE_IN, line] == call.log()
    assert [] == told_to_conversation(call)

    call.twilio.plays()
    call.openai.is_ready()
    assert [QUESTION, CreateItem("assistant", words)] == call.did(CreateItem)
    assert [] == call.did(TruncateItem)


def test_a_session_that_is_lost_while_it_is_paused_and_returns_while_it_goes_on() -> None:
    call = generating()
    call.openai.words(WORDS, is_whole=False)
    call.caller.whispers(40)
    call.openai.is_lost()
    call.caller.silent(600)
    assert State.AI_GRACE is call.where()
    assert TAPE[120 * 8 : 1000 * 8] == call.twilio.sent

    call.openai.is_ready()
    assert [QUESTION] == told_to_conversation(call)

    call.twilio.plays()
    assert [QUESTION, CreateItem("assistant", WORDS)] == call.did(CreateItem)
    assert [CONTINUED_WITH] == asked_with(call)


def test_a_reply_that_was_cut_by_a_click_is_continued_when_there_is_a_session() -> None:
    call = generating()
    call.caller.whispers(40)
    call.openai.is_lost()
    call.caller.silent(600)
    call.twilio.plays()
    assert [] == told_to_conversation(call)

    call.openai.is_ready()
    assert [CONTINUED_WITH] == asked_with(call)


def test_a_reply_that_was_stopped_at_its_very_beginning_is_told_to_a_new_session() -> None:
    call = greeted_by_the_caller(Config(turn=TurnConfig(grace_ms=0)))
    call.openai.begins()
    call.openai.speaks(1000)
    call.openai.words(WORDS)
    call.openai.finishes()
    call.frames -= 1
    call.caller.whispers(20)
    call.openai.is_lost()
    call.caller.silent(620)
    call.openai.is_ready()
    call.twilio.plays()

    assert CreateItem("assistant", WORDS) in call.did(CreateItem)


def test_a_call_that_ends_while_it_is_paused_is_over() -> None:
    call = stopped(answering())
    call.caller.silent(200)
    call.forget()
    call.feed(CallEnded(call.now, "hung_up"))
    call.caller.silent(2000)

    assert [EndCall("hung_up")] == call.effects
    assert State.ENDED is call.where()


def test_keys_that_are_told_while_it_is_paused_are_answered_when_the_rest_has_been_heard() -> None:
    call = answering()
    call.caller.presses("5", pause_ms=1980)
    call.twilio.plays(0)
    call.forget()
    stopped(call)
    call.caller.silent(600)
    assert 1 == len(call.did(CreateItem))
    assert State.AI_GRACE is call.where()
    assert [] == call.did(CreateResponse)

    call.twilio.plays()
    assert [None] == asked_with(call)
