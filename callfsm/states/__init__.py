"""The table: every state's rows, in one place. It is the engine, the diagram and the tests' target."""

from typing import Final

from callfsm.states import (
    ai_grace,
    ai_speaking,
    calibrating,
    cancelling,
    ended,
    greeting,
    listening,
    waiting_for_user,
)
from callfsm.states.base import StateSpec

TABLE: Final[tuple[StateSpec, ...]] = (
    calibrating.SPEC,
    waiting_for_user.SPEC,
    greeting.SPEC,
    listening.SPEC,
    ai_grace.SPEC,
    ai_speaking.SPEC,
    cancelling.SPEC,
    ended.SPEC,
)
