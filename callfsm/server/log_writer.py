"""The log's way to standard error: a bounded queue and a thread, so that no call waits for who does not read it."""

import logging
import os
import queue
import sys
import threading
from logging.handlers import QueueHandler, QueueListener
from typing import Any, Final

MAX_WAITING_BYTES: Final = 16 * 2**20
"""Beyond this nobody has read standard error for long, and new lines are dropped and counted."""
LINE_BYTES: Final = 16
"""What a waiting line takes beside its text."""
_OWN: Final = "callfsm.log"


class LineHandler(QueueHandler):
    """Makes each record the text that it will be, on the thread that logs, and queues it; it never waits.

    The queue is a simple one: a finalizer may log in the midst of a put, and would wait for any other for ever.
    """

    queue: queue.SimpleQueue[str | threading.Event]

    def __init__(self, writer: "LineWriter") -> None:
        super().__init__(writer.lines)
        self._writer = writer
        self._queued_bytes = 0
        self.lost_lines = 0

    def prepare(self, record: logging.LogRecord) -> str:
        """Return a record's text; what it was made of is let go."""
        return self.format(record)

    def enqueue(self, record: Any) -> None:
        """Queue a text; where there is no room it is lost."""
        if self._queued_bytes - self._writer.done_bytes > MAX_WAITING_BYTES:
            self.lost_lines += 1
            return
        self._queued_bytes += size_bytes(record)
        self.queue.put(record)

    def write(self, line: str) -> None:
        """Queue a line that is no record."""
        self.acquire()
        try:
            self.enqueue(line)
        finally:
            self.release()

    def say(self, level: int, message: str, *values: object) -> None:
        """Log what the log has to say of itself."""
        self.handle(logging.LogRecord(_OWN, level, "", 0, message, values, None))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Say where a record cannot be made text. logging would print what it holds."""
        if record.name == _OWN:
            self.lost_lines += 1
        else:
            self.say(logging.ERROR, "[LOG] A line cannot be made: %s, line %d", record.pathname, record.lineno)


class LineWriter(QueueListener):
    """The thread that writes. It alone waits for who reads, and it holds no lock meanwhile."""

    def __init__(self, descriptor: int) -> None:
        self.lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        super().__init__(self.lines)
        self._descriptor = descriptor
        self.handler = LineHandler(self)
        self.done_bytes = 0
        self._is_taken = True
        self._lost_lines = self._said_lines = 0

    @property
    def lost_lines(self) -> int:
        """How many lines nobody will read: for want of room, or as the descriptor does not take them."""
        return self.handler.lost_lines + self._lost_lines

    def handle(self, record: Any) -> None:
        """Write a text; behind the last one that waits, say how many are missing. An event is set in its turn."""
        is_event = isinstance(record, threading.Event)
        if not is_event:
            self._is_taken = self._write(record)
            self._lost_lines += not self._is_taken
            self.done_bytes += size_bytes(record)
        if self._is_taken and self.lines.empty() and self.lost_lines > self._said_lines:
            self._say_what_is_missing()
            if is_event:
                self.lines.put(record)
        elif is_event:
            record.set()

    def flush(self, seconds: float) -> bool:
        """Wait until all that is queued is written, but no longer than this; say whether it is."""
        is_written = threading.Event()
        self.lines.put(is_written)
        return is_written.wait(seconds)

    def _say_what_is_missing(self) -> None:
        lost = self.lost_lines
        missing, self._said_lines = lost - self._said_lines, lost
        self.handler.say(logging.WARNING, "[LOG] %d lines are lost: standard error did not take them", missing)

    def _write(self, text: str) -> bool:
        """Write to the descriptor itself: a lock of sys.stderr, held for ever, would break the end of the process."""
        data = f"{text}\n".encode(errors="backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            return False
        return True


def size_bytes(text: str) -> int:
    """Return what a waiting text takes in memory."""
    return LINE_BYTES + sys.getsizeof(text)
