"""Why a mutant that nobody notices is no other machine, where it can be said in a sentence."""

from typing import Final

_SIDES: Final = "one asks for a frame below the threshold, the other for one at or above it"
_SOMEBODY: Final = "one asks that somebody real has spoken, the other that nobody has"
_SPEECH: Final = "nothing is both punctuation and real speech"
_NAMES: Final = "a business's function cannot have the name of one of the assistant's own"
_MARKS: Final = "a mark that is not pending is not the final one"
_REASONS: Final[dict[str, str]] = {
    "WAITING_FOR_USER x RmsFrame, rows 1 and 2": _SIDES,
    "GREETING x RmsFrame, rows 1 and 2": _SIDES,
    "LISTENING x RmsFrame, rows 1 and 2": _SIDES,
    "CANCELLING x RmsFrame, rows 1 and 2": _SIDES,
    "LISTENING x RmsFrame, rows 2 and 3": "an utterance over which audio is held back is short, and so never full",
    "WAITING_FOR_USER x TranscriptCompleted, rows 3 and 4": _SPEECH,
    "GREETING x TranscriptCompleted, rows 3 and 4": _SPEECH,
    "AI_GRACE x TranscriptCompleted, rows 4 and 5": _SOMEBODY,
    "AI_SPEAKING x TranscriptCompleted, rows 4 and 5": _SOMEBODY,
    "CANCELLING x TranscriptCompleted, rows 4 and 5": _SOMEBODY,
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
