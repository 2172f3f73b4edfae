"""Why a mutant that nobody notices is no other machine."""

from typing import Final

_REASONS: Final[dict[str, str]] = {}
"""By the beginning of the mutant's name."""


def reason_of(name: str) -> str | None:
    """Return the reason, None where there is none."""
    return next((reason for beginning, reason in _REASONS.items() if name.startswith(beginning)), None)
