"""One call as a readable timeline: what the caller did and heard, and what the machine did."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from callfsm.sim.media_line import Entry, Kind

_TOLD = {
    Kind.SAY: "caller      begins to speak",
    Kind.SAID: "caller      has spoken",
    Kind.SOUND: "caller      hears the assistant",
    Kind.QUIET: "caller      hears silence",
    Kind.CLEAR: "twilio      clear",
}


def timeline(log: list[Entry], started_s: float, journal: Path | None) -> list[str]:
    """Return the lines of a call in order of time; seconds are counted from the call's first frame."""
    moments = [(entry.at_s, _TOLD[entry.kind]) for entry in log if entry.kind in _TOLD]
    if journal is not None:
        moments += _of_journal(journal)
    return [f"  {at_s - started_s:6.2f} s  {what}" for at_s, what in sorted(moments, key=lambda moment: moment[0])]


def _of_journal(path: Path) -> Iterator[tuple[float, str]]:
    for line in path.read_text(encoding="utf-8").split("\n")[1:-1]:
        event = json.loads(line)
        if "at" in event and (told := _told(event)):
            yield event["at"], told


def _told(event: dict[str, Any]) -> str:
    told = ""
    if event["event"] == "TranscriptCompleted":
        told = f"transcript  {event['transcript']!r}"
    elif event["event"] == "ReplyTranscript":
        told = f"reply       {event['transcript']!r}"
    elif event["event"] == "ResponseDone":
        told = f"openai      response.done, {event['status']}"
    if "to" in event:
        change = f"machine     {event['state']} -> {event['to']} on {event['event']}"
        told = f"{told}\n{'':11}{change}" if told else change
    return told
