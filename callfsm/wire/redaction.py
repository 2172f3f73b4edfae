"""Private data struck out of what callers and assistant say, before any event is made of it."""

import json
from collections import deque
from collections.abc import Collection, Iterable
from math import isfinite
from typing import Any, Final

from attrs import evolve

from callfsm.events import DtmfReceived, Event, ToolAnswered, ToolCalled
from callfsm.wire.private_data import decided, finds_in
from callfsm.wire.private_numbers import CONTEXT_CHARACTERS

MAX_CHARACTERS: Final = 10_000
"""No transcript is as long. Of one that is, nothing can be said in time, and the rest is left out."""
MAX_KEPT_BACK: Final = 500
MAX_PIECES: Final = 64
"""Pieces of speech at a time, and responses that are over; the API speaks one or two at once."""
_HIDDEN_DIGIT: Final = "0"
_NUMBER_DIGITS: Final = 7
"""A JSON number has no leading zeros and no groups: as many digits may be a telephone number."""


class _Piece:
    """The words of one piece of speech as they come; what may still become private is kept back."""

    def __init__(self, redaction: "Redaction") -> None:
        self._redaction = redaction
        self._context = ""
        self._waiting = ""
        self._is_lost = False

    def next_words(self, words: str) -> str:
        """Return what is decided by now: no cut of the words changes what comes out in the end."""
        if self._is_lost:
            return ""
        text = self._context + self._waiting + words
        begin = len(self._context)
        end = self._redaction.decided(text, begin)
        if len(text) - end > MAX_KEPT_BACK:
            # The finished piece will have them.
            self._is_lost = True
            return ""
        self._context, self._waiting = text[max(0, end - CONTEXT_CHARACTERS) : end], text[end:]
        return self._redaction.struck_out(text[:end], begin)


class Redaction:
    """Strikes some kinds of private data out of one call's texts: `[card]` in the place of a card's number."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = frozenset(kinds)
        self._pieces: dict[tuple[str, str], _Piece] = {}
        self._over: deque[str] = deque(maxlen=MAX_PIECES)

    def text(self, text: str) -> str:
        """Return a whole text without its private data."""
        if len(text) > MAX_CHARACTERS:
            text = text[: self.decided(text[:MAX_CHARACTERS], 0)]
        return self.struck_out(text, 0)

    def struck_out(self, text: str, begin: int) -> str:
        """Return a text from `begin` on without its private data; what stands before says what a number is."""
        parts: list[str] = []
        for find in finds_in(text, self._kinds, begin):
            parts += text[begin : find.start], f"[{find.kind}]"
            begin = find.end
        return "".join(parts) + text[begin:]

    def decided(self, text: str, begin: int) -> int:
        """Return up to where a text that goes on is decided."""
        return decided(text, begin, self._kinds)

    def next_words(self, response_id: str, item_id: str, words: str) -> str:
        """Return the words of a piece of speech that are decided with these, which may be none."""
        piece = self._pieces.get((response_id, item_id))
        if piece is None:
            # Words without what came before them could be the rest of a number.
            if response_id in self._over:
                return ""
            if len(self._pieces) >= MAX_PIECES:
                self.response_over(next(iter(self._pieces))[0])
            piece = self._pieces[response_id, item_id] = _Piece(self)
        return piece.next_words(words)

    def whole_words(self, response_id: str, item_id: str, words: str) -> str:
        """Return all words of a piece of speech; no more of it will come."""
        self._pieces.pop((response_id, item_id), None)
        return self.text(words)

    def response_over(self, response_id: str) -> None:
        """Keep nothing of a response back any longer: what was not decided is not said any more."""
        self._over.append(response_id)
        for piece in [piece for piece in self._pieces if piece[0] == response_id]:
            del self._pieces[piece]

    def json(self, text: str) -> str:
        """Return JSON without its private data, which is JSON; any other text as a text.

        Digits stay digits in numbers.
        """
        try:
            values = json.loads(text, parse_int=_hidden_int, parse_float=_hidden_float, parse_constant=_no_constant)
            cleaned = json.dumps(self._cleaned(values), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.text(text)
        # Half of a surrogate pair may be escaped in JSON and nowhere else.
        return cleaned.encode("utf-8", "backslashreplace").decode()

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._cleaned(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._cleaned(item) for key, item in value.items()}
        return value

    def for_journal(self, event: Event) -> Event:
        """Return an event as the journal may have it. The machine decides nothing by what is left out."""
        if isinstance(event, DtmfReceived):
            return evolve(event, digit=_HIDDEN_DIGIT)
        if isinstance(event, ToolCalled):
            return evolve(event, arguments=self.json(event.arguments))
        if isinstance(event, ToolAnswered):
            return evolve(event, output=self.json(event.output))
        return event


def redaction_of(kinds: Collection[str]) -> Redaction | None:
    """Return what strikes these kinds out of one call's texts; None where there are none."""
    return Redaction(kinds) if kinds else None


def _is_long(number: str) -> bool:
    return sum(character.isdigit() for character in number) >= _NUMBER_DIGITS


def _hidden_int(number: str) -> int:
    return 10 ** (_NUMBER_DIGITS - 1) if _is_long(number) else int(number)


def _hidden_float(number: str) -> float:
    value = float(10 ** (_NUMBER_DIGITS - 1)) if _is_long(number) else float(number)
    return value if isfinite(value) else 0.0


def _no_constant(_name: str) -> None:
    return None
