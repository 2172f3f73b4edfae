"""A recording of a caller's line through the machine, with what the caller was being played meanwhile.

The machine is the one of a call, from the frames on. What a recording lacks stands in for the peers: the assistant
speaks whenever the caller was being played something loud, all of a reply is there at its beginning, a cancelled
response is over after CANCEL_MS, and no utterance has words. So an interruption is confirmed by its sound alone; when
the caller has ended, the assistant speaks again if there is still something loud.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import define, evolve, field

from callfsm.audit.hear.doubts import Doubts, doubts_of
from callfsm.call import Call
from callfsm.config import Business, Config
from callfsm.effects import AppendAudio, CancelResponse, CommitAudio, CreateResponse, Effect, Log, SendMark
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    Event,
    PlaybackMarked,
    RealtimeReady,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    SpeechDetected,
    TranscriptCompleted,
)
from callfsm.hearing.mulaw import FRAME_BYTES, FRAME_MS, levels_rms
from callfsm.hearing.turn import Turn, TurnPhase
from callfsm.machine import dispatch
from callfsm.speaking.playback import Playback, PlaybackPhase
from callfsm.speaking.response import OwedInput
from callfsm.states.interrupting import BARGE_IN_LINE, CONFIRMED_LINE, RESUMED_LINE
from callfsm.wire.twilio import Framer

SPEAKING_RMS: Final = 100.0
"""What the caller is played counts as the assistant's speech from here on."""
GAP_FRAMES: Final = 1000 // FRAME_MS
"""A shorter silence is a pause within a reply."""
CANCEL_MS: Final = 100
ECHO_FRAMES: Final = 400 // FRAME_MS
"""The assistant's echo has died away so long after its last word."""
SILENCE: Final = b"\xff"


@define
class Row:
    """What became of one frame. `at_ms` is its beginning; `limit` the RMS that it had to reach.

    `sent`: it went to the API, be it as pre-roll. `stopped`: it stopped the assistant. `confirmed`: with it an
    interruption was confirmed as speech. `resumed`: at it the assistant went on, for it had been nobody.
    """

    at_ms: int
    rms: float
    limit: float
    sent: bool = False
    stopped: bool = False
    confirmed: bool = False
    resumed: bool = False
    is_speaking: bool = False
    """The assistant was audible when it came."""


@define(eq=False)
class _Played(Playback):
    """A playback of which it is known from a recording how loud it was, whatever the machine made of it."""

    level: int = 0

    def levels_rms(self, _at: float) -> tuple[int, int]:
        return self.level, self.level


@define(eq=False)
class _Rig:
    """The machine and its stand-in peers."""

    call: Call
    played: _Played
    rows: list[Row] = field(factory=list)
    now: float = 0.0
    last_mark: str = ""
    ends: float | None = None
    """When the response that was cancelled is over."""
    asked: int | None = None
    commits: int = 0
    waiting: list[Event] = field(factory=list)
    doubts: Doubts | None = None

    def feed(self, event: Event) -> None:
        """Feed an event and all that follows from it at once."""
        self.waiting.append(event)
        while self.waiting:
            for effect in dispatch(self.call, self.waiting.pop(0)):
                self._take(effect)

    def _take(self, effect: Effect) -> None:
        match effect:
            case AppendAudio(payload):
                self.rows[int(payload)].sent = True
            case Log(_, message):
                self._note(message)
            case SendMark(name):
                self.last_mark = name
            case CreateResponse(_, turn):
                self.asked = turn
            case CancelResponse():
                self.ends = self.now + CANCEL_MS / 1000
            case CommitAudio():
                self.commits += 1
                item = f"u{self.commits}"
                self.waiting += [AudioCommitted(self.now, item), TranscriptCompleted(self.now, item, "")]
            case _:
                pass

    def _note(self, message: str) -> None:
        row = self.rows[-1]
        row.stopped |= message == BARGE_IN_LINE
        row.confirmed |= message == CONFIRMED_LINE
        row.resumed |= message == RESUMED_LINE

    def hear(self, frame: tuple[float, str, float], level: int) -> Row:
        """Hear one frame of the line while the caller was played so loud a sound; return its row, not yet final."""
        self.now += FRAME_MS / 1000
        self.played.level = level
        rms, _, voicing = frame
        row = Row(len(self.rows) * FRAME_MS, rms, 0.0, is_speaking=self.played.is_audible)
        self.rows.append(row)
        if self.ends is not None and self.now >= self.ends:
            self.ends = None
            self.feed(ResponseDone(self.now, self.call.response.response_id, None, "cancelled"))
        self.feed(RmsFrame(self.now, rms, str(len(self.rows) - 1), voicing))
        if self.doubts is not None and self.doubts.is_speech(self.call):
            self.feed(SpeechDetected(self.now))
        row.limit = self.call.gate.limit_rms
        return row

    @property
    def is_busy(self) -> bool:
        """The assistant speaks, or has been stopped and may go on."""
        return self.ends is not None or self.played.phase is not PlaybackPhase.IDLE

    def speak(self, audio: bytes) -> None:
        """Let the assistant begin a reply, all of which is there, if the line has been measured."""
        # That it spoke is a fact, whatever the gate had made of the line before. Somebody had asked something.
        self.call.turn = Turn()
        self.call.response.owe(OwedInput.ACCEPTED)
        self.feed(PlaybackMarked(self.now, ""))
        if self.asked is None:
            return
        turn, self.asked = self.asked, None
        name = f"r{turn}"
        self.feed(ResponseCreated(self.now, name, turn))
        self.feed(AudioDelta(self.now, name, f"a{turn}", audio))
        self.feed(ResponseDone(self.now, name, turn, "completed", (f"a{turn}",)))

    def fall_silent(self) -> None:
        """Let the caller have heard the reply to its end."""
        if self.played.is_audible:
            self.feed(PlaybackMarked(self.now, self.last_mark))


def replies_of(levels: Sequence[int]) -> list[tuple[int, int]]:
    """Return where the assistant speaks in what was played: the first frame of each reply, and the one behind it."""
    loud = [frame for frame, level in enumerate(levels) if level >= SPEAKING_RMS]
    replies: list[tuple[int, int]] = []
    for frame in loud:
        if replies and frame - replies[-1][1] < GAP_FRAMES:
            replies[-1] = (replies[-1][0], frame + 1)
        else:
            replies.append((frame, frame + 1))
    return replies


def rows(near: bytes, far: bytes = b"", config: Config | None = None, line: bytes | None = None) -> list[Row]:
    """Return one row for each 20 ms of a caller's line; what is left of a last frame is not heard.

    `near` is the line as mu-law; `far` what the caller was being played in the same time, silence where it is shorter
    or empty. With `line`, the line without echo, the loop is closed: an assistant who was stopped sends none back.
    """
    count = len(near) // FRAME_BYTES
    far = far[: count * FRAME_BYTES].ljust(count * FRAME_BYTES, SILENCE)
    levels = levels_rms(far)
    rig = _rig(config or Config())
    call = rig.call
    rig.doubts = doubts_of([near[at : at + FRAME_BYTES] for at in range(0, len(near), FRAME_BYTES)], call.config.gate)
    open_frames = list(_frames(near))
    closed_frames = open_frames if line is None else list(_frames(line))
    ends = {place: end for first, end in replies_of(levels) for place in range(first, end)}
    last_audible, has_ended = -ECHO_FRAMES, False
    for place in range(count):
        if rig.played.is_audible:
            last_audible = place
        if place not in ends:
            rig.fall_silent()
            has_ended = False
        elif not rig.is_busy and (not has_ended or call.turn.phase is TurnPhase.SILENT):
            rig.speak(far[place * FRAME_BYTES : ends[place] * FRAME_BYTES])
        is_echoing = place - last_audible < ECHO_FRAMES
        level = levels[place] if line is None or rig.played.is_audible else 0
        has_ended |= rig.hear((open_frames if is_echoing else closed_frames)[place], level).confirmed
    return rig.rows


def _rig(config: Config) -> _Rig:
    played = _Played()
    call = Call.begin(evolve(config, turn=evolve(config.turn, most_continued=0)), Business())
    # A recording is a piece of a call: somebody has spoken before.
    call.has_real_user_utterance = True
    call.playback = played
    dispatch(call, RealtimeReady(0.0))
    return _Rig(call, played)


def _frames(ulaw: bytes) -> Iterator[tuple[float, str, float]]:
    framer = Framer()
    whole = ulaw[: len(ulaw) - len(ulaw) % FRAME_BYTES]
    for start in range(0, len(whole), FRAME_BYTES):
        yield from framer.frames(b64encode(whole[start : start + FRAME_BYTES]).decode())


def values(all_rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield what each row says, as JSON takes it: `at_ms, rms, limit, sent, stopped, confirmed, resumed`."""
    for row in all_rows:
        yield {
            "at_ms": row.at_ms,
            "rms": round(row.rms, 1),
            "limit": round(row.limit, 1),
            "sent": row.sent,
            "stopped": row.stopped,
            "confirmed": row.confirmed,
            "resumed": row.resumed,
        }
