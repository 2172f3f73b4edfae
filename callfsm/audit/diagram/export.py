"""The machine's whole table as JSON and back: of the machine that runs, and of any other version of it."""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from callfsm.audit.diagram.graph import Graph, PhaseMachine, StateNode

FORMAT_VERSION: Final = 1
READ_TIMEOUT_S: Final = 60.0
_READ: Final = f"""\
import json, attrs
from importlib import import_module
from importlib.util import find_spec
once, now = "callfsm.audit.model", "callfsm.audit.diagram.model"
read_machine = import_module(once if find_spec(once) else now).read_machine
print(json.dumps({{"export": {FORMAT_VERSION}, "machine": attrs.asdict(read_machine())}}))
"""
"""What a version is asked. All have had `read_machine`, though once elsewhere; older ones know of no export."""


class ExportError(ValueError):
    """A table that cannot be read. The text names the place, or the file or the revision."""


def to_json(graph: Graph) -> str:
    """Return a machine as JSON text. The same machine gives the same text, and every list keeps the table's order."""
    values = {"export": FORMAT_VERSION, "machine": attrs.asdict(graph)}
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"


def from_json(text: str | bytes) -> Graph:
    """Return the machine that `to_json` wrote; raise ExportError naming the place, as `$.machine.initial`."""
    try:
        values = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExportError(f"is not JSON: {error}") from None
    if not isinstance(values, dict) or not {"export", "machine"} <= values.keys():
        raise ExportError("is not the table of a machine, as written by `callfsm diagram --export`")
    if values["export"] != FORMAT_VERSION:
        raise ExportError(f"$.export: is format {values['export']!r}; this version reads format {FORMAT_VERSION}")
    try:
        graph = msgspec.convert(values["machine"], Graph)
    except msgspec.ValidationError as error:
        why, _, place = str(error).rpartition(" - at ")
        place = place.strip("`").removeprefix("$") if why else ""
        raise ExportError(f"$.machine{place}: {why or error}") from None
    unknown = next(_unknown(values["machine"], attrs.asdict(graph), "$.machine"), None)
    if unknown is not None:
        raise ExportError(f"{unknown}: is not a key of a table")
    _check_names(graph)
    return graph


def _unknown(values: Any, known: Any, place: str) -> Iterator[str]:
    if isinstance(values, dict):
        for key, value in values.items():
            if key not in known:
                yield f"{place}.{key}"
            else:
                yield from _unknown(value, known[key], f"{place}.{key}")
    elif isinstance(values, list):
        for number, (value, counterpart) in enumerate(zip(values, known, strict=True)):
            yield from _unknown(value, counterpart, f"{place}[{number}]")


def _check_names(graph: Graph) -> None:
    states = {state.name for state in graph.states}
    if graph.initial not in states:
        raise ExportError(f"$.machine.initial: there is no state {graph.initial}")
    events = {event.name for event in graph.events}
    for number, state in enumerate(graph.states):
        _check_state(state, f"$.machine.states[{number}]", states, events)
    for number, machine in enumerate(graph.machines):
        _check_small(machine, f"$.machine.machines[{number}]")


def _check_state(state: StateNode, place: str, states: set[str], events: set[str]) -> None:
    tried: dict[str, int] = {}
    for number, row in enumerate(state.rows):
        here = f"{place}.rows[{number}]"
        if row.event not in events:
            raise ExportError(f"{here}.event: there is no event {row.event}")
        if row.target is not None and row.target not in states:
            raise ExportError(f"{here}.target: there is no state {row.target}")
        tried[row.event] = tried.get(row.event, 0) + 1
        if row.number != tried[row.event]:
            raise ExportError(f"{here}.number: is {row.number}, though it is row {tried[row.event]} for {row.event}")
    answers = Counter([*tried, *state.ignored])
    wrong = sorted(event for event in events | answers.keys() if event not in events or answers[event] != 1)
    if wrong:
        raise ExportError(f"{place}: every event has rows or is ignored, once; wrong with {', '.join(wrong)}")


def _check_small(machine: PhaseMachine, place: str) -> None:
    phases = {phase.name for phase in machine.phases}
    inputs = {by.name for by in machine.inputs}
    for number, move in enumerate(machine.moves):
        unknown = {move.source, move.target} - phases | {move.by} - inputs
        if unknown:
            raise ExportError(f"{place}.moves[{number}]: there is no {', '.join(sorted(unknown))}")


def load(source: str) -> Graph:
    """Return the machine of a file that was exported, or else of a git revision; raise ExportError naming it.

    A revision is one of the repository that the current directory lies in; its code is run to read its machine.
    """
    file = Path(source)
    if not file.is_file():
        return _of_revision(source)
    try:
        return from_json(file.read_bytes())
    except OSError as error:
        raise ExportError(f"{source}: cannot be read ({error.strerror})") from None
    except ExportError as error:
        raise ExportError(f"{source}: {error}") from None


def _of_revision(revision: str) -> Graph:
    git = shutil.which("git")
    if git is None:
        raise ExportError(f"{revision}: there is no such file, and git, which knows revisions, is not installed")
    top = _run(git, "rev-parse", "--show-toplevel")
    if top.returncode:
        raise ExportError(f"{revision}: there is no such file, and git says: {_last_line(top.stderr)}")
    root = os.fsdecode(top.stdout).removesuffix("\n")
    commit = _run(git, "-C", root, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if commit.returncode:
        raise ExportError(f"{revision}: is neither a file nor a revision of this repository")
    archive = _run(git, "-C", root, "archive", "--format=zip", commit.stdout.decode().strip(), "callfsm")
    if archive.returncode:
        raise ExportError(f"{revision}: has no package callfsm")
    with tempfile.TemporaryDirectory(prefix="callfsm-") as directory:
        zipfile.ZipFile(io.BytesIO(archive.stdout)).extractall(directory)
        return _read_version(revision, directory)


def _run(*command: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - git, and no revision is an option


def _last_line(text: bytes) -> str:
    return (text.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]


def _read_version(revision: str, directory: str) -> Graph:
    # The directory is the current one, too: the interpreter looks there first.
    environment = {**os.environ, "PYTHONPATH": directory, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", _READ]
    try:
        done = subprocess.run(  # noqa: S603 - the repository's own code
            command, cwd=directory, env=environment, capture_output=True, check=True, timeout=READ_TIMEOUT_S
        )
        return from_json(done.stdout)
    except subprocess.TimeoutExpired:
        raise ExportError(f"{revision}: its machine was not read within {READ_TIMEOUT_S:g} s") from None
    except subprocess.CalledProcessError as error:
        why = _last_line(error.stderr).replace(f"{directory}{os.sep}", "")
        raise ExportError(f"{revision}: its machine cannot be read: {why}") from None
    except ExportError as error:
        raise ExportError(f"{revision}: its machine cannot be compared with this version's: {error}") from None
