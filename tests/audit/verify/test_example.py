"""What is printed of a broken law: a test that can be pasted, and that fails for that very law."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from callfsm import machine
from callfsm.audit.verify import command, explore
from callfsm.audit.verify.example import as_test, way_of
from callfsm.audit.verify.explore import Broken, Explorer
from callfsm.audit.verify.fairness import check_answers, check_resumes
from callfsm.audit.verify.laws import Law, LawBrokenError
from callfsm.audit.verify.scopes import TALK, TOOLS, Scope
from callfsm.events import ReplyDue, ResponseDone, RmsFrame
from callfsm.states import TABLE
from callfsm.states.base import State, StateSpec
from callfsm.states.interrupting import settle_rest
from tests.audit.verify.changed import A_CALL, TOOL_CALL, also, engine, explorer, table, without

MUTE = (State.AI_SPEAKING, RmsFrame, without("pause_playback"), "pause_playback")
UNSAID = (State.LISTENING, ReplyDue, also(settle_rest), "play_rest")
UNANSWERED = (State.LISTENING, ResponseDone, without("owe_reply"), "delete_unheard_items")


def pasted(text: str) -> Callable[[], None]:
    """The one test of a text."""
    there: dict[str, Any] = {}
    exec(text, there)  # noqa: S102 - it is our own, and that it runs is what is tested
    return next(thing for name, thing in there.items() if name.startswith("test_"))  # type: ignore[no-any-return]


def broken_by(row: tuple[Any, ...], names: Sequence[str], scope: Scope = TALK) -> tuple[Explorer, Broken]:
    short = explorer(engine(*row), names, scope)
    short.run()
    found = short.broken or check_answers(short.order).broken or check_resumes(short.order).broken
    assert found is not None
    return short, found


def test_the_printed_test_fails_for_the_law_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    short, broken = broken_by(MUTE, A_CALL)
    test = pasted(as_test(short, broken, "TALK"))
    test()
    monkeypatch.setattr(machine.ENGINE, "_trigger", short.engine._trigger)

    with pytest.raises(LawBrokenError) as caught:
        test()
    assert Law.BARGE_IN is broken.law is caught.value.law


@pytest.mark.parametrize(("law", "row"), [(Law.ANSWERED, UNANSWERED), (Law.GOES_ON, UNSAID)], ids=["answer", "rest"])
def test_what_never_comes_fails_as_an_assertion(
    law: Law, row: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    short, broken = broken_by(row, A_CALL)
    test = pasted(as_test(short, broken, "TALK"))
    test()
    monkeypatch.setattr(machine.ENGINE, "_trigger", short.engine._trigger)

    assert law is broken.law
    with pytest.raises(AssertionError):
        test()


def test_the_way_is_the_shortest_and_its_times_are_real() -> None:
    short, broken = broken_by(MUTE, A_CALL)
    way = way_of(short, broken)

    assert way is not None
    assert list(way.events) == sorted(way.events, key=lambda event: event.at)
    assert "a frame at the threshold" == broken.path[-1]
    assert len(broken.path) == len(set(range(len(broken.path))))


def verified(monkeypatch: pytest.MonkeyPatch, specs: Sequence[StateSpec], names: Sequence[str], scope: Scope) -> int:
    """Run the command on some inputs of a table."""

    class Short:
        name, constant = scope.name, scope.constant

        def explorer(self, engine: Any) -> Explorer:
            return explorer(engine, names, scope)

    monkeypatch.setattr(command, "SCOPES", (Short(),))
    monkeypatch.setattr(command, "TABLE", tuple(specs))
    return command.main([])


def test_the_command_prints_counts_the_example_and_rows_that_were_not_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = verified(monkeypatch, table(*MUTE), A_CALL, TALK)
    out = capsys.readouterr().out

    assert 1 == code
    assert "BROKEN BARGE_IN" in out
    assert "def test_barge_in() -> None:" in out
    assert "    # 1. " in out
    assert "NEVER TAKEN" not in out
    assert "holds:" not in out


def test_rows_that_are_never_taken_are_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = verified(monkeypatch, TABLE, TOOL_CALL, TOOLS)
    out = capsys.readouterr().out

    assert 1 == code
    assert "BROKEN" not in out
    assert "NEVER TAKEN GREETING x AudioDelta, row 1" in out
    assert "in all: " in out


def test_an_exploration_without_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(explore, "MOST_CONFIGURATIONS", 100)

    assert 1 == verified(monkeypatch, TABLE, A_CALL, TALK)
    assert capsys.readouterr().out.startswith("ENDLESS: more than 100 configurations")
