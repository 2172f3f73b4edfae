"""The chart of one state as DOT: all its rows as a table, with an arrow out of each row that leaves the state."""

import textwrap
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Final

from callfsm.audit.diagram.dot import FAINT, Paint, box, chart, paint
from callfsm.audit.diagram.graph import Graph, Row, StateNode, names_of

_CELL_WIDTH: Final = 52
_WIDE: Final = 110
_HEADINGS: Final = ("event", "#", "guards", "actions", "target")
_RULE: Final = "#c3cad5"


def state_chart(graph: Graph, state: StateNode) -> str:
    """Draw one state, the order of its rows, what is done in them, and where they lead."""
    look = paint(state.name)
    body = [f'"{state.name}" [label={_card(state, look)}];']
    meanings = {other.name: other for other in graph.states}
    for target in dict.fromkeys(row.target for row in state.rows if row.target):
        other = meanings[target]
        body.append(f'"to {target}" [label={box(target, other.meaning, paint(target), is_final=other.is_final)}];')
    for row in state.rows:
        if row.target is not None:
            line = paint(row.target).line
            body.append(f'"{state.name}":"{_port(row)}":e -> "to {row.target}" [color="{line}"];')
    return chart(state.name, body, rankdir="LR", ranksep="2", nodesep="0.4", pad="0.3")


def _card(state: StateNode, look: Paint) -> str:
    rows = [
        _across(f'<FONT POINT-SIZE="15"><B>{state.name}</B></FONT>', look.fill),
        _across(_wrapped(state.meaning, _WIDE), look.fill),
    ]
    if state.entry:
        rows.append(_across(f"<B>on entry</B> {_wrapped(names_of(state.entry), _WIDE)}"))
    if state.deadline is not None:
        rows.append(_across(f"<B>deadline</B> {_wrapped(state.deadline.meaning, _WIDE)}"))
    if state.rows:
        rows.append(f"<TR>{''.join(_cell(f'<B>{title}</B>') for title in _HEADINGS)}</TR>")
    for _, of_event in groupby(state.rows, key=lambda row: row.event):
        rows += _rows(list(of_event))
    if state.ignored:
        rows.append(_across(f"<B>ignored</B> {_wrapped(', '.join(state.ignored), _WIDE)}"))
    return (
        f'<<TABLE BORDER="1" CELLBORDER="1" CELLSPACING="0" CELLPADDING="4" COLOR="{_RULE}" BGCOLOR="white">'
        f"{''.join(rows)}</TABLE>>"
    )


def _rows(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        event = _cell(f"<B>{row.event}</B>", f' ROWSPAN="{len(rows)}"') if row.number == 1 else ""
        guards = _wrapped(names_of(row.guards) or ("else" if row.number > 1 else ""), _CELL_WIDTH)
        actions = _wrapped(names_of(row.actions) or ("" if row.target else "nothing"), _CELL_WIDTH)
        number = _cell(f'<FONT COLOR="{FAINT}">{row.number}</FONT>')
        target = f'<FONT COLOR="{paint(row.target).line}"><B>{row.target}</B></FONT>' if row.target else ""
        port = f' PORT="{_port(row)}"'
        yield f"<TR>{event}{number}{_cell(guards)}{_cell(actions)}{_cell(target, port)}</TR>"


def _port(row: Row) -> str:
    return f"{row.event} {row.number}"


def _cell(text: str, attributes: str = "") -> str:
    return f'<TD ALIGN="LEFT" BALIGN="LEFT"{attributes}>{text}</TD>'


def _across(text: str, fill: str = "white") -> str:
    attributes = f' COLSPAN="{len(_HEADINGS)}" BGCOLOR="{fill}"'
    return f"<TR>{_cell(text, attributes)}</TR>"


def _wrapped(text: str, width: int) -> str:
    return '<BR ALIGN="LEFT"/>'.join(escape(line) for line in textwrap.wrap(text, width))
