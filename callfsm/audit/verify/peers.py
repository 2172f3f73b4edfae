"""What the peers can send: each message for the right, an older and an unknown item, response, mark or function."""

from collections.abc import Callable
from typing import Final

from callfsm.audit.verify.inputs import NOISE, Events, Input, Make, on_their_way
from callfsm.call import Call
from callfsm.config import HANG_UP
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    CallEnded,
    CallExpiring,
    DtmfReceived,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeExpiring,
    RealtimeLost,
    RealtimeMissing,
    RealtimeReady,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    SpeechDetected,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.speaking.playback import MARK_BYTES
from callfsm.speaking.response import ResponsePhase
from callfsm.states.base import State

OLD, FOREIGN, UNKNOWN = "old", "foreign", "unknown"
_PIECE: Final = b"\x55" * MARK_BYTES
_TAIL: Final = b"\x55" * (MARK_BYTES // 2)
_REAL: Final = "שלום"
_LEVELS: Final = (1000, 0)
"""A word, and a pause behind it."""
_MADE_UP: Final = "תודה שצפיתם"
_ECHO: Final = "שלום וברכה"


def _always(make: Callable[[Call, float], Event]) -> Make:
    return lambda call, at: [make(call, at)]


def _place(which: int, count: int) -> int | None:
    """Return the place of the first (0) or of the last (-1) of so many; None for a last that is the first."""
    if which == 0:
        return 0 if count else None
    return count - 1 if count > 1 else None


def _item(which: int) -> Callable[[Call], str | None]:
    def item(call: Call) -> str | None:
        named = [u.item_id for u in call.turn.unsettled if u.item_id is not None]
        there = _place(which, len(named))
        return None if there is None else named[there]

    return item


def _transcript(item: Callable[[Call], str | None], text: str | None) -> Make:
    def make(call: Call, at: float) -> Events:
        item_id = item(call)
        if item_id is None or (text == _REAL and call.has_real_user_utterance):
            # Two letters are as good from then on.
            return ()
        return [TranscriptFailed(at, item_id) if text is None else TranscriptCompleted(at, item_id, text)]

    return make


def _phrase(call: Call, at: float) -> Events:
    item_id = _item(0)(call)
    is_offered = item_id is not None and call.business.name == NOISE
    return [TranscriptCompleted(at, item_id, _MADE_UP)] if is_offered and item_id else ()


def _echo(call: Call, at: float) -> Events:
    """The words of the reply, and the same words from the caller's line."""
    item_id = _item(0)(call)
    if item_id is None or call.business.name != NOISE:
        return ()
    return [ReplyTranscript(at, _current(call), _ECHO), TranscriptCompleted(at, item_id, _ECHO)]


def _current(call: Call) -> str:
    return call.response.response_id or f"r{call.response.turn}"


def _delta(audio: bytes) -> Make:
    def make(call: Call, at: float) -> Events:
        playback = call.playback
        is_tail = playback.sent > playback._marked  # noqa: SLF001 - what the last mark does not stand behind
        # Two pieces are held back where no functions are in play, one where they are.
        is_full = (
            len(playback.held) > (not call.business.tool)
            or is_tail
            or playback.has_rest
            or (len(audio) >= MARK_BYTES and bool(playback.marks))
        )
        return () if is_full else [AudioDelta(at, _current(call), "a", audio, _LEVELS)]

    return make


def _mark(which: int) -> Make:
    def make(call: Call, at: float) -> Events:
        marks = call.playback.marks
        there = _place(which, len(marks))
        return [] if there is None else [PlaybackMarked(at, marks[there].name)]

    return make


def _own_tool(call: Call, at: float) -> Events:
    names = [tool.name for tool in call.business.tool]
    is_offered = names and not call.tools and not call.digits
    return [ToolCalled(at, _current(call), "c1", names[0], "{}")] if is_offered else ()


def _tool(name: str, response: str = "") -> Make:
    def make(call: Call, at: float) -> Events:
        is_offered = call.business.tool and not call.digits
        return [ToolCalled(at, response or _current(call), "c2", name, "{}")] if is_offered else ()

    return make


def _answer(call: Call, at: float) -> Events:
    return [ToolAnswered(at, call_id, "{}") for call_id in list(call.tools)[:1]]


def _key(call: Call, at: float) -> Events:
    is_offered = call.business.tool and not call.tools and not call.farewell
    return [DtmfReceived(at, "1")] if is_offered else ()


def _error(code: str, event_id: Callable[[Call], str | None]) -> Make:
    return _always(lambda call, at: RealtimeError(at, code, event_id(call)))


def _commit_error(which: int) -> Make:
    def make(call: Call, at: float) -> Events:
        ids = [u.commit_event_id for u in call.turn.unsettled if u.commit_event_id is not None]
        there = _place(which, len(ids))
        return [] if there is None else [RealtimeError(at, "input_audio_buffer_commit_empty", ids[there])]

    return make


def _own_create(call: Call) -> str | None:
    return call.response.create_event_id or UNKNOWN


def _own_cancel(call: Call) -> str | None:
    return call.response.cancel_event_id or UNKNOWN


def _nobody(_call: Call) -> str | None:
    return None


def _new(prefix: str, call: Call) -> str:
    """Return a name that has not been used in the call: by a number that grows, and one that shrinks meanwhile."""
    return f"{prefix}{call._event_ids}.{len(call.turn.unacknowledged)}"  # noqa: SLF001 - read to name things alone


def _in_plain_talk(make: Make) -> Make:
    """Offer what no row asks anything else of without functions, keys, echoes, noise and a second utterance."""

    def make_in_plain_talk(call: Call, at: float) -> Events:
        is_plain = not call.business.tool and call.business.name != NOISE
        return make(call, at) if is_plain and on_their_way(call) < 2 else ()

    return make_in_plain_talk


def _words(call: Call, at: float) -> Events:
    more = ReplyTranscript(at, _current(call), _REAL, is_whole=False)
    return [more, *(ReplyTranscript(at, _current(call), words) for words in (_REAL, "Hello"))]


def _begins(call: Call, at: float) -> Event:
    return ResponseCreated(at, f"r{call.response.turn}", call.response.turn)


def _is_done(call: Call, at: float) -> Event:
    return ResponseDone(at, _current(call), call.response.turn, "completed", ("a",))


def _is_unpaid(call: Call, at: float) -> Events:
    is_awaited = call.response.phase is not ResponsePhase.NONE
    is_offered = is_awaited and (call.state is State.GREETING or call.clips.moment.piece.audio)
    if not is_offered:
        return ()
    code = "insufficient_quota"
    return [ResponseDone(at, _current(call), call.response.turn, "failed", (), code)]


def _is_unpaid_for(call: Call, at: float) -> Events:
    is_offered = call.response.phase is ResponsePhase.REQUESTED and _is_unpaid(call, at)
    return [RealtimeError(at, "insufficient_quota", _own_create(call))] if is_offered else ()


def _stray_answer(call: Call, at: float) -> Events:
    return [ToolAnswered(at, UNKNOWN, "{}")] if call.business.tool else ()


def _foreign_beginnings(call: Call, at: float) -> Events:
    """One that nobody asked for, told of twice, and one of a turn that is over."""
    new = _new(FOREIGN, call)
    return [ResponseCreated(at, new, None)] * 2 + [ResponseCreated(at, OLD, call.response.turn - 1)]


def _foreign_audio(call: Call, at: float) -> Events:
    """Of a response that nobody asked for, twice, and of the newest that is over."""
    new = _new(FOREIGN, call)
    over = [i for i in list(call.response.settled_ids)[-1:] if i != call.response.response_id]
    return [AudioDelta(at, response_id, "x", _PIECE) for response_id in (new, new, *over)]


def _where_recordings_are(make: Make) -> Make:
    """Offer what no row asks but with recordings in mid-call, in the states that have rows for it."""

    def make_there(call: Call, at: float) -> Events:
        is_floor = call.state in (State.LISTENING, State.WAITING_FOR_USER)
        return make(call, at) if is_floor and call.clips.moment.piece.audio else ()

    return make_there


def _missing(call: Call, at: float) -> Events:
    return () if call.is_ready else [RealtimeMissing(at)]


def _old_age(call: Call, at: float) -> Events:
    return [RealtimeExpiring(at), CallExpiring(at)] if call.is_ready else [CallExpiring(at)]


def _strays(_call: Call, at: float) -> Events:
    """What belongs to nothing that there is."""
    return [
        TranscriptCompleted(at, UNKNOWN, _REAL),
        TranscriptFailed(at, UNKNOWN),
        ReplyTranscript(at, UNKNOWN, _REAL),
        PlaybackMarked(at, "m0"),
        RealtimeError(at, "server_error", UNKNOWN),
    ]


_TEXTS: Final = {"real": _REAL, "of two letters": "כן", "of one letter": "a", "punctuation": "?!", "failed": None}
_ITEMS: Final = {"oldest": _item(0), "newest": _item(-1)}
TRANSCRIPTS: Final = [
    Input(f"transcript of the {which} item: {kind}", f"{which} {kind}", _transcript(item, text))
    for which, item in _ITEMS.items()
    for kind, text in _TEXTS.items()
]
_MESSAGES: Final[list[tuple[str, Make]]] = [
    ("the detector is sure", lambda _, at: [SpeechDetected(at)]),
    ("transcript of the oldest item: a made-up phrase", _phrase),
    ("transcript of the oldest item: the assistant's words", _echo),
    ("session ready", lambda call, at: () if call.is_ready else [RealtimeReady(at)]),
    ("session lost", lambda call, at: [RealtimeLost(at)] if call.is_ready else ()),
    ("session missing for long", _where_recordings_are(_missing)),
    ("session and call grow old", _where_recordings_are(_old_age)),
    ("commit acknowledged", _always(lambda call, at: AudioCommitted(at, _new("i", call)))),
    ("strays", _in_plain_talk(_strays)),
    ("our response begins", _always(_begins)),
    ("foreign responses begin", _in_plain_talk(_foreign_beginnings)),
    ("foreign audio", _in_plain_talk(_foreign_audio)),
    ("words of our response", _in_plain_talk(_words)),
    ("a piece of our response", _delta(_PIECE)),
    ("our response is done", _always(_is_done)),
    ("our response fails: the quota is exhausted", _is_unpaid),
    ("request refused: the quota is exhausted", _is_unpaid_for),
    ("a foreign response is done", _always(lambda _, at: ResponseDone(at, FOREIGN, None, "completed", ("x",)))),
    ("response.cancelled of nobody", _always(lambda _, at: ResponseDone(at, None, None, "cancelled"))),
    ("our function is called", _own_tool),
    ("a function that there is not is called", _tool("other")),
    ("the assistant hangs up", _tool(HANG_UP)),
    ("a foreign response calls a function", _tool(HANG_UP, FOREIGN)),
    ("our function answers", _answer),
    ("a function answers that was not asked", _stray_answer),
    ("the first pending mark", _mark(0)),
    ("the last pending mark", _mark(-1)),
    ("nothing to cancel, addressed", _error("response_cancel_not_active", _own_cancel)),
    ("nothing to cancel, unaddressed", _error("response_cancel_not_active", _nobody)),
    ("request refused: another is active", _error("conversation_already_has_active_response", _own_create)),
    ("request refused", _error("server_error", _own_create)),
    ("first commit refused", _commit_error(0)),
    ("last commit refused", _commit_error(-1)),
    ("a key is pressed", _key),
    ("the call ends", _always(lambda _, at: CallEnded(at, "hangup"))),
]  # fmt: skip
MESSAGES: Final = [Input(name, name, make) for name, make in _MESSAGES]
TAIL: Final = Input("a tail of our response", "a tail of our response", _delta(_TAIL))
