"""Reading a journal, and running its call again on the machine: what replay, report and the charts stand on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from callfsm.audit.lines import LineError, clips_of, end_of, entry_of, header_of, is_whole, silence, values_of
from callfsm.call import Call
from callfsm.config import Business, Config
from callfsm.config_checks import ConfigError
from callfsm.config_file import config_from
from callfsm.effects import CreateResponse, Effect, Log
from callfsm.events import Event
from callfsm.machine import dispatch
from callfsm.speaking.prompts import continue_instructions
from callfsm.states.base import State

GATE_LINE: Final = "[AUDIO GATE]"
"""How the log line of a frame that was dropped begins."""


class JournalError(ValueError):
    """A journal that cannot be read. The text names the file, the line, and what is wrong with it."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}")


@frozen
class Entry:
    """One line of a journal: an event with the states before and after it, or a log line that is the shell's."""

    line: int
    what: Event | Log
    state: State | None = None
    to: State | None = None


@frozen
class Recording:
    """A journal that has been read. `end` is None, and `torn` says so, where the file breaks off."""

    path: Path
    header: dict[str, Any]
    config: Config
    entries: tuple[Entry, ...]
    end: dict[str, Any] | None
    is_torn: bool = False

    @property
    def call_sid(self) -> str:
        """The call's own name."""
        return str(self.header["call_sid"])

    @property
    def business(self) -> Business:
        """Whose call it was."""
        return self.config.business_of(self.header["business"])

    @property
    def started_at(self) -> float:
        """The time of the first event, in the monotonic seconds of the journal."""
        return next((entry.what.at for entry in self.entries if not isinstance(entry.what, Log)), 0.0)

    def begin(self, config: Config | None = None) -> Call:
        """Return the call as it was before its first event, with other numbers where a configuration is given."""
        config = config or self.config
        return Call.begin(
            config,
            config.business_of(self.header["business"]),
            greeting_clip=silence(self.header["greeting_clip_bytes"]),
            greeting_levels_rms=tuple(self.header["greeting_clip_levels_rms"]),
            clips=clips_of(self.header),
        )


@frozen
class Step:
    """What one line of a journal does to the call, run again.

    `call` is the live call as it is after this step, and goes on changing with the next one.
    `moves` are the changes of state, those of internal events too.
    """

    entry: Entry
    source: State
    dest: State
    moves: tuple[tuple[State, type[Event], State], ...]
    effects: tuple[Effect, ...]
    call: Call
    error: Exception | None = None
    """The bug of ours that this event met; the call ended there."""

    @property
    def event(self) -> Event | None:
        """What happened; None for a line of the log that is the shell's."""
        return None if isinstance(self.entry.what, Log) else self.entry.what

    @property
    def is_as_recorded(self) -> bool:
        """The event led from the state that the journal names to the one that it names."""
        return self.event is None or (self.source, self.dest) == (self.entry.state, self.entry.to)


def read_journal(path: Path) -> Recording:
    """Return what a journal holds; raise JournalError, naming the line, for one that is not ours or of another time.

    A file that breaks off, in the middle of its last line too, is read up to there: its process was killed.
    """
    try:
        *lines, tail = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(path, 1, f"cannot be read ({error.strerror})") from None
    if is_whole(tail):
        lines, tail = [*lines, tail], b""
    with _line_of(path, 1):
        header = header_of((lines or [tail])[0])
    try:
        config = config_from(header["config"])
    except ConfigError as error:
        raise JournalError(path, 1, f"its configuration is not one of this version: {error}") from None
    entries: list[Entry] = []
    end = None
    at = 0.0
    for number, text in enumerate(lines[1:], 2):
        with _line_of(path, number):
            values = values_of(text)
            if end is not None:
                raise JournalError(path, number, "stands behind the end of the call")
            if "end" in values:
                end = end_of(values)
                continue
            what, state, to = entry_of(values, at)
        entries.append(Entry(number, what, state, to))
        at = at if isinstance(what, Log) else what.at
    return Recording(path, header, config, tuple(entries), end, bool(tail) or end is None)


@contextmanager
def _line_of(path: Path, number: int) -> Iterator[None]:
    """Name the line and the file of what is wrong with a line."""
    try:
        yield
    except LineError as error:
        raise JournalError(path, number, str(error)) from None


def take(call: Call, entry: Entry) -> Step:
    """Feed one line of a journal to a call; a bug of ours that it meets stands in the step."""
    if isinstance(entry.what, Log):
        return Step(entry, call.state, call.state, (), (entry.what,), call)
    source, effects = call.state, list[Effect]()
    error = None
    try:
        effects = dispatch(call, entry.what)
    except Exception as bug:  # noqa: BLE001 - the live call met it too; a replay shows where
        error = bug
    return Step(entry, source, call.state, tuple(call.moves), tuple(effects), call, error)


def asks_for_the_rest(call: Call, request: CreateResponse) -> bool:
    """Say whether a request is for the rest of a reply that was stopped."""
    return request.instructions == continue_instructions(call.briefing)


def is_gate_line(effect: Effect) -> bool:
    """Say whether an effect is the log line of a frame that was dropped at the gate."""
    return isinstance(effect, Log) and effect.message.startswith(GATE_LINE)


def run(recording: Recording, config: Config | None = None) -> Iterator[Step]:
    """Feed the journal's events to a new call, with other numbers where a configuration is given.

    Where the call meets a bug of ours, the step says so and no event follows; the lines that the shell logged do.
    """
    call = recording.begin(config)
    is_broken = False
    for entry in recording.entries:
        if isinstance(entry.what, Log) or not is_broken:
            step = take(call, entry)
            is_broken = is_broken or step.error is not None
            yield step
