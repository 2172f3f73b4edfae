"""Effects to messages of the OpenAI Realtime protocol (GA)."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from callfsm.config import HANG_UP, TRANSFER, Business, RealtimeConfig
from callfsm.effects import (
    AnswerTool,
    AppendAudio,
    CancelResponse,
    ClearAudio,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    TruncateItem,
)
from callfsm.speaking.prompts import session_instructions

RealtimeEffect = (
    AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
    | CreateItem
    | AnswerTool
)

SESSION_EVENT_ID: Final = "session1"
_HANG_UP_WHEN: Final = "סיים את השיחה. קרא לפונקציה רק אחרי שהלקוח ביקש לסיים או שנפרדתם, ואמור שלום באותה תשובה."
_TRANSFER_WHEN: Final = "העבר את הלקוח לנציג אנושי. קרא לפונקציה כשהלקוח מבקש זאת, ואמור לו באותה תשובה שהוא מועבר."
_MULAW: Final = {"type": "audio/pcmu"}


def _tools(business: Business) -> list[dict[str, Any]]:
    """Return the functions that the assistant may call: its own, and the business's."""
    nothing = {"type": "object", "properties": {}}
    tools = [(HANG_UP, _HANG_UP_WHEN, nothing)]
    if business.transfer_number:
        tools.append((TRANSFER, _TRANSFER_WHEN, nothing))
    tools += [(tool.name, tool.description, tool.parameters) for tool in business.tool]
    return [
        {"type": "function", "name": name, "description": says, "parameters": takes} for name, says, takes in tools
    ]


def session_update(config: RealtimeConfig, business: Business, briefing: str) -> bytes:
    """Return the first message of a session.

    Turns are ours (`turn_detection: null`); transcription is on and left free to detect the language.
    """
    session = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": session_instructions(briefing),
        "max_output_tokens": config.max_output_tokens,
        "audio": {
            "input": {
                "format": _MULAW,
                "noise_reduction": None,
                "transcription": {"model": config.transcription_model},
                "turn_detection": None,
            },
            "output": {"format": _MULAW, "voice": config.voice},
        },
        "tools": _tools(business),
        "tool_choice": "auto",
    }
    return msgspec.json.encode({"type": "session.update", "event_id": SESSION_EVENT_ID, "session": session})


def _create_response(effect: CreateResponse) -> dict[str, Any]:
    response: dict[str, Any] = {"metadata": {"turn": str(effect.turn)}}
    if effect.instructions is not None:
        response["instructions"] = effect.instructions
    return {"type": "response.create", "event_id": effect.event_id, "response": response}


def _cancel_response(effect: CancelResponse) -> dict[str, Any]:
    message = {"type": "response.cancel", "event_id": effect.event_id}
    return message if effect.response_id is None else message | {"response_id": effect.response_id}


def _create_item(effect: CreateItem) -> dict[str, Any]:
    kind = "output_text" if effect.role == "assistant" else "input_text"
    content = [{"type": kind, "text": effect.text}]
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": effect.role, "content": content},
    }


def _answer_tool(effect: AnswerTool) -> dict[str, Any]:
    item = {"type": "function_call_output", "call_id": effect.call_id, "output": effect.output}
    return {"type": "conversation.item.create", "item": item}


def _truncate(effect: TruncateItem) -> dict[str, Any]:
    item = {"item_id": effect.item_id, "content_index": 0, "audio_end_ms": effect.audio_end_ms}
    return {"type": "conversation.item.truncate", **item}


_MESSAGE: Final[dict[type, Callable[[Any], dict[str, Any]]]] = {
    CommitAudio: lambda effect: {"type": "input_audio_buffer.commit", "event_id": effect.event_id},
    ClearAudio: lambda _: {"type": "input_audio_buffer.clear"},
    CreateResponse: _create_response,
    CancelResponse: _cancel_response,
    TruncateItem: _truncate,
    DeleteItem: lambda effect: {"type": "conversation.item.delete", "item_id": effect.item_id},
    CreateItem: _create_item,
    AnswerTool: _answer_tool,
}


def encode(effect: RealtimeEffect) -> bytes:
    """Return the JSON text of an effect."""
    if isinstance(effect, AppendAudio):
        return b'{"type":"input_audio_buffer.append","audio":"' + effect.payload.encode() + b'"}'
    return msgspec.json.encode(_MESSAGE[type(effect)](effect))
