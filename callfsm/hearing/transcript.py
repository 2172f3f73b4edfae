"""The rules for a transcript. No language filter: an English "house" is valid input."""

import unicodedata
from typing import Final

NOISE_CHARACTERS: Final = frozenset(".?!, ")
MIN_CHARACTERS: Final = 2
MIN_FIRST_CHARACTERS: Final = 3
"""The first real utterance of a call takes one character more."""

_UNPRINTED: Final = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], " "
)
"""Control characters, line ends, and what turns a line's direction round (Unicode, annex 9)."""


_MADE_UP: Final = frozenset({
    "תודה שצפיתם", "תודה שצפיתם בסרטון", "תודה רבה שצפיתם", "תודה על הצפייה", "תודה רבה על הצפייה",
    "כתוביות", "הכתוביות", "תרגום וכתוביות", "כתוביות בעברית",
    "thanks for watching", "thank you for watching", "thank you so much for watching", "please subscribe",
    "subtitles",
    "спасибо за просмотр", "подписывайтесь на канал", "продолжение следует", "субтитры",
    "شكرا للمشاهدة", "اشتركوا في القناة", "ترجمة",
})  # fmt: skip
"""What transcription models write down where nobody spoke: the last words of films and of their subtitles."""
_MADE_UP_BEGINNINGS: Final = (
    "כתוביות נעשו על ידי", "הכתוביות נעשו על ידי", "כתוביות על ידי", "תרגום וכתוביות",
    "subtitles by", "subtitled by", "captions by", "субтитры сделал", "субтитры создавал", "редактор субтитров",
    "ترجمة نانسي",
)  # fmt: skip
"""Credits: names follow."""
_WITHIN: Final = "'’׳״\""
"""Punctuation that stands within words."""
ECHO_SHARE: Final = 0.8
"""So many of an utterance's words stand in the reply that it interrupted, and it is its echo."""
MIN_ECHO_WORDS: Final = 2


def words_of(text: str) -> list[str]:
    """Return a text's words: in small letters, without punctuation, niqqud and other marks (Unicode, category M)."""
    plain = unicodedata.normalize("NFD", text.casefold())
    kept = "".join(
        c if c.isalnum() else " " * (unicodedata.category(c)[0] != "M" and c not in _WITHIN) for c in plain
    )
    return unicodedata.normalize("NFC", kept).split()


def is_made_up(transcript: str) -> bool:
    """A phrase, and no more, that transcription models are known to make up from near-silence."""
    text = " ".join(words_of(transcript))
    return text in _MADE_UP or text.startswith(_MADE_UP_BEGINNINGS)


def is_echo_of(transcript: str, reply: str) -> bool:
    """Two words or more, four fifths of which stand in this reply."""
    words, said = words_of(transcript), set(words_of(reply))
    return len(words) >= MIN_ECHO_WORDS and sum(word in said for word in words) >= ECHO_SHARE * len(words)


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
