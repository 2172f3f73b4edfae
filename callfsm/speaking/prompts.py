"""What the model is told. Whatever is sent ends with the critical rules, and no setting removes them."""

from typing import Final

from callfsm.config import Business

CRITICAL_RULES: Final = """\
• אתה מבין את כל השפות (עברית, אנגלית, רוסית, ערבית ועוד),
  אבל ALWAYS תענה בעברית בלבד.
• אם הלקוח מדבר בשפה אחרת, תוכל להשתמש במילה או שתיים מהשפה שלו,
  אבל ההסבר העיקרי, המשפטים וההנחיות – תמיד בעברית."""

_GREETING: Final = "פתח את השיחה: אמור ללקוח את המשפט הבא, מילה במילה, ואל תוסיף עליו דבר: {greeting}"
_REMINDER: Final = "התשובה הקודמת לא הייתה בעברית. מעכשיו ענה בעברית בלבד."


def _told(*parts: str) -> str:
    return "\n\n".join([*(part for part in parts if part.strip()), CRITICAL_RULES])


def _role(business: Business) -> str:
    return f"שם העסק: {business.name}\n{business.prompt}".strip()


def session_instructions(business: Business) -> str:
    """Return the instructions of the session."""
    return _told(_role(business))


def greeting_instructions(business: Business) -> str:
    """Return the instructions of the one request for the greeting."""
    return _told(_role(business), _GREETING.format(greeting=business.greeting))


def reminder_instructions(business: Business) -> str:
    """Return the instructions of the request that follows a reply that was not Hebrew."""
    return _told(_role(business), _REMINDER)
