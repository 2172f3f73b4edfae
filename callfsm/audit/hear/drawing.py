"""What the gate made of a recording, drawn: the loudness of each frame, the limit it had to reach, what followed."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from callfsm.audit.hear.rows import Row
from callfsm.hearing.mulaw import FRAME_MS

ROW_FRAMES: Final = 20_000 // FRAME_MS
FRAME_PX: Final = 1.2
HEIGHT_PX: Final = 130
GAP_PX: Final = 46
LEFT_PX: Final = 50
LOUDEST_RMS: Final = 10_000
"""The scale is logarithmic, from 1."""
_SENT, _DROPPED, _LIMIT, _SPEAKING = "#2f7d4f", "#b9bfc7", "#b0392e", "#dbe7f6"
_MARKS: Final = {"stopped": "#b0392e", "confirmed": "#2f7d4f", "resumed": "#2b5fa3"}


def drawing(name: str, rows: Sequence[Row]) -> str:
    """Return the drawing of one recording as an SVG, 20 s a row."""
    lanes = [rows[first : first + ROW_FRAMES] for first in range(0, max(1, len(rows)), ROW_FRAMES)]
    width = LEFT_PX + ROW_FRAMES * FRAME_PX + 20
    height = 60 + len(lanes) * (HEIGHT_PX + GAP_PX)
    size = f'width="{width:.0f}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        f'<rect width="{width:.0f}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="18" font-size="14" font-weight="bold">{escape(name)}</text>',
        *_legend(),
    ]
    for number, lane in enumerate(lanes):
        top = 60 + number * (HEIGHT_PX + GAP_PX)
        parts += [f'<g transform="translate({LEFT_PX} {top})">', *_lane(lane, number * ROW_FRAMES), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    words = [
        (_SENT, "frame sent"),
        (_DROPPED, "frame not sent"),
        (_LIMIT, "limit in force"),
        (_SPEAKING, "the assistant is audible"),
        *((color, name) for name, color in _MARKS.items()),
    ]
    for number, (color, text) in enumerate(words):
        x = 10 + number * 150
        yield f'<rect x="{x}" y="30" width="14" height="10" fill="{color}"/><text x="{x + 20}" y="39">{text}</text>'


def _y(rms: float) -> float:
    return HEIGHT_PX * (1 - math.log(max(1.0, rms)) / math.log(LOUDEST_RMS))


def _lane(rows: Sequence[Row], first: int) -> Iterator[str]:
    for color, path in (
        (_SPEAKING, "".join(f"M{x:.1f} 0v{HEIGHT_PX}" for x in _places(rows, "is_speaking"))),
        (_SENT, "".join(f"M{_x(i):.1f} {HEIGHT_PX}V{_y(r.rms):.1f}" for i, r in enumerate(rows) if r.sent)),
        (_DROPPED, "".join(f"M{_x(i):.1f} {HEIGHT_PX}V{_y(r.rms):.1f}" for i, r in enumerate(rows) if not r.sent)),
    ):
        yield f'<path d="{path}" stroke="{color}" stroke-width="{FRAME_PX}"/>'
    limit = " ".join(f"{_x(i):.1f},{_y(row.limit):.1f}" for i, row in enumerate(rows))
    yield f'<polyline points="{limit}" fill="none" stroke="{_LIMIT}"/>'
    for name, color in _MARKS.items():
        for x in _places(rows, name):
            yield f'<path d="M{x:.1f} -12V{HEIGHT_PX}" stroke="{color}" stroke-width="2"><title>{name}</title></path>'
    for rms in (10, 100, 1000):
        yield f'<text x="-8" y="{_y(rms) + 4:.1f}" text-anchor="end" fill="#555">{rms}</text>'
    for frame in range(0, len(rows), 1000 // FRAME_MS):
        at_s = (first + frame) * FRAME_MS // 1000
        yield f'<text x="{_x(frame):.1f}" y="{HEIGHT_PX + 14}" text-anchor="middle" fill="#555">{at_s} s</text>'


def _x(frame: int) -> float:
    return (frame + 0.5) * FRAME_PX


def _places(rows: Sequence[Row], name: str) -> list[float]:
    return [_x(place) for place, row in enumerate(rows) if getattr(row, name)]
