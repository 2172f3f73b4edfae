"""`callfsm diagram`: writes the diagrams, or says which of them no longer show the machine that runs.

It also draws what calls did on the chart, writes the table as JSON, and says what changed between two versions of it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from callfsm.audit.diagram import dot, dot_state, mermaid
from callfsm.audit.diagram.difference import differences
from callfsm.audit.diagram.drawing import DrawingError, draw, is_drawing_of
from callfsm.audit.diagram.export import ExportError, load, to_json
from callfsm.audit.diagram.graph import MARKER, Graph
from callfsm.audit.diagram.markdown import transitions_page
from callfsm.audit.diagram.model import read_machine
from callfsm.audit.diagram.sequences import FOLDER, sequence_charts
from callfsm.audit.diagram.travelled import overlay, route_of
from callfsm.audit.recording import JournalError, read_journal

_DIRECTORY: Final = Path("diagrams")
_STDOUT: Final = "-"
_NO_CHANGE: Final = "No change in the table. (What is written inside a guard or an action is not compared.)\n"
_STATES: Final = "states"
_SUFFIXES: Final = frozenset({".md", ".mmd", ".svg"})
_TRAVELLED: Final = "Drawn by callfsm diagram from journals"


def render(graph: Graph | None = None) -> dict[str, str]:
    """Return the text files by their path in the directory, of the machine that runs where no other is given."""
    graph = graph or read_machine()
    return {
        "callfsm.mmd": mermaid.whole_chart(graph),
        "transitions.md": transitions_page(graph),
        **{f"{machine.name}.mmd": mermaid.phase_chart(machine) for machine in graph.machines},
        **{f"{_STATES}/{state.name.lower()}.mmd": mermaid.state_chart(graph, state) for state in graph.states},
        **sequence_charts(),
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
    found = [*directory.glob("*"), *directory.glob(f"{_STATES}/*"), *directory.glob(f"{FOLDER}/*")]
    ours = (file for file in found if file.suffix in _SUFFIXES and file not in known and MARKER in _read(file))
    return [file.relative_to(directory).as_posix() for file in ours]


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return ""


def _bring_up_to_date(directory: Path, *, is_check: bool) -> int:
    if not is_check:
        write(directory)
        return 0
    outdated = stale(directory)
    for path in outdated:
        sys.stdout.write(f"stale: {directory / path}\n")
    return 1 if outdated else 0


def _draw_journals(journals: Sequence[Path], out: Path | None) -> int:
    graph = read_machine()
    routes = [route_of(read_journal(journal)) for journal in journals]
    for route in routes:
        if route.warning:
            sys.stderr.write(f"callfsm diagram: {route.warning}\n")
    travelled = overlay(graph, routes)
    if out is None or out.suffix == ".mmd":
        _put(mermaid.travelled_chart(graph, travelled), out)
    elif out.suffix == ".dot":
        _put(dot.whole_chart(graph, travelled), out)
    else:
        # The marker would have `--check` in the same directory take it for one of the machine's own drawings.
        _put(draw(dot.whole_chart(graph, travelled)).replace(MARKER, _TRAVELLED), out)
    return 0


def _print_differences(old: str, new: str | None) -> int:
    groups = differences(load(old), load(new) if new else read_machine())
    sys.stdout.write("\n".join("".join(f"{line}\n" for line in group) for group in groups) or _NO_CHANGE)
    return 1 if groups else 0


def _put(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_bytes(text.encode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("callfsm diagram", description="Write the diagrams of the machine that runs.")
    parser.add_argument("--dir", type=Path, help=f"where they are (default: {_DIRECTORY})")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--check", action="store_true", help="write nothing; name the stale files and exit 1")
    instead.add_argument(
        "--journal",
        type=Path,
        nargs="+",
        metavar="J",
        help="draw the way of the call of one journal on the chart, or of many how often each way was taken",
    )
    instead.add_argument(
        "--diff",
        nargs="+",
        metavar=("OLD", "NEW"),
        help="say what changed in the table, and exit 1 if anything did; each is a git revision, whose code is run,"
        " or a file written by --export; NEW is the machine that runs where it is not given",
    )
    instead.add_argument(
        "--export",
        nargs="?",
        const=_STDOUT,
        metavar="FILE",
        help="write the whole table as JSON (default: to stdout)",
    )
    parser.add_argument(
        "-o",
        dest="out",
        type=Path,
        metavar="OUT",
        help="with --journal: an .svg (needs graphviz), .dot or .mmd (default: Mermaid to stdout)",
    )
    return parser


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(argv)
    if options.dir is not None and (options.journal or options.diff or options.export):
        parser.error("argument --dir: not allowed with argument --journal, --diff or --export")
    if options.out is not None and not options.journal:
        parser.error("argument -o: only allowed with argument --journal")
    if options.out is not None and options.out.suffix not in {".svg", ".dot", ".mmd"}:
        parser.error(f"argument -o: {options.out} must end in .svg, .dot or .mmd")
    if options.diff and len(options.diff) > 2:
        parser.error("argument --diff: expected OLD, or OLD and NEW")
    return options


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, 1 where `--check` or `--diff` finds something, or 2 for what cannot be done."""
    options = _options(argv)
    try:
        if options.journal:
            return _draw_journals(options.journal, options.out)
        if options.diff:
            return _print_differences(*options.diff, *[None] * (2 - len(options.diff)))
        if options.export is not None:
            _put(to_json(read_machine()), None if options.export == _STDOUT else Path(options.export))
            return 0
        return _bring_up_to_date(options.dir or _DIRECTORY, is_check=options.check)
    except BrokenPipeError:
        raise
    except (DrawingError, ExportError, JournalError, OSError) as error:
        sys.stderr.write(f"callfsm diagram: {error}\n")
        return 2
