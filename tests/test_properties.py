"""What holds of every call, whatever happens in it: long random dialogues, likely and absurd.

A script is a list of moves, each with a pause before it. One that breaks a law is cut down by Hypothesis to the few
moves that do it, and told line by line.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any, Final

import pytest
from attrs import evolve, frozen
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from callfsm.audit.verify.alphabet import inputs
from callfsm.audit.verify.explore import engine_of
from callfsm.audit.verify.inputs import Make
from callfsm.audit.verify.laws import LawBrokenError
from callfsm.call import Call
from callfsm.config import Business, Config, GateConfig, TurnConfig
from callfsm.effects import Effect, EndCall
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
    SpeechDetected,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
)
from callfsm.hearing.mulaw import BYTES_PER_MS
from callfsm.machine import ENGINE, Engine
from callfsm.states import TABLE
from callfsm.states.base import State
from callfsm.states.interrupting import drop_rest, end_rest, keep_audio, pause_playback
from callfsm.states.link import lose
from callfsm.states.responses import cancel_response
from callfsm.states.transcripts import reject
from tests.calls import GREETING_BUSINESS, LOUD, QUIET, SILENT_BUSINESS, TOOL_BUSINESS, audio
from tests.dialogue import TAPE
from tests.random_calls import AUDIBLE, RuleBrokenError, Witness, due, goes_on, without

pytestmark = pytest.mark.no_cover
"""What is explored here is covered elsewhere, and tracing it takes a minute."""

CONFIG: Final = Config(
    gate=GateConfig(calibration_ms=100, preroll_ms=100, hangover_ms=160, follow_factor=0, echo_factor=0),
    turn=TurnConfig(
        grace_ms=100, end_of_turn_ms=240, max_turn_ms=2000, confirm_voiced_ms=60, confirm_ms=200, most_continued=2
    ),
)
"""Short, so that scripts get past them with few frames; the threshold stays, for the laws are judged by it."""
LEVELS_RMS: Final = (*[1000] * 12, 0, *[1000] * 7)
"""How loud 400 ms of speech are: a pause between two words."""
PAUSES_S: Final = (0.02, 0.3, 1.5, 3.0, 8.0)


@frozen
class Move:
    """Something that somebody does: its steps follow one another, each made for the call as it then is."""

    name: str
    steps: tuple[Make, ...] = ()


@frozen
class Start:
    """Whose call it is."""

    name: str
    business: Business
    clip: bytes = b""

    def witness(self, engine: Engine) -> Witness:
        return Witness(Call.begin(CONFIG, self.business, greeting_clip=self.clip), engine)


@frozen(repr=False)
class Script:
    """A call, and what happens in it: moves, and the seconds before each."""

    start: Start
    moves: tuple[tuple[float, Move], ...]

    def __repr__(self) -> str:
        lines = [
            f"{number:5}. {f'+{pause_s:g} s':>7}  {move.name}" for number, (pause_s, move) in enumerate(self.moves, 1)
        ]
        return "\n".join(["", f"  a call with {self.start.name}:", *lines])

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """Be printed by Hypothesis as a person reads it."""
        printer.text(repr(self))


# What each of the three can do, for the call as it is


def of(make: Callable[[Call, float], Event]) -> Make:
    return lambda call, at: [make(call, at)]


def sound(count: int, rms: float, voicing: float = 0.0) -> Make:
    return lambda call, at: [RmsFrame(at, rms, voicing=voicing)] * count


def item(call: Call) -> str:
    """The item that is most likely to be spoken of."""
    return next((waiting.item_id for waiting in call.turn.unsettled if waiting.item_id), "i0")


def response(call: Call) -> str:
    return call.response.response_id or f"r{call.response.turn}"


def speech(ms: int) -> Make:
    levels = LEVELS_RMS * (ms // 400)
    return of(lambda call, at: AudioDelta(at, response(call), f"a{call.response.turn}", audio(ms), levels))


def tool(name: str) -> Make:
    return of(lambda call, at: ToolCalled(at, response(call), f"c{call.response.turn}", name, "{}"))


def echoes(call: Call, at: float) -> Sequence[Event]:
    return [PlaybackMarked(at, mark.name) for mark in call.playback.marks]


def first_due(call: Call, at: float) -> Sequence[Event]:
    return list(islice(due(call, at), 1))


def due_unless_heard(call: Call, at: float) -> Sequence[Event]:
    return [] if call.state in AUDIBLE else first_due(call, at)


def last_due(call: Call, at: float) -> Sequence[Event]:
    return list(due(call, at))[-1:]


SPEECH, CLICK, NOISE = sound(15, LOUD, voicing=1.0), sound(4, LOUD), sound(15, LOUD)
SILENCE, PLAYING = sound(12, QUIET), sound(20, QUIET)
SURE = of(lambda _call, at: SpeechDetected(at))
NAMED = of(lambda call, at: AudioCommitted(at, f"i{call._event_ids}"))
ACCEPTED = of(lambda call, at: TranscriptCompleted(at, item(call), "שלום לך"))
REJECTED = of(lambda call, at: TranscriptCompleted(at, item(call), "?!"))
BEGUN = of(lambda call, at: ResponseCreated(at, f"r{call.response.turn}", call.response.turn))
DONE = of(
    lambda call, at: ResponseDone(at, response(call), call.response.turn, "completed", (f"a{call.response.turn}",))
)
NOT_ACTIVE = of(lambda call, at: RealtimeError(at, "response_cancel_not_active", call.response.cancel_event_id))
FOUND = of(lambda call, at: ToolAnswered(at, next(iter(call.tools), "c0"), "{}"))
TIMER = of(lambda call, at: TimerFired(call.deadline if call.deadline < at + 60 else at))
READY = of(lambda _call, at: RealtimeReady(at))
ENDED = of(lambda _call, at: CallEnded(at, "hangup"))
LOST = of(lambda _call, at: RealtimeLost(at))
BUSY = of(lambda _call, at: RealtimeError(at, "conversation_already_has_active_response", None))
QUESTION = (SPEECH, SILENCE, NAMED, ACCEPTED)

NOTHING: Final = Move("nothing")
HANG_UP: Final = Move("the caller hangs up", (ENDED,))
FIRST: Final = Move("the session is ready, and the line is measured", (READY, sound(5, QUIET)))
SINGLE: Final = [
    *(Move(one.name, (one.make,)) for one in inputs(3) if one.name != "the call ends"),
    Move("the next deadline passes", (TIMER,)),
]
"""What `callfsm verify` feeds, the likely and the absurd."""
LIKELY: Final = [
    Move("the caller asks", QUESTION),
    Move("a question, and the beginning of its answer", (*QUESTION, BEGUN, speech(400))),
    Move("the caller says something", (SPEECH, SILENCE)),
    Move("the caller clicks", (CLICK, SILENCE)),
    Move("the caller begins to speak", (SPEECH,)),
    Move("a noise begins", (NOISE,)),
    Move("a noise, and the detector is sure that it is speech", (NOISE, SURE)),
    Move("a noise of which nothing is understood", (NOISE, SILENCE, NAMED, REJECTED)),
    Move("a whisper", (NOISE, SILENCE, NAMED, ACCEPTED)),
    Move("the caller is heard to say nothing", (SPEECH, SILENCE, NAMED, REJECTED)),
    Move("a response begins, and says 400 ms", (BEGUN, speech(400))),
    Move("a response says 400 ms more", (speech(400),)),
    Move("a whole response of 400 ms", (BEGUN, speech(400), DONE)),
    Move("the caller listens for 400 ms", (PLAYING,)),
    Move("all that was sent is heard", (PLAYING, echoes)),
    Move("a response calls our function, which answers", (BEGUN, tool("lookup"), DONE, FOUND)),
    Move("a function is called in vain", (BEGUN, speech(400), tool("lookup"), DONE)),
    Move("a question, and its answer is cut off", (*QUESTION, BEGUN, speech(400), PLAYING, SPEECH)),
    Move("a question, and a click in its answer", (*QUESTION, BEGUN, speech(800), PLAYING, CLICK, SILENCE)),
    Move(
        "a click in an answer of which more comes late", (*QUESTION, BEGUN, speech(800), PLAYING, CLICK, speech(400))
    ),
    Move(
        "a click behind all that came of an answer", (*QUESTION, BEGUN, speech(400), PLAYING, echoes, CLICK, SILENCE)
    ),
    Move("a click in the tail of an answer", (*QUESTION, BEGUN, speech(800), DONE, PLAYING, CLICK, NOT_ACTIVE)),
    Move("a question, another, and an answer to the first", (*QUESTION, SPEECH, SILENCE, NAMED, BEGUN, speech(400))),
    Move("a question, and another before its answer", (*QUESTION, SPEECH, SILENCE, NAMED, ACCEPTED)),
    Move("there was nothing to cancel", (NOT_ACTIVE,)),
    Move("a question, and the session is lost in its answer", (*QUESTION, BEGUN, speech(400), PLAYING, LOST)),
    Move("a question, and another response is in the way", (*QUESTION, BUSY)),
]
RARE: Final = [
    Move("a response says goodbye", (BEGUN, speech(400), tool("hang_up"), DONE)),
    Move("a response transfers the caller", (BEGUN, tool("transfer_call"), speech(400), DONE)),
]
DUE: Final = [
    Move("the peers do what is due first", (first_due,)),
    Move("the peers do what is due last", (last_due,)),
    Move("the peers do what is due until the assistant is heard", (due_unless_heard,) * 10),
]
OFTEN: Final[list[Move | float]] = [*SINGLE, *RARE, *LIKELY * 6, *PAUSES_S * 5]
MOVES: Final[list[Move | float]] = [NOTHING, *OFTEN, *islice(cycle(DUE), 255 - len(OFTEN))]
"""What each byte of a script means: a move, or seconds before the next one; most of the rest is what is due."""
STARTS: Final = [
    Start("no greeting", SILENT_BUSINESS),
    Start("a greeting", GREETING_BUSINESS),
    Start("a recorded greeting", GREETING_BUSINESS, TAPE[: 500 * BYTES_PER_MS]),
    Start("functions", TOOL_BUSINESS),
    Start("functions and a greeting", evolve(TOOL_BUSINESS, enable_greeting=True)),
]


@st.composite
def scripts(draw: st.DrawFn, least: int, most: int) -> Script:
    """Scripts of so many bytes: one byte a move, which Hypothesis varies evenly, and empties byte by byte."""
    start = draw(st.sampled_from(STARTS))
    moves = [(0.0, FIRST)] if draw(st.sampled_from([True, True, True, False])) else []
    pause_s = 0.0
    for move in [MOVES[byte] for byte in draw(st.binary(min_size=least, max_size=most))]:
        if isinstance(move, float):
            pause_s += move
        elif move is not NOTHING:
            moves.append((pause_s, move))
            pause_s = 0.0
    return Script(start, tuple(moves))


SCRIPTS: Final = scripts(40, 200)
"""Some eighty moves each, which are hundreds of events."""
SHORT_SCRIPTS: Final = scripts(5, 40)
"""Long enough to meet a fault, and short enough that what is left when they are cut down is little."""


def bounded(examples: int) -> settings:
    """The same scripts on every run, and no time spent on explaining them."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )


def act(witness: Witness, moves: Sequence[tuple[float, Move]]) -> list[list[Effect]]:
    """Act a script; return what each event did."""
    effects: list[list[Effect]] = []
    for pause_s, move in moves:
        witness.now += pause_s
        for make in move.steps:
            effects += [
                witness.hear(event.rms, voicing=event.voicing) if isinstance(event, RmsFrame) else witness.feed(event)
                for event in make(witness.call, witness.now)
            ]
    return effects


# The laws, and what shows that they are tried


@bounded(200)
@given(SCRIPTS)
def test_the_laws_hold_of_every_call_and_it_goes_on(script: Script) -> None:
    witness = script.start.witness(ENGINE)
    act(witness, script.moves)
    goes_on(witness)


@bounded(50)
@given(SCRIPTS)
def test_every_call_can_be_ended(script: Script) -> None:
    witness = script.start.witness(ENGINE)
    before = [effect for effects in act(witness, script.moves) for effect in effects]
    ended = [effect for effects in act(witness, [(0.0, HANG_UP)]) for effect in effects]

    assert 1 == sum(isinstance(effect, EndCall) for effect in (*before, *ended))
    assert State.ENDED is witness.call.state
    assert not any(act(witness, script.moves))


def test_the_same_events_have_the_same_effects_and_reach_most_of_the_table() -> None:
    fired: Counter[tuple[str, str, int]] = Counter()
    counting = engine_of(TABLE, fired)

    @bounded(80)
    @given(SCRIPTS)
    def twice(script: Script) -> None:
        first, second = (act(script.start.witness(engine), script.moves) for engine in (ENGINE, counting))
        assert repr(first) == repr(second)
        assert first == second

    twice()
    reached = {state for state, _, _ in fired}
    # Hardly any script ends its call; that each can be ended is another test.
    assert {state.name for state in State if state is not State.ENDED} <= reached
    assert len(fired) > 200
    assert sum(fired.values()) > 50_000


def test_a_script_is_told_line_by_line() -> None:
    asks = next(move for move in LIKELY if move.name == "the caller asks")
    told = repr(Script(STARTS[1], ((0.0, FIRST), (1.5, asks))))

    assert [
        "",
        "  a call with a greeting:",
        "    1.    +0 s  the session is ready, and the line is measured",
        "    2.  +1.5 s  the caller asks",
    ] == told.split("\n")


# Faults that are put into the table on purpose


def holds(script: Script, engine: Engine) -> bool:
    """Return whether a script breaks nothing on an engine."""
    try:
        act(script.start.witness(engine), script.moves)
    except (LawBrokenError, RuleBrokenError):
        return False
    return True


FAULTS = [
    pytest.param(without(State.AI_SPEAKING, pause_playback), 3, id="nothing is cleared"),
    pytest.param(without(State.CANCELLING, reject), 5, id="a rejected item stays"),
    pytest.param(without(State.LISTENING, drop_rest), 4, id="somebody is talked over"),
    pytest.param(without(State.CANCELLING, keep_audio), 5, id="audio that comes late is lost"),
    pytest.param(without(State.LISTENING, end_rest), 4, id="a reply that was heard stays paused"),
    pytest.param(without(State.LISTENING, cancel_response), 4, id="nothing is cancelled"),
    pytest.param(without(State.AI_SPEAKING, lose), 6, id="a lost session is not noticed"),
]


@pytest.mark.parametrize(("engine", "most"), FAULTS)
def test_a_fault_in_the_table_is_found_and_cut_down_to_a_few_moves(engine: Engine, most: int) -> None:
    script = find(SHORT_SCRIPTS, lambda script: not holds(script, engine), settings=bounded(500))

    assert len(script.moves) <= most, script
    assert holds(script, ENGINE)


def test_a_broken_law_is_told_with_its_script() -> None:
    engine = without(State.AI_SPEAKING, pause_playback)

    @settings(bounded(200), phases=[Phase.generate])
    @given(SCRIPTS)
    def no_law_is_broken(script: Script) -> None:
        act(script.start.witness(engine), script.moves)

    with pytest.raises(LawBrokenError) as caught:
        no_law_is_broken()

    told = "\n".join(caught.value.__notes__)
    assert "  a call with" in told
    assert "    1.    +0 s  the session is ready, and the line is measured\n" in told
