"""The caller's line: its noise and echo, and the limit that a frame must reach to count as the caller's sound.

The threshold that calibration found is in force as long as the line is as quiet as calibration takes a line to be.
Where it is noisier the threshold follows the noise, and while the assistant is audible the limit is above its echo.
"""

from collections import deque
from enum import Enum
from typing import Final

from attrs import define, field, frozen

from callfsm.config import GateConfig
from callfsm.hearing.calibration import speech_threshold
from callfsm.hearing.echo import EchoGain
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.noise import NoiseFloor

STEP: Final = 0.1
"""The threshold moves by at least this share of itself: each number in force is told once, and seldom."""
SILENT_RMS: Final = 8.0
"""The first step of mu-law. A line no louder was digitally silent, and says nothing of the hum that may come."""
STAY_FRAMES: Final = 10_000 // FRAME_MS
"""Noise just above quiet_rms that has been followed before must stay so long to be followed again."""
NEAR_SHARE: Final = 0.7
"""A frame of this share of the threshold and more, and below it, is near."""
NEAR_FRAMES: Final = 8000 // FRAME_MS
"""So many near frames of steady sound, and none that passed, are deafness; of speech, fewer in no less time."""
NEAR_SPEECH_FRAMES: Final = 1500 // FRAME_MS
"""Speech whose peaks just miss the threshold spends 2 to 13 % of its time near it: so many frames in 30 s."""
NEAR_WINDOW_FRAMES: Final = 30_000 // FRAME_MS
ECHO_FACTOR: Final = 2.0
"""So many times its usual share an echo may be, where the configuration does not look at echo."""
_NOISE_PEAK: Final = 1.35
"""Hardly a frame of steady noise is louder than so many times its 20th percentile; what is, may be echo."""


class NewsKind(Enum):
    """What became of the line."""

    FOLLOWS = "the threshold follows the noise of the line"
    RESTORED = "the calibrated threshold is in force again"
    RAISED = "a line that was silent when it was calibrated hums, and has been calibrated again"
    DEAF = "sound just below the threshold has gone on for long"


@frozen
class News:
    """A change of the line: the noise that it was decided by, and the threshold that is now in force."""

    kind: NewsKind
    noise_rms: float
    threshold_rms: float


@define(eq=False)
class Line:
    """What is known of one call's line."""

    noise_rms: float
    """The calibrated noise."""
    calibrated_threshold_rms: float
    threshold_rms: float
    """The threshold in force, without echo."""
    limit_rms: float
    """The limit in force for the frame that was heard last."""
    is_calibrated: bool = False
    floor: NoiseFloor = field(factory=NoiseFloor)
    echo: EchoGain = field(factory=EchoGain)
    _was_silent: bool = False
    _was_restored: bool = False
    """The noise has been followed, and has fallen below quiet_rms."""
    _frame: int = 0
    """The number of the newest frame, from 1."""
    _noisy_frames: int = 0
    """The newest frames in all of which the tracked noise was at or above quiet_rms."""
    _near: deque[int] = field(factory=deque, repr=False)
    """The numbers of the near frames of the last 30 s, none since a frame that passed."""
    _next_alarm: int = 0

    @classmethod
    def before_calibration(cls, config: GateConfig) -> "Line":
        """Return a line about which nothing is known yet: the defaults serve, and nothing moves them."""
        threshold = config.default_threshold
        return cls(config.default_noise_floor, threshold, threshold, threshold)

    def calibrate(self, noise_rms: float, threshold_rms: float) -> None:
        """Take over what calibration found; from the next frame on the threshold may follow the noise."""
        self.is_calibrated = True
        self._set_calibrated(noise_rms, threshold_rms)
        self.limit_rms = threshold_rms

    @property
    def is_following(self) -> bool:
        """The threshold in force is not the calibrated one."""
        return self.threshold_rms != self.calibrated_threshold_rms

    def hear(
        self,
        rms: float,
        far_rms: float,
        config: GateConfig,
        *,
        is_gate_open: bool,
        is_voiced: bool = False,
        played_rms: float | None = None,
    ) -> News | None:
        """Hear a frame before it is judged, and set the limit for it; return what changed on the line, if anything.

        `far_rms` is the loudest 20 ms of the assistant that the caller may have been played in the time of the frame,
        `played_rms` the same by the clock alone, for what has to be compared place by place; 0.0 in
        silence. While the gate is open for the caller, weak frames are heard, and so are no sign of deafness. A voice
        that is louder than any noise that is followed is no noise, however steady it is held.
        """
        self._frame += 1
        echo, floor, factor = self.echo, self.floor, config.echo_factor
        far = max(far_rms, echo.far_rms)
        is_firing = rms >= self.threshold_rms and rms >= factor * echo.gain * far
        echo.hear(rms, far_rms, _NOISE_PEAK * floor.noise_rms, is_firing=is_firing, played_rms=played_rms)
        is_far_loud = echo.is_far_loud
        is_voice = is_voiced and rms * config.follow_factor > config.max_following_threshold
        # What is louder than any echo is none: noise that sets in while the assistant speaks is followed then, too.
        is_echo = is_far_loud and rms < echo.limit_rms(factor or ECHO_FACTOR)
        floor.hear(rms, is_masked=is_echo or is_voice)
        news = self._follow(config) if self.is_calibrated and floor.is_known else None
        self.limit_rms = max(self.threshold_rms, echo.limit_rms(factor))
        if rms >= self.limit_rms:
            self._near.clear()
        elif rms >= NEAR_SHARE * self.threshold_rms and self.is_calibrated and not is_gate_open and not is_far_loud:
            news = self._note_near(config) or news
        return news

    def _follow(self, config: GateConfig) -> News | None:
        """Move the threshold where the noise asks for it."""
        noise = self.floor.noise_rms
        if noise < config.quiet_rms or not config.follow_factor:
            self._noisy_frames = 0
            self._was_restored |= self.is_following
            return self._raise(noise, config) or self._restore(noise)
        self._noisy_frames += 1
        if self._is_wavering(noise, config):
            return None
        following = min(config.max_following_threshold, config.follow_factor * noise)
        return self._move(noise, max(self.calibrated_threshold_rms, following))

    def _is_wavering(self, noise: float, config: GateConfig) -> bool:
        """Noise that has once fallen below quiet_rms is just above it again, and not yet for long.

        Below it the calibrated threshold must be in force: so it is the way up that waits, or noise that wanders
        about quiet_rms would move the threshold each time. It may wait, for the calibrated threshold of most calls
        holds back noise that is hardly above quiet_rms.
        """
        is_clear = noise >= (1 + STEP) * config.quiet_rms or self._noisy_frames > STAY_FRAMES
        return self._was_restored and not self.is_following and not is_clear

    def _move(self, noise: float, target: float) -> News | None:
        if abs(target - self.threshold_rms) < STEP * self.threshold_rms:
            return None
        if target == self.calibrated_threshold_rms:
            return self._restore(noise)
        return self._set(NewsKind.FOLLOWS, noise, target)

    def _restore(self, noise: float) -> News | None:
        if self.threshold_rms == self.calibrated_threshold_rms:
            return None
        return self._set(NewsKind.RESTORED, noise, self.calibrated_threshold_rms)

    def _raise(self, noise: float, config: GateConfig) -> News | None:
        """Calibrate a line that was silent once more, upward only."""
        if not self._was_silent or noise <= SILENT_RMS or not config.follow_factor:
            return None
        threshold = speech_threshold(noise, config)
        if threshold < (1 + STEP) * self.calibrated_threshold_rms:
            return None
        self._set_calibrated(noise, threshold)
        return News(NewsKind.RAISED, noise, threshold)

    def _note_near(self, config: GateConfig) -> News | None:
        """Count a frame that is near the threshold."""
        near, frame = self._near, self._frame
        near.append(frame)
        while near[0] <= frame - NEAR_WINDOW_FRAMES:
            near.popleft()
        needed = NEAR_FRAMES if self.floor.is_steady else NEAR_SPEECH_FRAMES
        if len(near) < needed or frame - near[0] < NEAR_FRAMES - 1 or frame < self._next_alarm:
            return None
        self._next_alarm = frame + NEAR_WINDOW_FRAMES
        near.clear()
        return self._recalibrate(config)

    def _recalibrate(self, config: GateConfig) -> News:
        """Calibrate by the lowest of what was heard lately, downward only, where that is no steady noise.

        Noise just below the threshold is where it belongs: a lower threshold would open the gate to it for good. The
        same holds of a threshold that follows the noise.
        """
        low = self.floor.low_rms
        threshold = speech_threshold(low, config)
        if not self.floor.is_steady and not self.is_following and threshold < self.threshold_rms:
            self._set_calibrated(low, threshold)
            self.limit_rms = threshold
        return News(NewsKind.DEAF, low, self.threshold_rms)

    def _set_calibrated(self, noise: float, threshold: float) -> None:
        self._was_silent |= noise <= SILENT_RMS
        self.noise_rms = noise
        self.calibrated_threshold_rms = self.threshold_rms = threshold

    def _set(self, kind: NewsKind, noise: float, threshold: float) -> News:
        self.threshold_rms = threshold
        self._near.clear()
        return News(kind, noise, threshold)
