"""Which mutants the tests notice: the cases of the cell first, then all cases, then the dialogues."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest

from callfsm import machine
from callfsm.events import Event
from callfsm.machine import Engine
from callfsm.states.base import State
from tests.table import Case, check
from tests.test_table import CASES

DIALOGUES = (
    "tests/states/test_deadlines.py",
    "tests/test_machine.py",
    "tests/test_phases.py",
    "tests/test_scenarios.py",
    "tests/test_scenarios_clip.py",
    "tests/test_scenarios_link.py",
    "tests/test_scenarios_replies.py",
    "tests/test_scenarios_speaking.py",
    "tests/test_scenarios_tools.py",
    "tests/test_scenarios_transcripts.py",
)


@contextmanager
def served_by(engine: Engine) -> Iterator[None]:
    """Let all calls be moved by another engine for a while."""
    kept = machine.ENGINE._trigger  # noqa: SLF001 - a test's own way in
    machine.ENGINE._trigger = engine._trigger  # noqa: SLF001
    try:
        yield
    finally:
        machine.ENGINE._trigger = kept  # noqa: SLF001


def _fails(case: Case) -> bool:
    try:
        check(case)
    except Exception:  # noqa: BLE001 - a mutant may raise anything; that is what is asked
        return True
    return False


def notice(state: State | None = None, event: type[Event] | None = None) -> bool:
    """Say whether any case fails; those of the cell that was changed are asked first."""
    first = [case for case in CASES if case.state is state and type(case.event) is event]
    chosen = {id(case) for case in first}
    others = [case for case in CASES if id(case) not in chosen]
    return any(_fails(case) for case in (*first, *others))


def notice_in_dialogues() -> bool:
    """Say whether any of the longer tests of the core fails."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", *DIALOGUES])
    return code != pytest.ExitCode.OK
