"""Cases of what several states do alike. Each function takes calls in the state, and returns its lines.

`at` is the time of the event; `ids` says how many event ids the call has used by then; `rest` is what else changes
in this state, such as its deadline.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from _pytest.mark.structures import ParameterSet
from attrs import evolve

from callfsm.config import TurnConfig
from callfsm.effects import (
    DEBUG,
    INFO,
    AppendAudio,
    CancelResponse,
    ClearAudio,
    CommitAudio,
    Count,
    Effect,
    EndCall,
    Log,
    PlayAudio,
    SendMark,
)
from callfsm.events import (
    AudioDelta,
    CallEnded,
    DtmfReceived,
    Event,
    RealtimeError,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Mark, PlaybackPhase
from callfsm.speaking.prompts import Facts, briefing, continue_instructions
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import GREETING_BUSINESS, SILENT_BUSINESS, Story, audio, loud, louds, quiet, quiets
from tests.table import added, appended, case, dropped, kept, more, said, unsent

Fields = Mapping[str, object]
INF = float("inf")
SKIPPED = Log(INFO, "[REALTIME] Skipping AI response – no real user utterance yet")
TOO_SHORT = Log(DEBUG, "[TRANSCRIPT FILTER] Too short, ignoring")
PUNCTUATION = Log(DEBUG, "[TRANSCRIPT FILTER] Punctuation noise, ignoring")
MADE_UP = Log(DEBUG, "[TRANSCRIPT FILTER] Known hallucination, ignoring")
FIRST = Log(INFO, "[NLP] First real user utterance detected – has_real_user_utterance=True")

CONTINUED_WITH = continue_instructions(briefing(SILENT_BUSINESS, Facts()))

TURN_OF_1_S = TurnConfig(max_turn_ms=1000)


def user_said(text: str) -> Log:
    return Log(INFO, f"User said: {text}")


def settled(item: str) -> Fields:
    """The only unsettled utterance has its verdict."""
    return {"turn.phase": TurnPhase.SILENT, "turn.unsettled": []}


def one_with(**fields: object) -> Callable[[Any], object]:
    """The only utterance of a list, with these fields changed."""
    return lambda before: [{**before[0], **fields}]


def caller_cases(state: State, silent: Story, at: float, *, ids: int = 0, until: float = INF) -> list[ParameterSet]:
    """The gate and the caller's turn; `silent` is a call in the state whose caller is silent."""
    hush = quiets(at, 30, "h")
    hushed = silent.then(hush)
    ahead = hush[15:]
    speech, weak, late, x = louds(at, 5, "l"), quiets(at, 25, "w"), quiets(at, 4, "d"), loud(at, "x")
    still, almost = quiet(at, "x"), quiet(at, "x", rms=149.9)
    threshold, click = loud(at, "x", rms=150.0), louds(at, 4, "k")
    sent = [frame.payload for frame in (*ahead, *speech)]
    passed = [*sent, *(frame.payload for frame in weak)]
    full = louds(at, 50, "f")

    def open_(*frames: RmsFrame, audio: Sequence[str]) -> Fields:
        return {"turn.open": said(*frames, sent=audio)}

    def committed(*frames: RmsFrame, sent: Sequence[str]) -> Fields:
        name = f"commit{ids + 1}"
        done = said(*frames, sent=sent, commit_event_id=name, deadline=at + 3.0)
        waits = {"turn.unsettled": [done], "turn.unacknowledged": [done], "_event_ids": ids + 1}
        return {"turn.phase": TurnPhase.UNSETTLED, "turn.open": None, **waits, **sooner(until, at + 3.0)}

    # fmt: off
    return [
        case("silence is dropped", state, hushed, still, state, [dropped()], {"gate.held": kept(still)}),
        case("just below the threshold is silence", state, hushed, almost, state, [dropped(149.9)], {"gate.held": kept(almost)}),
        case("at the threshold the gate opens; 300 ms go out ahead", state, hushed, threshold, state,
             appended(*ahead, threshold),
             {"gate.held": [], "turn.phase": TurnPhase.SPEAKING, **open_(threshold, audio=[*(f.payload for f in ahead), "x"])}),
        case("speech goes on", state, hushed.then(speech), x, state, appended(x), open_(*speech, x, audio=[*sent, "x"])),
        case("weak frame 25 passes in the hangover", state, hushed.then(speech, weak[:24]), still, state,
             appended(still), open_(*speech, *weak[:24], still, audio=[*passed[:-1], "x"])),
        case("weak frame 26 is dropped", state, hushed.then(speech, weak), still, state,
             [dropped()], {"gate.held": kept(still), **open_(*speech, *weak, still, audio=passed)}),
        case("weak frame 29 is not the end of the turn", state, hushed.then(speech, weak, late[:3]), still, state,
             [dropped()], {"gate.held": kept(still), **open_(*speech, *weak, *late[:3], still, audio=passed)}),
        case("speech after a gap: the gap goes out ahead", state, hushed.then(speech, weak, late), x, state,
             appended(*late, x), {"gate.held": [], **open_(*speech, *weak, *late, x, audio=[*passed, "d1", "d2", "d3", "d4", "x"])}),
        case("weak frame 30 ends 100 ms of speech: commit", state, hushed.then(speech, weak, late), still, state,
             [dropped(), CommitAudio(f"commit{ids + 1}")],
             {"gate.held": kept(still), **committed(*speech, *weak, *late, sent=passed)}),
        case("80 ms are a blip: clear, no commit", state, hushed.then(click, weak, late), still, state,
             [dropped(), ClearAudio()],
             {"gate.held": [unsent(f) for f in (*late, still)], "turn.phase": TurnPhase.SILENT, "turn.open": None}),
        case("the turn is not full yet", state, silent.then(full[:48]).with_turn(TURN_OF_1_S), full[48], state,
             appended(full[48]), {"turn.open": goes_on("f49")}),
        case("a full turn is committed", state, silent.then(full[:49]).with_turn(TURN_OF_1_S), full[49], state,
             [AppendAudio("f50"), CommitAudio(f"commit{ids + 1}")],
             {"turn.phase": TurnPhase.UNSETTLED, "turn.open": None, "turn.unsettled": utterances(1),
              "turn.unacknowledged": utterances(1), "_event_ids": ids + 1, **sooner(until, at + 3.0)}),
    ]
    # fmt: on


def sooner(until: float, at: float) -> Fields:
    """The deadline has become the earlier of two, where it was the first."""
    return {"deadline": at} if at < until else {}


def goes_on(payload: str) -> Callable[[Any], object]:
    """A voiced frame of 1000 joined an utterance that had nothing but loud ones of 1000."""

    def expected(before: dict[str, Any]) -> dict[str, Any]:
        counts = {name: before[name] + 1 for name in ("loud_frames", "frames", "spoken_frames", "voiced_frames")}
        power = dict.fromkeys(("_power", "_spoken_power"), 1e6 * (before["frames"] + 1))
        return {**before, **counts, **power, "audio": [*before["audio"], payload]}

    return expected


class _Utterances:
    """Equals a list of so many utterances, whatever they consist of."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and len(other) == self.count

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.count} utterances>"


def utterances(count: int) -> _Utterances:
    return _Utterances(count)


def unasked_cases(state: State, given: Story, at: float, *, ids: int) -> list[ParameterSet]:
    """Responses that nobody asked for: cancelled once, counted, never played."""
    created, delta = ResponseCreated(at, "f", None), AudioDelta(at, "f", "fa", audio(200))
    seen = given.then(created)
    cancelled: list[Effect] = [Count("foreign_response"), CancelResponse(f"foreign{ids + 1}", "f")]
    known = {"response.settled_ids": added("f"), **more(_event_ids=1)}
    done, again = ResponseDone(at, "f", None, "cancelled"), Count("stray_response")
    calibrating = state is State.CALIBRATING
    over: tuple[list[Effect], Fields] = ([], {}) if calibrating else ([again], {"response.other_over_at": at})
    # fmt: off
    return [
        case("an unsolicited response", state, given, created, state, cancelled, known),
        case("a response with a turn never asked for", state, given, evolve(created, turn=99), state, cancelled, known),
        case("an unsolicited response, again", state, seen, created, state, [again]),
        case("audio of an unsolicited response", state, given, delta, state, cancelled, known),
        case("more audio of an unsolicited response", state, seen, delta, state, [again]),
        case("the end of an unsolicited response", state, seen, done, state, *over),
    ]
    # fmt: on


def common_cases(state: State, given: Story, at: float, *ignored: Event) -> list[ParameterSet]:
    """What every state but ENDED does: errors that change nothing, the end of the call, keys, deliberate non-reactions."""
    over = {"end_reason": "hung_up", **({"deadline": INF} if given.call().deadline < INF else {})}
    # fmt: off
    return [
        case("an error that answers nothing", state, given, RealtimeError(at, "server_error", None), state,
             [Count("realtime_error:server_error")]),
        case("an error that answers something else", state, given, RealtimeError(at, "invalid_value", "other"), state,
             [Count("realtime_error:invalid_value")]),
        case("an error without a code", state, given, RealtimeError(at, "", "other"), state, [Count("realtime_error:none")]),
        case("the call ends", state, given, CallEnded(at, "hung_up"), State.ENDED, [EndCall("hung_up")], over),
        case("a key is pressed", state, given, DtmfReceived(at, "1"), state, [],
             {"digits": "1", "digits_deadline": at + 2.0, **sooner(given.call().deadline, at + 2.0)}),
        *(case(f"{type(event).__name__} is ignored", state, given, event, state) for event in ignored),
    ]
    # fmt: on


def requested(kind: Owed, at: float, *, turn: int, ids: int) -> Fields:
    """A response is requested: the next turn, the next event id, and 8 s for its first audio."""
    asked = {"phase": ResponsePhase.REQUESTED, "kind": kind, "turn": turn, "requested_at": at}
    named = {f"response.{name}": now for name, now in asked.items()}
    return {**named, "response.create_event_id": f"create{ids}", "_event_ids": ids, "deadline": at + 8.0}


def rest_requested(at: float, *, ids: int = 5) -> Fields:
    """The rest of the reply is requested, with instructions to continue."""
    asked = without(requested(Owed.REPLY, at, turn=2, ids=ids), "response.kind")
    return {**asked, "response.owed": Owed.NOTHING, "response.response_id": None, "response.is_cut": False}


def cancelled(at: float, *, ids: int, response_id: str | None) -> Fields:
    """The response is cancelled: by its id where it has begun, and 1.5 s for its end."""
    phase = ResponsePhase.CANCELLING if response_id else ResponsePhase.OVERTAKEN
    asked = {"phase": phase, "cancel_event_id": f"cancel{ids}", "cancelled_at": at}
    named = {f"response.{name}": now for name, now in asked.items()}
    gone = {"response.settled_ids": added(response_id)} if response_id else {}
    return {**named, **gone, "_event_ids": ids, "deadline": at + 1.5}


CLIP_SENT: list[Effect] = [
    PlayAudio(audio(200)),
    SendMark("m1"),
    PlayAudio(audio(200)),
    SendMark("m2"),
    PlayAudio(audio(100)),
    SendMark("m3"),
]


def clip_played(at: float) -> Fields:
    """A greeting of half a second is sent as the assistant's speech; no session knows it."""
    return {
        "response.owed": Owed.NOTHING,
        "response.kind": Owed.GREETING,
        "reply_transcript": GREETING_BUSINESS.greeting,
        "is_reply_unknown": True,
        "playback.phase": PlaybackPhase.PLAYING,
        "playback.started_at": at,
        "playback.ends_at": at + 0.5,
        "playback.sent": 4000,
        "playback.received": 4000,
        "playback._kept": [(0, audio(500))],
        "playback.marks": [Mark(1, 1600), Mark(2, 3200), Mark(3, 4000)],
        "playback.last_mark": 3,
        "playback._marked": 4000,
        "playback._anchor_at": at,
        "playback._items": [("clip", 0, 4000)],
        "deadline": at + 0.3,
    }


def without(fields: Fields, *names: str) -> Fields:
    """The fields but these, which stay as they were."""
    return {name: now for name, now in fields.items() if name not in names}
