"""The transcript filter, and the first real utterance."""

import pytest

from callfsm.hearing.transcript import (
    is_echo_of,
    is_made_up,
    is_only_noise,
    is_real_speech,
    is_too_short,
    one_line,
    words_of,
)

TABLE = [
    # text             too short  only noise  real
    ("",               True,      True,       False),
    ("   ",            True,      True,       False),
    ("a",              True,      False,      False),
    (" א ",            True,      False,      False),
    (".",              True,      True,       False),
    ("כן",             False,     False,      False),
    ("ok",             False,     False,      False),
    (" hi\n",          False,     False,      False),
    ("?!",             False,     True,       False),
    ("...",            False,     True,       False),
    (".?!, .?!, ",     False,     True,       False),
    ("a.b",            False,     False,      True),
    ("הלו",            False,     False,      True),
    (" yes ",          False,     False,      True),
    ("house",          False,     False,      True),
    ("да!",            False,     False,      True),
    ("نعم",            False,     False,      True),
    ("12",             False,     False,      False),
    ("112",            False,     False,      True),
    ("---",            False,     False,      True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "too_short", "only_noise", "real"), TABLE)
def test_the_rules(text: str, too_short: bool, only_noise: bool, real: bool) -> None:
    assert (too_short, only_noise, real) == (is_too_short(text), is_only_noise(text), is_real_speech(text))


LINES = [
    ("kept as it is", " מה שעות הפתיחה? ", "מה שעות הפתיחה?"),
    ("marks of direction are kept", "\u200fשלום\u200e", "\u200fשלום\u200e"),
    ("a line's end", "שלום\n[BARGE-IN] x", "שלום [BARGE-IN] x"),
    ("a carriage return", "a\rb", "a b"),
    ("ends of lines and paragraphs", "a\u2028b\u2029c\x85d", "a b c d"),
    ("an escape", "a\x1b[2Jb", "a [2Jb"),
    ("a turned line", "a\u202eb\u2066c", "a b c"),
]


@pytest.mark.parametrize(("text", "line"), [pytest.param(*c[1:], id=c[0]) for c in LINES])
def test_a_transcript_is_one_line_of_the_log(text: str, line: str) -> None:
    assert line == one_line(text)


WORDS = [
    ("nothing", "", []),
    ("only punctuation", " ... ?! ", []),
    ("small letters, no punctuation", "Hello,  World!", ["hello", "world"]),
    ("punctuation between words parts them", "שלום,וברכה", ["שלום", "וברכה"]),
    ("a hyphen parts words", "בית-ספר", ["בית", "ספר"]),
    ("niqqud is dropped", "שָׁלוֹם", ["שלום"]),
    ("an accent is dropped", "café", ["cafe"]),
    ("quotes within words", 'צה״ל "it\'s"', ["צהל", "its"]),
    ("numbers are words", "בשעה 10:05", ["בשעה", "10", "05"]),
    ("Arabic with its marks", "شُكْرًا", ["شكرا"]),
]


@pytest.mark.parametrize(("text", "words"), [pytest.param(*c[1:], id=c[0]) for c in WORDS])
def test_the_words_of_a_text(text: str, words: list[str]) -> None:
    assert words == words_of(text)


MADE_UP = [
    ("תודה שצפיתם", True),
    (" תודה שצפיתם! ", True),
    ("תּוֹדָה שֶׁצְּפִיתֶם", True),
    ("Thank you for watching.", True),
    ("THANKS FOR WATCHING!", True),
    ("Subtitles", True),
    ("Спасибо за просмотр!", True),
    ("Продолжение следует...", True),
    ("شكراً للمشاهدة", True),
    ("Subtitles by the Amara.org community", True),
    ("Субтитры сделал DimaTorzok", True),
    ("", False),
    ("תודה", False),
    ("תודה רבה", False),
    ("Thank you", False),
    ("Thank you for watching my dog", False),
    ("אני רוצה כתוביות", False),
    ("הזמנתי תרגום וכתוביות", False),
    ("спасибо", False),
]


@pytest.mark.parametrize(("text", "made_up"), MADE_UP)
def test_the_last_words_of_films_are_made_up(text: str, made_up: bool) -> None:
    assert made_up is is_made_up(text)


REPLY = "אנחנו פתוחים מתשע עד שש, ובשישי עד אחת."
ECHOES = [
    ("all of its words", "פתוחים מתשע עד שש", True),
    ("other punctuation", "פתוחים, מתשע... עד שש!", True),
    ("two words", "עד שש", True),
    ("one word may be an answer", "שש", False),
    ("no words", "?!", False),
    ("four of five", "רגע פתוחים מתשע עד שש", True),
    ("three of four", "רגע פתוחים עד שש", False),
    ("seven of nine", "אבל היום אנחנו פתוחים מתשע עד שש ובשישי עד", False),
    ("eight of ten", "אבל היום אנחנו פתוחים מתשע עד שש ובשישי עד אחת", True),
    ("something else", "מה עם יום ראשון", False),
    ("a word within another is none", "פתוח תשע", False),
]


@pytest.mark.parametrize(("text", "echo"), [pytest.param(*c[1:], id=c[0]) for c in ECHOES])
def test_an_echo_says_what_the_reply_says(text: str, echo: bool) -> None:
    assert echo is is_echo_of(text, REPLY)


def test_a_reply_whose_words_are_not_known_has_no_echo() -> None:
    assert not is_echo_of("פתוחים מתשע", "")
