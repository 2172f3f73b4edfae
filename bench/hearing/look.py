"""What a set holds, heard by numbers: taken from the wav files and the labels, not from what was asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from attrs import frozen

from callfsm.hearing.mulaw import SAMPLE_RATE_HZ, decode
from callfsm.hearing.wav import read_wav

from .labels import Case
from .levels import PER_MS, Samples, dbfs_of, frames_rms, rms, speech_rms
from .sources import HALVES

LONGEST_DELAY_MS: Final = 400


@frozen
class Echoed:
    """How an echo was found in the files: its delay and its return loss, and those of the labels."""

    case: str
    delay_ms: float
    labelled_delay_ms: float
    loss_db: float
    labelled_loss_db: float


def heard(folder: Path, case: Case, end: str) -> Samples:
    """Return the samples of one of a case's wav files: `near`, `far` or `line`."""
    return decode(read_wav(folder / f"{case.id}.{end}.wav")).astype(np.float64)


def echoed(folder: Path, case: Case) -> Echoed:
    """Return how the far end is found again in the near end of a case with an echo.

    The delay is the lag at which both correlate best. The return loss is measured on the near end less the line
    without the echo; that difference has the noise of two mu-law encodings in it.
    """
    assert case.echo is not None
    near, far, line = (heard(folder, case, end) for end in ("near", "far", "line"))
    lag = int(np.argmax(correlation(far, near)[: LONGEST_DELAY_MS * PER_MS]))
    loss_db = dbfs_of(speech_rms(far)) - dbfs_of(speech_rms(near - line))
    return Echoed(case.id, lag / PER_MS, case.echo.delay_ms, loss_db, case.echo.return_loss_db)


def correlation(first: Samples, second: Samples) -> Samples:
    """Return how much the second is like the first, some samples later: the magnitude for each lag from 0 on.

    Both are whitened, or the pitch of the voice would hide the lag.
    """
    size = 2 * len(first)
    spectrum = np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size))
    alike: Samples = np.abs(np.fft.irfft(spectrum / (np.abs(spectrum) + 1e-6 * np.abs(spectrum).max()), size))
    return alike


def _noise_errors_db(folder: Path, cases: Iterable[Case]) -> Iterator[float]:
    """Yield, for each steady stretch, by how much the near end's RMS is off the noise that is asked for."""
    for case in cases:
        near = heard(folder, case, "near")
        for span in case.steady:
            if case.noise.rms >= 100:
                yield dbfs_of(rms(near[span.onset_ms * PER_MS : span.offset_ms * PER_MS])) - dbfs_of(case.noise.rms)


def _clipped(folder: Path, cases: Iterable[Case]) -> Iterator[int]:
    for case in cases:
        yield int(np.count_nonzero(np.abs(heard(folder, case, "near")) >= 32_000))


def summary(folder: Path, cases: Sequence[Case]) -> str:
    """Return what the set holds as a few lines of text."""
    lines = [_half(half, [case for case in cases if case.half == half]) for half in HALVES]
    speech = [each for case in cases for each in case.speech]
    levels = [each.level_dbfs for each in speech]
    snrs = [each.snr_db for case in cases for each in case.speech if each.snr_db is not None and not case.is_hard]
    over_echo = [each.echo_db for each in speech if each.echo_db is not None]
    echoes = [echoed(folder, case) for case in cases if case.echo]
    delay_errors = [abs(each.delay_ms - each.labelled_delay_ms) for each in echoes]
    loss_errors = [abs(each.loss_db - each.labelled_loss_db) for each in echoes]
    noise_db = [abs(error) for error in _noise_errors_db(folder, cases)]
    calibrations = [frames_rms(heard(folder, case, "far")[: 2 * SAMPLE_RATE_HZ]).max() for case in cases]
    by_language = Counter(each.language for each in speech)
    sounds = Counter(each.kind for case in cases for each in case.sounds)
    return "".join(
        f"{line}\n"
        for line in (
            *lines,
            f"caller: {len(speech)} stretches of speech, " + _counted(by_language),
            f"  level, dBFS: {_range(levels)}; over noise, dB: {_range(snrs)}; over echo, dB: {_range(over_echo)}",
            f"over the assistant: {_counted(sounds)}",
            f"clipped samples: {sum(_clipped(folder, cases))}",
            f"echo: {len(echoes)} cases",
            f"  ms late: {_range([each.delay_ms for each in echoes])}",
            f"  dB weaker: {_range([each.loss_db for each in echoes])}",
            f"  off the label by at most {max(delay_errors, default=0):.2f} ms, {max(loss_errors, default=0):.1f} dB",
            f"steady noise: {len(noise_db)} places, off the label by at most {max(noise_db, default=0):.1f} dB",
            f"the far end in the first 2 s: RMS {max(calibrations, default=0):.1f} at most",
        )
    )


def _half(half: str, cases: Sequence[Case]) -> str:
    minutes = sum(case.length_ms for case in cases) / 60_000
    assistant = sum(reply.length_ms for case in cases for reply in case.assistant) / 60_000
    said = [each for case in cases for each in case.speech if each.is_interruption]
    kinds = _counted(Counter(case.kind for case in cases))
    return (
        f"{half}: {minutes:.1f} min in {len(cases)} cases, {assistant:.1f} min of the assistant, {len(said)}"
        f" interruptions, of which {sum(each.counts for each in said)} count; {kinds}"
    )


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def _range(values: Sequence[float]) -> str:
    """Return the least, the middle and the greatest."""
    if not values:
        return "none"
    return f"{min(values):.1f} .. {float(np.median(values)):.1f} .. {max(values):.1f}"
