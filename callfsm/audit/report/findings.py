"""What an account says to whoever tunes the line: a few sentences, and the numbers worth trying."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from callfsm.audit.account.values import Account, Fate
from callfsm.audit.report.evidence import (
    CLEAR_FACTOR,
    NEAR_SHARE,
    advice,
    ceiling_rms,
    followed,
    is_nobody,
    quietest_accepted,
    rounded_up_ms,
    settings_above,
    sound_of,
    threshold_settings,
)
from callfsm.audit.report.findings_line import LINE
from callfsm.audit.report.findings_stops import MADE_UP, STOPS
from callfsm.audit.report.words import clock
from callfsm.config import API_MINIMUM_MS
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.transcript import is_real_speech
from callfsm.states.base import State

WIDELY_OPEN: Final = 0.6
"""Two who talk in turns hold the floor half of the time each: a gate open for longer hears more than a caller."""
FEWEST_FRAMES: Final = 50
"""Less than a second of a call is too little to judge its share by."""
FEWEST_SAMPLES: Final = 25
"""Half a second: fewer quiet frames than these measure a moment and not a line."""
NEAR_BLIP: Final = 2
"""An utterance with less than so many times min_speech_ms would be a blip if it were spoken a little more softly."""
SPLIT_MS: Final = 500
"""A caller who goes on so soon after the turn was closed had only paused."""


def findings(account: Account) -> tuple[str, ...]:
    """Return what there is to say of the line, the gate and the turns, in that order."""
    hearing = (_line, *LINE, _passed, _extremes, _fit, _widely_open)
    parts = (*hearing, _refused, *MADE_UP, *STOPS, _short, _splits, _late)
    return tuple(finding for part in parts for finding in part(account))


def _line(account: Account) -> Iterator[str]:
    gate = account.config.gate
    if account.calibrated_at is None:
        if account.frames:
            yield f"The call ended before the line was measured; the default threshold is {gate.default_threshold}."
        return
    yield (
        f"The noise floor of this line is {account.noise_floor_rms:.1f} RMS and its speech threshold"
        f" {account.threshold_rms:.1f}."
    )
    heard = sorted(frame.rms for frame in account.frames if frame.state is State.CALIBRATING)
    samples = sum(rms < gate.quiet_rms for rms in heard)
    if not samples:
        # The quietest tenth: whoever spoke while the line was measured also paused.
        quiet_rms = math.ceil(heard[len(heard) // 10] / NEAR_SHARE)
        cap = [f"gate.max_threshold={math.ceil(quiet_rms + gate.threshold_margin)}"]
        what = "" if followed(account) else advice(f"gate.quiet_rms={quiet_rms}", *cap)
        yield (
            f"No frame of the calibration was below {gate.quiet_rms} RMS: the noise floor is the default and not"
            f" this line's.{what}"
        )
    elif samples < FEWEST_SAMPLES and samples < len(heard):
        yield (
            f"Only {samples} of the {len(heard)} frames of the calibration were below {gate.quiet_rms} RMS: the noise"
            " floor is that of a moment. Somebody spoke, or the line is noisy."
        )


def _passed(account: Account) -> Iterator[str]:
    count = len(account.frames)
    if count:
        passed = sum(frame.is_gate_open for frame in account.frames)
        yield f"{passed} of {count} frames ({passed / count:.0%}) passed the gate."


def _extremes(account: Account) -> Iterator[str]:
    quietest = quietest_accepted(account)
    if quietest is not None:
        times = quietest.rms / quietest.threshold_rms
        yield (
            f"The quietest speech that passed has an RMS of {quietest.rms:.1f}, {times:.1f} times the threshold"
            f" (at {clock(account, quietest.began_at)})."
        )
    dropped = [frame for frame in account.frames if frame.was_dropped]
    if dropped:
        loudest = max(dropped, key=lambda frame: frame.rms / frame.limit_rms)
        yield (
            f"The loudest frame that was dropped has an RMS of {loudest.rms:.1f},"
            f" {loudest.rms / loudest.limit_rms:.2f} of its limit (at {clock(account, loudest.at)})."
        )


def _fit(account: Account) -> Iterator[str]:
    if account.line:
        # There is no one threshold that fits or does not.
        return
    ceiling, quietest, threshold_rms = ceiling_rms(account), quietest_accepted(account), account.threshold_rms
    lowest = max(ceiling or 0.0, account.noise_floor_rms) / NEAR_SHARE
    highest = quietest.rms / CLEAR_FACTOR if quietest is not None else math.inf
    is_noisy = ceiling is not None and ceiling > threshold_rms * NEAR_SHARE
    is_faint = highest < threshold_rms
    pauses = [f"pauses reach {ceiling:.1f} RMS"] if ceiling is not None else []
    speech = [f"the quietest speech has {quietest.rms:.1f} RMS"] if quietest is not None else []
    facts = ", ".join(pauses + speech)
    if (is_noisy or is_faint) and lowest > highest:
        yield f"Noise and speech are too close for a threshold to tell them apart: {facts}."
    elif is_noisy:
        yield f"The threshold is low for this line: {facts}.{advice(*threshold_settings(account, lowest))}"
    elif is_faint:
        yield f"The threshold is high for this line: {facts}.{advice(*threshold_settings(account, highest))}"
    elif pauses and speech:
        yield f"The threshold of {threshold_rms:.1f} fits this line: {facts}."


def _widely_open(account: Account) -> Iterator[str]:
    count = len(account.frames)
    share = sum(frame.is_gate_open for frame in account.frames) / count if count else 0.0
    if count < FEWEST_FRAMES or share <= WIDELY_OPEN:
        return
    noise = [rms for utterance in account.utterances if is_nobody(utterance) for rms in sound_of(account, utterance)]
    settings = settings_above(account, max(noise)) if noise else ()
    yield f"The gate was open for {share:.0%} of the call, longer than a caller holds the floor.{advice(*settings)}"


def _refused(account: Account) -> Iterator[str]:
    for utterance in account.utterances:
        is_faint = utterance.rms < utterance.threshold_rms and is_real_speech(utterance.transcript or "")
        if utterance.fate is Fate.NOT_REAL_YET and is_faint:
            yield (
                f"The utterance at {clock(account, utterance.began_at)} has words and was not taken for the first"
                f" real one: its RMS over all frames, {utterance.rms:.1f}, is below the threshold."
                f"{advice(*threshold_settings(account, math.floor(utterance.rms)))}"
            )


def _short(account: Account) -> Iterator[str]:
    turn, hangover_ms = account.config.turn, account.config.gate.hangover_ms
    accepted = [utterance.loud_ms for utterance in account.utterances if utterance.fate is Fate.ACCEPTED]
    near = [loud_ms for loud_ms in accepted if loud_ms < NEAR_BLIP * turn.min_speech_ms]
    if near:
        least_ms = max(FRAME_MS, API_MINIMUM_MS - hangover_ms)
        wanted_ms = max(least_ms, min(near) // NEAR_BLIP // FRAME_MS * FRAME_MS)
        what = advice(f"turn.min_speech_ms={wanted_ms}") if wanted_ms < turn.min_speech_ms else ""
        yield (
            f"{len(near)} of {len(accepted)} accepted utterances were close to being blips: {min(near)} ms of loud"
            f" sound at the least, where {turn.min_speech_ms} are wanted.{what}"
        )


def _splits(account: Account) -> Iterator[str]:
    committed = [utterance for utterance in account.utterances if utterance.fate is Fate.ACCEPTED]
    gaps_ms = [
        (later.began_at - earlier.ended_at) * 1000
        for earlier, later in pairwise(committed)
        if earlier.closed_at is not None and (later.began_at - earlier.closed_at) * 1000 <= SPLIT_MS
    ]
    if gaps_ms:
        setting = f"turn.end_of_turn_ms={rounded_up_ms(max(gaps_ms) + FRAME_MS)}"
        yield (
            f"{len(gaps_ms)} times the caller went on within {SPLIT_MS} ms of the end of a turn, after a pause of"
            f" {max(gaps_ms):.0f} ms at the most.{advice(setting)}"
        )


def _late(account: Account) -> Iterator[str]:
    timeout_ms = account.config.turn.transcript_timeout_ms
    late = [
        utterance
        for utterance in account.utterances
        if utterance.transcript is None and utterance.closed_at is not None and utterance.settled_at is not None
        if (utterance.settled_at - utterance.closed_at) * 1000 >= timeout_ms - FRAME_MS
    ]
    if late:
        setting = f"turn.transcript_timeout_ms={2 * timeout_ms}"
        yield f"{len(late)} utterances had no transcript in {timeout_ms} ms.{advice(setting)}"
