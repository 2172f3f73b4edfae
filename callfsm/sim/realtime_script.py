"""What a simulated Realtime server hears and says, and how it misbehaves."""

from enum import StrEnum
from typing import Final

import attrs
from attrs import validators

from callfsm.sim import speech_files


class Fault(StrEnum):
    """A named misbehaviour. A script's faults hold for a connection, a reply's for that response."""

    # Of a connection
    UNAUTHORIZED = "unauthorized"
    """HTTP 401 instead of the handshake."""
    FORBIDDEN = "forbidden"
    """HTTP 403 instead of the handshake."""
    NOT_FOUND = "not_found"
    """HTTP 404 instead of the handshake."""
    TOO_MANY_REQUESTS = "too_many_requests"
    """HTTP 429 instead of the handshake, with the script's `retry_after`."""
    REFUSED_FOR_QUOTA = "refused_for_quota"
    """HTTP 429 instead of the handshake, whose body says that the account's quota is exhausted."""
    SERVER_ERROR = "server_error"
    """HTTP 500 instead of the handshake."""
    NO_HANDSHAKE = "no_handshake"
    """The request for the handshake is never answered."""
    SILENT = "silent"
    """Nothing is ever sent, not even session.created."""
    HALF_OPEN = "half_open"
    """Nothing is sent after session.updated; everything is read."""
    NO_SESSION_UPDATED = "no_session_updated"
    """No answer to session.update."""
    REJECTED_SESSION = "rejected_session"
    """Every session.update is refused."""
    NOT_MULAW = "not_mulaw"
    """session.updated names another audio format than the one asked for."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """Every session.update is answered with an error that says that the account's quota is exhausted."""
    SESSION_EXPIRED = "session_expired"
    """The first response.create finds the session expired: an error says so, and the socket closes (1001)."""
    NO_TRANSCRIPT = "no_transcript"
    """No utterance is ever transcribed."""
    UNSOLICITED_RESPONSE = "unsolicited_response"
    """The first committed utterance is answered with the default reply, unasked."""
    FOREIGN_RESPONSE = "foreign_response"
    """The first response.create finds the default reply under way, unasked, and is refused."""
    BETA_NAMES = "beta_names"
    """Events carry the names they had in the beta."""
    UNKNOWN_EVENTS = "unknown_events"
    """An event of an unknown type goes before every other."""

    # Of a response
    NO_RESPONSE = "no_response"
    """No answer to response.create."""
    FAILED = "failed"
    """The response fails before any audio."""
    FAILED_FOR_QUOTA = "failed_for_quota"
    """The response fails before any audio: the account's quota is exhausted."""
    CONTENT_FILTER = "content_filter"
    """The response ends as incomplete before any audio."""
    MAX_OUTPUT_TOKENS = "max_output_tokens"
    """The response ends as incomplete with half of the audio sent."""
    NO_AUDIO = "no_audio"
    """The response completes without output."""
    BAD_BASE64 = "bad_base64"
    """One audio delta is no base64."""
    MALFORMED_JSON = "malformed_json"
    """One message is no JSON."""
    CLOSE_MID_RESPONSE = "close_mid_response"
    """The socket closes (1011) with half of the audio sent."""
    ABORT_MID_RESPONSE = "abort_mid_response"
    """The connection breaks, without a close, with half of the audio sent."""
    STALLED = "stalled"
    """Nothing more comes of the response when half of the audio is sent."""
    ENDLESS = "endless"
    """The audio begins anew for ever, as fast as it is taken, until the response is cancelled."""
    DUPLICATE_DONE = "duplicate_done"
    """response.done comes twice."""
    CANCEL_UNANSWERED = "cancel_unanswered"
    """A cancelled response stops, and nothing says so."""
    CANCELLED_EVENT = "cancelled_event"
    """A cancelled response ends with a bare response.cancelled, as in the beta, not with response.done."""
    LATE_DELTAS = "late_deltas"
    """Audio goes on for a while after a cancel, both before and after response.done."""


@attrs.frozen
class Utterance:
    """What a committed utterance is transcribed to, `delay_ms` after the commit.

    `fail`: the transcription fails instead; `never`: nothing comes.
    """

    text: str = ""
    delay_ms: float = attrs.field(default=300.0, validator=validators.ge(0))
    fail: bool = False
    never: bool = False


@attrs.frozen
class Reply:
    """What a response says.

    `audio` is mu-law; it is sent in deltas of `delta_ms`, `rate` times as fast as it plays. response.created
    comes `created_delay_ms` after the request, the first audio `audio_delay_ms` after that.
    """

    text: str
    audio: bytes = attrs.field(repr=lambda audio: f"{len(audio)} bytes")
    rate: float = attrs.field(default=8.0, validator=validators.gt(0))
    delta_ms: int = attrs.field(default=200, validator=validators.gt(0))
    created_delay_ms: float = attrs.field(default=50.0, validator=validators.ge(0))
    audio_delay_ms: float = attrs.field(default=250.0, validator=validators.ge(0))
    faults: frozenset[Fault] = frozenset()


_SILENT: Final = Reply("", bytes(0))


@attrs.frozen
class Script:
    """The course of one connection.

    The n-th committed utterance is the n-th of `utterances`, then `default_utterance`; responses take `replies`,
    then `default_reply`. A request with instructions of its own, made before the assistant has said anything, is
    for the greeting: it gets `greeting`, where there is one. All delays pass `speed` times as fast.
    """

    utterances: tuple[Utterance, ...] = ()
    replies: tuple[Reply, ...] = ()
    default_utterance: Utterance = Utterance()
    default_reply: Reply = _SILENT
    greeting: Reply | None = None
    faults: frozenset[Fault] = frozenset()
    retry_after: str = ""
    """The header of this name, where a handshake is refused with 429."""
    speed: float = attrs.field(default=1.0, validator=validators.gt(0))


def clip_reply(stem: str) -> Reply:
    """Return the reply that speaks one of the recordings of `callfsm/sim/speech/`."""
    clip = speech_files.load(stem)
    return Reply(clip.text, clip.ulaw)


def default_script() -> Script:
    """Return the script of `callfsm simulate`: every caller asks for the opening hours, in Hebrew."""
    return Script(
        default_utterance=Utterance(speech_files.load("he_question").text),
        replies=(clip_reply("he_reply_hours"), clip_reply("he_reply_short"), clip_reply("he_reply_english")),
        default_reply=clip_reply("he_reply_short"),
        greeting=clip_reply("he_greeting"),
    )
