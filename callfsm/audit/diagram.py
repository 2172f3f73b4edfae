"""`callfsm diagram`: writes the diagrams, or says which of them no longer show the machine that runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from callfsm.audit import dot, dot_state, mermaid
from callfsm.audit.drawing import DrawingError, draw, is_drawing_of
from callfsm.audit.graph import MARKER, Graph
from callfsm.audit.markdown import transitions_page
from callfsm.audit.model import read_machine

_STATES: Final = "states"
_SUFFIXES: Final = frozenset({".md", ".mmd", ".svg"})


def render(graph: Graph | None = None) -> dict[str, str]:
    """Return the text files by their path in the directory, of the machine that runs where no other is given."""
    graph = graph or read_machine()
    return {
        "callfsm.mmd": mermaid.whole_chart(graph),
        "transitions.md": transitions_page(graph),
        **{f"{machine.name}.mmd": mermaid.phase_chart(machine) for machine in graph.machines},
        **{f"{_STATES}/{state.name.lower()}.mmd": mermaid.state_chart(graph, state) for state in graph.states},
    }


def sources(graph: Graph | None = None) -> dict[str, str]:
    """Return the DOT texts of the drawings by the drawing's path in the directory."""
    graph = graph or read_machine()
    return {
        "callfsm.svg": dot.whole_chart(graph),
        **{f"{machine.name}.svg": dot.phase_chart(machine) for machine in graph.machines},
        **{f"{_STATES}/{state.name.lower()}.svg": dot_state.state_chart(graph, state) for state in graph.states},
    }


def write(directory: Path, graph: Graph | None = None) -> None:
    """Bring a directory up to date; drawings that are so already are left alone, whatever graphviz drew them.

    Superfluous files of ours are removed. DrawingError where graphviz is needed and missing: nothing is written then.
    """
    graph = graph or read_machine()
    texts = render(graph)
    texts |= {
        path: draw(source)
        for path, source in sources(graph).items()
        if not is_drawing_of(_read(directory / path), source)
    }
    for path in _superfluous(directory, graph):
        (directory / path).unlink()
    for path, text in texts.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())


def stale(directory: Path, graph: Graph | None = None) -> list[str]:
    """Return the paths of the files that are missing, show another machine, or are superfluous. Needs no graphviz."""
    graph = graph or read_machine()
    texts = [path for path, text in render(graph).items() if _read(directory / path) != text]
    drawings = [path for path, source in sources(graph).items() if not is_drawing_of(_read(directory / path), source)]
    return sorted([*texts, *drawings, *_superfluous(directory, graph)])


def _superfluous(directory: Path, graph: Graph) -> list[str]:
    known = {directory / path for path in (*render(graph), *sources(graph))}
    found = [*directory.glob("*"), *(directory / _STATES).glob("*")]
    ours = (file for file in found if file.suffix in _SUFFIXES and file not in known and MARKER in _read(file))
    return [file.relative_to(directory).as_posix() for file in ours]


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return ""


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, 1 where `--check` finds a stale file, or 2 where writing is impossible."""
    parser = argparse.ArgumentParser("callfsm diagram", description="Write the diagrams of the machine that runs.")
    parser.add_argument("--check", action="store_true", help="write nothing; name the stale files and exit 1")
    parser.add_argument("--dir", type=Path, default=Path("diagrams"), help="where they are (default: %(default)s)")
    arguments = parser.parse_args(argv)
    directory: Path = arguments.dir
    try:
        if not arguments.check:
            write(directory)
            return 0
        outdated = stale(directory)
    except (DrawingError, OSError) as error:
        sys.stderr.write(f"callfsm diagram: {error}\n")
        return 2
    for path in outdated:
        sys.stdout.write(f"stale: {directory / path}\n")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
