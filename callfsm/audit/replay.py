"""`callfsm replay`: runs journals through the machine, and shows their log, what changes, or a test of the call."""

import argparse
import logging
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from callfsm.audit.account import Account, Fate, Frame, Reply, ReplyFate, ReplyKind, Utterance, account_of
from callfsm.audit.as_test import as_test
from callfsm.audit.recording import JournalError, Recording, Step, read_journal, run
from callfsm.audit.what_if import what_if
from callfsm.config import Config, ConfigError
from callfsm.config_file import config_from, config_values
from callfsm.effects import Log
from callfsm.hearing.transcript import one_line

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
SHOWN_DEVIATIONS: Final = 10
_MACHINES: Final = ("gate.", "turn.", "limits.digits_pause_s")
"""The keys that the machine reads; all others are the shell's."""


def log_lines(steps: Iterable[Step], level: int) -> Iterator[str]:
    """Yield the log that the live call had from this level on, the messages byte for byte."""
    for step in steps:
        yield from (line.message for line in step.effects if isinstance(line, Log) and line.level >= level)


def deviations(steps: Iterable[Step]) -> list[str]:
    """Return, in words, the lines of a journal that lead elsewhere now, and the one that meets a bug of ours."""
    found = []
    for step in steps:
        what = f"line {step.entry.line}: {type(step.event).__name__}"
        if step.error is not None:
            found.append(f"{what} in {step.source.name} meets a bug: {type(step.error).__name__}: {step.error}")
        elif not step.is_as_recorded and step.entry.state is not None and step.entry.to is not None:
            says = f"{step.entry.state.name} to {step.entry.to.name}"
            found.append(f"{what} led from {says}; now it leads from {step.source.name} to {step.dest.name}")
    return found


def _warn(text: str) -> None:
    sys.stderr.write(f"callfsm replay: {one_line(text)}\n")


def _check(recording: Recording, steps: Iterable[Step]) -> int:
    """Say on stderr where a journal breaks off or leads elsewhere; return the exit code."""
    found = deviations(steps)
    for text in found[:SHOWN_DEVIATIONS]:
        _warn(f"{recording.path}, {text}")
    if len(found) > SHOWN_DEVIATIONS:
        _warn(f"{recording.path}: {len(found) - SHOWN_DEVIATIONS} more lines lead elsewhere")
    if recording.is_torn:
        last = recording.entries[-1].line if recording.entries else 1
        _warn(f"{recording.path} breaks off after line {last}: the end of the call is not in it")
    return 1 if found else 0


def _replay(recording: Recording, level: int) -> int:
    steps = list(run(recording))
    sys.stdout.write("".join(f"{line}\n" for line in log_lines(steps, level)))
    return _check(recording, steps)


def _summary(recordings: Sequence[Recording]) -> int:
    """Print a row a call, and the totals; return the exit code."""
    codes = [_check(recording, run(recording)) for recording in recordings]
    accounts = [account_of(recording) for recording in recordings]
    counts = [_counts(account) for account in accounts]
    rows = [
        _cells(account.call_sid, account.duration_s, _end(account), count, "no" if code else "yes")
        for account, count, code in zip(accounts, counts, codes, strict=True)
    ]
    total_s = sum(account.duration_s for account in accounts)
    total = [sum(column) for column in zip(*counts, strict=True)]
    rows.append(_cells(f"{len(rows)} calls", total_s, "", total, f"{codes.count(0)} of {len(codes)}"))
    rows.insert(0, ["call", "seconds", "accepted", "heard out", "barge-ins", "as recorded", "ended by"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        name, *others = (f"{cell:{'>' if 0 < i < 5 else '<'}{widths[i]}}" for i, cell in enumerate(row))
        sys.stdout.write("  ".join([name, *others]).rstrip() + "\n")
    return max(codes)


def _counts(account: Account) -> list[int]:
    """Return the utterances accepted, the replies heard to their end, and the barge-ins."""
    accepted = sum(utterance.fate is Fate.ACCEPTED for utterance in account.utterances)
    heard = sum(reply.fate is ReplyFate.HEARD for reply in account.replies)
    return [accepted, heard, len(account.barge_ins)]


def _cells(name: str, seconds: float, end: str, counts: Iterable[int], is_as_recorded: str) -> list[str]:
    return [one_line(name), f"{seconds:.1f}", *map(str, counts), is_as_recorded, one_line(end)]


def _end(account: Account) -> str:
    return account.end.reason or "(breaks off)"


# Under other numbers


def changed_config(config: Config, settings: Iterable[str]) -> Config:
    """Return a configuration with `section.key=value` put in, values in TOML; raise ConfigError naming the key."""
    values = config_values(config)
    for setting in settings:
        key, _, text = (part.strip() for part in setting.partition("="))
        section, _, name = key.rpartition(".")
        if key.partition(".")[0] == "business":
            raise ConfigError(key, "what a business says of itself cannot be changed here, only numbers can")
        table = values[section] if isinstance(values.get(section), dict) else {}
        known = table if section else {name for name, value in values.items() if not isinstance(value, dict)}
        if name not in known:
            raise ConfigError(key, "is not a key of the configuration")
        (table if section else values)[name] = _toml_value(key, text)
    return config_from(values)


def _toml_value(key: str, text: str) -> Any:
    try:
        values = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        values = {}
    if values.keys() != {"value"}:
        raise ConfigError(key, 'needs one value in TOML, as 300, 1.5, true or "text"')
    return values["value"]


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
        return self.live.threshold_rms != self.changed.threshold_rms


def difference(recording: Recording, config: Config) -> Difference:
    """Run a call as it was and under another configuration, and compare."""
    other = what_if(recording, config)
    live, changed = account_of(recording), account_of(other.recording)
    at = live.started_at
    changes = [*_frames(live, changed), *_barge_ins(live, changed), *_utterances(live, changed)]
    changes += _replies(live, changed, other.turns)
    if (_end(live), live.end.at) != (_end(changed), changed.end.at):
        ends = (f"{_end(account)} at {account.end.at - at:.2f} s" for account in (live, changed))
        changes.append(Change("end of the call changed", " -> ".join(ends)))
    return Difference(live, changed, tuple(changes), other.notes)


def _side(frame: Frame) -> str:
    return "passed" if frame.is_gate_open else "dropped" if frame.was_dropped else "held in the grace"


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


def _barge_ins(live: Account, changed: Account) -> Iterator[Change]:
    for kind, one, other in (("gone", live, changed), ("new", changed, live)):
        times = {barge_in.at for barge_in in other.barge_ins}
        for barge_in in one.barge_ins:
            if barge_in.at not in times:
                rms = f"rms {barge_in.rms:.1f}, threshold {barge_in.threshold_rms:.1f}"
                yield Change(f"barge-ins {kind}", f"{barge_in.at - live.started_at:.2f} s, {rms}")


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


def _told(found: Difference) -> Iterator[str]:
    """Yield the lines that tell of one call."""
    before, after = found.live.threshold_rms, found.changed.threshold_rms
    yield f"{one_line(found.live.call_sid)}, {found.live.duration_s:.1f} s, ended by {one_line(_end(found.live))}"
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


def _told_of_many(found: Sequence[Difference]) -> Iterator[str]:
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


def _show_changes(recordings: Sequence[Recording], settings: Sequence[str]) -> int:
    configs = [changed_config(recording.config, settings) for recording in recordings]
    found = [difference(recording, config) for recording, config in zip(recordings, configs, strict=True)]
    keys = (setting.partition("=")[0].strip() for setting in settings)
    lines = [
        f"{key} is the shell's: a replay does not show what it does." for key in keys if not key.startswith(_MACHINES)
    ]
    lines += _told(found[0]) if len(found) == 1 else _told_of_many(found)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    broken = [one for one in found if one.changed.end.error]
    for one in broken:
        _warn(f"{one.live.call_sid} meets a bug: {one.changed.end.error}")
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="callfsm replay",
        description="Run journals through the machine: print the log that the live call had, or a row a call.",
    )
    parser.add_argument("journals", type=Path, nargs="+", metavar="JOURNAL", help="a journal; several give a summary")
    parser.add_argument(
        "--log-level",
        default="INFO",
        type=str.upper,
        choices=LEVELS,
        help="the log from here on (default: %(default)s)",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="show what would change under another number; may be given more than once",
    )
    group.add_argument("--as-test", action="store_true", help="print a test of the call, to paste into tests/")
    return parser


def _read(paths: Iterable[Path]) -> tuple[list[Recording], int]:
    """Return the journals that can be read, and the exit code so far."""
    recordings, code = list[Recording](), 0
    for path in paths:
        try:
            recordings.append(read_journal(path))
        except JournalError as error:
            _warn(str(error))
            code = 2
    return recordings, code


def _run(arguments: argparse.Namespace) -> int:
    recordings, code = _read(arguments.journals)
    if not recordings:
        return code
    if arguments.set:
        try:
            return max(code, _show_changes(recordings, arguments.set))
        except ConfigError as error:
            _warn(str(error))
            return 2
    if len(arguments.journals) > 1:
        return max(code, _summary(recordings))
    if arguments.as_test:
        sys.stdout.write(as_test(recordings[0]))
        return _check(recordings[0], run(recordings[0]))
    return _replay(recordings[0], logging.getLevelNamesMapping()[arguments.log_level])


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, 1 where a call does not go as it was recorded, or 2 for what cannot be read."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.as_test and len(arguments.journals) > 1:
        parser.error("--as-test takes one JOURNAL")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads us has seen enough. What is left in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
