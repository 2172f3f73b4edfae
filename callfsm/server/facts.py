"""What the prompt knows of the moment and of the caller."""

import hmac
import re
import secrets
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
HASH_DIGITS: Final = 16
_PURPOSE: Final = b"callfsm: numbers of callers"
_PROCESS_KEY: Final = secrets.token_bytes()


def facts_of(business: Business, caller: str, now: datetime) -> Facts:
    """Return the facts of a call that begins now (an aware time), on the business's own clock."""
    here = now.astimezone(ZoneInfo(business.time_zone))
    return Facts(
        date=f"{here.day} ב{_MONTHS[here.month - 1]} {here.year}",
        time=f"{here:%H:%M}",
        weekday=f"יום {_WEEKDAYS[here.weekday()]}",
        caller=caller if is_known(caller) else "",
    )


def is_known(caller: str) -> bool:
    """Say whether this is somebody's number, and not one that stands for a withheld one."""
    return bool(_NUMBER.fullmatch(caller)) and caller not in _WITHHELD


def caller_hash(caller: str, auth_token: str) -> str:
    """Return what names a caller without the number: the same for each of their calls; empty where it is withheld.

    Without a Twilio token, that of the process alone: its numbers cannot be found by trying them all out.
    """
    if not is_known(caller):
        return ""
    key = hmac.digest(auth_token.encode(), _PURPOSE, "sha256") if auth_token else _PROCESS_KEY
    return hmac.new(key, caller.encode(), "sha256").hexdigest()[:HASH_DIGITS]
