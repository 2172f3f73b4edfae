"""The drawing of a report: one SVG of a call's time, in rows, with nothing outside it.

A call is drawn at a scale that does not change with its length. Its width grows with its duration up to ROW_S; what
is longer goes on in a row below, so that it can be read and printed without moving sideways.
"""

from collections.abc import Iterator
from typing import Final

from callfsm.audit.account.values import Account
from callfsm.audit.diagram.dot import AUDIBLE, CANCELLING, FAINT, FONT, INK, OVER, SILENT
from callfsm.audit.report.lanes import CONFIRMED, NOTE, UNCONFIRMED, WENT_ON, lanes
from callfsm.audit.report.loudness import DROPPED, ECHO, HELD, OPEN, PASSED, THRESHOLD
from callfsm.audit.report.row import BOTTOM, Row
from callfsm.audit.report.speech import ACCEPTED, BLIP, REJECTED, REPLY, UNHEARD, UNSETTLED
from callfsm.audit.report.words import clock, end_words, safe

ROW_S: Final = 20.0
PX_PER_S: Final = 56.0
LEFT: Final = 86.0
RIGHT: Final = 84.0
_LEGEND_COLUMNS: Final = 4
_LEGEND_STEP: Final = 300.0
_LEGEND_LINE: Final = 18.0
_HEAD: Final = 30.0
_BOX: Final = '<rect width="18" height="11" fill="{}" stroke="{}" stroke-width="1"/>'
_RULE: Final = '<path d="M0 5.5H18" stroke="{}" stroke-width="2"{}/>'
_TRIANGLE: Final = '<path d="M9 1l5 9H4z" fill="{}"/>'

_OPENING: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    f' role="img" aria-labelledby="drawn what" font-family="{FONT}" font-size="11" fill="{INK}">'
)
_PATTERN: Final = (
    '<defs><pattern id="unheard" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#ffffff"/>'
    f'<path d="M0 0V6" stroke="{UNHEARD}" stroke-width="3"/></pattern></defs>'
)

LEGEND: Final = (
    (_BOX.format(SILENT.fill, SILENT.line), "state: the caller hears nothing"),
    (_BOX.format(AUDIBLE.fill, AUDIBLE.line), "state: the assistant is audible"),
    (_BOX.format(CANCELLING.fill, CANCELLING.line), "state: a response is being cancelled"),
    (_BOX.format(OVER.fill, OVER.line), "state: the call is over"),
    (_BOX.format(PASSED, PASSED), "frame that passed the gate"),
    (_BOX.format(DROPPED, DROPPED), "frame dropped at the gate"),
    (_BOX.format(HELD, HELD), "frame kept back: grace, doubt, or not gated"),
    (_BOX.format(OPEN, "#d9b84a"), "the gate is open"),
    (_BOX.format(ACCEPTED.fill, ACCEPTED.line), "utterance: accepted"),
    (_BOX.format(REJECTED.fill, REJECTED.line), "utterance: rejected"),
    (_BOX.format(BLIP.fill, BLIP.line), "blip: no utterance"),
    (_BOX.format(UNSETTLED.fill, UNSETTLED.line), "utterance: unsettled at the end"),
    (_BOX.format(REPLY.fill, REPLY.line), "reply: heard"),
    (_BOX.format("url(#unheard)", UNHEARD), "reply: generated, not heard"),
    (_RULE.format(FAINT, ' stroke-dasharray="3 3"'), "reply: requested, awaited"),
    (_RULE.format(THRESHOLD, ' stroke-dasharray="6 3"'), "speech threshold"),
    (_RULE.format(ECHO, ""), "limit that includes the assistant's echo"),
    (_RULE.format(CONFIRMED, ""), "barge-in, confirmed as speech"),
    (_RULE.format(UNCONFIRMED, ' stroke-dasharray="5 3"'), "barge-in, not confirmed"),
    (_TRIANGLE.format(CONFIRMED), "when it was confirmed"),
    (_TRIANGLE.format(WENT_ON), "when the assistant went on"),
    (f'<circle cx="9" cy="5.5" r="3.5" fill="{THRESHOLD}"/>', "the threshold moved"),
    (f'<path d="M9 0l5 5.5-5 5.5-5-5.5z" fill="{NOTE}"/>', "a key, a function, the connection"),
)


def rows_of(account: Account) -> Iterator[Row]:
    """Yield the rows of a call: one at least, each of ROW_S but the last."""
    count = max(1, -int(-account.duration_s // ROW_S))
    for number in range(count):
        start = account.started_at + number * ROW_S
        end = max(min(start + ROW_S, account.end.at), start + 1.0)
        yield Row(account, start, end, LEFT, PX_PER_S, is_last=number == count - 1)


def drawing(account: Account) -> str:
    """Return the drawing as an SVG that stands on its own or in a page."""
    rows = list(rows_of(account))
    widest = max(row.x(row.end) for row in rows) + RIGHT
    width = max(widest, _LEGEND_COLUMNS * _LEGEND_STEP)
    head = _HEAD + -(-len(LEGEND) // _LEGEND_COLUMNS) * _LEGEND_LINE + 14
    height = head + len(rows) * BOTTOM
    parts = [
        _OPENING.format(width=round(width), height=round(height)),
        f'<title id="drawn">Call {safe(account.call_sid)}</title>',
        f'<desc id="what">{_description(account)}</desc>',
        _PATTERN,
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="10" y="19" font-size="14" font-weight="bold">Call {safe(account.call_sid)}</text>',
        *_legend(),
    ]
    for number, row in enumerate(rows):
        parts += [f'<g transform="translate(0 {head + number * BOTTOM:.0f})">', *lanes(row), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    for number, (swatch, meaning) in enumerate(LEGEND):
        x = 10 + number % _LEGEND_COLUMNS * _LEGEND_STEP
        y = _HEAD + number // _LEGEND_COLUMNS * _LEGEND_LINE
        yield f'<g transform="translate({x:.0f} {y:.0f})">{swatch}<text x="25" y="10">{meaning}</text></g>'


def _description(account: Account) -> str:
    went_on = sum(barge_in.went_on_at is not None for barge_in in account.barge_ins)
    counts = (
        f"{len(account.utterances)} sounds of the caller, {len(account.replies)} replies, "
        f"{len(account.barge_ins)} barge-ins, after {went_on} of which the assistant went on"
    )
    lasted = clock(account, account.end.at)
    return (
        f"A timeline of {lasted}: the state of the call, the loudness of every frame against its limit,"
        f" what the caller said and what the assistant said. {counts}. {safe(end_words(account))}"
        " The same facts stand as text in the report."
    )
