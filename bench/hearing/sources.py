"""The recordings: where they come from, under which licence, and in which half of the set each may stand."""

import hashlib
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from attrs import frozen

from callfsm.hearing.mulaw import SAMPLE_RATE_HZ, decode
from callfsm.hearing.wav import read_wav, write_wav

from .levels import FRAME, SPEECH_SHARE, Samples, frames_rms, speech_rms, telephone
from .sentences import CALLER_AR, CALLER_HE, REPLIES_HE

TUNE: Final = "tune"
REPORT: Final = "report"
HALVES: Final = (TUNE, REPORT)

DEBIAN: Final = Path("/usr/share/asterisk")
SHORTEST_MS: Final = 250
"""Of a prompt that is used. Single short words stand in the set: they are what is missed most easily."""
TRIM_FRAMES: Final = 2
"""So much of the silence around a recording is left."""


class MissingError(Exception):
    """A Debian package that is not installed; its text is the one line for the user."""


@frozen
class Package:
    """A Debian package with recordings, below /usr/share/asterisk, and what its copyright file says of them."""

    name: str
    language: str
    pattern: str
    owner: str
    licence: str


@frozen
class Voice:
    """How espeak-ng speaks some sentences. It is free software (GPL 3 or later); what it says is the writer's own."""

    language: str
    name: str
    words_per_minute: int
    pitch: int
    sentences: tuple[str, ...]
    is_phonemes: bool


@frozen
class Recording:
    """One recording: 8000 Hz, mono. `name` is `language/file`, and the half of the set follows from it alone."""

    name: str
    language: str
    path: Path
    length_ms: int

    @property
    def half(self) -> str:
        """Return the half in which it may stand."""
        return half_of(self.name)

    def samples(self) -> Samples:
        """Return it as the telephone carries it, without its offset and the silence around it."""
        samples = decode(read_wav(self.path)).astype(np.float64)
        return trimmed(samples - samples.mean())


# Each of these licences asks for the owner's name and, where "SA", for the same licence on what is made from the
# recording. The set is built where it is used and is not passed on; whoever passes it on must keep to them.
PROMPTS: Final = (
    Package("asterisk-core-sounds-en-wav", "en", "sounds/en_US_f_Allison", "2003-2010 Allison Smith", "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-es-wav", "es", "sounds/es_MX_f_Allison", "2003-2010 Allison Smith", "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-fr-wav", "fr", "sounds/fr_CA_f_June", "2006-2008 June Wallack", "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-it-wav", "it", "sounds/it_IT_m_Carlo", "2012 Carlo Flora", "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-ru-wav", "ru", "sounds/ru_RU_f_IvrvoiceRU", "2010 Maxim Topal", "CC-BY-3.0"),
)
MUSIC: Final = Package(
    "asterisk-moh-opsound-wav",
    "music",
    "moh",
    "2008-2009 Paul Shuler (Macroform), Manolo Camp, Reno Project",
    "CC-BY-SA-3.0",
)
SPEAKER: Final = "espeak-ng"
VOICES: Final = (
    Voice("he", "he", 150, 45, CALLER_HE, is_phonemes=True),
    Voice("ar", "ar", 150, 40, CALLER_AR, is_phonemes=False),
)
ASSISTANT: Final = Voice("assistant", "he+f3", 170, 55, REPLIES_HE, is_phonemes=True)
# With this one both halves get about as much of the small groups: the music, and each of the spoken voices.
_SALT: Final = "783"
# Tones, and silence.
_NO_SPEECH: Final = frozenset({"beep", "beeperr", "ascending-2tone", "descending-2tone"})


def half_of(name: str) -> str:
    """Return the half of the set that a recording of this name belongs to, by a hash of it."""
    return HALVES[hashlib.sha256(f"{_SALT}/{name}".encode()).digest()[0] % len(HALVES)]


def missing() -> list[str]:
    """Return the Debian packages that are needed and not there."""
    packages = [package.name for package in (*PROMPTS, MUSIC) if not any((DEBIAN / package.pattern).glob("*.wav"))]
    return packages + ([] if shutil.which(SPEAKER) else [SPEAKER])


def require() -> None:
    """Raise MissingError where a package is missing; its text says how to install them all."""
    packages = missing()
    if packages:
        raise MissingError(f"needs {len(packages)} more packages: apt-get install {' '.join(packages)}")


def recordings(package: Package) -> Iterator[Recording]:
    """Yield a package's recordings by name, but for tones, silence and what is too short to be a word."""
    folder = DEBIAN / package.pattern
    for path in sorted(folder.rglob("*.wav")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name not in _NO_SPEECH and not name.startswith("silence/"):
            recording = _recording(f"{package.language}/{name}", package.language, path)
            if recording.length_ms >= SHORTEST_MS:
                yield recording


def spoken(voice: Voice, folder: Path) -> Iterator[Recording]:
    """Have espeak-ng say a voice's sentences into a folder, where that has not been done, and yield them."""
    folder = folder / voice.language
    folder.mkdir(parents=True, exist_ok=True)
    for number, sentence in enumerate(voice.sentences):
        # The name changes with all that makes the sound, so that a folder from before is never taken for this one.
        made_of = f"{voice.name} {voice.words_per_minute} {voice.pitch} {sentence}"
        path = folder / f"{number:02}-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}.wav"
        if not path.exists():
            write_wav(path, telephone(_say(voice, sentence))[0])
        yield _recording(f"{voice.language}/{number:02}", voice.language.replace("assistant", "he"), path)


def _recording(name: str, language: str, path: Path) -> Recording:
    with wave.open(str(path), "rb") as file:
        return Recording(name, language, path, file.getnframes() * 1000 // file.getframerate())


def _say(voice: Voice, sentence: str) -> Samples:
    """Return what espeak-ng says, at 8000 Hz."""
    text = f"[[{sentence}]]" if voice.is_phonemes else sentence
    options = ("-v", voice.name, "-s", str(voice.words_per_minute), "-p", str(voice.pitch))
    with tempfile.NamedTemporaryFile(suffix=".wav") as heard:
        subprocess.run([SPEAKER, *options, "-w", heard.name, text], check=True)  # noqa: S603 - words of our own
        with wave.open(heard.name, "rb") as file:
            rate_hz = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    return trimmed(resampled(samples, rate_hz))


def trimmed(samples: Samples) -> Samples:
    """Return a recording without the silence around it, but for 40 ms."""
    loud = np.flatnonzero(frames_rms(samples) >= SPEECH_SHARE * speech_rms(samples))
    first, last = max(0, int(loud[0]) - TRIM_FRAMES), int(loud[-1]) + 1 + TRIM_FRAMES
    return samples[first * FRAME : last * FRAME]


def resampled(samples: Samples, rate_hz: int) -> Samples:
    """Return samples of a higher rate at 8000 Hz: all above 4000 Hz is cut off, what is below stays as it is."""
    count = len(samples) * SAMPLE_RATE_HZ // rate_hz
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.fft.irfft(spectrum, count) * (count / len(samples))


def of_half(found: Iterable[Recording], half: str) -> Sequence[Recording]:
    """Return those that belong to one half of the set."""
    return [recording for recording in found if recording.half == half]
