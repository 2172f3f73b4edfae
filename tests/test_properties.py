"""What holds of every call, whatever happens in it: random scripts of events, likely and absurd ones."""

import math
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callfsm.call import Call
from callfsm.config import Business, Config, GateConfig
from callfsm.effects import (
    AnswerTool,
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    PlayAudio,
    TruncateItem,
)
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
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.machine import dispatch
from callfsm.speaking.response import ResponsePhase
from callfsm.states.base import State
from tests.calls import GREETING_BUSINESS, LOUD, QUIET, SILENT_BUSINESS, TOOL_BUSINESS, audio

TO_REALTIME = (AppendAudio, CommitAudio, ClearAudio, CreateResponse, TruncateItem, DeleteItem, CreateItem, AnswerTool)
AUDIBLE = (State.AI_GRACE, State.AI_SPEAKING)
ENDS_RESPONSE = (ResponseDone, RealtimeError)
IN_FLIGHT = (ResponsePhase.REQUESTED, ResponsePhase.ACTIVE, ResponsePhase.OVERTAKEN, ResponsePhase.CANCELLING)
CONFIG = Config(gate=GateConfig(calibration_ms=100))
"""Short, so that scripts get past it."""

Step = Callable[[float, Call], list[Event]]


def of(make: Callable[[float, Call], Event]) -> Step:
    return lambda at, call: [make(at, call)]


def frames(count: int, rms: float) -> Step:
    return lambda at, _call: [RmsFrame(at, rms, "f")] * count


def named(call: Call) -> str:
    """The item that is most likely to be spoken of."""
    return next((waiting.item_id for waiting in call.turn.unsettled if waiting.item_id), "i0")


def response(call: Call) -> str:
    return call.response.response_id or f"r{call.response.turn}"


def mark(call: Call) -> str:
    return call.playback.marks[0].name if call.playback.marks else "m0"


LOUD_FRAME, CLICK, SPEECH = frames(1, LOUD), frames(4, LOUD), frames(15, LOUD)
WEAK_FRAME, SILENCE = frames(1, QUIET), frames(30, QUIET)
NAMED = of(lambda at, call: AudioCommitted(at, f"i{call._event_ids}"))
ACCEPTED = of(lambda at, call: TranscriptCompleted(at, named(call), "שלום לך"))
BEGUN = of(lambda at, call: ResponseCreated(at, f"r{call.response.turn}", call.response.turn))
HEARD = of(lambda at, call: AudioDelta(at, response(call), f"a{call.response.turn}", audio(900)))
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


class Watched:
    """A call under watch: every law is checked at every step."""

    def __init__(self, business: Business) -> None:
        self.call = Call.begin(CONFIG, business)
        self.now = 0.0
        self.cancelled: set[str] = set()
        self.effects: list[list[Effect]] = []
        self.greeting_heard = False

    def run(self, script: Script) -> None:
        for pause, move in script:
            self.now += pause
            for step in move:
                for event in step(self.now, self.call):
                    self.feed(event)

    def feed(self, event: Event) -> None:
        call = self.call
        was_ready, was_real, was_loud_speaking = call.is_ready, call.has_real_user_utterance, self._interrupts(event)
        phase, alone = call.response.phase, event.at < call.deadline
        effects = dispatch(call, event)
        self.effects.append(effects)
        created = [effect for effect in effects if isinstance(effect, CreateResponse)]
        played = [effect for effect in effects if isinstance(effect, PlayAudio)]

        assert [] == call.effects
        assert [] == list(call.backlog)
        assert call.deadline >= event.at
        if created and not (was_real or call.has_real_user_utterance):
            assert call.business.enable_greeting
            assert not self.greeting_heard
        if played:
            assert call.state in AUDIBLE
            self.greeting_heard |= not call.has_real_user_utterance
        if created and alone:
            assert len(created) == 1
            assert phase not in IN_FLIGHT or isinstance(event, ENDS_RESPONSE)
            assert call.state in (State.GREETING, State.LISTENING)
            assert not call.tools
            assert call.response.phase is ResponsePhase.REQUESTED
        if was_loud_speaking:
            assert call.state is State.CANCELLING
            assert {ClearPlayback, CancelResponse} <= {type(effect) for effect in effects}
        if call.end_reason in ("hang_up", "transfer_call"):
            assert call.has_real_user_utterance
            assert call.turn.phase is TurnPhase.SILENT
        if not (was_ready or call.is_ready):
            assert [] == [effect for effect in effects if isinstance(effect, TO_REALTIME)]

    def _interrupts(self, event: Event) -> bool:
        """A loud frame in AI_SPEAKING, before any deadline."""
        call = self.call
        speaking = call.state is State.AI_SPEAKING and isinstance(event, RmsFrame) and event.at < call.deadline
        return speaking and isinstance(event, RmsFrame) and event.rms >= call.gate.threshold_rms

    def is_waiting_in_vain(self) -> bool:
        """Nothing is armed though something is owed or awaited that no frame and no session will end."""
        call = self.call
        awaited = call.response.phase in IN_FLIGHT or call.state in (State.GREETING, State.CANCELLING, *AUDIBLE)
        return (
            call.state is not State.ENDED
            and call.is_ready
            and awaited
            and call.deadline == math.inf
            and call.turn.open is None
        )


@settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(business=BUSINESSES, script=SCRIPTS)
def test_the_laws_hold_of_every_call(business: Business, script: Script) -> None:
    watched = Watched(business)
    watched.run([*BEGINNING, *script])

    assert not watched.is_waiting_in_vain()


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(business=BUSINESSES, script=SCRIPTS)
def test_the_same_events_have_the_same_effects(business: Business, script: Script) -> None:
    first, second = Watched(business), Watched(business)
    first.run([*BEGINNING, *script])
    second.run([*BEGINNING, *script])

    assert repr(first.effects) == repr(second.effects)
    assert first.effects == second.effects


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(business=BUSINESSES, script=SCRIPTS)
def test_every_call_can_be_ended(business: Business, script: Script) -> None:
    watched = Watched(business)
    watched.run([*script, (0.0, (HANG_UP,))])
    effects = watched.effects[:]
    watched.run(script)

    assert State.ENDED is watched.call.state
    assert all(later == [] for later in watched.effects[len(effects) :])
    assert math.inf == watched.call.deadline
