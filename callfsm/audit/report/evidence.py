"""What the findings judge by: the loudness of the pauses and of speech, and how a threshold is set."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from callfsm.audit.account.values import Account, Fate, Frame, Utterance

NEAR_SHARE: Final = 0.8
"""A line's noise goes up and down by some 2 dB, a factor of 1.25: pauses this near the threshold will cross it."""
CLEAR_FACTOR: Final = 2.0
"""Words fade by some 6 dB, a factor of 2, towards a phrase's end: speech this near the threshold loses frames."""
PAUSE_PERCENTILE: Final = 0.99
"""One frame in a hundred may be a click, which says nothing of the noise."""
FEWEST_PAUSES: Final = 50
"""Less than a second of pauses is too little to judge the noise by."""


def ceiling_rms(account: Account) -> float | None:
    """Return the RMS that 99 % of the frames in the pauses stay below; None where there is no second of pauses."""
    pauses = sorted(frame.rms for frame in _pauses(account))
    return pauses[int(len(pauses) * PAUSE_PERCENTILE)] if len(pauses) >= FEWEST_PAUSES else None


def _pauses(account: Account) -> Iterator[Frame]:
    # The weak frames around speech are speech: its onset and its end.
    before_s, behind_s = account.config.gate.preroll_ms / 1000, account.config.turn.end_of_turn_ms / 1000
    speech = [(u.began_at - before_s, u.ended_at + behind_s) for u in account.utterances if u.fate is not Fate.BLIP]
    starts = [start for start, _ in speech]
    for frame in account.frames:
        place = bisect_right(starts, frame.at) - 1
        if frame.was_dropped and (place < 0 or frame.at > speech[place][1]):
            yield frame


def quietest_accepted(account: Account) -> Utterance | None:
    """Return the accepted utterance with the lowest RMS; None where none was accepted."""
    accepted = [utterance for utterance in account.utterances if utterance.fate is Fate.ACCEPTED]
    return min(accepted, key=lambda utterance: utterance.rms, default=None)


def is_nobody(utterance: Utterance) -> bool:
    """Say whether a sound opened the gate and proved to be nothing that was said."""
    return utterance.fate in (Fate.BLIP, Fate.TOO_SHORT, Fate.PUNCTUATION)


def sound_of(account: Account, utterance: Utterance) -> list[float]:
    """Return the RMS of an utterance's frames; it has one at least."""
    first = bisect_left(account.frames, utterance.began_at, key=lambda frame: frame.at)
    return [frame.rms for frame in account.frames[first : first + utterance.frames]]


def threshold_settings(account: Account, wanted_rms: float) -> tuple[str, ...]:
    """Return the settings that give this line such a threshold, rounded up."""
    threshold_rms = math.ceil(wanted_rms)
    settings = [f"gate.threshold_margin={max(0, round(threshold_rms - account.noise_floor_rms))}"]
    if threshold_rms > account.config.gate.max_threshold:
        settings.append(f"gate.max_threshold={threshold_rms}")
    return tuple(settings)


def advice(*settings: str) -> str:
    """Return what is worth trying, as the sentence that follows a finding."""
    return " Worth trying: callfsm replay JOURNAL " + " ".join(f"--set {setting}" for setting in settings)
