"""What the operator's monitoring reads, in Prometheus' terms."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

KNOWN_CODES: Final = frozenset({
    "response_cancel_not_active", "conversation_already_has_active_response", "input_audio_buffer_commit_empty",
    "item_not_found", "invalid_value", "unknown_parameter", "cannot_update_voice", "session_expired", "server_error",
    "rate_limit_exceeded", "insufficient_quota", "beta_api_shape_disabled", "none",
})  # fmt: skip
"""Other codes are counted as `other`: a label is no place for what a peer makes up."""
_LATENCY_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_REPLY_S: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)


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
        self.malformed = self._counter("callfsm_malformed", "Messages that could not be read, by the peer.", "peer")
        self.realtime_errors = self._counter(
            "callfsm_realtime_errors", "Errors that the Realtime API sent, by their code.", "code"
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

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self.registry)
