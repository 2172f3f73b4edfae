"""A recorded call under other numbers: the caller's sound is the same, and the peers answer as they did.

A recording is an open loop: it holds the peers' answers to what the live call asked. Fed as they stand, they would go
to whatever the changed call asks at that moment. So every answer stays with its question, and comes as long after it
as it did in the live call:

- an item's name and its transcript, with the utterance that overlaps in time the one that they answered;
- a response, from its beginning to its end, with the request that was made nearest in time, allowing for how much
  later the utterance before it ended, and not before what it answers had been said. It gets that request's turn;
- the answer to a cancel, with the cancel of the same response; a function's answer, with its call;
- a mark's echo, with the mark in the same place of the same response. It comes when the audio before the mark has
  been played, and as late as in the live call.

Answers whose question is not asked fall away. What the live call did not ask was never answered, and nobody knows the
answer: an utterance gets an item's name and, after as long as the transcript before it took, word that it has none; a
request gets 20 ms of silence, so that the call goes on; a cancel takes effect at once. `Changed.notes` names all of
these but the last. A response that the live call cut while it was generated ends where it was cut.

A reply that goes on after a stop asks for its marks anew. What the live call asked to be continued is given to such a
request alone.

Everything else comes at its own time: the sound, the keys, the connection, the hang-up, the detector's word (what it
would have said of other sounds is not known), and what no question of ours asked for. The shell's own lines of the
log are left out.
"""

import heapq
import math
from collections.abc import Iterator
from typing import Final

from attrs import define, evolve, field, frozen

from callfsm.audit.lines import silence
from callfsm.audit.recording import Entry, Recording, take
from callfsm.audit.replay.questions import Asks, Question, Watch, answered, in_order
from callfsm.call import Call
from callfsm.config import Config
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    Event,
    PlaybackMarked,
    RealtimeError,
    ResponseCreated,
    ResponseDone,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.mulaw import BYTES_PER_MS, FRAME_MS
from callfsm.hearing.transcript import one_line
from callfsm.speaking.response import Owed

NEAR_S: Final = 2.0
"""A request farther away answers something else: between two replies lie an utterance and the silence after it."""


@frozen
class Changed:
    """A call under other numbers, as the journal that it would have left.

    `turns` are the turns of the live call's responses by those that they have here. `notes` say, in words, which
    answers had no place and which were not known.
    """

    recording: Recording
    turns: dict[int, int]
    notes: tuple[str, ...]


def what_if(recording: Recording, config: Config) -> Changed:
    """Run a recorded call under another configuration."""
    entries = in_order(recording.entries)
    live, rest = answered(recording.begin(), entries)
    loop = _Loop(recording.begin(config), live, recording.started_at)
    for line, event in rest:
        loop.deliver((event.at, line))
        loop.feed(line, event)
    fed = evolve(recording, config=config, entries=tuple(loop.fed))
    return Changed(fed, loop.turns, (*loop.notes, *loop.left_over()))


@define(eq=False)
class _Loop:
    """The changed call. `live` are the questions of the live call that have not been asked in this one."""

    call: Call
    live: list[Question]
    started_at: float
    fed: list[Entry] = field(factory=list)
    turns: dict[int, int] = field(factory=lambda: {0: 0})
    notes: list[str] = field(factory=list)
    _watch: Watch = field(factory=Watch)
    _due: list[tuple[float, float, int, Event]] = field(factory=list)
    """Answers to come: when, their line in the journal, in which order they were found, and what."""
    _found: int = 0
    _acknowledged_at: float = 0.0
    """Items are named in the order of the commits: none before this time."""
    _delay_s: float = 0.0
    """By how much the newest utterance ended later than in the live call."""
    _transcript_s: float = 0.0
    """How long the newest transcript took."""
    _echo_s: float = 0.0
    """How late the newest mark was echoed."""
    _over: set[int] = field(factory=set)
    """Turns whose response has ended."""

    def deliver(self, until: tuple[float, int]) -> None:
        """Feed the answers that come before this time and line."""
        while self._due and self._due[0][:2] < until:
            _, line, _, event = heapq.heappop(self._due)
            pending = (mark.name for mark in self.call.playback.marks)
            # An echo that the live call does not have is made up only for a mark that is not cleared here, either.
            if line < math.inf or not isinstance(event, PlaybackMarked) or event.name in pending:
                self.feed(line, event)

    def feed(self, line: float, event: Event) -> None:
        """Feed one event, and see to the answers to what is asked then."""
        step = take(self.call, Entry(0 if line == math.inf else int(line), event))
        self.fed.append(evolve(step.entry, state=step.source, to=step.dest))
        if isinstance(event, ResponseDone) and event.turn is not None:
            self._over.add(event.turn)
        for question in self._watch.questions(self.call, event.at, step.effects):
            live = self._counterpart(question)
            if question.asks is Asks.MARK:
                self._echo(question, live)
            elif live is not None:
                self._answer(question, live)
            else:
                self._stand_in(question)

    def _counterpart(self, new: Question) -> Question | None:
        """Return what the live call asked in this question's place, and have nothing else take it."""
        alike = [q for q in self.live if q.asks is new.asks]
        match new.asks:
            case Asks.TRANSCRIPT:
                found = max(alike, key=lambda q: _overlap_s(q, new), default=None)
                found = found if found is not None and _overlap_s(found, new) > 0 else None
            case Asks.RESPONSE:
                at = new.at - self._delay_s
                found = min(
                    (q for q in alike if _may_be(q, new.kind, at)), key=lambda q: abs(q.at - at), default=None
                )
            case Asks.FUNCTION:
                found = next((q for q in alike if q.name == new.name), None)
            case _:
                turn = self.turns.get(new.turn)
                found = next((q for q in alike if (q.turn, q.place) == (turn, new.place)), None)
        if found is not None:
            self.live.remove(found)
        return found

    def _answer(self, new: Question, live: Question) -> None:
        later_s = new.at - live.at
        earliest = 0.0
        if new.asks is Asks.TRANSCRIPT:
            self._delay_s = later_s
            earliest = self._acknowledged_at
        elif new.asks is Asks.RESPONSE:
            self.turns[new.turn] = live.turn
        for line, event in live.answers:
            at = max(event.at + later_s, earliest)
            if isinstance(event, AudioCommitted):
                self._acknowledged_at = at
            elif isinstance(event, TranscriptCompleted):
                self._transcript_s = event.at - live.at
            self._come(at, line, _addressed(event, new))

    def _echo(self, new: Question, live: Question | None) -> None:
        if live is None:
            late_s = self._echo_s if new.turn in self.turns else 0.0
            self._come(new.at + late_s, math.inf, PlaybackMarked(0.0, new.name))
        elif live.answers:
            self._echo_s = live.answers[0][1].at - live.at
            self._answer(new, live)
        elif live.cleared_at < math.inf:
            # Its echo had not come by then, however late it was.
            late_s = max(self._echo_s, live.cleared_at - live.at)
            self._come(new.at + late_s, math.inf, PlaybackMarked(0.0, new.name))

    def _stand_in(self, new: Question) -> None:
        """Answer what the live call did not ask."""
        unknown, at = f"unknown-{new.name}", self._seconds(new.at)
        response_id = self.call.response.response_id
        if new.asks is Asks.TRANSCRIPT:
            self._acknowledged_at = max(new.at, self._acknowledged_at)
            self._come(self._acknowledged_at, math.inf, AudioCommitted(0.0, unknown))
            settled_at = max(self._acknowledged_at, new.at + self._transcript_s)
            self._come(settled_at, math.inf, TranscriptFailed(0.0, unknown))
            self.notes.append(f"The utterance that is complete at {at} s was not transcribed in the live call.")
        elif new.asks is Asks.RESPONSE:
            self._come(new.at, math.inf, ResponseCreated(0.0, unknown, new.turn))
            self._come(new.at, math.inf, AudioDelta(0.0, unknown, unknown, silence(FRAME_MS * BYTES_PER_MS)))
            self._come(new.at, math.inf, ResponseDone(0.0, unknown, new.turn, "completed", (unknown,)))
            self.notes.append(
                f"What the model would have said, asked at {at} s, is not known: 20 ms of silence stand for it."
            )
        elif new.asks is Asks.CANCEL and new.turn in self._over:
            self._come(new.at, math.inf, RealtimeError(0.0, "response_cancel_not_active", new.name))
        elif new.asks is Asks.CANCEL and response_id is not None:
            self._come(new.at, math.inf, ResponseDone(0.0, response_id, new.turn, "cancelled"))

    def _come(self, at: float, line: float, event: Event) -> None:
        self._found += 1
        heapq.heappush(self._due, (at, line, self._found, evolve(event, at=at)))

    def left_over(self) -> Iterator[str]:
        """Say which answers of the live call had no place in this one."""
        for question in self.live:
            for event in [event for _, event in question.answers]:
                at = self._seconds(event.at)
                if isinstance(event, TranscriptCompleted):
                    yield f"The transcript “{one_line(event.transcript)}”, at {at} s, has no place in this call."
                elif isinstance(event, AudioDelta):
                    whom = "to nobody, the greeting" if question.kind is Owed.GREETING else f"to “{question.said}”"
                    yield f"The model's answer {whom}, from {at} s on, has no place in this call."
                    break

    def _seconds(self, at: float) -> str:
        return f"{at - self.started_at:.2f}"


def _may_be(live: Question, kind: Owed, at: float) -> bool:
    """Say whether a request of this kind at this time of the live call may be the one that it made."""
    if live.kind is not Owed.REPLY or kind is not Owed.REPLY:
        return live.kind is kind
    return live.began_at <= at and abs(live.at - at) <= NEAR_S


def _overlap_s(one: Question, other: Question) -> float:
    return min(one.at, other.at) - max(one.began_at, other.began_at)


def _addressed(event: Event, new: Question) -> Event:
    """Return an answer under the names that its question has in the changed call."""
    match event:
        case ResponseCreated() | ResponseDone() if event.turn is not None:
            return evolve(event, turn=new.turn)
        case RealtimeError():
            return evolve(event, event_id=new.name)
        case PlaybackMarked():
            return evolve(event, name=new.name)
        case _:
            return event
