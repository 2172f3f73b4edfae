"""A recorded call as a table test to paste into tests/: what happened, where it led, and what was done."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final, get_args

import attrs
from attrs import frozen

from callfsm.audit.recording import GATE_LINE, Recording, is_gate_line, run
from callfsm.audit.replay.template import LEVELS, TEST
from callfsm.config import Business, Tool
from callfsm.effects import CreateResponse, Effect
from callfsm.events import EVENTS, AudioDelta, Event, RmsFrame
from callfsm.hearing.transcript import one_line

_WIDTH: Final = 118
_FRAMES_IN_A_LINE: Final = 3


@frozen
class _Row:
    """One event, or several frames with one outcome; `effects` are those of each event."""

    events: tuple[Event, ...]
    state: str
    effects: tuple[str, ...]
    changes: bool


def as_test(recording: Recording) -> str:
    """Return the text of a test that holds the machine to what it does now with a recorded call.

    It ends ahead of an event that meets a bug of ours. The shell's own lines of the log are not in it.
    """
    rows, bug = _rows(recording)
    lines = [line for row in _folded(rows) for line in _row_lines(row, recording.started_at)]
    lines += [f"    # Here it meets a bug of ours: {one_line(bug)}"] if bug else []
    body = "\n".join(lines)
    business = _keywords(_business(recording.business), ("enable_greeting", "greeting", "transfer_number", "tool"))
    levels: list[int] = recording.header["greeting_clip_levels_rms"]
    return TEST.format(
        call_sid=_plain(recording.call_sid),
        started=_plain(recording.header["started"]),
        imports="\n".join(_imports(body, business)),
        gate=_keywords(recording.config.gate, indent="    "),
        turn=_keywords(recording.config.turn, indent="    "),
        limits=_keywords(recording.config.limits, ("digits_pause_s",), indent="    "),
        business=business,
        gate_line=GATE_LINE,
        rows=body,
        name=re.sub(r"\W", "_", f"call_{recording.call_sid}", flags=re.ASCII).lower(),
        greeting_clip_bytes=recording.header["greeting_clip_bytes"],
        levels=LEVELS.format(levels="\n".join(_numbers(levels, indent="    "))) if levels else "",
        levels_rms=", greeting_levels_rms=LEVELS" if levels else "",
    )


def _rows(recording: Recording) -> tuple[list[_Row], str]:
    rows: list[_Row] = []
    for step in run(recording):
        if step.error is not None:
            return rows, f"{type(step.error).__name__}: {step.error}"
        if step.event is not None:
            effects = tuple(_expression(_shown(effect)) for effect in step.effects if not is_gate_line(effect))
            rows.append(_Row((step.event,), step.dest.name, effects, bool(step.moves)))
    return rows, ""


def _shown(effect: Effect) -> Effect:
    if isinstance(effect, CreateResponse) and effect.instructions:
        return attrs.evolve(effect, instructions="...")
    return effect


def _folded(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Make one row of frames that follow each other and have one outcome."""

    def outcome(place_and_row: tuple[int, _Row]) -> object:
        place, row = place_and_row
        is_plain = isinstance(row.events[0], RmsFrame) and not row.changes
        return (row.state, row.effects) if is_plain else place

    for _, alike in groupby(enumerate(rows), outcome):
        group = [row for _, row in alike]
        yield attrs.evolve(group[0], events=tuple(event for row in group for event in row.events))


def _row_lines(row: _Row, started_at: float) -> list[str]:
    comment = [f"    # {row.events[0].at - started_at:.2f}"] if row.changes else []
    opening, closing, events = _events(row.events)
    runs = [(text, len(list(same))) for text, same in groupby(row.effects * len(row.events))]
    effects = [text if count == 1 else f"*[{text}] * {count}" for text, count in runs]
    is_one_run = len(runs) == 1 and runs[0][1] > 1
    done = effects[0].removeprefix("*") if is_one_run else f"[{', '.join(effects)}]"
    state = f"State.{row.state}"
    short = f"    ({opening}{', '.join(events)}{closing}, {state}, {done}),"
    if len(short) <= _WIDTH:
        return [*comment, short]
    told = _told(row.events[0]) or [
        f"        {', '.join(events[place : place + _FRAMES_IN_A_LINE])},"
        for place in range(0, len(events), _FRAMES_IN_A_LINE)
    ]
    last = f"    {closing}, {state}, {done}),"
    if len(last) > _WIDTH:
        return [
            *comment,
            f"    ({opening}",
            *told,
            f"    {closing}, {state}, [",
            *(f"        {one}," for one in effects),
            "    ]),",
        ]
    return [*comment, f"    ({opening}", *told, last]


def _events(events: tuple[Event, ...]) -> tuple[str, str, list[str]]:
    """Return what opens and closes the Python of a row's events, and the Python of each."""
    frames = [event for event in events if isinstance(event, RmsFrame)]
    if not frames:
        return "[", "]", [_expression(event) for event in events]
    if any(frame.voicing for frame in frames):
        return "voiced(", ")", [f"{frame.at!r}, {frame.rms!r}, {frame.voicing!r}" for frame in frames]
    return "heard(", ")", [f"{frame.at!r}, {frame.rms!r}" for frame in frames]


def _told(event: Event) -> list[str]:
    """Return the lines of a piece of audio whose levels may be many; none of any other event."""
    if not isinstance(event, AudioDelta) or not event.levels_rms:
        return []
    bare = _expression(attrs.evolve(event, levels_rms=())).removesuffix(")")
    return [f"        {bare}, (", *_numbers(event.levels_rms, indent=" " * 12), "        )),"]


def _numbers(numbers: Iterable[int], indent: str) -> list[str]:
    """Return numbers as lines of the Python of a tuple."""
    text = "".join(f"{number}, " for number in numbers).rstrip()
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _expression(value: Any) -> str:
    """Return the Python of a value; fields behind the last one that is not the default are left out."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bytes):
        return f"audio({len(value)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_expression, value))}{',' * (len(value) == 1)})"
    if not attrs.has(type(value)):
        return repr(value)
    values = [getattr(value, field.name) for field in attrs.fields(type(value))]
    defaults = [_default(field) for field in attrs.fields(type(value))]
    while values and values[-1] == defaults[len(values) - 1]:
        values.pop()
    return f"{type(value).__name__}({', '.join(map(_expression, values))})"


def _default(field: "attrs.Attribute[Any]") -> Any:
    default: Any = field.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def _quoted(text: str) -> str:
    quoted = repr(text)
    return quoted if '"' in text or quoted.startswith('"') else f'"{quoted[1:-1]}"'


def _keywords(value: Any, names: Iterable[str] = (), indent: str = "") -> str:
    """Return the Python of a value, one field a line."""
    names = names or [field.name for field in attrs.fields(type(value))]
    lines = [f"{indent}    {name}={_expression(getattr(value, name))}," for name in names]
    return "\n".join([f"{type(value).__name__}(", *lines, f"{indent})"])


def _business(business: Business) -> Business:
    """Return what the machine knows of a business: where its functions are is nobody's business."""
    tools = (
        Tool(tool.name, "a function", "https://example.org/", timeout_s=tool.timeout_s) for tool in business.tool
    )
    return attrs.evolve(business, tool=tuple(tools))


def _imports(*code: str) -> list[str]:
    """Return the imports that the code of the table needs, beside those that every such test has."""
    used = set(re.findall(r"\b([A-Z]\w+)\(", "\n".join(code)))
    effects = {kind.__name__ for kind in get_args(Effect)} & used | {"CreateResponse", "Effect", "Log"}
    events = {kind.__name__ for kind in EVENTS} & used | {"Event", "RmsFrame"}
    settings = {"Business", "Config", "GateConfig", "LimitsConfig", "TurnConfig"} | {"Tool"} & used
    return [
        "from callfsm.call import Call",
        _import("config", settings),
        _import("effects", effects),
        _import("events", events),
        "from callfsm.machine import dispatch",
        "from callfsm.states.base import State",
    ]


def _import(module: str, names: Iterable[str]) -> str:
    line = f"from callfsm.{module} import {', '.join(sorted(names))}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"from callfsm.{module} import (", *(f"    {name}," for name in sorted(names)), ")"])


def _plain(text: str) -> str:
    return re.sub(r"[^\w.:+-]", "_", text)
