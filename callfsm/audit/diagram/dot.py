"""The charts of the whole machine and of the small ones as DOT, the source of the drawings."""

import textwrap
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from attrs import frozen

from callfsm.audit.diagram.graph import Change, Graph, PhaseMachine, Row, StateNode
from callfsm.states.base import State

INK: Final = "#1f2937"
FAINT: Final = "#6b7280"
UNUSED: Final = "#a3abb7"
FONT: Final = "Helvetica,Arial,sans-serif"
EVERY_STATE: Final = "every other state"
_CAPTION: Final = (
    "Changes of state only. A number before a condition is the row's place among all of the state's for that event:"
    "\\nthe first row whose guards all hold is taken. Everything else is in transitions.md."
)
_LABEL_WIDTH: Final = 36
_MEANING_WIDTH: Final = 26


@frozen
class Paint:
    """How a kind of state looks."""

    fill: str
    line: str


SILENT: Final = Paint("#eaf1fb", "#2f5d9b")
AUDIBLE: Final = Paint("#e2f4e5", "#1f7a3a")
CANCELLING: Final = Paint("#fde8e4", "#b3382a")
OVER: Final = Paint("#ececec", "#5f6368")
_PAINTS: Final = {
    State.AI_GRACE.name: AUDIBLE,
    State.AI_SPEAKING.name: AUDIBLE,
    State.CANCELLING.name: CANCELLING,
    State.ENDED.name: OVER,
}


NEVER: Final = Paint("#fafbfc", UNUSED)


@frozen
class Use:
    """How often an arrow's event was taken on it, and what is written beside the event."""

    times: int
    note: str


@frozen
class Overlay:
    """What calls did on the chart. What is missing here was never used, and is drawn in grey."""

    caption: str
    boxes: Mapping[str, str]
    """What is written into a state's box, by the state."""
    uses: Mapping[tuple[str, str, str], Use]
    """By source, event and target."""

    def use_of(self, source: str, change: Change) -> Use | None:
        """Return the use of a change on the arrow that begins at this box; None where it had none."""
        return self.uses.get((source, change.event, change.target))

    def width_of(self, uses: Iterable[Use | None]) -> float:
        """Return how thick an arrow with these uses is, in points: 1 where it was never used, at most 4."""
        times = sum(use.times for use in uses if use is not None)
        most = max((use.times for use in self.uses.values()), default=1)
        return round(1.5 + 2.5 * min(times / most, 1.0), 1) if times else 1.0


def paint(state: str) -> Paint:
    """Return how a state looks: by whether the caller hears the assistant in it."""
    return _PAINTS.get(state, SILENT)


def chart(name: str, body: Iterable[str], **attributes: str) -> str:
    """Return a whole DOT text."""
    settings = "".join(f' {key}="{value}"' for key, value in attributes.items())
    lines = [
        f'digraph "{name}" {{',
        f'  graph [fontname="{FONT}" bgcolor="white"{settings}];',
        f'  node [fontname="{FONT}" fontsize=13 fontcolor="{INK}" shape=plain];',
        f'  edge [fontname="{FONT}" fontsize=10 fontcolor="{INK}" color="{FAINT}" arrowsize=0.7];',
        *(f"  {line}" for line in body),
        "}",
    ]
    return "\n".join(lines) + "\n"


def box(name: str, meaning: str, look: Paint, *, is_final: bool = False, note: str = "") -> str:
    """Return a node's label: a name and, wrapped, what it means; then a note where there is one."""
    border = 3 if is_final else 1
    lines = "<BR/>".join(escape(line) for line in textwrap.wrap(meaning, _MEANING_WIDTH))
    noted = f'<TR><TD BGCOLOR="white"><B>{escape(note)}</B></TD></TR>' if note else ""
    return (
        f'<<TABLE STYLE="ROUNDED" BORDER="{border}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="5"'
        f' COLOR="{look.line}" BGCOLOR="{look.fill}">'
        f"<TR><TD><B>{escape(name)}</B></TD></TR>"
        f'<TR><TD><FONT POINT-SIZE="10.5">{lines}</FONT></TD></TR>{noted}</TABLE>>'
    )


def start(*, at: str) -> list[str]:
    """Return the black dot and its arrow to where everything begins."""
    return [
        f'"start {at}" [shape=circle style=filled fillcolor="{INK}" width=0.14 label=""];',
        f'"start {at}" -> "{at}";',
    ]


def arrows(graph: Graph, every_state: str, overlay: Overlay | None = None) -> dict[tuple[str, str], list[Change]]:
    """Return what stands on each arrow, by the boxes at its ends.

    What is common to all states has one arrow from a box of its own, and beside it an arrow for each use of it.
    """
    pairs: dict[tuple[str, str], list[Change]] = {}
    for change in graph.particular_changes():
        pairs.setdefault((change.source, change.target), []).append(change)
    common = graph.common_changes()
    for change in common:
        pairs.setdefault((every_state, change.target), []).append(change)
    shared = {(change.event, change.target) for change in common}
    for change in graph.changes():
        if overlay and (change.event, change.target) in shared and overlay.use_of(change.source, change):
            pairs.setdefault((change.source, change.target), []).append(change)
    return pairs


def whole_chart(graph: Graph, overlay: Overlay | None = None) -> str:
    """Draw the changes of state: one arrow for all that leads from one state to another; on it what calls did."""
    body = start(at=graph.initial)
    body += [f'"{state.name}" [{_state_box(state, overlay)}];' for state in graph.states]
    if graph.common_changes():
        body.append(f'"{EVERY_STATE}" [shape=box style="dashed,rounded" color="{FAINT}" fontcolor="{FAINT}"];')
    for (source, target), changes in arrows(graph, EVERY_STATE, overlay).items():
        body.append(f'"{source}" -> "{target}" [{_arrow(source, changes, overlay)}];')
    return chart(
        "callfsm",
        body,
        rankdir="TB",
        nodesep="0.4",
        ranksep="0.5",
        pad="0.3",
        label=_CAPTION if overlay is None else overlay.caption.replace("\\", r"\\").replace('"', r"\""),
        fontsize="11",
        fontcolor=FAINT,
    )


def _state_box(state: StateNode, overlay: Overlay | None) -> str:
    if overlay is None or state.name in overlay.boxes:
        note = overlay.boxes[state.name] if overlay else ""
        return f"label={box(state.name, state.meaning, paint(state.name), is_final=state.is_final, note=note)}"
    return f'fontcolor="{UNUSED}" label={box(state.name, state.meaning, NEVER, is_final=state.is_final)}'


def _arrow(source: str, changes: list[Change], overlay: Overlay | None) -> str:
    line = paint(changes[0].target).line
    if overlay is None:
        return f'color="{line}" label={_change_label(changes, line)}'
    uses = [overlay.use_of(source, change) for change in changes]
    colour = line if any(uses) else UNUSED
    return f'color="{colour}" penwidth={overlay.width_of(uses)} label={_change_label(changes, line, uses)}'


def _change_label(changes: list[Change], colour: str, uses: Iterable[Use | None] | None = None) -> str:
    rows = []
    for change, use in zip(changes, [Use(0, "")] * len(changes) if uses is None else uses, strict=True):
        ink = colour if use else UNUSED
        note = f" {escape(use.note)}" if use and use.note else ""
        event = f'<FONT COLOR="{ink}"><B>{change.event}{note}</B></FONT>'
        rows.append(f'<TR><TD WIDTH="8"></TD><TD COLSPAN="2" ALIGN="LEFT">{event}</TD></TR>')
        rows += [_condition(row, change, is_used=use is not None) for row in change.rows if row.condition]
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>>'


def _condition(row: Row, change: Change, *, is_used: bool) -> str:
    number = f"{row.number}" if change.of > 1 else ""
    text = '<BR ALIGN="LEFT"/>'.join(escape(line) for line in textwrap.wrap(row.condition, _LABEL_WIDTH))
    if not is_used:
        text = f'<FONT COLOR="{UNUSED}">{text}</FONT>'
    return (
        f'<TR><TD></TD><TD VALIGN="TOP"><FONT COLOR="{FAINT if is_used else UNUSED}">{number}</FONT></TD>'
        f'<TD ALIGN="LEFT" BALIGN="LEFT">{text}</TD></TR>'
    )


def phase_chart(machine: PhaseMachine) -> str:
    """Draw a small machine: one arrow for all inputs that lead from one phase to another."""
    body = [line for phase in machine.starts for line in start(at=phase)]
    body += [f'"{phase.name}" [label={box(phase.name, phase.meaning, SILENT)}];' for phase in machine.phases]
    pairs: dict[tuple[str, str], list[str]] = {}
    for move in machine.moves:
        pairs.setdefault((move.source, move.target), []).append(move.by)
    for (source, target), inputs in pairs.items():
        lines = "".join(f'{by}<BR ALIGN="LEFT"/>' for by in inputs)
        label = f'<<TABLE BORDER="0" CELLBORDER="0"><TR><TD WIDTH="6"></TD><TD>{lines}</TD></TR></TABLE>>'
        body.append(f'"{source}" -> "{target}" [label={label}];')
    return chart(machine.name, body, rankdir="TB", nodesep="0.5", ranksep="0.5", pad="0.3")
