"""The share of Hebrew among the letters of a reply."""

import pytest

from callfsm.speaking.language import MIN_HEBREW_SHARE, hebrew_share


@pytest.mark.parametrize(
    ("text", "share"),
    [
        pytest.param("", 1.0, id="nothing"),
        pytest.param("12:30, 050-1234567!", 1.0, id="no letters"),
        pytest.param("שלום", 1.0, id="Hebrew"),
        pytest.param("שָׁלוֹם", 1.0, id="points are no letters"),
        pytest.param("םןץףך", 1.0, id="final forms"),
        pytest.param("Hello", 0.0, id="English"),
        pytest.param("Привет", 0.0, id="Russian"),
        pytest.param("مرحبا", 0.0, id="Arabic"),
        pytest.param("שם ab", 0.5, id="half"),
        pytest.param("אב, cde!", 0.4, id="less than half"),
        pytest.param("אבג של WhatsApp", 5 / 13, id="a name weighs"),
    ],
)
def test_the_share(text: str, share: float) -> None:
    assert share == hebrew_share(text)


def test_half_is_enough() -> None:
    assert 0.5 == MIN_HEBREW_SHARE
