"""The journal's lines, and the thread that writes them."""

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from callfsm.audit import journal as journal_module
from callfsm.audit.journal import Journal, JournalWriter, line_of
from callfsm.events import EVENTS, AudioDelta, CallEnded, ReplyTranscript, ResponseDone, RmsFrame
from callfsm.states.base import State

LINES = [
    ("frame", RmsFrame(1.5, 80.0, "secret"), {"at": 1.5, "event": "RmsFrame", "rms": 80.0}),
    ("audio", AudioDelta(2.0, "r", "i", b"12345678"),
     {"at": 2.0, "event": "AudioDelta", "response_id": "r", "item_id": "i", "audio_bytes": 8}),
    ("voice", RmsFrame(1.5, 800.0, "secret", 0.62), {"at": 1.5, "event": "RmsFrame", "rms": 800.0, "voicing": 0.62}),
    ("levels", AudioDelta(2.0, "r", "i", b"12345678", (300,)),
     {"at": 2.0, "event": "AudioDelta", "response_id": "r", "item_id": "i", "levels_rms": (300,), "audio_bytes": 8}),
    ("words as they come", ReplyTranscript(2.5, "r", "so", is_whole=False),
     {"at": 2.5, "event": "ReplyTranscript", "response_id": "r", "transcript": "so", "is_whole": False}),
    ("words", ReplyTranscript(2.5, "r", "so far"),
     {"at": 2.5, "event": "ReplyTranscript", "response_id": "r", "transcript": "so far"}),
    ("done without items", ResponseDone(3.0, None, None, "cancelled"),
     {"at": 3.0, "event": "ResponseDone", "response_id": None, "turn": None, "status": "cancelled"}),
    ("done", ResponseDone(3.0, "r", 1, "completed", ("i",)),
     {"at": 3.0, "event": "ResponseDone", "response_id": "r", "turn": 1, "status": "completed", "item_ids": ("i",)}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "line"), [pytest.param(*c[1:], id=c[0]) for c in LINES])
def test_line_holds_all_of_an_event_but_its_audio_and_what_is_as_it_is_by_default(
    event: Any, line: dict[str, Any]
) -> None:
    assert line_of(event, State.LISTENING, State.LISTENING) == {**line, "state": "LISTENING"}


def test_line_of_a_change_names_both_states() -> None:
    line = line_of(CallEnded(1.0, "hangup"), State.LISTENING, State.ENDED)

    assert line == {"at": 1.0, "event": "CallEnded", "reason": "hangup", "state": "LISTENING", "to": "ENDED"}


def test_every_event_has_its_own_name() -> None:
    assert len({event.__name__ for event in EVENTS}) == len(EVENTS)


def read(journal: Journal) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.path.read_text(encoding="utf-8").splitlines()]


def test_journal_has_a_header_its_events_and_an_end(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "new")
    journal = writer.open("20261122T000000Z", "CA1")
    journal.begin({"call_sid": "CA1"})
    journal.record(RmsFrame(1.0, 80.0), State.CALIBRATING, State.CALIBRATING)
    journal.end({"reason": "hangup"})
    writer.close()

    assert journal.path.name == "20261122T000000Z-CA1.jsonl"
    assert read(journal) == [
        {"journal": 2, "call_sid": "CA1"},
        {"at": 1.0, "event": "RmsFrame", "rms": 80.0, "state": "CALIBRATING"},
        {"end": {"reason": "hangup"}},
    ]


def test_name_of_a_call_cannot_leave_the_directory(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    journal = writer.open("now", "../../etc/passwd" + "x" * 500)
    journal.begin({})
    writer.close()

    assert journal.path.parent == tmp_path
    assert len(journal.path.name) < 100


def test_calls_are_written_side_by_side(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    journals = [writer.open("now", f"CA{number}") for number in range(5)]
    for at in range(20):
        for journal in journals:
            journal.record(RmsFrame(float(at), 1.0), State.LISTENING, State.LISTENING)
    writer.close()

    assert [[line["at"] for line in read(journal)] for journal in journals] == [list(map(float, range(20)))] * 5


def test_directory_that_is_gone_loses_journals_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    writer = JournalWriter(folder)
    folder.rmdir()
    journal = writer.open("now", "CA1")
    journal.begin({})
    journal.end({})
    writer.close()

    assert writer.failed == 1


def test_stalled_disk_drops_lines_and_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING_LINES", 0)
    writer = JournalWriter(tmp_path)
    journal = writer.open("now", "CA1")
    for _ in range(1000):
        journal.record(RmsFrame(1.0, 1.0), State.LISTENING, State.LISTENING)
    writer.close()

    assert writer.dropped > 0


def test_full_disk_ends_when_there_is_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes five bytes of a line and no more; then there is room again, for this call and for the next."""
    real_write, room = os.write, [5]

    def write(descriptor: int, text: bytes) -> int:
        if not room:
            return real_write(descriptor, text)
        if room[0] == 0:
            room.clear()
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real_write(descriptor, text[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr("callfsm.audit.journal.os.write", write)
    writer = JournalWriter(tmp_path)
    torn, next_one = writer.open("now", "CA1"), writer.open("now", "CA2")
    torn.begin({"call_sid": "CA1"})
    while not writer.failed:
        threading.Event().wait(0.001)
    torn.end({"reason": "hangup"})
    next_one.begin({"call_sid": "CA2"})
    writer.close()

    assert torn.path.read_text(encoding="utf-8").split("\n") == ['{"jou', '{"end":{"reason":"hangup"}}', ""]
    assert read(next_one) == [{"journal": 2, "call_sid": "CA2"}]
