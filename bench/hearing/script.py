"""What happens in a case: who begins to speak when, with which recording, and what else sounds."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from attrs import define, field, frozen

from .labels import Echo, Noise
from .levels import PER_MS, Samples, at_speech_level
from .noises import SOUNDS, Rng
from .sources import Recording

CALIBRATION_MS: Final = 2000
"""The line alone, without any speech."""
GRACE_MS: Final = 300
REPLY_MS: Final = (3000, 9000)
ASSISTANT_SPEAKS: Final = "he"
ASSISTANT_SHARE: Final = 0.6
"""Of the replies; the others are human prompts, in a language that the caller does not speak."""
TURN_MS: Final = (500, 5000)
INTERRUPTION_MS: Final = ((250, 900), (900, 3500))
"""A word or a sentence, as often the one as the other."""
SOUND_RMS: Final = (300, 5000)

TURN: Final = "turn"
REPLY: Final = "reply"
BARGE_IN: Final = "barge-in"
PAUSE: Final = "pause"
_EPISODES: Final = (TURN, REPLY, BARGE_IN, PAUSE)
_USUAL: Final = (0.18, 0.27, 0.55, 0.0)
# Noise is judged in the pauses, single sounds over the assistant's voice.
_WEIGHTS: Final[Mapping[str, Sequence[float]]] = MappingProxyType(
    {
        "noise": (0.15, 0.2, 0.45, 0.2),
        "hum": (0.15, 0.2, 0.45, 0.2),
        "echo+noise": (0.15, 0.25, 0.5, 0.1),
        "click": (0.1, 0.5, 0.4, 0.0),
        "cough": (0.1, 0.5, 0.4, 0.0),
        "burst": (0.1, 0.5, 0.4, 0.0),
    }
)


@frozen
class Line:
    """What is settled of a case before anybody speaks. Levels are in dBFS."""

    kind: str
    language: str
    speech_dbfs: float
    assistant_dbfs: float
    noise: Noise
    echo: Echo | None
    background_dbfs: float


@frozen(eq=False)
class Pool:
    """The recordings of one half of the set, by what they may be used for."""

    callers: Mapping[str, Sequence[Recording]]
    """By language."""
    assistant: Mapping[str, Sequence[Recording]]
    """By language, too."""
    music: Sequence[Recording]


@frozen(eq=False)
class Placed:
    """A recording or a sound on a track, from this sample on."""

    at: int
    samples: Samples
    source: str
    language: str = ""

    @property
    def end(self) -> int:
        """Return the first sample after it."""
        return self.at + len(self.samples)


@define(eq=False)
class Script:
    """A case being written: three tracks, and how far they have got, in samples."""

    rng: Rng
    pool: Pool
    line: Line
    at: int = CALIBRATION_MS * PER_MS
    caller: list[Placed] = field(factory=list)
    far: list[Placed] = field(factory=list)
    sounds: list[Placed] = field(factory=list)

    def until(self, end_ms: int) -> None:
        """Write episodes until the case is so long. The caller asks first: the assistant never speaks unasked."""
        self._turn()
        weights = _WEIGHTS.get(self.line.kind, _USUAL)
        steps = {TURN: self._turn, REPLY: self._reply, BARGE_IN: self._barge_in, PAUSE: self._pause}
        while self.at < end_ms * PER_MS:
            steps[self.rng.choice(_EPISODES, p=weights)]()

    def _samples(self, low_ms: float, high_ms: float) -> int:
        return int(self.rng.uniform(low_ms, high_ms) * PER_MS)

    def _rest(self) -> None:
        self.at = max(placed.end for placed in (*self.caller, *self.far)) + self._samples(1600, 2800)

    def _pause(self) -> None:
        self.at += self._samples(2500, 5000)

    def _turn(self) -> None:
        self._say(self.at, TURN_MS)
        self._rest()

    def _reply(self) -> None:
        reply = self._answer()
        sound = SOUNDS.get(self.line.kind)
        at = reply.at + self._samples(500, 1500)
        while sound is not None and at < reply.end - 800 * PER_MS:
            loudness_rms = float(np.exp(self.rng.uniform(*np.log(SOUND_RMS))))
            self.sounds.append(Placed(at, sound(self.rng, loudness_rms), self.line.kind))
            at += self._samples(1500, 3000)
        self._rest()

    def _barge_in(self) -> None:
        """Let the caller interrupt; one time in ten already in the grace."""
        reply = self._answer()
        length_ms = len(reply.samples) // PER_MS
        is_early = self.rng.random() < 0.1
        after = self._samples(50, GRACE_MS - 50) if is_early else self._samples(2 * GRACE_MS, length_ms - 1500)
        self._say(reply.at + after, INTERRUPTION_MS[int(self.rng.integers(2))])
        self._rest()

    def _answer(self) -> Placed:
        others = [each for each in self.pool.assistant if each not in {ASSISTANT_SPEAKS, self.line.language}]
        is_usual = self.rng.random() < ASSISTANT_SHARE
        language = ASSISTANT_SPEAKS if is_usual else str(self.rng.choice(others))
        samples, recording = self._pick(self.pool.assistant[language], REPLY_MS)
        reply = Placed(self.at, at_speech_level(samples, self.line.assistant_dbfs), recording.name)
        self.far.append(reply)
        return reply

    def _say(self, at: int, length_ms: tuple[int, int]) -> None:
        samples, recording = self._pick(self.pool.callers[self.line.language], length_ms)
        leveled = at_speech_level(samples, self.line.speech_dbfs)
        self.caller.append(Placed(at, leveled, recording.name, recording.language))

    def _pick(self, among: Sequence[Recording], length_ms: tuple[int, int]) -> tuple[Samples, Recording]:
        fitting = [each for each in among if length_ms[0] <= each.length_ms <= length_ms[1]]
        recording = fitting[int(self.rng.integers(len(fitting)))]
        return recording.samples(), recording
