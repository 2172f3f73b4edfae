"""Every order in which what is on its way can arrive, around the moments at which a call is decided.

OpenAI, Twilio, the caller's line and the clock each keep their own order and are late by any amount against one
another; OpenAI and Twilio answer what the call does. From a beginning all such orders are followed to their end.
Orders that have led to the very same situation are followed once and counted as many, so that none is left out.
At every step the laws are checked, and that a hang-up there is the end of all.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

import attrs
import pytest
from attrs import define, evolve, field, frozen

from callfsm.audit.verify.copying import copy_of, shallow
from callfsm.audit.verify.watch import Watch
from callfsm.call import Call
from callfsm.config import Business, Config, GateConfig, TurnConfig
from callfsm.effects import (
    CancelResponse,
    ClearPlayback,
    CommitAudio,
    CreateResponse,
    Effect,
    EndCall,
    Log,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    CallEnded,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.gate import Gate
from callfsm.hearing.mulaw import BYTES_PER_MS, SAMPLE_RATE_HZ
from callfsm.hearing.turn import Turn, Utterance
from callfsm.machine import ENGINE, Engine, dispatch
from callfsm.speaking.playback import Playback, _Item
from callfsm.speaking.response import Response, ResponsePhase
from callfsm.states.base import Action, Guard, State
from callfsm.states.interrupting import drop_rest, owe_rest, pause_playback, settle_rest
from callfsm.states.playing import is_caller_speaking, is_speech_proven
from callfsm.states.responses import cancel_response
from tests.calls import GREETED_WITH, GREETING_BUSINESS, LOUD, QUIET, SILENT_BUSINESS, audio
from tests.dialogue import FRAME_S
from tests.random_calls import Witness, goes_on, without

pytestmark = pytest.mark.no_cover
"""What is explored here is covered elsewhere, and tracing it takes a minute."""

PATIENCE_S: Final = 3.5
"""Within this time something else happens: the peers answer, or the caller does something."""
GRACE_S: Final = 0.3
CONFIG: Final = Config(
    gate=GateConfig(calibration_ms=100, hangover_ms=100, follow_factor=0, echo_factor=0),
    turn=TurnConfig(end_of_turn_ms=160, min_speech_ms=60, confirm_voiced_ms=60, confirm_ms=120),
)
"""The default grace and time-outs; a turn and a doubt of few frames, on a line that stays as it is."""
PROOF: Final = 3
"""So many voiced frames prove that somebody speaks."""
REPLY: Final = (300, 100)
"""The pieces of each response, in ms."""
ACCEPTED: Final = "שלום לך"
REJECTED: Final = "?!"
BUSY: Final = "conversation_already_has_active_response"
ENDS_OR_SPEAKS: Final = (EndCall, CreateResponse, PlayAudio)
CONSTANT: Final = (
    "config",
    "business",
    "briefing",
    "greeting_clip",
    "greeting_levels_rms",
    "engine",
    "moves",
    "line",
    "_levels",
)


@frozen
class OpenAI:
    """OpenAI's end of the socket: what it was sent and has not dealt with, and what it generates."""

    inbox: tuple[CreateResponse | CancelResponse | CommitAudio, ...] = ()
    turn: int = 0
    """That of the response being generated; 0 for none."""
    left: tuple[int, ...] = ()
    is_stopping: bool = False
    """Its cancel has arrived, and its end has not been sent."""
    items: int = 0
    untranscribed: tuple[str, ...] = ()
    begun: int = 0
    """So many responses have begun."""
    verdict: str | None = ACCEPTED
    """What it hears in each utterance; None where it hears nothing."""

    def take(self, message: CreateResponse | CancelResponse | CommitAudio) -> "OpenAI":
        """A message of ours that has to be dealt with, in its turn."""
        return evolve(self, inbox=(*self.inbox, message))

    def says(self, at: float) -> Iterator[tuple[Event, "OpenAI"]]:
        """Yield each message that may come next, and what OpenAI is then."""
        yield from self._speech(at)
        for item in self.untranscribed[:1]:
            heard = (
                TranscriptFailed(at, item) if self.verdict is None else TranscriptCompleted(at, item, self.verdict)
            )
            yield heard, evolve(self, untranscribed=self.untranscribed[1:])
        if self.inbox:
            yield from self._answers(at, self.inbox[0], evolve(self, inbox=self.inbox[1:]))

    def _speech(self, at: float) -> Iterator[tuple[Event, "OpenAI"]]:
        name, silent = f"r{self.turn}", evolve(self, turn=0, left=(), is_stopping=False)
        if self.turn and self.left:
            yield AudioDelta(at, name, f"a{self.turn}", audio(self.left[0])), evolve(self, left=self.left[1:])
        if self.turn and (self.is_stopping or not self.left):
            status = "cancelled" if self.is_stopping else "completed"
            yield ResponseDone(at, name, self.turn, status, (f"a{self.turn}",)), silent

    def _answers(self, at: float, message: Effect, after: "OpenAI") -> Iterator[tuple[Event, "OpenAI"]]:
        if isinstance(message, CommitAudio):
            item = f"i{self.items + 1}"
            yield (
                AudioCommitted(at, item),
                evolve(after, items=self.items + 1, untranscribed=(*self.untranscribed, item)),
            )
        elif isinstance(message, CreateResponse) and self.turn:
            yield RealtimeError(at, BUSY, message.event_id), after
        elif isinstance(message, CreateResponse):
            begun = evolve(after, turn=message.turn, left=REPLY, begun=self.begun + 1)
            yield ResponseCreated(at, f"r{message.turn}", message.turn), begun
            yield from self._overtaking(at, message, after)
        elif isinstance(message, CancelResponse) and self.turn and message.response_id in (None, f"r{self.turn}"):
            # It takes effect at once, or a little later: what is behind it in the inbox may be dealt with first.
            if not self.is_stopping:
                yield from evolve(after, is_stopping=True).says(at)
        elif isinstance(message, CancelResponse):
            yield RealtimeError(at, "response_cancel_not_active", message.event_id), after

    def _overtaking(self, at: float, create: CreateResponse, after: "OpenAI") -> Iterator[tuple[Event, "OpenAI"]]:
        """A cancel right behind the request can find nothing to cancel yet; the response begins all the same."""
        for cancel in after.inbox[:1]:
            if isinstance(cancel, CancelResponse) and cancel.response_id is None:
                error = RealtimeError(at, "response_cancel_not_active", cancel.event_id)
                yield error, evolve(self, inbox=(create, *after.inbox[1:]))


@frozen
class Twilio:
    """The telephone: when the marks that it has not echoed have been played, and when all has."""

    marks: tuple[tuple[str, float], ...] = ()
    plays_until: float = 0.0

    def take(self, effect: Effect, at: float) -> "Twilio":
        """A cleared mark is echoed at once."""
        if isinstance(effect, PlayAudio):
            return evolve(self, plays_until=max(self.plays_until, at) + len(effect.audio) / SAMPLE_RATE_HZ)
        if isinstance(effect, SendMark):
            return evolve(self, marks=(*self.marks, (effect.name, self.plays_until)))
        if isinstance(effect, ClearPlayback):
            return Twilio(tuple((name, 0.0) for name, _ in self.marks), 0.0)
        return self


@frozen
class Sounds:
    """A piece of what the caller's line carries."""

    name: str
    count: int
    rms: float
    voicing: float = 0.0


ENDS_TURN: Final = (Sounds("weak sound", 5, QUIET), Sounds("the silence that ends the turn", 3, QUIET))


def speaks(frames: int, voicing: float = 1.0) -> tuple[Sounds, ...]:
    """So many loud frames, with a voice unless it is said how voiced they are, and the silence that ends the turn."""
    begins = Sounds("the caller begins to speak", 1, LOUD, voicing)
    return (begins, Sounds("the caller goes on", frames - 1, LOUD, voicing), *ENDS_TURN)


@frozen
class Seen:
    """What has come of the order so far, as the caller and the peers see it."""

    requests: int = 0
    greetings: int = 0
    """So many of them were for the greeting."""
    heard: tuple[tuple[int, float], ...] = ()
    """The turns of the responses of which the caller was sent anything, and when first."""
    began_at: float = 0.0
    """When the newest of them began, or went on."""
    is_stopped: bool = False
    """A sound of the caller had it cleared, and it has not gone on."""
    is_cut: bool = False
    """More of it was being generated then."""
    is_whole: bool = False
    """All of it had been heard then."""
    voiced: int = 0
    """So many voiced frames have been heard."""
    confirmed: frozenset[int] = frozenset()
    """The turns of those that somebody interrupted: by voiced frames, or by words."""
    interruptions: int = 0
    """So often a sound of the caller had what was being said cleared."""
    resumed: int = 0
    accepted: int = 0
    asked: int = 0
    """Requests since the newest acceptance, without those that were refused."""

    @property
    def newest(self) -> int:
        """The turn of the newest response that was heard; 0 for none."""
        return self.heard[-1][0] if self.heard else 0

    def hear(self, turn: int, at: float) -> "Seen":
        """Note a piece of a response that the caller is sent."""
        assert turn not in self.confirmed, f"r{turn} is heard after somebody interrupted it"
        if turn not in dict(self.heard):
            is_due = self.is_stopped and not self.is_whole and self.newest not in self.confirmed
            assert not is_due, f"r{turn} is heard before r{self.newest} has gone on"
            return evolve(self, heard=(*self.heard, (turn, at)), began_at=at, is_stopped=False)
        if self.is_stopped:
            return evolve(self, began_at=at, is_stopped=False, resumed=self.resumed + 1)
        return self

    def confirm(self) -> "Seen":
        """Somebody interrupted what was being said, if it was stopped."""
        return evolve(self, confirmed=self.confirmed | {self.newest}) if self.is_stopped else self


Choice = tuple[Event | str, Callable[[], "Situation"]]


@frozen
class Situation:
    """A call in the middle of an order, and what is on its way."""

    witness: Witness
    openai: OpenAI
    sounds: tuple[Sounds, ...]
    frame_s: float
    """How far apart the caller's frames arrive: 20 ms, or nothing behind a line that stalled."""
    link: tuple[type[RealtimeLost | RealtimeReady], ...] = ()
    """What is still to become of the connection."""
    patience_s: float = PATIENCE_S
    """A deadline that is so far away may pass before anything else happens."""
    twilio: Twilio = field(factory=Twilio)
    seen: Seen = field(factory=Seen)

    def key(self) -> Hashable:
        """All that what follows can depend on."""
        return values(self.witness), self.openai, self.sounds, self.link, self.twilio, self.seen

    def choices(self) -> list[Choice]:
        """Return each thing that may happen next, and what leads to the situation after it."""
        now, deadline = self.witness.now, self.witness.call.deadline
        choices = [*self._peers(now)]
        patience_s = self.patience_s if choices else PATIENCE_S
        if deadline <= now + patience_s:
            choices.append(("the deadline passes", partial(self._after, TimerFired(deadline))))
        return choices

    def _peers(self, now: float) -> Iterator[Choice]:
        for event, openai in self.openai.says(now):
            yield event, partial(evolve(self, openai=openai)._after, event)
        for name, played_at in self.twilio.marks[:1]:
            twilio = evolve(self.twilio, marks=self.twilio.marks[1:])
            echo = PlaybackMarked(max(now, played_at), name)
            yield f"{name} is echoed", partial(evolve(self, twilio=twilio)._after, echo)
        for sounds in self.sounds[:1]:
            yield sounds.name, partial(evolve(self, sounds=self.sounds[1:])._hear, sounds)
        for kind in self.link[:1]:
            openai = OpenAI(items=self.openai.items, begun=self.openai.begun, verdict=self.openai.verdict)
            yield kind.__name__, partial(evolve(self, link=self.link[1:], openai=openai)._after, kind(now))

    def copy(self) -> "Situation":
        """The same, with a call of its own."""
        old = self.witness
        return evolve(self, witness=evolve(old, call=copy_of(old.call), watch=shallow(old.watch)))

    def _after(self, event: Event) -> "Situation":
        there = self.copy()
        return there._note(event, there.witness.feed(event))

    def _hear(self, sounds: Sounds) -> "Situation":
        there = self.copy()
        for _ in range(sounds.count):
            there = there._hear_frame(sounds)
        return there

    def _hear_frame(self, sounds: Sounds) -> "Situation":
        seen, call = self.seen, self.witness.call
        at = self.witness.now + self.frame_s
        is_speaking = self.twilio.plays_until > at and seen.newest not in seen.confirmed
        must_stop = is_speaking and sounds.rms == LOUD and seen.began_at + GRACE_S <= at
        is_cut, is_whole = call.response.phase is ResponsePhase.ACTIVE, self.witness.is_all_heard(at)
        effects = self.witness.hear(sounds.rms, self.frame_s, sounds.voicing)
        is_cleared = any(isinstance(effect, ClearPlayback) for effect in effects)
        assert is_cleared or not must_stop, "the assistant goes on while the caller speaks"
        seen = evolve(seen, voiced=seen.voiced + bool(sounds.voicing))
        if is_cleared:
            stops = seen.interruptions + 1
            seen = evolve(seen, is_stopped=True, is_cut=is_cut, is_whole=is_whole, interruptions=stops)
        if sounds.voicing and seen.voiced >= PROOF:
            seen = seen.confirm()
        return evolve(self, seen=seen)._note(RmsFrame(at, sounds.rms), effects)

    def _note(self, event: Event, effects: Sequence[Effect]) -> "Situation":
        """Let the peers take what was done, and note it."""
        openai, twilio, seen, now = self.openai, self.twilio, self.seen, self.witness.now
        if isinstance(event, RealtimeError) and event.code == BUSY:
            seen = evolve(seen, asked=seen.asked - 1)
        for effect in effects:
            if isinstance(effect, CreateResponse | CancelResponse | CommitAudio):
                openai = openai.take(effect) if self.witness.is_connected else openai
            elif isinstance(effect, PlayAudio | SendMark | ClearPlayback):
                twilio = twilio.take(effect, now)
            if isinstance(effect, CreateResponse):
                greetings = seen.greetings + (effect.instructions == GREETED_WITH)
                seen = evolve(seen, requests=seen.requests + 1, greetings=greetings, asked=seen.asked + 1)
            elif isinstance(effect, PlayAudio):
                seen = seen.hear(_speaker(self.witness.call, event), now)
            elif isinstance(effect, Log) and effect.message.startswith("User said: "):
                seen = evolve(seen.confirm(), accepted=seen.accepted + 1, asked=0)
            elif isinstance(effect, TruncateItem):
                heard_s = now - dict(seen.heard)[int(effect.item_id[1:])]
                assert effect.audio_end_ms / 1000 <= heard_s + 1e-6, f"{effect} after {heard_s} s of it"
        return evolve(self, openai=openai, twilio=twilio, seen=seen)


def _speaker(call: Call, event: Event) -> int:
    """Return the turn of the response that is heard with this event."""
    return int(event.response_id[1:]) if isinstance(event, AudioDelta) else call.response.turn


def told(step: Event | str) -> str:
    """A step, as it stands in the way to a failure."""
    return step if isinstance(step, str) else repr(evolve(step, at=0.0)).replace("at=0.0, ", "")


_PARTS: Final[dict[type, Callable[[Any], Sequence[Any]]]] = {
    kind: attrgetter(*(one.name for one in attrs.fields(kind) if one.name not in CONSTANT))
    for kind in (Witness, Watch, Call, Gate, Turn, Utterance, Response, Playback, _Item)
}


def values(thing: Any) -> Any:
    """The value of a thing that changes, all of it, to be compared."""
    kind = type(thing)
    if kind in _PARTS:
        return tuple([values(part) for part in _PARTS[kind](thing)])
    if kind in (list, deque) and thing and isinstance(thing[0], str):
        return tuple(thing)
    if kind in (list, deque):
        return tuple([values(part) for part in thing])
    return tuple(thing.items()) if kind is dict else thing


@define
class Orders:
    """All orders from a situation on, each followed to its end."""

    outcome: Callable[[Situation], None]
    """Asserts what must have come of an order."""
    known: dict[Hashable, int] = field(factory=dict)
    """How many orders there are from each situation on."""
    way: list[Event | str] = field(factory=list)
    total: int = 0
    interrupted: int = 0
    """At the ends of how many different ways the caller has interrupted."""

    def count(self, start: Situation, sounds: Sequence[Sounds], verdict: str | None) -> int:
        """Follow them all and return how many they are; what fails is told with the way to it."""
        openai = evolve(start.openai, verdict=verdict)
        try:
            self.total = self._follow(evolve(start, sounds=tuple(sounds), openai=openai))
        except AssertionError as error:
            error.add_note("\n".join(["after:", *map(told, self.way)]))
            raise
        return self.total

    def _follow(self, here: Situation) -> int:
        key = here.key()
        if key not in self.known:
            hang_up(here)
            orders = 0
            for name, go in here.choices():
                self.way.append(name)
                orders += self._follow(go())
                self.way.pop()
            if not orders:
                self.interrupted += here.seen.interruptions > 0
                self.outcome(here)
                goes_on(here.copy().witness)
            self.known[key] = orders or 1
        return self.known[key]


def hang_up(here: Situation) -> None:
    """Assert that a caller who hangs up now ends the call, and that nothing follows."""
    call, now = copy_of(here.witness.call), here.witness.now
    effects = dispatch(call, CallEnded(now, "hangup"))
    assert [EndCall("hangup")] == [effect for effect in effects if isinstance(effect, ENDS_OR_SPEAKS)]
    assert [] == dispatch(call, RmsFrame(now, LOUD)) + dispatch(call, TimerFired(now + PATIENCE_S))


# The beginnings, and what must come of each order


def measured(business: Business, frame_s: float, engine: Engine = ENGINE) -> Situation:
    """A call whose line has been measured but for one frame."""
    here = Situation(Witness(Call.begin(CONFIG, business), engine), OpenAI(), (), FRAME_S, (RealtimeReady,))
    return evolve(here._hear(Sounds("quiet", 4, QUIET)), frame_s=frame_s)


def asked(frame_s: float, answers: int, engine: Engine = ENGINE) -> Situation:
    """A call whose first question has been asked, and so many messages of OpenAI's have followed."""
    here = measured(SILENT_BUSINESS, FRAME_S, engine)
    here = evolve(here, link=())._after(RealtimeReady(here.witness.now))
    for sounds in (Sounds("quiet", 1, QUIET), Sounds("a question", 15, LOUD), *ENDS_TURN):
        here = here._hear(sounds)
    for _ in range(answers):
        _, go = here.choices()[0]
        here = go()
    return evolve(here, frame_s=frame_s, seen=evolve(here.seen, accepted=0, asked=0, requests=0))


IN_REPLY, BEFORE_REPLY = 4, 2
"""Messages: the commit's acknowledgement, the transcript, the beginning of the response and its first audio."""
FIRST_TURN: Final = 1
FIRST_ITEM: Final = 1
Record = Callable[[str, object], None]


def is_heard_out(here: Situation) -> bool:
    """The newest response that the caller was sent anything of was sent to its end, and the caller has the floor."""
    whole = sum(REPLY) * BYTES_PER_MS
    has_floor = here.witness.call.state in (State.LISTENING, State.WAITING_FOR_USER)
    return here.witness.played.place == whole and has_floor


def has_gone_on(here: Situation) -> bool:
    """What was stopped by nobody has gone on, unless the caller had heard all that there was."""
    seen = here.seen
    return seen.interruptions - len(seen.confirmed) in (seen.resumed, seen.resumed + seen.is_whole)


def is_asked_rightly(here: Situation) -> bool:
    """One request follows what was accepted, or the rest of a reply that was cut; none follows anything else."""
    seen = here.seen
    if seen.accepted or seen.is_cut:
        return seen.asked == 1
    if seen.confirmed:
        # Marks that are late let less be known to have been heard than was.
        return seen.asked == 1 or (seen.is_whole and seen.asked == 0)
    return seen.asked == 0


WORD, CLICK = speaks(4), speaks(2, voicing=0.0)
SHORT_WORD: Final = (Sounds("a word", 4, LOUD, 1.0), Sounds("silence", 8, QUIET))
"""The same, with fewer places for others to come between."""
SHORT_CLICK: Final = (Sounds("a click", 2, LOUD), Sounds("silence", 8, QUIET))
NOISE: Final = (Sounds("a noise", 4, LOUD), Sounds("silence", 8, QUIET))
BARGE_INS: Final = [
    pytest.param(WORD, ACCEPTED, 0.0, id="a word"),
    pytest.param(SHORT_WORD, REJECTED, 0.0, id="a sound that is no word"),
    pytest.param(SHORT_WORD, ACCEPTED, FRAME_S, id="a word on a line that flows"),
    pytest.param(CLICK, ACCEPTED, 0.0, id="a click"),
    pytest.param(SHORT_CLICK, ACCEPTED, FRAME_S, id="a click on a line that flows"),
]


def after_barge_in(here: Situation) -> None:
    """Who speaks is answered; whoever it was that made a sound, the rest of the reply is heard."""
    assert is_asked_rightly(here), here.seen
    assert has_gone_on(here), here.seen
    assert is_heard_out(here), here.seen


@pytest.mark.parametrize(("sounds", "verdict", "frame_s"), BARGE_INS)
def test_around_a_barge_in(
    sounds: Sequence[Sounds], verdict: str | None, frame_s: float, record_property: Record
) -> None:
    orders = Orders(after_barge_in)
    record_property("orders", orders.count(asked(frame_s, IN_REPLY), sounds, verdict))

    assert orders.total > 1_000_000
    assert orders.interrupted > 100


NOISES: Final = [
    pytest.param(REJECTED, id="a noise"),
    pytest.param(None, id="a noise that is not transcribed"),
    pytest.param(ACCEPTED, id="a whisper"),
]


@pytest.mark.parametrize("verdict", NOISES)
def test_around_a_noise_whose_transcript_has_the_last_word(verdict: str | None, record_property: Record) -> None:
    """Of the deadlines, the grace alone passes between two events: with all of them there are 300 times the orders."""
    orders = Orders(after_barge_in)
    start = evolve(asked(FRAME_S, IN_REPLY), patience_s=GRACE_S)
    record_property("orders", orders.count(start, NOISE, verdict))

    assert orders.total > 100_000
    assert orders.interrupted > 10


def after_a_late_reply(here: Situation) -> None:
    """One reply, the first or another, is heard to its end: to all that was said, where more was said than a click."""
    is_first_unheard = FIRST_TURN not in dict(here.seen.heard)
    is_said = here.openai.items > FIRST_ITEM
    assert is_said or not is_first_unheard, here.seen
    assert here.seen.asked == 1 if is_first_unheard else is_asked_rightly(here), here.seen
    assert has_gone_on(here), here.seen
    assert is_heard_out(here), here.seen


REPLIES: Final = [
    pytest.param(WORD, ACCEPTED, 0.0, id="a word"),
    pytest.param(SHORT_WORD, None, 0.0, id="a sound that is not transcribed"),
    pytest.param(SHORT_CLICK, ACCEPTED, FRAME_S, id="a click on a line that flows"),
]


@pytest.mark.parametrize(("sounds", "verdict", "frame_s"), REPLIES)
def test_around_a_reply_that_comes_while_the_caller_speaks(
    sounds: Sequence[Sounds], verdict: str | None, frame_s: float, record_property: Record
) -> None:
    orders = Orders(after_a_late_reply)
    record_property("orders", orders.count(asked(frame_s, BEFORE_REPLY), sounds, verdict))

    assert orders.total > 1_000_000


def after_a_greeting(here: Situation) -> None:
    """A caller who said something is answered once, and greeted no more; any other is greeted once, and that is all."""
    seen = here.seen
    assert seen.asked == 1 if seen.accepted else seen.requests == seen.greetings, seen
    assert seen.accepted or len(seen.heard) == 1, seen
    assert has_gone_on(here), seen
    assert is_heard_out(here) or (seen.interruptions and not seen.accepted), seen


GREETINGS: Final = [
    pytest.param(WORD, ACCEPTED, 0.0, id="a word"),
    pytest.param(WORD, REJECTED, 0.0, id="a sound that is no word"),
    pytest.param(CLICK, ACCEPTED, FRAME_S, id="a click on a line that flows"),
]


@pytest.mark.parametrize(("sounds", "verdict", "frame_s"), GREETINGS)
def test_around_a_greeting_and_a_caller_who_speaks_first(
    sounds: Sequence[Sounds], verdict: str | None, frame_s: float, record_property: Record
) -> None:
    """The line has not been measured and the session is not ready yet: both may come first."""
    orders = Orders(after_a_greeting)
    sounds = (Sounds("quiet", 1, QUIET), *sounds)
    record_property("orders", orders.count(measured(GREETING_BUSINESS, frame_s), sounds, verdict))

    assert orders.total > 100_000


def after_a_loss(here: Situation) -> None:
    """What was lost, and what was said, is answered, and the answer heard to its end."""
    assert here.witness.is_connected
    assert is_heard_out(here), here.seen
    assert here.seen.asked or not here.seen.accepted, here.seen
    assert has_gone_on(here), here.seen


LOSSES: Final = [
    pytest.param(SHORT_WORD, IN_REPLY, id="a word"),
    pytest.param(SHORT_WORD, BEFORE_REPLY, id="a word before the reply"),
    pytest.param(SHORT_CLICK, IN_REPLY, id="a click"),
]


@pytest.mark.parametrize(("sounds", "answers"), LOSSES)
def test_around_a_session_that_is_lost_in_a_reply(
    sounds: Sequence[Sounds], answers: int, record_property: Record
) -> None:
    """Of the deadlines, the grace alone passes between two events: with all of them the orders are 48 milliards."""
    start = evolve(asked(0.0, answers), link=(RealtimeLost, RealtimeReady), patience_s=GRACE_S)
    orders = Orders(after_a_loss)
    record_property("orders", orders.count(start, sounds, ACCEPTED))

    assert orders.total > 1_000_000


FAULTS: Final = [
    pytest.param(State.AI_SPEAKING, pause_playback, WORD, ACCEPTED, id="nothing is cleared"),
    pytest.param(State.AI_SPEAKING, owe_rest, WORD, REJECTED, id="a sound ends the reply for good"),
    pytest.param(State.CANCELLING, drop_rest, WORD, ACCEPTED, id="a reply goes on over somebody"),
    pytest.param(State.LISTENING, settle_rest, CLICK, None, id="a reply that went on is continued once more"),
    pytest.param(State.LISTENING, cancel_response, WORD, ACCEPTED, id="nothing is cancelled"),
    pytest.param(State.LISTENING, is_caller_speaking, WORD, ACCEPTED, id="a reply begins over the caller"),
    pytest.param(State.LISTENING, is_speech_proven, CLICK, None, id="a reply is dropped at the first sound"),
]


@pytest.mark.parametrize(("state", "left_out", "sounds", "verdict"), FAULTS)
def test_a_fault_shows_in_some_order_and_is_told_with_it(
    state: State, left_out: Action | Guard, sounds: Sequence[Sounds], verdict: str | None
) -> None:
    start = asked(0.0, BEFORE_REPLY, without(state, left_out))

    with pytest.raises(AssertionError) as caught:
        Orders(after_a_late_reply).count(start, sounds, verdict)

    assert caught.value.__notes__[-1].startswith("after:\n")
