"""The gate: the line and its limit, and the frames kept in case speech begins."""

import math
from collections import deque

from attrs import define, field, frozen

from callfsm.config import GateConfig
from callfsm.hearing.line import Line
from callfsm.hearing.mulaw import FRAME_MS


@frozen
class HeardFrame:
    """A frame that has not been sent: 20 ms of base64 mu-law, its loudness, how voiced it is, whether it was loud."""

    rms: float
    payload: str = field(repr=False)
    voicing: float = 0.0
    is_loud: bool = False


@define(eq=False)
class Gate:
    """What is known of the line, and the newest unsent frames.

    `held` are the frames that go out ahead of the first loud one; a loud frame among them was heard while the
    assistant's first words were not to be interrupted.
    """

    line: Line
    held: deque[HeardFrame] = field(factory=deque)

    @classmethod
    def before_calibration(cls, config: GateConfig) -> "Gate":
        """Return the gate of a line about which nothing is known yet."""
        return cls(Line.before_calibration(config))

    @property
    def threshold_rms(self) -> float:
        """The speech threshold in force."""
        return self.line.threshold_rms

    @property
    def limit_rms(self) -> float:
        """The RMS that the newest frame must reach: the threshold, or more while the assistant may be echoing."""
        return self.line.limit_rms

    @property
    def is_echo(self) -> bool:
        """What is loud goes up and down with what the caller is played: it proves nobody."""
        return self.line.echo.is_match

    @property
    def proof_limit_rms(self) -> float:
        """The RMS from which a sound may prove a speaker."""
        return math.inf if self.is_echo else self.limit_rms

    def hold(self, frame: HeardFrame, keep_ms: int) -> None:
        """Keep a frame unsent, and no more than the newest `keep_ms` of them."""
        self.held.append(frame)
        while len(self.held) * FRAME_MS > keep_ms:
            self.held.popleft()

    def release(self, preroll_ms: int) -> list[HeardFrame]:
        """Return what is due ahead of a loud frame, oldest first, and keep nothing.

        That is the newest `preroll_ms`; where a loud frame is held already, it and that much ahead of it.
        """
        frames = list(self.held)
        self.held.clear()
        first = next((i for i, frame in enumerate(frames) if frame.is_loud), len(frames))
        return frames[max(0, first - preroll_ms // FRAME_MS) :]
