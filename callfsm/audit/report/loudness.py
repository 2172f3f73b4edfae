"""The loudness lane of the drawing: every frame's RMS, the limit that it had to reach, and where the gate was open.

The limit is the speech threshold in force; while the assistant may be echoing it is drawn above it.
The scale is logarithmic, so that the noise of a line at 20 and speech at 5000 can both be read.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Final

from callfsm.audit.account.values import Frame
from callfsm.audit.diagram.dot import CANCELLING, FAINT
from callfsm.audit.report.row import FRAME_S, LOUDNESS, Row
from callfsm.audit.report.words import NEWS, clock

PASSED: Final = "#2f5d9b"
DROPPED: Final = "#9aa3af"
HELD: Final = "#c2571a"
OPEN: Final = "#fff1c2"
THRESHOLD: Final = CANCELLING.line
ECHO: Final = "#8a5a00"
_LIMIT: Final = f'stroke="{ECHO}" stroke-width="1.2" fill="none"'
_THRESHOLD: Final = f'stroke="{THRESHOLD}" stroke-width="1.5" stroke-dasharray="6 3" fill="none"'
HEIGHT: Final = 160.0
LOWEST_RMS: Final = 10.0
"""Digital silence has none: what is below this lies at the bottom."""
LEAST_TOP_RMS: Final = 2000.0
_TICKS_RMS: Final = (10, 30, 100, 300, 1000, 3000, 10000, 30000)
_BASE: Final = LOUDNESS + HEIGHT


def loudness(row: Row) -> Iterator[str]:
    """Draw the lane."""
    top_rms = max([LEAST_TOP_RMS, *(frame.rms for frame in row.account.frames)]) * 1.1
    frames = _frames_of(row)
    yield from _open(row, frames)
    yield from _scale(row, top_rms)
    yield from _bars(row, frames, top_rms)
    yield from _limits(row, frames, top_rms)
    yield from _changes(row, top_rms)


def _open_stretches(frames: tuple[Frame, ...]) -> list[tuple[float, float]]:
    """Return from when to when the gate was open: the frames that passed, from the first one's begin on."""
    stretches: list[tuple[float, float]] = []
    was_open = False
    for frame in frames:
        if frame.is_gate_open:
            began_at = stretches.pop()[0] if was_open else frame.at - FRAME_S
            stretches.append((began_at, frame.at))
        was_open = frame.is_gate_open
    return stretches


def _frames_of(row: Row) -> tuple[Frame, ...]:
    frames = row.account.frames
    first = bisect_left(frames, row.start, key=lambda frame: frame.at)
    last = bisect_right(frames, row.end, key=lambda frame: frame.at)
    return frames[first:last]


def _y(rms: float, top_rms: float) -> float:
    share = math.log(max(rms, LOWEST_RMS) / LOWEST_RMS) / math.log(top_rms / LOWEST_RMS)
    return _BASE - share * HEIGHT


def _open(row: Row, frames: tuple[Frame, ...]) -> Iterator[str]:
    for began_at, ended_at in _open_stretches(frames):
        x, end = row.x(began_at), row.x(ended_at)
        yield f'<rect x="{x:.1f}" y="{LOUDNESS}" width="{end - x:.1f}" height="{HEIGHT}" fill="{OPEN}"/>'
        yield f'<path d="M{x:.1f} {LOUDNESS}V{_BASE}M{end:.1f} {LOUDNESS}V{_BASE}" stroke="#d9b84a"/>'


def _scale(row: Row, top_rms: float) -> Iterator[str]:
    left, right = row.x(row.start), row.x(row.end)
    yield f'<text x="10" y="{LOUDNESS + 12}" fill="{FAINT}">RMS</text>'
    for rms in _TICKS_RMS:
        if rms < top_rms:
            y = _y(rms, top_rms)
            yield f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="#e3e6ea" stroke-width="0.7"/>'
            yield f'<text x="{left - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{rms}</text>'


def _bars(row: Row, frames: tuple[Frame, ...], top_rms: float) -> Iterator[str]:
    # The loudest frame of a kind in a pixel stands for it: detail may go, a peak may not.
    peaks: dict[str, dict[int, float]] = {DROPPED: {}, HELD: {}, PASSED: {}}
    for frame in frames:
        kind = PASSED if frame.is_gate_open else DROPPED if frame.was_dropped else HELD
        x = round(row.x(frame.at))
        peaks[kind][x] = max(frame.rms, peaks[kind].get(x, 0.0))
    for kind, heights in peaks.items():
        if heights:
            bars = "".join(f"M{x} {_BASE:.0f}V{_y(rms, top_rms) - 0.5:.1f}" for x, rms in sorted(heights.items()))
            yield f'<path class="frames" d="{bars}" stroke="{kind}" stroke-width="1.3" fill="none"/>'


def _limits(row: Row, frames: tuple[Frame, ...], top_rms: float) -> Iterator[str]:
    if not frames:
        return
    for is_raised, alike in groupby(frames, lambda frame: frame.limit_rms > frame.threshold_rms):
        stretch = list(alike)
        if is_raised:
            base = f"{_y(stretch[0].threshold_rms, top_rms):.1f}"
            path = _steps(row, [(frame.at, frame.limit_rms) for frame in stretch], top_rms)
            yield f'<path class="limit" d="M{row.x(stretch[0].at - FRAME_S):.1f} {base}{path}V{base}" {_LIMIT}/>'
    path = _steps(row, [(frame.at, frame.threshold_rms) for frame in frames], top_rms)
    yield f'<path class="threshold" d="M{row.x(row.start):.1f} {path[1:]}H{row.x(row.end):.1f}" {_THRESHOLD}/>'
    rms = frames[0].threshold_rms
    yield (
        f'<text x="10" y="{_y(rms, top_rms) + 4:.1f}" fill="{THRESHOLD}" font-weight="bold">{rms:.1f}'
        f"<title>the speech threshold at the beginning of the row</title></text>"
    )


def _steps(row: Row, values: list[tuple[float, float]], top_rms: float) -> str:
    """Return the path, from its first height on, of a line that holds each frame's value through the frame."""
    path = f"V{_y(values[0][1], top_rms):.1f}"
    for (_, rms), (at, next_rms) in pairwise(values):
        if rms != next_rms:
            path += f"H{row.x(at - FRAME_S):.1f}V{_y(next_rms, top_rms):.1f}"
    return f"{path}H{row.x(values[-1][0]):.1f}"


def _changes(row: Row, top_rms: float) -> Iterator[str]:
    """Draw where the line changed, with the threshold that is in force from there on."""
    for change in row.account.line:
        if row.holds(change.at):
            x, y = row.x(change.at), _y(change.threshold_rms, top_rms)
            says = f"{clock(row.account, change.at)} {NEWS[change.kind]}, noise {change.noise_rms:.1f}"
            yield (
                f'<circle class="change" cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{THRESHOLD}">'
                f"<title>{says}</title></circle>"
            )
            yield (
                f'<text x="{x + 5:.1f}" y="{y - 5:.1f}" fill="{THRESHOLD}" font-weight="bold">'
                f"{change.threshold_rms:.1f}</text>"
            )
