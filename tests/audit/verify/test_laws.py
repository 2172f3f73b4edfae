"""Each law is broken by a table that has one thing wrong, and by no other law's fault."""

from collections.abc import Sequence

import pytest
from attrs import evolve

from callfsm import machine
from callfsm.audit.verify.explore import Explorer
from callfsm.audit.verify.fairness import check_answers
from callfsm.audit.verify.laws import Law
from callfsm.audit.verify.scopes import TOOLS, Scope
from callfsm.call import Call
from callfsm.effects import CreateItem, CreateResponse, PlayAudio
from callfsm.events import (
    AudioDelta,
    Event,
    RealtimeLost,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import Turn, Utterance
from callfsm.machine import ENGINE
from callfsm.states.base import State, Transition
from callfsm.states.frames import drop_blip, drop_frame
from callfsm.states.playing import finish_playback, play_held, stop_playback
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


def leading_to_a_reply(row: Transition) -> Transition:
    return evolve(row, to=State.LISTENING, do=(note_first_real_utterance, accept_untranscribed))


Row = tuple[State, type[Event], Change, str]
BROKEN: dict[str, tuple[Law, Row, Sequence[str], Scope]] = {
    "a reply to somebody who said nothing": (
        Law.NO_EARLY_RESPONSE, (State.WAITING_FOR_USER, RmsFrame, also(demand), "drop_frame"), A_CALL, TALK),
    "audio in silence": (Law.NO_STRAY_AUDIO, (State.LISTENING, TranscriptCompleted, also(speak), "accept"), A_CALL, TALK),
    "audio goes on while it is being cancelled": (
        Law.NO_STRAY_AUDIO, (State.AI_SPEAKING, RmsFrame, also(speak), "stop_playback"), A_CALL, TALK),
    "speech does not stop the assistant": (
        Law.BARGE_IN, (State.AI_SPEAKING, RmsFrame, leading(None), "stop_playback"), A_CALL, TALK),
    "speech stops the assistant, and Twilio plays on": (
        Law.BARGE_IN, (State.AI_SPEAKING, RmsFrame, without("stop_playback"), "stop_playback"), A_CALL, TALK),
    "speech stops the assistant, and is not heard": (
        Law.BARGE_IN, (State.AI_SPEAKING, RmsFrame, without("pass_speech"), "stop_playback"), A_CALL, TALK),
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
    "a row raises": (Law.NO_EXCEPTION, (State.LISTENING, AudioDelta, also(fall_over), "play"), A_CALL, TALK),
}  # fmt: skip


def first_broken(explorer: Explorer) -> Law | None:
    explorer.run()
    broken = explorer.broken or check_answers(explorer.order).broken
    return broken.law if broken else None


@pytest.mark.parametrize(("law", "row", "names", "scope"), BROKEN.values(), ids=BROKEN)
def test_a_table_with_one_thing_wrong_breaks_the_law(law: Law, row: Row, names: Sequence[str], scope: Scope) -> None:
    state, event, change, action = row
    short = explorer(engine(state, event, change, action), names, scope)

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


@pytest.mark.parametrize(("names", "scope"), [(A_CALL, TALK), (TOOL_CALL, TOOLS)], ids=["talk", "functions"])
def test_the_table_as_it_is_breaks_none(names: Sequence[str], scope: Scope) -> None:
    assert first_broken(explorer(ENGINE, names, scope)) is None
