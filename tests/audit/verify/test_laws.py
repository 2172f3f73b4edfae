"""Each law is broken by a table that has one thing wrong, and by no other law's fault."""

from collections.abc import Sequence
from typing import Final

import pytest
from attrs import evolve

from callfsm import machine
from callfsm.audit.verify.explore import Explorer
from callfsm.audit.verify.fairness import check_answers, check_resumes
from callfsm.audit.verify.laws import Law
from callfsm.audit.verify.scopes import CLIP, GREETING, TOOLS, Scope
from callfsm.call import Call
from callfsm.effects import CreateItem, CreateResponse, DeleteItem, PlayAudio, TruncateItem
from callfsm.events import (
    AudioDelta,
    Event,
    RealtimeLost,
    ReplyDue,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import Turn, Utterance
from callfsm.machine import ENGINE
from callfsm.speaking.playback import Piece
from callfsm.states.base import Action, State, Transition
from callfsm.states.frames import drop_blip, drop_frame, pass_speech
from callfsm.states.interrupting import is_paused, pause_playback, play_rest, settle_rest
from callfsm.states.playing import (
    finish_playback,
    mark_end,
    play_held,
    send_audio,
    stop_playback,
    truncate_heard,
)
from callfsm.states.responses import request_rest, response_over
from callfsm.states.transcripts import accept, accept_untranscribed, note_first_real_utterance
from tests.audit.verify.changed import (
    A_CALL,
    GREETED,
    TALK,
    TOOL_CALL,
    Change,
    also,
    doing,
    engine,
    explorer,
    leading,
    without,
)

pytestmark = pytest.mark.no_cover
"""What is explored here is covered elsewhere, and tracing it takes a minute."""


def demand(call: Call, event: Event) -> None:
    """Request a reply, whatever is in flight."""
    call.effects.append(CreateResponse("demanded", call.response.turn + 1))


def speak(call: Call, _event: Event) -> None:
    call.effects.append(PlayAudio(b"\x55"))


def tell(call: Call, _event: Event) -> None:
    call.effects.append(CreateItem("user", "?"))


def fall_over(_call: Call, _event: Event) -> None:
    raise ZeroDivisionError


def without_clear(row: Transition) -> Transition:
    return evolve(row, do=tuple(finish_playback if action is stop_playback else action for action in row.do))


def play_first_held(call: Call, event: Event) -> None:
    del call.playback.held[1:]
    play_held(call, event)


def truncate(call: Call, _event: Event) -> None:
    call.effects.append(TruncateItem("a", 100))


def delete_left(call: Call, event: ResponseDone) -> None:
    call.effects += [DeleteItem(item_id) for item_id in event.item_ids]


def play_a_bit(call: Call, event: Event) -> None:
    """Go on, with no more than the first byte of what was not heard."""
    list(call.playback.resume(event.at))
    send_audio(call, [b"\x55"])
    mark_end(call, event)


def play_clip_again(call: Call, event: Event) -> None:
    send_audio(call, call.playback.play(event.at, Piece("clip", call.greeting_clip)))


def pausing(row: Transition) -> Transition:
    """The row, which keeps what was not heard where it should be dropped."""
    do = tuple(pause_playback if action is stop_playback else action for action in row.do)
    return evolve(row, do=tuple(action for action in do if action is not truncate_heard))


def resuming(row: Transition) -> Transition:
    """The row, with which the assistant goes on where it was stopped."""
    return evolve(row, to=State.AI_GRACE, when=(is_paused, *row.when), do=(*row.do, play_rest))


def to_grace(*actions: Action) -> Change:
    return lambda row: evolve(row, to=State.AI_GRACE, do=actions)


def aside(*actions: Action) -> Change:
    """The row, with these actions, and the state stays."""
    return lambda row: evolve(row, to=None, do=actions)


def leading_to_a_reply(row: Transition) -> Transition:
    return evolve(row, to=State.LISTENING, do=(note_first_real_utterance, accept_untranscribed))


Row = tuple[State, type[Event], Change, *tuple[str, ...]]
A_STOP: Final = (*A_CALL, "a voiced frame", "the detector is sure", "transcript of the oldest item: of one letter")
"""With all that shows whether it was somebody who stopped the assistant."""
RECORDED: Final = Scope("recorded", "RECORDED", ((GREETING, CLIP),), 2)
BROKEN: dict[str, tuple[Law, Row, Sequence[str], Scope]] = {
    "a reply to somebody who said nothing": (
        Law.NO_EARLY_RESPONSE, (State.WAITING_FOR_USER, RmsFrame, also(demand), "drop_frame"), A_CALL, TALK),
    "audio in silence": (Law.NO_STRAY_AUDIO, (State.LISTENING, TranscriptCompleted, also(speak), "accept"), A_CALL, TALK),
    "audio goes on while it is being cancelled": (
        Law.NO_STRAY_AUDIO, (State.AI_SPEAKING, RmsFrame, also(speak), "pause_playback"), A_CALL, TALK),
    "speech does not stop the assistant": (
        Law.BARGE_IN, (State.AI_SPEAKING, RmsFrame, leading(None), "pause_playback"), A_CALL, TALK),
    "speech stops the assistant, and Twilio plays on": (
        Law.BARGE_IN, (State.AI_SPEAKING, RmsFrame, without("pause_playback"), "pause_playback"), A_CALL, TALK),
    "speech stops the assistant, and is not heard": (
        Law.BARGE_IN, (State.AI_SPEAKING, RmsFrame, without("pass_speech", "note_interrupter"), "pause_playback"), A_CALL, TALK),
    "two replies at once": (
        Law.ONE_RESPONSE, (State.LISTENING, ResponseCreated, also(demand), "adopt_response"), A_CALL, TALK),
    "a reply is requested while one is being cancelled": (
        Law.ONE_RESPONSE, (State.CANCELLING, TranscriptCompleted, also(demand), "accept"), A_CALL, TALK),
    "a greeting that was not requested is awaited": (
        Law.NO_DEAD_END, (State.CALIBRATING, RmsFrame, without("request_greeting"), "request_greeting"), A_CALL, GREETED),
    "what was said is forgotten": (
        Law.VERDICT, (State.LISTENING, TranscriptCompleted, without("accept"), "accept"), A_CALL, TALK),
    "a failed reply is not owed again": (
        Law.ANSWERED, (State.LISTENING, ResponseDone, without("owe_reply"), "delete_unheard_items"), A_CALL, TALK),
    "a goodbye that was not let is the only answer": (
        Law.ANSWERED, (State.LISTENING, ResponseDone, without("owe_reply"), "stay"), TOOL_CALL, TOOLS),
    "a session that is gone is told": (
        Law.READINESS, (State.LISTENING, RealtimeLost, also(tell), "lose"), (*A_CALL, "session lost"), TALK),
    "a noise without words is taken for somebody": (
        Law.NO_EARLY_RESPONSE,
        (State.WAITING_FOR_USER, TranscriptFailed, leading_to_a_reply, "reject"),
        (*A_CALL, "speech", "long speech", "transcript of the oldest item: failed"), TALK),
    "the floor is given up while the assistant is heard": (
        Law.HEARD, (State.AI_SPEAKING, TimerFired, without_clear, "stop_playback"), A_CALL, TALK),
    "only the first of what was held back is played": (
        Law.WHOLE, (State.LISTENING, RmsFrame, doing(drop_frame, drop_blip, play_first_held), "play_held"), A_CALL, TALK),
    "an answer to what was said before the last word": (
        Law.NEWEST, (State.LISTENING, TranscriptCompleted, lambda row: evolve(row, to=None, do=(accept,)), "cancel_response"), A_CALL, TALK),
    "a voice that stopped the assistant for good, who goes on all the same": (
        Law.CONFIRMED_STAYS, (State.CANCELLING, RmsFrame, to_grace(pass_speech, play_rest), "confirm"), A_STOP, TALK),
    "the detector's word, at which the assistant goes on": (
        Law.CONFIRMED_STAYS, (State.CANCELLING, SpeechDetected, to_grace(play_rest), "confirm"), A_STOP, TALK),
    "a voice does not end what was being said": (
        Law.CALLER_WINS, (State.CANCELLING, RmsFrame, without("drop_rest"), "confirm"), A_STOP, TALK),
    "a voice that was heard in the grace does not end it": (
        Law.CALLER_WINS, (State.AI_SPEAKING, RmsFrame, pausing, "confirm"), A_STOP, TALK),
    "the detector's word does not end it": (
        Law.CALLER_WINS, (State.CANCELLING, SpeechDetected, without("drop_rest"), "confirm"), A_STOP, TALK),
    "accepted words do not end it": (
        Law.CALLER_WINS, (State.CANCELLING, TranscriptCompleted, without("drop_rest"), "confirm"), A_STOP, TALK),
    "the assistant has gone on, and talks over the words that were accepted": (
        Law.CALLER_WINS, (State.AI_GRACE, TranscriptCompleted, aside(accept), "confirm"), A_STOP, TALK),
    "a doubt about a blip that never ends": (
        Law.GOES_ON, (State.CANCELLING, RmsFrame, doing(pass_speech), "drop_blip", "hold_frame"), A_STOP, TALK),
    "a doubt about a longer sound that never ends": (
        Law.GOES_ON, (State.CANCELLING, RmsFrame, doing(pass_speech), "commit_doubted"), A_STOP, TALK),
    "nobody spoke, and the rest is dropped": (
        Law.GOES_ON, (State.CANCELLING, RmsFrame, also(finish_playback), "drop_blip", "hold_frame"), A_STOP, TALK),
    "nobody spoke, and the rest is never said": (
        Law.NO_DEAD_END, (State.LISTENING, ReplyDue, aside(), "play_rest"), A_STOP, TALK),
    "nobody spoke, and a part of the rest is said": (
        Law.GOES_ON, (State.LISTENING, ReplyDue, doing(play_a_bit), "play_rest"), A_STOP, TALK),
    "nobody spoke, and the rest is asked for instead of being said": (
        Law.GOES_ON, (State.LISTENING, ReplyDue, aside(request_rest), "play_rest"), A_STOP, TALK),
    "what was still to come is not asked for when the rest was said": (
        Law.GOES_ON, (State.LISTENING, ReplyDue, also(settle_rest), "play_rest"), A_STOP, TALK),
    "what was still to come is not asked for when the words are rejected": (
        Law.GOES_ON, (State.AI_SPEAKING, RmsFrame, without("owe_rest"), "owe_rest", "confirm"), A_STOP, TALK),
    "the assistant goes on while the caller speaks": (
        Law.NO_STRAY_AUDIO, (State.LISTENING, RmsFrame, resuming, "pass_weak"), (*A_STOP, "a frame just below the threshold"), TALK),
    "what was being said is truncated at the stop": (
        Law.UNTOUCHED, (State.AI_SPEAKING, RmsFrame, also(truncate), "pause_playback"), A_STOP, TALK),
    "what was being said is truncated when nobody spoke": (
        Law.UNTOUCHED, (State.LISTENING, ReplyDue, also(truncate), "play_rest"), A_STOP, TALK),
    "what was being said is deleted when its response is over": (
        Law.UNTOUCHED, (State.CANCELLING, ResponseDone, doing(response_over, delete_left), "note_left_items"), A_STOP, TALK),
    "a recording that was heard is played again": (
        Law.NO_STRAY_AUDIO, (State.WAITING_FOR_USER, RmsFrame, to_grace(play_clip_again), "drop_frame"), A_CALL, RECORDED),
    "a row raises": (Law.NO_EXCEPTION, (State.LISTENING, AudioDelta, also(fall_over), "play"), A_CALL, TALK),
}  # fmt: skip


def first_broken(explorer: Explorer) -> Law | None:
    explorer.run()
    broken = explorer.broken or check_answers(explorer.order).broken or check_resumes(explorer.order).broken
    return broken.law if broken else None


@pytest.mark.parametrize(("law", "row", "names", "scope"), BROKEN.values(), ids=BROKEN)
def test_a_table_with_one_thing_wrong_breaks_the_law(law: Law, row: Row, names: Sequence[str], scope: Scope) -> None:
    short = explorer(engine(*row), names, scope)

    assert law is first_broken(short)


def test_a_grace_as_long_as_the_reply_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine._DEADLINE, State.AI_GRACE, lambda call: call.playback.ends_at + 0.02)

    assert Law.GRACE is first_broken(explorer(ENGINE, A_CALL))


def test_an_utterance_that_is_forgotten_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    settle = Turn.settle

    def settle_all(turn: Turn, utterance: Utterance, *, rejected: bool) -> None:
        settle(turn, utterance, rejected=rejected)
        turn.unsettled.clear()

    monkeypatch.setattr(Turn, "settle", settle_all)

    assert Law.VERDICT is first_broken(explorer(ENGINE, A_CALL))


def test_an_rms_of_the_loud_frames_alone_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Utterance, "rms", property(lambda _: 1e6))
    names = (*A_CALL, "a frame just below the threshold", "speech", "long speech")

    assert Law.NO_EARLY_RESPONSE is first_broken(explorer(ENGINE, names))


@pytest.mark.parametrize(
    ("names", "scope"),
    [(A_STOP, TALK), (TOOL_CALL, TOOLS), (A_STOP, RECORDED)],
    ids=["talk", "functions", "recording"],
)
def test_the_table_as_it_is_breaks_none(names: Sequence[str], scope: Scope) -> None:
    assert first_broken(explorer(ENGINE, names, scope)) is None
