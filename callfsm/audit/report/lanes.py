"""The lanes of a row of the drawing, one below the other, and what goes across all of them."""

import math
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from callfsm.audit.account.barge_ins import BargeIn, Verdict
from callfsm.audit.diagram.dot import AUDIBLE, CANCELLING, FAINT, INK, paint
from callfsm.audit.report.loudness import loudness
from callfsm.audit.report.row import ASSISTANT, AXIS, CALLER, STATES, Row, box, label
from callfsm.audit.report.speech import assistant, caller
from callfsm.audit.report.words import clock, safe, verdict

NOTE: Final = "#5b3a8e"
_STATE_HEIGHT: Final = 22.0
CONFIRMED: Final = CANCELLING.line
UNCONFIRMED: Final = "#b45309"
WENT_ON: Final = AUDIBLE.line


_SHORT: Final = {
    Verdict.VOICE: "confirmed by voice",
    Verdict.DETECTOR: "confirmed by the detector",
    Verdict.WORDS: "confirmed by words",
    Verdict.NOBODY: "nobody, goes on",
    Verdict.NOTHING_LEFT: "nothing left to go on with",
    Verdict.OPEN: "open at the end",
}


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
    barge_ins = row.account.barge_ins
    for barge_in, later in zip_longest(barge_ins, barge_ins[1:]):
        if row.holds(barge_in.at):
            yield from _barge_in(row, barge_in, min(later.at if later else math.inf, row.end))
        if barge_in.went_on_at is not None and row.holds(barge_in.went_on_at):
            yield _moment(row, barge_in.went_on_at, WENT_ON, "the assistant goes on")
        if barge_in.confirmed_at is not None and row.holds(barge_in.confirmed_at):
            yield _moment(row, barge_in.confirmed_at, CONFIRMED, verdict(barge_in))


def _barge_in(row: Row, barge_in: BargeIn, next_at: float) -> Iterator[str]:
    x, colour = row.x(barge_in.at), CONFIRMED if barge_in.verdict.is_confirmed else UNCONFIRMED
    frame = f"RMS {barge_in.rms:.1f} ≥ {barge_in.limit_rms:.1f}"
    dashes = "" if barge_in.verdict.is_confirmed else ' stroke-dasharray="5 3"'
    yield f'<path class="stop" d="M{x:.1f} 4V{ASSISTANT + 14}" stroke="{colour}" stroke-width="2"{dashes}>'
    yield f"<title>{clock(row.account, barge_in.at)} {frame}, {verdict(barge_in)}</title></path>"
    room = row.room(barge_in.at, next_at)
    yield label(x + 4, 13, f"{_SHORT[barge_in.verdict]} (barge-in, {frame})", room, colour=colour)


def _moment(row: Row, at: float, colour: str, words: str) -> str:
    """Draw when it was known what a stop was, as a triangle on the states and a line down to the assistant's lane."""
    x = row.x(at)
    return (
        f'<path class="verdict" d="M{x:.1f} {STATES + _STATE_HEIGHT}l4 7h-8zV{ASSISTANT}" stroke="{colour}"'
        f' fill="{colour}" stroke-width="0.8"><title>{clock(row.account, at)} {words}</title></path>'
    )


def _notes(row: Row) -> Iterator[str]:
    for note in row.account.notes:
        if row.holds(note.at):
            x, says = row.x(note.at), f"{clock(row.account, note.at)} {safe(note.what)}"
            yield f'<path d="M{x:.1f} {AXIS - 5}l5 5-5 5-5-5z" fill="{NOTE}" stroke="{INK}" stroke-width="0.5">'
            yield f"<title>{says}</title></path>"
