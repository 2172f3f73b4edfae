"""The rules for a transcript. No language filter: an English "house" is valid input."""

from typing import Final

NOISE_CHARACTERS: Final = frozenset(".?!, ")
MIN_CHARACTERS: Final = 2
MIN_FIRST_CHARACTERS: Final = 3
"""The first real utterance of a call takes one character more."""

_UNPRINTED: Final = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], " "
)
"""Control characters, line ends, and what turns a line's direction round (Unicode, annex 9)."""


def one_line(transcript: str) -> str:
    """Return the text as one line that shows as it is and forges nothing, without the white space around it."""
    return transcript.translate(_UNPRINTED).strip()


def is_too_short(transcript: str) -> bool:
    """Fewer than two characters remain when the white space around them is gone."""
    return len(transcript.strip()) < MIN_CHARACTERS


def is_only_noise(transcript: str) -> bool:
    """Nothing but punctuation and blanks."""
    return NOISE_CHARACTERS.issuperset(transcript.strip())


def is_real_speech(transcript: str) -> bool:
    """Enough of a text to be the first real utterance of a call."""
    return len(transcript.strip()) >= MIN_FIRST_CHARACTERS and not is_only_noise(transcript)
