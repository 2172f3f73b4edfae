"""The two lanes of speech in the drawing: what the caller said, and what of the replies was heard."""

import math
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from callfsm.audit.account.values import Fate, Reply, Utterance
from callfsm.audit.diagram.dot import AUDIBLE, FAINT, INK, Paint
from callfsm.audit.report.row import ASSISTANT, CALLER, FRAME_S, Row, box, fitting, label
from callfsm.audit.report.words import SHORT, clock, heard_words, is_rtl, reply_fate, safe, seconds, utterance_fate

ACCEPTED: Final = Paint("#1f7a3a", "#14532a")
REJECTED: Final = Paint("#d97706", "#92400e")
BLIP: Final = Paint("#9aa3af", "#4b5563")
UNSETTLED: Final = Paint("#ffffff", "#4b5563")
REPLY: Final = AUDIBLE
UNHEARD: Final = "#e79c92"
_PAINTS: Final = {Fate.ACCEPTED: ACCEPTED, Fate.BLIP: BLIP, Fate.UNSETTLED: UNSETTLED}
_UNHEARD: Final = Paint("url(#unheard)", UNHEARD)
_AWAITED: Final = f'stroke="{FAINT}" stroke-width="2" stroke-dasharray="3 3"'
_HEIGHT: Final = 14.0
_INDENT: Final = 4.0
"""A label begins beside the line of a barge-in, not under it."""


def caller(row: Row) -> Iterator[str]:
    """Draw what the caller said: a box from the first loud frame to the last, the transcript, and its fate."""
    utterances = row.account.utterances
    for utterance, later in zip_longest(utterances, utterances[1:]):
        next_at = later.began_at if later else math.inf
        if row.overlaps(utterance.began_at - FRAME_S, utterance.ended_at):
            yield from _utterance(row, utterance, min(next_at, row.end))


def _utterance(row: Row, utterance: Utterance, next_at: float) -> Iterator[str]:
    x, end = row.x(utterance.began_at - FRAME_S), row.x(utterance.ended_at)
    look = _PAINTS.get(utterance.fate, REJECTED)
    fate = utterance_fate(utterance, row.account.config.turn.min_speech_ms)
    said = utterance.transcript or ""
    says = (
        f"{clock(row.account, utterance.began_at)} to {clock(row.account, utterance.ended_at)},"
        f" RMS {utterance.rms:.1f}, {utterance.loud_ms} ms loud: {safe(said)} {safe(fate)}"
    )
    yield box(x, CALLER, end - x, _HEIGHT, look=look, says=says)
    room = row.room(max(utterance.began_at, row.start), next_at)
    x += _INDENT
    yield label(x, CALLER + 27, said, room)
    yield label(x, CALLER + 40, SHORT[utterance.fate], room, colour=look.line, size=10)


def assistant(row: Row) -> Iterator[str]:
    """Draw the replies: how long each was awaited, what was heard, and what was generated and never heard."""
    replies = row.account.replies
    for reply, later in zip_longest(replies, replies[1:]):
        next_at = later.requested_at if later else math.inf
        yield from _reply(row, reply, min(next_at, row.end))


def _reply(row: Row, reply: Reply, next_at: float) -> Iterator[str]:
    over_at = reply.over_at if reply.over_at is not None else row.account.end.at
    awaited_to = reply.audible_from if reply.audible_from is not None else over_at
    audible_to = reply.audible_to if reply.audible_to is not None else over_at
    # What was never heard is drawn where it would have been, as far as there is room.
    unheard_to = min(audible_to + (reply.generated_ms - reply.heard_ms) / 1000, next_at)
    says = f"{reply.kind.value}, requested at {clock(row.account, reply.requested_at)}: {safe(reply_fate(reply))}"
    middle = ASSISTANT + _HEIGHT / 2
    if row.overlaps(reply.requested_at, awaited_to):
        line = f"M{row.x(reply.requested_at):.1f} {middle}H{row.x(awaited_to):.1f}"
        yield f'<path d="{line}" {_AWAITED}><title>{says}</title></path>'
    if reply.audible_from is None:
        if row.holds(reply.requested_at):
            yield from _fate(row, reply.requested_at, next_at, reply)
        return
    amount = f"{seconds(reply.heard_ms)} of {seconds(reply.generated_ms)} heard"
    says = f"{says}, {amount}: {safe(reply.words)}"
    yield from _stretches(row, reply, says)
    if unheard_to > audible_to and row.overlaps(audible_to, unheard_to):
        x, end = row.x(audible_to), row.x(unheard_to)
        yield box(x, ASSISTANT, end - x, _HEIGHT, look=_UNHEARD, says=says)
    if row.overlaps(reply.audible_from, audible_to):
        x = row.x(reply.audible_from)
        yield _words(reply, x, row.room(max(reply.audible_from, row.start), next_at))
        yield from _fate(row, reply.audible_from, next_at, reply)


def _stretches(row: Row, reply: Reply, says: str) -> Iterator[str]:
    for stretch in reply.stretches:
        if row.overlaps(stretch.began_at, stretch.ended_at):
            x, end = row.x(stretch.began_at), row.x(stretch.ended_at)
            part = f"{seconds(stretch.from_ms)} to {seconds(stretch.to_ms)} of it"
            yield box(x, ASSISTANT, end - x, _HEIGHT, look=REPLY, says=f"{part}. {says}")


def _words(reply: Reply, x: float, px: float) -> str:
    shown = fitting(reply.words, px)
    if not shown:
        return ""
    heard, _ = heard_words(reply)
    rest = shown[len(heard) :]
    tail = f'<tspan fill="{FAINT}" text-decoration="line-through">{safe(rest)}</tspan>' if rest.strip() else ""
    way = ' direction="rtl" text-anchor="end"' if is_rtl(shown) else ""
    space = " " if tail and shown[: len(heard)].endswith(" ") else ""
    return f'<text x="{x:.1f}" y="{ASSISTANT + 27}" fill="{INK}"{way}>{safe(shown[: len(heard)])}{space}{tail}</text>'


def _fate(row: Row, at: float, next_at: float, reply: Reply) -> Iterator[str]:
    words = f"{reply.kind.value}: {reply_fate(reply)}"
    yield label(row.x(at), ASSISTANT + 40, words, row.room(max(at, row.start), next_at), colour="#374151", size=10)
