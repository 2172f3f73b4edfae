"""Reading a journal, and running its call again on the machine: what replay, report and the charts stand on."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import attrs
import msgspec
from attrs import frozen

from callfsm.audit.journal import FORMAT_VERSION
from callfsm.call import Call
from callfsm.config import Business, Config, ConfigError
from callfsm.config_file import config_from
from callfsm.effects import Effect, Log
from callfsm.events import EVENTS, AudioDelta, Event, ReplyDue, RmsFrame
from callfsm.machine import dispatch
from callfsm.states.base import State

_EVENTS: Final = {event.__name__: event for event in EVENTS if event is not ReplyDue}
"""What a journal may hold: dispatch alone feeds ReplyDue."""
_HEADER: Final = {"call_sid": str, "business": str, "started": str, "greeting_clip_bytes": int, "config": dict}
_SILENCE: Final = b"\xff"
"""Mu-law for nothing: a journal tells how much audio there was and not how it sounded."""
MAX_AUDIO_BYTES: Final = 2**28
"""The largest message of OpenAI that a configuration allows holds no more."""
MAX_RMS: Final = 32_768.0
"""Full scale of 16-bit linear PCM."""
BACK_S: Final = 0.01
"""The event loop's clock counts milliseconds, so a timer may be fed that much ahead of the event behind it."""
_ValueT = TypeVar("_ValueT")


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
        clip = silence(self.header["greeting_clip_bytes"])
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
        *lines, tail = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(path, 1, f"cannot be read ({error.strerror})") from None
    if _is_whole(tail):
        lines, tail = [*lines, tail], b""
    header = _header(path, lines or [tail])
    try:
        config = config_from(header["config"])
    except ConfigError as error:
        raise JournalError(path, 1, f"its configuration is not one of this version: {error}") from None
    entries: list[Entry] = []
    end = None
    at = 0.0
    for number, text in enumerate(lines[1:], 2):
        values = _values(path, number, text)
        if end is not None:
            raise JournalError(path, number, "stands behind the end of the call")
        if "end" in values:
            end = _end(path, number, values)
        else:
            entries.append(_entry(path, number, values, at))
            what = entries[-1].what
            at = at if isinstance(what, Log) else what.at
    return Recording(path, header, config, tuple(entries), end, bool(tail) or end is None)


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


@lru_cache(maxsize=64)
def silence(count: int) -> bytes:
    """Return so many bytes of mu-law that sound like nothing."""
    return _SILENCE * count


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("lists within lists without end") from None


def _is_whole(text: bytes) -> bool:
    """Say whether the last line lacks nothing but its line end."""
    try:
        return isinstance(_decoded(text), dict)
    except ValueError:
        return False


def _values(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        values = _decoded(text)
    except ValueError:
        raise JournalError(path, number, "is not JSON") from None
    if not isinstance(values, dict):
        raise JournalError(path, number, "is not an object")
    return cast("dict[str, Any]", values)


def _header(path: Path, lines: list[bytes]) -> dict[str, Any]:
    header = _values(path, 1, lines[0]) if lines[0] else {}
    version = header.get("journal")
    if type(version) is not int:
        raise JournalError(path, 1, "is not the header of a journal of callfsm")
    if version != FORMAT_VERSION:
        raise JournalError(path, 1, f"is of journal format {version}; this version reads format {FORMAT_VERSION}")
    missing = _HEADER.keys() - header.keys()
    if missing:
        raise JournalError(path, 1, f"the header has no {', '.join(sorted(missing))}")
    wrong = [name for name, kind in _HEADER.items() if type(header[name]) is not kind]
    if not wrong and not 0 <= header["greeting_clip_bytes"] <= MAX_AUDIO_BYTES:
        wrong = ["greeting_clip_bytes"]
    if wrong:
        raise JournalError(path, 1, f"the header's {wrong[0]} is not of the right form")
    return header


def _end(path: Path, number: int, values: dict[str, Any]) -> dict[str, Any]:
    end = values["end"]
    if len(values) > 1 or not isinstance(end, dict) or not isinstance(end.get("reason"), str):
        raise JournalError(path, number, "is no end of a call of this version")
    return cast("dict[str, Any]", end)


def _entry(path: Path, number: int, values: dict[str, Any], after: float) -> Entry:
    try:
        if values.keys() == {"log"}:
            return Entry(number, _structured(values["log"], Log))
        fields = dict(values)
        event = _pop(fields, "event", _EVENTS)
        state = _pop(fields, "state", State.__members__)
        to = _pop(fields, "to", State.__members__) if "to" in fields else state
        if event is AudioDelta:
            fields["audio"] = silence(_audio_bytes(fields.pop("audio_bytes", None)))
        what = _structured(fields, event)
        _check(what, after)
    except ValueError as error:
        raise JournalError(path, number, f"is no event of this version: {error}") from None
    return Entry(number, what, state, to)


def _pop(fields: dict[str, Any], key: str, members: Mapping[str, _ValueT]) -> _ValueT:
    name = fields.pop(key, None)
    if not isinstance(name, str) or name not in members:
        raise ValueError(f"its {key} is none that there is")
    return members[name]


def _structured(values: Any, kind: type[_ValueT]) -> _ValueT:
    """Return the value of this type; raise ValueError where a field is missing, not known or of another type."""
    found = msgspec.convert(values, kind)
    unknown = values.keys() - {field.name for field in attrs.fields(cast("Any", kind))}
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return found


def _audio_bytes(count: Any) -> int:
    if type(count) is not int or not 0 < count <= MAX_AUDIO_BYTES:
        raise ValueError(f"audio_bytes must be a whole number from 1 to {MAX_AUDIO_BYTES}")
    return count


def _check(event: Event, after: float) -> None:
    if event.at < max(0.0, after - BACK_S):
        raise ValueError("at runs back in time")
    if isinstance(event, RmsFrame) and not 0 <= event.rms <= MAX_RMS:
        raise ValueError(f"rms must be a number from 0 to {MAX_RMS:g}")
