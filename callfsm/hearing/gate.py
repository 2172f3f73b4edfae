"""The gate's numbers: the line's noise floor, the threshold, and the frames kept in case speech begins."""

from collections import deque
from collections.abc import Iterable

from attrs import define, field, frozen

from callfsm.config import GateConfig
from callfsm.hearing.mulaw import FRAME_MS


@frozen
class HeardFrame:
    """A frame that has not been sent: 20 ms of base64 mu-law and its loudness."""

    rms: float
    payload: str = field(repr=False)


@define(eq=False)
class Gate:
    """What is known of the line, and the newest unsent frames.

    `held` are the frames that go out ahead of the first loud one; a loud frame among them was heard while the
    assistant's first words were not to be interrupted.
    """

    noise_floor_rms: float
    threshold_rms: float
    held: deque[HeardFrame] = field(factory=deque)

    @classmethod
    def before_calibration(cls, config: GateConfig) -> "Gate":
        """Return the gate of a line about which nothing is known yet."""
        return cls(config.default_noise_floor, config.default_threshold)

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
        first = next((i for i, frame in enumerate(frames) if frame.rms >= self.threshold_rms), len(frames))
        return frames[max(0, first - preroll_ms // FRAME_MS) :]


def noise_floor(frames_rms: Iterable[float], config: GateConfig) -> float:
    """Return the mean RMS of the quiet frames among these, the default where there are none."""
    quiet = [rms for rms in frames_rms if rms < config.quiet_rms]
    return sum(quiet) / len(quiet) if quiet else config.default_noise_floor


def speech_threshold(noise_floor_rms: float, config: GateConfig) -> float:
    """Return the RMS from which a frame counts as sound on a line with this noise floor."""
    return min(config.max_threshold, noise_floor_rms + config.threshold_margin)
