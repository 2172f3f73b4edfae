"""What a peer sent and should not have sent."""

import re
from typing import Final


class MalformedError(ValueError):
    """A message that cannot be read. `place` says where in it, in words that carry none of its content."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


_OFFSET: Final = re.compile(r" \(byte \d+\)")


def place_of(error: Exception) -> str:
    """Return msgspec's complaint without the values that it quotes, and the same for the same fault."""
    text = _OFFSET.sub("", str(error))
    return text if "'" not in text else text.split("'", 1)[0].rstrip() + " " + text.rsplit("'", 1)[1].lstrip(" -")
