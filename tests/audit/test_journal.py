"""The journal's lines, and the thread that writes them."""

import fcntl
import gc
import json
import os
import queue
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from callfsm.audit import journal as journal_module
from callfsm.audit import losses as losses_module
from callfsm.audit.journal import Journal, JournalWriter, line_of
from callfsm.audit.journal_file import JournalFile
from callfsm.audit.losses import PAUSE_S, Losses
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


TIMEOUT_S = 20.0
FRAME = RmsFrame(1.0, 80.0)


class Lost(Counter[str]):
    """The lines that are lost, by the reason; another thread can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def tell(self, reason: str, lines: int) -> None:
        self[reason] += lines
        self._told.put(reason)

    def wait(self) -> str:
        return self._told.get(timeout=TIMEOUT_S)


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


def begun(writer: JournalWriter, call_sid: str = "CA1") -> Journal:
    """A journal with its header."""
    journal = writer.open("now", call_sid)
    journal.begin({"call_sid": call_sid})
    return journal


def frames(journal: Journal, count: int) -> None:
    for _ in range(count):
        journal.record(FRAME, State.LISTENING, State.LISTENING)


def until_written(writer: JournalWriter) -> None:
    while writer._done_lines < writer._queued_lines:
        pass


def is_begun(journal: Journal) -> bool:
    return journal.path.exists() and journal.path.stat().st_size > 0


@contextmanager
def stalled(writer: JournalWriter) -> Iterator[None]:
    """A disk that takes nothing for the length of the block: the file of a first journal is a pipe that is full."""
    journal = begun(writer, "PIPE")
    while not is_begun(journal):
        pass
    descriptor = writer._files[journal.path]._descriptor
    assert descriptor is not None
    kept = os.dup(descriptor)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.write(writing, b" " * 2**20)
    os.set_blocking(writing, True)
    os.dup2(writing, descriptor)
    frames(journal, 1)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        for number in (kept, writing, reading):
            os.close(number)


def test_name_of_a_call_cannot_leave_the_directory(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    journal = writer.open("now", "../../etc/passwd" + "x" * 500)
    journal.begin({})
    writer.close()

    assert journal.path.parent == tmp_path
    assert len(journal.path.name) < 100


def test_calls_are_written_side_by_side(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    journals = [begun(writer, f"CA{number}") for number in range(5)]
    for at in range(20):
        for journal in journals:
            journal.record(RmsFrame(float(at), 1.0), State.LISTENING, State.LISTENING)
    writer.close()

    assert [[line["at"] for line in read(journal)[1:]] for journal in journals] == [list(map(float, range(20)))] * 5


def test_nothing_comes_behind_the_end(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    journal = begun(writer)
    journal.end({"reason": "hangup"})
    frames(journal, 1)
    journal.note(20, "late")
    journal.end({"reason": "internal_error"})
    writer.close()

    assert [line["end"] for line in read(journal)[1:]] == [{"reason": "hangup"}]


def test_file_of_another_call_is_left_alone(tmp_path: Path) -> None:
    lost = Lost()
    writer = JournalWriter(tmp_path, lost.tell)
    path = writer.open("now", "CA1").path
    path.write_text("another's", encoding="utf-8")
    begun(writer).end({})
    writer.close()

    assert (path.read_text(encoding="utf-8"), lost) == ("another's", {"failed": 2})


def test_journal_of_a_live_call_is_locked(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    journal = begun(writer)
    while not is_begun(journal):
        pass
    with journal.path.open("rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        writer.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


# The folder is gone


def test_folder_that_is_gone_loses_journals_and_nothing_else(tmp_path: Path) -> None:
    folder, lost = tmp_path / "gone", Lost()
    writer = JournalWriter(folder, lost.tell)
    folder.rmdir()
    journal = begun(writer)
    lost.wait()
    folder.mkdir()
    frames(journal, 3)
    lost.wait()
    begun(writer, "CA2").end({"reason": "hangup"})
    writer.close()

    assert lost == {"failed": 1, "without_header": 3}
    assert [path.name for path in folder.iterdir()] == ["now-CA2.jsonl"]


def test_call_whose_header_was_lost_says_nothing_more_of_the_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside it other calls are written."""
    folder, lost = tmp_path / "gone", Lost()
    writer = JournalWriter(folder, lost.tell)
    folder.rmdir()
    journal = begun(writer)
    lost.wait()
    frames(journal, 1)
    lost.wait()
    folder.mkdir()
    other = begun(writer, "CA2")
    for _ in range(3):
        frames(other, 1)
        frames(journal, 1)
        lost.wait()
    writer.close()

    assert lost == {"failed": 1, "without_header": 4}
    assert caplog.messages == [
        "[JOURNAL] 1 lines are lost: No such file or directory",
        "[JOURNAL] Is written again",
    ]


def test_lines_of_a_file_that_was_deleted_are_lost(tmp_path: Path) -> None:
    lost = Lost()
    writer = JournalWriter(tmp_path, lost.tell)
    journal = begun(writer)
    while not is_begun(journal):
        pass
    journal.path.unlink()
    frames(journal, 3)
    journal.end({"reason": "hangup"})
    writer.close()

    assert lost == {"failed": 4}
    assert list(tmp_path.iterdir()) == []


# The disk is stalled


def test_stalled_disk_drops_lines_and_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING_BYTES", 2000)
    lost = Lost()
    writer = JournalWriter(tmp_path, lost.tell)
    live = begun(writer, "CA1")
    with stalled(writer):
        frames(live, 100)
        late = begun(writer, "CA2")
        frames(late, 5)
        late.end({"reason": "hangup"})
        live.end({"reason": "hangup"})
    writer.close()

    lines = read(live)
    assert lines[-1] == {"end": {"reason": "hangup"}}
    assert 0 < len(lines) - 2 < 20
    assert lost == {"stalled": 100 - (len(lines) - 2) + 1, "without_header": 6}
    assert not late.path.exists()


def test_what_waits_for_a_stalled_disk_holds_no_audio_and_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING_BYTES", 2**20)
    writer = JournalWriter(tmp_path)
    live = begun(writer, "CA1")
    with stalled(writer):
        gc.collect()
        tracemalloc.start()
        for _ in range(20):
            live.record(AudioDelta(2.0, "r", "i", bytes(5_000_000)), State.LISTENING, State.LISTENING)
        for _ in range(20_000):
            live.record(RmsFrame(1.0, 80.0, "x" * 216), State.LISTENING, State.LISTENING)
        waiting_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    writer.close()

    assert waiting_bytes < 1.5 * 2**20


def test_call_that_began_on_a_stalled_disk_is_no_news_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING_BYTES", 2000)
    monkeypatch.setattr(losses_module, "PAUSE_S", 0.0)
    lost = Lost()
    writer = JournalWriter(tmp_path, lost.tell)
    live = begun(writer, "CA1")
    with stalled(writer):
        frames(live, 100)
        late = begun(writer, "CA2")
    until_written(writer)
    for _ in range(3):
        frames(late, 1)
        frames(live, 1)
        until_written(writer)
    writer.close()

    assert lost["without_header"] == 3
    assert caplog.messages == [
        *["[JOURNAL] 1 lines are lost: the disk is stalled"] * lost["stalled"],
        "[JOURNAL] Is written again",
    ]


def test_thread_that_hangs_with_nothing_to_write_has_lost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "CLOSE_S", 0.1)
    hangs, goes_on, lost = threading.Event(), threading.Event(), Lost()

    def close(_: JournalFile) -> None:
        hangs.set()
        goes_on.wait(TIMEOUT_S)

    monkeypatch.setattr(JournalFile, "close", close)
    writer = JournalWriter(tmp_path, lost.tell)
    begun(writer).end({"reason": "hangup"})
    assert hangs.wait(TIMEOUT_S)
    until_written(writer)
    writer.close()
    is_hanging = writer._thread.is_alive()
    goes_on.set()
    writer._thread.join(TIMEOUT_S)

    assert is_hanging
    assert (lost, caplog.messages) == ({}, [])


def test_disk_that_stalls_to_the_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "CLOSE_S", 0.1)
    lost = Lost()
    writer = JournalWriter(tmp_path, lost.tell)
    live = begun(writer, "CA1")
    with stalled(writer):
        frames(live, 10)
        writer.close()
    writer._thread.join(TIMEOUT_S)

    assert lost["stalled"] >= 10


# The disk is full

FULL = """
import resource, sys
from pathlib import Path
from callfsm.audit.journal import JournalWriter
from callfsm.events import RmsFrame
from callfsm.states.base import State

limit_bytes, lost = int(sys.argv[2]), []
writer = JournalWriter(Path(sys.argv[1]), lambda reason, lines: lost.append((reason, lines)))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, -1))
journal = writer.open("now", "CA1")
journal.begin({"call_sid": "CA1"})
for number in range(100):
    journal.record(RmsFrame(float(number), 80.0), State.LISTENING, State.LISTENING)
while not lost:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
journal.record(RmsFrame(100.0, 80.0), State.LISTENING, State.LISTENING)
journal.end({"reason": "hangup"})
writer.close()
print(*(reason for reason, _ in lost), sum(lines for _, lines in lost))
"""


def fill(folder: Path, limit_bytes: int) -> tuple[list[str], str]:
    """Write a header, 100 frames and, once there is room again, one more and an end; return what was lost, and said."""
    command = [sys.executable, "-c", FULL, str(folder), str(limit_bytes)]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    return process.stdout.split(), process.stderr


def test_full_disk_loses_the_lines_that_it_does_not_take_whole(tmp_path: Path) -> None:
    (*reasons, lost), said = fill(tmp_path, 1000)
    (path,) = tmp_path.iterdir()
    header, *lines, last, end = map(json.loads, path.read_text(encoding="utf-8").splitlines())

    assert header["call_sid"] == "CA1"
    assert [line["at"] for line in lines] == [float(number) for number in range(len(lines))]
    assert (last["at"], end) == (100.0, {"end": {"reason": "hangup"}})
    assert (set(reasons), int(lost)) == ({"failed"}, 100 - len(lines))
    first, again = said.splitlines()
    assert first.endswith("lines are lost: File too large")
    assert again.startswith("[JOURNAL] Is written again")


def test_full_disk_that_does_not_take_a_header_leaves_no_file(tmp_path: Path) -> None:
    (*reasons, lost), _ = fill(tmp_path, 5)

    assert reasons[0] == "failed"
    assert (set(reasons) - {"without_header"}, int(lost)) == ({"failed"}, 103)
    assert list(tmp_path.iterdir()) == []


# What the log says


def test_losses_are_said_once_a_minute_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    lost, now = Lost(), [0.0]
    losses = Losses(lost.tell, lambda: now[0])
    for number in range(1000):
        now[0] = number * PAUSE_S / 500
        losses.lost("stalled", 2, "the disk is stalled")
    losses.written()
    losses.written()
    losses.lost("failed", 5, "No space left on device")
    losses.written()
    losses.say_the_rest()
    losses.say_the_rest()

    assert lost == {"stalled": 2000, "failed": 5}
    assert caplog.messages == [
        "[JOURNAL] 2 lines are lost: the disk is stalled",
        "[JOURNAL] 1000 lines are lost: the disk is stalled",
        "[JOURNAL] Is written again; 998 more lines were lost",
        "[JOURNAL] 5 lines are lost: No space left on device",
    ]
