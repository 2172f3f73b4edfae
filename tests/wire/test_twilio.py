"""Twilio's messages, both ways."""

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callfsm.effects import ClearPlayback, PlayAudio, SendMark
from callfsm.hearing.mulaw import FRAME_BYTES, SAMPLE_RATE_HZ, encode, rms
from callfsm.wire.malformed import MalformedError
from callfsm.wire.twilio import (
    VOICE_RMS,
    Connected,
    Dtmf,
    DtmfBody,
    Encoder,
    Framer,
    MarkBody,
    MarkEchoed,
    Media,
    MediaBody,
    Start,
    StartBody,
    Stop,
    UnknownMessageError,
    decode,
)

SILENCE = b"\xff" * FRAME_BYTES
START = {
    "event": "start", "sequenceNumber": "1", "streamSid": "MZ11",
    "start": {
        "accountSid": "AC11", "streamSid": "MZ11", "callSid": "CA11", "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t"},
    },
}  # fmt: skip
MESSAGES = [
    ("connected", {"event": "connected", "protocol": "Call", "version": "1.0.0"}, Connected()),
    ("start", START, Start("MZ11", StartBody("CA11", "AC11", custom_parameters={"token": "t"}), sequence_number="1")),
    ("start of an older Twilio", {"event": "start", "streamSid": "M", "start": {"callSid": "C"}},
     Start("M", StartBody("C"))),
    ("media", {"event": "media", "sequenceNumber": "2", "streamSid": "MZ11",
               "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": "//8="}},
     Media(MediaBody("//8=", "inbound"), stream_sid="MZ11", sequence_number="2")),
    ("mark", {"event": "mark", "sequenceNumber": "57", "streamSid": "MZ11", "mark": {"name": "i3:4"}},
     MarkEchoed(MarkBody("i3:4"), stream_sid="MZ11", sequence_number="57")),
    ("dtmf", {"event": "dtmf", "streamSid": "MZ11", "dtmf": {"track": "inbound_track", "digit": "1"}},
     Dtmf(DtmfBody("1"), stream_sid="MZ11")),
    ("stop", {"event": "stop", "streamSid": "MZ11", "stop": {"accountSid": "AC11", "callSid": "CA11"}}, Stop(stream_sid="MZ11")),
    ("a number that is none", {"event": "stop", "sequenceNumber": [{}]}, Stop(sequence_number=[{}])),
    ("a stream that is none", {"event": "stop", "streamSid": None}, Stop()),
    ("no sequence, and more", {"event": "mark", "mark": {"name": "\x00", "x": 1e300}, "y": [[[]]]},
     MarkEchoed(MarkBody("\x00"))),
]  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), [pytest.param(*c[1:], id=c[0]) for c in MESSAGES])
def test_message_is_read(message: dict[str, Any], expected: object) -> None:
    assert decode(json.dumps(message)) == expected


MALFORMED = [
    ("empty", ""),
    ("no json", "{"),
    ("array", "[]"),
    ("null", "null"),
    ("no event", '{"media":{}}'),
    ("event of a wrong type", '{"event":["media"]}'),
    ("no media", '{"event":"media"}'),
    ("payload of a wrong type", '{"event":"media","media":{"payload":["secret"]}}'),
    ("no call", '{"event":"start","streamSid":"M","start":{}}'),
    ("broken UTF-8", b'{"event":"\xff"}'),
    ("nested deeply", '{"event":"media","secret":' + "[" * 60_000),
    ("nested deeply, no event", '{"secret":' * 6_000),
    ("nested deeply, a start", '{"event":"start","start":{"customParameters":' * 2 + '{"secret":' * 6_000),
    ("half a pair, escaped", '{"event":"mark","mark":{"name":"secret\\ud800"}}'),
    ("half a pair", '{"event":"mark","mark":{"name":"secret\ud800"}}'),
    ("half a pair, and no event", '{"secret":"\ud800'),
    ("a character of no text", '{"event":"mark","mark":{"name":"secret\x00"}}'),
    ("a digit and a new line", '{"event":"dtmf","dtmf":{"digit":"1\\n"}}'),
    ("a number too large", '{"event":"stop","sequenceNumber":' + "9" * 5000 + "}"),
    ("no number", '{"event":"stop","sequenceNumber":NaN}'),
    ("stream of a wrong type", '{"event":"stop","streamSid":["secret"]}'),
]


@pytest.mark.parametrize("text", [pytest.param(c[1], id=c[0]) for c in MALFORMED])
def test_malformed_message_is_named_without_its_content(text: str | bytes) -> None:
    with pytest.raises(MalformedError) as raised:
        decode(text)

    assert raised.value.place.startswith("twilio ")
    assert "secret" not in raised.value.place


def test_unknown_message_is_known_to_be_unknown() -> None:
    with pytest.raises(UnknownMessageError):
        decode('{"event":"ring","secret":"x"}')


@given(st.text() | st.binary())
def test_any_text_is_read_or_named(text: str | bytes) -> None:
    try:
        decode(text)
    except MalformedError as error:
        assert error.place.startswith("twilio ")  # noqa: PT017 - both outcomes are right


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
KEYS = st.sampled_from(["event", "streamSid", "sequenceNumber", "start", "media", "mark", "dtmf", "stop", "more"])
INNER = st.sampled_from(["payload", "track", "name", "digit", "callSid", "mediaFormat", "customParameters", "more"])


@given(JSON)
def test_any_json_is_read_or_named(value: object) -> None:
    try:
        decode(json.dumps(value))
    except MalformedError as error:
        assert error.place.startswith("twilio ")  # noqa: PT017 - both outcomes are right


@given(
    st.sampled_from([message for _, message, _ in MESSAGES]),
    st.dictionaries(KEYS, JSON),
    st.dictionaries(INNER, JSON),
)
def test_message_with_anything_in_it_is_read_or_named(
    message: dict[str, Any], outer: dict[str, Any], inner: dict[str, Any]
) -> None:
    changed = {key: {**value, **inner} if isinstance(value, dict) else value for key, value in message.items()}
    try:
        read = decode(json.dumps({**changed, **outer}))
        list(Framer().frames(read.media.payload) if isinstance(read, Media) else [])
    except MalformedError as error:
        assert error.place.startswith("twilio ")  # noqa: PT017 - both outcomes are right


@given(
    st.sampled_from([json.dumps(message) for _, message, _ in MESSAGES]),
    st.integers(0, 300),
    st.integers(0, 9),
    st.text(),
)
def test_message_in_which_anything_is_cut_is_read_or_named(message: str, at: int, length: int, piece: str) -> None:
    try:
        decode(message[:at] + piece + message[at + length :])
    except MalformedError as error:
        assert error.place.startswith("twilio ")  # noqa: PT017 - both outcomes are right


def payload(ulaw: bytes) -> str:
    return base64.b64encode(ulaw).decode()


def test_frame_is_handed_on_as_it_came() -> None:
    ulaw = bytes(range(160))

    assert [frame[:2] for frame in Framer().frames(payload(ulaw))] == [(rms(ulaw), payload(ulaw))]


@given(st.lists(st.binary(max_size=500), max_size=20))
def test_line_is_cut_into_frames_without_loss(pieces: list[bytes]) -> None:
    framer = Framer()
    frames = [frame for piece in pieces for frame in framer.frames(payload(piece))]
    line = b"".join(pieces)
    whole = line[: len(line) - len(line) % FRAME_BYTES]

    assert b"".join(base64.b64decode(text) for _, text, _ in frames) == whole
    assert [level for level, _, _ in frames] == [
        rms(whole[i : i + FRAME_BYTES]) for i in range(0, len(whole), FRAME_BYTES)
    ]


def hum(amplitude: float, *, count: int = 1) -> list[bytes]:
    """Frames of a 200 Hz tone, mu-law; its RMS is 0.7 of its amplitude."""
    at = np.arange(FRAME_BYTES * count)
    ulaw = encode((amplitude * np.sin(2 * np.pi * 200 * at / SAMPLE_RATE_HZ)).astype(np.int16))
    return [ulaw[start : start + FRAME_BYTES] for start in range(0, len(ulaw), FRAME_BYTES)]


def voicing_of(pieces: list[bytes]) -> list[float]:
    framer = Framer()
    return [frame.voicing for piece in pieces for frame in framer.frames(payload(piece))]


def test_a_voice_is_told_from_a_click() -> None:
    click = SILENCE[:100] + b"\x00" + SILENCE[101:]
    [_, voice] = voicing_of(hum(1000.0, count=2))
    [_, no_voice] = voicing_of([SILENCE, click])

    assert voice > 0.9
    assert no_voice < 0.4


def test_how_voiced_a_frame_is_does_not_hang_on_how_the_line_was_cut() -> None:
    frames = hum(1000.0, count=4)
    line = b"".join(frames)

    assert voicing_of(frames) == voicing_of([line[:50], line[50:333], line[333:]])


def test_below_any_threshold_no_voice_is_looked_for() -> None:
    weak, strong = 0.9 * VOICE_RMS * math.sqrt(2), 1.1 * VOICE_RMS * math.sqrt(2)

    assert voicing_of(hum(weak, count=3)) == [0.0] * 3
    assert min(voicing_of(hum(strong, count=3))[1:]) > 0.9


def test_a_weak_frame_is_heard_all_the_same() -> None:
    """The second frame's voice began in the first, in which none was looked for."""
    weak, strong = hum(0.9 * VOICE_RMS * math.sqrt(2), count=2)[0], hum(1.3 * VOICE_RMS * math.sqrt(2), count=2)[1]

    assert voicing_of([weak, strong])[1] > voicing_of([strong])[0]


@pytest.mark.parametrize("text", ["*", "A", "AAA", "AA=A", "é", "AAAA\n"])
def test_payload_that_is_no_base64_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError, match="payload is not base64"):
        list(Framer().frames(text))


SENT = [
    ("media", PlayAudio(b"\xff\x00"), {"event": "media", "streamSid": 'M"1', "media": {"payload": "/wA="}}),
    ("mark", SendMark("m7"), {"event": "mark", "streamSid": 'M"1', "mark": {"name": "m7"}}),
    ("clear", ClearPlayback(), {"event": "clear", "streamSid": 'M"1'}),
]


@pytest.mark.parametrize(("effect", "message"), [pytest.param(*c[1:], id=c[0]) for c in SENT])
def test_effect_is_written(effect: PlayAudio | SendMark | ClearPlayback, message: dict[str, Any]) -> None:
    assert json.loads(Encoder('M"1').encode(effect)) == message
