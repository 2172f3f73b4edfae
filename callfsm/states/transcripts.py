"""What becomes of a committed utterance: accepted, the first of the call, rejected, or without a transcript."""

from collections import deque
from typing import TYPE_CHECKING

from callfsm.effects import DEBUG, INFO, Count, DeleteItem
from callfsm.events import AudioCommitted, RealtimeError, TimerFired, TranscriptCompleted, TranscriptFailed
from callfsm.hearing.transcript import is_echo_of, is_made_up, is_only_noise, is_real_speech, one_line
from callfsm.hearing.transcript import is_too_short as is_shorter_than_an_answer
from callfsm.hearing.turn import Utterance
from callfsm.speaking.response import OwedInput
from callfsm.states.base import Transition as T

if TYPE_CHECKING:
    from callfsm.call import Call

ANSWERABLE_MS = 300
"""An utterance with so much loud sound is answered even where no transcript of it comes."""
TOO_SHORT_LINE = "[TRANSCRIPT FILTER] Too short, ignoring"
PUNCTUATION_LINE = "[TRANSCRIPT FILTER] Punctuation noise, ignoring"
ECHO_LINE = "[TRANSCRIPT FILTER] Echo of the assistant, ignoring"
HALLUCINATION_LINE = "[TRANSCRIPT FILTER] Known hallucination, ignoring"
WEAK_FACTOR = 2.0
"""An utterance is weak below this many times the threshold in force when it began."""
SHORT_MS = 400
"""An utterance is short with less loud sound than this."""
SKIPPED_LINE = "[REALTIME] Skipping AI response – no real user utterance yet"

# Guards


def is_stray_item(call: "Call", event: TranscriptCompleted | TranscriptFailed) -> bool:
    """No unsettled utterance became this item."""
    return call.turn.unsettled_item(event.item_id) is None


def is_too_short(_call: "Call", event: TranscriptCompleted) -> bool:
    """The stripped transcript has fewer than 2 characters."""
    return is_shorter_than_an_answer(event.transcript)


def is_punctuation(_call: "Call", event: TranscriptCompleted) -> bool:
    """The transcript is only `.?!, ` characters."""
    return is_only_noise(event.transcript)


def is_first_real_utterance(call: "Call", event: TranscriptCompleted) -> bool:
    """No real utterance yet; this one's RMS is at or above the threshold and it has 3 characters, not only noise."""
    utterance = _utterance(call, event)
    is_loud_enough = utterance.rms >= utterance.threshold_rms
    return not call.has_real_user_utterance and is_loud_enough and is_real_speech(event.transcript)


def has_real_user(call: "Call", _event: object) -> bool:
    """The first real utterance of the call has been heard."""
    return call.has_real_user_utterance


def is_transcript_overdue(call: "Call", event: TimerFired) -> bool:
    """The oldest unsettled utterance has waited transcript_timeout_ms for its transcript."""
    return call.turn.deadline <= event.at


def is_answerable(call: "Call", event: TranscriptFailed | TimerFired) -> bool:
    """After the first real utterance, one with 300 ms of loud frames, not doubted, is answered without a transcript."""
    utterance = _utterance(call, event)
    return call.has_real_user_utterance and utterance.loud_ms >= ANSWERABLE_MS and not utterance.is_doubted


def is_echo(call: "Call", event: TranscriptCompleted) -> bool:
    """The utterance began while the assistant was audible, and its words stand in what was heard of that reply."""
    return _utterance(call, event).interrupts and is_echo_of(event.transcript, call.words_heard(event.at))


def is_hallucination(call: "Call", event: TranscriptCompleted) -> bool:
    """The transcript is a phrase that models make up from near-silence, and the sound was weak or short."""
    utterance = _utterance(call, event)
    is_weak = utterance.rms < WEAK_FACTOR * utterance.threshold_rms
    return is_made_up(event.transcript) and (is_weak or utterance.loud_ms < SHORT_MS)


def is_doubted(call: "Call", event: TranscriptCompleted) -> bool:
    """The utterance stopped the assistant, who went on because it had not been proven to be speech."""
    return _utterance(call, event).is_doubted


def is_unexpected_commit(call: "Call", _event: AudioCommitted) -> bool:
    """No commit of ours is unacknowledged."""
    return not call.turn.unacknowledged


def is_commit_of_rejected(call: "Call", _event: AudioCommitted) -> bool:
    """The utterance was rejected before its item was named."""
    return call.turn.unacknowledged[0].rejected


def is_commit_refused(call: "Call", event: RealtimeError) -> bool:
    """The error answers a commit of ours whose utterance is unsettled."""
    return event.event_id is not None and any(u.commit_event_id == event.event_id for u in call.turn.unsettled)


def _utterance(call: "Call", event: TranscriptCompleted | TranscriptFailed | TimerFired) -> Utterance:
    if isinstance(event, TimerFired):
        return call.turn.unsettled[0]
    utterance = call.turn.unsettled_item(event.item_id)
    assert utterance is not None  # noqa: S101 - the row before has taken every stray item
    return utterance


# Actions


def accept(call: "Call", event: TranscriptCompleted) -> None:
    """Accept the utterance: log what was said; a reply is owed."""
    text = one_line(event.transcript)
    call.log(INFO, f"User said: {text}")
    call.tell_history("user", text)
    call.turn.settle(_utterance(call, event), rejected=False)
    call.response.owe(OwedInput.ACCEPTED)


def note_first_real_utterance(call: "Call", _event: TranscriptCompleted) -> None:
    """Log that the first real utterance was heard: from here on responses may be requested."""
    call.has_real_user_utterance = True
    call.response.failures = 0
    call.log(INFO, "[NLP] First real user utterance detected – has_real_user_utterance=True")


def accept_untranscribed(call: "Call", event: TranscriptFailed | TimerFired) -> None:
    """Accept the utterance without its words, which the model has heard; a reply is owed."""
    call.turn.settle(_utterance(call, event), rejected=False)
    call.response.owe(OwedInput.ACCEPTED)


def log_too_short(call: "Call", _event: TranscriptCompleted) -> None:
    """Log that the transcript is too short."""
    call.log(DEBUG, TOO_SHORT_LINE)


def log_punctuation(call: "Call", _event: TranscriptCompleted) -> None:
    """Log that the transcript is punctuation."""
    call.log(DEBUG, PUNCTUATION_LINE)


def log_echo(call: "Call", _event: TranscriptCompleted) -> None:
    """Log that the transcript is the assistant's own echo."""
    call.log(DEBUG, ECHO_LINE)


def log_hallucination(call: "Call", _event: TranscriptCompleted) -> None:
    """Log that the transcript is made up."""
    call.log(DEBUG, HALLUCINATION_LINE)


def log_skipped_response(call: "Call", _event: object) -> None:
    """Log that no response is requested before the first real utterance."""
    call.log(INFO, SKIPPED_LINE)


def reject(call: "Call", event: TranscriptCompleted | TranscriptFailed | TimerFired) -> None:
    """Reject the utterance and delete its item."""
    utterance = _utterance(call, event)
    call.turn.settle(utterance, rejected=True)
    if utterance.item_id is not None:
        call.tell_realtime(DeleteItem(utterance.item_id))


def bind_item(call: "Call", event: AudioCommitted) -> None:
    """Match the item with our oldest unacknowledged commit."""
    call.turn.unacknowledged.popleft().item_id = event.item_id


def delete_late_item(call: "Call", event: AudioCommitted) -> None:
    """Delete an item that was named after its utterance had been rejected."""
    call.turn.unacknowledged.popleft()
    call.tell_realtime(DeleteItem(event.item_id))


def forget_refused_commit(call: "Call", event: RealtimeError) -> None:
    """Forget an utterance that the API would not take; items named meanwhile belong to the commits behind it."""
    turn = call.turn
    refused = next(u for u in turn.unsettled if u.commit_event_id == event.event_id)
    behind = list(turn.unsettled)[turn.unsettled.index(refused) :]
    names = [u.item_id for u in behind if u.item_id is not None]
    for utterance in behind[1:]:
        utterance.item_id = names.pop(0) if names else None
    refused.item_id = None
    turn.unacknowledged = deque(u for u in turn.unacknowledged if u is not refused and u.item_id is None)
    turn.settle(refused, rejected=True)


def note_stray_item(call: "Call", _event: object) -> None:
    """Count an event of an item that is settled or not ours."""
    call.effects.append(Count("stray_item"))


# Rows
# fmt: off
COMMITS = (
    T(AudioCommitted,      None, (is_unexpected_commit,),  (note_stray_item,)),
    T(AudioCommitted,      None, (is_commit_of_rejected,), (delete_late_item,)),
    T(AudioCommitted,      None, (),                       (bind_item,)),
)
WORDLESS = (
    T(TranscriptCompleted, None, (is_stray_item,),         (note_stray_item,)),
    T(TranscriptCompleted, None, (is_too_short,),          (log_too_short, reject)),
    T(TranscriptCompleted, None, (is_punctuation,),        (log_punctuation, reject)),
    T(TranscriptCompleted, None, (is_hallucination,),      (log_hallucination, reject)),
)
FILTER = (
    *WORDLESS,
    T(TranscriptCompleted, None, (is_echo,),               (log_echo, reject)),
)
"""Where the assistant has been audible."""
FAILURES = (
    T(TranscriptFailed,    None, (is_stray_item,),         (note_stray_item,)),
)
ACCEPTED_ASIDE = (
    T(TranscriptCompleted, None, (has_real_user,),         (accept,)),
    T(TranscriptCompleted, None, (is_first_real_utterance,), (note_first_real_utterance, accept)),
    T(TranscriptCompleted, None, (),                       (log_skipped_response, reject)),
    *FAILURES,
    T(TranscriptFailed,    None, (is_answerable,),         (accept_untranscribed,)),
    T(TranscriptFailed,    None, (has_real_user,),         (reject,)),
    T(TranscriptFailed,    None, (),                       (log_skipped_response, reject)),
)
"""While no reply may be requested anyway (the assistant is audible, or a response is being cancelled)."""
OVERDUE_ASIDE = (
    T(TimerFired,          None, (is_transcript_overdue, is_answerable), (accept_untranscribed,)),
    T(TimerFired,          None, (is_transcript_overdue, has_real_user), (reject,)),
    T(TimerFired,          None, (is_transcript_overdue,), (log_skipped_response, reject)),
)
# fmt: on
