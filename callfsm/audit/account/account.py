"""What one call amounts to: its journal run again on the machine, and told as values."""

from collections.abc import Iterator

from attrs import define, evolve, field

from callfsm.audit.account.replies import Before, Replies
from callfsm.audit.account.utterances import Utterances, deadlines
from callfsm.audit.account.values import (
    Account,
    Band,
    End,
    Frame,
    Line,
    Note,
)
from callfsm.audit.recording import Recording, Step, is_gate_line, run
from callfsm.call import Call
from callfsm.config import Config
from callfsm.effects import CommitAudio, Effect, Log
from callfsm.events import (
    DtmfReceived,
    Event,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    RmsFrame,
    TimerFired,
    ToolAnswered,
    ToolCalled,
    TranscriptFailed,
)
from callfsm.machine import dispatch
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
    calibrated_at: float | None = None
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
        self.replies.follow(step, event, before, self.utterances.place_of_open())

    def _hear(self, step: Step, event: RmsFrame) -> None:
        call = step.call
        is_measured = step.source is State.CALIBRATING and step.dest is not State.CALIBRATING
        self.frames.append(_frame(call, event, _state_at(step), step.effects))
        if is_measured:
            self.calibrated_at = event.at
            self.frames, self.utterances = _gated(call, self.frames)
            self.utterances.adopt(call)
        else:
            self.utterances.heard(call, event.at, len(self.frames))

    def finished(self, call: Call) -> Account:
        recorded = self.recording.end or {}
        reason = call.end_reason or str(recorded.get("reason", ""))
        times = [frame.at for frame in self.frames]
        bounds = [*self.changes, (self.at, State.ENDED)]
        return Account(
            header=self.recording.header,
            config=call.config,
            business=call.business,
            started_at=self.recording.started_at,
            noise_floor_rms=call.gate.noise_floor_rms,
            threshold_rms=call.gate.threshold_rms,
            calibrated_at=self.calibrated_at,
            frames=tuple(self.frames),
            bands=tuple(Band(bounds[i][1], bounds[i][0], bounds[i + 1][0]) for i in range(len(bounds) - 1)),
            utterances=self.utterances.finished(times, call.gate.threshold_rms),
            replies=self.replies.finished(),
            barge_ins=tuple(self.replies.barge_ins),
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


def _frame(call: Call, event: RmsFrame, state: State, effects: tuple[Effect, ...]) -> Frame:
    threshold_rms = call.gate.threshold_rms
    is_loud, was_dropped = event.rms >= threshold_rms, any(map(is_gate_line, effects))
    # The loud frame that fills up a turn passes, though no utterance is open any more behind it.
    ends_turn = is_loud and not was_dropped and any(isinstance(effect, CommitAudio) for effect in effects)
    is_open = call.is_gate_open or ends_turn
    return Frame(event.at, event.rms, threshold_rms, state, is_loud, is_open, was_dropped)


def _changes(step: Step, event: Event, deadline: float) -> Iterator[tuple[float, State]]:
    for _, by, state in step.moves:
        # A deadline that has passed by the event's time is fed first, at its own time.
        at = min(deadline, event.at) if by is TimerFired else event.at
        yield at, state


def _state_at(step: Step) -> State:
    """Return the state in which the step's own event came: a deadline that had passed came before it."""
    return next((state for _, by, state in reversed(step.moves) if by is TimerFired), step.source)


def _gated(call: Call, frames: list[Frame]) -> tuple[list[Frame], Utterances]:
    """Gate the frames of the calibration one by one, in a call of their own with the same noise and no session."""
    gate = evolve(call.config.gate, calibration_ms=0, quiet_rms=0.0, default_noise_floor=call.gate.noise_floor_rms)
    business = evolve(call.business, enable_greeting=False, greeting_clip="")
    other = Call.begin(evolve(call.config, gate=gate), business)
    gated, utterances = list[Frame](), Utterances()
    for frame in frames:
        effects = dispatch(other, RmsFrame(frame.at, frame.rms))
        gated.append(_frame(other, RmsFrame(frame.at, frame.rms), State.CALIBRATING, tuple(effects)))
        utterances.heard(other, frame.at, len(gated))
    return gated, utterances
