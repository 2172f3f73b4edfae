"""What a gate did with a case, against the case's labels, as numbers that add up over cases.

A gate answers with one row for each 20 ms frame, in order:

    at_ms      the frame's time
    sent       the frame went to the API
    stopped    this frame stopped the assistant
    confirmed  this frame confirmed that the interruption is speech
    resumed    at this frame the assistant goes on after an interruption that was nobody

The assistant's replies are those of the labels: each begins anew, whatever was stopped before it. So a gate that
never resumes stops each reply but once. The files go on as though nobody had stopped: a reply and its echo stay in
them to the reply's end.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, Final

from attrs import field, fields, frozen

from callfsm.hearing.mulaw import FRAME_MS

from .labels import STRONG, WEAK, Case, Reply, Span, Speech

Row = Mapping[str, Any]

STOPPED_WITHIN_MS: Final = (40, 200, 300, 500)
CONFIRMED_WITHIN_MS: Final = 700
EARLY_MS: Final = 60
"""A stop so shortly before the onset is the caller's: the onset is where a share of the level is reached."""
LATE_MS: Final = 100
"""And so shortly after the end: the last sound dies away."""
_FLAGS: Final = ("sent", "stopped", "confirmed", "resumed")


class RowsError(ValueError):
    """Rows that are not one for each frame of the case; its text names the case."""


@frozen
class Stop:
    """One time that the assistant fell silent: when, and what became of it. Times in ms, None for never."""

    at_ms: int
    confirmed_ms: int | None
    resumed_ms: int | None

    def is_silent_at(self, at_ms: int) -> bool:
        """Say whether the assistant is silent because of it at a later time within the same reply."""
        return self.at_ms <= at_ms and (self.resumed_ms is None or self.resumed_ms > at_ms)


@frozen
class Answer:
    """A reply, its time until the next one begins, and what stopped it."""

    reply: Reply
    window: Span
    stops: Sequence[Stop]


@frozen
class Tally:
    """What was counted, by one case or by many. Latencies are in ms from the onset, without what never came."""

    interruptions: int = 0
    stop_latencies_ms: tuple[int, ...] = ()
    confirm_latencies_ms: tuple[int, ...] = ()
    wrongly_resumed: int = 0
    assistant_ms: int = 0
    false_stops: int = 0
    lost_replies: int = 0
    silences_ms: tuple[int, ...] = ()
    """From a false stop to the frame at which the assistant went on."""
    steady_ms: Counter[int] = field(factory=Counter)
    """Time with nothing but steady noise, by its RMS class."""
    open_ms: Counter[int] = field(factory=Counter)
    """So much of it with the gate open."""
    weak_frames: int = 0
    weak_clipped: int = 0
    speech_frames: int = 0
    speech_clipped: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Return both together."""
        names = [each.name for each in fields(Tally)]
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})


def total(tallies: Iterable[Tally]) -> Tally:
    """Return all of them together."""
    return reduce(Tally.__add__, tallies, Tally())


def noise_class(rms: float) -> int:
    """Return the class of a line's noise: its RMS in round numbers, 0 below 100."""
    return round(rms) if rms >= 100 else 0


def score(case: Case, rows: Sequence[Row]) -> Tally:
    """Return what a gate's rows amount to on a case; RowsError where they do not fit it."""
    _check(case, rows)
    answers = [Answer(reply, window, _stops(rows, window)) for reply, window in _windows(case)]
    of_replies = total(_false_stops(case, answer) for answer in answers)
    of_speech = total(_interruption(speech, answers) for speech in case.interruptions)
    return of_replies + of_speech + _steady(case, rows) + _clipped(case, rows)


def _check(case: Case, rows: Sequence[Row]) -> None:
    frames = case.length_ms // FRAME_MS
    if len(rows) != frames:
        raise RowsError(f"{case.id}: {len(rows)} rows for {frames} frames")
    for number, row in enumerate(rows):
        absent = [name for name in ("at_ms", *_FLAGS) if name not in row]
        if absent:
            raise RowsError(f"{case.id}, row {number}: has no {absent[0]}")
        # Whether a frame's time is its beginning or its end is the gate's own affair.
        if row["at_ms"] - rows[0]["at_ms"] != number * FRAME_MS:
            raise RowsError(f"{case.id}, row {number}: at_ms is not {number * FRAME_MS} after the first row's")


def _windows(case: Case) -> Iterator[tuple[Reply, Span]]:
    """Yield each reply with its time: from its beginning to that of the next, or to the end of the case."""
    ends = [reply.onset_ms for reply in case.assistant[1:]] + [case.length_ms]
    for reply, end_ms in zip(case.assistant, ends, strict=True):
        yield reply, Span(reply.onset_ms, end_ms)


def _stops(rows: Sequence[Row], window: Span) -> list[Stop]:
    """Return what stopped one reply; a stop of an assistant that is silent already is none."""
    stops: list[Stop] = []
    at = confirmed = None
    for number in range(window.onset_ms // FRAME_MS, window.offset_ms // FRAME_MS):
        row, now_ms = rows[number], number * FRAME_MS
        if at is None and row["stopped"]:
            at = now_ms
        if at is not None and confirmed is None and row["confirmed"]:
            confirmed = now_ms
        if at is not None and row["resumed"]:
            stops.append(Stop(at, confirmed, now_ms))
            at = confirmed = None
    return stops if at is None else [*stops, Stop(at, confirmed, None)]


def _is_callers(stop: Stop, case: Case) -> bool:
    return any(each.onset_ms - EARLY_MS <= stop.at_ms <= each.offset_ms + LATE_MS for each in case.speech)


def _false_stops(case: Case, answer: Answer) -> Tally:
    """Count the stops of one reply that were nobody's.

    A reply is lost where the stop was confirmed before the caller spoke, or where nothing ever ended the silence.
    """
    false = [stop for stop in answer.stops if not _is_callers(stop, case)]
    return Tally(
        assistant_ms=answer.reply.length_ms,
        false_stops=len(false),
        lost_replies=sum(_is_lost(stop, answer.window, case.speech) for stop in false),
        silences_ms=tuple(stop.resumed_ms - stop.at_ms for stop in false if stop.resumed_ms is not None),
    )


def _is_lost(stop: Stop, window: Span, speech: Iterable[Speech]) -> bool:
    later = [each.onset_ms for each in speech if stop.at_ms < each.onset_ms < window.offset_ms]
    spoken_ms = min(later, default=window.offset_ms)
    if stop.confirmed_ms is not None:
        return stop.confirmed_ms < spoken_ms
    return stop.resumed_ms is None and not later


def _interruption(speech: Speech, answers: Iterable[Answer]) -> Tally:
    """Say how soon an interruption was obeyed. An assistant that is silent already has obeyed at once."""
    found = next(each.stops for each in answers if each.reply.onset_ms <= speech.onset_ms < each.reply.offset_ms)
    onset_ms, offset_ms = speech.onset_ms, speech.offset_ms
    stop = next((each for each in found if each.is_silent_at(onset_ms) or each.at_ms >= onset_ms), None)
    if stop is None or stop.at_ms > offset_ms + LATE_MS:
        return Tally(interruptions=1)
    confirmed = () if stop.confirmed_ms is None else (max(0, stop.confirmed_ms - onset_ms),)
    resumed = any(each.resumed_ms is not None and onset_ms <= each.resumed_ms < offset_ms for each in found)
    return Tally(
        interruptions=1,
        stop_latencies_ms=(max(0, stop.at_ms - onset_ms),),
        confirm_latencies_ms=confirmed,
        wrongly_resumed=int(resumed),
    )


def _steady(case: Case, rows: Sequence[Row]) -> Tally:
    kind = noise_class(case.noise.rms)
    sent = [row["sent"] for span in case.steady for row in _rows_of(rows, span)]
    if not sent:
        return Tally()
    return Tally(
        steady_ms=Counter({kind: len(sent) * FRAME_MS}),
        open_ms=Counter({kind: sum(map(bool, sent)) * FRAME_MS}),
    )


def _rows_of(rows: Sequence[Row], span: Span) -> Sequence[Row]:
    return rows[span.onset_ms // FRAME_MS : span.offset_ms // FRAME_MS]


def _clipped(case: Case, rows: Sequence[Row]) -> Tally:
    """Count the frames of speech that counts, and those that were not sent."""

    def frames(marks: str) -> list[bool]:
        times_ms = [at_ms for each in case.speech if each.counts for at_ms in each.times_ms(marks)]
        return [bool(rows[at_ms // FRAME_MS]["sent"]) for at_ms in times_ms]

    weak, speech = frames(WEAK), frames(WEAK + STRONG)
    return Tally(
        weak_frames=len(weak),
        weak_clipped=weak.count(False),
        speech_frames=len(speech),
        speech_clipped=speech.count(False),
    )
