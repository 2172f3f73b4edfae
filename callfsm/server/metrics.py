"""What the operator's monitoring reads, in Prometheus' terms."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

KNOWN_CODES: Final = frozenset({
    "response_cancel_not_active", "conversation_already_has_active_response", "input_audio_buffer_commit_empty",
    "item_not_found", "invalid_value", "unknown_parameter", "cannot_update_voice", "session_expired", "server_error",
    "rate_limit_exceeded", "insufficient_quota", "beta_api_shape_disabled", "none",
})  # fmt: skip
"""Other codes are counted as `other`: a label is no place for what a peer makes up."""
_LATENCY_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_REPLY_S: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)


class LostLogLines(Collector):
    """Counts the lines of the log that are lost; asked at each scrape.

    A finalizer may log at any time, also while the lock of a usual counter is held, and would wait for it for ever.
    """

    def __init__(self) -> None:
        self.count: Callable[[], int] = lambda: 0

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Return the one metric."""
        family = CounterMetricFamily("callfsm_log_lines_lost", "Lines of the log that standard error did not take.")
        family.add_metric([], self.count())
        return [family]


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.active_calls = Gauge("callfsm_active_calls", "Live calls.", registry=self.registry)
        self.calls = self._counter("callfsm_calls", "Calls that ended, by the reason in their journal.", "end")
        self.transitions = self._counter(
            "callfsm_transitions", "Changes of state of the machine.", "source", "event", "dest"
        )
        self.frames = self._counter(
            "callfsm_frames", "Frames of 20 ms heard while the line was calibrated, the gate open or closed.", "gate"
        )
        self.rejected = self._counter(
            "callfsm_rejected",
            "Who was refused at a door, and utterances that were rejected, by the reason.",
            "reason",
        )
        self.interruptions = self._counter(
            "callfsm_interruptions", "Stops of the assistant, as they came and by what they proved to be.", "verdict"
        )
        self.line = self._counter(
            "callfsm_line",
            "Changes of callers' lines: noise followed, restored, raised; deaf is an alarm.",
            "news",
        )
        self.twilio_sequence = self._counter(
            "callfsm_twilio_sequence", "Messages of Twilio that are missing or came late, by their numbers.", "what"
        )
        self.malformed = self._counter("callfsm_malformed", "Messages that could not be read, by the peer.", "peer")
        self.realtime_errors = self._counter(
            "callfsm_realtime_errors", "Errors that the Realtime API sent, by their code.", "code"
        )
        self.transcripts = self._counter(
            "callfsm_transcripts",
            "Utterances given to OpenAI (asked), and the transcripts that came: completed, empty, failed.",
            "result",
        )
        for result in ("asked", "completed", "empty", "failed"):
            self.transcripts.labels(result)
        self.realtime_sessions = self._counter(
            "callfsm_realtime_sessions", "Tries to get a Realtime session, by what came of it.", "result"
        )
        self.realtime_down = Gauge(
            "callfsm_realtime_down",
            "1 while OpenAI fails call after call, and new callers hear an apology.",
            registry=self.registry,
        )
        self.barge_in_s = Histogram(
            "callfsm_barge_in_seconds",
            "From the arrival of the loud frame that stops the assistant to the clear written to Twilio.",
            buckets=_LATENCY_S,
            registry=self.registry,
        )
        self.reply_s = Histogram(
            "callfsm_reply_seconds",
            "From the end of the caller's turn to the first audio of the reply written to Twilio.",
            buckets=_REPLY_S,
            registry=self.registry,
        )
        self.request_s = Histogram(
            "callfsm_request_seconds",
            "From the end of the caller's turn to the request for the reply.",
            buckets=_REPLY_S,
            registry=self.registry,
        )

        self.connections = Gauge(
            "callfsm_connections", "Open connections, by the listener.", ["listener"], registry=self.registry
        )
        self.connections_refused = self._counter(
            "callfsm_connections_refused", "Connections above the bound, closed at once, by the listener.", "listener"
        )
        self.loop_lag_s = Histogram(
            "callfsm_loop_lag_seconds", "How late the event loop was.", buckets=_LATENCY_S, registry=self.registry
        )
        self.tasks = Gauge("callfsm_tasks", "Live tasks of the event loop.", registry=self.registry)
        self.journal_lost_lines = self._counter(
            "callfsm_journal_lost_lines", "Lines that no journal has, by the reason.", "reason"
        )
        for reason in ("stalled", "failed", "without_header"):
            self.journal_lost_lines.labels(reason)
        self.journals_aborted = self._counter(
            "callfsm_journals_aborted", "Journals of a killed process that this one has closed."
        )
        self.log_lines_lost = LostLogLines()
        self.registry.register(self.log_lines_lost)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self.registry)
