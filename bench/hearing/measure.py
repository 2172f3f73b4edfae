"""The gate over a set: any function that answers a case with rows can be measured."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from callfsm.hearing.mulaw import FRAME_MS

from .labels import Case
from .score import Row, Tally, score
from .table import Measured

RunCase = Callable[[Path, Path, Sequence[str]], Sequence[Row]]
"""Takes the near and the far wav file and settings as `section.key=value`; returns one row a frame, as in score."""


@frozen
class Variant:
    """One way to set the gate up. `needs` is a module without which it is left out."""

    name: str
    settings: tuple[str, ...] = ()
    needs: str = ""


BARE: Final = (
    "gate.preroll_ms=0",
    "gate.hangover_ms=0",
    "gate.follow_factor=0.0",
    "gate.echo_factor=0.0",
    "turn.confirm_voiced_ms=0",
)


def measure(variant: Variant, run_case: RunCase, folder: Path, cases: Iterable[Case]) -> Measured:
    """Run one variant over the cases; RowsError where its rows do not fit a case."""
    by_kind: dict[str, Tally] = {}
    spent_s, frames = 0.0, 0
    for case in cases:
        began_s = time.perf_counter()
        rows = run_case(folder / f"{case.id}.near.wav", folder / f"{case.id}.far.wav", variant.settings)
        spent_s += time.perf_counter() - began_s
        frames += case.length_ms // FRAME_MS
        by_kind[case.kind] = by_kind.get(case.kind, Tally()) + score(case, rows)
    return Measured(variant.name, by_kind, spent_s * 1e6 / max(1, frames))
