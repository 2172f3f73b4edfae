"""The package's own tests: `python -m bench.hearing --check`.

The scoring is held against a case written by hand, the sounds and a small set against what they are asked to be. A
gate of the check's own, a bare threshold, then goes through the whole measure; it is not the gate of the product.
"""

import filecmp
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from callfsm.hearing import mulaw
from callfsm.hearing.mulaw import FRAME_BYTES, FRAME_MS
from callfsm.hearing.wav import read_wav

from . import check_marking, check_score
from .build import Recipe, build
from .labels import Case, read_cases
from .levels import FRAME, PER_MS, frames_rms, rms
from .look import echoed, heard
from .marking import plain_rule
from .measure import Variant, measure
from .noises import NOISES, SOUNDS, STEADY
from .score import Row
from .script import GRACE_MS
from .sources import require
from .table import by_kind, totals

SMALL: Final = Recipe(seed=7, minutes=9)
THRESHOLD_GATE: Final = "a bare threshold (the check's own)"
LONGEST_MS: Final = {"click": 6, "cough": 400, "burst": 350}
# The far end may pause between words; a longer silence is the end of a reply.
_PLAYING_FRAMES: Final = 25


def threshold_gate(near: Path, far: Path, _settings: Sequence[str]) -> list[Row]:
    """Return rows of the bare rule: a frame at or above the calibrated threshold is sent, and stops the assistant."""
    near_ulaw, far_ulaw = read_wav(near), read_wav(far)
    _, threshold_rms = plain_rule(near_ulaw)
    rows: list[Row] = []
    silent_frames, playing_frames, is_stopped = _PLAYING_FRAMES, 0, False
    for at in range(0, len(near_ulaw), FRAME_BYTES):
        near_rms = mulaw.rms(near_ulaw[at : at + FRAME_BYTES])
        silent_frames = 0 if mulaw.rms(far_ulaw[at : at + FRAME_BYTES]) else silent_frames + 1
        is_playing = silent_frames < _PLAYING_FRAMES
        playing_frames = playing_frames + 1 if is_playing else 0
        is_stopped = is_stopped and is_playing
        is_loud = near_rms >= threshold_rms
        stops = is_loud and not is_stopped and playing_frames * FRAME_MS > GRACE_MS
        is_stopped = is_stopped or stops
        row: dict[str, Any] = {"at_ms": at // PER_MS, "rms": near_rms, "limit": threshold_rms}
        rows.append({**row, "sent": is_loud, "stopped": stops, "confirmed": stops, "resumed": False})
    return rows


def noises_are_as_loud_as_asked() -> None:
    """Noise has the RMS asked for; hum lies on the mains and its harmonics, pink noise below white."""
    rng = np.random.default_rng(1)
    made = {colour: noise(rng, 80_000, 200.0) for colour, noise in NOISES.items()}
    assert all(abs(rms(samples) - 200) < 1 for samples in made.values())
    power = {colour: np.abs(np.fft.rfft(samples)) ** 2 for colour, samples in made.items()}
    assert power["hum"][::500].sum() > 0.9 * power["hum"].sum()
    low = {colour: power[colour][:10_000].sum() / power[colour].sum() for colour in ("white", "pink")}
    assert abs(low["white"] - 0.25) < 0.02
    assert low["pink"] > 0.6
    spread = {colour: np.percentile(frames_rms(samples), [10, 90]) for colour, samples in made.items()}
    assert all(spread[colour][1] < 1.8 * spread[colour][0] for colour in STEADY)
    assert spread["ambience"][1] > 1.8 * spread["ambience"][0]


def sounds_are_as_loud_and_as_long_as_asked() -> None:
    """A click is over in 6 ms, a cough in 100 to 400; the loudest 20 ms have the RMS asked for, and it dies away."""
    rng = np.random.default_rng(1)
    for kind, sound in SOUNDS.items():
        for _ in range(30):
            samples = sound(rng, 1000.0)
            loudness = frames_rms(np.concatenate([samples, np.zeros(-len(samples) % FRAME)]))
            assert abs(loudness.max() - 1000) < 1
            assert len(samples) <= LONGEST_MS[kind] * PER_MS
            assert kind != "cough" or len(samples) >= 100 * PER_MS
            assert len(loudness) == 1 or loudness[-1] < 0.5 * loudness.max()


def one_seed_gives_one_set(folder: Path, again: Path, other: Path) -> None:
    """Building twice gives the same bytes, another seed others."""
    names = sorted(path.name for path in folder.glob("*-*.*"))
    assert filecmp.cmpfiles(folder, again, names, shallow=False) == (names, [], [])
    assert filecmp.cmpfiles(folder, other, ["tune-000-echo.near.wav"], shallow=False)[1:] != ([], [])


def halves_share_no_recording(cases: Sequence[Case]) -> None:
    """No recording stands in both halves."""
    tune, report = (
        {name for case in cases if case.half == half for name in case.sources} for half in ("tune", "report")
    )
    assert tune
    assert report
    assert not tune & report


def files_are_as_labelled(folder: Path, cases: Sequence[Case]) -> None:
    """Both ends are as long; two seconds pass before anybody speaks; echo and onsets are where the labels say."""
    for case in cases:
        near, far = heard(folder, case, "near"), heard(folder, case, "far")
        assert len(near) == len(far) == case.length_ms * PER_MS
        assert not far[: 2000 * PER_MS].any()
        assert all(span.onset_ms >= 2000 for span in (*case.speech, *case.assistant))
        loudness = frames_rms(far)
        for reply in case.assistant:
            first, last = reply.onset_ms // FRAME_MS, reply.offset_ms // FRAME_MS
            assert loudness[max(0, first - 5) : first].max() < loudness[first]
            assert loudness[first:last].max() > 1000
        assert all(len(each.frames) * FRAME_MS == each.length_ms for each in case.speech)
        if case.echo:
            found = echoed(folder, case)
            assert 60 <= found.delay_ms <= 301
            assert abs(found.delay_ms - found.labelled_delay_ms) < 0.5
            assert abs(found.loss_db - found.labelled_loss_db) < 1


def speech_is_as_labelled(folder: Path, cases: Sequence[Case]) -> None:
    """On a quiet line the near end itself shows the onset, the level, and which frames are weak."""
    for case in (each for each in cases if each.kind == "quiet"):
        near = heard(folder, case, "near")
        loudness = frames_rms(near)
        for each in case.speech:
            first = each.onset_ms // FRAME_MS
            assert loudness[first - 4 : first - 1].max() <= max(loudness[first], 2 * case.noise.rms + 8)
            strong = [loudness[at_ms // FRAME_MS] for at_ms in each.times_ms("s")]
            weak = [loudness[at_ms // FRAME_MS] for at_ms in each.times_ms("w")]
            assert min(strong, default=case.threshold_rms) > 0.8 * case.threshold_rms
            assert max(weak, default=0) < 1.2 * case.threshold_rms


def bare_threshold_is_scored_as_known(folder: Path, cases: Sequence[Case]) -> str:
    """Return the table of the check's own gate: sure and sharp in silence, open for good in noise above 200."""
    found = measure(Variant(THRESHOLD_GATE), threshold_gate, folder, cases)
    quiet = found.by_kind["quiet"]
    assert quiet.interruptions > 0
    assert len(quiet.stop_latencies_ms) == quiet.interruptions
    assert quiet.false_stops == 0
    assert quiet.open_ms[0] == 0
    assert quiet.weak_clipped > 0.6 * quiet.weak_frames
    noisy = found.over(("noise", "hum", "echo+noise"))
    loud = [level for level in noisy.steady_ms if level >= 200]
    assert loud
    assert all(noisy.open_ms[level] > 0.6 * noisy.steady_ms[level] for level in loud)
    assert found.by_kind["echo"].false_stops > 0
    return totals([found]) + "\n" + by_kind([found], list(found.by_kind))


def _run(check: Callable[[], object], says: str | None) -> bool:
    try:
        check()
    except AssertionError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        line = trace.tb_lineno if trace is not None else 0
        sys.stdout.write(f"FAILS (line {line})  {says}\n")
        return False
    sys.stdout.write(f"holds  {says}\n")
    return True


def main() -> int:
    """Run all checks; return 1 where one fails. MissingError where a Debian package is missing."""
    require()
    pure = (
        *check_score.CHECKS,
        *check_marking.CHECKS,
        noises_are_as_loud_as_asked,
        sounds_are_as_loud_and_as_long_as_asked,
    )
    results = [_run(check, check.__doc__) for check in pure]
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / name for name in ("set", "again", "other")]
        for folder, seed in zip(folders, (7, 7, 8), strict=True):
            build(folder, Recipe(seed, SMALL.minutes))
        cases = read_cases(folders[0])
        shown: list[str] = []
        of_set = (
            (lambda: one_seed_gives_one_set(*folders), one_seed_gives_one_set.__doc__),
            (lambda: halves_share_no_recording(cases), halves_share_no_recording.__doc__),
            (lambda: files_are_as_labelled(folders[0], cases), files_are_as_labelled.__doc__),
            (lambda: speech_is_as_labelled(folders[0], cases), speech_is_as_labelled.__doc__),
            (
                lambda: shown.append(bare_threshold_is_scored_as_known(folders[0], cases)),
                bare_threshold_is_scored_as_known.__doc__,
            ),
        )
        results += [_run(check, says) for check, says in of_set]
        sys.stdout.write("".join(f"\n{table}" for table in shown))
    return 0 if all(results) else 1
