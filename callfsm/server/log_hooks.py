"""What Python prints by itself when nobody catches an exception, or at a warning: records of the log instead.

Printed, it would have what the exception says, and it would wait for who does not read standard error.
"""

import logging
import sys
import threading
import warnings
from pathlib import PurePath
from types import TracebackType
from typing import Final, TextIO

UNCAUGHT_LINE: Final = "[BUG] Nobody caught an exception, in %s"
_LOG: Final = logging.getLogger("callfsm.server")
_WARNINGS: Final = logging.getLogger("py.warnings")


def log_what_python_prints() -> None:
    """Log it from now on."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warned


def _log(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, place: str) -> None:
    # Where memory was short there is no exception, only its type.
    shown = (kind, error, trace) if error is not None else None
    _LOG.error(UNCAUGHT_LINE, place, exc_info=shown)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log(kind, error, trace, "the main thread")


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread is not None else "that is gone"
        _log(args.exc_type, args.exc_value, args.exc_traceback, f"the thread {name}")


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    _log(args.exc_type, args.exc_value, args.exc_traceback, "a finalizer")


def _warned(  # noqa: PLR0917 - Python calls it
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    # In the words that the formatter leaves of a library's line.
    _WARNINGS.warning("%s in %s, line %d, %s", category.__name__, PurePath(filename).name, lineno, message)
