"""What an account says of changes of the caller's line."""

from collections.abc import Iterator
from typing import Final

from callfsm.audit.account.values import Account, LineChange
from callfsm.audit.report.evidence import followed
from callfsm.audit.report.words import clock
from callfsm.hearing.line import NewsKind


def _followed(account: Account) -> Iterator[str]:
    changes = followed(account)
    if not changes:
        return
    levels = [change.threshold_rms for change in changes]
    above = sum(frame.threshold_rms > account.threshold_rms for frame in account.frames)
    share = above / len(account.frames)
    yield (
        f"The line is noisy: from {clock(account, changes[0].at)} on the threshold followed the noise of"
        f" {_between([change.noise_rms for change in changes])} RMS, to {_between(levels)}. It was above the"
        f" calibrated one for {share:.0%} of the call.{_restored(account)}"
    )


def _restored(account: Account) -> str:
    if account.line[-1].kind is not NewsKind.RESTORED:
        return ""
    return f" The calibrated one was in force again from {clock(account, account.line[-1].at)} on."


def _between(values: list[float]) -> str:
    least, most = f"{min(values):.1f}", f"{max(values):.1f}"
    return least if least == most else f"{least} to {most}"


def _raised(account: Account) -> Iterator[str]:
    for change in _of_kind(account, NewsKind.RAISED):
        yield (
            f"The line was silent when it was measured and hums since {clock(account, change.at)}, with"
            f" {change.noise_rms:.1f} RMS: it was measured again, and the threshold is {change.threshold_rms:.1f}."
        )


def _deaf(account: Account) -> Iterator[str]:
    for change in _of_kind(account, NewsKind.DEAF):
        before = next(frame.threshold_rms for frame in reversed(account.frames) if frame.at < change.at)
        what = (
            f"The line was measured again: {before:.1f} before, {change.threshold_rms:.1f} after."
            if change.threshold_rms < before
            else f"It is steady noise, or the threshold follows: {before:.1f} stayed in force."
        )
        yield (
            f"Alarm at {clock(account, change.at)}: for long there had been sound just below the threshold, and"
            f" nothing passed. {what}"
        )


def _of_kind(account: Account, kind: NewsKind) -> list[LineChange]:
    return [change for change in account.line if change.kind is kind]


LINE: Final = (_followed, _raised, _deaf)
"""In the order in which they are told."""
