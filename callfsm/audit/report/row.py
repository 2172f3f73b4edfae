"""One row of the drawing: its place in time, its lanes' places in it, and the boxes and labels that it is made of."""

from typing import Final

from attrs import frozen

from callfsm.audit.account.values import Account
from callfsm.audit.diagram.dot import INK, Paint
from callfsm.audit.report.words import is_rtl, safe
from callfsm.hearing.mulaw import FRAME_MS

STATES: Final = 18.0
CALLER: Final = 50.0
LOUDNESS: Final = 106.0
ASSISTANT: Final = 284.0
AXIS: Final = 344.0
BOTTOM: Final = 392.0
"""The lanes' upper edges, and the height of a row, in px."""
FRAME_S: Final = FRAME_MS / 1000
MARGIN: Final = 76.0
"""So far the last label of a row may run out of it, in px."""
_CHARACTER_PX: Final = 6.3
"""A character of 11 px, on the wide side: a text is cut rather than run into its neighbour."""


@frozen
class Row:
    """A stretch of the call, from `start` to `end` in the journal's seconds, and its scale."""

    account: Account
    start: float
    end: float
    left: float
    px_per_s: float
    is_last: bool

    def x(self, at: float) -> float:
        """Return where a time lies, in px; what is outside the row lies at its edge."""
        return self.left + (min(max(at, self.start), self.end) - self.start) * self.px_per_s

    def holds(self, at: float) -> bool:
        """Say whether a time is the row's; the end of the call is the last one's."""
        return self.start <= at < self.end or (self.is_last and at == self.end)

    def room(self, at: float, next_at: float) -> float:
        """Return how many px a label has from one time to another; the row's last has the margin as well."""
        margin = MARGIN if next_at >= self.end else -8.0
        return self.x(next_at) + margin - self.x(at)

    def overlaps(self, began_at: float, ended_at: float) -> bool:
        """Say whether a stretch of time has a part in the row."""
        return began_at < self.end and ended_at > self.start


def fitting(text: str, px: float) -> str:
    """Return as much of a text as has room, with an ellipsis where it is cut; nothing where hardly any has."""
    room = int(px / _CHARACTER_PX)
    if len(text) <= room:
        return text
    return f"{text[: room - 1]}…" if room >= 4 else ""


def label(x: float, y: float, text: str, px: float, *, colour: str = INK, size: int = 11) -> str:
    """Return a text whose left edge is at x, in its own direction, cut to so many px."""
    shown = fitting(text, px)
    if not shown:
        return ""
    # The left edge of a text that runs from right to left is its end.
    way = ' direction="rtl" text-anchor="end"' if is_rtl(shown) else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}"{way}>{safe(shown)}</text>'


def box(x: float, y: float, width: float, height: float, *, look: Paint, says: str) -> str:
    """Return a box, at least 2 px wide; `says` is what it tells a reader who points at it, in HTML."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 2.0):.1f}" height="{height:.0f}" fill="{look.fill}"'
        f' stroke="{look.line}"><title>{says}</title></rect>'
    )
