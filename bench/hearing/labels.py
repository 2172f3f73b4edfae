"""What is in a case: the values of its JSON file. Times are in ms from the beginning of both wav files."""

import json
from pathlib import Path
from typing import Final

import cattrs
from attrs import asdict, frozen

from callfsm.hearing.mulaw import FRAME_MS

STRONG: Final = "s"
WEAK: Final = "w"
PAUSE: Final = "."

KINDS: Final = ("quiet", "noise", "hum", "echo", "echo+noise", "click", "cough", "burst")
HARD: Final = ("babble", "talker", "music")
"""Sounds that none of the rules can tell from the caller; they are reported apart."""


@frozen
class Span:
    """A stretch of time, of whole 20 ms frames; `offset_ms` is the first that no longer belongs to it."""

    onset_ms: int
    offset_ms: int

    @property
    def length_ms(self) -> int:
        """Return how long it is."""
        return self.offset_ms - self.onset_ms


@frozen
class Speech(Span):
    """What the caller says in one breath, by the energy of the clean recording.

    `frames` has one character for each 20 ms: `s` speech at or above the line's calibrated threshold, `w` weak
    speech, below it, `.` a pause. SNR is the speech's level over the RMS of noise and background in this stretch,
    `echo_db` over the level of the echo in it; None where there is none. It `counts` at 10 dB and 6 dB or more.
    """

    source: str
    language: str
    level_dbfs: float
    snr_db: float | None
    echo_db: float | None
    is_interruption: bool
    counts: bool
    frames: str

    def times_ms(self, marks: str) -> list[int]:
        """Return the beginnings of the frames that are one of these marks."""
        return [self.onset_ms + i * FRAME_MS for i, mark in enumerate(self.frames) if mark in marks]


@frozen
class Reply(Span):
    """What the assistant says, as the far end has it."""

    source: str


@frozen
class Sound:
    """A click, a cough or a door; `rms` is that of its loudest 20 ms."""

    kind: str
    at_ms: int
    length_ms: int
    rms: float


@frozen
class Noise:
    """The line's noise, which is there from the beginning, or from `begins_ms` on over a line that was quiet."""

    colour: str
    rms: float
    begins_ms: int


@frozen
class Echo:
    """How the assistant comes back: by how many dB weaker, and how late its first reflection is."""

    return_loss_db: float
    delay_ms: float


@frozen
class Background:
    """Other people, or music, from the end of the calibration on. A level in dBFS, without pauses."""

    kind: str
    level_dbfs: float
    sources: tuple[str, ...]


@frozen
class Case:
    """One case. `noise_floor_rms` and `threshold_rms` are what the plain rule learns in its first 1500 ms."""

    id: str
    half: str
    kind: str
    length_ms: int
    speech_dbfs: float
    assistant_dbfs: float
    noise: Noise
    echo: Echo | None
    background: Background | None
    noise_floor_rms: float
    threshold_rms: float
    speech: tuple[Speech, ...]
    assistant: tuple[Reply, ...]
    steady: tuple[Span, ...]
    sounds: tuple[Sound, ...]

    @property
    def is_hard(self) -> bool:
        """Say whether it is reported apart."""
        return self.kind in HARD

    @property
    def interruptions(self) -> tuple[Speech, ...]:
        """Return those by which recall is measured."""
        return tuple(each for each in self.speech if each.is_interruption and each.counts)

    @property
    def sources(self) -> set[str]:
        """Return the names of all recordings in it."""
        background = self.background.sources if self.background else ()
        said = {each.source for each in self.speech} | {each.source for each in self.assistant}
        return {*background, *said}


def write_case(case: Case, folder: Path) -> None:
    """Write the labels of a case beside its wav files."""
    text = json.dumps(asdict(case), ensure_ascii=False, indent=1)
    (folder / f"{case.id}.json").write_text(text + "\n", encoding="utf-8")


def read_cases(folder: Path) -> list[Case]:
    """Return the cases of a folder by their names; an empty list where there is none."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*-[0-9][0-9][0-9]-*.json"))]
    return [cattrs.structure(json.loads(text), Case) for text in texts]
