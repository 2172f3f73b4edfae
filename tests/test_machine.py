"""The engine: the order of things within one dispatch, time, and what it must never do."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from transitions import Machine, Transition

from callfsm import machine
from callfsm.call import Call
from callfsm.effects import CancelResponse, ClearPlayback, CreateResponse, Effect, EndCall, Log, SendMark
from callfsm.events import (
    EVENTS,
    AudioDelta,
    CallEnded,
    DtmfReceived,
    Event,
    PlaybackMarked,
    ReplyDue,
    ResponseDone,
    RmsFrame,
    TimerFired,
    ToolCalled,
    TranscriptCompleted,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.machine import (
    MACHINE,
    Engine,
    NoTransitionError,
    StuckTimerError,
    build,
    dispatch,
    is_reply_due,
    next_deadline,
)
from callfsm.speaking.response import Owed
from callfsm.states import TABLE
from callfsm.states.base import State
from tests.calls import (
    Story,
    audio,
    calibrating,
    cancelling,
    confirmed,
    given_up,
    grace,
    listening,
    loud,
    quiet,
    quiets,
    reply_begun,
    reply_requested,
    said_hello,
    speaking,
    tail,
    utterance,
    waiting,
)
from tests.states.interrupted import stopped_at_end
from tests.table import snapshot

DONE = ResponseDone(3.75, "r1", 1, "cancelled", ("a1",))
PAUSED = cancelling()
PAUSED_OVER = PAUSED.then(DONE)
LOOKED_UP = ToolCalled(3.0, "r1", "c1", "lookup", "{}")

OWED_LATER = reply_begun().then(utterance(4.0, "v"))


class BrokenError(RuntimeError):
    """An action failed."""


def patched(monkeypatch: pytest.MonkeyPatch, built: Machine) -> None:
    triggers = {event: built.events[event.__name__].trigger for event in EVENTS if event.__name__ in built.events}
    monkeypatch.setattr(machine.ENGINE, "_trigger", triggers)


def recorded(seen: list[str]) -> Machine:
    """A machine of the table that also notes each action, each state left and each state entered."""
    built = build()
    for event in built.events.values():
        for transitions in event.transitions.values():
            for row in transitions:
                row.before = [_noting(seen, action) for action in row.before]
    for name, state in built.states.items():
        state.on_exit.append(lambda *_args, left=name: seen.append(f"exit {left}"))
        state.on_enter.insert(0, lambda *_args, entered=name: seen.append(f"enter {entered}"))
    return built


def _noting(seen: list[str], action: Any) -> Callable[..., None]:
    def noted(*args: object) -> None:
        seen.append(action.__name__)
        action(*args)

    return noted


# The order of one step


def test_actions_come_before_the_change_of_state(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    call = speaking().call()
    patched(monkeypatch, recorded(seen))
    dispatch(call, loud(3.75))

    actions = [
        "owe_rest",
        "log_barge_in",
        "pause_playback",
        "cancel_response",
        "pass_speech",
        "note_interrupter",
    ]
    assert [*actions, "exit AI_SPEAKING", "enter CANCELLING"] == seen


def test_an_internal_reaction_leaves_and_enters_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    call = speaking().call()
    patched(monkeypatch, recorded(seen))
    dispatch(call, quiet(3.75))

    assert ["drop_frame"] == seen


def test_the_entry_of_the_end_follows_the_row_that_leads_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    call = speaking().call()
    patched(monkeypatch, recorded(seen))

    assert [EndCall("hung_up")] == dispatch(call, CallEnded(3.75, "hung_up"))
    assert ["note_end", "exit AI_SPEAKING", "enter ENDED"] == seen


def test_an_owed_reply_is_requested_after_the_event_that_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    call = said_hello().call()
    patched(monkeypatch, recorded(seen))
    effects = dispatch(call, TranscriptCompleted(2.5, "u1", "שלום"))

    moved = ["exit WAITING_FOR_USER", "enter LISTENING"]
    assert ["note_first_real_utterance", "accept", *moved, "stay", "request_reply"] == seen
    assert [Log, Log, CreateResponse] == [type(effect) for effect in effects]


def test_the_calibration_s_frames_are_gated_in_the_state_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    call = calibrating(74).call()
    patched(monkeypatch, recorded(seen))
    dispatch(call, quiet(1.0))

    moved = ["exit CALIBRATING", "enter WAITING_FOR_USER"]
    assert ["keep_frame", "calibrate", *moved, *["drop_frame"] * 75] == seen
    assert 0 == len(call.backlog)


# Failures


def break_action(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have every row fail in this action."""
    built = build()
    for event in built.events.values():
        for transitions in event.transitions.values():
            for row in transitions:
                row.before = [_breaking if _name(action) == name else action for action in row.before]
    patched(monkeypatch, built)


def _breaking(*_args: object) -> None:
    raise BrokenError


def _name(action: Any) -> str:
    return str(action.__name__)


def test_an_action_that_raises_leaves_no_effects_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    call = speaking().call()
    break_action(monkeypatch, "cancel_response")

    with pytest.raises(BrokenError):
        dispatch(call, loud(3.75))
    assert State.AI_SPEAKING is call.state
    assert [] == call.effects


def test_the_effects_of_a_timer_before_a_failure_are_thrown_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    call = reply_begun().call()
    break_action(monkeypatch, "drop_frame")

    with pytest.raises(BrokenError):
        dispatch(call, quiet(11.0))
    assert State.CANCELLING is call.state
    assert [] == call.effects


def test_a_failed_call_can_still_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    call = speaking().call()
    break_action(monkeypatch, "cancel_response")
    with pytest.raises(BrokenError):
        dispatch(call, loud(3.75))

    assert [EndCall("bug")] == dispatch(call, CallEnded(3.75, "bug"))


def test_an_event_that_no_row_takes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    call = listening().call()
    before = snapshot(call)
    built = build()
    built.remove_transition("DtmfReceived", source=State.LISTENING.name)
    for transitions in built.events["DtmfReceived"].transitions.values():
        transitions.clear()
    built.events["DtmfReceived"].transitions[State.LISTENING.name] = _impossible(built)
    patched(monkeypatch, built)

    with pytest.raises(NoTransitionError, match=r"^DtmfReceived in LISTENING$"):
        dispatch(call, DtmfReceived(4.0, "1"))
    assert before == snapshot(call)


def _impossible(built: Machine) -> list[Transition]:
    """Rows whose guards never hold."""
    built.add_transition("Never", State.LISTENING, None, conditions=[lambda *_args: False])
    return list(built.events["Never"].transitions[State.LISTENING.name])


# Time


@pytest.mark.parametrize(
    ("at", "state", "effects"),
    [
        pytest.param(3.25 + 0.299, State.AI_GRACE, [], id="299 ms"),
        pytest.param(3.25 + 0.3, State.CANCELLING, [Log, ClearPlayback, CancelResponse], id="300 ms"),
        pytest.param(3.25 + 0.301, State.CANCELLING, [Log, ClearPlayback, CancelResponse], id="301 ms"),
    ],
)
def test_a_deadline_passes_before_the_event_that_comes_with_it(
    at: float, state: State, effects: list[type[Effect]]
) -> None:
    call = grace().call()
    found = dispatch(call, loud(at))

    assert state is call.state
    assert effects == [type(effect) for effect in found][: len(effects)]


def test_the_timer_is_fed_at_the_very_time_of_the_deadline() -> None:
    call = reply_begun().call()
    dispatch(call, TimerFired(11.75))

    assert 10.5 == call.response.cancelled_at
    assert 12.0 == call.deadline


def test_several_deadlines_pass_in_their_order() -> None:
    """No audio by 10.5, no end of it by 12.0, no audio of the second by 20.0: the call ends."""
    call = reply_begun().call()
    effects = dispatch(call, quiet(60.0))

    assert [
        CancelResponse("cancel3", "r1"),
        CreateResponse("create4", 2, None),
        EndCall("reply_failed"),
    ] == effects
    assert State.ENDED is call.state
    assert math.inf == call.deadline


@pytest.mark.parametrize("at", [2.75, 5.0, 10.499])
def test_a_stale_timer_does_nothing(at: float) -> None:
    call = reply_begun().call()
    before = snapshot(call)

    assert [] == dispatch(call, TimerFired(at))
    assert before == snapshot(call)


def test_the_deadline_is_the_earliest_of_what_is_awaited() -> None:
    call = OWED_LATER.call()

    assert 7.0 == call.deadline == next_deadline(call)
    assert [] == dispatch(call, TimerFired(6.999))


def test_after_a_late_end_of_the_reply_the_last_mark_is_waited_for() -> None:
    """Generation stalled for three seconds after all of its audio could be heard; only then its end came."""
    call = speaking().then(PlaybackMarked(3.75, "m2")).call()

    assert [SendMark("m3")] == dispatch(call, ResponseDone(7.0, "r1", 1, "completed", ("a1",)))
    assert 7.0 < call.deadline
    assert [] == dispatch(call, PlaybackMarked(7.125, "m3"))
    assert State.LISTENING is call.state


def test_after_a_late_end_of_the_reply_no_deadline_lies_in_the_past() -> None:
    """Its two marks were lost and generation stalled for five seconds; time must not run backwards now."""
    call = reply_begun().then(AudioDelta(3.25, "r1", "a1", audio(400)), TimerFired(4.0)).call()

    assert [] == dispatch(call, ResponseDone(8.5, "r1", 1, "completed", ("a1",)))
    assert 8.5 <= call.deadline


@pytest.mark.parametrize(
    "given", [waiting(), listening(), calibrating()], ids=["waiting", "listening", "calibrating"]
)
def test_a_call_that_waits_for_frames_has_no_deadline(given: Story) -> None:
    assert math.inf == given.call().deadline


# Debts


def test_a_reply_is_due_only_where_nothing_forbids_it() -> None:
    nothing_owed, in_flight, cancelled = listening().call(), reply_requested().call(), given_up().call()

    assert [False] * 3 == [is_reply_due(call) for call in (nothing_owed, in_flight, cancelled)]


@pytest.mark.parametrize("owed", [Owed.GREETING, Owed.REPLY, Owed.REST])
def test_whatever_is_owed_is_paid(owed: Owed) -> None:
    call = listening().call()
    call.response.owed = owed

    assert is_reply_due(call)


@pytest.mark.parametrize(
    ("story", "is_due"),
    [
        pytest.param(PAUSED, False, id="the cancelled response is not over"),
        pytest.param(PAUSED_OVER, False, id="the sound is open"),
        pytest.param(confirmed().then(DONE), False, id="nothing is kept, and the caller speaks"),
    ],
)
def test_what_is_paused_waits(story: Story, is_due: bool) -> None:
    assert is_due is is_reply_due(story.call())


@pytest.mark.parametrize("phase", [TurnPhase.SILENT, TurnPhase.UNSETTLED])
def test_what_is_paused_needs_no_session_and_no_verdict(phase: TurnPhase) -> None:
    call = PAUSED_OVER.call()
    call.turn.phase, call.is_ready, call.tools = phase, False, {"c1": 9.0}

    assert is_reply_due(call)


@pytest.mark.parametrize(
    ("phase", "is_ready", "tools", "is_due"),
    [
        pytest.param(TurnPhase.SILENT, True, {}, True, id="nothing forbids it"),
        pytest.param(TurnPhase.SPEAKING, True, {}, False, id="a sound is open"),
        pytest.param(TurnPhase.UNSETTLED, True, {}, False, id="a transcript is awaited"),
        pytest.param(TurnPhase.SILENT, False, {}, False, id="there is no session"),
        pytest.param(TurnPhase.SILENT, True, {"c1": 9.0}, False, id="a function is awaited"),
    ],
)
def test_what_is_paused_and_has_all_been_heard_is_a_request_like_any_other(
    phase: TurnPhase, is_ready: bool, tools: dict[str, float], is_due: bool
) -> None:
    call = stopped_at_end().then(DONE).call()
    call.turn.phase, call.is_ready, call.tools = phase, is_ready, tools

    assert is_due is is_reply_due(call)


def test_what_is_paused_goes_on_in_the_step_that_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    call = PAUSED.then(quiets(3.75, 30)).call()
    patched(monkeypatch, recorded(seen))
    dispatch(call, DONE)

    back, on = ["exit CANCELLING", "enter LISTENING"], ["exit LISTENING", "enter AI_GRACE"]
    assert ["response_over", "note_left_items", *back, "play_rest", *on] == seen


def test_reply_due_is_internal() -> None:
    """A state that requests nothing takes it and does nothing."""
    call = speaking().call()

    assert [] == dispatch(call, ReplyDue(3.75))


def ignoring(state: State, event: type[Event]) -> Engine:
    """An engine whose table has, by mistake, nothing for an event in a state."""
    specs = [
        evolve(
            spec,
            transitions=tuple(row for row in spec.transitions if row.event is not event),
            ignores=(*spec.ignores, event),
        )
        if spec.state is state
        else spec
        for spec in TABLE
    ]
    return Engine(build(specs))


def test_a_timer_that_no_row_moves_is_an_error_and_no_endless_loop() -> None:
    engine, call = ignoring(State.AI_GRACE, TimerFired), grace().call()

    with pytest.raises(StuckTimerError, match="AI_GRACE"):
        engine.dispatch(call, quiet(3.5625))
    assert [] == call.effects


def test_a_debt_that_no_row_pays_is_no_endless_loop() -> None:
    engine, call = ignoring(State.LISTENING, ReplyDue), said_hello().call()
    engine.dispatch(call, TranscriptCompleted(2.5, "u1", "שלום לך"))

    assert Owed.REPLY is call.response.owed


# Determinism

SCRIPT: list[Event] = [
    *tail().events,
    loud(3.75, "x"),
    RmsFrame(3.75, 90.0, "y"),
    CallEnded(4.0, "hung_up"),
]


def play(call: Call) -> list[list[Effect]]:
    return [dispatch(call, event) for event in SCRIPT]


def test_the_same_events_have_the_same_effects_byte_for_byte() -> None:
    first, second = (play(Call.begin(tail().config, tail().business)) for _ in range(2))

    assert first == second
    assert repr(first) == repr(second)


def test_two_calls_share_nothing() -> None:
    alone = Call.begin(tail().config, tail().business)
    untouched = snapshot(Call.begin(tail().config, tail().business))
    busy, idle = (Call.begin(tail().config, tail().business) for _ in range(2))

    assert play(alone) == play(busy)
    assert untouched == snapshot(idle)


def test_two_calls_may_take_turns() -> None:
    one, other = (Call.begin(tail().config, tail().business) for _ in range(2))
    effects = [(dispatch(one, event), dispatch(other, event)) for event in SCRIPT]

    assert [mine for mine, _ in effects] == [theirs for _, theirs in effects]
    assert snapshot(one) == snapshot(other)


def test_calls_are_told_apart_though_they_are_alike() -> None:
    one, other = (Call.begin(tail().config, tail().business) for _ in range(2))

    assert one != other
    assert [] == MACHINE.models


@pytest.mark.parametrize(
    ("story", "is_open"),
    [
        pytest.param(waiting(), False, id="nobody speaks"),
        pytest.param(waiting().then(loud(2.0)), True, id="speech"),
        pytest.param(waiting().then(loud(2.0), quiets(2.0, 25)), True, id="in the hangover"),
        pytest.param(waiting().then(loud(2.0), quiets(2.0, 26)), False, id="past the hangover"),
    ],
)
def test_the_gate_is_open_where_the_newest_frame_passed(story: Story, is_open: bool) -> None:
    assert is_open is story.call().is_gate_open


@pytest.mark.parametrize(
    ("story", "deadline"),
    [
        pytest.param(listening(), math.inf, id="nothing"),
        pytest.param(listening().then(DtmfReceived(4.0, "1"), DtmfReceived(5.0, "2")), 7.0, id="keys"),
        pytest.param(reply_begun().with_tools().then(LOOKED_UP), 8.0, id="a function"),
        pytest.param(reply_begun().with_tools().then(LOOKED_UP, DtmfReceived(3.5, "1")), 5.5, id="both"),
    ],
)
def test_keys_and_functions_have_deadlines_of_their_own(story: Story, deadline: float) -> None:
    assert deadline == next_deadline(story.call())


def test_no_reply_is_due_while_a_function_is_awaited() -> None:
    call = reply_begun().with_tools().then(LOOKED_UP, ResponseDone(3.5, "r1", 1, "completed")).call()
    call.response.owed = Owed.REPLY
    assert not is_reply_due(call)

    call.tools.clear()
    assert is_reply_due(call)
