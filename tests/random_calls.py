"""Calls for tests that feed far more than a person would write: judged at every step, and shown to go on after it.

`Witness` holds a call to the laws of `callfsm verify`, and to some more that can be seen from outside. `settle` and
`goes_on` are the peers at their best: the session returns, OpenAI and Twilio answer, and the caller asks once more.
"""

from collections.abc import Iterator
from enum import Enum
from math import inf

from attrs import define, evolve, field, frozen

from callfsm.audit.verify.watch import Debt, Watch
from callfsm.call import Call
from callfsm.config import HANG_UP, TRANSFER
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
    EndCall,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    Event,
    PlaybackMarked,
    RealtimeLost,
    RealtimeReady,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
)
from callfsm.hearing.mulaw import BYTES_PER_MS, SAMPLE_RATE_HZ
from callfsm.machine import ENGINE, Engine, build
from callfsm.speaking.playback import STEP_BYTES, PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states import TABLE
from callfsm.states.base import Action, Guard, State, Transition
from tests.calls import LOUD, QUIET, audio
from tests.dialogue import FRAME_S, NO_PLACE, TAPE, place_of

FAREWELLS = (HANG_UP, TRANSFER)
TO_SESSION = (
    AppendAudio, CommitAudio, ClearAudio, CreateResponse, TruncateItem, DeleteItem, CreateItem, AnswerTool,
)  # fmt: skip
AUDIBLE = (State.AI_GRACE, State.AI_SPEAKING)
MOST_ANSWERS = 1000
MOST_BACK_BYTES = 1010 * BYTES_PER_MS
"""A second, and half of the pause that was found."""
ROUNDING_BYTES = 2
QUESTION_FRAMES = 15


class Rule(Enum):
    """What holds of every call beside the laws of `callfsm verify`."""

    NOTHING_LEFT = "after an event nothing is left to be done"
    TIME = "a deadline is never in the past, and an ended call has none"
    CANCEL = "whoever comes to CANCELLING has sent a cancel in that very step"
    FLOOR = "the assistant is not heard while an utterance of the caller is open"
    END = "the call is ended once and for a reason, and nothing follows"
    GOODBYE = "only the response that said goodbye ends the call, if its caller is real, silent or doubted, and owed nothing"
    FUNCTIONS = "no response is requested while a function is awaited"
    ONE_VOICE = "no response is requested while anything of another is played, held back or paused"
    TRUNCATION = "an item is truncated at more than nothing and at no more than was received of it"
    CLEARED_MARK = "a mark that is echoed because of our clear proves nothing"
    MARK_NAMES = "the names of marks are never used again"
    ORDER = "a session gets the caller's audio in order, and no frame of it twice"
    SESSION = "between its loss and its return nothing but a cancel is sent to the session"
    RECEIVED = "of a response is played all that was received of it, in order and without a gap"
    PLACE = "what goes on begins where the caller stopped hearing it, or up to a second before"
    STEP = "what goes on once more begins farther on than the last time, where more of it has been heard"


class RuleBrokenError(AssertionError):
    """A call broke a rule."""

    def __init__(self, rule: Rule, why: object) -> None:
        super().__init__(f"{rule.name} ({rule.value}): {why}")
        self.rule = rule


@frozen
class Played:
    """What the caller is played, by the clock and the echoed marks."""

    response_id: str | None = None
    """Whose speech it is."""
    place: int = 0
    """How far the caller has been sent it, in bytes from its beginning."""
    plays_until: float = 0.0
    marks: tuple[tuple[str, int], ...] = ()
    """Those that have been sent since the newest stop, and their places."""
    proven: int = 0
    """How far it has been heard by the newest mark that was echoed."""
    heard: int | None = None
    """How far it had been heard at most when it was stopped; None where it has not been stopped."""
    went_on_from: int | None = None
    """Where it began the last time that it went on; None where it never has."""

    def plays(self, count: int, at: float) -> "Played":
        until = max(self.plays_until, at) + count / SAMPLE_RATE_HZ
        return evolve(self, place=self.place + count, plays_until=until)

    def stops(self, at: float) -> "Played":
        by_clock = self.place - int(max(0.0, self.plays_until - at) * SAMPLE_RATE_HZ - ROUNDING_BYTES)
        return evolve(self, heard=max(self.proven, by_clock), plays_until=at, marks=())

    def echoes(self, name: str, at: float) -> "Played":
        """An echo that comes early says that the caller has heard more than the clock knew of."""
        place = dict(self.marks).get(name)
        if place is None:
            return self
        until = min(self.plays_until, at + (self.place - place) / SAMPLE_RATE_HZ)
        return evolve(self, proven=max(self.proven, place), plays_until=until)


@define(eq=False)
class Witness:
    """One call, the time, and what has been seen of the call from outside.

    Frames are named by their number, and each response says the tape from its beginning.
    """

    call: Call
    engine: Engine = ENGINE
    watch: Watch = field(factory=Watch)
    now: float = 0.0
    is_connected: bool = False
    """The session is ready, by the events."""
    frames: int = 0
    appended: int = 0
    """The number of the newest frame that this session has got."""
    marks: tuple[str, ...] = ()
    """Sent, and neither echoed nor cleared."""
    newest_mark: int = 0
    cleared: frozenset[str] = frozenset()
    received: tuple[tuple[str, int], ...] = ()
    """Bytes of each item since the newest request, one entry a piece."""
    spoken: tuple[tuple[str, int], ...] = ()
    """How much has come of each response, by its id."""
    played: Played = field(factory=Played)
    leaving_id: str = ""
    """The response that newest asked to hang up or to transfer the caller."""

    def hear(self, rms: float, frame_s: float = FRAME_S, voicing: float = 0.0) -> list[Effect]:
        """Let the line carry one frame, so long after the last event."""
        self.now += frame_s
        return self.feed(RmsFrame(self.now, rms, voicing=voicing))

    def is_all_heard(self, at: float) -> bool:
        """By the clock the caller has heard all that has come of the reply."""
        played = self.played
        received = dict(self.spoken).get(played.response_id or "", 0)
        return played.plays_until <= at and played.place == received

    def feed(self, event: Event) -> list[Effect]:
        """Feed an event, each timer that is due before it by itself; return what was done."""
        effects: list[Effect] = []
        while self.call.deadline <= event.at:
            effects += self._step(TimerFired(self.call.deadline))
        if not isinstance(event, TimerFired):
            effects += self._step(event)
        self.now = max(self.now, event.at)
        return effects

    def _step(self, event: Event) -> list[Effect]:
        call = self.call
        state = call.state
        heard = (call.playback.confirmed, call.playback.phase, call.state)
        if isinstance(event, RmsFrame):
            self.frames += 1
            event = evolve(event, payload=str(self.frames))
        elif isinstance(event, RealtimeReady | RealtimeLost):
            self.is_connected = isinstance(event, RealtimeReady)
            self.appended = 0
        elif isinstance(event, AudioDelta):
            event = self._speak(event)
        elif isinstance(event, ToolCalled) and event.name in FAREWELLS and event.response_id == self.watch.begun_id:
            self.leaving_id = event.response_id
        before = self.watch.begun_id
        effects = self.watch.feed(self.engine, call, event)
        if self.watch.begun_id != before:
            # Its id may have been that of another.
            self.spoken = tuple(each for each in self.spoken if each[0] != self.watch.begun_id)
        self._judge_step(state, event, effects)
        for effect in effects:
            self._judge_effect(effect)
        self._judge_place(event, effects)
        if isinstance(event, PlaybackMarked):
            self.played = self.played.echoes(event.name, event.at)
            self._judge_echo(event.name, is_proof=heard != (call.playback.confirmed, call.playback.phase, call.state))
        return effects

    def _speak(self, event: AudioDelta) -> AudioDelta:
        """The same, but it says what comes next of its response; before its beginning and behind its end nothing does."""
        spoken = dict(self.spoken)
        start = spoken.get(event.response_id, 0)
        end = start + len(event.audio)
        if self.watch.is_in_flight and event.response_id == self.watch.begun_id:
            spoken[event.response_id] = end
            self.spoken = tuple(spoken.items())
            self.received += ((event.item_id, len(event.audio)),)
        return evolve(event, audio=TAPE[start:end])

    def _judge_step(self, before: State, event: Event, effects: list[Effect]) -> None:
        call = self.call
        if call.effects or call.backlog:
            raise RuleBrokenError(Rule.NOTHING_LEFT, call.effects or call.backlog)
        is_cancelled = any(isinstance(effect, CancelResponse) for effect in effects)
        if call.state is State.CANCELLING is not before and not is_cancelled:
            raise RuleBrokenError(Rule.CANCEL, event)
        was_ended, is_ended = before is State.ENDED, call.state is State.ENDED
        if call.deadline < event.at or (is_ended and call.deadline < inf):
            raise RuleBrokenError(Rule.TIME, f"{call.deadline} after {event}")
        if call.state in AUDIBLE and call.turn.open is not None:
            raise RuleBrokenError(Rule.FLOOR, event)
        reasons = [effect.reason for effect in effects if isinstance(effect, EndCall)]
        expected = [call.end_reason or "one"] if is_ended and not was_ended else []
        if reasons != expected or (was_ended and effects):
            raise RuleBrokenError(Rule.END, effects)
        if set(reasons) & set(FAREWELLS):
            self._judge_goodbye(event)

    def _judge_goodbye(self, event: Event) -> None:
        call = self.call
        turn, owed = call.turn, call.response.owed
        is_silent = turn.open is None and all(utterance.is_doubted for utterance in turn.unsettled)
        is_asked = self.leaving_id == call.response.response_id == self.watch.begun_id
        if not (call.has_real_user_utterance and is_silent and owed is Owed.NOTHING and is_asked):
            raise RuleBrokenError(Rule.GOODBYE, f"{event}, {turn.phase.name}, {owed.name}, {self.leaving_id!r}")

    def _judge_effect(self, effect: Effect) -> None:
        if isinstance(effect, TO_SESSION) and not self.is_connected:
            raise RuleBrokenError(Rule.SESSION, effect)
        if isinstance(effect, CreateResponse):
            if self.call.tools:
                raise RuleBrokenError(Rule.FUNCTIONS, self.call.tools)
            if self.call.playback.phase is not PlaybackPhase.IDLE:
                raise RuleBrokenError(Rule.ONE_VOICE, self.call.playback.phase.name)
            self.received = ()
        elif isinstance(effect, TruncateItem):
            received = sum(count for item, count in self.received if item == effect.item_id)
            if not 0 < effect.audio_end_ms * BYTES_PER_MS <= received:
                raise RuleBrokenError(Rule.TRUNCATION, f"{effect} of {received} bytes")
        elif isinstance(effect, AppendAudio):
            if int(effect.payload) <= self.appended:
                raise RuleBrokenError(Rule.ORDER, f"frame {effect.payload} after {self.appended}")
            self.appended = int(effect.payload)
        else:
            self._judge_playback(effect)

    def _judge_playback(self, effect: Effect) -> None:
        if isinstance(effect, SendMark):
            if int(effect.name[1:]) <= self.newest_mark:
                raise RuleBrokenError(Rule.MARK_NAMES, effect)
            self.newest_mark = int(effect.name[1:])
            self.marks += (effect.name,)
        elif isinstance(effect, ClearPlayback):
            self.cleared |= frozenset(self.marks)
            self.marks = ()

    def _judge_place(self, event: Event, effects: list[Effect]) -> None:
        """Follow what the caller is sent of which response: in order, or after a stop from a little before it."""
        speech = b"".join(effect.audio for effect in effects if isinstance(effect, PlayAudio))
        played, call = self.played, self.call
        if any(isinstance(effect, ClearPlayback) for effect in effects):
            played = played.stops(event.at)
        if speech:
            whose = event.response_id if isinstance(event, AudioDelta) else call.response.response_id
            received = len(call.greeting_clip) if whose is None else dict(self.spoken).get(whose, 0)
            if played.response_id != whose or (played.heard is None and not played.place):
                played = Played(whose)
            played = self._judge_start(played, speech)
            if played.place + len(speech) != received or not TAPE.startswith(speech, played.place):
                raise RuleBrokenError(Rule.RECEIVED, f"{len(speech)} bytes from {played.place} on, of {received}")
        for effect in effects:
            if isinstance(effect, PlayAudio):
                played = played.plays(len(effect.audio), event.at)
            elif isinstance(effect, SendMark):
                played = evolve(played, marks=(*played.marks, (effect.name, played.place)))
        self.played = played

    @staticmethod
    def _judge_start(played: Played, speech: bytes) -> Played:
        """The same at the place where this piece of speech begins."""
        if played.heard is None:
            return played
        start = place_of(speech)
        if start == NO_PLACE or not played.proven - MOST_BACK_BYTES <= start <= played.heard:
            raise RuleBrokenError(Rule.PLACE, f"from {start} on, heard to {played.proven} and at most {played.heard}")
        last = played.went_on_from
        if last is not None and start < max(last, min(played.proven, last + STEP_BYTES)):
            raise RuleBrokenError(Rule.STEP, f"from {start} on after {last}, heard to {played.proven}")
        return evolve(played, place=start, heard=None, proven=0, went_on_from=start)

    def _judge_echo(self, name: str, *, is_proof: bool) -> None:
        if name in self.cleared and is_proof:
            raise RuleBrokenError(Rule.CLEARED_MARK, name)
        self.marks = tuple(mark for mark in self.marks if mark != name)


def without(state: State, left_out: Action | Guard) -> Engine:
    """An engine of a faulty table: one state never does, or does not ask, something."""
    table = [
        evolve(spec, transitions=tuple(_without(row, left_out) for row in spec.transitions))
        if spec.state is state
        else spec
        for spec in TABLE
    ]
    return Engine(build(table))


def _without(row: Transition, left_out: Action | Guard) -> Transition:
    return evolve(
        row,
        when=tuple(guard for guard in row.when if guard is not left_out),
        do=tuple(action for action in row.do if action is not left_out),
    )


def due(call: Call, at: float) -> Iterator[Event]:
    """Yield what the session, OpenAI, a function and Twilio owe the call, the most urgent first."""
    response = call.response
    response_id, item = response.response_id or "", f"a{response.turn}"
    named = [waiting.item_id for waiting in call.turn.unsettled if waiting.item_id is not None]
    if not call.is_ready:
        yield RealtimeReady(at)
    if call.turn.unacknowledged:
        yield AudioCommitted(at, f"item of {at}, {len(call.turn.unacknowledged)}")
    if named:
        yield TranscriptCompleted(at, named[0], "שלום לך")
    if call.tools:
        yield ToolAnswered(at, next(iter(call.tools)), "{}")
    if response.phase in (ResponsePhase.REQUESTED, ResponsePhase.OVERTAKEN):
        yield ResponseCreated(at, f"r{response.turn}", response.turn)
    if response.phase is ResponsePhase.ACTIVE and call.state not in AUDIBLE:
        yield AudioDelta(at, response_id, item, audio(500))
    if response.phase in (ResponsePhase.ACTIVE, ResponsePhase.CANCELLING):
        yield ResponseDone(at, response_id or None, response.turn, "completed", (item,))
    if response.phase is ResponsePhase.BLOCKED:
        yield ResponseDone(at, "foreign", None, "completed")
    if call.playback.marks:
        yield PlaybackMarked(at, call.playback.marks[0].name)


def settle(witness: Witness) -> list[Effect]:
    """The caller is silent and the peers answer, until there is nothing to wait for; return what was done."""
    call, effects = witness.call, list[Effect]()
    for _ in range(MOST_ANSWERS):
        event = next(due(call, witness.now), None)
        if call.state is State.ENDED:
            return effects
        if call.turn.open is not None or call.state is State.CALIBRATING:
            effects += witness.hear(QUIET)
        elif event is not None:
            effects += witness.feed(event)
        elif call.deadline < inf:
            effects += witness.feed(TimerFired(call.deadline))
        else:
            return effects
    raise AssertionError(f"{MOST_ANSWERS} answers, and no end: {call}")


def goes_on(witness: Witness) -> None:
    """Assert that nothing is left unanswered once the peers answer, and that a further question is answered, too."""
    settle(witness)
    if witness.call.state is State.ENDED:
        return
    assert witness.watch.debt is Debt.NONE, f"what was accepted is not answered: {witness.call}"
    assert not witness.watch.is_stopped, f"the assistant was stopped by nobody and does not go on: {witness.call}"
    is_forgone = witness.call.response.continued == witness.call.config.turn.most_continued
    assert is_forgone or not witness.watch.is_cut, f"the rest of a reply is not asked for: {witness.call}"
    for _ in range(QUESTION_FRAMES):
        witness.hear(LOUD, voicing=1.0)
    kinds = {type(effect) for effect in settle(witness)}
    is_answered = {CreateResponse, PlayAudio} <= kinds and witness.call.state is State.LISTENING
    assert is_answered, f"a question is not answered: {witness.call}"
