"""The recordings that callers hear outside the conversation, ours or the operator's."""

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import attrs

from callfsm.config import Business, ClipsConfig
from callfsm.config_checks import ConfigError
from callfsm.hearing.mulaw import levels_rms
from callfsm.hearing.wav import ulaw_of_wav
from callfsm.speaking.clips import CLIP_ITEM, Clip, Clips
from callfsm.speaking.playback import Piece

MOMENT_WORDS: Final = "רק רגע, בבקשה."
WARNING_WORDS: Final = "השיחה תסתיים בעוד דקה."
"""What the recordings that ship say, by which their echo is known; nobody knows what an operator's says."""
_SHIPPED = resources.files("callfsm.clips")


def read_clips(config: ClipsConfig) -> Mapping[str, bytes]:
    """Return the wav files by name; raise ConfigError naming the key of one that cannot be played."""
    return {name: _read(f"clips.{name}", path, f"{name}.wav") for name, path in attrs.asdict(config).items()}


def spoken_clips(config: ClipsConfig, wavs: Mapping[str, bytes]) -> Clips:
    """Return those of the wav files that are spoken in mid-call, as a call takes them."""
    return Clips(
        moment=_spoken(wavs["moment"], "" if config.moment else MOMENT_WORDS),
        warning=_spoken(wavs["warning"], "" if config.warning else WARNING_WORDS),
    )


def _spoken(wav: bytes, words: str) -> Clip:
    audio = ulaw_of_wav(wav)
    return Clip(Piece(CLIP_ITEM, audio, levels_rms(audio)), words)


def _read(key: str, path: str, shipped: str) -> bytes:
    try:
        data = Path(path).read_bytes() if path else (_SHIPPED / shipped).read_bytes()
        ulaw_of_wav(data)
    except OSError as error:
        raise ConfigError(key, f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ConfigError(key, f"cannot be played: {error}") from None
    return data


def read_greetings(businesses: Iterable[Business]) -> Mapping[str, Clip]:
    """Return the greetings that are recordings, by number; raise ConfigError for one that cannot be played."""
    return {
        business.number: _spoken(
            _read(f"business[{index}].greeting_clip", business.greeting_clip, ""), business.greeting
        )
        for index, business in enumerate(businesses)
        if business.greeting_clip
    }
