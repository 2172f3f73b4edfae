"""What calls did on the chart of the whole machine: which changes of state, how often, and how long in each state."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from callfsm.audit.diagram.dot import Overlay, Use
from callfsm.audit.diagram.graph import Graph
from callfsm.audit.recording import Recording, Step, run
from callfsm.events import ReplyDue, TimerFired

Edge = tuple[str, str, str]
"""Source, event and target of a change of state."""
_LISTED: Final = 6
"""Of a longer list the first so many numbers are written, and the last one."""


@frozen
class Move:
    """One change of state of a call, and when it was, in the monotonic seconds of the journal."""

    edge: Edge
    at: float


@frozen
class Route:
    """The way of one call: its changes of state in their order."""

    call_sid: str
    initial: str
    began_at: float
    ended_at: float
    moves: tuple[Move, ...]
    warning: str = ""
    """Where the call, run again, is first another than the one recorded; empty where it is the same."""

    def seconds(self) -> dict[str, float]:
        """Return how long the call was in each state that it reached, in seconds."""
        spent: dict[str, float] = {}
        state, since = self.initial, self.began_at
        for move in self.moves:
            spent[state] = spent.get(state, 0.0) + move.at - since
            state, since = move.edge[2], move.at
        spent[state] = spent.get(state, 0.0) + self.ended_at - since
        return spent


def route_of(recording: Recording) -> Route:
    """Run a recorded call again and return its way, from its first event to its last."""
    call = recording.begin()
    initial, deadline = call.state.name, call.deadline
    at = recording.started_at
    moves: list[Move] = []
    warning = f"{recording.path}: breaks off before the end of the call" if recording.is_torn else ""
    for step in run(recording):
        if step.event is not None:
            # The clock of the loop counts milliseconds: a line may be that much older than the one before it.
            now = max(at, step.event.at)
            moves += _moves(step, min(max(deadline, at), now), now)
            at = now
        warning = warning or _difference(recording, step)
        deadline = step.call.deadline
    return Route(recording.call_sid, initial, recording.started_at, at, tuple(moves), warning)


def _moves(step: Step, due_at: float, at: float) -> Iterator[Move]:
    # A journal's line names the event that came; the timer that was due before it is fed at its own time.
    time = at
    for source, event, target in step.moves:
        if event is not ReplyDue:
            time = due_at if event is TimerFired else at
        yield Move((source.name, event.__name__, target.name), time)


def _difference(recording: Recording, step: Step) -> str:
    place = f"{recording.path}, line {step.entry.line}"
    if step.error is not None:
        return f"{place}: run again, the call meets a bug there: {type(step.error).__name__}: {step.error}"
    if step.is_as_recorded or step.entry.state is None or step.entry.to is None:
        return ""
    recorded = f"{step.entry.state.name} to {step.entry.to.name}"
    return f"{place}: run again, the call goes from {step.source.name} to {step.dest.name}, not from {recorded}"


def overlay(graph: Graph, routes: Sequence[Route]) -> Overlay:
    """Return what one call or many did, to be drawn on the chart: of one call the order too, of many the counts."""
    taken: dict[Edge, list[int]] = {}
    travellers: Counter[Edge] = Counter()
    spent: dict[str, float] = defaultdict(float)
    for route in routes:
        for number, move in enumerate(route.moves, 1):
            taken.setdefault(move.edge, []).append(number)
        travellers.update({move.edge for move in route.moves})
        for state, seconds in route.seconds().items():
            spent[state] += seconds
    final = {state.name for state in graph.states if state.is_final}
    total = sum(seconds for state, seconds in spent.items() if state not in final)
    is_one = len(routes) == 1
    who = f"Call {routes[0].call_sid}" if is_one else _calls(len(routes))
    changes = sum(map(len, taken.values()))
    return Overlay(
        caption=f"{who}: {total:.1f} s, {changes} change{'s' * (changes != 1)} of state. Grey: never.",
        boxes={state: "reached" if state in final else _time(seconds, total) for state, seconds in spent.items()},
        uses={
            edge: Use(len(numbers), _order(numbers) if is_one else _count(len(numbers), travellers[edge]))
            for edge, numbers in taken.items()
        },
    )


def _order(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"step {numbers[0]}"
    if len(numbers) <= _LISTED + 1:
        return f"steps {', '.join(map(str, numbers))}"
    return (
        f"steps {', '.join(map(str, numbers[:_LISTED]))} \N{HORIZONTAL ELLIPSIS} {numbers[-1]} ({len(numbers)} times)"
    )


def _count(times: int, calls: int) -> str:
    return f"{times}\N{MULTIPLICATION SIGN} in {_calls(calls)}"


def _calls(count: int) -> str:
    return f"{count} call{'s' * (count != 1)}"


def _time(seconds: float, total_s: float) -> str:
    time = f"{seconds:.1f} s" if seconds >= 0.1 or not seconds else f"{1000 * seconds:.0f} ms"
    share = seconds / total_s if total_s else 0.0
    return f"{time}, under 1 %" if share < 0.01 else f"{time}, {100 * share:.0f} %"
