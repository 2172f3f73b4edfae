"""What the prompt knows of the moment and of the caller."""

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from callfsm.config import Business
from callfsm.speaking.prompts import Facts

_WEEKDAYS: Final = ("שני", "שלישי", "רביעי", "חמישי", "שישי", "שבת", "ראשון")
_MONTHS: Final = (
    "ינואר", "פברואר", "מרץ", "אפריל", "מאי", "יוני",
    "יולי", "אוגוסט", "ספטמבר", "אוקטובר", "נובמבר", "דצמבר",
)  # fmt: skip
_NUMBER: Final = re.compile(r"\+?\d{5,15}")
_WITHHELD: Final = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""What Twilio gives for a number that is withheld, besides words: anonymous, restricted and so on, on a keypad."""


def facts_of(business: Business, caller: str, now: datetime) -> Facts:
    """Return the facts of a call that begins now (an aware time), on the business's own clock."""
    here = now.astimezone(ZoneInfo(business.time_zone))
    return Facts(
        date=f"{here.day} ב{_MONTHS[here.month - 1]} {here.year}",
        time=f"{here:%H:%M}",
        weekday=f"יום {_WEEKDAYS[here.weekday()]}",
        caller=caller if _NUMBER.fullmatch(caller) and caller not in _WITHHELD else "",
    )
