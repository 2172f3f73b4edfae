"""Random calls: scripts of events, likely and absurd ones. Whatever is read off a call must stand them."""

import math
from collections.abc import Callable
from pathlib import Path

from attrs import evolve
from hypothesis import strategies as st

from callfsm.audit.recording import Entry, Recording
from callfsm.call import Call
from callfsm.config import Business, Config, GateConfig
from callfsm.effects import Effect
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    CallEnded,
    DtmfReceived,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    SpeechDetected,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.machine import dispatch
from tests.calls import GREETING_BUSINESS, LOUD, QUIET, SILENT_BUSINESS, TOOL_BUSINESS, audio

CONFIG = Config(gate=GateConfig(calibration_ms=100))
"""Short, so that scripts get past it."""

Step = Callable[[float, Call], list[Event]]


def of(make: Callable[[float, Call], Event]) -> Step:
    return lambda at, call: [make(at, call)]


def frames(count: int, rms: float, voicing: float = 0.0) -> Step:
    return lambda at, _call: [RmsFrame(at, rms, "f", voicing)] * count


def named(call: Call) -> str:
    """The item that is most likely to be spoken of."""
    return next((waiting.item_id for waiting in call.turn.unsettled if waiting.item_id), "i0")


def response(call: Call) -> str:
    return call.response.response_id or f"r{call.response.turn}"


def mark(call: Call) -> str:
    return call.playback.marks[0].name if call.playback.marks else "m0"


LOUD_FRAME, CLICK, SPEECH = frames(1, LOUD, 1.0), frames(4, LOUD), frames(15, LOUD, 1.0)
WEAK_FRAME, SILENCE, COUGH = frames(1, QUIET), frames(30, QUIET), frames(31, LOUD)
NOISE, HUM = frames(250, 250.0), frames(250, 130.0)
NAMED = of(lambda at, call: AudioCommitted(at, f"i{call._event_ids}"))
MADE_UP = of(lambda at, call: TranscriptCompleted(at, named(call), "תודה שצפיתם"))
CANCELLED = of(lambda at, call: ResponseDone(at, response(call), call.response.turn, "cancelled"))
ACCEPTED = of(lambda at, call: TranscriptCompleted(at, named(call), "שלום לך"))
BEGUN = of(lambda at, call: ResponseCreated(at, f"r{call.response.turn}", call.response.turn))
HEARD = of(
    lambda at, call: AudioDelta(at, response(call), f"a{call.response.turn}", audio(900), (3000,) * 30 + (40,) * 15)
)
LOOKED_UP = of(lambda at, call: ToolCalled(at, response(call), f"c{call.response.turn}", "lookup", "{}"))
ANSWERED = of(lambda at, call: ToolAnswered(at, next(iter(call.tools), "c0"), "{}"))
GOODBYE = of(lambda at, call: ToolCalled(at, response(call), "c3", "hang_up", "{}"))
KEY = of(lambda at, _call: DtmfReceived(at, "#"))
READY = of(lambda at, _call: RealtimeReady(at))

LIKELY: list[Step] = [
    LOUD_FRAME,
    CLICK,
    SPEECH,
    WEAK_FRAME,
    SILENCE,
    NAMED,
    ACCEPTED,
    of(lambda at, call: TranscriptCompleted(at, named(call), "כן")),
    of(lambda at, call: TranscriptCompleted(at, named(call), "?!")),
    of(lambda at, call: TranscriptFailed(at, named(call))),
    BEGUN,
    HEARD,
    of(lambda at, call: AudioDelta(at, response(call), f"a{call.response.turn}", audio(100))),
    of(lambda at, call: AudioDelta(at, response(call), f"b{call.response.turn}", audio(900))),
    of(lambda at, call: ReplyTranscript(at, response(call), "Hello there")),
    of(lambda at, call: ReplyTranscript(at, response(call), "שלום ", is_whole=False)),
    of(lambda at, _call: SpeechDetected(at)),
    COUGH,
    MADE_UP,
    CANCELLED,
    of(
        lambda at, call: ResponseDone(
            at, response(call), call.response.turn, "completed", (f"a{call.response.turn}",)
        )
    ),
    LOOKED_UP,
    ANSWERED,
    of(lambda at, call: ToolCalled(at, response(call), "c2", "lookup", "{}")),
    GOODBYE,
    of(lambda at, call: ToolCalled(at, response(call), "c4", "transfer_call", "{}")),
    of(lambda at, call: ToolCalled(at, response(call), "c5", "order", "{}")),
    KEY,
    of(lambda at, call: PlaybackMarked(at, mark(call))),
    of(lambda at, call: PlaybackMarked(at, call.playback.marks[-1].name if call.playback.marks else "m0")),
]
ABSURD: list[Step] = [
    READY,
    of(lambda at, _call: RealtimeLost(at)),
    of(lambda at, call: RealtimeError(at, "response_cancel_not_active", call.response.cancel_event_id)),
    of(lambda at, _call: RealtimeError(at, "response_cancel_not_active", None)),
    of(lambda at, call: RealtimeError(at, "conversation_already_has_active_response", call.response.create_event_id)),
    of(lambda at, call: RealtimeError(at, "server_error", call.response.create_event_id)),
    of(
        lambda at, call: RealtimeError(
            at, "refused", call.turn.unsettled[0].commit_event_id if call.turn.unsettled else None
        )
    ),
    of(
        lambda at, call: RealtimeError(
            at, "refused", call.turn.unsettled[-1].commit_event_id if call.turn.unsettled else None
        )
    ),
    of(lambda at, _call: AudioCommitted(at, "foreign")),
    of(lambda at, call: ResponseCreated(at, "x1", call.response.turn - 1)),
    of(lambda at, _call: ResponseCreated(at, "x2", None)),
    of(lambda at, _call: AudioDelta(at, "x1", "xa", audio(300))),
    of(lambda at, call: AudioDelta(at, response(call), "a", b"")),
    of(lambda at, _call: ResponseDone(at, "x1", None, "cancelled", ("xa",))),
    of(lambda at, _call: ResponseDone(at, None, None, "cancelled")),
    of(lambda at, _call: PlaybackMarked(at, "m1")),
    of(lambda at, _call: ToolCalled(at, "x1", "c9", "hang_up", "{}")),
    of(lambda at, _call: ToolCalled(at, "x1", "c9", "lookup", "{}")),
    of(lambda at, _call: ToolAnswered(at, "c9", "{}")),
    of(lambda at, call: TimerFired(call.deadline if call.deadline < math.inf else at)),
    of(lambda at, _call: TimerFired(at)),
]
HANG_UP = of(lambda at, _call: CallEnded(at, "hung_up"))

PAUSES = st.sampled_from([0.0, 0.0, 0.0, 0.02, 0.3, 1.5, 3.0, 8.0])
SEQUENCES: list[tuple[Step, ...]] = [
    (SPEECH, SILENCE),
    (CLICK, SILENCE),
    (SPEECH, SILENCE, NAMED),
    (SPEECH, SILENCE, NAMED, ACCEPTED),
    (SPEECH, SILENCE, NAMED, ACCEPTED, BEGUN),
    (SPEECH, SILENCE, NAMED, ACCEPTED, BEGUN, HEARD),
    (BEGUN, CLICK, HEARD),
    (BEGUN, HEARD, LOUD_FRAME),
    (BEGUN, HEARD, LOUD_FRAME, CANCELLED, COUGH),
    (COUGH, CANCELLED, NAMED),
    (SPEECH, CANCELLED, SILENCE, NAMED),
    (NOISE, HUM, SILENCE),
    (SPEECH, SILENCE, NAMED, ACCEPTED, BEGUN, LOOKED_UP),
    (SPEECH, SILENCE, NAMED, ACCEPTED, BEGUN, HEARD, GOODBYE),
    (BEGUN, HEARD, LOOKED_UP, LOUD_FRAME),
]
SINGLE = [(step,) for step in LIKELY], [(step,) for step in ABSURD]
MOVES = st.one_of(*(st.sampled_from(moves) for moves in (*SINGLE, SEQUENCES)))
SCRIPTS = st.lists(st.tuples(PAUSES, MOVES), max_size=30)
Script = list[tuple[float, tuple[Step, ...]]]
BEGINNING: Script = [(0.0, (READY, *[WEAK_FRAME] * 5))]
BUSINESSES = st.sampled_from([SILENT_BUSINESS, GREETING_BUSINESS, TOOL_BUSINESS])


def performed(business: Business, clip_ms: int, script: Script) -> tuple[Recording, list[Effect]]:
    """What happened in a call of a script, and what was done in it."""
    config = evolve(CONFIG, business=(business,))
    call = Call.begin(config, business, greeting_clip=audio(clip_ms))
    entries, effects, now = list[Entry](), list[Effect](), 0.0
    for pause, move in script:
        now += pause
        for event in (event for step in move for event in step(now, call)):
            source = call.state
            effects += dispatch(call, event)
            entries.append(Entry(0, event, source, call.state))
    header = {"call_sid": "CA1", "business": "*", "greeting_clip_bytes": len(audio(clip_ms)), "started": ""}
    header["greeting_clip_levels_rms"] = []
    return Recording(Path("none"), header, config, tuple(entries), None, is_torn=True), effects
