"""The detector at work beside the event loop: one thread and one model for all calls, and what it costs, counted."""

import asyncio
import logging
import time
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from callfsm.call import Call
from callfsm.detector.listener import Listener
from callfsm.detector.silero import Model
from callfsm.hearing.turn import Utterance

MOST_WAITING: Final = 32
"""Requests at most in the thread's queue, the one at work included; some 1 ms each."""
_DELAYS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_LOG: Final = logging.getLogger("callfsm.detector")


class Detector:
    """The thread that hears doubtful utterances. Its methods belong to the event loop and never wait."""

    def __init__(self, model: Model, min_probability: float, registry: CollectorRegistry) -> None:
        self._model = model
        self._min_probability = min_probability
        self._thread = ThreadPoolExecutor(1, "detector")
        # Begun now: a thread's beginning would delay the call that first needs it.
        self._thread.submit(int)
        self._waiting = 0
        self._is_closed = False
        self._has_failed = False
        self._results = Counter(
            "callfsm_detector", "What became of requests to the detector of speech.", ["result"], registry=registry
        )
        self._delay_s = Histogram(
            "callfsm_detector_seconds",
            "From the arrival of a frame in doubt to the detector's answer about it.",
            buckets=_DELAYS_S,
            registry=registry,
        )

    def listener(self) -> Listener:
        """Return one that has heard nothing, for a new utterance."""
        return Listener(self._model, self._min_probability)

    def ask(
        self, listener: Listener, frames: Sequence[str], limit_rms: float, answer: Callable[[bool | None], None]
    ) -> bool:
        """Have the listener hear frames, base64 mu-law; say whether the queue took them.

        `answer` is then called on the event loop: whether it is speech by now; None where the model failed.
        """
        if self._is_closed or self._waiting >= MOST_WAITING:
            self._results.labels("dropped").inc()
            return False
        self._waiting += 1
        began = time.perf_counter()

        def answered(hearing: asyncio.Future[bool]) -> None:
            if hearing.cancelled():
                return
            self._waiting -= 1
            self._delay_s.observe(time.perf_counter() - began)
            answer(self._verdict_of(hearing))

        hearing = asyncio.get_running_loop().run_in_executor(self._thread, _hear, listener, frames, limit_rms)
        hearing.add_done_callback(answered)
        return True

    def _verdict_of(self, hearing: asyncio.Future[bool]) -> bool | None:
        error = hearing.exception()
        if error is None:
            self._results.labels("speech" if hearing.result() else "unsure").inc()
            return hearing.result()
        self._results.labels("failed").inc()
        if not self._has_failed:
            self._has_failed = True
            _LOG.error("[DETECTOR] The model failed; calls go on without it", exc_info=error)
        return None

    def close(self) -> None:
        """Stop; what is still asked is dropped."""
        self._is_closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)


def _hear(listener: Listener, frames: Sequence[str], limit_rms: float) -> bool:
    """Run in the thread."""
    return listener.hear(b"".join(map(a2b_base64, frames)), limit_rms)


class CallDetector:
    """One call's doubts, handed to the detector; `detected` is called once an utterance, while it is still open."""

    def __init__(self, detector: Detector, call: Call, detected: Callable[[], None]) -> None:
        self._detector = detector
        self._call = call
        self._detected = detected
        self._utterance: Utterance | None = None
        self._listener = detector.listener()
        self._handed = 0
        self._is_asking = False
        self._is_done = False

    def look(self) -> None:
        """Hand on what has not been heard of the utterance that the machine doubts, if it doubts one.

        A request at a time: what comes meanwhile, or finds the queue full, goes with the next one. The frame that
        stopped the assistant does so, too: its clear is on its way, and the thread would be in its way.
        """
        utterance = self._call.in_doubt
        if utterance is None or self._is_asking:
            return
        if utterance is not self._utterance:
            self._utterance, self._listener = utterance, self._detector.listener()
            self._handed, self._is_done = 0, False
            return
        frames = list(islice(utterance.audio, self._handed, None))
        if frames and not self._is_done:
            limit_rms = self._call.gate.proof_limit_rms
            self._is_asking = self._detector.ask(self._listener, frames, limit_rms, self._answered)
            self._handed += len(frames) * self._is_asking

    def _answered(self, is_speech: bool | None) -> None:
        self._is_asking = False
        self._is_done = is_speech is not False
        if is_speech and self._call.in_doubt is self._utterance:
            self._detected()
        self.look()
