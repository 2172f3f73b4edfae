"""What the model is told. Whatever is sent ends with the critical rules, and no setting removes them."""

from typing import Final

from attrs import asdict, frozen

from callfsm.config import Business

CRITICAL_RULES: Final = """\
• אתה מבין את כל השפות (עברית, אנגלית, רוסית, ערבית ועוד),
  אבל ALWAYS תענה בעברית בלבד.
• אם הלקוח מדבר בשפה אחרת, תוכל להשתמש במילה או שתיים מהשפה שלו,
  אבל ההסבר העיקרי, המשפטים וההנחיות – תמיד בעברית."""

_GREETING: Final = "פתח את השיחה: אמור ללקוח את המשפט הבא, מילה במילה, ואל תוסיף עליו דבר: {greeting}"
_CONTINUE: Final = (
    "דבריך נקטעו באמצע. המשך בדיוק מהמקום שבו נקטעו, בלי לחזור על מה שכבר נאמר ובלי להתנצל. "
    "אם אין לפניך דברים שנאמרו, ענה על דברי הלקוח האחרונים."
)
_REMINDER: Final = "התשובה הקודמת לא הייתה בעברית. מעכשיו ענה בעברית בלבד."


@frozen
class Facts:
    """What is known when a call begins, in the words in which the model is told it; empty where it is not known."""

    date: str = ""
    time: str = ""
    weekday: str = ""
    caller: str = ""


NO_FACTS: Final = Facts()


def briefing(business: Business, facts: Facts) -> str:
    """Return who the assistant is and what it knows: the business, its prompt, the time, the hours, the caller."""
    known = {"business": business.name, "opening_hours": business.opening_hours, **asdict(facts)}
    told = [
        ("שם העסק", business.name),
        ("היום", ", ".join(part for part in (facts.weekday, facts.date) if part)),
        ("השעה עכשיו", facts.time),
        ("שעות הפתיחה", business.opening_hours),
        ("מספר הטלפון של המתקשר", facts.caller),
    ]
    lines = [f"{name}: {value}" for name, value in told if value]
    return "\n".join([*lines, business.prompt.format(**known)]).strip()


def _told(*parts: str) -> str:
    return "\n\n".join([*(part for part in parts if part.strip()), CRITICAL_RULES])


def session_instructions(brief: str) -> str:
    """Return the instructions of the session."""
    return _told(brief)


def greeting_instructions(brief: str, greeting: str) -> str:
    """Return the instructions of the one request for the greeting."""
    return _told(brief, _GREETING.format(greeting=greeting))


def continue_instructions(brief: str) -> str:
    """Return the instructions of the request for the rest of a reply that was cut off by nobody."""
    return _told(brief, _CONTINUE)


def reminder_instructions(brief: str) -> str:
    """Return the instructions of the request that follows a reply that was not Hebrew."""
    return _told(brief, _REMINDER)
