"""Mutants of the small machines: a move dropped, or led to another phase."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final, cast

from attrs import frozen

from callfsm.hearing.turn import TURN
from callfsm.phases import PhaseTable
from callfsm.speaking.playback import PLAYBACK
from callfsm.speaking.response import OWED, RESPONSE

TABLES: Final[tuple[PhaseTable[Any, Any], ...]] = (TURN, RESPONSE, OWED, PLAYBACK)


@frozen
class PhaseMutant:
    """One move of a small machine, and what becomes of it: another phase, or None where it is dropped."""

    table: PhaseTable[Any, Any]
    phase: Enum
    by: Enum
    to: Enum | None

    @property
    def name(self) -> str:
        """Say where and what."""
        what = f"to {self.to.name}" if self.to else "dropped"
        return f"{self.table.name}: {self.phase.name} on {self.by.name}, {what}"

    @property
    def kind(self) -> str:
        """The sort of the change."""
        return "move led elsewhere" if self.to else "move dropped"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the small machine be so for a while."""
        moves = cast("dict[Enum, dict[Enum, Enum]]", self.table.moves)[self.phase]
        kept = dict(moves)
        if self.to is None:
            del moves[self.by]
        else:
            moves[self.by] = self.to
        try:
            yield
        finally:
            moves.clear()
            moves.update(kept)


def phase_mutants() -> Iterator[PhaseMutant]:
    """Yield every mutant: each move dropped, and each led to the phase that is listed behind the right one."""
    for table in TABLES:
        for phase, moves in table.moves.items():
            phases = list(table.moves)
            for by, to in list(moves.items()):
                yield PhaseMutant(table, phase, by, None)
                yield PhaseMutant(table, phase, by, phases[(phases.index(to) + 1) % len(phases)])
