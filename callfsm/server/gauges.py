"""What one call measures of itself, for the server's metrics."""

import time
from collections.abc import Callable, Iterable

from callfsm.call import Call
from callfsm.events import Event, RealtimeError, ResponseDone, TranscriptCompleted, TranscriptFailed
from callfsm.server.metrics import KNOWN_CODES, Metrics
from callfsm.states.base import State
from callfsm.states.interrupting import BARGE_IN_LINE, CONFIRMED_LINE, RESUMED_LINE
from callfsm.states.transcripts import (
    ECHO_LINE,
    HALLUCINATION_LINE,
    PUNCTUATION_LINE,
    SKIPPED_LINE,
    TOO_SHORT_LINE,
)
from callfsm.wire.malformed import MalformedError

FLOOD = "flood"
_ERROR = "realtime_error:"
_LINE = "line:"
_REJECTED = {
    TOO_SHORT_LINE: "transcript_too_short",
    PUNCTUATION_LINE: "transcript_punctuation",
    SKIPPED_LINE: "no_real_utterance_yet",
    ECHO_LINE: "transcript_echo",
    HALLUCINATION_LINE: "transcript_hallucination",
}
"""Utterances that were rejected, by the line that says so."""
_INTERRUPTIONS = {BARGE_IN_LINE: "stopped", CONFIRMED_LINE: "confirmed", RESUMED_LINE: "resumed"}


class CallGauges:
    """The measuring of one call. Latencies are taken on the performance counter, in seconds."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._gate_open = metrics.frames.labels("open")
        self._gate_closed = metrics.frames.labels("closed")
        self._calibrating = metrics.frames.labels("calibrating")
        self._arrived_at: float | None = None
        self._turn_ended_at: float | None = None
        self._request_awaited_since: float | None = None

    def frame_arrived(self) -> None:
        """Note the arrival of the caller's audio."""
        self._arrived_at = time.perf_counter()

    def heard(self, call: Call) -> None:
        """Count a frame, now worked off, by what the gate made of it."""
        self._arrived_at = None
        if call.is_gate_open:
            self._gate_open.inc()
        elif call.state is State.CALIBRATING:
            self._calibrating.inc()
        else:
            self._gate_closed.inc()

    def dispatched(self, event: Event, moves: Iterable[tuple[State, type[Event], State]]) -> None:
        """Count what one event was and did: an error of the API, changes of state."""
        for source, kind, dest in moves:
            self._metrics.transitions.labels(source.name, kind.__name__, dest.name).inc()
        if isinstance(event, RealtimeError) or (isinstance(event, ResponseDone) and event.code):
            code = event.code or "none"
            self._metrics.realtime_errors.labels(code if code in KNOWN_CODES else "other").inc()

        if isinstance(event, TranscriptCompleted):
            self._metrics.transcripts.labels("completed" if event.transcript.strip() else "empty").inc()
        elif isinstance(event, TranscriptFailed):
            self._metrics.transcripts.labels("failed").inc()

    def tried(self, result: str) -> None:
        """Count a try to get a Realtime session, by what came of it."""
        self._metrics.realtime_sessions.labels(result.partition(":")[0]).inc()

    def clear_written(self) -> Callable[[], None] | None:
        """Return what measures the clear that the frame in hand led to; None where no frame did."""
        arrived_at = self._arrived_at
        if arrived_at is None:
            return None
        return lambda: self._metrics.barge_in_s.observe(time.perf_counter() - arrived_at)

    def turn_ended(self) -> None:
        """Note the end of the caller's turn."""
        self._metrics.transcripts.labels("asked").inc()
        self._turn_ended_at = self._request_awaited_since = time.perf_counter()

    def requested(self) -> None:
        """Measure the time from the turn's end to the first request after it."""
        if self._request_awaited_since is not None:
            self._metrics.request_s.observe(time.perf_counter() - self._request_awaited_since)
        self._request_awaited_since = None

    def reply_written(self) -> Callable[[], None] | None:
        """Return what measures the first audio of a reply when it is written, None for all audio after it."""
        ended_at, self._turn_ended_at = self._turn_ended_at, None
        if ended_at is None:
            return None
        return lambda: self._metrics.reply_s.observe(time.perf_counter() - ended_at)

    def noted(self, what: str) -> None:
        """Count what the machine noted of its peers; errors are counted as they come."""
        if what.startswith(_LINE):
            self._metrics.line.labels(what.removeprefix(_LINE)).inc()
        elif not what.startswith(_ERROR):
            self._metrics.rejected.labels(what).inc()

    def logged(self, message: str) -> None:
        """Count a rejected utterance, or a step of an interruption."""
        if message in _INTERRUPTIONS:
            self._metrics.interruptions.labels(_INTERRUPTIONS[message]).inc()
        if message in _REJECTED:
            self._metrics.rejected.labels(_REJECTED[message]).inc()
            self._turn_ended_at = self._request_awaited_since = None

    def set_aside(self, what: str, count: int) -> None:
        """Count messages of Twilio that were not heard: those of a flood, and those whose number was wrong."""
        if what == FLOOD:
            self._metrics.rejected.labels(what).inc(count)
        else:
            self._metrics.twilio_sequence.labels(what).inc(count)

    def malformed(self, error: MalformedError) -> None:
        """Count a message that could not be read."""
        self._metrics.malformed.labels(error.place.partition(" ")[0]).inc()
