"""The check that a reply was Hebrew."""

import re
from typing import Final

MIN_HEBREW_SHARE: Final = 0.5
_FIRST_LETTER: Final = "א"
_LAST_LETTER: Final = "ת"
_STRUCK_OUT: Final = re.compile(r"\[(?:identity|card|phone|email)\]")


def hebrew_share(text: str) -> float:
    """Return the share of Hebrew among the letters of a text, 1.0 where it has none.

    Points and marks are not letters; the final forms are. What stands for private data is no word of anybody's.
    """
    letters = [character for character in _STRUCK_OUT.sub("", text) if character.isalpha()]
    hebrew = sum(_FIRST_LETTER <= letter <= _LAST_LETTER for letter in letters)
    return hebrew / len(letters) if letters else 1.0
