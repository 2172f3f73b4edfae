"""The single-use tokens that bind a media socket to the webhook that announced it."""

import secrets
from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from callfsm.config import Business

TOKEN_BYTES: Final = 32
MOST_OUTSTANDING: Final = 10_000
"""More are announced by nobody who means it; the oldest fall out."""
ON_THE_WAY_S: Final = 5.0
"""Twilio opens the stream so soon after it was told to."""


@frozen
class Ticket:
    """What a token stands for."""

    call_sid: str
    account_sid: str
    business: Business = field(repr=lambda business: business.number)
    caller: str = field(repr=False)
    issued_at: float
    expires_at: float


class Tokens:
    """The tokens given out and not used yet. `now` gives monotonic seconds; a token lives `life_s`."""

    def __init__(self, now: Callable[[], float], life_s: float) -> None:
        self._now = now
        self._life_s = life_s
        self._tickets: dict[str, Ticket] = {}

    @property
    def has_new_ones(self) -> bool:
        """Whether a call has been announced whose stream may still be on its way."""
        return any(ticket.issued_at > self._now() - ON_THE_WAY_S for ticket in self._tickets.values())

    def issue(self, call_sid: str, account_sid: str, business: Business, caller: str) -> str:
        """Return a new token for a call from this number."""
        now = self._now()
        # Dicts keep the order of issue, so that the expired ones stand in front.
        while self._tickets and (oldest := next(iter(self._tickets))):
            if self._tickets[oldest].expires_at > now and len(self._tickets) < MOST_OUTSTANDING:
                break
            del self._tickets[oldest]
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tickets[token] = Ticket(call_sid, account_sid, business, caller, now, now + self._life_s)
        return token

    def redeem(self, token: str, call_sid: str, account_sid: str) -> Ticket | None:
        """Use a token up; return what it stands for, None where it is not this call's, old or unknown."""
        ticket = self._tickets.pop(token, None)
        if ticket is None or ticket.expires_at <= self._now():
            return None
        is_this_call = (ticket.call_sid, ticket.account_sid) == (call_sid, account_sid)
        return ticket if is_this_call else None
