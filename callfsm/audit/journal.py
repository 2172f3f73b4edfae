"""The journal: one JSONL file a call, one line an event, with all that a replay needs and no audio.

The first line is the header (versions, the business, the whole configuration); then one line an event with the
state before and after it; the last line says why the call ended. A thread of its own writes in batches, so that a
stalled disk never delays audio.
"""

import logging
import os
import queue
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from callfsm.events import AudioDelta, Event
from callfsm.states.base import State

FORMAT_VERSION: Final = 2
BATCH_S: Final = 0.05
CLOSE_S: Final = 5.0
MAX_WAITING_LINES: Final = 200_000
"""Beyond this the disk has been stalled for long, and lines are dropped and counted."""
_LOG: Final = logging.getLogger("callfsm.journal")
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

    def __init__(self, writer: "JournalWriter", path: Path) -> None:
        self._writer = writer
        self.path = path

    def begin(self, header: dict[str, Any]) -> None:
        """Write the header."""
        self._writer.put(self.path, {"journal": FORMAT_VERSION, **header})

    def record(self, event: Event, source: State, dest: State) -> None:
        """Write an event, and the state before and after it."""
        self._writer.put(self.path, (event, source, dest))

    def note(self, level: int, message: str) -> None:
        """Write a line of the call's log that no event explains."""
        self._writer.put(self.path, {"log": {"level": level, "message": message}})

    def end(self, summary: dict[str, Any]) -> None:
        """Write the last line and close the file."""
        self._writer.put(self.path, {"end": summary})
        self._writer.put(self.path, None)


_Line = dict[str, Any] | tuple[Event, State, State]


class JournalWriter:
    """The thread that writes all journals of a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lines: queue.SimpleQueue[tuple[Path, _Line | None] | None] = queue.SimpleQueue()
        self._files: dict[Path, int] = {}
        self._torn: set[Path] = set()
        """Files whose last line was cut off by a full disk: the next one begins anew."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()
        self.dropped = 0
        self.failed = 0

    def open(self, started: str, call_sid: str) -> Journal:
        """Return the journal of a call that began at this time (it orders the files of the directory)."""
        return Journal(self, self._directory / f"{started}-{_UNSAFE.sub('_', call_sid)[:64]}.jsonl")

    def put(self, path: Path, line: _Line | None) -> None:
        """Queue a line; None closes the file."""
        if line is not None and self._lines.qsize() > MAX_WAITING_LINES:
            if not self.dropped:
                _LOG.error("[JOURNAL] The disk is stalled: lines are dropped")
            self.dropped += 1
            return
        self._lines.put((path, line))

    def close(self) -> None:
        """Write what is queued and stop; give up on a disk that stalls."""
        self._closing.set()
        self._lines.put(None)
        self._thread.join(CLOSE_S)

    def _write(self) -> None:
        is_open = True
        while is_open:
            batch = [self._lines.get()]
            self._closing.wait(BATCH_S)
            while not self._lines.empty():
                batch.append(self._lines.get())
            is_open = None not in batch
            self._write_batch(item for item in batch if item is not None)
        for path in list(self._files):
            self._close(path)

    def _write_batch(self, batch: Iterable[tuple[Path, _Line | None]]) -> None:
        texts: dict[Path, list[bytes]] = {}
        ended: list[Path] = []
        for path, line in batch:
            if line is None:
                ended.append(path)
            else:
                values = line if isinstance(line, dict) else line_of(*line)
                texts.setdefault(path, []).append(msgspec.json.encode(values) + b"\n")
        for path, lines in texts.items():
            try:
                self._append(path, b"".join(lines))
            except OSError as error:
                if not self.failed:
                    _LOG.error("[JOURNAL] Cannot be written: %s", error.strerror)
                self.failed += 1
        for path in ended:
            self._close(path)

    def _append(self, path: Path, text: bytes) -> None:
        if path not in self._files:
            # What callers say is nobody else's business.
            self._files[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if path in self._torn:
            text = b"\n" + text
        self._torn.add(path)
        while text:
            text = text[os.write(self._files[path], text) :]
        self._torn.discard(path)

    def _close(self, path: Path) -> None:
        self._torn.discard(path)
        descriptor = self._files.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)
