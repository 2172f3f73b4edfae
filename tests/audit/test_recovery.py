"""Journals that broke off: those of a process that is gone are closed, and nothing else is touched."""

import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callfsm.audit.account.account import account_of
from callfsm.audit.journal import JournalWriter
from callfsm.audit.recording import read_journal
from callfsm.audit.recovery import MAX_LINE_BYTES, SHOWN, TAIL_BYTES, Recovery, close_aborted, recover
from callfsm.audit.replay.command import main as replay
from callfsm.audit.report.command import main as report
from callfsm.config import Config
from callfsm.states.base import State
from tests.audit.recorded import Line, answered, end_of, header_of, write

HEADER = header_of(Config())
FRAME = {"at": 1.0, "event": "RmsFrame", "rms": 80.0, "state": "CALIBRATING"}
MOVED = {"at": 2.0, "event": "CallEnded", "reason": "hangup", "state": "LISTENING", "to": "ENDED"}
NOTE = {"log": {"level": 30, "message": "[WIRE] twilio message: not text"}}
TIMEOUT_S = 20.0


def broken_off(path: Path, *lines: Line, torn: bytes = b"") -> Path:
    """A journal without an end, whose last line may have been cut off."""
    text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    path.write_bytes(text + torn)
    return path


def ends(path: Path) -> list[Any]:
    """What stands in the ends of a journal."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [line["end"] for line in lines if "end" in line]


# fmt: off
BROKEN_OFF = [
    # id                     lines                                 torn                          state          torn bytes
    ("behind an event",      (HEADER, FRAME),                      b"",                          "CALIBRATING", 0),
    ("behind a change",      (HEADER, FRAME, MOVED),               b"",                          "ENDED",       0),
    ("behind the header",    (HEADER,),                            b"",                          "CALIBRATING", 0),
    ("behind the shell's",   (HEADER, FRAME, MOVED, NOTE),         b"",                          "ENDED",       0),
    ("in an event",          (HEADER, FRAME),                      b'{"at":1.02,"event":"Rms',   "CALIBRATING", 23),
    ("in its end",           (HEADER, FRAME),                      b'{"end":{"reason":"hang',    "CALIBRATING", 22),
    ("lacks a line end",     (HEADER, FRAME),                      msgspec.json.encode(MOVED),   "ENDED",       0),
    ("in nothing",           (HEADER, FRAME),                      bytes(5000),                  "CALIBRATING", 5000),
    ("in lines of nothing",  (HEADER, FRAME),                      b"\0\0\n\0\0\n",              "CALIBRATING", 6),
    ("in a long line",       (HEADER, MOVED),                      b'{"at":"' + bytes(99_999),   "ENDED",       100_006),
    ("behind a long line",   (HEADER, MOVED, {"log": "x" * 99_999}), b"",                        "ENDED",       0),
    ("behind many lines",    (HEADER, MOVED, *[NOTE] * 999),       b"{",                         "ENDED",       1),
]
# fmt: on


@pytest.mark.parametrize(
    ("lines", "torn", "state", "torn_bytes"), [pytest.param(*c[1:], id=c[0]) for c in BROKEN_OFF]
)
def test_journal_that_broke_off_is_closed(
    tmp_path: Path, lines: tuple[Line, ...], torn: bytes, state: str, torn_bytes: int
) -> None:
    path = broken_off(tmp_path / "CA1.jsonl", *lines, torn=torn)
    before = path.read_bytes()
    closed: list[None] = []
    recover(tmp_path, lambda: closed.append(None))
    after = path.read_bytes()

    assert closed == [None]
    assert ends(path) == [{"reason": "aborted", "state": state, "counts": {}, "torn_bytes": torn_bytes}]
    assert after.startswith(before[: len(before) - torn_bytes])
    assert len(after.splitlines()) == len(before[: len(before) - torn_bytes].splitlines()) + 1


def test_second_look_finds_nothing_to_close(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = broken_off(tmp_path / "CA1.jsonl", HEADER, FRAME, torn=b"{")
    recover(tmp_path, lambda: None)
    closed = path.read_bytes()
    recover(tmp_path, lambda: None)

    assert path.read_bytes() == closed
    assert caplog.messages == ["[JOURNAL] 1 journals broke off and are now closed as aborted"]


FINISHED = [
    ("a call's end", b""),
    ("an end without a line end", b'{"end":{"reason":"hangup"}}'),
    ("a long end", msgspec.json.encode({"end": {"reason": "x" * 2 * TAIL_BYTES}}) + b"\n"),
]


@pytest.mark.parametrize("end", [pytest.param(end, id=name) for name, end in FINISHED])
def test_finished_journal_stays_as_it_is(tmp_path: Path, end: bytes) -> None:
    lines = [HEADER, FRAME] if end else [HEADER, FRAME, end_of("hangup")]
    path = broken_off(tmp_path / "CA1.jsonl", *lines, torn=end)
    before = path.read_bytes()

    assert not close_aborted(path)
    assert path.read_bytes() == before


def test_journal_that_a_live_process_writes_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = JournalWriter(tmp_path)
    live = writer.open("now", "CA1")
    live.begin(HEADER)
    while not live.path.exists() or not live.path.stat().st_size:
        pass
    recover(tmp_path, lambda: None)
    live.end({"reason": "hangup"})
    writer.close()

    assert ends(live.path) == [{"reason": "hangup"}]
    assert caplog.messages == []


def test_journal_that_is_finished_while_it_is_looked_at_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = broken_off(tmp_path / "CA1.jsonl", HEADER, FRAME)
    lock = fcntl.flock

    def finish(descriptor: int, how: int) -> None:
        path.write_bytes(path.read_bytes() + b'{"end":{"reason":"hangup"}}\n')
        lock(descriptor, how)

    monkeypatch.setattr("callfsm.audit.recovery.fcntl.flock", finish)

    assert not close_aborted(path)
    assert ends(path) == [{"reason": "hangup"}]


NOT_OURS = [
    ("empty", b"", "it is empty"),
    ("a torn header", b'{"journal":2,"call_sid":"CA', "it has no whole header"),
    ("a torn long header", b'{"journal":2,"call_sid":"' + b"x" * 99_999, "it has no whole header"),
    ("another's lines", b'{"at": 1}\n', "its first line is not the header of a journal of callfsm"),
    ("another's text", b"hello\n", "its first line is not JSON"),
    ("a header of another time", b'{"journal":1}\n', "its first line is of journal format 1; this version reads format 2"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "why"), [pytest.param(*c[1:], id=c[0]) for c in NOT_OURS])
def test_file_that_is_no_journal_is_named_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, why: str
) -> None:
    path = tmp_path / "x\ny.jsonl"
    path.write_bytes(content)
    recover(tmp_path, lambda: None)

    assert path.read_bytes() == content
    assert caplog.messages == [f"[JOURNAL] 'x\\ny.jsonl' is left as it is: {why}"]


def test_what_is_no_file_of_ours_is_not_even_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = broken_off(tmp_path / "elsewhere", HEADER)
    folder = tmp_path / "journals"
    folder.mkdir()
    os.mkfifo(folder / "a.jsonl")
    (folder / "b.jsonl").mkdir()
    (folder / "c.jsonl").symlink_to(elsewhere)
    (folder / "README").write_text("hello", encoding="utf-8")
    recover(folder, lambda: None)

    assert ends(elsewhere) == []
    assert caplog.messages == []


def test_file_without_rights_is_named_and_the_next_one_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [broken_off(tmp_path / f"CA{number}.jsonl", HEADER) for number in range(SHOWN + 3)]
    opened = os.open

    def no_rights(path: Path, how: int) -> int:
        if path.name != "CA7.jsonl":
            raise PermissionError(13, "Permission denied")
        return opened(path, how)

    monkeypatch.setattr("callfsm.audit.recovery.os.open", no_rights)
    recover(tmp_path, lambda: None)

    assert [path.name for path in paths if ends(path)] == ["CA7.jsonl"]
    assert len(caplog.messages) == SHOWN + 2
    assert caplog.messages[0].endswith("is left as it is: Permission denied")
    assert caplog.messages[-2] == "[JOURNAL] 2 more files are left as they are"


def test_lines_longer_than_any_of_ours_are_not_read_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "CA1.jsonl"
    broken_off(path, HEADER)
    os.truncate(path, 20 * MAX_LINE_BYTES)
    before = path.stat()
    said: list[str] = []
    recover(tmp_path, lambda: said.append("closed"))

    assert said == []
    assert path.stat().st_size == before.st_size


def test_folder_that_is_gone_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recover(tmp_path / "gone", lambda: None)

    assert caplog.messages == ["[JOURNAL] The folder cannot be read: No such file or directory"]


def test_thread_stops_behind_the_file_in_hand(tmp_path: Path) -> None:
    paths = [broken_off(tmp_path / f"CA{number}.jsonl", HEADER) for number in range(5)]
    may_go_on, is_at_work = threading.Event(), threading.Event()

    def closed() -> None:
        is_at_work.set()
        assert may_go_on.wait(TIMEOUT_S)

    recovery = Recovery(tmp_path, closed)
    assert is_at_work.wait(TIMEOUT_S)
    recovery._stopped.set()
    may_go_on.set()
    recovery.stop()

    assert not recovery._thread.is_alive()
    assert [bool(ends(path)) for path in paths].count(True) == 1


def test_replay_report_and_account_take_a_journal_that_was_closed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = answered().journal()
    path = write(tmp_path / "CA1.jsonl", whole[:-2])
    with path.open("ab") as file:
        file.write(b'{"at":')
    close_aborted(path)
    recording = read_journal(path)
    account = account_of(recording)
    codes = [replay([str(path)]), report([str(path), "-o", str(tmp_path / "out.html")])]

    assert (recording.is_torn, recording.end) == (False, ends(path)[0])
    assert account.end.reason == "aborted"
    assert account.bands[-1].state is State.LISTENING
    assert codes == [0, 0]
    assert "The call ended: aborted." in (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "breaks off" not in capsys.readouterr().err
