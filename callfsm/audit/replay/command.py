"""`callfsm replay`: runs journals through the machine, and shows their log, what changes, or a test of the call."""

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from callfsm.audit.account.account import account_of
from callfsm.audit.account.values import Account, Fate, ReplyFate
from callfsm.audit.recording import JournalError, Recording, Step, read_journal, run
from callfsm.audit.replay.as_test import as_test
from callfsm.audit.replay.change import difference, ended_by, told, told_of_many
from callfsm.audit.replay.settings import changed_config
from callfsm.config_checks import ConfigError
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
        _cells(account.call_sid, account.duration_s, ended_by(account), count, "no" if code else "yes")
        for account, count, code in zip(accounts, counts, codes, strict=True)
    ]
    total_s = sum(account.duration_s for account in accounts)
    total = [sum(column) for column in zip(*counts, strict=True)]
    rows.append(_cells(f"{len(rows)} calls", total_s, "", total, f"{codes.count(0)} of {len(codes)}"))
    rows.insert(0, ["call", "seconds", "accepted", "heard out", "barge-ins", "went on", "as recorded", "ended by"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        name, *others = (f"{cell:{'>' if 0 < i < 6 else '<'}{widths[i]}}" for i, cell in enumerate(row))
        sys.stdout.write("  ".join([name, *others]).rstrip() + "\n")
    return max(codes)


def _counts(account: Account) -> list[int]:
    """Return the utterances accepted, the replies heard to their end, the barge-ins, and those gone on after."""
    accepted = sum(utterance.fate is Fate.ACCEPTED for utterance in account.utterances)
    heard = sum(reply.fate is ReplyFate.HEARD for reply in account.replies)
    went_on = sum(barge_in.went_on_at is not None for barge_in in account.barge_ins)
    return [accepted, heard, len(account.barge_ins), went_on]


def _cells(name: str, seconds: float, end: str, counts: Iterable[int], is_as_recorded: str) -> list[str]:
    return [one_line(name), f"{seconds:.1f}", *map(str, counts), is_as_recorded, one_line(end)]


def _show_changes(recordings: Sequence[Recording], settings: Sequence[str]) -> int:
    configs = [changed_config(recording.config, settings) for recording in recordings]
    found = [difference(recording, config) for recording, config in zip(recordings, configs, strict=True)]
    code = max(_check(recording, run(recording)) for recording in recordings)
    keys = (setting.partition("=")[0].strip() for setting in settings)
    lines = [
        f"{key} is the shell's: a replay does not show what it does." for key in keys if not key.startswith(_MACHINES)
    ]
    lines += told(found[0]) if len(found) == 1 else told_of_many(found)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    broken = [one for one in found if one.changed.end.error]
    for one in broken:
        _warn(f"{one.live.call_sid} meets a bug: {one.changed.end.error}")
    return 1 if broken else code


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
    return _run(arguments)
