"""What a call asks of its peers, read off its effects, and the answers that a recorded call had."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Final

from attrs import define, evolve, field

from callfsm.audit.recording import Entry, asks_for_the_rest, take
from callfsm.call import Call
from callfsm.effects import (
    CallTool,
    CancelResponse,
    ClearPlayback,
    CommitAudio,
    CreateResponse,
    Effect,
    Log,
    PlayAudio,
    SendMark,
)
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    Event,
    PlaybackMarked,
    RealtimeError,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.mulaw import SAMPLE_RATE_HZ
from callfsm.speaking.response import Owed


class Asks(Enum):
    """What it is that is asked for."""

    TRANSCRIPT = "for an item's name and a transcript"
    RESPONSE = "for a greeting or a reply"
    CANCEL = "for the end of a response"
    FUNCTION = "for what a function gives back"
    MARK = "for word that the audio before it has been played"


@define(eq=False)
class Question:
    """What a call asked of a peer, and what came back. `name` is that by which the answer refers to it."""

    asks: Asks
    at: float
    """When it was asked; of a mark, when the audio before it has been played by the clock."""
    name: str
    turn: int = 0
    """Of the request that it is or belongs to; 0 for the greeting's recording."""
    place: int = 0
    """Which of a turn's marks it is."""
    began_at: float = 0.0
    """Of an utterance, its first sound; of a request, the end of the utterance before it."""
    kind: Owed = Owed.NOTHING
    """Of a request, what was owed: the greeting, a reply, or the rest of one."""
    said: str = ""
    """The newest words of the caller when it was asked."""
    answers: list[tuple[int, Event]] = field(factory=list)
    """With their lines in the journal."""
    cleared_at: float = math.inf


def in_order(entries: Iterable[Entry]) -> Iterator[tuple[int, Event]]:
    """Yield the events, none before the one ahead of it. A frame's audio is its time, by which it is found again."""
    at = 0.0
    for entry in entries:
        if not isinstance(entry.what, Log):
            at = max(at, entry.what.at)
            event = evolve(entry.what, at=at)
            yield entry.line, evolve(event, payload=repr(at)) if isinstance(event, RmsFrame) else event


@define(eq=False)
class Watch:
    """Reads off a call's effects what it asks. Twilio plays what it is sent at 8000 bytes a second."""

    played_at: float = 0.0
    committed_at: float = 0.0
    marks: Counter[int] = field(factory=Counter)

    def questions(self, call: Call, at: float, effects: Iterable[Effect]) -> Iterator[Question]:
        """Yield what these effects ask, of the call as it is behind them. Its frames must be those of `in_order`."""
        turn = call.response.turn
        for effect in effects:
            match effect:
                case CommitAudio(event_id):
                    audio = next(u.audio for u in call.turn.unsettled if u.commit_event_id == event_id)
                    # The audio of one that waits for a lost connection may have been forgotten.
                    yield Question(Asks.TRANSCRIPT, at, event_id, began_at=float(audio[0]) if audio else at)
                    self.committed_at = at
                case CreateResponse(event_id) as request:
                    said = next((text for role, text in reversed(call.history) if role == "user"), "")
                    kind = Owed.REST if asks_for_the_rest(call, request) else call.response.kind
                    yield Question(Asks.RESPONSE, at, event_id, turn, 0, self.committed_at, kind, said)
                case CancelResponse(event_id) if event_id == call.response.cancel_event_id:
                    yield Question(Asks.CANCEL, at, event_id, turn)
                case CallTool(call_id):
                    yield Question(Asks.FUNCTION, at, call_id)
                case PlayAudio(audio):
                    self.played_at = max(self.played_at, at) + len(audio) / SAMPLE_RATE_HZ
                case ClearPlayback():
                    self.played_at = at
                case SendMark(name):
                    self.marks[turn] += 1
                    yield Question(Asks.MARK, max(self.played_at, at), name, turn, self.marks[turn])
                case _:
                    pass


def answered(call: Call, events: Iterable[tuple[int, Event]]) -> tuple[list[Question], list[tuple[int, Event]]]:
    """Run the live call; return what it asked, with the answers, and the events that answer nothing."""
    watch, asked, rest = Watch(), list[Question](), list[tuple[int, Event]]()
    names: dict[_Name, Question] = {}
    for line, event in events:
        refers_to = _REFERS_TO.get(type(event))
        question = names.get(refers_to(call, event)) if refers_to else None
        if question is not None:
            question.answers.append((line, event))
            if isinstance(event, AudioCommitted):
                names["item", event.item_id] = question
            elif isinstance(event, ResponseCreated):
                names["response", event.response_id] = question
        else:
            # An echo that proved nothing proves nothing here, where its name may be another mark's.
            rest.append((line, evolve(event, name="") if isinstance(event, PlaybackMarked) else event))
        effects = take(call, Entry(line, event)).effects
        if ClearPlayback() in effects:
            for mark in [q for q in asked if q.asks is Asks.MARK and not q.answers and q.cleared_at == math.inf]:
                mark.cleared_at = event.at
                del names["mark", mark.name]
        for new in watch.questions(call, event.at, effects):
            asked.append(new)
            names[_NAMED_BY.get(new.asks, "id"), new.name] = new
            if new.asks is Asks.RESPONSE:
                names["turn", new.turn] = new
    return asked, rest


_NAMED_BY: Final = {Asks.MARK: "mark", Asks.FUNCTION: "function"}
_Name = tuple[str, object]


def _end_refers_to(call: Call, event: ResponseDone) -> _Name:
    if event.response_id is None:
        return "turn", call.response.turn
    return ("response", event.response_id) if event.turn is None else ("turn", event.turn)


_REFERS_TO: Final[dict[type[Event], Callable[[Call, Any], _Name]]] = {
    AudioCommitted: lambda call, _: ("id", next((u.commit_event_id for u in call.turn.unacknowledged), None)),
    TranscriptCompleted: lambda _, event: ("item", event.item_id),
    TranscriptFailed: lambda _, event: ("item", event.item_id),
    ResponseCreated: lambda _, event: ("turn", event.turn),
    AudioDelta: lambda _, event: ("response", event.response_id),
    ReplyTranscript: lambda _, event: ("response", event.response_id),
    ToolCalled: lambda _, event: ("response", event.response_id),
    ResponseDone: _end_refers_to,
    RealtimeError: lambda _, event: ("id", event.event_id),
    ToolAnswered: lambda _, event: ("function", event.call_id),
    PlaybackMarked: lambda _, event: ("mark", event.name),
}
"""By which name an event says what it answers."""
