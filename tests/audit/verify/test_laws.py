"""Each law is broken by a table that has one thing wrong, and by no other law's fault."""

from collections.abc import Sequence

import pytest

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
    TranscriptCompleted,
)
from callfsm.machine import ENGINE
from callfsm.states.base import State
from tests.audit.verify.changed import (
    A_CALL,
    GREETED,
    TALK,
    TOOL_CALL,
    Change,
    also,
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


@pytest.mark.parametrize(("names", "scope"), [(A_CALL, TALK), (TOOL_CALL, TOOLS)], ids=["talk", "functions"])
def test_the_table_as_it_is_breaks_none(names: Sequence[str], scope: Scope) -> None:
    assert first_broken(explorer(ENGINE, names, scope)) is None
