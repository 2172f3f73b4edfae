"""The transcript filter, and the first real utterance."""

import pytest

from callfsm.hearing.transcript import is_only_noise, is_real_speech, is_too_short

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
