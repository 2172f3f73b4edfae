"""The demo's stories as Mermaid sequence charts: who sends what to whom, and what the machine makes of it.

Each is drawn from a run of the pure core in virtual time, so that it changes when a story or the machine does, and
never else. Messages that come by the dozen are drawn as one arrow with their amounts.
"""

import heapq
import re
from binascii import a2b_base64
from functools import cache
from typing import Final

import attrs

from callfsm.audit.diagram.dot import paint
from callfsm.audit.diagram.graph import MARKER
from callfsm.audit.diagram.sequences_text import UNTOLD, Run, safe, told
from callfsm.effects import INFO
from callfsm.hearing.mulaw import BYTES_PER_MS, FRAME_MS
from callfsm.hearing.turn import TurnPhase
from callfsm.sim.media_line import Entry, Kind
from callfsm.sim.stories import STORIES, Story
from callfsm.sim.virtual_call import Frame, Happening, Line, Message, Move
from callfsm.sim.virtual_story import Performance, perform
from callfsm.states.base import State

FOLDER: Final = "sequences"
_HEAD: Final = (
    f"%% Not drawn, for they mean nothing to a call: {', '.join(UNTOLD)}",
    "actor Caller",
    "participant Twilio",
    "participant callfsm",
    "participant OpenAI as OpenAI Realtime",
)


def sequence_charts() -> dict[str, str]:
    """Return the charts of all stories by their path in the directory of the diagrams."""
    return dict(_charts())


@cache
def _charts() -> tuple[tuple[str, str], ...]:
    return tuple((path_of(number, story), _chart_of(story)) for number, story in enumerate(STORIES, 1))


def _chart_of(story: Story) -> str:
    """Draw a story; one that a changed machine no longer plays to its end is told as that, and so is out of date."""
    try:
        return chart(perform(story))
    except Exception as error:  # noqa: BLE001 - whatever stops it, the drawings of the table must still be checked
        return f"%% {MARKER}\n%% This story no longer comes to its end: {type(error).__name__}\n"


def path_of(number: int, story: Story) -> str:
    """Return where the chart of a story stands: its number, and what its title says before a colon."""
    words = re.findall(r"[a-z0-9]+", story.title.partition(":")[0].lower())
    return f"{FOLDER}/{number:02}-{'-'.join(words)}.mmd"


def chart(performance: Performance) -> str:
    """Draw a story that has been played."""
    caller = performance.ending.caller
    drawing = _Drawing(caller.started_s)
    for happened in heapq.merge(caller.log, performance.happened, key=lambda each: each.at_s):
        drawing.add(happened)
    title = f"title {safe(performance.story.title, width=200)}"
    body = (f"  {line}" for line in (title, *_HEAD, *drawing.finished()))
    return "\n".join([f"%% {MARKER}", "sequenceDiagram", *body]) + "\n"


@attrs.define
class _Drawing:
    """A chart in the making.

    The assistant's voice (its deltas, its words, the playback, the marks) is summed up to the next message
    of another kind, the caller's line to where a turn or a state begins or ends.
    """

    _zero_s: float
    _lines: list[str] = attrs.field(factory=list, init=False)
    _voice: dict[str, Run] = attrs.field(factory=dict, init=False)
    _frames: Run = attrs.field(init=False)
    _appends: Run = attrs.field(init=False)
    _has_turned: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._begin_frames()
        self._begin_appends()
        self._lines += [_rect(State.CALIBRATING), f"Note over callfsm: {State.CALIBRATING.name}"]

    def add(self, happened: Entry | Happening) -> None:
        """Draw what happened next."""
        match happened:
            case Entry():
                self._of_caller(happened)
            case Message():
                self._message(happened)
            case Frame():
                self._frame(happened)
            case Move():
                self._move(happened)
            case Line(_, level, message) if level >= INFO:
                self._draw(f"Note over callfsm: {safe(message)}")
            case Line():
                pass

    def finished(self) -> list[str]:
        """Return the lines of the chart."""
        self._draw_frames()
        return [*self._lines, "end"]

    def _of_caller(self, entry: Entry) -> None:
        at = self._time(entry.at_s)
        match entry.kind:
            case Kind.SAY:
                frames = int(entry.detail) // FRAME_MS
                self._draw(f"Caller->>Twilio: {at} speaks, {entry.detail} ms, {frames} frames")
            case Kind.SOUND:
                self._lines.append(f"Twilio->>Caller: {at} the assistant is heard")
            case Kind.QUIET:
                self._lines.append(f"Twilio->>Caller: {at} silence")
            case _:
                pass

    def _message(self, message: Message) -> None:
        body = message.body
        match message.peer, message.is_ours, message.name:
            case "openai", False, name if name in UNTOLD:
                pass
            case "openai", False, "response.output_audio.delta":
                self._run("reply", message).ms += _ms(body["delta"])
            case "openai", False, "response.output_audio_transcript.delta":
                self._run("words", message)
            case "openai", True, "input_audio_buffer.append":
                self._appends.count += 1
                self._appends.ms += _ms(body["audio"])
            case "twilio", True, "media":
                self._run("playback", message).ms += _ms(body["media"]["payload"])
            case "twilio", True, "mark" if "playback" in self._voice:
                self._voice["playback"].marks.append(body["mark"]["name"])
            case "twilio", True, "mark":
                self._draw(str(Run(_arrow(message), "mark", 1, marks=[body["mark"]["name"]])))
            case "twilio", False, "mark":
                self._run("echo", message).marks.append(body["mark"]["name"])
            case _:
                self._single(message)

    def _run(self, key: str, message: Message) -> Run:
        run = self._voice.setdefault(key, Run(_arrow(message), message.name))
        run.count += 1
        return run

    def _single(self, message: Message) -> None:
        if message.name == "stop":
            self._draw_frames()
        elif message.peer == "openai" and message.is_ours:
            self._draw_appends()
        self._draw(f"{_arrow(message)}: {told(message)}")

    def _frame(self, frame: Frame) -> None:
        if self._has_turned:
            # What went out with the frame before: the pre-roll, where that opened the gate.
            self._draw_appends()
        self._has_turned = frame.before is not frame.after
        if self._has_turned and frame.after is TurnPhase.SPEAKING:
            self._draw_frames()
            loud = ", loud" if frame.is_loud else ""
            self._draw(f"Twilio->>callfsm: {self._time(frame.at_s)} media, RMS {frame.rms:.0f}{loud}")
            return
        self._frames.count += 1
        self._frames.ms += FRAME_MS
        self._frames.loud = (self._frames.loud or 0) + frame.is_loud
        if self._has_turned or frame.has_moved or frame.has_settled:
            self._draw_frames()

    def _move(self, move: Move) -> None:
        if self._has_turned:
            self._draw_appends()
        change = f"{self._time(move.at_s)} {move.source.name} → {move.dest.name}"
        self._draw("end", _rect(move.dest), f"Note over callfsm: {change}<br/>on {move.event.__name__}")

    def _begin_frames(self) -> None:
        self._frames = Run("Twilio->>callfsm", "media", loud=0)

    def _begin_appends(self) -> None:
        self._appends = Run("callfsm->>OpenAI", "input_audio_buffer.append")

    def _draw_frames(self) -> None:
        if self._frames.count:
            self._draw(str(self._frames))
            self._begin_frames()

    def _draw_appends(self) -> None:
        if self._appends.count:
            self._draw(str(self._appends))
            self._begin_appends()

    def _draw(self, *lines: str) -> None:
        """Draw lines behind what has been heard of the assistant up to here."""
        self._lines += map(str, self._voice.values())
        self._voice.clear()
        self._lines += lines

    def _time(self, at_s: float) -> str:
        return f"{at_s - self._zero_s:.2f} s"


def _arrow(message: Message) -> str:
    peer = "Twilio" if message.peer == "twilio" else "OpenAI"
    return f"callfsm->>{peer}" if message.is_ours else f"{peer}->>callfsm"


def _rect(state: State) -> str:
    fill = bytes.fromhex(paint(state.name).fill.removeprefix("#"))
    return f"rect rgb({', '.join(map(str, fill))})"


def _ms(payload: str) -> int:
    return len(a2b_base64(payload)) // BYTES_PER_MS
