"""The table as JSON and back, and the tables of other versions."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from callfsm.audit.diagram import export
from callfsm.audit.diagram.command import main
from callfsm.audit.diagram.export import ExportError, from_json, load, to_json
from callfsm.audit.diagram.model import read_machine
from callfsm.machine import build

GRAPH = read_machine()
PACKAGE = Path(export.__file__).parents[2]
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(repository: Path, *arguments: str) -> None:
    name = [
        "-c",
        "user.name=Tester",
        "-c",
        "user.email=tester@example.org",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    ]
    subprocess.run(["git", "-C", str(repository), *name, *arguments], check=True, capture_output=True)  # noqa: S603, S607


def commit(repository: Path, tag: str) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--message", tag)
    git(repository, "tag", tag)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the machine that runs, tagged `same`, and the current directory lies in it."""
    ignored = shutil.ignore_patterns("__pycache__", "sim", "server", "*.wav")
    shutil.copytree(PACKAGE, tmp_path / "callfsm", ignore=ignored)
    (tmp_path / "elsewhere").mkdir()
    git(tmp_path, "init")
    commit(tmp_path, "same")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_written_is_read_again() -> None:
    assert from_json(to_json(GRAPH)) == GRAPH


def test_the_same_machine_is_the_same_text() -> None:
    assert to_json(read_machine(build())) == to_json(GRAPH)


def test_the_text_has_the_table_in_its_order() -> None:
    machine = json.loads(to_json(GRAPH))["machine"]
    ai_grace = next(state for state in machine["states"] if state["name"] == "AI_GRACE")

    assert list(machine) == ["initial", "events", "states", "machines"]
    assert [state["name"] for state in machine["states"]] == [state.name for state in GRAPH.states]
    assert [(row["event"], row["number"], row["target"]) for row in ai_grace["rows"][:2]] == [
        ("RmsFrame", 1, None),
        ("RmsFrame", 2, None),
    ]
    assert [guard["name"] for guard in ai_grace["rows"][0]["guards"]] == ["is_loud"]
    assert ai_grace["deadline"]["name"] == "grace_deadline"
    assert ai_grace["ignored"][0] == "SpeechDetected"


def test_export_goes_to_stdout_or_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--export"]) == 0
    assert main(["--export", str(tmp_path / "machine.json")]) == 0
    assert capsys.readouterr().out == (tmp_path / "machine.json").read_text(encoding="utf-8") == to_json(GRAPH)


def test_export_into_nowhere_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--export", str(tmp_path / "nowhere" / "machine.json")]) == 2
    assert "nowhere" in capsys.readouterr().err


def machine() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(to_json(GRAPH))
    return values


def spoil(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        place: Any = values
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


ROW = ("machine", "states", 1, "rows", 2)
MOVE = ("machine", "machines", 0, "moves", 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (spoil("export", to=2), "$.export: is format 2; this version reads format 1"),
        (spoil("machine", to=[]), "$.machine: Expected `object`, got `array`"),
        (spoil("machine", "initial", to="ASLEEP"), "$.machine.initial: there is no state ASLEEP"),
        (spoil("machine", "states", 1, "name", to=7), "$.machine.states[1].name: Expected `str`, got `int`"),
        (spoil("machine", "states", 1, "colour", to="red"), "$.machine.states[1].colour: is not a key of a table"),
        (spoil(*ROW, to={}), "$.machine.states[1].rows[2]: Object missing required field `event`"),
        (spoil(*ROW, "event", to="Sneezed"), "$.machine.states[1].rows[2].event: there is no event Sneezed"),
        (spoil(*ROW, "target", to="ASLEEP"), "$.machine.states[1].rows[2].target: there is no state ASLEEP"),
        (spoil(*ROW, "number", to=9), "$.machine.states[1].rows[2].number: is 9, though it is row 3 for RmsFrame"),
        (
            spoil("machine", "states", 4, "ignored", to=["RmsFrame"]),
            (
                "$.machine.states[4]: every event has rows or is ignored, once;"
                " wrong with CallExpiring, RealtimeExpiring, RealtimeMissing, ReplyDue, RmsFrame, SpeechDetected"
            ),
        ),
        (spoil(*MOVE, "by", to="PUSH"), "$.machine.machines[0].moves[1]: there is no PUSH"),
        (spoil(*MOVE, "target", to="ASLEEP"), "$.machine.machines[0].moves[1]: there is no ASLEEP"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(change: Callable[[dict[str, Any]], None], why: str) -> None:
    values = machine()
    change(values)

    with pytest.raises(ExportError) as error:
        from_json(json.dumps(values))
    assert str(error.value) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        (b"\xff", "is not JSON"),
        ("[]", "is not the table of a machine"),
        ('{"machine": {}}', "is not the table of a machine"),
    ],
)
def test_what_is_no_table_is_refused(text: str | bytes, why: str) -> None:
    with pytest.raises(ExportError, match=why):
        from_json(text)


def test_a_file_is_named_with_what_is_wrong_in_it(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text("{}")

    with pytest.raises(ExportError, match=r"machine\.json: is not the table of a machine"):
        load(str(tmp_path / "machine.json"))


@needs_git
def test_a_revision_is_read_by_its_own_code(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by that of the current directory, which is being worked on."""
    monkeypatch.chdir(repository)
    rewrite(
        repository / "callfsm/states/ai_grace.py",
        "    deadline=grace_deadline",
        "    entry=(hold_frame,), deadline=grace_deadline",
    )
    (repository / "callfsm/audit/diagram/export.py").unlink()
    commit(repository, "entry")
    rewrite(repository / "callfsm/states/ai_grace.py", "entry=(hold_frame,)", "entry=(nonsense,)")

    was, now = load("same"), load("entry")
    grace = next(state for state in now.states if state.name == "AI_GRACE")
    expected = [evolve(state, entry=grace.entry) if state.name == "AI_GRACE" else state for state in GRAPH.states]

    assert was == GRAPH
    assert [action.name for action in grace.entry] == ["hold_frame"]
    assert now == evolve(GRAPH, states=tuple(expected))


@needs_git
def test_a_revision_from_before_the_diagrams_had_a_room_is_read(repository: Path) -> None:
    audit = repository / "callfsm/audit"
    (audit / "diagram/model.py").rename(audit / "model.py")
    commit(repository, "model")
    (audit / "diagram/graph.py").rename(audit / "graph.py")
    rewrite(audit / "model.py", "callfsm.audit.diagram.graph", "callfsm.audit.graph")
    shutil.rmtree(audit / "diagram")
    (audit / "diagram.py").write_text("raise ValueError('is not asked')\n")
    commit(repository, "modules")

    assert load("model") == load("modules") == GRAPH


@needs_git
def test_revisions_are_compared(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    rewrite(repository / "callfsm/states/ai_grace.py", "(hold_frame,)", "(drop_frame,)")
    commit(repository, "drops")

    assert [main(["--diff", "same"]), main(["--diff", "same", "drops"]), main(["--diff", "gone"])] == [0, 1, 2]
    out, err = capsys.readouterr()
    assert out.splitlines()[:2] == [
        "No change in the table. (What is written inside a guard or an action is not compared.)",
        "AI_GRACE x RmsFrame: row 1 when is_loud: actions were hold_frame, now drop_frame",
    ]
    assert err == "callfsm diagram: gone: is neither a file nor a revision of this repository\n"


@needs_git
def test_versions_that_cannot_be_read_are_named(repository: Path) -> None:
    rewrite(repository / "callfsm/call.py", "from attrs import", "from attrs import nonsense,")
    commit(repository, "broken")
    rewrite(repository / "callfsm/call.py", "nonsense,", "")
    (repository / "callfsm/audit/diagram/model.py").write_text(
        "import attrs\nread_machine = attrs.make_class('M', ['initial'])\n"
    )
    rewrite(repository / "callfsm/audit/diagram/model.py", "['initial'])", "{'initial': attrs.field(default='A')})")
    commit(repository, "foreign")
    shutil.rmtree(repository / "callfsm")
    commit(repository, "empty")

    assert [why(revision) for revision in ("broken", "foreign", "empty", "none", "--all")] == [
        "broken: its machine cannot be read: ImportError: cannot import name 'nonsense' from 'attrs'",
        "foreign: its machine cannot be compared with this version's: $.machine: Object missing required field `events`",
        "empty: has no package callfsm",
        "none: is neither a file nor a revision of this repository",
        "--all: is neither a file nor a revision of this repository",
    ]


def why(revision: str) -> str:
    with pytest.raises(ExportError) as error:
        load(revision)
    return str(error.value).partition(" (")[0]


@needs_git
def test_a_version_that_never_answers_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(repository / "callfsm/call.py", "import math", "import math, signal; signal.pause()")
    commit(repository, "stuck")
    monkeypatch.setattr(export, "READ_TIMEOUT_S", 0.2)

    assert why("stuck") == "stuck: its machine was not read within 0.2 s"


@needs_git
def test_outside_of_a_repository_there_are_no_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert why("HEAD") == "HEAD: there is no such file, and git says: fatal: not a git repository"


def test_without_git_there_are_no_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing here"))

    assert why("HEAD") == "HEAD: there is no such file, and git, which knows revisions, is not installed"
