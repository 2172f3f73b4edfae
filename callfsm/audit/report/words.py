"""The words of a report: a call's facts as sentences and table cells, safe to stand in HTML and SVG."""

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from callfsm.audit.account.barge_ins import BargeIn, Verdict
from callfsm.audit.account.values import Account, Fate, LineChange, Reply, ReplyFate, Utterance
from callfsm.hearing.line import NewsKind
from callfsm.hearing.transcript import one_line
from callfsm.states.transcripts import SHORT_MS, WEAK_FACTOR

SHORT: Final = {
    Fate.BLIP: "blip",
    Fate.ACCEPTED: "accepted",
    Fate.TOO_SHORT: "rejected: too short",
    Fate.PUNCTUATION: "rejected: punctuation",
    Fate.ECHO: "rejected: echo",
    Fate.HALLUCINATION: "rejected: made up",
    Fate.NOT_REAL_YET: "rejected: nothing real yet",
    Fate.NO_TRANSCRIPT: "rejected: no transcript",
    Fate.REFUSED: "rejected: refused by the API",
    Fate.UNSETTLED: "unsettled",
}
NEWS: Final = {
    NewsKind.FOLLOWS: "the threshold follows the noise",
    NewsKind.RESTORED: "the calibrated threshold is in force again",
    NewsKind.RAISED: "the line was silent and hums: measured again",
    NewsKind.DEAF: "alarm: sound just below the threshold for long, and nothing passed",
}
_NOT_XML: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")


def safe(text: object) -> str:
    """Return a text of the journal as one line of HTML or XML that shows as it is and does nothing."""
    return html.escape(_NOT_XML.sub("\ufffd", one_line(str(text))))


def quoted(text: object) -> str:
    """Return a text that somebody spoke, in quotation marks, in its own direction."""
    return f'“<bdi dir="auto">{safe(text)}</bdi>”'


def is_rtl(text: str) -> bool:
    """Say whether a text's first letter is of a script that is written from right to left."""
    kinds = (unicodedata.bidirectional(character) for character in text)
    return next((kind in {"R", "AL"} for kind in kinds if kind in {"L", "R", "AL"}), False)


def clock(account: Account, at: float | None) -> str:
    """Return a time as minutes and seconds since the first event of the call; a dash for no time."""
    if at is None:
        return "–"
    minutes, hundredths = divmod(max(0, round((at - account.started_at) * 100)), 6000)
    return f"{minutes}:{hundredths / 100:05.2f}"


def seconds(ms: float) -> str:
    """Return a length in seconds, with its unit."""
    return f"{ms / 1000:.2f} s"


def heard_words(reply: Reply) -> tuple[str, str]:
    """Return the words that the caller heard and those that the caller did not, by the share of the audio."""
    share = reply.heard_ms / reply.generated_ms if reply.generated_ms else 0.0
    cut = len(reply.words) if reply.fate is ReplyFate.HEARD else int(len(reply.words) * share)
    return reply.words[:cut], reply.words[cut:]


def spoken(reply: Reply) -> str:
    """Return a reply's words in quotation marks, those that the caller did not hear struck out; a dash for none."""
    if not reply.words:
        return "–"
    heard, unheard = heard_words(reply)
    gap = " " if heard.endswith(" ") else ""
    rest = f"{gap}<del>{safe(unheard)}</del>" if unheard.strip() else ""
    return f'“<bdi dir="auto">{safe(heard)}{rest}</bdi>”'


def reply_fate(reply: Reply) -> str:
    """Return a reply's fate and, where there is more to say, why."""
    return f"{reply.fate.value} ({reply.why})" if reply.why else reply.fate.value


def utterance_fate(utterance: Utterance, min_speech_ms: int) -> str:
    """Return an utterance's fate and what decided it."""
    fate = str(utterance.fate.value)
    match utterance.fate:
        case Fate.BLIP:
            fate = f"a blip: {utterance.loud_ms} ms of loud sound, under {min_speech_ms} ms"
        case Fate.ACCEPTED if utterance.transcript is None:
            fate = "accepted without a transcript: none came, and the model has its sound"
        case Fate.HALLUCINATION:
            fate = f"{fate} ({_faintness(utterance)})"
        case Fate.NOT_REAL_YET:
            rms = f"RMS {utterance.rms:.1f} against a threshold of {utterance.threshold_rms:.1f}"
            fate = f"{fate} ({rms}; at least 3 characters are wanted)"
        case _:
            pass
    return f"{fate}; its sound was not confirmed as speech" if utterance.is_doubted else fate


def _faintness(utterance: Utterance) -> str:
    """Return by which of its two rules a phrase that is known to be made up was not believed."""
    if utterance.rms < WEAK_FACTOR * utterance.threshold_rms:
        return (
            f"weak: RMS {utterance.rms:.1f}, under {WEAK_FACTOR:g} times the threshold {utterance.threshold_rms:.1f}"
        )
    return f"short: {utterance.loud_ms} ms of loud sound, under {SHORT_MS} ms"


def _utterance(account: Account, utterance: Utterance) -> str:
    length = seconds(utterance.duration_ms)
    said = f" {quoted(utterance.transcript)}" if utterance.transcript is not None else ""
    fate = safe(utterance_fate(utterance, account.config.turn.min_speech_ms))
    return f"Sound of the caller, {length}, RMS {utterance.rms:.1f}:{said} {fate}."


def verdict(barge_in: BargeIn) -> str:
    """Return what a stop proved to be, and how long that took."""
    match barge_in.verdict:
        case Verdict.NOBODY:
            return f"not confirmed: the assistant went on after {barge_in.silent_ms} ms"
        case Verdict.WORDS if barge_in.went_on_at is not None and barge_in.confirmed_at is not None:
            late_ms = round((barge_in.confirmed_at - barge_in.went_on_at) * 1000)
            return f"{barge_in.verdict.value}, {late_ms} ms after the assistant had gone on"
        case proof if proof.is_confirmed:
            return (
                f"{proof.value} after {barge_in.confirmed_ms} ms"
                if barge_in.confirmed_ms
                else f"{proof.value} at once"
            )
        case other:
            return str(other.value)


def _barge_in(barge_in: BargeIn) -> str:
    frame = f"a frame of RMS {barge_in.rms:.1f} at a limit of {barge_in.limit_rms:.1f}"
    heard = f"{seconds(barge_in.heard_ms)} of {seconds(barge_in.generated_ms)} had been heard"
    return f"<b>Barge-in:</b> {frame} stopped the assistant; {heard}. It was {verdict(barge_in)}."


def _outcomes(barge_in: BargeIn) -> "Iterator[Moment]":
    """Yield what came of a stop later on."""
    if barge_in.went_on_at is not None and barge_in.went_on_from_ms is not None:
        back = seconds(barge_in.heard_ms - barge_in.went_on_from_ms)
        yield Moment(
            barge_in.went_on_at,
            f"<b>The assistant went on:</b> in {barge_in.silent_ms} ms nothing had proven to be speech. It began"
            f" {back} before the place where it had stopped.",
        )
    if barge_in.confirmed_at is not None and barge_in.confirmed_at > barge_in.at:
        yield Moment(barge_in.confirmed_at, f"The barge-in was {verdict(barge_in)}.")


def _change(change: LineChange) -> str:
    return (
        f"<b>The line:</b> {NEWS[change.kind]}; noise {change.noise_rms:.1f}, speech threshold"
        f" {change.threshold_rms:.1f}."
    )


def _reply_end(reply: Reply) -> str:
    if reply.audible_from is None:
        return f"The {reply.kind.value} came to nothing: {safe(reply_fate(reply))}."
    words = f" {spoken(reply)}" if reply.words else ""
    amount = f"{seconds(reply.heard_ms)} of {seconds(reply.generated_ms)} heard"
    return f"The {reply.kind.value} was over: {safe(reply_fate(reply))}, {amount}.{words}"


@frozen
class Moment:
    """Something that happened, as a sentence in HTML."""

    at: float
    sentence: str


def moments(account: Account) -> list[Moment]:
    """Return what happened, in the order in which it did."""
    return sorted(_moments(account), key=lambda moment: moment.at)


def _moments(account: Account) -> Iterator[Moment]:
    for note in account.notes:
        yield Moment(note.at, safe(note.what))
    if account.calibrated_at is not None:
        floor, threshold = account.noise_floor_rms, account.threshold_rms
        yield Moment(
            account.calibrated_at,
            f"The line was measured: noise floor {floor:.1f}, speech threshold {threshold:.1f}.",
        )
    for utterance in account.utterances:
        yield Moment(utterance.began_at, _utterance(account, utterance))
    for change in account.line:
        yield Moment(change.at, _change(change))
    for barge_in in account.barge_ins:
        yield Moment(barge_in.at, _barge_in(barge_in))
        yield from _outcomes(barge_in)
    for reply in account.replies:
        yield Moment(reply.requested_at, f"The {reply.kind.value} was requested.")
        if reply.audible_from is not None:
            yield Moment(reply.audible_from, f"The caller began to hear the {reply.kind.value}.")
        if reply.over_at is not None:
            yield Moment(reply.over_at, _reply_end(reply))
    yield Moment(account.end.at, f"<b>{safe(end_words(account))}</b>")


def end_words(account: Account) -> str:
    """Return how the call ended, or that the journal does not say."""
    bug = f" A bug of ours: {account.end.error}." if account.end.error else ""
    torn = " The journal breaks off: its process was killed." if account.end.is_torn else ""
    ended = f"The call ended: {account.end.reason}." if account.end.reason else "The end is not in the journal."
    return f"{ended}{torn}{bug}"
