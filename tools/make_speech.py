"""Make the product's clips, callfsm/clips/*.wav, and the simulated peers' speech, callfsm/sim/speech/*.wav.

All are 8 kHz mono mu-law. espeak-ng speaks the Hebrew, the human recordings come from Debian's
asterisk-core-sounds-{en,ru,es}-wav, installed or extracted (dpkg -x) below --root, and the noises are computed.
Each folder's words.toml, kept by hand, says what is spoken. The same versions of espeak-ng and sox give the
same bytes. Exit 2: something is missing.
"""

import argparse
import math
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from callfsm.hearing import mulaw

Samples: TypeAlias = npt.NDArray[np.float64]

FULL_SCALE: Final = 32768
LOUD_RMS: Final = 160
SPEECH_RMS: Final = 2700
SPEECH_PEAK: Final = 30000
EDGE_FRAMES: Final = 4
# Well under the 600 ms of silence that ends a turn, so that no file is ever heard as two turns.
PAUSE_FRAMES: Final = 20
PACKAGE: Final = Path(__file__).parent.parent / "callfsm"


class MissingError(Exception):
    """A program or a package that is not there; its text is the one line for the user."""


class Voice(NamedTuple):
    """How espeak-ng speaks."""

    name: str
    words_per_minute: int
    pitch: int


class Prompt(NamedTuple):
    """One recording of a Debian package."""

    package: str
    path: str


CALLER: Final = Voice("he", 150, 45)
ASSISTANT: Final = Voice("he+f3", 175, 55)
# Phonemes, since espeak-ng reads unpointed Hebrew as consonants alone and spells the points out by name.
SPOKEN: Final = {
    "he_question": (CALLER, "[[m'a Se?'ot haptiX'a SelaX'em]]?"),
    "he_interrupt": (CALLER, "[[R'ega]], [[j'eS l'i 'od Se?el'a]]"),
    "he_yes": (CALLER, "[[k'en]], [[bevakaS'a]]"),
    "he_reply_hours": (
        ASSISTANT,
        (
            "[[an'aXnu ptuX'im bejam'im RiS'on 'ad XamiS'i]], [[mit'eSa bab'okeR ve?'ad S'eS ba?'eRev]], "
            "[[uvim'ej SiS'i mit'eSa ve?'ad aX'at batsohoR'ajim]]."
        ),
    ),
    "he_reply_short": (ASSISTANT, "[[b'etaX]], [[an'i makSiv'a]]."),
    "he_greeting": (ASSISTANT, "[[Sal'om]], [[?'ejX efS'aR la?az'oR]]?"),
    "he_reply_english": (ASSISTANT, "[[besimX'a]], [[an'i a?av'iR otX'a lemaXl'eket hameXiR'ot]]."),
    "he_apology": (
        ASSISTANT,
        "[[an'aXnu mitnatsl'im]], [[j'eS takal'a zman'it]]. [[n'a lehitkaS'eR S'uv me?uX'aR jot'eR]].",
    ),
    "busy": (ASSISTANT, "[[k'ol hakav'im tfus'im kaR'ega]]. [[n'a lehitkaS'eR S'uv be?'od k'ama dak'ot]]."),
    "moment": (ASSISTANT, "[[R'ak R'ega]], [[bevakaS'a]]."),
    "warning": (ASSISTANT, "[[hasiX'a tistaj'em be?'od dak'a]]."),
}
PLAYED: Final = frozenset({"apology", "busy", "moment", "warning"})
HUMAN: Final = {
    "en_human": Prompt("asterisk-core-sounds-en-wav", "en_US_f_Allison/vm-sorry.wav"),
    "ru_human": Prompt("asterisk-core-sounds-ru-wav", "ru_RU_f_IvrvoiceRU/privacy-incorrect.wav"),
    "es_human": Prompt("asterisk-core-sounds-es-wav", "es_MX_f_Allison/vm-sorry.wav"),
}


def loudness(samples: npt.NDArray[np.float64] | npt.NDArray[np.int16]) -> Samples:
    """Return the RMS of each whole 20 ms frame."""
    whole = len(samples) // mulaw.FRAME_BYTES * mulaw.FRAME_BYTES
    frames = samples[:whole].astype(np.float64).reshape(-1, mulaw.FRAME_BYTES)
    rms: Samples = np.sqrt(np.mean(frames**2, axis=1))
    return rms


def levelled(samples: Samples) -> Samples:
    """Return speech at the common loudness, measured over its loud frames only, and never clipped."""
    # Which frames are loud depends on the level itself, so one round alone would miss the mark.
    for _ in range(4):
        rms = loudness(samples)
        loud = rms[rms >= LOUD_RMS]
        samples = samples * (SPEECH_RMS / math.sqrt(float(np.mean(loud**2))))
    return samples * min(1.0, SPEECH_PEAK / float(np.abs(samples).max()))


def tightened(samples: Samples) -> Samples:
    """Return speech with short silence at its ends and no long pause inside, in whole frames."""
    padded = np.pad(samples, (0, -len(samples) % mulaw.FRAME_BYTES))
    frames = padded.reshape(-1, mulaw.FRAME_BYTES)
    loud = np.flatnonzero(loudness(padded) >= LOUD_RMS).tolist()
    keep = list(range(max(0, loud[0] - EDGE_FRAMES), loud[0]))
    for before, after in pairwise(loud):
        # Long pauses lose their middle: a soft sound that begins or ends a word stays whole.
        half = PAUSE_FRAMES // 2
        short = after - before - 1 <= PAUSE_FRAMES
        inside = range(before + 1, after)
        keep += [before, *(inside if short else (*inside[:half], *inside[-half:]))]
    keep += range(loud[-1], min(len(frames), loud[-1] + 1 + EDGE_FRAMES))
    return frames[keep].reshape(-1)


def _band_noise(seed: int, count: int, low_hz: float, high_hz: float) -> Samples:
    """Return noise of unit RMS with nothing outside a band."""
    noise = np.random.default_rng(seed).standard_normal(count)
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(count, 1 / mulaw.SAMPLE_RATE_HZ)
    spectrum[(hertz < low_hz) | (hertz > high_hz)] = 0
    shaped = np.fft.irfft(spectrum, count)
    return shaped / math.sqrt(float(np.mean(shaped**2)))


def _at_loudest(samples: Samples, rms: float) -> Samples:
    """Return samples scaled so that the loudest frame has this RMS."""
    return samples * (rms / float(loudness(samples).max()))


def cough() -> Samples:
    """Return 400 ms: the burst of air, the rasp after it and a second, weaker burst."""
    seconds = np.arange(360 * mulaw.BYTES_PER_MS) / mulaw.SAMPLE_RATE_HZ
    first = np.minimum(seconds / 0.008, 1) * np.exp(-seconds / 0.05)
    late = np.maximum(seconds - 0.21, 0)
    second = 0.5 * np.minimum(late / 0.015, 1) * np.exp(-late / 0.04)
    rasp = 0.25 * np.sin(np.pi * seconds / seconds[-1])
    shaped = (first + rasp + second) * _band_noise(1, len(seconds), 350, 2600)
    return _at_loudest(np.pad(shaped, 20 * mulaw.BYTES_PER_MS), 1500)


def click() -> Samples:
    """Return 100 ms: a 30 ms click that dies away, with silence around it."""
    seconds = np.arange(30 * mulaw.BYTES_PER_MS) / mulaw.SAMPLE_RATE_HZ
    # A fast decay keeps the click within two loud frames wherever a frame happens to begin.
    shaped = np.exp(-seconds / 0.005) * _band_noise(2, len(seconds), 300, 3400)
    return _at_loudest(np.pad(shaped, (40 * mulaw.BYTES_PER_MS, 30 * mulaw.BYTES_PER_MS)), 1000)


def line_noise() -> Samples:
    """Return 5 s of the steady noise of a telephone line, which nobody may take for speech."""
    return 45 * _band_noise(3, 5 * mulaw.SAMPLE_RATE_HZ, 300, 3400)


def _output_of(*command: str) -> bytes:
    try:
        return subprocess.run(command, check=True, capture_output=True).stdout
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise MissingError(f"{command[0]} failed: {said[-1]}") from error


def recording(path: Path) -> Samples:
    """Return a sound file at 8 kHz on the 16-bit scale, resampled by sox if need be."""
    # Floats and no dither: the only rounding is that of mu-law, and every run gives the same bytes.
    form = ("-t", "raw", "-r", str(mulaw.SAMPLE_RATE_HZ), "-c", "1", "-e", "floating-point", "-b", "32", "-L")
    raw = _output_of("sox", "-D", str(path), *form, "-")
    return np.frombuffer(raw, "<f4").astype(np.float64) * FULL_SCALE


def spoken(voice: Voice, phonemes: str) -> Samples:
    """Return phonemes, in the notation of espeak-ng, as a voice says them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        how = ("-v", voice.name, "-s", str(voice.words_per_minute), "-p", str(voice.pitch))
        _output_of("espeak-ng", *how, "-w", str(path), "--", phonemes)
        return recording(path)


def wav(ulaw: bytes) -> bytes:
    """Return a mu-law WAV file, with the fact chunk that every format but PCM must have."""
    form = struct.pack("<HHIIHHH", 7, 1, mulaw.SAMPLE_RATE_HZ, mulaw.SAMPLE_RATE_HZ, 1, 8, 0)
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body
        for name, body in ((b"fmt ", form), (b"fact", struct.pack("<I", len(ulaw))), (b"data", ulaw))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def measured(stem: str, ulaw: bytes) -> str:
    """Return one line of the table: seconds, RMS of the loud frames, their number, longest pause inside."""
    rms = loudness(mulaw.decode(ulaw))
    loud = np.flatnonzero(rms >= LOUD_RMS)
    active = math.sqrt(float(np.mean(rms[loud] ** 2))) if len(loud) else 0.0
    pause = max((after - before - 1 for before, after in pairwise(loud.tolist())), default=0)
    seconds = len(ulaw) / mulaw.SAMPLE_RATE_HZ
    levels = f"{active:5.0f} active {rms.max():5.0f} loudest"
    return f"{stem:17}{seconds:5.2f} s {levels} {len(loud):4} loud {pause * mulaw.FRAME_MS:4} ms pause"


def _require(root: Path) -> Path:
    """Return the folder of the Asterisk recordings, after naming in one line all that is not there."""
    sounds = root / "usr" / "share" / "asterisk" / "sounds"
    programs = [f"program {name}" for name in ("espeak-ng", "sox") if shutil.which(name) is None]
    packages = [f"package {p.package}" for p in HUMAN.values() if not (sounds / p.path).is_file()]
    if missing := programs + packages:
        hint = "; --root says where packages are extracted" if packages else ""
        raise MissingError(f"missing: {', '.join(missing)}{hint}")
    return sounds


def make(root: Path, out: Path) -> None:
    """Write every file into its folder of the package and print what was measured of it."""
    sounds = _require(root)
    speech = {stem: spoken(voice, phonemes) for stem, (voice, phonemes) in SPOKEN.items()}
    speech |= {stem: recording(sounds / prompt.path) for stem, prompt in HUMAN.items()}
    files = {stem: tightened(levelled(samples)) for stem, samples in speech.items()}
    files |= {"cough": cough(), "click": click(), "line_noise": line_noise(), "apology": files["he_apology"]}
    for stem, samples in files.items():
        folder = out / ("clips" if stem in PLAYED else "sim/speech")
        folder.mkdir(parents=True, exist_ok=True)
        ulaw = mulaw.encode(np.rint(samples).astype(np.int16))
        (folder / f"{stem}.wav").write_bytes(wav(ulaw))
        print(measured(stem, ulaw))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make the product's clips and the speech of the simulated peers.")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the packages are extracted")
    parser.add_argument("--out", type=Path, default=PACKAGE, help="the package folder to write into")
    options = parser.parse_args(arguments)
    try:
        make(options.root, options.out)
    except MissingError as error:
        print(f"make_speech: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
