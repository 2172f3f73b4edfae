"""The labels of a case, taken from its tracks before they were mixed.

Speech begins with the first 20 ms frame of the line in which the clean caller has 10 % (-20 dB) of the recording's
level, and ends after the last. A pause of 500 ms divides it. That is earlier than speech can be heard in noise: the
caller's first weak sounds count against the gate, and the bare rule on a quiet line shows the best there is.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from callfsm.config import GateConfig
from callfsm.hearing import mulaw
from callfsm.hearing.calibration import noise_floor, speech_threshold
from callfsm.hearing.mulaw import FRAME_BYTES, FRAME_MS

from .labels import PAUSE, STRONG, WEAK, Case, Reply, Sound, Span, Speech
from .levels import FRAME, PER_MS, SPEECH_SHARE, Samples, dbfs_of, frames_rms, ratio_db, rms, speech_rms
from .mix import Tracks
from .noises import STEADY
from .script import CALIBRATION_MS, GRACE_MS, Placed, Script

DIVIDING_MS: Final = 500
WEAKEST_SHARE: Final = 0.03
"""Below this share of the recording's level (-30 dB) a frame is a pause."""
COUNTS_SNR_DB: Final = 10.0
COUNTS_ECHO_DB: Final = 6.0
# Around speech the gate is rightly open: its pre-roll before, its hangover after; an echo comes 300 ms late.
_BEFORE_MS: Final = 400
_AFTER_MS: Final = 1000
_SHORTEST_STEADY_MS: Final = 200


def marked(script: Script, tracks: Tracks, case_id: str, half: str) -> Case:
    """Return the labels of a case."""
    noise_rms, threshold_rms = plain_rule(tracks.near_ulaw)
    replies = tuple(_reply(placed) for placed in script.far)
    spans = [(placed, span) for placed in script.caller for span in _spoken(placed, tracks.caller)]
    interrupting = _interruptions([span for _, span in spans], replies)
    line = script.line
    speech = tuple(_speech(placed, span, tracks, threshold_rms, interrupting) for placed, span in spans)
    return Case(
        id=case_id,
        half=half,
        kind=line.kind,
        length_ms=len(tracks.near_ulaw) // PER_MS,
        speech_dbfs=round(line.speech_dbfs, 1),
        assistant_dbfs=round(line.assistant_dbfs, 1),
        noise=line.noise,
        echo=line.echo,
        background=tracks.background,
        noise_floor_rms=round(noise_rms, 1),
        threshold_rms=round(threshold_rms, 1),
        speech=speech,
        assistant=replies,
        steady=_steady(script, tracks, (*speech, *replies)),
        sounds=tuple(_sound(placed) for placed in script.sounds),
    )


def plain_rule(near_ulaw: bytes) -> tuple[float, float]:
    """Return the noise floor and the threshold that the calibration learns on this line."""
    config = GateConfig()
    heard = near_ulaw[: config.calibration_ms * mulaw.BYTES_PER_MS]
    frames = [mulaw.rms(heard[at : at + FRAME_BYTES]) for at in range(0, len(heard), FRAME_BYTES)]
    floor_rms = noise_floor(frames, config)
    return floor_rms, speech_threshold(floor_rms, config)


def _loud_frames(placed: Placed, track: Samples) -> npt.NDArray[np.int64]:
    """Return the numbers of the line's frames in which a recording is at or above the share that is speech."""
    first, last = placed.at // FRAME, -(-placed.end // FRAME)
    loudness = frames_rms(track[first * FRAME : last * FRAME])
    return first + np.flatnonzero(loudness >= SPEECH_SHARE * speech_rms(placed.samples))


def _spoken(placed: Placed, track: Samples) -> list[Span]:
    loud = _loud_frames(placed, track)
    parts = np.split(loud, np.flatnonzero(np.diff(loud) * FRAME_MS > DIVIDING_MS) + 1)
    return [Span(int(part[0]) * FRAME_MS, (int(part[-1]) + 1) * FRAME_MS) for part in parts]


def _reply(placed: Placed) -> Reply:
    track = np.concatenate([np.zeros(placed.at % FRAME), placed.samples, np.zeros(FRAME)])
    loud = placed.at // FRAME + _loud_frames(Placed(placed.at % FRAME, placed.samples, ""), track)
    return Reply(int(loud[0]) * FRAME_MS, (int(loud[-1]) + 1) * FRAME_MS, placed.source)


def _interruptions(spans: Sequence[Span], replies: Iterable[Reply]) -> set[Span]:
    """Return the first stretch of speech over each reply, if it begins after the grace and before the reply's end."""
    found = set()
    for reply in replies:
        over = [span for span in spans if span.offset_ms > reply.onset_ms and span.onset_ms < reply.offset_ms]
        first = min(over, key=lambda span: span.onset_ms, default=None)
        if first is not None and first.onset_ms > reply.onset_ms + GRACE_MS:
            found.add(first)
    return found


def _speech(placed: Placed, span: Span, tracks: Tracks, threshold_rms: float, interrupting: set[Span]) -> Speech:
    part = slice(span.onset_ms * PER_MS, span.offset_ms * PER_MS)
    level_rms = speech_rms(tracks.caller[part])
    snr_db = ratio_db(level_rms, rms(tracks.noise[part]))
    echo_db = ratio_db(level_rms, speech_rms(tracks.echo[part]))
    weakest_rms = WEAKEST_SHARE * speech_rms(placed.samples)
    marks = (
        STRONG if loudness >= threshold_rms else WEAK if loudness >= weakest_rms else PAUSE
        for loudness in frames_rms(tracks.caller[part])
    )
    return Speech(
        onset_ms=span.onset_ms,
        offset_ms=span.offset_ms,
        source=placed.source,
        language=placed.language,
        level_dbfs=round(dbfs_of(level_rms), 1),
        snr_db=_tenths(snr_db),
        echo_db=_tenths(echo_db),
        is_interruption=span in interrupting,
        counts=(snr_db is None or snr_db >= COUNTS_SNR_DB) and (echo_db is None or echo_db >= COUNTS_ECHO_DB),
        frames="".join(marks),
    )


def _sound(placed: Placed) -> Sound:
    padded = np.concatenate([placed.samples, np.zeros(-len(placed.samples) % FRAME)])
    loudest_rms = round(float(frames_rms(padded).max()), 1)
    return Sound(placed.source, placed.at // PER_MS, -(-len(placed.samples) // PER_MS), loudest_rms)


def _steady(script: Script, tracks: Tracks, talk: Iterable[Span]) -> tuple[Span, ...]:
    """Return where the line carries nothing but steady noise and nobody has spoken for a while."""
    noise = script.line.noise
    if noise.colour not in STEADY or tracks.background is not None:
        return ()
    frames = len(tracks.near_ulaw) // FRAME_BYTES
    is_steady = np.zeros(frames + 2, dtype=bool)
    is_steady[1 + max(CALIBRATION_MS, noise.begins_ms) // FRAME_MS : frames + 1] = True
    for span in talk:
        _strike(is_steady, span.onset_ms - _BEFORE_MS, span.offset_ms + _AFTER_MS)
    for placed in script.sounds:
        _strike(is_steady, placed.at // PER_MS - _BEFORE_MS, placed.end // PER_MS + _AFTER_MS)
    # Both ends of the line are unsteady, so the edges come in pairs.
    edges = np.flatnonzero(np.diff(is_steady.astype(np.int8)))
    spans = [Span(int(a) * FRAME_MS, int(b) * FRAME_MS) for a, b in list(pairwise(edges))[::2]]
    return tuple(span for span in spans if span.length_ms >= _SHORTEST_STEADY_MS)


def _strike(is_steady: npt.NDArray[np.bool_], onset_ms: int, offset_ms: int) -> None:
    is_steady[1 + max(0, onset_ms) // FRAME_MS : 1 + -(-max(0, offset_ms) // FRAME_MS)] = False


def _tenths(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
