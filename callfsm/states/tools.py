"""What the assistant may do beside speaking, and keys that the caller presses."""

import math
from typing import TYPE_CHECKING

from callfsm.config import HANG_UP, TRANSFER
from callfsm.effects import AnswerTool, CallTool, Count, CreateItem
from callfsm.events import DtmfReceived, Event, TimerFired, ToolAnswered, ToolCalled
from callfsm.speaking.response import Owed, OwedInput, ResponsePhase
from callfsm.states.base import Transition as T
from callfsm.states.transcripts import has_real_user

if TYPE_CHECKING:
    from callfsm.call import Call

UNKNOWN_TOOL = '{"error":"there is no such function"}'
TOO_MANY_TOOLS = '{"error":"too many functions are being asked"}'
TOOL_FAILED = '{"error":"the function did not answer in time"}'
STILL_TALKING = '{"error":"the caller is still talking, so the call goes on"}'
KEYS_PRESSED = "הלקוח הקיש במקלדת הטלפון: {digits}"

MOST_OPEN = 16
"""So many functions may be asked at once."""
MOST_DIGITS = 100
"""So many keys are kept, the newest."""

# Guards


def is_stray_tool(call: "Call", event: ToolCalled) -> bool:
    """The function is called by a response that is not the reply being generated, or is being asked already."""
    response = call.response
    is_current = response.phase is ResponsePhase.ACTIVE and response.response_id == event.response_id
    return not (is_current and response.kind is Owed.REPLY) or event.call_id in call.tools


def is_farewell(call: "Call", event: ToolCalled) -> bool:
    """The assistant hangs up, or transfers the caller to the number that is configured."""
    return event.name == HANG_UP or (event.name == TRANSFER and bool(call.business.transfer_number))


def _is_offered(call: "Call", event: ToolCalled) -> bool:
    return any(tool.name == event.name for tool in call.business.tool)


def is_own_tool(call: "Call", event: ToolCalled) -> bool:
    """The function is one of the business's, and not too many are being asked."""
    return len(call.tools) < MOST_OPEN and _is_offered(call, event)


def is_leaving(call: "Call", _event: Event) -> bool:
    """The assistant says goodbye, the caller says nothing and is owed nothing: the call ends when it has been heard."""
    turn = call.turn
    # A sound that was doubted, and not answered while the goodbye was heard to its end, keeps nobody on the line.
    is_silent = turn.open is None and all(utterance.is_doubted for utterance in turn.unsettled)
    return bool(call.farewell) and is_silent and call.response.owed is Owed.NOTHING


def has_bidden_farewell(call: "Call", _event: Event) -> bool:
    """The assistant has asked to hang up or to transfer the caller, and has not been let."""
    return bool(call.farewell)


def is_awaited_answer(call: "Call", event: ToolAnswered) -> bool:
    """The function has been called and has not been given up."""
    return event.call_id in call.tools


def is_awaiting_tool(call: "Call", _event: Event) -> bool:
    """A function has been called and has not answered."""
    return bool(call.tools)


def has_called_tool(call: "Call", _event: Event) -> bool:
    """The response called a function: that it says nothing is no failure."""
    return call.response.has_called_tool


def is_tool_overdue(call: "Call", event: TimerFired) -> bool:
    """A function has not answered in its time."""
    return bool(call.tools) and min(call.tools.values()) <= event.at


def are_digits_due(call: "Call", event: TimerFired) -> bool:
    """No key has been pressed for digits_pause_s since the last one."""
    return call.digits_deadline <= event.at


# Actions


def bid_farewell(call: "Call", event: ToolCalled) -> None:
    """Let the call end, or the caller be transferred, when what is being said has been heard."""
    call.response.has_called_tool = True
    call.farewell = event.name
    call.farewell_call_id = event.call_id


def stay(call: "Call", _event: Event) -> None:
    """The caller goes on talking: a goodbye that was being said is taken back."""
    if call.farewell:
        call.tell_realtime(AnswerTool(call.farewell_call_id, STILL_TALKING))
    call.farewell = call.farewell_call_id = ""


def leave(call: "Call", _event: Event) -> None:
    """The goodbye has been heard: the call ends."""
    call.end_reason = call.farewell


def call_tool(call: "Call", event: ToolCalled) -> None:
    """Ask the business's function; no reply is requested before it has answered or is given up."""
    call.response.has_called_tool = True
    timeout_s = next(tool.timeout_s for tool in call.business.tool if tool.name == event.name)
    call.tools[event.call_id] = event.at + timeout_s
    call.effects.append(CallTool(event.call_id, event.name, event.arguments))


def refuse_tool(call: "Call", event: ToolCalled) -> None:
    """Tell the model that there is no such function, or that too many are being asked; a reply is owed."""
    call.response.has_called_tool = True
    _answer(call, event.call_id, TOO_MANY_TOOLS if _is_offered(call, event) else UNKNOWN_TOOL)


def pass_answer(call: "Call", event: ToolAnswered) -> None:
    """Tell the model what the function gave back; a reply is owed."""
    del call.tools[event.call_id]
    _answer(call, event.call_id, event.output)


def give_tool_up(call: "Call", event: TimerFired) -> None:
    """Tell the model that the function failed, not the caller; a reply is owed."""
    call_id = next(call_id for call_id, deadline in call.tools.items() if deadline <= event.at)
    del call.tools[call_id]
    _answer(call, call_id, TOOL_FAILED)


def forget_tools(call: "Call", _event: Event) -> None:
    """Forget what the model wanted done: the session that asked is gone, and the model will ask again."""
    call.tools.clear()
    call.farewell = call.farewell_call_id = ""


def _answer(call: "Call", call_id: str, output: str) -> None:
    call.tell_realtime(AnswerTool(call_id, output))
    call.response.owe(OwedInput.ACCEPTED)


def gather_digit(call: "Call", event: DtmfReceived) -> None:
    """Keep the key that was pressed until no other follows."""
    call.digits = (call.digits + event.digit)[-MOST_DIGITS:]
    call.digits_deadline = event.at + call.config.limits.digits_pause_s


def tell_digits(call: "Call", _event: Event) -> None:
    """Tell the model which keys were pressed."""
    text = KEYS_PRESSED.format(digits=call.digits)
    call.tell_history("user", text)
    call.tell_realtime(CreateItem("user", text))
    call.digits = ""
    call.digits_deadline = math.inf


def owe_answer(call: "Call", _event: Event) -> None:
    """A reply to what was pressed is owed."""
    call.response.owe(OwedInput.ACCEPTED)


def note_stray_tool(call: "Call", _event: Event) -> None:
    """Count a function call or an answer that nobody waits for."""
    call.effects.append(Count("stray_tool"))


# Rows
# fmt: off
DIGITS = (
    T(DtmfReceived, None, (),                               (gather_digit,)),
)
DIGITS_BEFORE_SPEECH = (
    T(TimerFired,   None, (are_digits_due,),                (tell_digits,)),
)
DIGITS_ASIDE = (
    T(TimerFired,   None, (are_digits_due, has_real_user),  (tell_digits, owe_answer)),
    T(TimerFired,   None, (are_digits_due,),                (tell_digits,)),
)
TOOLS = (
    T(ToolCalled,   None, (is_stray_tool,),                 (note_stray_tool,)),
    T(ToolCalled,   None, (is_farewell,),                   (bid_farewell,)),
    T(ToolCalled,   None, (is_own_tool,),                   (call_tool,)),
    T(ToolCalled,   None, (),                               (refuse_tool,)),
)
ANSWERS = (
    T(ToolAnswered, None, (is_awaited_answer,),             (pass_answer,)),
    T(ToolAnswered, None, (),                               (note_stray_tool,)),
)
TOOL_OVERDUE = (
    T(TimerFired,   None, (is_tool_overdue,),               (give_tool_up,)),
)
# fmt: on
