"""The charts as Mermaid, for whoever reads them where it is rendered: a merge request, a wiki."""

import json
import re
from collections.abc import Iterable
from typing import Final

from callfsm.audit.diagram.dot import AUDIBLE, CANCELLING, INK, NEVER, OVER, SILENT, UNUSED, Overlay, arrows, paint
from callfsm.audit.diagram.graph import MARKER, Change, Graph, PhaseMachine, Row, StateNode, names_of

EVERY_STATE: Final = "EVERY_STATE"
_CLASSES: Final = {"silent": SILENT, "audible": AUDIBLE, "cancelling": CANCELLING, "over": OVER}
_SPECIAL: Final = re.compile(r"[#;:<>\"]")


def whole_chart(graph: Graph) -> str:
    """Draw the changes of state: one arrow from one state to another, with a line for each event that leads there."""
    body = [f"[*] --> {graph.initial}"]
    common = graph.common_changes()
    body += [f'state "every other state" as {EVERY_STATE}'] if common else []
    arrows = [(change.source, change.target, _change(change)) for change in graph.particular_changes()]
    arrows += [(EVERY_STATE, change.target, _change(change)) for change in common]
    body += _arrows(arrows)
    body += [f"{state.name} --> [*]" for state in graph.states if state.is_final]
    return _chart("callfsm", body, [state.name for state in graph.states])


def travelled_chart(graph: Graph, overlay: Overlay) -> str:
    """Draw the changes of state with what calls did on them; a flowchart, for only there can an arrow be grey."""
    boxes = {
        state.name: f"<b>{state.name}</b><br/>{_text(overlay.boxes.get(state.name, 'never'))}"
        for state in graph.states
    }
    boxes |= {EVERY_STATE: "every other state"} if graph.common_changes() else {}
    body = [f"START(( )) --> {graph.initial}", *(f'{name}["{text}"]' for name, text in boxes.items())]
    styles = [f"style START fill:{INK},stroke:{INK}"]
    for name in boxes:
        look, ink = (paint(name), INK) if name in overlay.boxes else (NEVER, UNUSED)
        styles.append(f"style {name} fill:{look.fill},stroke:{look.line},color:{ink}")
    for number, ((source, target), changes) in enumerate(arrows(graph, EVERY_STATE, overlay).items(), 1):
        uses = [overlay.use_of(source, change) for change in changes]
        notes = [f": {use.note if use else 'never'}" * any(uses) for use in uses]
        lines = [_text(_change(change) + note) for change, note in zip(changes, notes, strict=True)]
        body.append(f'{source} -->|"{_lines(lines)}"| {target}')
        colour, ink = (paint(target).line, INK) if any(uses) else (UNUSED, UNUSED)
        styles.append(f"linkStyle {number} stroke:{colour},stroke-width:{overlay.width_of(uses)}px,color:{ink}")
    head = ["---", f"title: {json.dumps(overlay.caption)}", "---", "flowchart TB"]
    return "\n".join([*head, *(f"  {line}" for line in (*body, *styles))]) + "\n"


def state_chart(graph: Graph, state: StateNode) -> str:
    """Draw one state: what it does without leaving it stands in its box, in the order in which it is tried."""
    inside = [state.name]
    inside += [f"entry / {names_of(state.entry)}"] if state.entry else []
    inside += [f"deadline / {state.deadline.meaning}"] if state.deadline else []
    inside += [_row(row) for row in state.rows if row.target is None]
    inside += [f"ignored / {', '.join(state.ignored)}"] if state.ignored else []
    body = [f"{state.name}: {_text(line)}" for line in inside]
    body += _arrows((state.name, row.target, _row(row)) for row in state.rows if row.target)
    body += [f"{state.name} --> [*]"] if state.is_final else []
    shown = {state.name, *(row.target for row in state.rows)}
    return _chart(state.name, body, [other.name for other in graph.states if other.name in shown])


def phase_chart(machine: PhaseMachine) -> str:
    """Draw a small machine, every legal move of it."""
    body = []
    for phase in machine.phases:
        body += [f"{phase.name}: {phase.name}", f"{phase.name}: {_text(phase.meaning)}"]
    body += [f"[*] --> {phase}" for phase in machine.starts]
    body += _arrows((move.source, move.target, move.by) for move in machine.moves)
    return _chart(machine.name, body, ())


def _arrows(labelled: Iterable[tuple[str, str, str]]) -> list[str]:
    # Mermaid draws the labels of parallel arrows over one another, hence one arrow with all their labels.
    pairs: dict[tuple[str, str], list[str]] = {}
    for source, target, label in labelled:
        pairs.setdefault((source, target), []).append(_text(label))
    return [f"{source} --> {target}: {_lines(labels)}" for (source, target), labels in pairs.items()]


def _lines(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else "<br/>".join(f"\N{BULLET} {label}" for label in labels)


def _change(change: Change) -> str:
    return f"{change.event} {' or '.join(change.conditions())}".strip()


def _chart(title: str, body: Iterable[str], states: Iterable[str]) -> str:
    classes = [f"class {state} {name}" for state in states for name, look in _CLASSES.items() if look == paint(state)]
    used = {line.rpartition(" ")[2] for line in classes}
    styles = [
        f"classDef {name} fill:{look.fill},stroke:{look.line},color:{INK}"
        for name, look in _CLASSES.items()
        if name in used
    ]
    lines = ["---", f"title: {title}", "---", "stateDiagram-v2", f"  %% {MARKER}"]
    return "\n".join([*lines, *(f"  {line}" for line in (*body, *styles, *classes))]) + "\n"


def _row(row: Row) -> str:
    condition = f"{row.event} {row.number} {row.condition}".strip()
    does_nothing = not row.actions and row.target is None
    actions = "nothing" if does_nothing else names_of(row.actions)
    return f"{condition} / {actions}" if actions else condition


def _text(text: str) -> str:
    return _SPECIAL.sub(lambda special: f"#{ord(special[0])};", text)
