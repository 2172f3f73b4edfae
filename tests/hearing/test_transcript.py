"""The transcript filter, and the first real utterance."""

import pytest

from callfsm.hearing.transcript import is_only_noise, is_real_speech, is_too_short, one_line

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
