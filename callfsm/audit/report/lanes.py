"""The lanes of a row of the drawing, one below the other, and what goes across all of them."""

import math
from collections.abc import Iterator
from typing import Final

from callfsm.audit.account.values import BargeIn
from callfsm.audit.diagram.dot import CANCELLING, FAINT, INK, paint
from callfsm.audit.report.loudness import loudness
from callfsm.audit.report.row import ASSISTANT, AXIS, CALLER, STATES, Row, box, label
from callfsm.audit.report.speech import assistant, caller
from callfsm.audit.report.words import clock, safe

NOTE: Final = "#5b3a8e"
_STATE_HEIGHT: Final = 22.0
_LABEL_PX: Final = 190.0
"""The room that a barge-in's label takes."""


def lanes(row: Row) -> Iterator[str]:
    """Draw a row."""
    yield from _axis(row)
    yield from _names()
    yield from _states(row)
    yield from caller(row)
    yield from loudness(row)
    yield from assistant(row)
    yield from _barge_ins(row)
    yield from _notes(row)


def _names() -> Iterator[str]:
    for y, name in ((STATES + 15, "state"), (CALLER + 11, "caller"), (ASSISTANT + 11, "assistant")):
        yield f'<text x="10" y="{y:.0f}" fill="{FAINT}">{name}</text>'


def _axis(row: Row) -> Iterator[str]:
    zero = row.account.started_at
    yield f'<path d="M{row.x(row.start):.1f} {AXIS}H{row.x(row.end):.1f}" stroke="{FAINT}"/>'
    for second in range(math.ceil(row.start - zero), math.floor(row.end - zero) + 1):
        x = row.x(zero + second)
        yield f'<path d="M{x:.1f} {STATES}V{AXIS + 4}" stroke="#e3e6ea"/>'
        yield f'<text x="{x:.1f}" y="{AXIS + 16}" text-anchor="middle">{second // 60}:{second % 60:02}</text>'


def _states(row: Row) -> Iterator[str]:
    for band in row.account.bands:
        if row.overlaps(band.began_at, band.ended_at):
            x, end = row.x(band.began_at), row.x(band.ended_at)
            look, name = paint(band.state.name), band.state.name
            times = f"{clock(row.account, band.began_at)} to {clock(row.account, band.ended_at)}"
            says = f"{name}, {times}: {safe(band.state.value)}"
            yield box(x, STATES, end - x, _STATE_HEIGHT, look=look, says=says)
            yield label(x + 4, STATES + 15, name, end - x - 6)


def _barge_ins(row: Row) -> Iterator[str]:
    for barge_in in row.account.barge_ins:
        if row.holds(barge_in.at):
            yield from _barge_in(row, barge_in)


def _barge_in(row: Row, barge_in: BargeIn) -> Iterator[str]:
    x, colour = row.x(barge_in.at), CANCELLING.line
    words = f"barge-in: RMS {barge_in.rms:.1f} ≥ {barge_in.threshold_rms:.1f}"
    is_near_the_end = row.x(row.end) - x < _LABEL_PX
    side, anchor = (-4, "end") if is_near_the_end else (4, "start")
    yield f'<path d="M{x:.1f} 4V{ASSISTANT + 14}" stroke="{colour}" stroke-width="2"/>'
    yield (
        f'<text x="{x + side:.1f}" y="13" fill="{colour}" font-weight="bold" text-anchor="{anchor}">'
        f"{clock(row.account, barge_in.at)} {words}</text>"
    )


def _notes(row: Row) -> Iterator[str]:
    for note in row.account.notes:
        if row.holds(note.at):
            x, says = row.x(note.at), f"{clock(row.account, note.at)} {safe(note.what)}"
            yield f'<path d="M{x:.1f} {AXIS - 5}l5 5-5 5-5-5z" fill="{NOTE}" stroke="{INK}" stroke-width="0.5">'
            yield f"<title>{says}</title></path>"
