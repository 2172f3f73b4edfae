"""Why a mutant that nobody notices is no other machine, where it can be said in a sentence."""

from typing import Final

_SIDES: Final = "one asks for a frame below the threshold, the other for one at or above it"
_SOMEBODY: Final = "one asks that somebody real has spoken, the other that nobody has"
_PHRASE: Final = "nothing is both punctuation and a phrase"
_NAMES: Final = "a business's function cannot have the name of one of the assistant's own"
_MARKS: Final = "a mark that is not pending is not the final one"
_REASONS: Final[dict[str, str]] = {
    "WAITING_FOR_USER x RmsFrame, rows 1 and 2": _SIDES,
    "GREETING x RmsFrame, rows 1 and 2": _SIDES,
    "LISTENING x RmsFrame, rows 1 and 2": _SIDES,
    "CANCELLING x RmsFrame, rows 1 and 2": _SIDES,
    "LISTENING x RmsFrame, rows 2 and 3": "a reply is held back or has been stopped, not both",
    **{
        f"{state} x TranscriptCompleted, rows 3 and 4": _PHRASE
        for state in ("WAITING_FOR_USER", "GREETING", "LISTENING", "AI_GRACE", "AI_SPEAKING", "CANCELLING")
    },
    **{
        f"{state} x TranscriptCompleted, rows {row} and {row + 1}": _SOMEBODY
        for state in ("AI_GRACE", "AI_SPEAKING", "CANCELLING")
        for row in (6, 7, 8)
    },
    "LISTENING x ToolCalled, rows 2 and 3": _NAMES,
    "AI_GRACE x ToolCalled, rows 2 and 3": _NAMES,
    "AI_SPEAKING x ToolCalled, rows 2 and 3": _NAMES,
    "AI_GRACE x PlaybackMarked, rows 1 and 2": _MARKS,
    "AI_SPEAKING x PlaybackMarked, rows 1 and 2": _MARKS,
    "LISTENING x AudioDelta, row 1: without finish_playback": "nothing of a reply that begins here was sent or held",
    "LISTENING x TimerFired, row 4: without accept_untranscribed": (
        "the deadline has passed still, and CANCELLING accepts the utterance in the same step"
    ),
    "abstraction, greeting: without its value 1": "what is owed tells such a business as long as that matters",
    "abstraction, greeting: without its value 3": "no greeting is owed any more once one was heard",
    "abstraction, greeting: without its value 4": "the call's own word agrees, or the law has been broken",
}
"""By the beginning of the mutant's name."""


def reason_of(name: str) -> str | None:
    """Return the reason, None where there is none."""
    return next((reason for beginning, reason in _REASONS.items() if name.startswith(beginning)), None)
