"""Closing journals that broke off: what a killed process leaves behind gets its last line from the next one.

A journal without an `end` loses the torn part of its last line and ends as `aborted`. One that a live process still
writes is locked by it and stays as it is. So does all that is no journal, an empty file among it: without a header
there is nothing to tell of a call.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from attrs import frozen

from callfsm.audit.lines import LineError, header_of, is_whole, values_of
from callfsm.states.base import State

TAIL_BYTES: Final = 4096
"""So much is read of a finished journal: most last lines are shorter."""
MAX_LINE_BYTES: Final = 64 * 2**20
"""No line of ours is longer: neither is a message of OpenAI, nor a configuration."""
SHOWN: Final = 10
"""So many files are named in the log, one by one."""
STOP_S: Final = 1.0
_BEGINNING: Final = b'{"journal":'
_LOG: Final = logging.getLogger("callfsm.journal")


class NoJournalError(Exception):
    """A file that is no journal of this version. The argument says why."""


@frozen
class _Tail:
    """What a journal ends with."""

    last: dict[str, Any]
    """Its last whole line."""
    whole_bytes: int
    """How far that reaches, its line end included."""
    has_line_end: bool
    state: str
    """The newest state that a line names."""


class Recovery:
    """The thread that closes what broke off in a directory; `closed` is called by it with each journal."""

    def __init__(self, directory: Path, closed: Callable[[], object]) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=recover, args=(directory, closed, self._stopped.is_set), name="recovery", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop behind the file in hand; the next start goes on. A disk that stalls is not waited for."""
        self._stopped.set()
        self._thread.join(STOP_S)


def recover(directory: Path, closed: Callable[[], object], is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Close what broke off in a directory; name in the log what cannot be read, and say how many were closed."""
    count = troubles = 0
    try:
        for path in _journals(directory):
            if is_stopped():
                break
            try:
                if not close_aborted(path):
                    continue
            except (OSError, NoJournalError) as error:
                troubles += 1
                if troubles <= SHOWN:
                    _LOG.warning("[JOURNAL] %r is left as it is: %s", path.name, _why(error))
                continue
            closed()
            count += 1
    except OSError as error:
        _LOG.warning("[JOURNAL] The folder cannot be read: %s", _why(error))
    if troubles > SHOWN:
        _LOG.warning("[JOURNAL] %d more files are left as they are", troubles - SHOWN)
    if count:
        _LOG.warning("[JOURNAL] %d journals broke off and are now closed as aborted", count)


def _journals(directory: Path) -> Iterator[Path]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".jsonl") and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def close_aborted(path: Path) -> bool:
    """Close a journal as aborted; say whether it was, and neither finished nor still written.

    Raise OSError for a file that cannot be read or written, NoJournalError for one that is no journal.
    """
    with _opened(path, os.O_RDONLY) as descriptor:
        size_bytes = os.fstat(descriptor).st_size
        if _is_finished(descriptor, size_bytes):
            return False
        _check_header(descriptor, size_bytes)
    with _opened(path, os.O_RDWR | os.O_APPEND) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Its writer may have finished it in between.
        size_bytes = os.fstat(descriptor).st_size
        tail = _tail(descriptor, size_bytes)
        if "end" in tail.last:
            return False
        _close(descriptor, tail, size_bytes - tail.whole_bytes)
    return True


def _close(descriptor: int, tail: _Tail, torn_bytes: int) -> None:
    end = {"reason": "aborted", "state": tail.state, "counts": {}, "torn_bytes": torn_bytes}
    text = b"\n" * (not tail.has_line_end) + msgspec.json.encode({"end": end}) + b"\n"
    os.ftruncate(descriptor, tail.whole_bytes)
    while text:
        text = text[os.write(descriptor, text) :]


@contextlib.contextmanager
def _opened(path: Path, how: int) -> Iterator[int]:
    descriptor = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_finished(descriptor: int, size_bytes: int) -> bool:
    """Say whether the last line is an end, as far as a short look shows."""
    start = max(0, size_bytes - TAIL_BYTES)
    last = os.pread(descriptor, TAIL_BYTES, start).rstrip(b"\n").rpartition(b"\n")[2]
    return last.startswith(b'{"end":') and is_whole(last)


def _check_header(descriptor: int, size_bytes: int) -> None:
    """Raise NoJournalError where the first line is no header of ours."""
    if size_bytes == 0:
        raise NoJournalError("it is empty")
    text, count = os.pread(descriptor, TAIL_BYTES, 0), TAIL_BYTES
    while text.startswith(_BEGINNING) and b"\n" not in text and count < min(size_bytes, MAX_LINE_BYTES):
        count *= 8
        text = os.pread(descriptor, count, 0)
    line, line_end, _ = text.partition(b"\n")
    if not line_end:
        raise NoJournalError("it has no whole header")
    try:
        header_of(line)
    except LineError as error:
        raise NoJournalError(f"its first line {error}") from None


def _tail(descriptor: int, size_bytes: int) -> _Tail:
    """Return what a journal ends with; a last line that is not whole is no part of it."""
    count = TAIL_BYTES
    while count < 8 * MAX_LINE_BYTES:
        start = max(0, size_bytes - count)
        tail = _tail_of(os.pread(descriptor, size_bytes - start, start), start)
        if tail is not None:
            return tail
        count *= 8
    raise NoJournalError("its last lines are too long")


def _tail_of(text: bytes, start: int) -> _Tail | None:
    """Return what a journal ends with, of which this is the text from `start` on; None where it does not suffice."""
    # The first line of a part may be the rest of one.
    lines = text.splitlines(keepends=True)[start > 0 :]
    torn_bytes = 0
    while lines and not is_whole(lines[-1]):
        torn_bytes += len(lines.pop())
    values = [values_of(line) for line in lines if is_whole(line)]
    named = [line.get("to", line["state"]) for line in values if "state" in line]
    if not values or (not named and start):
        return None
    state = str(named[-1]) if named else State.CALIBRATING.name
    return _Tail(values[-1], start + len(text) - torn_bytes, lines[-1].endswith(b"\n"), state)
