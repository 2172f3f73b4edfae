"""Whatever comes from OpenAI's side is an event, nothing, or malformed, and never a bug of ours."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import realtime
from pydantic import BaseModel

from callfsm.audit.journal import line_of
from callfsm.audit.lines import entry_of, values_of
from callfsm.config_checks import REDACTABLE
from callfsm.events import EVENTS as EVENT_CLASSES
from callfsm.states.base import State
from callfsm.wire.malformed import MalformedError
from callfsm.wire.realtime import SessionUpdated, decode
from callfsm.wire.redaction import Redaction
from tests.wire.test_realtime import AT, EVENTS

EXAMPLES = 300
EMPTY: list[Any] = [None, {}, [], "", 0, True, [None], [{}], {"id": None}, {"id": "r"}]
bounded = settings(max_examples=EXAMPLES, deadline=None)
SERVER_EVENT: Any = vars(realtime)["RealtimeServerEvent"]
MODELS: tuple[type[BaseModel], ...] = get_args(get_args(SERVER_EVENT)[0])
OLD_NAMES = [
    "response.audio.delta", "response.audio_transcript.delta", "response.audio_transcript.done", "response.cancelled",
]  # fmt: skip
NAMES: dict[str, list[str]] = {
    name: sorted(set(model.model_fields) - {"type"})
    for model in MODELS
    for name in get_args(model.__annotations__["type"])
}
"""Every event of the API's own models, and its fields."""
KINDS = [*NAMES, *OLD_NAMES, "response.sung"]
ANY_FIELD = sorted({field for fields in NAMES.values() for field in fields} | {"metadata", "status_details", "code"})

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)
    | st.sampled_from(["", "/w==", "r1", "1", "050-1234567", "dana@example.com", "4111 1111 1111 1111", "completed"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "turn", *ANY_FIELD]), inner, max_size=4)
    ),
    max_leaves=8,
)


def read(text: str | bytes, redaction: Redaction | None = None) -> object:
    """What a message is; MALFORMED where it is none. An event can be written into a journal, and read there."""
    try:
        event = decode(text, AT, redaction)
    except MalformedError as error:
        assert error.place.startswith("realtime ")  # noqa: PT017 - both outcomes are right
        return MalformedError
    assert event is None or isinstance(event, (SessionUpdated, *EVENT_CLASSES))
    if isinstance(event, EVENT_CLASSES):
        line = msgspec.json.encode(line_of(event, State.LISTENING, State.LISTENING))
        assert type(entry_of(values_of(line), 0.0)[0]) is type(event)
    return type(event)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, its own first."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*path, key))


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The same value with another one in one place."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(value[path[0]], path[1:], new)
    return copy


@bounded
@given(JSON, st.booleans())
def test_any_json_is_read_or_malformed(value: Any, is_text: bool) -> None:
    text = json.dumps(value)

    read(text if is_text else text.encode())


@bounded
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(ANY_FIELD), JSON, max_size=6))
def test_any_fields_of_every_event_are_read_or_malformed(kind: str, fields: dict[str, Any]) -> None:
    text = json.dumps({"type": kind, **fields})

    plain, redacted = read(text), read(text, Redaction(REDACTABLE))

    assert redacted in {plain, type(None)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_is_read_or_malformed_with_nothing_and_with_null_everywhere(kind: str) -> None:
    fields = NAMES.get(kind, ANY_FIELD)

    for value in EMPTY:
        read(json.dumps({"type": kind, **dict.fromkeys(fields, value)}))
    read(json.dumps({"type": kind}))


@bounded
@given(st.sampled_from(EVENTS), st.data(), JSON)
def test_event_that_is_wrong_in_one_place_is_read_or_malformed(
    case: tuple[str, dict[str, Any], object], data: st.DataObject, new: Any
) -> None:
    message = {"type": case[0], "event_id": "ev", **case[1]}
    path = data.draw(st.sampled_from(list(places(message))))

    read(json.dumps(with_value(message, path, new)), Redaction(REDACTABLE))


@bounded
@given(st.sampled_from(EVENTS), st.integers(0, 400), st.binary(max_size=3))
def test_event_that_is_cut_or_spoilt_is_read_or_malformed(
    case: tuple[str, dict[str, Any], object], at: int, spoilt: bytes
) -> None:
    text = json.dumps({"type": case[0], **case[1]}, ensure_ascii=False).encode()

    read(text[:at] + spoilt + text[at + len(spoilt) :])
    read(text[:at])


NESTED = [
    ("in what is not looked into", '{"type":"response.created","x":%s,"response":{"id":"r"}}'),
    ("as the turn", '{"type":"response.created","response":{"id":"r","metadata":{"turn":%s}}}'),
    ("as the reason", '{"type":"response.done","response":{"id":"r","status_details":{"error":{"code":%s}}}}'),
    ("before the type", '{"x":%s,"type":"session.created"}'),
    ("behind a field of a wrong type", '{"item_id":3,"x":%s,"type":"session.created"}'),
]


@pytest.mark.parametrize("text", [pytest.param(c[1], id=c[0]) for c in NESTED])
def test_lists_within_lists_are_no_bug_however_many(text: str) -> None:
    for depth in (2, *range(850, 1010), 50_000):
        read(text % ("[" * depth + "]" * depth))

    assert read(text % ("[" * 50_000 + "]" * 50_000)) is MalformedError


@pytest.mark.parametrize(
    "text", [b'{"type":"\xed\xa0\x80"}', '{"type":"\ud800"}', '{"type":"\\ud800"}', b"\xff", "\ud800"]
)
def test_half_a_character_is_malformed(text: str | bytes) -> None:
    assert read(text) is MalformedError
