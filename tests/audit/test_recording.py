"""Reading journals: whole ones, torn ones, and files that are none; and running their calls again."""

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from callfsm.audit.journal import line_of
from callfsm.audit.recording import Entry, JournalError, Recording, read_journal, run
from callfsm.config import Config, GateConfig
from callfsm.effects import INFO, WARNING, Effect, Log
from callfsm.events import CallEnded, RmsFrame, TimerFired
from callfsm.states.base import State
from tests.audit.recorded import (
    HEADER,
    Line,
    answered,
    barged_in,
    continued,
    end_of,
    gone_on,
    header_of,
    noisy,
    whispered,
    write,
)
from tests.calls import GREETING_BUSINESS, SILENT_BUSINESS, audio

FRAME = line_of(RmsFrame(1.0, 80.0), State.CALIBRATING, State.CALIBRATING)
DELTA = {"at": 1.0, "event": "AudioDelta", "response_id": "r", "item_id": "i", "audio_bytes": 8, "state": "LISTENING"}
DONE = {
    "at": 1.0,
    "event": "ResponseDone",
    "response_id": "r",
    "turn": 1,
    "status": "s",
    "item_ids": [],
    "state": "LISTENING",
}


def why(path: Path) -> str:
    """What the error says of a file that is refused, behind the file's name."""
    with pytest.raises(JournalError) as error:
        read_journal(path)
    text = str(error.value)

    assert text.startswith(f"{path}, line ")
    assert "\n" not in text
    return text.removeprefix(f"{path}, ")


def bare(lines: list[Line]) -> list[Line]:
    """Lines without the states, and their values as JSON has them."""
    return [json.loads(json.dumps({key: line[key] for key in line if key not in {"state", "to"}})) for line in lines]


def test_journal_gives_back_its_events_and_states(tmp_path: Path) -> None:
    recording = read_journal(answered().write(tmp_path / "j"))

    first, last = recording.entries[0], recording.entries[-1]
    assert Entry(2, first.what, State.CALIBRATING, State.CALIBRATING) == first
    assert Entry(len(recording.entries) + 1, CallEnded(last.what.at, "hangup"), State.LISTENING, State.ENDED) == last  # type: ignore[union-attr]
    assert (recording.call_sid, recording.is_torn, recording.end) == ("CA1", False, end_of("hangup")["end"])


@pytest.mark.parametrize("made", [answered, barged_in, gone_on, continued, whispered, noisy])
def test_call_runs_again_as_it_was_recorded(tmp_path: Path, made: Any) -> None:
    call = made()
    steps = list(run(read_journal(call.write(tmp_path / "j"))))

    assert [step for step in steps if not step.is_as_recorded or step.error] == []
    assert [step.effects for step in steps if step.effects] != []
    again = [effect for step in steps for effect in step.effects if isinstance(effect, Log)]
    assert call.did(Log) == again


def test_call_runs_again_with_other_numbers(tmp_path: Path) -> None:
    recording = read_journal(barged_in().write(tmp_path / "j"))
    deaf = evolve(recording.config, gate=GateConfig(threshold_margin=2000.0, max_threshold=2000.0))

    assert {step.dest for step in run(recording, deaf)} == {State.CALIBRATING, State.WAITING_FOR_USER, State.ENDED}


def test_greeting_recording_is_as_long_as_it_was(tmp_path: Path) -> None:
    config = Config(business=(GREETING_BUSINESS,))
    path = write(tmp_path / "j", [header_of(config, greeting_clip_bytes=4000)])

    assert len(read_journal(path).begin().greeting_clip) == 4000


def test_greeting_recording_is_as_loud_as_it_was(tmp_path: Path) -> None:
    config = Config(business=(GREETING_BUSINESS,))
    path = write(tmp_path / "j", [header_of(config, greeting_clip_bytes=320, greeting_clip_levels_rms=[300, 0])])

    assert read_journal(path).begin().greeting_levels_rms == (300, 0)


@pytest.mark.parametrize("made", [gone_on, continued, whispered, noisy])
def test_what_a_line_leaves_out_is_as_it_is_by_default(tmp_path: Path, made: Any) -> None:
    call = made()
    events = [entry.what for entry in read_journal(call.write(tmp_path / "j")).entries]
    told = [line_of(event, State.ENDED, State.ENDED) for event in events if not isinstance(event, Log)]

    assert bare(call.lines) == bare(told)


def test_business_is_the_one_that_was_called(tmp_path: Path) -> None:
    config = Config(business=(SILENT_BUSINESS, evolve(GREETING_BUSINESS, number="+97231234567")))
    path = write(tmp_path / "j", [header_of(config, business="+97231234567")])

    assert read_journal(path).business.enable_greeting


def test_line_of_the_log_stays_in_its_place(tmp_path: Path) -> None:
    note = {"log": {"level": WARNING, "message": "[WIRE] twilio message: not text"}}
    path = write(tmp_path / "j", [HEADER, FRAME, note, FRAME, end_of("hangup")])

    step = list(run(read_journal(path)))[1]
    assert (None, (Log(WARNING, "[WIRE] twilio message: not text"),)) == (step.event, step.effects)
    assert step.is_as_recorded


def test_bug_ends_the_call_and_the_lines_of_the_log_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meets_a_bug(*_: object) -> list[Effect]:
        raise RuntimeError("no")

    note = {"log": {"level": WARNING, "message": "[BUG] The call is ended"}}
    path = write(tmp_path / "j", [HEADER, FRAME, note, FRAME, end_of("internal_error")])
    monkeypatch.setattr("callfsm.audit.recording.dispatch", meets_a_bug)

    steps = list(run(read_journal(path)))
    assert [2, 3] == [step.entry.line for step in steps]
    assert "no" == str(steps[0].error)


# Torn


def test_torn_line_is_left_out(tmp_path: Path) -> None:
    whole = answered().write(tmp_path / "j").read_bytes()
    torn = tmp_path / "torn"
    torn.write_bytes(whole[: whole.rindex(b'"hangup"')])

    recording = read_journal(torn)
    assert (True, None) == (recording.is_torn, recording.end)
    assert len(read_journal(tmp_path / "j").entries) == len(recording.entries)


def test_every_place_to_be_torn_at_is_read(tmp_path: Path) -> None:
    whole = b"".join(json.dumps(line).encode() + b"\n" for line in (HEADER, FRAME, DELTA, end_of("hangup")))
    header = len(json.dumps(HEADER))

    for length in range(header, len(whole) - 1):
        path = tmp_path / f"{length}"
        path.write_bytes(whole[:length])
        assert read_journal(path).is_torn


def test_last_line_needs_no_line_end(tmp_path: Path) -> None:
    path = answered().write(tmp_path / "j")
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    assert not read_journal(path).is_torn


def test_header_alone_is_a_call_of_which_nothing_is_known(tmp_path: Path) -> None:
    recording = read_journal(write(tmp_path / "j", [HEADER]))

    assert ((), True, 0.0) == (recording.entries, recording.is_torn, recording.started_at)
    assert [] == list(run(recording))


# Not a journal

FILES = [
    ("empty", b"", "line 1: is not the header of a journal of callfsm"),
    ("a line end", b"\n", "line 1: is not the header of a journal of callfsm"),
    ("text", b"hello", "line 1: is not JSON"),
    ("rubbish", bytes(range(256)) * 40, "line 1: is not JSON"),
    ("a number", b"5\n", "line 1: is not an object"),
    ("another file", b'{"a":1}\n', "line 1: is not the header of a journal of callfsm"),
    ("a version that is no number", b'{"journal":true}\n', "line 1: is not the header of a journal of callfsm"),
    ("an older version", b'{"journal":1}\n', "line 1: is of journal format 1; this version reads format 2"),
    ("a newer version", b'{"journal":3}\n', "line 1: is of journal format 3; this version reads format 2"),
    ("a header without a call", b'{"journal":2}\n', "line 1: the header has no business, call_sid, config, greeting_clip_bytes, greeting_clip_levels_rms, started"),
    ("lists without end", b"[" * 1_000_000 + b"\n", "line 1: is not JSON"),
    ("a number without end", b"1" * 1_000_000 + b"\n", "line 1: is not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "text"), [pytest.param(*c[1:], id=c[0]) for c in FILES])
def test_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)

    assert text == why(path)


def test_directory_is_refused(tmp_path: Path) -> None:
    assert "line 1: cannot be read (Is a directory)" == why(tmp_path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert "line 1: cannot be read (No such file or directory)" == why(tmp_path / "none")


HEADERS: list[tuple[Line, str]] = [
    ({"call_sid": 5}, "line 1: the header's call_sid is not of the right form"),
    ({"business": ["*"]}, "line 1: the header's business is not of the right form"),
    ({"started": None}, "line 1: the header's started is not of the right form"),
    ({"greeting_clip_bytes": True}, "line 1: the header's greeting_clip_bytes is not of the right form"),
    ({"greeting_clip_bytes": -1}, "line 1: the header's greeting_clip_bytes is not of the right form"),
    ({"greeting_clip_bytes": 10**18}, "line 1: the header's greeting_clip_bytes is not of the right form"),
    ({"greeting_clip_levels_rms": 5}, "line 1: the header's greeting_clip_levels_rms is not of the right form"),
    ({"greeting_clip_levels_rms": [5, 0.5]}, "line 1: the header's greeting_clip_levels_rms is not of the right form"),
    ({"config": "none"}, "line 1: the header's config is not of the right form"),
    ({"config": {"gate": {"volume": 3}}}, "line 1: its configuration is not one of this version: gate.volume: is not a key of the configuration"),
    ({"config": {"gate": 3}}, "line 1: its configuration is not one of this version: gate: is not of the right form"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "text"), HEADERS)
def test_header_of_another_form_is_refused(tmp_path: Path, values: Line, text: str) -> None:
    assert text == why(write(tmp_path / "j", [HEADER | values]))


LINES: list[tuple[str, Line, str]] = [
    ("no event", {"at": 1.0}, "its event is none that there is"),
    ("unknown event", FRAME | {"event": "Sneezed"}, "its event is none that there is"),
    ("event of another type", FRAME | {"event": ["RmsFrame"]}, "its event is none that there is"),
    ("internal event", {"at": 1.0, "event": "ReplyDue", "state": "LISTENING"}, "its event is none that there is"),
    ("no state", {"at": 1.0, "event": "RmsFrame", "rms": 1.0}, "its state is none that there is"),
    ("unknown state", FRAME | {"state": "ASLEEP"}, "its state is none that there is"),
    ("unknown state afterwards", FRAME | {"to": None}, "its to is none that there is"),
    ("loudness in words", FRAME | {"rms": "loud"}, "Expected `float`, got `str` - at `$.rms`"),
    ("loudness as a digit in quotes", FRAME | {"rms": "80"}, "Expected `float`, got `str` - at `$.rms`"),
    ("no loudness", FRAME | {"rms": None}, "Expected `float`, got `null` - at `$.rms`"),
    ("loudness true", FRAME | {"rms": True}, "Expected `float`, got `bool` - at `$.rms`"),
    ("loudness below nothing", FRAME | {"rms": -1.0}, "rms must be a number from 0 to 32768"),
    ("loudness beyond full scale", FRAME | {"rms": 1e300}, "rms must be a number from 0 to 32768"),
    ("no time", FRAME | {"at": None}, "Expected `float`, got `null` - at `$.at`"),
    ("time before the clock", FRAME | {"at": -1.0}, "at runs back in time"),
    ("an id that is a number", DELTA | {"item_id": 5}, "Expected `str`, got `int` - at `$.item_id`"),
    ("audio in words", DELTA | {"audio_bytes": "8"}, "audio_bytes must be a whole number from 1 to 268435456"),
    ("no audio", DELTA | {"audio_bytes": 0}, "audio_bytes must be a whole number from 1 to 268435456"),
    ("audio without end", DELTA | {"audio_bytes": 10**15}, "audio_bytes must be a whole number from 1 to 268435456"),
    ("levels in words", DELTA | {"levels_rms": "loud"}, "Expected `array`, got `str` - at `$.levels_rms`"),
    ("a level in half", DELTA | {"levels_rms": [0.5]}, "Expected `int`, got `float` - at `$.levels_rms[0]`"),
    ("a voice in words", FRAME | {"voicing": "yes"}, "Expected `float`, got `str` - at `$.voicing`"),
    ("a turn in half", DONE | {"turn": 1.5}, "Expected `int | null`, got `float` - at `$.turn`"),
    ("one item for items", DONE | {"item_ids": "i"}, "Expected `array`, got `str` - at `$.item_ids`"),
    ("a field too many", FRAME | {"volume": 3}, "RmsFrame has no volume"),
    ("a field too few", {"at": 1.0, "event": "RmsFrame", "state": "LISTENING"}, "Object missing required field `rms`"),
    ("a log line without words", {"log": {"level": INFO}}, "Object missing required field `message`"),
    ("a log line of another type", {"log": "hello"}, "Expected `object`, got `str`"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "text"), [pytest.param(*c[1:], id=c[0]) for c in LINES])
def test_line_that_is_no_event_is_refused(tmp_path: Path, line: Line, text: str) -> None:
    path = write(tmp_path / "j", [HEADER, FRAME, line, FRAME])

    assert f"line 3: is no event of this version: {text}" == why(path)


BEYOND: list[tuple[str, Line, str]] = [
    ("more than a whole voice", FRAME | {"voicing": 5.0}, "voicing must be a number from 0 to 1"),
    ("less than none", FRAME | {"voicing": -1.0}, "voicing must be a number from 0 to 1"),
    ("a level beyond full scale", DELTA | {"levels_rms": [10**18]}, "levels_rms must be numbers from 0 to 32768"),
    ("a level below nothing", DELTA | {"levels_rms": [-1]}, "levels_rms must be numbers from 0 to 32768"),
]


@pytest.mark.parametrize(("line", "text"), [pytest.param(*c[1:], id=c[0]) for c in BEYOND])
def test_number_that_cannot_be_is_refused(tmp_path: Path, line: Line, text: str) -> None:
    path = write(tmp_path / "j", [HEADER, FRAME, line, FRAME])

    assert f"line 3: is no event of this version: {text}" == why(path)


TEXTS = [
    ("not a number", json.dumps(FRAME | {"rms": float("nan")}).encode(), "line 3: is not JSON"),
    ("no time at all", json.dumps(FRAME | {"at": float("inf")}).encode(), "line 3: is not JSON"),
    ("a number too great", b'{"at":1e999}', "line 3: is not JSON"),
    ("not UTF-8", b'{"at":"\xff"}', "line 3: is not JSON"),
    ("half of a character", b'{"at":"\\ud800"}', "line 3: is not JSON"),
    ("torn and mended by nobody", b'{"at":1.0,"ev', "line 3: is not JSON"),
    ("nothing", b"", "line 3: is not JSON"),
    ("a huge line", b'{"at":"' + b"x" * 30_000_000 + b'"}', "line 3: is no event of this version: its event is none that there is"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "text"), [pytest.param(*c[1:], id=c[0]) for c in TEXTS])
def test_line_that_is_not_ours_is_refused(tmp_path: Path, line: bytes, text: str) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"\n".join([json.dumps(HEADER).encode(), json.dumps(FRAME).encode(), line, b""]))

    assert text == why(path)


def test_time_that_runs_back_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "j", [HEADER, FRAME, FRAME | {"at": 0.5}])

    assert "line 3: is no event of this version: at runs back in time" == why(path)


def test_timer_may_be_fed_a_moment_ahead_of_the_clock(tmp_path: Path) -> None:
    early = line_of(TimerFired(1.0004), State.CALIBRATING, State.CALIBRATING)

    assert 2 == len(read_journal(write(tmp_path / "j", [HEADER, early, FRAME])).entries)


@pytest.mark.parametrize("end", [None, "hangup", {}, {"reason": 5}])
def test_end_of_another_form_is_refused(tmp_path: Path, end: object) -> None:
    path = write(tmp_path / "j", [HEADER, FRAME, {"end": end}])

    assert "line 3: is no end of a call of this version" == why(path)


def test_nothing_stands_behind_the_end(tmp_path: Path) -> None:
    path = write(tmp_path / "j", [HEADER, end_of("hangup"), FRAME])

    assert "line 3: stands behind the end of the call" == why(path)


def test_audio_is_told_by_its_length(tmp_path: Path) -> None:
    recording: Recording = read_journal(write(tmp_path / "j", [HEADER, DELTA]))

    assert len(audio(1)) == len(recording.entries[0].what.audio)  # type: ignore[union-attr]
