"""What can happen to a call: the inputs of the machine.

An event is a fact that has been decoded and nothing more. `at` is the monotonic time in seconds at which the
shell saw it; the core has no other clock. The class name is the trigger's name in the table.
"""

from typing import Final

from attrs import field, frozen


@frozen
class RmsFrame:
    """20 ms of the caller's line: its loudness, and its mu-law as the base64 in which it came.

    `voicing` says how periodic the line's last 40 ms are in the range of voices, 0.0 to 1.0.
    """

    at: float
    rms: float
    payload: str = field(default="", repr=False)
    voicing: float = 0.0


@frozen
class PlaybackMarked:
    """Twilio echoed a mark: the audio before it has been played, or was cleared."""

    at: float
    name: str


@frozen
class SpeechDetected:
    """A detector of speech, slower than the gate, is sure of the caller's open utterance."""

    at: float


@frozen
class DtmfReceived:
    """The caller pressed a key."""

    at: float
    digit: str


@frozen
class CallEnded:
    """The call is over, or must be: hung up, a leg lost for good, a limit reached."""

    at: float
    reason: str


@frozen
class RealtimeReady:
    """`session.updated`: the Realtime session has our settings and may be spoken to."""

    at: float


@frozen
class RealtimeLost:
    """The Realtime socket is gone; the shell is connecting anew."""

    at: float


@frozen
class RealtimeMissing:
    """For moment_ms no Realtime session and a silent caller; told again until the clip `moment` is being played."""

    at: float


@frozen
class RealtimeExpiring:
    """The Realtime session is old, and another is ready to take its place; told again until it has."""

    at: float


@frozen
class CallExpiring:
    """The longest call is nearly over; told again until the caller is being told."""

    at: float


@frozen
class AudioCommitted:
    """`input_audio_buffer.committed`: our oldest unacknowledged commit became this item."""

    at: float
    item_id: str


@frozen
class TranscriptCompleted:
    """What the caller said in a committed item, as text."""

    at: float
    item_id: str
    transcript: str


@frozen
class TranscriptFailed:
    """No transcript of a committed item will come; `code` says why, where the API does."""

    at: float
    item_id: str
    code: str = ""


@frozen
class ResponseCreated:
    """A response began. `turn` is our number from its metadata, None where it carries none of ours."""

    at: float
    response_id: str
    turn: int | None


@frozen
class AudioDelta:
    """A piece of a response's speech: n bytes of mu-law, n > 0, 8 bytes a millisecond.

    `levels_rms` are the loudness of each 20 ms of it, the last of which may be shorter.
    """

    at: float
    response_id: str
    item_id: str
    audio: bytes = field(repr=False)
    levels_rms: tuple[int, ...] = ()


@frozen
class ReplyTranscript:
    """Words of a response's speech: those of a finished piece of it, or as they come, the next few of one."""

    at: float
    response_id: str
    transcript: str
    is_whole: bool = True


@frozen
class ResponseDone:
    """A response ended, whatever its status.

    `response_id` is None where an old server's `response.cancelled` names none.
    `item_ids` are the conversation items that it leaves behind; `code` says why it failed, where it did and says so.
    """

    at: float
    response_id: str | None
    turn: int | None
    status: str
    item_ids: tuple[str, ...] = ()
    code: str = ""


@frozen
class RealtimeError:
    """`error`. `event_id` is that of our message which it answers, None where it names none."""

    at: float
    code: str
    event_id: str | None


@frozen
class ToolCalled:
    """The model calls a function; `arguments` is its JSON text."""

    at: float
    response_id: str
    call_id: str
    name: str
    arguments: str = field(repr=False)


@frozen
class ToolAnswered:
    """What a function of the operator's gave back, as JSON text; a failure is an answer, too."""

    at: float
    call_id: str
    output: str = field(repr=False)


@frozen
class TimerFired:
    """The call's one deadline passed."""

    at: float


@frozen
class ReplyDue:
    """Internal, fed by dispatch alone: a response is owed and nothing forbids requesting it now."""

    at: float


Event = (
    RmsFrame
    | SpeechDetected
    | PlaybackMarked
    | DtmfReceived
    | CallEnded
    | RealtimeReady
    | RealtimeLost
    | RealtimeMissing
    | RealtimeExpiring
    | CallExpiring
    | AudioCommitted
    | TranscriptCompleted
    | TranscriptFailed
    | ResponseCreated
    | AudioDelta
    | ReplyTranscript
    | ResponseDone
    | ToolCalled
    | ToolAnswered
    | RealtimeError
    | TimerFired
    | ReplyDue
)

EVENTS: Final[tuple[type[Event], ...]] = (
    RmsFrame,
    SpeechDetected,
    TranscriptCompleted,
    TranscriptFailed,
    AudioCommitted,
    ReplyDue,
    ResponseCreated,
    AudioDelta,
    ReplyTranscript,
    ResponseDone,
    ToolCalled,
    ToolAnswered,
    PlaybackMarked,
    TimerFired,
    RealtimeReady,
    RealtimeLost,
    RealtimeMissing,
    RealtimeExpiring,
    RealtimeError,
    DtmfReceived,
    CallExpiring,
    CallEnded,
)
"""Every event class, in the order in which the table and its print list them."""
