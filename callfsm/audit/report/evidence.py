"""What the findings judge by: the loudness of the pauses and of speech, and how a threshold is set."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from callfsm.audit.account.values import Account, Fate, Frame, LineChange, Utterance
from callfsm.hearing.line import NewsKind

NEAR_SHARE: Final = 0.8
"""A line's noise goes up and down by some 2 dB, a factor of 1.25: pauses this near the threshold will cross it."""
CLEAR_FACTOR: Final = 2.0
"""Words fade by some 6 dB, a factor of 2, towards a phrase's end: speech this near the threshold loses frames."""
PAUSE_PERCENTILE: Final = 0.99
"""One frame in a hundred may be a click, which says nothing of the noise."""
_NOBODY: Final = frozenset({Fate.BLIP, Fate.TOO_SHORT, Fate.PUNCTUATION, Fate.ECHO, Fate.HALLUCINATION})
_MOST_FACTOR: Final = 10
_FACTOR_STEP: Final = 4
"""A factor is advised in quarters."""
_STEP_MS: Final = 50
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
        # Under a limit that is raised for the assistant's echo, what was dropped may be that echo.
        if (
            frame.was_dropped
            and frame.limit_rms == frame.threshold_rms
            and (place < 0 or frame.at > speech[place][1])
        ):
            yield frame


def quietest_accepted(account: Account) -> Utterance | None:
    """Return the accepted utterance that was least above its threshold; None where none was accepted."""
    accepted = [utterance for utterance in account.utterances if utterance.fate is Fate.ACCEPTED]
    return min(accepted, key=lambda utterance: utterance.rms / utterance.threshold_rms, default=None)


def followed(account: Account) -> list[LineChange]:
    """Return where the threshold moved to follow the noise."""
    return [change for change in account.line if change.kind is NewsKind.FOLLOWS]


def is_nobody(utterance: Utterance) -> bool:
    """Say whether a sound opened the gate and proved to be nothing that was said."""
    is_wordless = utterance.is_doubted and utterance.fate is Fate.NO_TRANSCRIPT
    return is_wordless or utterance.fate in _NOBODY


def sound_of(account: Account, utterance: Utterance) -> list[float]:
    """Return the RMS of an utterance's frames; it has one at least."""
    first = bisect_left(account.frames, utterance.began_at, key=lambda frame: frame.at)
    return [frame.rms for frame in account.frames[first : first + utterance.frames]]


def threshold_settings(account: Account, wanted_rms: float) -> tuple[str, ...]:
    """Return the settings that give this line such a threshold, rounded up."""
    threshold_rms, gate, following = math.ceil(wanted_rms), account.config.gate, followed(account)
    if following:
        settings = [factor_setting("gate.follow_factor", wanted_rms / following[-1].noise_rms)]
        if threshold_rms > gate.max_following_threshold:
            settings.append(f"gate.max_following_threshold={threshold_rms}")
        return tuple(settings)
    settings = [f"gate.threshold_margin={max(0, round(threshold_rms - account.noise_floor_rms))}"]
    if threshold_rms > gate.max_threshold:
        settings.append(f"gate.max_threshold={threshold_rms}")
    return tuple(settings)


def factor_setting(key: str, wanted: float) -> str:
    """Return the setting of a factor, rounded up, and no greater than one may be."""
    return f"{key}={min(_MOST_FACTOR, math.ceil(wanted * _FACTOR_STEP) / _FACTOR_STEP):g}"


def settings_above(account: Account, noise_rms: float) -> tuple[str, ...]:
    """Return the settings that put the threshold above a noise; none where speech would be lost as well."""
    quietest = quietest_accepted(account)
    wanted_rms = noise_rms / NEAR_SHARE
    is_clear = quietest is None or wanted_rms <= quietest.rms / CLEAR_FACTOR
    return threshold_settings(account, wanted_rms) if is_clear else ()


def rounded_up_ms(ms: float) -> int:
    """Return a time as it is advised, in steps of 50 ms."""
    return math.ceil(ms / _STEP_MS) * _STEP_MS


def advice(*settings: str) -> str:
    """Return what is worth trying, as the sentence that follows a finding; nothing for no settings."""
    if not settings:
        return ""
    return " Worth trying: callfsm replay JOURNAL " + " ".join(f"--set {setting}" for setting in settings)
