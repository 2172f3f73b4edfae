"""What an account tells: the frames, states, utterances, replies and barge-ins of one call, as values.

Times are the monotonic seconds of the journal; `rms` and thresholds are on the scale of 16-bit linear PCM.
"""

from enum import Enum
from typing import Any

from attrs import frozen

from callfsm.config import Business, Config
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.states.base import State


class Fate(Enum):
    """What became of an utterance."""

    BLIP = "a blip: too little loud sound to be speech"
    ACCEPTED = "accepted"
    TOO_SHORT = "rejected: the transcript is too short"
    PUNCTUATION = "rejected: the transcript is only punctuation"
    NOT_REAL_YET = "rejected: no real utterance yet, and not one itself"
    NO_TRANSCRIPT = "rejected: no transcript came"
    REFUSED = "rejected: the API refused the audio"
    UNSETTLED = "unsettled at the end of the call"

    @property
    def is_rejected(self) -> bool:
        """It was committed, and its item deleted."""
        return self.value.startswith("rejected")


class ReplyKind(Enum):
    """Why the assistant spoke."""

    GREETING = "greeting"
    REPLY = "reply"
    CLIP = "clip"


class ReplyFate(Enum):
    """What became of a reply."""

    HEARD = "heard to its end"
    BARGED_IN = "cut by the caller"
    CUT = "cut otherwise"
    CANCELLED = "cancelled before it was heard"
    FAILED = "failed before it was heard"
    LOST = "lost with the connection before it was heard"
    SILENT = "called a function and said nothing"
    UNFINISHED = "not heard yet when the call ended"


@frozen
class Frame:
    """20 ms of the caller's line, and what the gate made of it. `state` is the one that it was heard in."""

    at: float
    rms: float
    threshold_rms: float
    state: State
    is_loud: bool
    is_gate_open: bool
    """The gate is open behind this frame: it passed."""
    was_dropped: bool
    """An `[AUDIO GATE]` line was logged. A loud frame of the grace is neither dropped nor passed."""


@frozen
class Band:
    """A state and how long the call was in it; 0 s where one event led in and out."""

    state: State
    began_at: float
    ended_at: float


@frozen
class Utterance:
    """One stretch of the caller's sound, blips included, from its first loud frame to its last."""

    began_at: float
    ended_at: float
    """The last loud frame."""
    closed_at: float | None
    """When it was committed, or dropped as a blip; None where the call ended first."""
    settled_at: float | None
    """When it had its verdict; None where it never had one."""
    loud_ms: int
    frames: int
    rms: float
    threshold_rms: float
    fate: Fate
    transcript: str | None
    """What was said, also where it was rejected; None where no transcript came in time."""
    item_id: str | None

    @property
    def duration_ms(self) -> int:
        """From the first loud frame to the end of the last one, by frames."""
        return self.frames * FRAME_MS


@frozen
class Reply:
    """What the assistant said, or was to say.

    `why` says more about a fate where there is more to say. `words` are all of the reply's, heard or not.
    """

    kind: ReplyKind
    requested_at: float
    begun_at: float | None
    """When the response began; None where it never did, and for a clip."""
    audible_from: float | None
    audible_to: float | None
    """When the caller heard the last of it, by the marks and the clock."""
    over_at: float | None
    """When its fate was sealed; None where the journal breaks off before."""
    generated_ms: int
    heard_ms: int
    words: str
    fate: ReplyFate
    why: str = ""
    status: str = ""
    """Of the response's end; empty where none came."""


@frozen
class BargeIn:
    """The caller stopped the assistant. `rms` and `threshold_rms` are those of the frame that did it."""

    at: float
    rms: float
    threshold_rms: float
    heard_ms: int
    generated_ms: int
    """What had come of the reply by then."""
    reply: int
    """Its place among the account's replies, from 0."""
    utterance: int
    """The place of the sound that did it among the account's utterances, from 0."""


@frozen
class Note:
    """Something else that happened: a key, a function, the connection, an error."""

    at: float
    what: str


@frozen
class Line:
    """A line of the call's log. The shell's have no time of their own: theirs is that of the event before."""

    at: float
    level: int
    message: str


@frozen
class End:
    """How the call ended. `reason` is empty where the journal breaks off before it."""

    at: float
    reason: str
    is_torn: bool
    """The journal breaks off: its process was killed."""
    error: str = ""
    """The bug of ours that the last event met; empty where there was none."""


@frozen
class Account:
    """What a call amounts to. `threshold_rms` and `noise_floor_rms` are those at its end."""

    header: dict[str, Any]
    config: Config
    business: Business
    started_at: float
    noise_floor_rms: float
    threshold_rms: float
    calibrated_at: float | None
    """When the line had been measured; None where the call ended before."""
    frames: tuple[Frame, ...]
    bands: tuple[Band, ...]
    utterances: tuple[Utterance, ...]
    replies: tuple[Reply, ...]
    barge_ins: tuple[BargeIn, ...]
    notes: tuple[Note, ...]
    lines: tuple[Line, ...]
    """The log, but for the lines of the gate: `Frame.was_dropped` has those."""
    end: End
    departures: int
    """Events that led to another state than the journal says: another version recorded it, or other numbers run."""

    @property
    def call_sid(self) -> str:
        """The call's own name."""
        return str(self.header["call_sid"])

    @property
    def duration_s(self) -> float:
        """From the first event to the last."""
        return self.end.at - self.started_at
