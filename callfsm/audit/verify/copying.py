"""Copies of a call, so that one configuration can be left by many inputs."""

from collections import deque
from collections.abc import Callable
from copy import deepcopy
from operator import attrgetter
from typing import Any, Final, TypeVar

import attrs

from callfsm.audit.verify.watch import Watch
from callfsm.call import Call
from callfsm.hearing.gate import Gate
from callfsm.hearing.line import Line
from callfsm.hearing.turn import Turn, Utterance
from callfsm.speaking.playback import Playback, _Item
from callfsm.speaking.response import Response

T = TypeVar("T")
_VALUES: Final[dict[type, Callable[[Any], tuple[Any, ...]]]] = {
    kind: attrgetter(*(attribute.name for attribute in attrs.fields(kind)))
    for kind in (Call, Gate, Line, Turn, Utterance, Response, Playback, Watch)
}


def shallow(thing: T) -> T:
    """Return another of the same kind with the very same values."""
    kind = type(thing)
    return kind(*_VALUES[kind](thing))


def copy_of(call: Call) -> Call:
    """Return a call that shares nothing with this one but what never changes."""
    copied = shallow(call)
    copied.calibration = call.calibration.copy()
    copied.backlog = call.backlog.copy()
    copied.cut = call.cut.copy()
    copied.tools = call.tools.copy()
    copied.history = call.history.copy()
    copied.effects = call.effects.copy()
    copied.moves = call.moves.copy()
    copied.gate = shallow(call.gate)
    copied.gate.line = _copy_of_line(call)
    copied.gate.held = call.gate.held.copy()
    copied.response = shallow(call.response)
    copied.response.settled_ids = call.response.settled_ids.copy()
    copied.playback = _copy_of_playback(call.playback)
    copied.turn = _copy_of_turn(call.turn)
    return copied


def _copy_of_line(call: Call) -> Line:
    line, config = call.gate.line, call.config.gate
    if config.follow_factor or config.echo_factor:
        return deepcopy(line)
    # Nothing but calibration changes it.
    return line if line.is_calibrated else shallow(line)


def _copy_of_playback(playback: Playback) -> Playback:
    copied = shallow(playback)
    copied.held = playback.held.copy()
    copied.marks = playback.marks.copy()
    copied._kept = playback._kept.copy()  # noqa: SLF001 - it is a copy's
    copied._levels = playback._levels.copy()  # noqa: SLF001
    copied._items = [_Item(i.item_id, i.start, i.end) for i in playback._items]  # noqa: SLF001 - it is a copy's
    return copied


def _copy_of_turn(turn: Turn) -> Turn:
    copied = shallow(turn)
    if not (turn.unsettled or turn.unacknowledged):
        copied.unsettled, copied.unacknowledged = deque(), deque()
        copied.open = turn.open and _copy_of_utterance(turn.open)
        return copied
    # An utterance may stand in two of the lists: it must be one and the same in both.
    alike = {id(utterance): _copy_of_utterance(utterance) for utterance in (*turn.unsettled, *turn.unacknowledged)}
    copied.unsettled = deque([alike[id(utterance)] for utterance in turn.unsettled])
    copied.unacknowledged = deque([alike[id(utterance)] for utterance in turn.unacknowledged])
    copied.open = turn.open and _copy_of_utterance(turn.open)
    return copied


def _copy_of_utterance(utterance: Utterance) -> Utterance:
    copied = shallow(utterance)
    copied.audio = utterance.audio.copy()
    return copied
