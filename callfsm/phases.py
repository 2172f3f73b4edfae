"""The small machines: an Enum of phases, an Enum of inputs, and a table of the legal moves between them."""

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

from attrs import frozen

PhaseT = TypeVar("PhaseT", bound=Enum)
InputT = TypeVar("InputT", bound=Enum)


class IllegalMoveError(RuntimeError):
    """A small machine was fed an input that its phase does not take: our own bug."""


@frozen
class PhaseTable(Generic[PhaseT, InputT]):
    """The legal moves of one small machine; what is not in it is a bug."""

    name: str
    moves: Mapping[PhaseT, Mapping[InputT, PhaseT]]

    def move(self, phase: PhaseT, by: InputT) -> PhaseT:
        """Return the phase that follows; raise IllegalMoveError where there is none."""
        try:
            return self.moves[phase][by]
        except KeyError:
            raise IllegalMoveError(f"{self.name}: {by.name} in {phase.name}") from None
