"""The diagrams: fresh in the checkout, complete, and the same as what the engine's own library draws."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transitions import Machine
from transitions.extensions import GraphMachine

from callfsm.audit.diagram import dot, mermaid
from callfsm.audit.diagram.command import main, render, sources, stale, write
from callfsm.audit.diagram.drawing import DrawingError
from callfsm.audit.diagram.graph import MARKER, Move, Named, PhaseMachine, Row
from callfsm.audit.diagram.markdown import escape
from callfsm.audit.diagram.model import UndrawableError, read_machine
from callfsm.machine import build
from callfsm.states.base import State

COMMITTED = Path(__file__).parents[3] / "diagrams"
ARROW = re.compile(r"^\s*(\w+) --> (\w+): (.*)$", re.MULTILINE)
GRAPH = read_machine()


class Drawn(GraphMachine):
    """The library's own drawing machine, with a model to look at."""

    def __init__(self, **settings: Any) -> None:
        settings["model"] = Model()
        settings["initial"] = State.CALIBRATING
        super().__init__(**settings, graph_engine="mermaid", show_conditions=True)


class Model:
    """The library draws only what belongs to a model."""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    directory = tmp_path / "diagrams"
    directory.mkdir()
    for path, text in render(GRAPH).items():
        (directory / path).parent.mkdir(exist_ok=True)
        (directory / path).write_text(text)
    for path in sources(GRAPH):
        (directory / path).write_bytes((COMMITTED / path).read_bytes())
    return directory


@pytest.fixture
def no_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing here"))


def changed() -> Machine:
    machine = build()
    machine.add_transition("DtmfReceived", State.GREETING, State.LISTENING)
    machine.events["DtmfReceived"].transitions["GREETING"].reverse()
    return machine


@pytest.mark.usefixtures("no_graphviz")
def test_the_committed_diagrams_show_the_machine_that_runs() -> None:
    assert stale(COMMITTED) == []


def test_what_is_drawn_is_the_same_every_time() -> None:
    again = read_machine(build())

    assert (render(again), sources(again)) == (render(GRAPH), sources(GRAPH))


def test_a_changed_machine_makes_the_charts_that_show_it_stale() -> None:
    assert stale(COMMITTED, read_machine(changed())) == [
        "callfsm.mmd",
        "callfsm.svg",
        "states/greeting.mmd",
        "states/greeting.svg",
        "transitions.md",
    ]


def test_every_kind_of_decay_is_named(written: Path) -> None:
    drawing, chart = written / "turn.svg", written / "states/ended.mmd"
    drawing.write_text(drawing.read_text().replace("SILENT", "SILLY"))
    chart.unlink()
    (written / "states/gone.mmd").write_text(f"%% {MARKER}\n")
    (written / "notes.md").write_text("the reviewer's own\n")

    assert stale(written) == ["states/ended.mmd", "states/gone.mmd", "turn.svg"]


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_writing_brings_a_directory_up_to_date(written: Path) -> None:
    (written / "turn.svg").unlink()
    (written / "owed.mmd").write_text("")
    (written / "old.svg").write_text(f"<!-- {MARKER} -->\n")
    (written / "mine.md").write_text("the reviewer's own\n")
    kept = (written / "owed.svg").stat().st_mtime_ns

    assert main(["--dir", str(written)]) == 0
    assert main(["--dir", str(written), "--check"]) == 0
    assert not (written / "old.svg").exists()
    assert (written / "mine.md").exists()
    assert (written / "owed.svg").stat().st_mtime_ns == kept


def test_check_names_the_stale_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"stale: {tmp_path / path}" for path in sorted([*render(), *sources()])
    ]


@pytest.mark.usefixtures("no_graphviz")
def test_without_graphviz_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dir", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == ("callfsm diagram: graphviz is not installed: there is no `dot` on the PATH\n")
    assert not (tmp_path / "new").exists()


def test_a_graphviz_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\necho out of ink >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with pytest.raises(DrawingError, match=r"^graphviz failed: out of ink$"):
        write(tmp_path / "new")


def test_an_impossible_directory_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")

    assert main(["--check", "--dir", str(tmp_path / "file")]) == 2
    assert "Not a directory" in capsys.readouterr().err


def test_the_page_names_and_explains_everything() -> None:
    page = render(GRAPH)["transitions.md"]
    names = [*GRAPH.events, *GRAPH.guards(), *GRAPH.actions()]

    assert [named.name for named in names if f'<a id="{named.name}"></a>`{named.name}` | ' not in page] == []
    assert [state.name for state in State if f"### {state.name}\n" not in page] == []
    assert set(re.findall(r"\[(\w+)\](?![:(])", page)) == set(re.findall(r"^\[(\w+)\]: #", page, re.MULTILINE))


def test_the_page_has_every_row_of_the_engine() -> None:
    machine = build()
    rows = sum(len(rows) for event in machine.events.values() for rows in event.transitions.values())
    ignored = sum(len(state.ignored) for state in GRAPH.states)

    assert render(GRAPH)["transitions.md"].count("\n| [") == rows - ignored + len(GRAPH.states)


def test_the_changes_of_state_are_those_that_the_library_draws() -> None:
    theirs = {
        (source, target, row.split()[0])
        for source, target, label in ARROW.findall(build(machine_class=Drawn).get_graph().draw(None))
        for row in label.split(" | ")
        if "[internal]" not in row
    }
    ours = {(change.source, change.target, change.event) for change in GRAPH.changes()}

    assert ours == theirs


@pytest.mark.parametrize("path", ["callfsm.mmd", "callfsm.svg"])
def test_the_whole_chart_has_every_change_of_state(path: str) -> None:
    text = {**render(GRAPH), **sources(GRAPH)}[path].replace('"', "")
    everywhere = {mermaid.EVERY_STATE, dot.EVERY_STATE}
    living = [state.name for state in GRAPH.states if not state.is_final]
    drawn = {
        (start, target)
        for source, target in re.findall(r"^ +(\w[\w ]*) --?> (\w+)(?:: | \[)", text, re.MULTILINE)
        for start in (living if source in everywhere else [source])
    }

    assert drawn == {(change.source, change.target) for change in GRAPH.changes()}


def test_parallel_moves_share_an_arrow() -> None:
    small = PhaseMachine(
        "lamp",
        "Whether it burns.",
        (Named("OFF", "dark; cold"), Named("ON", "bright")),
        (Named("PRESS", "pressed"), Named("CLAP", "clapped")),
        ("OFF",),
        tuple(Move("OFF", by, "ON") for by in ("PRESS", "CLAP")),
    )

    assert mermaid.phase_chart(small).splitlines()[5:] == [
        "  OFF: OFF",
        "  OFF: dark#59; cold",
        "  ON: ON",
        "  ON: bright",
        "  [*] --> OFF",
        "  OFF --> ON: \N{BULLET} PRESS<br/>\N{BULLET} CLAP",
    ]


@pytest.mark.parametrize(
    ("hide", "why"),
    [
        (lambda m: m.add_transition("DtmfReceived", "ENDED", None, after=print), "DtmfReceived in ENDED, row 2"),
        (lambda m: m.add_transition("DtmfReceived", "ENDED", None, prepare=print), "DtmfReceived in ENDED, row 2"),
        (lambda m: m.add_transition("DtmfReceived", "ENDED", None, unless=print), "DtmfReceived in ENDED, row 2"),
        (lambda m: m.add_transition("DtmfReceived", "ENDED", None, before=lambda: 0), "needs a name"),
        (lambda m: m.add_transition("Sneezed", "ENDED", None), "the machine's triggers are not the events"),
        (lambda m: m.events["DtmfReceived"].transitions["ENDED"].clear(), "ENDED has no row for DtmfReceived"),
        (lambda m: m.states["ENDED"].on_exit.append(print), "ENDED has exit actions"),
        (lambda m: m.after_state_change.append(print), "the machine has callbacks beside its rows"),
    ],
)
def test_what_the_diagrams_would_not_show_is_refused(hide: Callable[[Machine], None], why: str) -> None:
    machine = build()
    hide(machine)

    with pytest.raises(UndrawableError, match=why):
        read_machine(machine)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a | b", r"a \| b"),
        ("reply_timeout_ms is _PRIVATE_", r"reply_timeout_ms is \_PRIVATE\_"),
        ("[x] <b> *y*", r"\[x\] \<b\> \*y\*"),
        ("only `a|b_` and c|d", r"only `a\|b_` and c\|d"),
        ("an odd ` and a | too", r"an odd \` and a \| too"),
    ],
)
def test_prose_is_not_taken_for_mark_up(text: str, expected: str) -> None:
    assert escape(text) == expected


@pytest.mark.parametrize(
    ("number", "guards", "expected"),
    [(1, ("a", "b"), "[a, b]"), (1, (), ""), (2, (), "[else]"), (2, ("a",), "[a]")],
)
def test_a_row_says_when_it_is_taken(number: int, guards: tuple[str, ...], expected: str) -> None:
    row = Row("DtmfReceived", number, tuple(Named(guard, "") for guard in guards), (), None)

    assert row.condition == expected
