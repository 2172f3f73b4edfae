"""What a frame of the caller's line costs above the sockets: decode, RMS, dispatch, encode.

Prints microseconds (best of several rounds, one core) and ratios to decoding and measuring the frame alone.
Ratios hold from machine to machine, microseconds do not.
"""

import base64
import time
from collections.abc import Callable

import numpy as np

from callfsm.call import Call
from callfsm.config import Business, Config
from callfsm.effects import AppendAudio, ClearPlayback, Effect, PlayAudio, SendMark
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    RealtimeReady,
    ResponseCreated,
    RmsFrame,
    TimerFired,
    TranscriptCompleted,
)
from callfsm.hearing.mulaw import FRAME_BYTES, encode
from callfsm.machine import dispatch
from callfsm.states.base import State
from callfsm.wire import realtime_out, twilio

FRAMES = 1000
ROUNDS = 9
ENCODER = twilio.Encoder("MZ0")


def message(rms: float) -> str:
    """Return Twilio's message for a frame of noise of this loudness."""
    noise = np.random.default_rng(1).normal(0, rms, FRAME_BYTES).astype(np.int16)
    payload = base64.b64encode(encode(noise)).decode()
    return (
        '{"event":"media","sequenceNumber":"4","streamSid":"MZ0",'
        f'"media":{{"track":"inbound","chunk":"2","timestamp":"20","payload":"{payload}"}}}}'
    )


QUIET, LOUD = message(50), message(2000)


class Line:
    """A call on a clock of its own."""

    def __init__(self) -> None:
        self.call = Call.begin(Config(), Business())
        self.framer = twilio.Framer()
        self.at = 0.0
        self.feed(QUIET, 80)
        dispatch(self.call, RealtimeReady(self.at))

    def frame(self, text: str) -> None:
        """Do all that one message of the caller's line takes."""
        self.at += 0.02
        media = twilio.decode(text)
        assert isinstance(media, twilio.Media)
        for frame in self.framer.frames(media.media.payload):
            for effect in dispatch(self.call, RmsFrame(self.at, *frame)):
                written(effect)

    def feed(self, text: str, count: int) -> None:
        """Feed a number of frames."""
        for _ in range(count):
            self.frame(text)

    def until_speaking(self) -> None:
        """Have the caller ask and the assistant answer."""
        self.feed(LOUD, 20)
        self.feed(QUIET, 31)
        dispatch(self.call, AudioCommitted(self.at, f"item{self.at}"))
        dispatch(self.call, TranscriptCompleted(self.at, f"item{self.at}", "מה שעות הפתיחה?"))
        dispatch(self.call, ResponseCreated(self.at, f"resp{self.at}", self.call.response.turn))
        dispatch(self.call, AudioDelta(self.at, f"resp{self.at}", "said", bytes(8000)))
        self.at += 0.3
        dispatch(self.call, TimerFired(self.at))
        assert self.call.state is State.AI_SPEAKING


def written(effect: Effect) -> bytes | None:
    """Encode what goes out, as the session does."""
    if isinstance(effect, AppendAudio):
        return realtime_out.encode(effect)
    if isinstance(effect, PlayAudio | SendMark | ClearPlayback):
        return ENCODER.encode(effect)
    return None


def best_us(run: Callable[[], float]) -> float:
    """Return the best of several rounds, in microseconds."""
    return min(run() for _ in range(ROUNDS)) * 1e6


def decoding() -> float:
    """Return seconds a frame for decoding and measuring alone."""
    framer = twilio.Framer()
    began = time.perf_counter()
    for _ in range(FRAMES):
        media = twilio.decode(LOUD)
        assert isinstance(media, twilio.Media)
        list(framer.frames(media.media.payload))
    return (time.perf_counter() - began) / FRAMES


def steady(text: str) -> float:
    """Return seconds a frame of a line that carries the same frame on and on."""
    line = Line()
    line.feed(text, 2)
    began = time.perf_counter()
    line.feed(text, FRAMES)
    return (time.perf_counter() - began) / FRAMES


def barge_in() -> float:
    """Return seconds for the one frame that stops the assistant, with its pre-roll of 15 frames."""
    spent = 0.0
    for _ in range(FRAMES // 50):
        line = Line()
        line.until_speaking()
        line.feed(QUIET, 15)
        began = time.perf_counter()
        line.frame(LOUD)
        spent += time.perf_counter() - began
        assert line.call.state is State.CANCELLING
    return spent / (FRAMES // 50)


def main() -> None:
    """Print the table."""
    base_us = best_us(decoding)
    rows = {
        "decode and RMS alone": base_us,
        "gate closed": best_us(lambda: steady(QUIET)),
        "gate open": best_us(lambda: steady(LOUD)),
        "barge-in": best_us(barge_in),
    }
    print(f"{'a frame':24}{'us':>8}{'ratio':>8}")
    for name, cost_us in rows.items():
        print(f"{name:24}{cost_us:8.1f}{cost_us / base_us:8.1f}")


if __name__ == "__main__":
    main()
