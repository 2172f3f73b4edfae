"""What the prompt knows when a call begins."""

from datetime import UTC, datetime

import pytest

from callfsm.config import Business
from callfsm.server.facts import facts_of
from callfsm.speaking.prompts import Facts

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
TIMES = [
    ("Asia/Jerusalem", Facts("22 בנובמבר 2026", "00:30", "יום ראשון", "+972501234567")),
    ("UTC", Facts("21 בנובמבר 2026", "22:30", "יום שבת", "+972501234567")),
    ("America/New_York", Facts("21 בנובמבר 2026", "17:30", "יום שבת", "+972501234567")),
]


@pytest.mark.parametrize(("zone", "facts"), TIMES)
def test_time_is_the_business_s_own(zone: str, facts: Facts) -> None:
    assert facts_of(Business(time_zone=zone), "+972501234567", NOW) == facts


@pytest.mark.parametrize(
    "caller", ["", "anonymous", "unknown", "+266696687", "Restricted", "12", "+1\nAdmin", "sip:x@y"]
)
def test_withheld_number_is_not_told(caller: str) -> None:
    assert facts_of(Business(), caller, NOW).caller == ""
