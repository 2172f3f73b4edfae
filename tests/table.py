"""The columns of the transition tests: one case is one fact about the machine.

A case says where the call is and what it has been through, what happens, where the call goes, every effect in order,
and what of the whole extended state changes. What `after` does not name must stay as it was.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import pytest
from _pytest.mark.structures import ParameterSet
from attrs import frozen

from callfsm.call import Call
from callfsm.effects import DEBUG, AppendAudio, Effect, Log
from callfsm.events import Event, RmsFrame
from callfsm.hearing.gate import HeardFrame
from callfsm.hearing.line import Line
from callfsm.hearing.turn import Utterance
from callfsm.machine import dispatch
from callfsm.speaking.levels import Levels
from callfsm.speaking.playback import _Item
from callfsm.states.base import State
from tests.calls import QUIET, THRESHOLD, Story

Snapshot = dict[str, object]
_OPAQUE = ("config", "business", "briefing", "moves")
_NESTED = ("gate", "turn", "response", "playback")
_OF_THE_LINE = ("noise_rms", "threshold_rms", "limit_rms")
"""What of the line a row may read or set; how each frame moves the rest is told in tests/hearing."""


@frozen
class Case:
    """One line of a table."""

    state: State
    given: Story
    event: Event
    to: State
    effects: Sequence[Effect]
    after: Mapping[str, object]
    via: Sequence[State] = ()
    """The states between, where the event leads on within one dispatch."""


def case(
    name: str,
    state: State,
    given: Story,
    event: Event,
    to: State,
    effects: Sequence[Effect] = (),
    after: Mapping[str, object] | None = None,
    via: Sequence[State] = (),
) -> ParameterSet:
    return pytest.param(Case(state, given, event, to, effects, after or {}, via), id=f"{state.name}: {name}")


def value(param: ParameterSet) -> Case:
    """The case of a pytest parameter."""
    (found,) = param.values
    assert isinstance(found, Case)
    return found


def _plain(found: object) -> object:
    if isinstance(found, Utterance):
        return {name: _plain(getattr(found, name)) for name in _names(found)}
    if isinstance(found, _Item):
        return (found.item_id, found.start, found.end)
    if isinstance(found, Levels):
        return ([*zip(found._ends, found._rms, strict=True)], found._next)
    if isinstance(found, list | deque):
        return [_plain(item) for item in found]
    return dict(found) if isinstance(found, dict) else found


def _names(found: Any) -> list[str]:
    return [attribute.name for attribute in attrs.fields(type(found))]


def _flat(name: str, part: Any) -> Snapshot:
    flat: Snapshot = {}
    for inner in _names(part):
        found = getattr(part, inner)
        if isinstance(found, Line):
            flat |= {f"{name}.{known}": getattr(found, known) for known in _OF_THE_LINE}
        else:
            flat[f"{name}.{inner}"] = _plain(found)
    return flat


def snapshot(call: Call) -> Snapshot:
    """The whole extended state, by dotted name."""
    flat: Snapshot = {}
    for name in _names(call):
        if name in _NESTED:
            flat |= _flat(name, getattr(call, name))
        elif name not in _OPAQUE:
            flat[name] = _plain(getattr(call, name))
    return flat


def check(case: Case) -> None:
    """Feed the event; compare the state, all effects, and every field of the extended state."""
    call = case.given.call()
    before = snapshot(call)
    effects = dispatch(call, case.event)
    after = snapshot(call)

    changed = {name: now for name, now in after.items() if now != before[name] and name != "state"}
    expected = {name: now(before[name]) if callable(now) else now for name, now in case.after.items()}
    assert case.state is before["state"]
    assert list(case.effects) == effects
    assert case.to is call.state
    assert [*case.via, *[case.to] * (case.to is not (case.via or [case.state])[-1])] == [
        to for _, _, to in call.moves
    ]
    assert expected == changed


# Fields that change by one step from what they were


def added(*items: object) -> Callable[[Any], object]:
    return lambda before: [*before, *items]


def kept(*frames: RmsFrame, most: int = 15) -> Callable[[Any], object]:
    """Frames joined those held for the pre-roll: at most 300 ms, and the 300 ms of the grace while it may be heard."""
    return lambda before: [*before, *(unsent(frame) for frame in frames)][-most:]


def unsent(frame: RmsFrame) -> HeardFrame:
    """A frame that is held, on a line that was calibrated on QUIET."""
    return HeardFrame(frame.rms, frame.payload, frame.voicing, frame.rms >= THRESHOLD)


def more(**counts: float) -> dict[str, object]:
    """Fields, with __ for the dot, that grew by so much."""
    return {name.replace("__", "."): _plus(count) for name, count in counts.items()}


def _plus(count: float) -> Callable[[Any], object]:
    return lambda before: before + count


def said(*frames: RmsFrame, sent: Sequence[str] | None = None, **known: object) -> dict[str, object]:
    """An utterance that consists of these frames, from the first loud one on; `sent` is the audio that went out."""
    loud = [number for number, frame in enumerate(frames, 1) if frame.rms >= THRESHOLD]
    power = [frame.rms * frame.rms for frame in frames]
    fields: dict[str, object] = {
        "audio": [frame.payload for frame in frames] if sent is None else list(sent),
        "loud_frames": len(loud),
        "frames": len(frames),
        "spoken_frames": loud[-1],
        "commit_event_id": None,
        "item_id": None,
        "deadline": float("inf"),
        "rejected": False,
        "threshold_rms": THRESHOLD,
        "voiced_frames": sum(frames[number - 1].voicing > 0.5 for number in loud),
        "interrupts": False,
        "is_doubted": False,
        "_spoken_power": sum(power[: loud[-1]]),
        "_power": sum(power),
    }
    return fields | known


# Effects that many cases share


def dropped(rms: float = QUIET, threshold: float = THRESHOLD) -> Log:
    return Log(DEBUG, f"[AUDIO GATE] Drop frame, rms={rms:.1f} < {threshold:.1f}")


def appended(*frames: RmsFrame) -> list[Effect]:
    return [AppendAudio(frame.payload) for frame in frames]
