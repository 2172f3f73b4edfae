"""Following the frames of the caller's line through a call that is run again: what each was, and what it changed."""

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from callfsm.audit.account.utterances import Utterances
from callfsm.audit.account.values import Frame, LineChange
from callfsm.audit.recording import is_gate_line
from callfsm.call import Call
from callfsm.effects import AppendAudio, CommitAudio, Count, Effect
from callfsm.events import RmsFrame
from callfsm.hearing.line import NewsKind
from callfsm.machine import dispatch
from callfsm.states.base import State

_NEWS: Final = {f"line:{kind.name.lower()}": kind for kind in NewsKind}


def frame_of(call: Call, event: RmsFrame, state: State, effects: tuple[Effect, ...]) -> Frame:
    """Return a frame as the call is behind it; `state` is the one that it was heard in."""
    gate = call.gate
    is_loud, was_dropped = event.rms >= gate.limit_rms, any(map(is_gate_line, effects))
    return Frame(
        at=event.at,
        rms=event.rms,
        voicing=event.voicing,
        threshold_rms=gate.threshold_rms,
        limit_rms=gate.limit_rms,
        state=state,
        is_loud=is_loud,
        is_gate_open=call.is_gate_open or (is_loud and not was_dropped and _fills_turn(effects)),
        was_dropped=was_dropped,
    )


def _fills_turn(effects: tuple[Effect, ...]) -> bool:
    """Say whether a frame was sent and its turn committed: it passed, though no utterance is open any more."""
    return {AppendAudio, CommitAudio} <= set(map(type, effects))


def news_of(call: Call, event: RmsFrame, effects: tuple[Effect, ...]) -> Iterator[LineChange]:
    """Yield what a frame changed on the line."""
    line = call.gate.line
    for effect in effects:
        if isinstance(effect, Count) and effect.what in _NEWS:
            kind = _NEWS[effect.what]
            noise_rms = line.floor.low_rms if kind is NewsKind.DEAF else line.floor.noise_rms
            yield LineChange(event.at, kind, noise_rms, line.threshold_rms)


def gated(call: Call, frames: list[Frame]) -> tuple[list[Frame], Utterances]:
    """Gate the frames of the calibration one by one, in a call of their own with the same noise and no session."""
    gate = evolve(
        call.config.gate,
        calibration_ms=0,
        quiet_rms=0.0,
        default_noise_floor=call.gate.line.noise_rms,
        follow_factor=0.0,
        echo_factor=0.0,
    )
    business = evolve(call.business, enable_greeting=False, greeting_clip="")
    other = Call.begin(evolve(call.config, gate=gate), business)
    told, utterances = list[Frame](), Utterances()
    for frame in frames:
        event = RmsFrame(frame.at, frame.rms, voicing=frame.voicing)
        effects = dispatch(other, event)
        told.append(frame_of(other, event, State.CALIBRATING, tuple(effects)))
        utterances.heard(other, frame.at, len(told))
    return told, utterances
