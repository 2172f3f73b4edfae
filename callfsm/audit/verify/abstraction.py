"""When two calls are one configuration: what is compared, what is put into a bucket, and why nothing is lost by it.

Two calls with the same key must react alike to every input, as far as the laws can see: the same next keys, the same
rows. Exploration relies on it, and `agreement` checks it on calls that came to one key by different ways: a bucket
that is too coarse does not go unnoticed.

Every field of a call is either in a bucket or in `LEFT_OUT`, with the reason; a test holds this page to that.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from attrs import frozen

from callfsm.audit.verify.inputs import NOISE
from callfsm.audit.verify.watch import Watch
from callfsm.call import Call
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.turn import Utterance
from callfsm.speaking.playback import MARK_BYTES, PlaybackPhase
from callfsm.speaking.response import ResponsePhase
from callfsm.states.transcripts import ANSWERABLE_MS


@frozen
class Bucket:
    """One component of a configuration."""

    name: str
    why: str
    of: Callable[[Call, Watch], Hashable]
    fields: tuple[str, ...]
    """The call's fields that it stands for."""


def _is_noisy(call: Call) -> bool:
    return call.business.name == NOISE


def _energy(call: Call, utterance: Utterance) -> str:
    if call.has_real_user_utterance:
        return ""
    power, limit = utterance._spoken_power, call.gate.threshold_rms**2  # noqa: SLF001 - as it is summed up
    if power >= limit * (call.config.turn.max_turn_ms // FRAME_MS):
        return "strong"
    return "even" if power >= limit * utterance.spoken_frames else "faint"


def _loudness(call: Call, loud_ms: int) -> int:
    min_ms = call.config.turn.min_speech_ms
    return (loud_ms >= min_ms - FRAME_MS) + (loud_ms >= min_ms) + (loud_ms >= ANSWERABLE_MS)


def _open(call: Call, _watch: Watch) -> Hashable:
    utterance = call.turn.open
    if utterance is None:
        return None
    quiet_ms, energy = utterance.quiet_ms, _energy(call, utterance)
    is_weak_since = energy == "even" and quiet_ms > 0
    return (
        _loudness(call, utterance.loud_ms),
        2 if quiet_ms > call.config.gate.hangover_ms else is_weak_since,
        energy,
        (utterance.voiced_frames, utterance.frames) if call.playback.is_paused else None,
        _is_noisy(call) and utterance.interrupts,
    )


def _waiting(call: Call, utterance: Utterance) -> Hashable:
    return (
        utterance.loud_ms >= ANSWERABLE_MS and not utterance.is_doubted,
        utterance.is_doubted
        and (call.playback.phase is not PlaybackPhase.IDLE or bool(call.clips.moment.piece.audio)),
        _is_noisy(call) and utterance.interrupts,
        _energy(call, utterance) not in {"", "faint"},
        utterance.item_id is not None,
        utterance.commit_event_id is not None,
    )


def _unsettled(call: Call, _watch: Watch) -> Hashable:
    unsettled = call.turn.unsettled
    return tuple([_waiting(call, utterance) for utterance in unsettled]) if unsettled else ()


def _unacknowledged(call: Call, _watch: Watch) -> Hashable:
    turn = call.turn
    if not turn.unacknowledged:
        return ()
    places = {id(utterance): place for place, utterance in enumerate(turn.unsettled)}
    return tuple([(utterance.rejected, places.get(id(utterance))) for utterance in turn.unacknowledged])


def _held(call: Call, _watch: Watch) -> Hashable:
    limit_rms = math.inf if call.has_real_user_utterance else call.gate.threshold_rms
    frames = list(call.gate.held)
    while frames and not frames[0].is_loud:
        del frames[0]
    return tuple([(frame.is_loud, frame.rms > limit_rms, frame.voicing) for frame in frames]) if frames else ()


_NOT_GENERATING: Final = (ResponsePhase.NONE, ResponsePhase.CANCELLING, ResponsePhase.OVERTAKEN)


def _is_quiet(call: Call) -> bool:
    """Nothing is generated that may still be heard, nothing is held back, and nothing is heard."""
    return call.response.phase in _NOT_GENERATING and call.playback.phase is PlaybackPhase.IDLE


def _response(call: Call, watch: Watch) -> Hashable:
    response = call.response
    is_dead = _is_quiet(call)
    if is_dead and response.phase is ResponsePhase.NONE:
        return ()
    requested = response.phase is ResponsePhase.REQUESTED
    return (
        response.phase._name_,
        None if is_dead else response.kind._name_,
        response.response_id is not None,
        response.response_id in response.settled_ids,
        watch.playable_id is not None,
        requested and response.other_over_at >= response.requested_at,
        response.has_called_tool and response.phase is ResponsePhase.ACTIVE,
    )


def _playback(call: Call, _watch: Watch) -> Hashable:
    playback = call.playback
    if playback.phase is PlaybackPhase.IDLE:
        return ()
    ahead = [mark.at_byte == playback.sent for mark in playback.marks]
    has_tail = playback.sent > playback._marked  # noqa: SLF001 - what the last mark stands behind
    # So many marks will stand behind what is kept, when it goes on.
    rest = -(-(playback.received - playback.sent) // MARK_BYTES) if playback.has_rest else 0
    return playback.phase._name_, len(playback.held), len(ahead), any(ahead), has_tail, rest


def _greeting(call: Call, watch: Watch) -> Hashable:
    if call.has_real_user_utterance:
        return ()
    return call.business.enable_greeting, bool(call.greeting_clip), watch.greeting_heard, watch.has_real_user


def _debts(call: Call, watch: Watch) -> Hashable:
    response = call.response
    is_cut = response.is_cut and call.playback.phase is not PlaybackPhase.IDLE
    return response.owed._name_, response.failures > 0, is_cut, watch.debt._name_


def _request(_call: Call, watch: Watch) -> Hashable:
    return watch.is_in_flight, watch.is_overtaken, len(watch.marks), watch.has_tail, watch.is_stopped, watch.is_cut


def _timers(call: Call, _watch: Watch) -> Hashable:
    return bool(call.digits), bool(call.tools), bool(call.farewell)


def _measured(call: Call, _watch: Watch) -> Hashable:
    return tuple([frame.rms for frame in call.calibration]) if call.calibration else ()


BUCKETS: Final[Sequence[Bucket]] = (
    Bucket("state", "as it is", lambda call, _: call.state._name_, ("state",)),
    Bucket("session", "as it is", lambda call, _: call.is_ready, ("is_ready",)),
    Bucket(
        "greeting",
        "whether there is one, a recording, and whether it was heard; nobody asks once somebody real has spoken",
        _greeting,
        ("has_real_user_utterance", "business", "greeting_clip"),
    ),
    Bucket("calibration", "as it is", _measured, ("calibration",)),
    Bucket(
        "open utterance",
        "guards compare with these limits alone, and longer inputs cross each from anywhere below it. Its loud"
        " frames: before the last frame of a blip, there, speech, answerable; its RMS: at the threshold whatever"
        " follows, there for now, below it; its quiet: past the hangover or not, and, where its RMS is there for now,"
        " whether any weak frame would count with the next loud one. While a doubt lasts, its frames and the voiced"
        " ones. Whether it began over the assistant is asked of echoes alone. How full it is: an answerable one can"
        " be filled up in one input",
        _open,
        ("turn.open",),
    ),
    Bucket(
        "unsettled",
        "of each: answerable, loud enough to be the first real one, named, committed; begun over the assistant, where"
        " echoes are in play; doubted, as long as anything may be heard before its verdict: in silence no row asks",
        _unsettled,
        ("turn.unsettled",),
    ),
    Bucket(
        "unacknowledged",
        "which of the unsettled they are, or that they are settled, and whether they were rejected",
        _unacknowledged,
        ("turn.unacknowledged",),
    ),
    Bucket(
        "held frames",
        "from the first loud one on, and which are voiced: what is weak before it leaves first, in no utterance",
        _held,
        ("gate.held",),
    ),
    Bucket(
        "response",
        "phase and kind; whether its id is known, is settled, and may be played. Nothing of it matters in silence",
        _response,
        (
            "response.phase",
            "response.kind",
            "response.response_id",
            "response.settled_ids",
            "response.other_over_at",
            "response.requested_at",
            "response.has_called_tool",
        ),
    ),
    Bucket(
        "memory",
        "what the laws remember of the request, of what is heard, and of a stop",
        _request,
        ("response.turn",),
    ),
    Bucket(
        "debts",
        "what is owed; a second failure counts as any more would; whether there is more of what is here",
        _debts,
        ("response.owed", "response.failures", "response.is_cut"),
    ),
    Bucket(
        "playback",
        "phase; how many marks are pending, whether one stands behind the last byte, whether a tail has none; whether"
        " anything of what was stopped has not been heard",
        _playback,
        (
            "playback.phase",
            "playback.held",
            "playback.marks",
            "playback.sent",
            "playback.received",
            "playback._marked",
        ),
    ),
    Bucket(
        "keys and functions",
        "whether there are any",
        _timers,
        ("digits", "digits_deadline", "tools", "farewell"),
    ),
)

_TIME = "each deadline is offered as the next to pass, whatever the clock: which are armed follows from the rest"
_NAME = "compared for equality alone, and offered as the right, an older or an unknown one"
_TEXT = "goes into effects and is read by no guard"
LEFT_OUT: Final[dict[str, str]] = {
    "config": "the same for all",
    "turn.phase": "SPEAKING while an utterance is open, else UNSETTLED while one is unsettled, else SILENT",
    "briefing": _TEXT,
    "gate.line": "frames are offered below, just below, at and above the limit, whatever it is",
    "response.create_event_id": _NAME,
    "response.cancel_event_id": _NAME,
    "response.cancelled_at": _TIME,
    "response.continued": "read by no guard; so many are allowed here that the last one never comes",
    "playback.started_at": _TIME,
    "playback.ends_at": _TIME,
    "playback.confirmed": "how much was heard goes into effects; that all was heard is the phase",
    "playback.last_mark": _NAME,
    "playback._anchor": _TIME,
    "playback._anchor_at": _TIME,
    "playback._heard": "how much was heard goes into effects",
    "playback._kept": "which audio goes on goes into effects, how much of it into the marks",
    "playback._resumed_from": "where it goes on goes into effects",
    "playback._levels": "where it goes on goes into effects",
    "playback._items": "which items were heard goes into effects",
    "needs_reminder": _TEXT,
    "backlog": "empty between two events",
    "reply_transcript": "with which words an echo is compared comes with the echo, in one input",
    "reply_words": _TEXT,
    "left_items": "which items are deleted goes into effects",
    "clips": "the same for all",
    "greeting_levels_rms": "where the greeting goes on goes into effects",
    "cut": "which items were heard goes into effects",
    "is_reply_unknown": _TEXT,
    "farewell_call_id": _TEXT,
    "history": _TEXT,
    "end_reason": _TEXT,
    "deadline": _TIME,
    "effects": "empty between two events",
    "moves": "of the newest event alone",
    "_event_ids": _NAME,
}
