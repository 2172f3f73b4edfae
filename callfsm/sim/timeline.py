"""One call as a readable timeline: what the caller did and heard, and what the machine did."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from callfsm.audit.recording import Step, read_journal, run
from callfsm.effects import Log
from callfsm.events import Event, ReplyTranscript, ResponseDone, TranscriptCompleted
from callfsm.sim.media_line import Entry, Kind
from callfsm.states.interrupting import BARGE_IN_LINE, CONFIRMED_LINE, RESUMED_LINE

_TOLD = {
    Kind.SAY: "caller      begins to speak",
    Kind.SAID: "caller      has spoken",
    Kind.SOUND: "caller      hears the assistant",
    Kind.QUIET: "caller      hears silence",
    Kind.CLEAR: "twilio      clear",
}


_INTERRUPTIONS: Final = {
    BARGE_IN_LINE: "a stop",
    CONFIRMED_LINE: "confirmed: somebody speaks",
    RESUMED_LINE: "goes on: it was nobody",
}
_INDENT: Final = " " * 11
"""Where a line begins that belongs to the one above it."""


def timeline(log: list[Entry], started_s: float, journal: Path | None) -> list[str]:
    """Return the lines of a call in order of time; seconds are counted from the call's first frame.

    The journal, where there is one, is run again; JournalError where it cannot be read.
    """
    moments = [(entry.at_s, _TOLD[entry.kind]) for entry in log if entry.kind in _TOLD]
    if journal is not None:
        moments += _of_journal(journal)
    return [f"  {at_s - started_s:6.2f} s  {what}" for at_s, what in sorted(moments, key=lambda moment: moment[0])]


def _of_journal(path: Path) -> Iterator[tuple[float, str]]:
    for step in run(read_journal(path)):
        if step.event is not None and (told := list(_told(step, step.event))):
            yield step.event.at, f"\n{_INDENT}".join(told)


def _told(step: Step, event: Event) -> Iterator[str]:
    match event:
        case TranscriptCompleted(transcript=transcript):
            yield f"transcript  {transcript!r}"
        case ReplyTranscript(transcript=transcript, is_whole=True):
            yield f"reply       {transcript!r}"
        case ResponseDone(status=status):
            yield f"openai      response.done, {status}"
        case _:
            pass
    for effect in step.effects:
        if isinstance(effect, Log) and effect.message in _INTERRUPTIONS:
            yield f"machine     {_INTERRUPTIONS[effect.message]}"
    for source, by, dest in step.moves:
        yield f"machine     {source.name} -> {dest.name} on {by.__name__}"
