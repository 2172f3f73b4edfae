"""The recorded speech that ships with the simulators: `speech/<stem>.wav` and what each says."""

import tomllib
from functools import cache
from importlib import resources
from typing import Final

import attrs

from callfsm.hearing.wav import ulaw_of_wav

_FOLDER: Final = resources.files("callfsm.sim") / "speech"


@attrs.frozen
class Clip:
    """One recording: its words and their language (BCP 47), both empty for a noise; its mu-law samples."""

    stem: str
    text: str
    language: str
    ulaw: bytes = attrs.field(repr=False)


@cache
def load(stem: str) -> Clip:
    """Return the clip of this name; ValueError names the clips there are where it is unknown."""
    recording = _FOLDER / f"{stem}.wav"
    if not recording.is_file():
        raise ValueError(f"no speech clip {stem!r}; there are {', '.join(_stems())}")
    said = _words().get(stem, {})
    ulaw = ulaw_of_wav(recording.read_bytes())
    return Clip(stem, text=said.get("text", ""), language=said.get("language", ""), ulaw=ulaw)


def _stems() -> list[str]:
    return sorted(file.name.removesuffix(".wav") for file in _FOLDER.iterdir() if file.name.endswith(".wav"))


@cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads((_FOLDER / "words.toml").read_text(encoding="utf-8"))
