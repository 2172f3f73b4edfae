"""What one call amounts to: its journal run again on the machine, and told as values."""

from collections.abc import Iterator

from attrs import define, field

from callfsm.audit.account.barge_ins import BargeIn, BargeIns
from callfsm.audit.account.before import Before
from callfsm.audit.account.frames import frame_of, gated, news_of
from callfsm.audit.account.replies import Replies
from callfsm.audit.account.utterances import Utterances, deadlines
from callfsm.audit.account.values import (
    Account,
    Band,
    End,
    Frame,
    Line,
    LineChange,
    Note,
)
from callfsm.audit.recording import Recording, Step, is_gate_line, run
from callfsm.call import Call
from callfsm.config import Config
from callfsm.effects import Log
from callfsm.events import (
    DtmfReceived,
    Event,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ReplyDue,
    RmsFrame,
    SpeechDetected,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.mulaw import BYTES_PER_MS
from callfsm.states.base import State


def account_of(recording: Recording, config: Config | None = None) -> Account:
    """Run a journal, with other numbers where a configuration is given, and tell what the call amounts to.

    The frames of the calibration are kept by the call and gated all at once when it ends. They stand here one by
    one at the times at which they were heard, in the state CALIBRATING, with the threshold that was found and with
    what the gate then made of each. Where the call ended before, they stand with the default threshold, and the
    gate was never opened.
    """
    account = _Account(recording)
    call = recording.begin(config)
    before = Before.of(call)
    settled = deadlines(call)
    for step in run(recording, config):
        call = step.call
        account.follow(step, before, settled)
        before, settled = Before.of(call), deadlines(call)
    return account.finished(call)


@define(eq=False)
class _Account:
    recording: Recording
    frames: list[Frame] = field(factory=list)
    lines: list[Line] = field(factory=list)
    notes: list[Note] = field(factory=list)
    changes: list[tuple[float, State]] = field(factory=list)
    utterances: Utterances = field(factory=Utterances)
    replies: Replies = field(factory=Replies)
    barge_ins: BargeIns = field(factory=BargeIns)
    line: list[LineChange] = field(factory=list)
    calibrated_at: float | None = None
    calibrated_to: tuple[float, float] | None = None
    """The noise floor and the threshold that calibration found."""
    at: float = 0.0
    error: str = ""
    departures: int = 0

    def __attrs_post_init__(self) -> None:
        self.at = self.recording.started_at
        self.changes.append((self.at, State.CALIBRATING))

    def follow(self, step: Step, before: Before, settled: dict[int, float]) -> None:
        event = step.event
        if event is not None:
            # A timer may fire a little early and carries its deadline: the event behind it can be the older one.
            self.at = max(self.at, event.at)
        self.lines += (
            Line(self.at, effect.level, effect.message)
            for effect in step.effects
            if isinstance(effect, Log) and not is_gate_line(effect)
        )
        if step.error is not None:
            self.error = f"{type(step.error).__name__}: {step.error}"
        self.departures += not step.is_as_recorded
        if event is None or step.error is not None:
            return
        self.changes += (
            (max(at, self.changes[-1][0]), state) for at, state in _changes(step, event, before.deadline)
        )
        self.notes += (Note(event.at, what) for what in [_what(event)] if what)
        self.utterances.settled(step.call, event, step.effects, settled)
        if isinstance(event, RmsFrame):
            self._hear(step, event)
        self.replies.follow(step, event, before)
        self._stop(step, event, before)

    def _hear(self, step: Step, event: RmsFrame) -> None:
        call = step.call
        is_measured = step.source is State.CALIBRATING and step.dest is not State.CALIBRATING
        self.frames.append(frame_of(call, event, _state_at(step), step.effects))
        if is_measured:
            self.calibrated_at = event.at
            self.calibrated_to = call.gate.line.noise_rms, call.gate.threshold_rms
            self.frames, self.utterances = gated(call, self.frames)
            self.utterances.adopt(call)
        else:
            self.line += news_of(call, event, step.effects)
            self.utterances.heard(call, event.at, len(self.frames))

    def _stop(self, step: Step, event: Event, before: Before) -> None:
        gate, replies = step.call.gate, self.replies.drafts
        heard, generated = (replies[-1].heard, replies[-1].generated) if replies else (0, 0)
        stop = BargeIn(
            at=event.at,
            rms=event.rms if isinstance(event, RmsFrame) else 0.0,
            limit_rms=gate.limit_rms,
            heard_ms=heard // BYTES_PER_MS,
            generated_ms=generated // BYTES_PER_MS,
            reply=len(replies) - 1,
            utterance=self.utterances.place_of_open(),
        )
        words_of = self.utterances.place_of(event.item_id) if isinstance(event, TranscriptCompleted) else None
        self.barge_ins.follow(step, event, before, stop, words_of)

    def finished(self, call: Call) -> Account:
        recorded = self.recording.end or {}
        reason = call.end_reason or str(recorded.get("reason", ""))
        times = [frame.at for frame in self.frames]
        bounds = [*self.changes, (self.at, State.ENDED)]
        noise_rms, threshold_rms = self.calibrated_to or (call.gate.line.noise_rms, call.gate.threshold_rms)
        return Account(
            header=self.recording.header,
            config=call.config,
            business=call.business,
            started_at=self.recording.started_at,
            noise_floor_rms=noise_rms,
            threshold_rms=threshold_rms,
            calibrated_at=self.calibrated_at,
            frames=tuple(self.frames),
            line=tuple(self.line),
            bands=tuple(Band(bounds[i][1], bounds[i][0], bounds[i + 1][0]) for i in range(len(bounds) - 1)),
            utterances=self.utterances.finished(times),
            replies=self.replies.finished(call, self.at),
            barge_ins=tuple(self.barge_ins.stops),
            notes=tuple(self.notes),
            lines=tuple(self.lines),
            end=End(self.at, reason, self.recording.is_torn, self.error),
            departures=self.departures,
        )


def _what(event: Event) -> str:
    what = ""
    match event:
        case DtmfReceived(digit=digit):
            what = f"The caller pressed {digit}."
        case SpeechDetected():
            what = "The detector was sure of speech."
        case RealtimeReady():
            what = "The Realtime session was ready."
        case RealtimeLost():
            what = "The connection to the Realtime API was lost."
        case RealtimeError(code=code):
            what = f"The Realtime API reported an error: {code or 'without a code'}."
        case TranscriptFailed():
            what = "The Realtime API could not transcribe an utterance."
        case ToolCalled(name=name, arguments=arguments):
            what = f"The model called the function {name} with {arguments}."
        case ToolAnswered(output=output):
            what = f"A function answered: {output}"
        case _:
            pass
    return what


def _changes(step: Step, event: Event, deadline: float) -> Iterator[tuple[float, State]]:
    at = event.at
    for _, by, state in step.moves:
        # A deadline that has passed by the event's time is fed first, at its own time, and what it makes due with it.
        if by is not ReplyDue:
            at = min(deadline, event.at) if by is TimerFired else event.at
        yield at, state


def _state_at(step: Step) -> State:
    """Return the state in which the step's own event came: a deadline that had passed came before it."""
    return next((state for _, by, state in reversed(step.moves) if by is TimerFired), step.source)
