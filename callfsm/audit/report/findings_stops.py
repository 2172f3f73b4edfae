"""What an account says of the stops of the assistant, and of words that nobody said."""

from collections.abc import Iterator
from typing import Final

from callfsm.audit.account.barge_ins import BargeIn, Verdict
from callfsm.audit.account.values import Account, Fate, Utterance
from callfsm.audit.report.evidence import (
    NEAR_SHARE,
    advice,
    factor_setting,
    is_nobody,
    rounded_up_ms,
    settings_above,
    sound_of,
)
from callfsm.audit.report.words import clock, seconds
from callfsm.hearing.mulaw import FRAME_MS

ECHO_MS: Final = 300
"""A sound so soon behind the grace, and nobody's, may be the assistant's first words that come back late."""
LONGEST_GRACE_MS: Final = 1000
"""A grace of more than a second would make a caller who interrupts wait too long."""


def _false_stops(account: Account) -> Iterator[str]:
    false = [stop for stop in account.barge_ins if stop.verdict is Verdict.NOBODY]
    if not false:
        return
    silent_ms = sum(stop.silent_ms or 0 for stop in false)
    again_ms = sum(stop.heard_ms - (stop.went_on_from_ms or 0) for stop in false)
    peak_rms = _peak_rms(account, false)
    settings = settings_above(account, peak_rms)
    what = advice(*settings) or " No threshold keeps out what is as loud as speech."
    yield (
        f"{len(false)} of {len(account.barge_ins)} barge-ins were nobody's, with frames of up to {peak_rms:.1f} RMS."
        f" The assistant went on; in all that cost {seconds(silent_ms)} of silence, and {seconds(again_ms)} were said"
        f" twice.{what}"
    )


def _cut_by_nobody(account: Account) -> Iterator[str]:
    wordless = [stop for stop in account.barge_ins if stop.verdict.is_confirmed and is_nobody(_cause(account, stop))]
    if wordless:
        times = ", ".join(clock(account, stop.at) for stop in wordless)
        settings = settings_above(account, _peak_rms(account, wordless))
        yield (
            f"{len(wordless)} of {len(account.barge_ins)} barge-ins were taken for speech and brought no words that"
            f" were accepted (at {times}): the reply was cut for nothing.{advice(*settings)}"
        )


def _spoken_over(account: Account) -> Iterator[str]:
    for stop in account.barge_ins:
        if stop.went_on_at is not None and stop.confirmed_at is not None:
            cause = _cause(account, stop)
            over_ms = (stop.confirmed_at - stop.went_on_at) * 1000
            settings = [f"turn.confirm_voiced_ms={cause.voiced_ms}"] if cause.voiced_ms else []
            yield (
                f"The barge-in at {clock(account, stop.at)} was somebody's, and was known by its words alone, when"
                f" the assistant had been talking over the caller for {seconds(over_ms)}:"
                f" {cause.voiced_ms} ms of its {cause.loud_ms} ms of loud sound were voiced.{advice(*settings)}"
            )


def _behind_grace(account: Account) -> Iterator[str]:
    grace_ms = account.config.turn.grace_ms
    for stop in account.barge_ins:
        cause = _cause(account, stop)
        stretches = account.replies[stop.reply].stretches
        heard_from = next((s.began_at for s in reversed(stretches) if s.began_at <= stop.at), stop.at)
        behind_ms = (stop.at - heard_from) * 1000 - grace_ms
        wanted_ms = rounded_up_ms((cause.ended_at - heard_from) * 1000 + FRAME_MS)
        if is_nobody(cause) and behind_ms <= ECHO_MS and wanted_ms <= LONGEST_GRACE_MS:
            yield (
                f"The barge-in at {clock(account, stop.at)} came {behind_ms:.0f} ms behind the grace and was"
                f" nobody's: it may be the assistant's own echo.{advice(f'turn.grace_ms={wanted_ms}')}"
            )


def _echo(account: Account) -> Iterator[str]:
    echoes = [utterance for utterance in account.utterances if utterance.fate is Fate.ECHO]
    if not echoes:
        return
    factors = [_echo_factor(account, stop) for stop in account.barge_ins if _cause(account, stop) in echoes]
    wanted = max(factors, default=0.0)
    settings = [factor_setting("gate.echo_factor", wanted / NEAR_SHARE)] if wanted else []
    times = ", ".join(clock(account, utterance.began_at) for utterance in echoes)
    yield (
        f"{len(echoes)} utterances were the assistant's own words, come back as echo, and were rejected (at {times})."
        f"{advice(*settings)}"
    )


def _echo_factor(account: Account, stop: BargeIn) -> float:
    """Return the factor that would have held back the frame that stopped the assistant; 0.0 where it has no part."""
    frame = next(frame for frame in account.frames if frame.at == stop.at)
    is_raised = frame.limit_rms > frame.threshold_rms
    return account.config.gate.echo_factor * stop.rms / frame.limit_rms if is_raised else 0.0


def _hallucinations(account: Account) -> Iterator[str]:
    made_up = [utterance for utterance in account.utterances if utterance.fate is Fate.HALLUCINATION]
    if made_up:
        peak_rms = max(max(sound_of(account, utterance)) for utterance in made_up)
        yield (
            f"{len(made_up)} utterances were phrases that transcription makes up from near-silence, and were"
            f" rejected; their frames reach {peak_rms:.1f} RMS.{advice(*settings_above(account, peak_rms))}"
        )


def _cause(account: Account, stop: BargeIn) -> Utterance:
    return account.utterances[stop.utterance]


def _peak_rms(account: Account, stops: list[BargeIn]) -> float:
    return max(max(sound_of(account, _cause(account, stop))) for stop in stops)


MADE_UP: Final = (_hallucinations,)
STOPS: Final = (_false_stops, _cut_by_nobody, _spoken_over, _behind_grace, _echo)
"""In the order in which they are told."""
