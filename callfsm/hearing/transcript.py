"""The rules for a transcript. No language filter: an English "house" is valid input."""

from typing import Final

NOISE_CHARACTERS: Final = frozenset(".?!, ")
MIN_CHARACTERS: Final = 2
MIN_FIRST_CHARACTERS: Final = 3
"""The first real utterance of a call takes one character more."""


def is_too_short(transcript: str) -> bool:
    """Fewer than two characters remain when the white space around them is gone."""
    return len(transcript.strip()) < MIN_CHARACTERS


def is_only_noise(transcript: str) -> bool:
    """Nothing but punctuation and blanks."""
    return NOISE_CHARACTERS.issuperset(transcript.strip())


def is_real_speech(transcript: str) -> bool:
    """Enough of a text to be the first real utterance of a call."""
    return len(transcript.strip()) >= MIN_FIRST_CHARACTERS and not is_only_noise(transcript)
