"""The timeline of a call: what the caller did and heard, and from the journal what the machine did."""

from collections.abc import Callable
from pathlib import Path

import pytest

from callfsm.audit.recording import JournalError
from callfsm.sim.media_line import Entry, Kind
from callfsm.sim.timeline import timeline
from tests.audit.recorded import RecordedDialogue, barged_in, continued, gone_on, whispered


def machines(call: RecordedDialogue, folder: Path) -> list[str]:
    """What the machine made of each stop, with the time."""
    told = timeline([], 0.0, call.write(folder / "j"))
    words = ("a stop", "confirmed: somebody speaks", "goes on: it was nobody")
    return [" ".join(line.splitlines()[0].split()) for line in told if line.splitlines()[0].endswith(words)]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        pytest.param(
            barged_in, ["3.62 s machine a stop", "3.72 s machine confirmed: somebody speaks"], id="somebody"
        ),
        pytest.param(gone_on, ["3.82 s machine a stop", "4.42 s machine goes on: it was nobody"], id="nobody"),
        pytest.param(
            continued,
            ["3.82 s machine a stop", "4.42 s machine goes on: it was nobody"],
            id="nobody, of a reply in the making",
        ),
    ],
)
def test_stops_are_told_with_what_they_were(
    tmp_path: Path, made: Callable[[], RecordedDialogue], told: list[str]
) -> None:
    assert machines(made(), tmp_path) == told


def test_words_that_come_late_are_told_with_what_they_confirm(tmp_path: Path) -> None:
    told = timeline([], 0.0, whispered().write(tmp_path / "j"))
    (words,) = (line for line in told if "רגע אחד" in line)

    assert [line.strip() for line in words.splitlines()] == [
        "5.02 s  transcript  'רגע אחד'",
        "machine     confirmed: somebody speaks",
        "machine     AI_SPEAKING -> CANCELLING on TranscriptCompleted",
    ]


def test_words_of_a_reply_are_told_once_they_are_whole(tmp_path: Path) -> None:
    told = [
        line.split("reply")[1].strip()
        for line in timeline([], 0.0, continued().write(tmp_path / "j"))
        if "reply " in line
    ]

    assert told == ["'בכל יום'"]


def test_caller_and_machine_are_told_in_the_order_of_time(tmp_path: Path) -> None:
    log = [Entry(3.7, Kind.SAY, "200"), Entry(3.83, Kind.QUIET), Entry(1.0, Kind.MEDIA, "160")]
    told = timeline(log, 0.0, gone_on().write(tmp_path / "j"))
    since = told.index("    3.70 s  caller      begins to speak")

    assert told[since + 1].startswith("    3.82 s  machine     a stop")
    assert told[since + 2] == "    3.83 s  caller      hears silence"
    assert not [line for line in told if "media" in line]


def test_call_without_a_journal_is_the_callers_alone() -> None:
    assert timeline([Entry(5.0, Kind.SOUND)], 4.0, None) == ["    1.00 s  caller      hears the assistant"]


def test_journal_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        timeline([], 0.0, tmp_path / "none")
