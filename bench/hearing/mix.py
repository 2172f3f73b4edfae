"""The tracks of a case put together as the line carries them."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from attrs import frozen

from .labels import Background, Echo, Noise
from .levels import FRAME, PER_MS, Samples, at_rms, at_speech_level, dbfs_of, rms_of, speech_rms, telephone
from .noises import NOISES, Rng
from .script import CALIBRATION_MS, Line, Placed, Pool, Script

ECHO_TAPS: Final = 64
ECHO_FALL_TAPS: Final = 12
QUIET_RMS: Final = 20.0
"""Of a line whose noise begins later."""
ROOM_RMS: Final = 6.0
"""Of the assistant's speech in its pauses, so that they are told from silence."""
BABBLERS: Final = 6


@frozen(eq=False)
class Tracks:
    """What makes up a case, n samples each: the clean caller, the far end, its echo, noise with all other sounds."""

    caller: Samples
    far: Samples
    echo: Samples
    noise: Samples
    far_ulaw: bytes
    near_ulaw: bytes
    line_ulaw: bytes
    """The near end without the echo."""
    background: Background | None


def mixed(script: Script) -> Tracks:
    """Return the tracks of a written case, its length rounded up to whole frames."""
    rng, line = script.rng, script.line
    count = -(-script.at // FRAME) * FRAME
    caller = _rendered(script.caller, count)
    far_ulaw, far = telephone(_rendered(_with_room(rng, script.far), count))
    echo = echoed(rng, far, line.echo) if line.echo else np.zeros(count)
    behind, background = _background(rng, script.pool, line, count, {placed.source for placed in script.caller})
    noise = _noise(rng, line.noise, count) + _rendered(script.sounds, count) + behind
    near_ulaw, _ = telephone(caller + noise + echo)
    line_ulaw, _ = telephone(caller + noise)
    return Tracks(caller, far, echo, noise, far_ulaw, near_ulaw, line_ulaw, background)


def echoed(rng: Rng, far: Samples, echo: Echo) -> Samples:
    """Return n samples of the far end as it comes back: late, through a short random filter, and weaker."""
    taps = np.clip(rng.standard_normal(ECHO_TAPS), -1.5, 1.5) * np.exp(-np.arange(ECHO_TAPS) / ECHO_FALL_TAPS)
    # The first reflection is the strongest, so that the delay is the one asked for.
    taps[0] = 2.0
    late = np.concatenate([np.zeros(round(echo.delay_ms * PER_MS)), far])[: len(far)]
    back = np.convolve(late, taps)[: len(far)]
    return back * (rms_of(dbfs_of(speech_rms(far)) - echo.return_loss_db) / speech_rms(back))


def _rendered(track: Iterable[Placed], count: int) -> Samples:
    samples = np.zeros(count)
    for placed in track:
        samples[placed.at : placed.end] += placed.samples[: count - placed.at]
    return samples


def _with_room(rng: Rng, replies: Iterable[Placed]) -> list[Placed]:
    return [
        Placed(reply.at, reply.samples + ROOM_RMS * rng.standard_normal(len(reply.samples)), reply.source)
        for reply in replies
    ]


def _noise(rng: Rng, noise: Noise, count: int) -> Samples:
    if noise.rms == 0:
        return np.zeros(count)
    begins = noise.begins_ms * PER_MS
    samples = NOISES[noise.colour](rng, count - begins, noise.rms)
    return np.concatenate([NOISES["pink"](rng, begins, QUIET_RMS), samples]) if begins else samples


def _background(
    rng: Rng, pool: Pool, line: Line, count: int, speaking: set[str]
) -> tuple[Samples, Background | None]:
    """Return what is heard behind the caller from the end of the calibration on, and what it is."""
    begins = CALIBRATION_MS * PER_MS
    length = count - begins
    if line.kind == "music":
        recording = pool.music[int(rng.integers(len(pool.music)))]
        whole = recording.samples()
        first = int(rng.integers(len(whole)))
        samples = at_rms(np.resize(np.roll(whole, -first), length), rms_of(line.background_dbfs))
        sources = [recording.name]
    elif line.kind in {"babble", "talker"}:
        streams = [_talk(rng, pool, length, speaking) for _ in range(BABBLERS if line.kind == "babble" else 1)]
        samples = at_speech_level(np.sum([stream for stream, _ in streams], axis=0), line.background_dbfs)
        sources = [name for _, names in streams for name in names]
    else:
        return np.zeros(count), None
    behind = Background(line.kind, round(line.background_dbfs, 1), tuple(sources))
    return np.concatenate([np.zeros(begins), samples]), behind


def _talk(rng: Rng, pool: Pool, length: int, speaking: set[str]) -> tuple[Samples, Sequence[str]]:
    """Return somebody who talks on and on, with pauses, and says nothing that the caller says."""
    people = [each for recordings in pool.callers.values() for each in recordings if each.name not in speaking]
    pieces: list[Samples] = []
    names: list[str] = []
    while sum(map(len, pieces)) < length:
        recording = people[int(rng.integers(len(people)))]
        pieces += [at_speech_level(recording.samples(), -20), np.zeros(int(rng.uniform(150, 1200)) * PER_MS)]
        names.append(recording.name)
    return np.concatenate(pieces)[:length], names
