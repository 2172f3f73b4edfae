"""The way of a call on the chart, read from journals of calls that were held on the pure core."""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve

from callfsm.audit import recording
from callfsm.audit.diagram import dot, mermaid
from callfsm.audit.diagram.command import main, stale
from callfsm.audit.diagram.dot import UNUSED
from callfsm.audit.diagram.model import read_machine
from callfsm.audit.diagram.travelled import Edge, Route, overlay, route_of
from callfsm.audit.journal import FORMAT_VERSION, line_of
from callfsm.audit.recording import read_journal
from callfsm.config_file import config_values
from callfsm.events import CallEnded, PlaybackMarked, RealtimeReady, ResponseDone
from callfsm.machine import dispatch
from callfsm.states.base import State
from tests import calls
from tests.calls import GREETING_BUSINESS, Story, quiets

GRAPH = read_machine()
COMMITTED = Path(__file__).parents[3] / "diagrams"
ONE = Route("CA1", "CALIBRATING", 0.0, 0.0, ())

BARGED_IN = calls.cancelling().then(ResponseDone(3.875, "r1", 1, "cancelled", ("a1",)), CallEnded(5.0, "hangup"))
SILENT = calls.waiting().then(CallEnded(4.0, "hangup"))


def journal(folder: Path, story: Story, name: str = "CA1", *, is_whole: bool = True) -> Path:
    config = evolve(story.config, business=(story.business,))
    call = Story(config=config, business=story.business).call()
    lines: list[dict[str, Any]] = [
        {
            "journal": FORMAT_VERSION,
            "call_sid": name,
            "business": story.business.number,
            "started": "2026-11-25T15:45:04+00:00",
            "greeting_clip_bytes": 0,
            "greeting_clip_levels_rms": [],
            "config": config_values(config),
        }
    ]
    for event in story.events:
        source = call.state
        dispatch(call, event)
        lines.append(line_of(event, source, call.state))
    path = folder / f"{len(list(folder.iterdir()))}.jsonl"
    path.write_text(
        "".join(f"{json.dumps(line)}\n" for line in [*lines, *[{"end": {"reason": "hangup"}}] * is_whole])
    )
    return path


def route(folder: Path, story: Story) -> Route:
    return route_of(read_journal(journal(folder, story)))


def edge(text: str) -> Edge:
    source, event, target = text.split()
    return source, event, target


def test_route_has_every_change_of_state_in_its_order(tmp_path: Path) -> None:
    assert [(move.edge, move.at) for move in route(tmp_path, BARGED_IN).moves] == [
        (edge("CALIBRATING RmsFrame WAITING_FOR_USER"), 1.0),
        (edge("WAITING_FOR_USER TranscriptCompleted LISTENING"), 2.5),
        (edge("LISTENING AudioDelta AI_GRACE"), 3.25),
        (edge("AI_GRACE TimerFired AI_SPEAKING"), pytest.approx(3.55)),
        (edge("AI_SPEAKING RmsFrame CANCELLING"), 3.75),
        (edge("CANCELLING ResponseDone LISTENING"), 3.875),
        (edge("LISTENING CallEnded ENDED"), 5.0),
    ]


def test_time_in_a_state_ends_with_the_timer_and_not_with_the_line_that_the_journal_has_for_it(
    tmp_path: Path,
) -> None:
    late = calls.grace().then(PlaybackMarked(3.75, "m1"))

    assert route(tmp_path, late).seconds() == {
        "CALIBRATING": 1.0,
        "WAITING_FOR_USER": 1.5,
        "LISTENING": 0.75,
        "AI_GRACE": pytest.approx(0.3),
        "AI_SPEAKING": pytest.approx(0.2),
    }


def test_internal_events_move_the_call_too(tmp_path: Path) -> None:
    late = Story(business=GREETING_BUSINESS).then(quiets(1.0, 75, "c"), RealtimeReady(2.0), CallEnded(3.0, "hangup"))

    assert [(move.edge, move.at) for move in route(tmp_path, late).moves][1:] == [
        (edge("WAITING_FOR_USER ReplyDue GREETING"), 2.0),
        (edge("GREETING CallEnded ENDED"), 3.0),
    ]


def test_what_a_timer_leads_to_is_at_the_time_of_the_timer(tmp_path: Path) -> None:
    late = calls.greeting_given_up().then(CallEnded(12.0, "hangup"))

    assert [(move.edge, move.at) for move in route(tmp_path, late).moves][-3:] == [
        (edge("CANCELLING TimerFired WAITING_FOR_USER"), 10.5),
        (edge("WAITING_FOR_USER ReplyDue GREETING"), 10.5),
        (edge("GREETING CallEnded ENDED"), 12.0),
    ]


def test_states_come_and_gone_add_up(tmp_path: Path) -> None:
    spent = route(tmp_path, BARGED_IN).seconds()

    assert spent["LISTENING"] == pytest.approx(0.75 + 1.125)
    assert sum(spent.values()) == pytest.approx(5.0)


def test_one_call_shows_its_order_and_its_times(tmp_path: Path) -> None:
    drawn = overlay(GRAPH, [route(tmp_path, BARGED_IN)])

    assert drawn.caption == "Call CA1: 5.0 s, 7 changes of state. Grey: never."
    assert drawn.uses[edge("CANCELLING ResponseDone LISTENING")] == dot.Use(1, "step 6")
    assert drawn.boxes == {
        "CALIBRATING": "1.0 s, 20 %",
        "WAITING_FOR_USER": "1.5 s, 30 %",
        "LISTENING": "1.9 s, 38 %",
        "AI_GRACE": "0.3 s, 6 %",
        "AI_SPEAKING": "0.2 s, 4 %",
        "CANCELLING": "0.1 s, 2 %",
        "ENDED": "reached",
    }


def test_many_calls_show_counts(tmp_path: Path) -> None:
    drawn = overlay(GRAPH, [route(tmp_path, story) for story in (BARGED_IN, BARGED_IN, SILENT)])

    assert drawn.caption == "3 calls: 14.0 s, 16 changes of state. Grey: never."
    assert drawn.boxes["CALIBRATING"] == "3.0 s, 21 %"
    assert drawn.uses[edge("CALIBRATING RmsFrame WAITING_FOR_USER")].note == "3\N{MULTIPLICATION SIGN} in 3 calls"
    assert drawn.uses[edge("WAITING_FOR_USER CallEnded ENDED")].note == "1\N{MULTIPLICATION SIGN} in 1 call"


@pytest.mark.parametrize(
    ("times", "note"),
    [
        (1, "step 1"),
        (2, "steps 1, 2"),
        (7, "steps 1, 2, 3, 4, 5, 6, 7"),
        (8, "steps 1, 2, 3, 4, 5, 6 \N{HORIZONTAL ELLIPSIS} 8 (8 times)"),
    ],
)
def test_long_lists_are_shortened(times: int, note: str, tmp_path: Path) -> None:
    move = route(tmp_path, SILENT).moves[0]

    assert overlay(GRAPH, [evolve(ONE, moves=(move,) * times)]).uses[move.edge] == dot.Use(times, note)


@pytest.mark.parametrize(
    ("ended_at", "time"), [(0.0, "0.0 s, under 1 %"), (0.004, "4 ms, 100 %"), (12.25, "12.2 s, 100 %")]
)
def test_short_times_keep_their_unit(ended_at: float, time: str) -> None:
    assert overlay(GRAPH, [evolve(ONE, ended_at=ended_at)]).boxes == {"CALIBRATING": time}


def test_ways_not_taken_are_grey_in_the_drawing(tmp_path: Path) -> None:
    drawn = dot.whole_chart(GRAPH, overlay(GRAPH, [route(tmp_path, BARGED_IN)]))
    colours = dict(re.findall(r'^ +"(\w[\w ]* -> \w+|\w+" -> "\w+)" \[color="(#\w+)"', drawn, re.MULTILINE))
    taken = {arrow for arrow, colour in colours.items() if colour != UNUSED}

    assert taken == {
        'CALIBRATING" -> "WAITING_FOR_USER',
        'WAITING_FOR_USER" -> "LISTENING',
        'LISTENING" -> "AI_GRACE',
        'AI_GRACE" -> "AI_SPEAKING',
        'AI_SPEAKING" -> "CANCELLING',
        'CANCELLING" -> "LISTENING',
        'LISTENING" -> "ENDED',
    }
    assert f'"GREETING" [fontcolor="{UNUSED}"' in drawn
    assert "<B>ResponseDone step 6</B>" in drawn
    assert f'<FONT COLOR="{UNUSED}"><B>RealtimeLost</B></FONT>' in drawn


def test_ways_not_taken_are_grey_in_the_text(tmp_path: Path) -> None:
    lines = mermaid.travelled_chart(GRAPH, overlay(GRAPH, [route(tmp_path, BARGED_IN)])).splitlines()
    arrows = [line for line in lines if "-->|" in line]
    styles = [line for line in lines if line.startswith("  linkStyle")]
    taken = [arrow for arrow, style in zip(arrows, styles, strict=True) if UNUSED not in style]

    assert len(taken) == 7
    assert all("step" in arrow for arrow in taken)
    assert [style.split()[1] for style in styles] == [str(number) for number in range(1, len(arrows) + 1)]
    assert '  LISTENING["<b>LISTENING</b><br/>1.9 s, 38 %"]' in lines
    assert '  GREETING["<b>GREETING</b><br/>never"]' in lines
    assert any("RealtimeLost 1 [is_awaiting_tool] or 2 [has_real_user]#58; never" in arrow for arrow in taken)


def test_a_name_from_the_journal_ends_no_label() -> None:
    drawn = overlay(GRAPH, [evolve(ONE, call_sid='C"A\\')])

    assert r'label="Call C\"A\\: ' in dot.whole_chart(GRAPH, drawn)
    assert r'title: "Call C\"A\\: ' in mermaid.travelled_chart(GRAPH, drawn)


def test_the_most_travelled_arrow_is_the_thickest(tmp_path: Path) -> None:
    drawn = overlay(GRAPH, [route(tmp_path, story) for story in (BARGED_IN, SILENT, SILENT, SILENT, SILENT)])
    widths = [drawn.width_of([drawn.uses.get(way)]) for way in (
        edge("CALIBRATING RmsFrame WAITING_FOR_USER"),
        edge("LISTENING AudioDelta AI_GRACE"),
        edge("GREETING AudioDelta AI_GRACE"),
    )]  # fmt: skip

    assert widths == [4.0, 2.0, 1.0]


def test_a_call_that_goes_another_way_than_recorded_is_told(tmp_path: Path) -> None:
    path = journal(tmp_path, SILENT)
    path.write_text(path.read_text().replace('"to": "WAITING_FOR_USER"', '"to": "GREETING"'))

    assert route_of(read_journal(path)).warning == (
        f"{path}, line 77: run again, the call goes from CALIBRATING to WAITING_FOR_USER, not from CALIBRATING to GREETING"
    )


def test_a_bug_that_the_call_meets_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a3")

    path = journal(tmp_path, SILENT)
    monkeypatch.setattr(recording, "dispatch", fail)

    assert (
        route_of(read_journal(path)).warning
        == f"{path}, line 2: run again, the call meets a bug there: KeyError: 'a3'"
    )


def test_a_journal_that_breaks_off_is_drawn_so_far(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = journal(tmp_path, calls.speaking(), is_whole=False)

    assert main(["--journal", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "3.6 s, 4 changes of state" in out
    assert err == f"callfsm diagram: {path}: breaks off before the end of the call\n"


@pytest.mark.parametrize(("name", "first"), [("call.mmd", "---"), ("call.dot", 'digraph "callfsm" {')])
def test_text_is_written_where_its_ending_says(name: str, first: str, tmp_path: Path) -> None:
    assert main(["--journal", str(journal(tmp_path, SILENT)), "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text().splitlines()[0] == first


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_a_drawing_of_calls_is_none_of_the_machine(tmp_path: Path) -> None:
    shutil.copytree(COMMITTED, tmp_path / "diagrams")
    journals = [str(journal(tmp_path, story)) for story in (BARGED_IN, SILENT)]

    assert main(["--journal", *journals, "-o", str(tmp_path / "diagrams" / "calls.svg")]) == 0
    drawing = ET.fromstring((tmp_path / "diagrams" / "calls.svg").read_text())  # noqa: S314 - our own
    assert "2 calls: 9.0 s, 9 changes of state. Grey: never." in drawing.itertext()
    assert stale(tmp_path / "diagrams") == []


def test_a_drawing_needs_graphviz(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing here"))
    path = journal(tmp_path, SILENT)

    assert main(["--journal", str(path), "-o", str(tmp_path / "call.svg")]) == 2
    assert capsys.readouterr().err == "callfsm diagram: graphviz is not installed: there is no `dot` on the PATH\n"


def test_what_is_no_journal_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.jsonl").write_text("hello\n")

    assert main(["--journal", str(tmp_path / "notes.jsonl")]) == 2
    assert capsys.readouterr().err == f"callfsm diagram: {tmp_path / 'notes.jsonl'}, line 1: is not JSON\n"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ("-o a.svg", "-o: only allowed with argument --journal"),
        ("--check -o a.svg", "-o: only allowed with argument --journal"),
        ("--journal a -o a.png", "-o: a.png must end in .svg, .dot or .mmd"),
        ("--journal a --check", "not allowed with argument"),
        ("--journal a --diff b", "not allowed with argument"),
        ("--export --diff b", "not allowed with argument"),
        ("--journal a --dir b", "--dir: not allowed with argument --journal, --diff or --export"),
        ("--export --dir b", "--dir: not allowed with argument --journal, --diff or --export"),
        ("--diff a b c", "--diff: expected OLD, or OLD and NEW"),
        ("--journal", "--journal: expected at least one argument"),
    ],
)
def test_what_makes_no_sense_together_is_refused(argv: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argv.split())
    assert why in capsys.readouterr().err


def test_every_change_of_state_is_on_the_chart_of_no_calls_too() -> None:
    drawn = mermaid.travelled_chart(GRAPH, overlay(GRAPH, [ONE]))
    living = [state.name for state in State if state is not State.ENDED]
    ends = re.findall(r'^ +(\w+) -->\|".*"\| (\w+)$', drawn, re.MULTILINE)

    assert {
        (start, target)
        for source, target in ends
        for start in (living if source == mermaid.EVERY_STATE else [source])
    } == {(change.source, change.target) for change in GRAPH.changes()}
