"""The measure as tables in markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from attrs import frozen

from .build import NOISE_CLASSES_RMS
from .labels import HARD, KINDS
from .score import CONFIRMED_WITHIN_MS, STOPPED_WITHIN_MS, Tally, total

MINUTE_MS: Final = 60_000
NONE: Final = "-"


@frozen
class Measured:
    """One variant of the gate over a set: what was counted by kind of case, and what a frame took."""

    name: str
    by_kind: Mapping[str, Tally]
    us_a_frame: float

    def over(self, kinds: Iterable[str]) -> Tally:
        """Return what was counted over some kinds of case."""
        return total(self.by_kind.get(kind, Tally()) for kind in kinds)


def _slashed(values: Iterable[str]) -> str:
    return " / ".join(values)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else NONE


def _a_minute(count: int, tally: Tally) -> str:
    return f"{count * MINUTE_MS / tally.assistant_ms:.2f}" if tally.assistant_ms else NONE


def _stopped(tally: Tally) -> str:
    within = [sum(ms <= limit for ms in tally.stop_latencies_ms) for limit in STOPPED_WITHIN_MS]
    return _slashed(_percent(count, tally.interruptions) for count in within)


def _confirmed(tally: Tally) -> str:
    return _percent(sum(ms <= CONFIRMED_WITHIN_MS for ms in tally.confirm_latencies_ms), tally.interruptions)


def _silences(tally: Tally) -> str:
    silences = tally.silences_ms
    if not silences:
        return NONE
    return _slashed(f"{value:.0f}" for value in (np.mean(silences), np.quantile(silences, 0.95), max(silences)))


def _open(tally: Tally) -> str:
    return _slashed(_percent(tally.open_ms[kind], tally.steady_ms[kind]) for kind in (0, *NOISE_CLASSES_RMS))


COLUMNS: Final[Sequence[tuple[str, Callable[[Tally], str]]]] = (
    ("interruptions", lambda tally: str(tally.interruptions)),
    (f"stopped within {_slashed(map(str, STOPPED_WITHIN_MS))} ms, %", _stopped),
    (f"confirmed within {CONFIRMED_WITHIN_MS} ms, %", _confirmed),
    ("wrongly resumed, %", lambda tally: _percent(tally.wrongly_resumed, tally.interruptions)),
    ("AI speech, min", lambda tally: f"{tally.assistant_ms / MINUTE_MS:.1f}"),
    ("false stops/min", lambda tally: _a_minute(tally.false_stops, tally)),
    ("replies lost/min", lambda tally: _a_minute(tally.lost_replies, tally)),
    ("silence after a false stop, ms: mean / p95 / max", _silences),
    (f"open in steady noise, %: quiet / {_slashed(map(str, NOISE_CLASSES_RMS))} RMS", _open),
    ("weak speech clipped, %", lambda tally: _percent(tally.weak_clipped, tally.weak_frames)),
    ("speech clipped, %", lambda tally: _percent(tally.speech_clipped, tally.speech_frames)),
)


def totals(variants: Iterable[Measured]) -> str:
    """Return one row a variant, over all kinds of case but the hard ones."""
    rows = [(each.name, *_cells(each.over(KINDS)), f"{each.us_a_frame:.0f}") for each in variants]
    return _table(("gate", *(name for name, _ in COLUMNS), "us a frame"), rows)


def by_kind(variants: Iterable[Measured], kinds: Sequence[str]) -> str:
    """Return one row a variant and kind of case."""
    found = ((each.name, kind, each.by_kind[kind]) for each in variants for kind in kinds if kind in each.by_kind)
    rows = [(name, kind, *_cells(tally)) for name, kind, tally in found]
    return _table(("gate", "kind", *(name for name, _ in COLUMNS)), rows)


def hard(variants: Iterable[Measured]) -> str:
    """Return the cases that nothing here can tell from the caller."""
    return by_kind(variants, HARD)


def _cells(tally: Tally) -> list[str]:
    return [told(tally) for _, told in COLUMNS]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
