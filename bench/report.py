"""The benchmark's numbers, and the table that they make."""

from collections import Counter
from collections.abc import Callable, Iterable
from statistics import mean
from typing import Final

import numpy as np
from attrs import frozen

FULL: Final = 0.8
"""The share of a core at which it is called full."""
PEERS_FULL: Final = 0.8
LATE_SHARE: Final = 0.01
HOW: Final = """
(*) From outside, loopback and the peers' own waiting included. callfsm: from the write of the first loud frame over
the assistant's voice to the arrival of the `clear`. relay: from the write of a frame to its arrival at the API, the
least that anything can take here: the relay knows no barge-in.
Callers: 20 ms frames in real time; 1 s of speech every 5 s, which interrupts an answer of 4 s, sent at 8 times real
time in pieces of 200 ms; a call alone interrupts every 2.2 s. CPU: user and system time of the whole process,
{seconds:.0f} s at each number of calls, {rounds} runs of each server, taking turns; carried: by a linear fit of the
core's share over the calls, a guess where it lies far beyond the most calls measured. callfsm writes journals, and
its log at INFO into a file."""


def percentile(values: list[float], share: float) -> float:
    """Return a percentile, nan where there is nothing."""
    return float(np.quantile(values, share)) if values else float("nan")


@frozen
class Point:
    """What was measured at one number of calls."""

    calls: int
    alive: int
    seconds: float
    cpu_s: float
    inside: Counter[float]
    rss_kib: int
    frames: int
    appends: int
    media: int
    stops: list[float]
    missed: int
    passes: list[float]
    late: int
    peers_cpu: float

    @property
    def core(self) -> float:
        """Return the share of a core that the server used."""
        return self.cpu_s / self.seconds

    @property
    def are_peers_saturated(self) -> bool:
        """Say whether the peers may have been what was measured."""
        return self.peers_cpu > PEERS_FULL or self.late > LATE_SHARE * self.frames

    @property
    def is_sound(self) -> bool:
        """Say whether the server carried all calls and had a rest of its core to spare."""
        return self.alive == self.calls and self.core < 0.95

    def line(self, kind: str) -> str:
        """Return what was measured as one line."""
        waits = self.stops if kind == "callfsm" else self.passes
        remarks = [f"only {self.alive} calls alive"] if self.alive < self.calls else []
        remarks += [f"{self.missed} barge-ins not answered"] if self.missed and kind == "callfsm" else []
        remarks += [f"PEERS SATURATED: {self.late} of {self.frames} frames late"] if self.are_peers_saturated else []
        return (
            f"{kind:8}{self.calls:4} calls: server {self.core:6.1%} of a core, {self.rss_kib / 1024:6.1f} MiB; "
            f"peers {self.peers_cpu:5.1%}; p50 {percentile(waits, 0.5) * 1000:.2f} ms, "
            f"p99 {percentile(waits, 0.99) * 1000:.2f} ms of {len(waits)}" + "".join(f"; {each}" for each in remarks)
        )


@frozen
class Run:
    """One server, from its start to its end."""

    kind: str
    idle_kib: int
    points: list[Point]


@frozen
class Summary:
    """One server over all its runs."""

    kind: str
    runs: list[Run]
    lone: list[Run]

    def _points(self, calls: int) -> list[Point]:
        return [point for run in (*self.runs, *self.lone) for point in run.points if point.calls == calls]

    def cpu_ms(self, calls: int) -> float:
        """Return CPU milliseconds a call-second."""
        return mean(point.core / point.calls * 1000 for point in self._points(calls))

    def carries(self) -> float:
        """Return the number of calls at which the line through CPU over calls reaches FULL."""
        points = [point for run in self.runs for point in run.points if point.is_sound]
        slope, base = np.polyfit([point.calls for point in points], [point.core for point in points], 1)
        return float((FULL - base) / slope)

    def kib_a_call(self, calls: int) -> float:
        """Return memory a call: what the process grew by since it was idle."""
        grown = [(p.rss_kib - run.idle_kib) / calls for run in self.runs for p in run.points if p.calls == calls]
        return mean(grown)

    def marginal_kib(self) -> float:
        """Return memory a further call, by a linear fit."""
        points = [point for run in self.runs for point in run.points]
        return float(np.polyfit([point.calls for point in points], [point.rss_kib for point in points], 1)[0])

    def ms(self, of: Callable[[Point], list[float]], calls: int, share: float) -> float:
        """Return a percentile of a latency, in ms."""
        return percentile([each for point in self._points(calls) for each in of(point)], share) * 1000

    def inside(self, calls: int) -> str:
        """Return how soon barge-ins were obeyed by the server's own histogram."""
        buckets: Counter[float] = sum((point.inside for point in self._points(calls)), Counter())
        total = buckets[float("inf")]
        told = [f"{buckets[s] / total:.0%} within {s * 1000:g} ms" for s in sorted(buckets) if s < float("inf")]
        full = next((i for i, each in enumerate(told) if each.startswith("100%")), len(told))
        return f"{total} barge-ins: " + ", ".join(told[: full + 1]) if total else "not told"

    def sent_up(self, calls: int) -> float:
        """Return the share of the callers' frames that went on to the API."""
        points = self._points(calls)
        return sum(point.appends for point in points) / sum(point.frames for point in points)


def rows(ours: Summary, relay: Summary, numbers: list[int]) -> Iterable[tuple[str, float, float, str]]:
    """Return the table: what, callfsm's, the relay's, how many decimals."""
    for calls in numbers:
        yield f"CPU ms a call-second, {calls} calls", ours.cpu_ms(calls), relay.cpu_ms(calls), ".2f"
    most = numbers[-1]
    yield f"calls a core carries, at {FULL:.0%} of it", ours.carries(), relay.carries(), ".0f"
    yield f"KiB a call, {most} calls (RSS less idle)", ours.kib_a_call(most), relay.kib_a_call(most), ".0f"
    yield "KiB a further call (linear fit)", ours.marginal_kib(), relay.marginal_kib(), ".0f"
    yield "share of the caller's frames sent on", ours.sent_up(most), relay.sent_up(most), ".2f"
    for calls in (1, most):
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            stop = ours.ms(lambda point: point.stops, calls, share)
            through = relay.ms(lambda point: point.passes, calls, share)
            yield f"ms to obey a loud frame, {calls} calls, {name} (*)", stop, through, ".2f"


def print_report(runs: list[Run], lone: list[Run]) -> None:
    """Print the table, and how it was taken."""
    numbers = sorted({point.calls for run in runs for point in run.points})
    ours, relay = (
        Summary(kind, [run for run in runs if run.kind == kind], [run for run in lone if run.kind == kind])
        for kind in ("callfsm", "relay")
    )
    if not (ours.runs and relay.runs):
        return
    print(f"\n{'':48}{'callfsm':>9}{'relay':>9}{'ratio':>8}")
    for name, of_ours, of_relay, decimals in rows(ours, relay, numbers):
        print(f"{name:48}{of_ours:9{decimals}}{of_relay:9{decimals}}{of_ours / of_relay:8.2f}")
    for calls in (1, numbers[-1]):
        print(f"in the process, frame to clear, {calls} calls: {ours.inside(calls)}")
    print(HOW.format(seconds=runs[0].points[0].seconds, rounds=len(ours.runs)))
    points = [point for run in runs for point in run.points]
    saturated = "SATURATED, see above" if any(point.are_peers_saturated for point in points) else "not saturated"
    late = sum(point.late for point in points) / sum(point.frames for point in points)
    busiest = max(point.peers_cpu for point in points)
    print(f"Peers: {saturated}; at most {busiest:.0%} of their core, {late:.2%} of the frames over 5 ms late.")
