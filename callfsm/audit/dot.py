"""The charts of the whole machine and of the small ones as DOT, the source of the drawings."""

import textwrap
from collections.abc import Iterable
from html import escape
from typing import Final

from attrs import frozen

from callfsm.audit.graph import Change, Graph, PhaseMachine, StateNode
from callfsm.states.base import State

INK: Final = "#1f2937"
FAINT: Final = "#6b7280"
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


def box(name: str, meaning: str, look: Paint, *, is_final: bool = False) -> str:
    """Return a node's label: a name and, wrapped, what it means."""
    border = 3 if is_final else 1
    lines = "<BR/>".join(escape(line) for line in textwrap.wrap(meaning, _MEANING_WIDTH))
    return (
        f'<<TABLE STYLE="ROUNDED" BORDER="{border}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="5"'
        f' COLOR="{look.line}" BGCOLOR="{look.fill}">'
        f"<TR><TD><B>{escape(name)}</B></TD></TR>"
        f'<TR><TD><FONT POINT-SIZE="10.5">{lines}</FONT></TD></TR></TABLE>>'
    )


def start(*, at: str) -> list[str]:
    """Return the black dot and its arrow to where everything begins."""
    return [
        f'"start {at}" [shape=circle style=filled fillcolor="{INK}" width=0.14 label=""];',
        f'"start {at}" -> "{at}";',
    ]


def whole_chart(graph: Graph) -> str:
    """Draw the changes of state: one arrow for all that leads from one state to another."""
    body = start(at=graph.initial)
    body += [f'"{state.name}" [label={_state_box(state)}];' for state in graph.states]
    pairs: dict[tuple[str, str], list[Change]] = {}
    for change in graph.particular_changes():
        pairs.setdefault((change.source, change.target), []).append(change)
    for change in graph.common_changes():
        pairs.setdefault((EVERY_STATE, change.target), []).append(change)
        body.append(f'"{EVERY_STATE}" [shape=box style="dashed,rounded" color="{FAINT}" fontcolor="{FAINT}"];')
    for (source, target), changes in pairs.items():
        line = paint(target).line
        body.append(f'"{source}" -> "{target}" [color="{line}" label={_change_label(changes, line)}];')
    return chart(
        "callfsm",
        dict.fromkeys(body),
        rankdir="TB",
        nodesep="0.4",
        ranksep="0.5",
        pad="0.3",
        label=_CAPTION,
        fontsize="11",
        fontcolor=FAINT,
    )


def _state_box(state: StateNode) -> str:
    return box(state.name, state.meaning, paint(state.name), is_final=state.is_final)


def _change_label(changes: list[Change], colour: str) -> str:
    rows = []
    for change in changes:
        event = f'<FONT COLOR="{colour}"><B>{change.event}</B></FONT>'
        rows.append(f'<TR><TD WIDTH="8"></TD><TD COLSPAN="2" ALIGN="LEFT">{event}</TD></TR>')
        for row in change.rows:
            if row.condition:
                number = f"{row.number}" if change.of > 1 else ""
                lines = (escape(line) for line in textwrap.wrap(row.condition, _LABEL_WIDTH))
                text = '<BR ALIGN="LEFT"/>'.join(lines)
                rows.append(
                    f'<TR><TD></TD><TD VALIGN="TOP"><FONT COLOR="{FAINT}">{number}</FONT></TD>'
                    f'<TD ALIGN="LEFT" BALIGN="LEFT">{text}</TD></TR>'
                )
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>>'


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
