"""What a soak is judged by: numbers in, sentences about what is wrong out. Pure."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Final

from attrs import frozen

RSS_TOLERANCE: Final = 0.05
RSS_TOLERANCE_KIB: Final = 8 * 1024
"""Memory is flat where the last quarter is at most so much above the second one: both together."""
LEAST_SAMPLES: Final = 8
LAG_S: Final = 0.1


@frozen
class Bound:
    """How much later than in the quiet run something may be: the median, the 95th percentile, and the worst."""

    what: str
    median_ratio: float
    p95_ratio: float
    slack_s: float
    ceiling_s: float


ANSWER: Final = Bound("from the end of the question to the answer", 1.25, 1.6, 0.15, 4.0)
STOP: Final = Bound("from the interrupting sound to `clear`", 1.5, 3.0, 0.05, 0.6)
"""A stop takes some hundredths of a second, of which a frame's 20 ms are chance: hence the slack."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of them does not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def quarters(samples: Sequence[float]) -> list[float]:
    """Return the median of each quarter; none of too few samples."""
    size = len(samples) // 4
    return [median(samples[at * size : (at + 1) * size]) for at in range(4)] if size else []


def memory(rss_kib: Sequence[float]) -> list[str]:
    """Say whether the memory of a process, sampled evenly, has grown."""
    if len(rss_kib) < LEAST_SAMPLES:
        return [f"memory: {len(rss_kib)} samples are too few to judge by"]
    _, early, _, late = quarters(rss_kib)
    most = early * (1 + RSS_TOLERANCE) + RSS_TOLERANCE_KIB
    if late <= most:
        return []
    return [f"memory grows: {early / 1024:.1f} MiB in the second quarter, {late / 1024:.1f} MiB in the last"]


def waits(bound: Bound, quiet: Sequence[float], loaded: Sequence[float]) -> list[str]:
    """Say whether some calls waited on others, by what healthy calls waited in a quiet run and among many."""
    if not quiet or not loaded:
        return [f"{bound.what}: nothing was measured ({len(quiet)} quiet, {len(loaded)} loaded)"]
    usual = median(quiet)
    limits = [
        ("median", median(loaded), usual * bound.median_ratio + bound.slack_s),
        ("95th percentile", percentile(loaded, 0.95), usual * bound.p95_ratio + bound.slack_s),
        ("worst", max(loaded), bound.ceiling_s),
    ]
    return [
        f"{bound.what}: {name} {took:.3f} s, at most {most:.3f} s; {usual:.3f} s in the quiet run"
        for name, took, most in limits
        if took > most
    ]


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """Return a quantile of a histogram of cumulative buckets (most, count); NaN where nothing was counted."""
    ordered = sorted(buckets)
    total = ordered[-1][1] if ordered else 0.0
    if not total:
        return math.nan
    below_most = below_count = 0.0
    for most, count in ordered:
        if count >= share * total:
            if math.isinf(most):
                return below_most
            return below_most + (most - below_most) * (share * total - below_count) / max(count - below_count, 1e-9)
        below_most, below_count = most, count
    return below_most


def left_over(what: str, before: float, after: float) -> list[str]:
    """Say whether more of something is there than before the first call."""
    return [] if after <= before else [f"{what}: {after:g} after the last call, {before:g} before the first"]


def lag(p99_s: float) -> list[str]:
    """Say whether the server's event loop was late."""
    return [f"the event loop is late: 99th percentile {p99_s:.3f} s, at most {LAG_S} s"] if p99_s > LAG_S else []
