"""What happened in a soak, as a short table."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from . import judge
from .calls import Outcome, Population
from .look import Look

_MS: Final = 1000


def table(
    quiet: Sequence[Outcome], population: Population, look: Look, loads: tuple[float, float], lag_p99_s: float
) -> str:
    """Return the calls by kind and end, and what was measured."""
    outcomes = population.outcomes
    healthy = [outcome for outcome in outcomes if outcome.is_healthy]
    memory = ", ".join(f"{each / 1024:.1f}" for each in judge.quarters(look.rss_kib))
    server, peers = loads
    own_s = judge.percentile(look.own_late_s, 0.99)
    return "\n".join([
        f"{'calls':>6} {'wrong':>6}  kind: ends",
        *_rows(outcomes),
        f"{len(outcomes):>6} calls, {len(healthy)} of them healthy; {population.knocks} peers that never became one",
        f"memory      {memory} MiB in the four quarters",
        f"CPU         the server {server:.0%} of a core, the peers {peers:.0%}",
        f"lag, p99    the server's event loop {lag_p99_s * _MS:.1f} ms, the peers' {own_s * _MS:.1f} ms",
        _waits("answer", [o.took.answers for o in quiet], [o.took.answers for o in healthy]),
        _waits("stop", [o.took.stops for o in quiet], [o.took.stops for o in healthy]),
    ])  # fmt: skip


def _rows(outcomes: Sequence[Outcome]) -> list[str]:
    rows: list[str] = []
    for kind in sorted({outcome.kind for outcome in outcomes}):
        those = [outcome for outcome in outcomes if outcome.kind == kind]
        ends = Counter(outcome.end or "?" for outcome in those)
        told = ", ".join(f"{end} {count}" for end, count in ends.most_common())
        rows.append(f"{len(those):>6} {sum(bool(outcome.wrong) for outcome in those):>6}  {kind}: {told}")
    return rows


def _waits(name: str, quiet: Sequence[Sequence[float]], loaded: Sequence[Sequence[float]]) -> str:
    told: list[str] = []
    for run, lists in (("quiet", quiet), ("loaded", loaded)):
        values = [each * _MS for some in lists for each in some]
        median, p95, worst = (judge.percentile(values, share) for share in (0.5, 0.95, 1.0))
        told.append(f"{run} {median:.0f} / {p95:.0f} / {worst:.0f} ms of {len(values)}")
    return f"{name:<11} median / 95th / worst: {'; '.join(told)}"
