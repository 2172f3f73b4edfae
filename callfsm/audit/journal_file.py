"""One journal's file, held by a lock: whole lines stand in it and nothing else, whatever the disk does."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path


class LinesLostError(Exception):
    """The disk did not take all lines. `lines` is how many it did not, the text says why."""

    def __init__(self, lines: int, why: str) -> None:
        super().__init__(why)
        self.lines = lines


class NoHeaderError(LinesLostError):
    """There is no file, for its header was lost before."""


class JournalFile:
    """The file of one call. The lock on it says that its writer lives.

    It is made with its first lines. Where the disk does not take the first of them, the header, nobody could read the
    rest: there is no file then, and all lines are lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._has_header = False
        self._given_up = ""
        """Why there is no file."""
        self._torn_from: int | None = None
        """Where a line stands of which the disk took a part only."""

    def append(self, text: bytes) -> None:
        """Append lines; raise LinesLostError where not all of them are in the file."""
        if self._given_up:
            raise NoHeaderError(text.count(b"\n"), self._given_up)
        begin = written = 0
        try:
            begin = self._end()
            while written < len(text):
                written += os.write(self._opened(), text[written:])
        except OSError as error:
            why = error.strerror or str(error)
            whole = text.rfind(b"\n", 0, written) + 1
            if whole < written:
                self._torn_from = begin + whole
            self._has_header = self._has_header or whole > 0
            self._recover(why)
            raise LinesLostError(text.count(b"\n", whole), why) from None
        self._has_header = True

    def close(self) -> None:
        """Close the file and let go of the lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _opened(self) -> int:
        if self._descriptor is None:
            # What callers say is nobody else's business; and a file that is there already is another call's.
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            # Where there are no locks, journals are written all the same: who cannot lock one closes none either.
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._descriptor

    def _end(self) -> int:
        """Return where the file ends, behind a whole line; raise OSError where nobody would find what is written."""
        if self._torn_from is not None:
            os.ftruncate(self._opened(), self._torn_from)
            self._torn_from = None
        status = os.fstat(self._opened())
        if status.st_nlink == 0:
            raise OSError(errno.ENOENT, "the file was deleted")
        return status.st_size

    def _recover(self, why: str) -> None:
        """Leave a file that can be read, or none."""
        with contextlib.suppress(OSError):
            if self._has_header:
                self._end()
            else:
                self._given_up = why
                if self._descriptor is not None:
                    self._path.unlink()
        if self._given_up:
            self.close()
