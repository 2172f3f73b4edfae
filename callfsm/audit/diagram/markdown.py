"""The whole table in words, for a reader who has never seen the code."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Final

from callfsm.audit.diagram.graph import MARKER, Graph, Named, PhaseMachine, Row, StateNode
from callfsm.events import ReplyDue
from callfsm.machine import is_reply_due

_INTRODUCTION: Final = """\
A phone call is always in exactly one of the states below. What happens to it (a frame of the caller's sound, a
message of the speech service, a timer) is an event; the rows of the state that the call is in say what follows.
This page is written by `callfsm diagram` from the machine that runs, not by hand.

![The changes of state](callfsm.svg)

## How to read it

- **Rows are tried in order.** `#` counts the rows that a state has for one event. The first row whose guards all
  hold is taken, and no other. A row without guards is always taken; after other rows it is the *else*.
- **Actions happen in the order in which they are listed**, before the state changes; the entry actions of the new
  state come last. What an action sends goes out when the whole event has been worked off.
- **A row without a target is internal**: the call stays in its state, and nothing is entered anew.
- **An ignored event** has no consequence in that state. It is listed, so that nothing is ignored by omission.
- **Time is an event.** A state with a deadline, and an utterance that awaits its transcript, want `TimerFired`, the
  earlier of the two first. Whatever arrives at or after that time is preceded by `TimerFired` with the time of the
  deadline, so that the order never hangs on how punctual a timer is.
- **A frame is heard before it is judged.** Each `RmsFrame` first moves what is known of the line: its noise, which
  the threshold may follow, and the assistant's echo, which raises the limit while the assistant can be heard. The
  guards then compare with the limit in force. A changed threshold is logged with the frame that changed it.
- **Calibration is worked off.** The frames that were kept while the line was measured are fed once more, in order,
  as soon as the row that ended the measuring has been taken, and before anything new.
"""
_DUE: Final = """\
- **`ReplyDue` is fed by the machine itself**, after every event, where a response is owed and nothing forbids
  requesting it, or where the assistant was stopped by nobody and may go on. Only {states} have rows
  for it. The condition, word for word:

```python
{source}```
"""
_SPECIAL: Final = re.compile(r"[\\|*<>\[\]]|(?<!\w)_|_(?!\w)")
_SMALL: Final = """\
Beside its state a call keeps these phases. A move that is not in the tables cannot happen: it would be a bug, and
would end the call.
"""


def transitions_page(graph: Graph) -> str:
    """Write the page: how to read it, every state and its rows, the small machines, and what every name means."""
    payers = " and ".join(f"[{state.name}]" for state in graph.states if state.rows_of(ReplyDue.__name__))
    parts = [
        f"<!-- {MARKER} -->\n",
        "# The state machine of a call\n",
        _INTRODUCTION + _DUE.format(states=payers, source=inspect.getsource(is_reply_due)),
        "## The states\n",
        _table(("state", "what the caller hears, and why the call is here"), _state_index(graph)),
        *(part for state in graph.states for part in _state(state)),
        "## The small machines\n",
        _SMALL,
        *(part for machine in graph.machines for part in _small(machine)),
        "## Glossary\n",
        *_glossary("Events", graph.events),
        *_glossary("Guards", graph.guards()),
        *_glossary("Actions", graph.actions()),
        _references(graph),
    ]
    return "\n".join(parts)


def _state_index(graph: Graph) -> list[tuple[str, ...]]:
    return [(f"[{state.name}]", escape(state.meaning)) for state in graph.states]


def _state(state: StateNode) -> list[str]:
    facts = [
        f"- Deadline: {_deadline(state.deadline)}",
        f"- On entry: {_links(state.entry) or 'nothing'}",
        f"- Ignored: {', '.join(f'[{event}]' for event in state.ignored) or 'nothing'}",
    ]
    table = _table(("event", "#", "guards", "target", "actions"), map(_row, state.rows))
    return [
        f"{_anchor(state.name)}\n### {state.name}\n",
        f"*{escape(state.meaning)}* ([chart](states/{state.name.lower()}.svg))\n",
        f"{escape(state.prose)}\n",
        "\n".join(facts) + "\n",
        *([table] if state.rows else []),
    ]


def _deadline(deadline: Named | None) -> str:
    return f"{escape(deadline.meaning)} (`{deadline.name}`)" if deadline else "none"


def _row(row: Row) -> tuple[str, ...]:
    return (
        f"[{row.event}]",
        f"{row.number}",
        _links(row.guards) or ("*else*" if row.number > 1 else ""),
        f"**[{row.target}]**" if row.target else "",
        _links(row.actions) or ("" if row.target else "*nothing*"),
    )


def _small(machine: PhaseMachine) -> list[str]:
    phases = [(f"`{phase.name}`", escape(phase.meaning)) for phase in machine.phases]
    meanings = {by.name: by.meaning for by in machine.inputs}
    moves = [
        (f"`{move.source}`", f"`{move.by}`: {escape(meanings[move.by])}", f"`{move.target}`")
        for move in machine.moves
    ]
    starts = " or ".join(f"`{phase}`" for phase in machine.starts)
    return [
        f"### {machine.name}\n",
        f"{escape(machine.meaning)} A call begins in {starts} ([chart]({machine.name}.svg)).\n",
        _table(("phase", "meaning"), phases),
        _table(("phase", "input", "next phase"), moves),
    ]


def _glossary(title: str, names: Sequence[Named]) -> list[str]:
    rows = [(f"{_anchor(named.name)}`{named.name}`", escape(named.meaning)) for named in sorted(names)]
    return [f"### {title}\n", _table(("name", "meaning"), rows)]


def _references(graph: Graph) -> str:
    # Links by reference keep the tables legible where they are read unrendered, in a diff.
    explained = [
        *(Named(state.name, state.meaning) for state in graph.states),
        *graph.events,
        *graph.guards(),
        *graph.actions(),
    ]
    meanings = {named.name: named.meaning for named in explained}
    lines = (f'[{name}]: #{name} "{meaning.translate(_QUOTED)}"' for name, meaning in sorted(meanings.items()))
    return "\n".join(lines) + "\n"


_QUOTED: Final = str.maketrans({'"': "&quot;", "\\": "\\\\"})


def _links(named: Iterable[Named]) -> str:
    return ", ".join(f"[{each.name}]" for each in named)


def _anchor(name: str) -> str:
    return f'<a id="{name}"></a>'


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def escape(text: str) -> str:
    """Return prose in which Markdown finds no mark-up and a table no cell's end; what stands in backticks stays."""
    spans = text.split("`")
    if len(spans) % 2 == 0:
        return r"\`".join(_SPECIAL.sub(r"\\\g<0>", span) for span in spans)
    spans[::2] = [_SPECIAL.sub(r"\\\g<0>", span) for span in spans[::2]]
    spans[1::2] = [span.replace("|", r"\|") for span in spans[1::2]]
    return "`".join(spans)
