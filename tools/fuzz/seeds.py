"""What fuzzing begins with: what the simulated peers say in the demo's stories, and small files of each kind."""

import io
import json
import re
import wave
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final

from attrs import frozen

from callfsm.audit.journal import line_of
from callfsm.events import CallEnded, Event, RealtimeError, ResponseDone, RmsFrame, TranscriptCompleted
from callfsm.hearing.mulaw import SAMPLE_RATE_HZ
from callfsm.sim.stories import GREETING_NUMBER, STORIES, Story
from callfsm.sim.virtual_call import Frame, Message
from callfsm.sim.virtual_story import perform
from callfsm.states.base import State
from callfsm.wire.realtime import decode

from .calls import MOST_FRAMES
from .targets import TARGETS

QUOTED: Final = re.compile(r'"([A-Za-z_.]{2,60})"')
LINE: Final = "line"
MOST_OF_A_TYPE: Final = 10
SPEECH_CHARS: Final = 216
"""A piece of speech is cut to so much base64, 80 ms and a bit: the rest of it would teach nothing."""
PRIVATE: Final = (
    "כרטיס 4111 1111 1111 1111 תודה", "05 0-12 3 4567 הוא שלי", "ת.ז. 123456782", "dana@example.com.",
    "+1 (212) 555-0100",
    "25/11/2026 10:30 1,250", "\u0660\u0665\u0660-1234567", "4111\u200f1111,1111 1111", "00 972 50 123 4567 ext 12",
)  # fmt: skip

MEDIA: Final = (
    b'{"event":"media","sequenceNumber":"3","streamSid":"MZ1","media":{"track":"inbound","payload":"'
    + b"/" * 213
    + b'w=="}}',
    b'{"event":"dtmf","sequenceNumber":"4","streamSid":"MZ1","dtmf":{"track":"inbound_track","digit":"1"}}',
)


@frozen
class Told:
    """What a peer sent in a story: its message, or a frame of the line."""

    peer: str
    body: bytes = b""
    is_loud: bool = False


def _short(message: dict[str, object]) -> bytes:
    if isinstance(delta := message.get("delta"), str):
        message = message | {"delta": delta[:SPEECH_CHARS]}
    return json.dumps(message, ensure_ascii=False).encode()


def _told(story: Story) -> Iterator[Told]:
    """Yield what the peers sent; of each type the first few, and of what means nothing to a call the first alone."""
    seen = Counter[str]()
    for happened in perform(story).happened:
        if isinstance(happened, Frame):
            yield Told(LINE, is_loud=happened.is_loud)
        elif isinstance(happened, Message) and not happened.is_ours:
            body = _short(happened.body)
            is_told = happened.peer == "twilio" or decode(body, 0.0) is not None
            if seen[happened.name] < (MOST_OF_A_TYPE if is_told else 1):
                yield Told(happened.peer, body)
            seen[happened.name] += 1


def _session(told: list[Told], business: int) -> bytes:
    """Return a story as a session; runs of frames are told by their number."""
    lines = [bytes([business]), b"R\0 "]
    for _, run in groupby(told, key=lambda each: (each.peer, each.is_loud)):
        together = list(run)
        if together[0].peer == LINE:
            lines.append(b"F\0 " + bytes([together[0].is_loud, MOST_FRAMES - 1 + min(len(together), MOST_FRAMES)]))
        else:
            lines += [(b"T\0 " if each.peer == "twilio" else b"O\0 ") + each.body for each in together]
    return b"\n".join(lines)


def _wavs() -> Iterator[bytes]:
    for width in (1, 2):
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setparams((1, width, SAMPLE_RATE_HZ, 0, "NONE", ""))
            writer.writeframes(bytes(range(100)))
        yield file.getvalue()
    fmt = b"fmt \x12\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0\0\0"
    yield b"RIFF\x40\0\0\0WAVE" + fmt + b"fact\x04\0\0\0\x04\0\0\0data\x04\0\0\0\xff\xff\xff\xff"


def _journals() -> Iterator[bytes]:
    events: list[Event] = [
        RmsFrame(1.0, 90.0, "", 0.5), TranscriptCompleted(2.0, "i", "כן"), CallEnded(3.0, "hangup"),
        ResponseDone(2.5, "r", 1, "completed", ("a",)), RealtimeError(2.5, "x", None),
    ]  # fmt: skip
    for event in events:
        yield json.dumps(line_of(event, State.LISTENING, State.ENDED)).encode()
    yield b'{"end":{"reason":"hangup","state":"ENDED","counts":{}}}'


def _inputs(target: str, stories: list[list[Told]]) -> Iterator[bytes]:
    messages = [each for told in stories for each in told if each.peer != LINE]
    match target:
        case "twilio" | "realtime":
            peer = "twilio" if target == "twilio" else "openai"
            yield from {each.body for each in messages if each.peer == peer}
            yield from MEDIA if target == "twilio" else ()
        case "session":
            for story, told in zip(STORIES, stories, strict=True):
                yield _session(told, story.called == GREETING_NUMBER)
        case "redaction":
            yield from (bytes(range(0, 256, 40)) + text.encode() for text in PRIVATE)
        case "wav":
            yield from _wavs()
        case "journal":
            yield from _journals()
        case _:
            yield from (bytes([start, *range(start, 256, 7)]) for start in range(0, 256, 16))


def plant(folder: Path) -> None:
    """Write the seeds of every target that has none yet into `folder/<target>`."""
    missing = [name for name in TARGETS if not (folder / name).is_dir()]
    stories = [list(_told(story)) for story in STORIES] if missing else []
    for name in missing:
        (folder / name).mkdir(parents=True)
        for data in _inputs(name, stories):
            (folder / name / sha256(data).hexdigest()[:16]).write_bytes(data)


def dictionary() -> str:
    """Return the words of both protocols, as libFuzzer reads them."""
    words = {word for story in STORIES for told in _told(story) for word in QUOTED.findall(told.body.decode())}
    return "".join(f'"\\"{word}\\""\n' for word in sorted(words))
