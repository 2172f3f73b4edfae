"""Reading a journal, and running its call again on the machine: what replay, report and the charts stand on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import cattrs
import msgspec
from attrs import frozen

from callfsm.audit.journal import FORMAT_VERSION
from callfsm.call import Call
from callfsm.config import Business, Config, ConfigError
from callfsm.config_file import config_from
from callfsm.effects import Effect, Log
from callfsm.events import EVENTS, AudioDelta, Event
from callfsm.machine import dispatch
from callfsm.states.base import State

_EVENTS: Final = {event.__name__: event for event in EVENTS}
_STRICT: Final = cattrs.Converter(forbid_extra_keys=True)
_SILENCE: Final = b"\xff"
"""Mu-law for nothing: a journal tells how much audio there was and not how it sounded."""


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
        clip = _SILENCE * self.header["greeting_clip_bytes"]
        return Call.begin(config, config.business_of(self.header["business"]), greeting_clip=clip)


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
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(path, 1, f"cannot be read ({error.strerror})") from None
    is_torn = bool(lines.pop())
    header = _header(path, lines)
    try:
        config = config_from(header["config"])
    except ConfigError as error:
        raise JournalError(path, 1, f"its configuration is not one of this version: {error}") from None
    entries: list[Entry] = []
    end = None
    for number, text in enumerate(lines[1:], 2):
        values = _values(path, number, text)
        if end is not None:
            raise JournalError(path, number, "stands behind the end of the call")
        if "end" in values:
            end = values["end"]
        else:
            entries.append(_entry(path, number, values))
    return Recording(path, header, config, tuple(entries), end, is_torn or end is None)


def run(recording: Recording, config: Config | None = None) -> Iterator[Step]:
    """Feed the journal's events to a new call, with other numbers where a configuration is given.

    Where the call meets a bug of ours, the step says so and no event follows; the lines that the shell logged do.
    """
    call = recording.begin(config)
    is_broken = False
    for entry in recording.entries:
        source, effects = call.state, list[Effect]()
        error = None
        if isinstance(entry.what, Log):
            effects = [entry.what]
        elif is_broken:
            continue
        else:
            try:
                effects = dispatch(call, entry.what)
            except Exception as bug:  # noqa: BLE001 - the live call met it too; a replay shows where
                error, is_broken = bug, True
        moves = () if isinstance(entry.what, Log) else tuple(call.moves)
        yield Step(entry, source, call.state, moves, tuple(effects), call, error)


def _values(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        values = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise JournalError(path, number, "is not JSON") from None
    if not isinstance(values, dict):
        raise JournalError(path, number, "is not an object")
    return cast("dict[str, Any]", values)


def _header(path: Path, lines: list[bytes]) -> dict[str, Any]:
    header = _values(path, 1, lines[0]) if lines else {}
    version = header.get("journal")
    if version is None:
        raise JournalError(path, 1, "is not the header of a journal of callfsm")
    if version != FORMAT_VERSION:
        raise JournalError(path, 1, f"is of journal format {version}; this version reads format {FORMAT_VERSION}")
    missing = {"call_sid", "business", "greeting_clip_bytes", "config", "started"} - header.keys()
    if missing:
        raise JournalError(path, 1, f"the header has no {', '.join(sorted(missing))}")
    return header


def _entry(path: Path, number: int, values: dict[str, Any]) -> Entry:
    try:
        if "log" in values:
            return Entry(number, _STRICT.structure(values["log"], Log))
        fields = dict(values)
        event = _EVENTS[fields.pop("event")]
        state = State[fields.pop("state")]
        to = State[fields.pop("to", state.name)]
        if event is AudioDelta:
            fields["audio"] = _SILENCE * fields.pop("audio_bytes")
        return Entry(number, _STRICT.structure(fields, event), state, to)
    except (KeyError, TypeError, ValueError, cattrs.BaseValidationError):
        raise JournalError(path, number, "is no event of this version") from None
