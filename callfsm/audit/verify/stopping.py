"""The laws of an assistant that was stopped: until somebody is proven to have spoken nothing is lost, then all is."""

from callfsm.audit.verify.before import Before
from callfsm.audit.verify.laws import AUDIBLE, Law, LawBrokenError, Step
from callfsm.call import Call
from callfsm.effects import CreateResponse, DeleteItem, TruncateItem
from callfsm.events import RmsFrame, TranscriptCompleted
from callfsm.speaking.playback import PlaybackPhase
from callfsm.states.base import State


def judge_stop(before: Before, call: Call, step: Step, item_id: str | None, *, was_stopped: bool) -> bool:
    """Return whether the assistant is stopped, with more to say, and nothing shows who it was.

    `was_stopped` says so of the time before this step, and `item_id` is the item that is, or was, being said. Raise
    LawBrokenError where a law is broken.
    """
    is_audible = before.state in AUDIBLE
    is_proof = (is_audible or was_stopped) and before.is_proof(call, step.event)
    if TruncateItem in step.kinds and not is_proof:
        raise LawBrokenError(Law.UNTOUCHED, f"{step.event} has an item truncated")
    if not (is_audible or was_stopped):
        return False
    is_stop = before.state is State.AI_SPEAKING and step.is_loud
    if is_proof and (is_stop or was_stopped or _is_late_proof(before, step)):
        _judge_confirmed(call, step)
        return False
    if is_stop:
        was_stopped = before.rest_bytes > 0 or call.playback.is_paused
    if not was_stopped or call.state is State.ENDED:
        return False
    if step.played_bytes:
        _judge_rest(before, call, step)
        return False
    _judge_doubt(before, call, step, item_id)
    # Where all was heard that was received there is nothing to go on with, and the rest is asked for.
    return call.playback.is_paused


def _is_late_proof(before: Before, step: Step) -> bool:
    """The assistant has gone on over an utterance that turns out to have been one."""
    is_words = before.state in AUDIBLE and isinstance(step.event, TranscriptCompleted)
    return is_words and before.judged[0].is_doubted


def _judge_confirmed(call: Call, step: Step) -> None:
    if step.played_bytes:
        raise LawBrokenError(Law.CONFIRMED_STAYS, f"{step.played_bytes} bytes are played on {step.event}")
    if call.playback.phase is not PlaybackPhase.IDLE and call.state is not State.ENDED:
        raise LawBrokenError(Law.CALLER_WINS, f"{call.playback.phase.name} after {step.event}")


def _judge_rest(before: Before, call: Call, step: Step) -> None:
    if call.state not in AUDIBLE or call.turn.open is not None:
        raise LawBrokenError(Law.NO_STRAY_AUDIO, f"the rest begins in {call.state.name}")
    if step.played_bytes < before.rest_bytes:
        raise LawBrokenError(Law.GOES_ON, f"{step.played_bytes} bytes go on of {before.rest_bytes}")


def _judge_doubt(before: Before, call: Call, step: Step, item_id: str | None) -> None:
    if before.rest_bytes and not call.playback.is_paused:
        raise LawBrokenError(Law.GOES_ON, f"what was not heard is gone on {step.event}")
    if before.rest_bytes and CreateResponse in step.kinds:
        raise LawBrokenError(Law.GOES_ON, "a response is requested before the assistant has gone on")
    is_over = isinstance(step.event, RmsFrame) and before.open_ms >= call.config.turn.confirm_ms
    if is_over and call.turn.open is not None:
        raise LawBrokenError(Law.GOES_ON, f"an unproven sound is still open after {before.open_ms} ms")
    deleted = [effect.item_id for effect in step.effects if isinstance(effect, DeleteItem)]
    if item_id in deleted:
        raise LawBrokenError(Law.UNTOUCHED, f"{step.event} has {item_id} deleted")
