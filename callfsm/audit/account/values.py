"""What an account tells: the frames, states, line, utterances and replies of one call, as values.

Times are the monotonic seconds of the journal; `rms` and thresholds are on the scale of 16-bit linear PCM.
"""

from enum import Enum
from typing import Any

from attrs import frozen

from callfsm.audit.account.barge_ins import BargeIn
from callfsm.config import Business, Config
from callfsm.hearing.line import NewsKind
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.states.base import State


class Fate(Enum):
    """What became of an utterance."""

    BLIP = "a blip: too little loud sound to be speech"
    ACCEPTED = "accepted"
    TOO_SHORT = "rejected: the transcript is too short"
    PUNCTUATION = "rejected: the transcript is only punctuation"
    ECHO = "rejected: the assistant's own words, come back as echo"
    HALLUCINATION = "rejected: a phrase that transcription makes up from near-silence"
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
    REST = "rest of a reply"
    CLIP = "clip"


class ReplyFate(Enum):
    """What became of a reply."""

    HEARD = "heard to its end"
    HEARD_SO_FAR = "heard as far as it had been generated when it was stopped"
    BARGED_IN = "cut by the caller"
    CUT = "cut otherwise"
    CANCELLED = "cancelled before it was heard"
    FAILED = "failed before it was heard"
    LOST = "lost with the connection before it was heard"
    SILENT = "called a function and said nothing"
    UNFINISHED = "not heard yet when the call ended"


@frozen
class Frame:
    """20 ms of the caller's line, and what the gate made of it. `state` is the one that it was heard in.

    `limit_rms` is what it had to reach: the threshold, or more while the assistant may have been echoing.
    """

    at: float
    rms: float
    voicing: float
    threshold_rms: float
    limit_rms: float
    state: State
    is_loud: bool
    is_gate_open: bool
    """The gate is open behind this frame: it passed."""
    was_dropped: bool
    """An `[AUDIO GATE]` line was logged. A frame that was kept back is neither dropped nor passed."""


@frozen
class LineChange:
    """A change of the caller's line: the noise that decided it, and the threshold that is in force from then on."""

    at: float
    kind: NewsKind
    noise_rms: float
    threshold_rms: float


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
    voiced_ms: int
    """How much of the loud sound was as periodic as a voice."""
    frames: int
    rms: float
    threshold_rms: float
    """The speech threshold in force when it began, by which it was judged."""
    fate: Fate
    transcript: str | None
    """What was said, also where it was rejected; None where no transcript came in time."""
    item_id: str | None
    is_doubted: bool = False
    """It stopped the assistant, who went on before there was any proof that it was speech."""

    @property
    def duration_ms(self) -> int:
        """From the first loud frame to the end of the last one, by frames."""
        return self.frames * FRAME_MS


@frozen
class Stretch:
    """A stretch of time in which the assistant was audible, and the part of the reply that was heard in it.

    `from_ms` and `to_ms` are places in the reply; one that went on after a stop begins a little before the stop.
    """

    began_at: float
    ended_at: float
    from_ms: int
    to_ms: int


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
    """How far it was heard; what was heard twice counts once."""
    words: str
    fate: ReplyFate
    why: str = ""
    status: str = ""
    """Of the response's end; empty where none came."""
    stretches: tuple[Stretch, ...] = ()


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
    """What a call amounts to.

    `noise_floor_rms` and `threshold_rms` are those that the line was measured to, the defaults where it was not;
    `line` says what became of them.
    """

    header: dict[str, Any]
    config: Config
    business: Business
    started_at: float
    noise_floor_rms: float
    threshold_rms: float
    calibrated_at: float | None
    """When the line had been measured; None where the call ended before."""
    frames: tuple[Frame, ...]
    line: tuple[LineChange, ...]
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
