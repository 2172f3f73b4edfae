"""What a call under other numbers does otherwise: its frames, barge-ins, utterances, replies and end, compared."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from attrs import frozen

from callfsm.audit.account.account import account_of
from callfsm.audit.account.barge_ins import BargeIn, Verdict
from callfsm.audit.account.values import Account, Frame, Reply, ReplyFate, ReplyKind, Utterance
from callfsm.audit.recording import Recording, run
from callfsm.audit.replay.what_if import what_if
from callfsm.config import Config
from callfsm.effects import AppendAudio
from callfsm.hearing.transcript import one_line


@frozen
class Change:
    """One thing that goes otherwise: of which kind, in words, and how many of the kind it counts for."""

    kind: str
    text: str
    count: int = 1


@frozen
class Difference:
    """What a call under other numbers does otherwise. `notes` are those of `what_if`."""

    live: Account
    changed: Account
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def has_other_threshold(self) -> bool:
        """The line was measured to another threshold, whether or not anything follows from it."""
        return _thresholds(self.live) != _thresholds(self.changed)


def difference(recording: Recording, config: Config) -> Difference:
    """Run a call as it was and under another configuration, and compare."""
    other = what_if(recording, config)
    live, changed = account_of(recording), account_of(other.recording)
    at = live.started_at
    changes = [*_line(live, changed), *_frames(live, changed), *_barge_ins(live, changed)]
    changes += _utterances(live, changed)
    changes += _replies(live, changed, other.turns)
    sent, sent_then = _frames_sent(recording), _frames_sent(other.recording)
    if sent != sent_then:
        changes.append(Change("frames sent to the model", f"{sent} -> {sent_then}", abs(sent_then - sent)))
    if (ended_by(live), live.end.at) != (ended_by(changed), changed.end.at):
        ends = (f"{ended_by(account)} at {account.end.at - at:.2f} s" for account in (live, changed))
        changes.append(Change("end of the call changed", " -> ".join(ends)))
    return Difference(live, changed, tuple(changes), other.notes)


def _frames_sent(recording: Recording) -> int:
    """Return how many frames went to the model, the pre-roll and what was sent again included."""
    return sum(isinstance(effect, AppendAudio) for step in run(recording) for effect in step.effects)


def _side(frame: Frame) -> str:
    return "passed" if frame.is_gate_open else "dropped" if frame.was_dropped else "held back"


def _frames(live: Account, changed: Account) -> Iterator[Change]:
    """Yield the stretches of frames that changed side, up to the end of the shorter call."""
    until = min(live.end.at, changed.end.at)
    pairs = [pair for pair in zip(live.frames, changed.frames, strict=True) if pair[0].at <= until]
    for (before, after), stretch in groupby(pairs, lambda pair: (_side(pair[0]), _side(pair[1]))):
        frames = [frame for frame, _ in stretch]
        if before != after:
            loudness = [frame.rms for frame in frames]
            seconds = f"{frames[0].at - live.started_at:.2f}–{frames[-1].at - live.started_at:.2f} s"
            text = f"{seconds}, {len(frames)}, rms {min(loudness):.1f}–{max(loudness):.1f}"
            yield Change(f"frames {before} -> {after}", text, len(frames))


def _thresholds(account: Account) -> list[float]:
    """Return what the line was measured to, and where the threshold went from there."""
    return [account.threshold_rms, *(change.threshold_rms for change in account.line)]


def _line(live: Account, changed: Account) -> Iterator[Change]:
    """Yield the changes of the line that one of the two calls does not have."""

    def told(account: Account) -> list[tuple[str, str]]:
        return [
            (
                change.kind.name.lower(),
                f"{change.at - account.started_at:.2f} s, threshold {change.threshold_rms:.1f}",
            )
            for change in account.line
        ]

    old, new = told(live), told(changed)
    for kind, one, other in (("gone", old, new), ("new", new, old)):
        yield from (
            Change(f"changes of the line {kind}", f"{text}, {what}")
            for what, text in one
            if (what, text) not in other
        )


def _barge_ins(live: Account, changed: Account) -> Iterator[Change]:
    """Yield the stops of one call alone, and those of both that proved to be something else."""
    then = {barge_in.at: barge_in for barge_in in changed.barge_ins}
    now = {barge_in.at: barge_in for barge_in in live.barge_ins}
    for kind, one, other in (("gone", now, then), ("new", then, now)):
        for at, barge_in in one.items():
            if at not in other:
                rms = f"rms {barge_in.rms:.1f}, limit {barge_in.limit_rms:.1f}"
                yield Change(f"barge-ins {kind}", f"{at - live.started_at:.2f} s, {rms}, {_outcome(barge_in)}")
    for at in [at for at in now if at in then]:
        before, after = now[at], then[at]
        if _outcome(before) != _outcome(after):
            text = f"{at - live.started_at:.2f} s, {_outcome(before)} -> {_outcome(after)}"
            yield Change(_settled(before, after), text)


def _outcome(barge_in: BargeIn) -> str:
    """Return what a stop proved to be, and when."""
    confirmed_ms, silent_ms = barge_in.confirmed_ms, barge_in.silent_ms
    parts = ["not confirmed"] if barge_in.verdict is Verdict.NOBODY else []
    if confirmed_ms is not None:
        parts.append(f"{barge_in.verdict.value} {f'after {confirmed_ms} ms' if confirmed_ms else 'at once'}")
    if silent_ms is not None:
        parts.append(f"gone on after {silent_ms} ms")
    return ", ".join(parts) or barge_in.verdict.value


def _settled(before: BargeIn, after: BargeIn) -> str:
    was, is_now = before.verdict.is_confirmed, after.verdict.is_confirmed
    if was == is_now:
        return "barge-ins settled otherwise"
    return "barge-ins confirmed now" if is_now else "barge-ins not confirmed any more"


def _utterances(live: Account, changed: Account) -> Iterator[Change]:
    """Pair each utterance with the one that overlaps it most, and yield what differs."""

    def told(utterance: Utterance) -> str:
        began_s, ended_s = utterance.began_at - live.started_at, utterance.ended_at - live.started_at
        words = f" “{one_line(utterance.transcript)}”" if utterance.transcript else ""
        return f"{began_s:.2f}–{ended_s:.2f} s, {utterance.duration_ms} ms, {utterance.fate.value}{words}"

    left = list(live.utterances)
    for new in changed.utterances:
        old = max(left, key=lambda old: _overlap_s(old, new), default=None)
        if old is None or _overlap_s(old, new) < 0:
            yield Change("utterances new", told(new))
            continue
        left.remove(old)
        if told(old) != told(new):
            yield Change("utterances changed", f"{told(old)} -> {told(new)}")
    yield from (Change("utterances gone", told(old)) for old in left)


def _overlap_s(one: Utterance, other: Utterance) -> float:
    return min(one.ended_at, other.ended_at) - max(one.began_at, other.began_at)


def _replies(live: Account, changed: Account, turns: Mapping[int, int]) -> Iterator[Change]:
    """Yield the replies that differ; one is the same as another where its response is the same."""

    def told(reply: Reply) -> str:
        fate = f"{reply.fate.value} ({reply.why})" if reply.why else reply.fate.value
        begins = "" if reply.audible_from is None else f", heard from {reply.audible_from - live.started_at:.2f} s"
        return f"{reply.kind.value} of {reply.generated_ms} ms{begins}, {reply.heard_ms} ms heard: {fate}"

    old, new = _by_turn(live), _by_turn(changed)
    for turn, reply in new.items():
        counterpart = old.pop(turns[turn], None) if turn in turns else None
        if counterpart is None:
            yield Change("replies new", told(reply))
        elif told(counterpart) != told(reply):
            yield Change(_cut(counterpart, reply), f"{told(counterpart)} -> {told(reply)}")
    yield from (Change("replies gone", told(reply)) for reply in old.values())


def _cut(old: Reply, new: Reply) -> str:
    was_cut, is_cut = (reply.fate in (ReplyFate.BARGED_IN, ReplyFate.CUT) for reply in (old, new))
    return "replies changed" if was_cut == is_cut else "replies cut" if is_cut else "replies not cut any more"


def _by_turn(account: Account) -> dict[int, Reply]:
    # A recording that greets is never requested, and is there once.
    clips = [(0, reply) for reply in account.replies if reply.kind is ReplyKind.CLIP]
    requested = (reply for reply in account.replies if reply.kind is not ReplyKind.CLIP)
    return dict(clips) | dict(enumerate(requested, 1))


def told(found: Difference) -> Iterator[str]:
    """Yield the lines that tell of one call."""
    before, after = found.live.threshold_rms, found.changed.threshold_rms
    yield f"{one_line(found.live.call_sid)}, {found.live.duration_s:.1f} s, ended by {one_line(ended_by(found.live))}"
    yield f"threshold: {before:.1f} -> {after:.1f}"
    yield from _listed(found.changes)
    if not found.changes:
        yield "Nothing else changes." if found.has_other_threshold else "Nothing changes."
    if found.notes:
        yield "of the peers' answers:"
        yield from (f"    {one_line(note)}" for note in found.notes)


def _listed(changes: Sequence[Change]) -> Iterator[str]:
    for kind in dict.fromkeys(change.kind for change in changes):
        alike = [change for change in changes if change.kind == kind]
        yield f"{kind}: {sum(change.count for change in alike)}"
        yield from (f"    {change.text}" for change in alike)


def _counted(changes: Iterable[Change]) -> Iterator[str]:
    counts = Counter[str]()
    for change in changes:
        counts[change.kind] += change.count
    return (f"{kind}: {count}" for kind, count in counts.items())


def told_of_many(found: Sequence[Difference]) -> Iterator[str]:
    """Yield the totals, and a line for each call in which something changes."""
    otherwise = [one for one in found if one.changes]
    yield f"calls with another threshold: {sum(one.has_other_threshold for one in found)} of {len(found)}"
    yield f"calls in which something else changes: {len(otherwise)}"
    yield from _counted(change for one in otherwise for change in one.changes)
    for one in otherwise:
        threshold = f"threshold {one.live.threshold_rms:.1f} -> {one.changed.threshold_rms:.1f}"
        yield f"    {one_line(one.live.call_sid)}: {'; '.join([threshold, *_counted(one.changes)])}"
    if not any(one.changes or one.has_other_threshold for one in found):
        yield "Nothing changes."


def ended_by(account: Account) -> str:
    """Return why the call ended, or that its journal does not say."""
    return account.end.reason or "(breaks off)"
