"""Reading the lines of a journal: its header, an event, a line of the log, the end."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import attrs
import msgspec

from callfsm.audit.journal import FORMAT_VERSION
from callfsm.effects import Log
from callfsm.events import EVENTS, AudioDelta, Event, ReplyDue, RmsFrame
from callfsm.speaking.clips import CLIP_ITEM, Clip, Clips
from callfsm.speaking.playback import Piece
from callfsm.states.base import State

_EVENTS: Final = {event.__name__: event for event in EVENTS if event is not ReplyDue}
"""What a journal may hold: dispatch alone feeds ReplyDue."""
_HEADER: Final = {
    "call_sid": str, "business": str, "started": str, "greeting_clip_bytes": int, "config": dict,
    "greeting_clip_levels_rms": list,
}  # fmt: skip
_SILENCE: Final = b"\xff"
"""Mu-law for nothing: a journal tells how much audio there was and not how it sounded."""
MAX_AUDIO_BYTES: Final = 2**28
"""The largest message of OpenAI that a configuration allows holds no more."""
MAX_RMS: Final = 32_768.0
"""Full scale of 16-bit linear PCM."""
BACK_S: Final = 0.01
"""The event loop's clock counts milliseconds, so a timer may be fed that much ahead of the event behind it."""
_ValueT = TypeVar("_ValueT")


class LineError(ValueError):
    """What is wrong with a line. Which line of which file it is, the reader of the file knows."""


@lru_cache(maxsize=64)
def silence(count: int) -> bytes:
    """Return so many bytes of mu-law that sound like nothing."""
    return _SILENCE * count


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("lists within lists without end") from None


def is_whole(text: bytes) -> bool:
    """Say whether the last line of a file lacks nothing but its line end."""
    try:
        return isinstance(_decoded(text), dict)
    except ValueError:
        return False


def values_of(text: bytes) -> dict[str, Any]:
    """Return the values of any line."""
    try:
        values = _decoded(text)
    except ValueError:
        raise LineError("is not JSON") from None
    if not isinstance(values, dict):
        raise LineError("is not an object")
    return cast("dict[str, Any]", values)


def header_of(text: bytes) -> dict[str, Any]:
    """Return the header, of which all is there that a replay needs; its configuration is not looked into."""
    header = values_of(text) if text else {}
    version = header.get("journal")
    if type(version) is not int:
        raise LineError("is not the header of a journal of callfsm")
    if version != FORMAT_VERSION:
        raise LineError(f"is of journal format {version}; this version reads format {FORMAT_VERSION}")
    missing = _HEADER.keys() - header.keys()
    if missing:
        raise LineError(f"the header has no {', '.join(sorted(missing))}")
    wrong = [name for name, kind in _HEADER.items() if type(header[name]) is not kind]
    if not wrong and not 0 <= header["greeting_clip_bytes"] <= MAX_AUDIO_BYTES:
        wrong = ["greeting_clip_bytes"]
    if not wrong and not all(type(level) is int for level in header["greeting_clip_levels_rms"]):
        wrong = ["greeting_clip_levels_rms"]
    if wrong:
        raise LineError(f"the header's {wrong[0]} is not of the right form")
    clips_of(header)
    return header


def clips_of(header: dict[str, Any]) -> Clips:
    """Return the recordings that were at hand in mid-call, which sound like nothing; none in an older journal."""
    told = header.get("clips", {})
    try:
        return Clips(**{name: _clip(**clip) for name, clip in told.items()})
    except (AttributeError, TypeError, ValueError):
        raise LineError("the header's clips is not of the right form") from None


def _clip(*, bytes: int, levels_rms: list[int], words: str = "") -> Clip:  # noqa: A002 - as the header names it
    is_right = type(bytes) is int and 0 <= bytes <= MAX_AUDIO_BYTES and all(type(one) is int for one in levels_rms)
    if not is_right or type(words) is not str:
        raise ValueError("no clip")
    return Clip(Piece(CLIP_ITEM, silence(bytes), tuple(levels_rms)), words)


def end_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return what the last line says of the call's end."""
    end = values["end"]
    if len(values) > 1 or not isinstance(end, dict) or not isinstance(end.get("reason"), str):
        raise LineError("is no end of a call of this version")
    return cast("dict[str, Any]", end)


def entry_of(values: dict[str, Any], after: float) -> tuple[Event | Log, State | None, State | None]:
    """Return an event, none before this time, with the states before and after it, or a log line that is the shell's.

    The time is in the monotonic seconds of the journal.
    """
    try:
        if values.keys() == {"log"}:
            return _structured(values["log"], Log), None, None
        fields = dict(values)
        event = _pop(fields, "event", _EVENTS)
        state = _pop(fields, "state", State.__members__)
        to = _pop(fields, "to", State.__members__) if "to" in fields else state
        if event is AudioDelta:
            fields["audio"] = silence(_audio_bytes(fields.pop("audio_bytes", None)))
        what = _structured(fields, event)
        _check(what, after)
    except ValueError as error:
        raise LineError(f"is no event of this version: {error}") from None
    return what, state, to


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
    if isinstance(event, RmsFrame) and not 0 <= event.voicing <= 1:
        raise ValueError("voicing must be a number from 0 to 1")
    if isinstance(event, AudioDelta) and not all(0 <= level <= MAX_RMS for level in event.levels_rms):
        raise ValueError(f"levels_rms must be numbers from 0 to {MAX_RMS:g}")
