"""The journal: one JSONL file a call, one line an event, with all that a replay needs and no audio.

The first line is the header (versions, the business, the whole configuration); then one line an event with the
state before and after it; the last line says why the call ended. A thread of its own writes in batches, so that a
stalled disk never delays audio.
"""

import queue
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from callfsm.audit.journal_file import JournalFile, LinesLostError, NoHeaderError
from callfsm.audit.losses import Count, Losses
from callfsm.events import AudioDelta, Event
from callfsm.states.base import State

FORMAT_VERSION: Final = 2
BATCH_S: Final = 0.05
CLOSE_S: Final = 5.0
MAX_WAITING_BYTES: Final = 64 * 2**20
"""Beyond this the disk has been stalled for long, and lines are dropped and counted."""
LINE_BYTES: Final = 128
"""What a waiting line takes beside its text."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")

_FIELDS: dict[type[Event], tuple[tuple[str, Any], ...]] = {}


def _fields(event: Event) -> tuple[tuple[str, Any], ...]:
    """Return the names of an event's fields that a line tells, each with its default."""
    kind = type(event)
    if kind not in _FIELDS:
        told = [a for a in attrs.fields(kind) if a.name not in ("at", "payload", "audio")]
        _FIELDS[kind] = tuple((a.name, a.default) for a in told)
    return _FIELDS[kind]


def line_of(event: Event, source: State, dest: State) -> dict[str, Any]:
    """Return an event's line, without what is as it is by default. Of audio it tells how much and how loud."""
    line: dict[str, Any] = {"at": event.at, "event": type(event).__name__}
    values = ((name, getattr(event, name), default) for name, default in _fields(event))
    line.update((name, value) for name, value, default in values if value != default)
    if isinstance(event, AudioDelta):
        line["audio_bytes"] = len(event.audio)
    line["state"] = source.name
    if dest is not source:
        line["to"] = dest.name
    return line


class Journal:
    """The journal of one call. Its methods only queue; they never wait."""

    def __init__(self, writer: "JournalWriter", path: Path, shown: Callable[[Event], Event] | None = None) -> None:
        self._writer = writer
        self.path = path
        self._shown = shown
        self._has_header = False
        self._is_over = False

    def begin(self, header: dict[str, Any]) -> None:
        """Write the header."""
        self._has_header = self._writer.put(self.path, _text({"journal": FORMAT_VERSION, **header}))

    def record(self, event: Event, source: State, dest: State) -> None:
        """Write an event, and the state before and after it."""
        self._put(line_of(self._shown(event) if self._shown else event, source, dest))

    def note(self, level: int, message: str) -> None:
        """Write a line of the call's log that no event explains."""
        self._put({"log": {"level": level, "message": message}})

    def end(self, summary: dict[str, Any]) -> None:
        """Write the last line and close the file; only the first end counts, and nothing comes behind it."""
        if not self._is_over:
            self._put({"end": summary})
            self._is_over = True
            self._writer.finish(self.path)

    def _put(self, line: dict[str, Any]) -> None:
        if self._is_over:
            return
        # Without its header nobody could read the file.
        if self._has_header:
            self._writer.put(self.path, _text(line), is_last="end" in line)
        else:
            self._writer.drop_without_header()


def _text(line: dict[str, Any]) -> bytes:
    """Return a line as it stands in the file.

    It is made on the event loop, where a bug that it meets ends the one call, and where what an event holds besides,
    audio above all, is let go at once.
    """
    return msgspec.json.encode(line) + b"\n"


class JournalWriter:
    """The thread that writes all journals of a directory."""

    def __init__(self, directory: Path, count_lost: Count = lambda _reason, _lines: None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lines: queue.SimpleQueue[tuple[Path, bytes | None] | None] = queue.SimpleQueue()
        # Of each pair the event loop alone changes the first number, and the thread the second.
        self._queued_lines = self._done_lines = 0
        self._queued_bytes = self._done_bytes = 0
        self._losses = Losses(count_lost)
        self._files: dict[Path, JournalFile] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def open(self, started: str, call_sid: str, shown: Callable[[Event], Event] | None = None) -> Journal:
        """Return the journal of a call that began at this time (it orders the files of the directory).

        `shown` says of each event what the journal may have of it, where that is not all.
        """
        return Journal(self, self._directory / f"{started}-{_UNSAFE.sub('_', call_sid)[:64]}.jsonl", shown)

    def put(self, path: Path, text: bytes, *, is_last: bool = False) -> bool:
        """Queue a line; say whether there was room for it, which there always is for a last one."""
        if self._queued_bytes - self._done_bytes > MAX_WAITING_BYTES and not is_last:
            self.drop()
            return False
        self._queued_lines += 1
        self._queued_bytes += len(text) + LINE_BYTES
        self._lines.put((path, text))
        return True

    def finish(self, path: Path) -> None:
        """Close a file when all that is queued for it is written."""
        self._lines.put((path, None))

    def drop(self) -> None:
        """Count a line for which there was no room."""
        self._losses.lost("stalled", 1, "the disk is stalled")

    def drop_without_header(self) -> None:
        """Count a line of a call for whose header there was no room."""
        self._losses.lost_without_header(1)

    def close(self) -> None:
        """Write what is queued and stop; give up on a disk that stalls."""
        self._closing.set()
        self._lines.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._losses.lost("stalled", self._queued_lines - self._done_lines, "the disk is stalled")
        self._losses.say_the_rest()

    def _write(self) -> None:
        is_open = True
        while is_open:
            batch = [self._lines.get()]
            self._closing.wait(BATCH_S)
            while not self._lines.empty():
                batch.append(self._lines.get())
            is_open = None not in batch
            self._write_batch([item for item in batch if item is not None])
        for path in list(self._files):
            self._close(path)

    def _write_batch(self, batch: Sequence[tuple[Path, bytes | None]]) -> None:
        texts: dict[Path, list[bytes]] = {}
        for path, text in batch:
            if text is not None:
                texts.setdefault(path, []).append(text)
        outcomes = {self._append(path, b"".join(lines)) for path, lines in texts.items()}
        written = [text for lines in texts.values() for text in lines]
        self._done_lines += len(written)
        self._done_bytes += sum(map(len, written)) + LINE_BYTES * len(written)
        if True in outcomes and False not in outcomes:
            self._losses.written()
        for path, text in batch:
            if text is None:
                self._close(path)

    def _append(self, path: Path, text: bytes) -> bool | None:
        """Append lines to a file; count those that it does not take, and say whether it took them all.

        None: the disk was not asked.
        """
        file = self._files.setdefault(path, JournalFile(path))
        try:
            file.append(text)
        except NoHeaderError as error:
            self._losses.lost_without_header(error.lines)
            return None
        except LinesLostError as error:
            self._losses.lost("failed", error.lines, str(error))
            return False
        return True

    def _close(self, path: Path) -> None:
        file = self._files.pop(path, None)
        if file is not None:
            file.close()
