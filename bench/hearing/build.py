"""Builds the set: as many cases of every kind as the minutes ask for, in both halves alike."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from attrs import asdict, frozen

from callfsm.hearing.wav import write_wav

from .labels import Case, Echo, Noise, write_case
from .levels import dbfs_of
from .marking import marked
from .mix import mixed
from .noises import Rng
from .script import ASSISTANT_SPEAKS, Line, Pool, Script
from .sources import ASSISTANT, HALVES, MUSIC, PROMPTS, VOICES, Recording, of_half, recordings, require, spoken

FORMAT: Final = 1
"""Counts up where the same seed gives another set."""
CASE_MS: Final = 40_000
NOISE_CLASSES_RMS: Final = (110, 150, 200, 300, 400)
SCHEDULE: Final = (
    *("echo", "noise", "echo+noise", "quiet", "hum", "cough", "noise", "click", "talker", "burst", "echo"),
    *("click", "echo+noise", "noise", "cough", "babble", "echo", "hum", "burst", "music", "noise"),
)
"""The kinds in the order in which they are built, again and again: a small set has the first of them."""
NOISY: Final[Mapping[str, int]] = MappingProxyType({"noise": 0, "echo+noise": 2, "hum": 3})
"""The kinds with noise of a class, and the place of the class that each begins with."""
LANGUAGES: Final = ("en", "he", "es", "ar", "fr", "it", "ru")
_SET: Final = "set.json"


@frozen
class Recipe:
    """What a set is made from. The same recipe and the same packages give the same bytes."""

    seed: int
    minutes: float
    format: int = FORMAT


def is_built(folder: Path, recipe: Recipe) -> bool:
    """Say whether a folder holds the set of this recipe, whole: its mark is written last."""
    try:
        return bool(json.loads((folder / _SET).read_text(encoding="utf-8")) == asdict(recipe))
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def build(folder: Path, recipe: Recipe) -> list[Case]:
    """Build the set into a folder, in place of one that is there; MissingError where a Debian package is missing."""
    require()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _SET).unlink(missing_ok=True)
    for half in HALVES:
        # Nothing else in the folder is touched, whatever folder it is.
        for old in folder.glob(f"{half}-[0-9][0-9][0-9]-*"):
            old.unlink()
    cases = [case for half, pool in pools(folder / "spoken").items() for case in _half(folder, recipe, half, pool)]
    (folder / _SET).write_text(json.dumps(asdict(recipe)) + "\n", encoding="utf-8")
    return cases


def pools(folder: Path) -> dict[str, Pool]:
    """Return the recordings by half; espeak-ng's are made into the folder."""
    prompts = {package.language: list(recordings(package)) for package in PROMPTS}
    callers = prompts | {voice.language: list(spoken(voice, folder)) for voice in VOICES}
    assistant = prompts | {ASSISTANT_SPEAKS: list(spoken(ASSISTANT, folder))}
    music = list(recordings(MUSIC))
    return {half: Pool(_of_half(callers, half), _of_half(assistant, half), of_half(music, half)) for half in HALVES}


def _of_half(found: Mapping[str, Sequence[Recording]], half: str) -> dict[str, Sequence[Recording]]:
    return {language: of_half(among, half) for language, among in found.items()}


def _half(folder: Path, recipe: Recipe, half: str, pool: Pool) -> Iterator[Case]:
    kinds, languages = cycle(SCHEDULE), cycle(LANGUAGES)
    # The kinds begin with different classes, so that a small set has most of them.
    classes = {kind: cycle(np.roll(NOISE_CLASSES_RMS, -first).tolist()) for kind, first in NOISY.items()}
    length_ms = number = 0
    while length_ms < recipe.minutes * 60_000 / len(HALVES):
        rng = np.random.default_rng((recipe.seed, HALVES.index(half), number))
        kind = next(kinds)
        class_rms = next(classes[kind]) if kind in classes else 0
        line = _line(rng, kind, next(languages), class_rms)
        case = _case(folder, Script(rng, pool, line), f"{half}-{number:03}-{kind}", half)
        length_ms += case.length_ms
        number += 1
        yield case


def _case(folder: Path, script: Script, case_id: str, half: str) -> Case:
    script.until(CASE_MS)
    tracks = mixed(script)
    case = marked(script, tracks, case_id, half)
    write_wav(folder / f"{case_id}.near.wav", tracks.near_ulaw)
    write_wav(folder / f"{case_id}.far.wav", tracks.far_ulaw)
    if case.echo:
        write_wav(folder / f"{case_id}.line.wav", tracks.line_ulaw)
    write_case(case, folder)
    return case


def _line(rng: Rng, kind: str, language: str, class_rms: int) -> Line:
    noise = _noise(rng, kind, class_rms)
    # Speech that nobody could make out is rare among the cases, for it does not count.
    lowest_dbfs = -42.0 if noise.rms < 1 or rng.random() < 0.15 else max(-42.0, dbfs_of(noise.rms) + 11)
    speech_dbfs = float(rng.uniform(lowest_dbfs, -16))
    background_dbfs = {
        "talker": speech_dbfs - rng.uniform(8, 15),
        "babble": min(speech_dbfs - 8, rng.uniform(-48, -36)),
        "music": min(speech_dbfs - 8, rng.uniform(-48, -34)),
    }
    echo = Echo(round(float(rng.uniform(20, 35)), 1), round(float(rng.uniform(60, 300)), 1))
    return Line(
        kind=kind,
        language=language,
        speech_dbfs=speech_dbfs,
        assistant_dbfs=float(rng.uniform(-24, -18)),
        noise=noise,
        echo=echo if kind in {"echo", "echo+noise"} else None,
        background_dbfs=float(background_dbfs.get(kind, -90.0)),
    )


def _noise(rng: Rng, kind: str, class_rms: int) -> Noise:
    """Return a line's noise. In every fourth noisy case it begins when the line has been measured already."""
    colours: Sequence[str] = {"hum": ("hum",), "noise": ("white", "pink", "ambience", "white", "pink")}.get(
        kind, ("white", "pink")
    )
    colour = str(rng.choice(colours))
    if kind in NOISY:
        begins_ms = int(rng.uniform(4000, 12_000)) if rng.random() < 0.25 else 0
        return Noise(colour, float(class_rms), begins_ms)
    # A digital line has no noise at all.
    return Noise(colour, 0.0 if rng.random() < 0.1 else round(float(rng.uniform(10, 60)), 1), 0)
