"""The Realtime protocol: what comes in, in its GA and its older names, and what goes out."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from callfsm.config import Business, RealtimeConfig, Tool
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
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    RealtimeError,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.wire.malformed import MalformedError
from callfsm.wire.realtime import (
    MOST_ARGUMENTS,
    MOST_NAME,
    MOST_WORDS,
    ODD_CODE,
    SessionUpdated,
    UnknownEventError,
    decode,
)
from callfsm.wire.realtime_out import RealtimeEffect, encode, session_update

AT = 7.5
TRANSCRIPTION = "conversation.item.input_audio_transcription"
NOT_ACTIVE = "response_cancel_not_active"
BUSY = "conversation_already_has_active_response"


def audio_session(given: str, taken: str) -> dict[str, Any]:
    return {"audio": {"input": {"format": {"type": given}}, "output": {"format": {"type": taken}}}}


SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}}
LOOKUP = Tool(name="lookup", description="…", url="https://x.example/lookup", parameters=SCHEMA)
BAKERY = Business(name="מאפייה", transfer_number="+97239999999", tool=(LOOKUP,))

SILENCE, LOUDEST = b"\xff", b"\x00"
"""Mu-law of 0 and of -32124: half of one and half of the other are 22715 RMS."""

# fmt: off
EVENTS = [
    ("session.updated", {"session": audio_session("audio/pcmu", "audio/pcmu")}, SessionUpdated(is_mulaw=True)),
    ("session.updated", {"session": audio_session("audio/pcmu", "audio/pcm")}, SessionUpdated(is_mulaw=False)),
    ("session.updated", {"session": {}}, SessionUpdated(is_mulaw=True)),
    ("input_audio_buffer.committed", {"item_id": "i1", "previous_item_id": None}, AudioCommitted(AT, "i1")),
    (f"{TRANSCRIPTION}.completed", {"item_id": "i1", "content_index": 0, "transcript": "שלום", "usage": {}},
     TranscriptCompleted(AT, "i1", "שלום")),
    (f"{TRANSCRIPTION}.failed", {"item_id": "i1", "content_index": 0, "error": {"code": "x"}}, TranscriptFailed(AT, "i1", "x")),
    (f"{TRANSCRIPTION}.failed", {"item_id": "i1"}, TranscriptFailed(AT, "i1")),
    (f"{TRANSCRIPTION}.delta", {"item_id": "i1", "delta": "ש"}, None),
    ("response.created", {"response": {"id": "r1", "metadata": {"turn": "7"}}}, ResponseCreated(AT, "r1", 7)),
    ("response.created", {"response": {"id": "r1", "metadata": None}}, ResponseCreated(AT, "r1", None)),
    ("response.created", {"response": {"id": "r1", "metadata": {"turn": "seven"}}}, ResponseCreated(AT, "r1", None)),
    ("response.output_audio.delta", {"response_id": "r1", "item_id": "a1", "delta": "/wA="}, AudioDelta(AT, "r1", "a1", b"\xff\x00", (22715,))),
    ("response.audio.delta", {"response_id": "r1", "item_id": "a1", "delta": "/wA="}, AudioDelta(AT, "r1", "a1", b"\xff\x00", (22715,))),
    ("response.output_audio.delta", {"response_id": "r1", "item_id": "a1", "delta": ""}, None),
    ("response.output_audio_transcript.done", {"response_id": "r1", "transcript": "כן"}, ReplyTranscript(AT, "r1", "כן")),
    ("response.audio_transcript.done", {"response_id": "r1", "transcript": "כן"}, ReplyTranscript(AT, "r1", "כן")),
    ("response.output_audio_transcript.delta", {"response_id": "r1", "item_id": "a1", "delta": "כ"}, ReplyTranscript(AT, "r1", "כ", is_whole=False)),
    ("response.audio_transcript.delta", {"response_id": "r1", "delta": " ן"}, ReplyTranscript(AT, "r1", " ן", is_whole=False)),
    ("response.output_audio_transcript.delta", {"response_id": "r1", "delta": ""}, None),
    ("response.done", {"response": {"id": "r1", "status": "completed", "metadata": {"turn": "2"}, "output": [{"id": "a1"}]}},
     ResponseDone(AT, "r1", 2, "completed", ("a1",))),
    ("response.done", {"response": {"id": "r1", "output": [{"id": "a1", "type": None}, {"id": "f1", "type": "function_call"}]}},
     ResponseDone(AT, "r1", None, "completed", ("a1",))),
    ("response.done", {"response": {"id": "r1", "status": "failed", "status_details": None, "output": None}},
     ResponseDone(AT, "r1", None, "failed")),
    ("response.function_call_arguments.done",
     {"response_id": "r1", "item_id": "f1", "output_index": 0, "call_id": "c1", "name": "lookup", "arguments": "{}"},
     ToolCalled(AT, "r1", "c1", "lookup", "{}")),
    ("response.cancelled", {}, ResponseDone(AT, None, None, "cancelled")),
    ("response.cancelled", {"response": {"id": "r1"}}, ResponseDone(AT, "r1", None, "cancelled")),
    ("error", {"error": {"type": "invalid_request_error", "code": NOT_ACTIVE, "message": "…", "event_id": "cx7"}},
     RealtimeError(AT, NOT_ACTIVE, "cx7")),
    ("error", {"error": {"type": "invalid_request_error", "code": None, "message": "Cancellation failed: no active response found"}},
     RealtimeError(AT, NOT_ACTIVE, None)),
    ("error", {"error": {"type": BUSY, "code": None, "message": "…"}}, RealtimeError(AT, BUSY, None)),
    ("error", {"error": {"type": "x", "code": "a text, not a code\n", "message": "…"}}, RealtimeError(AT, ODD_CODE, None)),
    ("response.done", {"response": {"id": "r1", "status": "failed", "status_details": {"error": {"code": "insufficient_quota"}}}},
     ResponseDone(AT, "r1", None, "failed", (), "insufficient_quota")),
    ("response.done", {"response": {"id": "r1", "status": "failed", "status_details": {"error": {"type": "server_error"}}}},
     ResponseDone(AT, "r1", None, "failed", (), "server_error")),
    ("response.done", {"response": {"id": "r1", "status": "failed", "status_details": "odd"}}, ResponseDone(AT, "r1", None, "failed")),
    ("response.done", {"response": {"id": "r1", "status": "failed", "status_details": {"error": []}}}, ResponseDone(AT, "r1", None, "failed")),
    ("error", {"error": {"message": "Audio content of 3700ms is already shorter than 3760ms"}}, RealtimeError(AT, "", None)),
    ("error", {}, RealtimeError(AT, "", None)),
    ("session.created", {"session": {"id": "s"}}, None),
    ("rate_limits.updated", {"rate_limits": []}, None),
    ("conversation.item.created", {"item": {"id": "i"}}, None),
    ("response.output_text.delta", {"delta": "text"}, None),
]
MALFORMED = [
    ("no json", "{"), ("array", "[]"), ("no type", "{}"), ("wrong type", '{"type":3}'),
    ("no response", '{"type":"response.created"}'), ("no id", '{"type":"response.created","response":{}}'),
    ("no item", '{"type":"input_audio_buffer.committed","item_id":""}'),
    ("transcript of a wrong type", f'{{"type":"{TRANSCRIPTION}.completed","item_id":"i","transcript":["secret"]}}'),
    ("bad base64", '{"type":"response.output_audio.delta","response_id":"r","item_id":"a","delta":"secret"}'),
    ("function without a name", '{"type":"response.function_call_arguments.done","response_id":"r","call_id":"c"}'),
    ("words of nothing", '{"type":"response.output_audio_transcript.delta","delta":"secret"}'),
    ("audio of nothing", '{"type":"response.output_audio.delta","item_id":"a","delta":"/w=="}'),
]
LEVELS = [
    ("one frame", SILENCE * 160, (0,)),
    ("a frame and a quarter", LOUDEST * 160 + SILENCE * 40, (32124, 0)),
    ("each its own", LOUDEST * 80 + SILENCE * 80 + SILENCE * 160, (22715, 0)),
    ("half of the rest", LOUDEST * 10 + SILENCE * 10, (22715,)),
]
SENT = [
    (AppendAudio("/w=="), {"type": "input_audio_buffer.append", "audio": "/w=="}),
    (CommitAudio("commit1"), {"type": "input_audio_buffer.commit", "event_id": "commit1"}),
    (ClearAudio(), {"type": "input_audio_buffer.clear"}),
    (CreateResponse("create1", 3), {"type": "response.create", "event_id": "create1", "response": {"metadata": {"turn": "3"}}}),
    (CreateResponse("create1", 3, "בעברית"),
     {"type": "response.create", "event_id": "create1", "response": {"metadata": {"turn": "3"}, "instructions": "בעברית"}}),
    (CancelResponse("cancel1", "r1"), {"type": "response.cancel", "event_id": "cancel1", "response_id": "r1"}),
    (CancelResponse("cancel1", None), {"type": "response.cancel", "event_id": "cancel1"}),
    (TruncateItem("a1", 1200), {"type": "conversation.item.truncate", "item_id": "a1", "content_index": 0, "audio_end_ms": 1200}),
    (DeleteItem("i1"), {"type": "conversation.item.delete", "item_id": "i1"}),
    (AnswerTool("c1", '{"a":1}'), {"type": "conversation.item.create", "item": {
        "type": "function_call_output", "call_id": "c1", "output": '{"a":1}'}}),
    (CreateItem("user", "שלום"), {"type": "conversation.item.create", "item": {
        "type": "message", "role": "user", "content": [{"type": "input_text", "text": "שלום"}]}}),
    (CreateItem("assistant", "כן"), {"type": "conversation.item.create", "item": {
        "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "כן"}]}}),
]
# fmt: on
_CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


@pytest.mark.parametrize(("kind", "fields", "expected"), EVENTS)
def test_event_is_read(kind: str, fields: dict[str, Any], expected: object) -> None:
    assert decode(json.dumps({"type": kind, "event_id": "ev", **fields}), AT) == expected


@pytest.mark.parametrize(("ulaw", "levels"), [pytest.param(*c[1:], id=c[0]) for c in LEVELS])
def test_speech_comes_with_the_loudness_of_each_20_ms(ulaw: bytes, levels: tuple[int, ...]) -> None:
    message = {"type": "response.output_audio.delta", "response_id": "r1", "item_id": "a1"}
    delta = base64.b64encode(ulaw).decode()

    assert decode(json.dumps(message | {"delta": delta}), AT) == AudioDelta(AT, "r1", "a1", ulaw, levels)


@pytest.mark.parametrize("text", [pytest.param(c[1], id=c[0]) for c in MALFORMED])
def test_malformed_event_is_named_without_its_content(text: str) -> None:
    with pytest.raises(MalformedError) as raised:
        decode(text, AT)

    assert raised.value.place.startswith("realtime ")
    assert "secret" not in raised.value.place


@pytest.mark.parametrize("text", ['{"type":"response.sung"}', '{"type":"response.sung","delta":{}}'])
def test_unknown_event_is_known_to_be_unknown(text: str) -> None:
    with pytest.raises(UnknownEventError):
        decode(text, AT)


@given(st.text() | st.binary())
def test_any_text_is_read_or_named(text: str | bytes) -> None:
    try:
        decode(text, AT)
    except MalformedError as error:
        assert error.place.startswith("realtime ")  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(("effect", "message"), SENT)
def test_effect_is_written_as_the_api_takes_it(effect: RealtimeEffect, message: dict[str, Any]) -> None:
    written = json.loads(encode(effect))

    assert written == message
    _CLIENT_EVENT.validate_python(written)


def test_session_is_set_up_as_the_api_takes_it() -> None:
    config = RealtimeConfig(model="m", voice="cedar", transcription_model="t", max_output_tokens="inf")
    written = json.loads(session_update(config, BAKERY, "שם העסק: מאפייה\nענה בקצרה."))
    session = written["session"]

    _CLIENT_EVENT.validate_python(written)
    assert session["audio"] == {
        "input": {
            "format": {"type": "audio/pcmu"},
            "noise_reduction": None,
            "transcription": {"model": "t"},
            "turn_detection": None,
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "cedar"},
    }
    assert [tool["name"] for tool in session["tools"]] == ["hang_up", "transfer_call", "lookup"]
    assert session["tools"][2]["parameters"] == SCHEMA
    assert session["tool_choice"] == "auto"
    assert session["max_output_tokens"] == "inf"
    assert session["instructions"].startswith("שם העסק: מאפייה\nענה בקצרה.")


def test_assistant_of_a_business_without_more_can_hang_up() -> None:
    session = json.loads(session_update(RealtimeConfig(), Business(), "x"))["session"]

    assert [tool["name"] for tool in session["tools"]] == ["hang_up"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (f"{TRANSCRIPTION}.completed", {"item_id": "i1", "transcript": "א" * (MOST_WORDS + 1)}),
        ("response.output_audio_transcript.delta", {"response_id": "r1", "item_id": "a1", "delta": "a" * (MOST_WORDS + 1)}),
        ("response.output_audio_transcript.done", {"response_id": "r1", "item_id": "a1", "transcript": "a" * (MOST_WORDS + 1)}),
        ("response.function_call_arguments.done",
         {"response_id": "r1", "call_id": "c1", "name": "f", "arguments": "1" * (MOST_ARGUMENTS + 1)}),
        ("response.function_call_arguments.done", {"response_id": "r1", "call_id": "c" * (MOST_NAME + 1), "name": "f", "arguments": "{}"}),
        ("input_audio_buffer.committed", {"item_id": "i" * (MOST_NAME + 1)}),
        ("response.created", {"response": {"id": "r" * (MOST_NAME + 1)}}),
    ],
    ids=["transcript", "words", "all words", "arguments", "call id", "item id", "response id"],
)  # fmt: skip
def test_text_without_measure_is_malformed(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="too"):
        decode(json.dumps({"type": kind, "event_id": "ev", **fields}), AT)
