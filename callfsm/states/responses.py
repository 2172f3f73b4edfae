"""The response in flight: requested, begun, over, refused, cancelled; and audio that nobody asked for."""

import math
from typing import TYPE_CHECKING, Final

from callfsm.effects import CancelResponse, Count, CreateResponse, DeleteItem
from callfsm.events import AudioDelta, Event, RealtimeError, ResponseCreated, ResponseDone
from callfsm.speaking import prompts
from callfsm.speaking.response import Owed, OwedInput, ResponseInput, ResponsePhase
from callfsm.states.base import Transition as T
from callfsm.states.transcripts import forget_refused_commit, is_commit_refused

if TYPE_CHECKING:
    from callfsm.call import Call

QUOTA_CODE: Final = "insufficient_quota"
QUOTA_EXHAUSTED: Final = "realtime_quota_exhausted"
_NAMELESS = (ResponsePhase.REQUESTED, ResponsePhase.OVERTAKEN)
_BEGUN = (ResponsePhase.ACTIVE, ResponsePhase.CANCELLING)

# Guards


def is_our_turn(call: "Call", event: ResponseCreated) -> bool:
    """The response carries the turn that we requested and that has not begun yet."""
    response = call.response
    return response.phase is ResponsePhase.REQUESTED and event.turn == response.turn


def is_cancelled_turn(call: "Call", event: ResponseCreated) -> bool:
    """The response carries the turn that we cancelled before it began."""
    response = call.response
    return response.phase is ResponsePhase.OVERTAKEN and event.turn == response.turn


def is_known_response(call: "Call", event: ResponseCreated | AudioDelta) -> bool:
    """The response is ours already, or over, or cancelled."""
    response = call.response
    return event.response_id == response.response_id or event.response_id in response.settled_ids


def is_current_response(call: "Call", event: AudioDelta) -> bool:
    """The response is the one that we requested and that is being generated."""
    response = call.response
    return response.phase is ResponsePhase.ACTIVE and event.response_id == response.response_id


def is_our_response(call: "Call", event: ResponseDone) -> bool:
    """The response in flight ended: by its turn until it has an id, then by its id, or named by none (old servers)."""
    response = call.response
    if response.phase in _NAMELESS:
        return event.turn == response.turn
    return response.phase in _BEGUN and event.response_id in (None, response.response_id)


def is_generating(call: "Call", _event: Event) -> bool:
    """More of the response may come."""
    return call.response.phase is ResponsePhase.ACTIVE


def is_reply(call: "Call", _event: Event) -> bool:
    """What the caller hears is a reply, not the greeting."""
    return call.response.kind is Owed.REPLY


def is_second_failure(call: "Call", _event: Event) -> bool:
    """What is owed was requested before, and came to nothing."""
    return call.response.failures > 0


def is_blocked(call: "Call", _event: Event) -> bool:
    """Our request was refused because of a response that is not ours."""
    return call.response.phase is ResponsePhase.BLOCKED


def _may_answer_request(call: "Call", event: RealtimeError) -> bool:
    # Some errors name no message of ours.
    is_addressed = event.event_id in (None, call.response.create_event_id)
    return is_addressed and call.response.phase is ResponsePhase.REQUESTED


def is_request_blocked(call: "Call", event: RealtimeError) -> bool:
    """Our request is refused: another response is active."""
    return event.code == "conversation_already_has_active_response" and _may_answer_request(call, event)


def is_blocker_over(call: "Call", _event: RealtimeError) -> bool:
    """A response that was not requested last has ended since the request: nothing stands in the way any more."""
    return call.response.other_over_at >= call.response.requested_at


def is_request_refused(call: "Call", event: RealtimeError) -> bool:
    """Our request is refused for any other reason."""
    response = call.response
    return response.phase is ResponsePhase.REQUESTED and event.event_id == response.create_event_id


def is_quota_exhausted(_call: "Call", event: RealtimeError | ResponseDone) -> bool:
    """The account has nothing left to pay with: asking again would change nothing."""
    return event.code == QUOTA_CODE


def is_request_unpaid(call: "Call", event: RealtimeError) -> bool:
    """Our request is refused, by its name or by none, because the account has nothing left to pay with."""
    return is_quota_exhausted(call, event) and _may_answer_request(call, event)


def is_cancel_answered(call: "Call", event: RealtimeError) -> bool:
    """The error answers our cancel, and not one that overtook its response: nothing was left to cancel."""
    response = call.response
    unaddressed = event.event_id is None and event.code == "response_cancel_not_active"
    answers = unaddressed or event.event_id == response.cancel_event_id
    return answers and response.phase is ResponsePhase.CANCELLING


# Actions


def _request(call: "Call", event: Event, instructions: str | None) -> None:
    response = call.response
    response.move(ResponseInput.REQUESTED)
    response.kind = Owed.GREETING if response.owed is Owed.GREETING else Owed.REPLY
    response.owe(OwedInput.REQUESTED)
    response.turn += 1
    response.response_id = None
    response.has_called_tool = response.is_cut = False
    response.requested_at = event.at
    response.create_event_id = call.event_id("create")
    call.reply_transcript = call.reply_words = ""
    call.cut.clear()
    call.effects.append(CreateResponse(response.create_event_id, response.turn, instructions))


def request_greeting(call: "Call", event: Event) -> None:
    """Request the greeting, with instructions of its own that end with the critical rules."""
    _request(call, event, prompts.greeting_instructions(call.briefing, call.business.greeting))


def request_reply(call: "Call", event: Event) -> None:
    """Request one reply to all that was said, with a reminder where the last one was not Hebrew."""
    _request(call, event, prompts.reminder_instructions(call.briefing) if call.needs_reminder else None)
    call.needs_reminder = False


def request_rest(call: "Call", event: Event) -> None:
    """Request the rest of a reply that was cut off, with instructions to continue that end with the critical rules."""
    _request(call, event, prompts.continue_instructions(call.briefing))


def adopt_response(call: "Call", event: ResponseCreated) -> None:
    """Learn the id of the response that we requested."""
    call.response.move(ResponseInput.CREATED)
    call.response.response_id = event.response_id


def _send_cancel(call: "Call") -> None:
    response = call.response
    response.settle()
    response.cancel_event_id = call.event_id("cancel")
    call.effects.append(CancelResponse(response.cancel_event_id, response.response_id))


def cancel_response(call: "Call", event: Event) -> None:
    """Cancel our response, by its id where it has begun; whatever comes of it from now on is dropped."""
    call.response.move(ResponseInput.CANCELLED)
    call.response.cancelled_at = event.at
    _send_cancel(call)


def cancel_begun_response(call: "Call", event: ResponseCreated) -> None:
    """Cancel, by the id that it has now, a response that began after its cancel."""
    adopt_response(call, event)
    _send_cancel(call)


def cancel_foreign(call: "Call", event: ResponseCreated | AudioDelta) -> None:
    """Drop and cancel, once, a response that we did not request or that we gave up before it began."""
    call.response.settled_ids.append(event.response_id)
    call.effects.append(Count("foreign_response"))
    call.tell_realtime(CancelResponse(call.event_id("foreign"), event.response_id))


def response_over(call: "Call", _event: Event) -> None:
    """Nothing is being generated any more."""
    call.response.move(ResponseInput.OVER)
    call.response.settle()


def block_request(call: "Call", _event: RealtimeError) -> None:
    """Wait for the end of the response that stands in the way."""
    call.response.move(ResponseInput.REFUSED)


def count_failure(call: "Call", _event: Event) -> None:
    """Count that what was owed came to nothing."""
    call.response.failures += 1


def owe_greeting(call: "Call", _event: Event) -> None:
    """The greeting stays owed: the caller has heard nothing of it."""
    call.response.owe(OwedInput.GREETING_UNHEARD)


def owe_reply(call: "Call", _event: Event) -> None:
    """The reply is owed again."""
    call.response.owe(OwedInput.REPLY_UNHEARD)


def delete_unheard_items(call: "Call", event: Event) -> None:
    """Delete what the ended response left in the conversation and the caller never heard."""
    left = event.item_ids if isinstance(event, ResponseDone) else call.left_items
    heard = {item.item_id for item in call.cut if item.heard}
    for item_id in dict.fromkeys([*(item.item_id for item in call.cut), *left]):
        if item_id not in heard:
            call.tell_realtime(DeleteItem(item_id))
    call.cut.clear()
    call.left_items = ()


def note_left_items(call: "Call", event: ResponseDone) -> None:
    """Remember what the ended response left in the conversation: the caller may hear it yet."""
    call.left_items = event.item_ids


def fail_call(call: "Call", _event: Event) -> None:
    """Let the call end, with an apology: the reply failed twice."""
    call.end_reason = "reply_failed"


def end_for_quota(call: "Call", _event: Event) -> None:
    """Let the call end, with an apology: the account's quota is exhausted."""
    call.end_reason = QUOTA_EXHAUSTED


def note_stray_response(call: "Call", _event: Event) -> None:
    """Count an event of a response that is over, cancelled or not ours."""
    call.effects.append(Count("stray_response"))


def note_other_over(call: "Call", event: ResponseDone) -> None:
    """Note when a response ended that is not the one in flight."""
    call.response.other_over_at = event.at


def note_error(call: "Call", event: RealtimeError) -> None:
    """Count an error that changes nothing."""
    call.effects.append(Count(f"realtime_error:{event.code or 'none'}"))


# Deadlines


def request_deadline(call: "Call") -> float:
    """The first audio, or the end of what blocks the request, within reply_timeout_ms of the request."""
    if call.response.phase is ResponsePhase.NONE:
        return math.inf
    return call.response.requested_at + call.config.turn.reply_timeout_ms / 1000


def cancel_deadline(call: "Call") -> float:
    """The end of the response within cancel_timeout_ms of the cancel; at once where no session is there to answer."""
    if not call.is_ready:
        return call.response.cancelled_at
    return call.response.cancelled_at + call.config.turn.cancel_timeout_ms / 1000


# Rows
# fmt: off
UNASKED = (
    T(ResponseCreated, None, (is_known_response,), (note_stray_response,)),
    T(ResponseCreated, None, (),                   (cancel_foreign,)),
)
UNASKED_AUDIO = (
    T(AudioDelta,      None, (is_known_response,), (note_stray_response,)),
    T(AudioDelta,      None, (),                   (cancel_foreign,)),
)
STRAY_DONE = (
    T(ResponseDone,    None, (),                   (note_stray_response, note_other_over)),
)
OTHER_ERRORS = (
    T(RealtimeError,   None, (is_commit_refused,), (forget_refused_commit,)),
    T(RealtimeError,   None, (),                   (note_error,)),
)
# fmt: on
