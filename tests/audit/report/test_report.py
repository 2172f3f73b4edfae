"""The report of a call: the page, the drawing alone, and the JSON."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings

from callfsm.audit.account.account import account_of
from callfsm.audit.account.values import Account
from callfsm.audit.diagram.dot import AUDIBLE, CANCELLING
from callfsm.audit.recording import read_journal
from callfsm.audit.report.command import main
from callfsm.audit.report.drawing import drawing
from callfsm.audit.report.page import page
from callfsm.audit.report.words import clock, heard_words, is_rtl, safe
from callfsm.config import Business
from tests.audit.recorded import (
    HELLO,
    RecordedDialogue,
    asked,
    continued,
    gone_on,
    interrupted,
    noisy,
    taped,
    whispered,
)
from tests.audit.scripts import BEGINNING, BUSINESSES, SCRIPTS, Script, performed
from tests.calls import SILENT_BUSINESS

SVG = "{http://www.w3.org/2000/svg}"
MEAN = '<script>alert("x")</script>&\x00\u202e'


class Tags(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def tree(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own text


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in tree(svg).iter(f"{SVG}text")]


def bars(svg: str) -> str:
    return " ".join(path.get("d", "") for path in tree(svg).iter(f"{SVG}path") if path.get("class") == "frames")


def titles(svg: str, kind: str) -> list[str]:
    """What the marks of a kind tell a reader who points at them."""
    return [mark.findtext(f"{SVG}title") or "" for mark in tree(svg).iter() if mark.get("class") == kind]


def stops(svg: str) -> list[tuple[str, bool]]:
    """What each stop's line tells, and whether it is dashed."""
    return [
        (mark.findtext(f"{SVG}title") or "", mark.get("stroke-dasharray") is not None)
        for mark in tree(svg).iter(f"{SVG}path")
        if mark.get("class") == "stop"
    ]


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return interrupted().hangs_up().account(tmp_path)


def test_page_is_written_beside_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = interrupted().hangs_up().write(tmp_path / "CA1.jsonl")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    assert main([str(journal)]) == 0
    assert capsys.readouterr().out == "CA1.html\n"
    assert (tmp_path / "here" / "CA1.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_drawing_alone_is_a_whole_svg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal, out = interrupted().write(tmp_path / "CA1.jsonl"), tmp_path / "x.svg"

    assert main([str(journal), "--svg", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert tree(out.read_text(encoding="utf-8")).tag == f"{SVG}svg"


def test_json_is_the_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = interrupted().hangs_up().write(tmp_path / "CA1.jsonl")

    assert main([str(journal), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0] == "The noise floor of this line is 90.0 RMS and its speech threshold 150.0."
    assert told["barge_ins"] == [
        {
            "at": pytest.approx(3.62),
            "rms": 1000.0,
            "limit_rms": 150.0,
            "heard_ms": 1020,
            "generated_ms": 3000,
            "reply": 0,
            "utterance": 1,
            "verdict": "VOICE",
            "confirmed_at": pytest.approx(3.72),
            "went_on_at": None,
            "went_on_from_ms": None,
        }
    ]
    assert [utterance["fate"] for utterance in told["utterances"]] == ["ACCEPTED", "ACCEPTED"]
    assert [reply["fate"] for reply in told["replies"]] == ["BARGED_IN", "UNFINISHED"]
    assert told["bands"][0]["state"] == "CALIBRATING"
    assert (told["end"]["reason"], told["gate"]["max_threshold"], len(told["frames"])) == ("hangup", 175.0, 230)
    assert SILENT_BUSINESS.prompt not in json.dumps(told, ensure_ascii=False)


def test_json_tells_what_became_of_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(noisy().write(tmp_path / "CA1.jsonl")), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(change["kind"], change["threshold_rms"]) for change in told["line"]] == [
        ("FOLLOWS", 500.0),
        ("RESTORED", 150.0),
    ]
    assert {frame["limit_rms"] for frame in told["frames"]} == {150.0, 500.0}


def test_json_goes_to_a_file_where_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal, out = interrupted().write(tmp_path / "CA1.jsonl"), tmp_path / "x.json"

    assert main([str(journal), "--json", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert json.loads(out.read_text(encoding="utf-8"))["end"]["is_torn"] is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(None, "bad.jsonl, line 1: cannot be read", id="no file"),
        pytest.param('{"a":1}\n', "bad.jsonl, line 1: is not the header", id="something else"),
    ],
)
def test_bad_journal_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, says: str
) -> None:
    journal = tmp_path / "bad.jsonl"
    for content in filter(None, [text]):
        journal.write_text(content)

    assert main([str(journal)]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert says in told.err


def test_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "no folder" / "x.html"

    assert main([str(interrupted().write(tmp_path / "CA1.jsonl")), "-o", str(out)]) == 2
    assert capsys.readouterr().err == f"callfsm report: {out} cannot be written (No such file or directory)\n"


def test_page_needs_and_runs_nothing(account: Account) -> None:
    html = page(account)
    tags = Tags(html)

    assert not {"script", "link", "img", "iframe", "object", "use"} & set(tags.tags)
    assert not {"src", "href", "onload"} & {name for name, _ in tags.attributes}
    assert html.replace('xmlns="http://www.w3.org/2000/svg"', "").count("http") == html.count("http-equiv")


def test_page_says_what_happened(account: Account) -> None:
    text = Tags(page(account)).text

    for fact in (
        "2026-11-25T15:45:04.398464+00:00",
        "callfsm 0.1.0, transitions 0.9.3, python 3.11.7",
        "The call ended: hangup.",
        HELLO,
        "רגע אחד",
        "a frame of RMS 1000.0 at a limit of 150.0 stopped the assistant; 1.02 s of 3.00 s had been heard.",
        "It was confirmed by voice after 100 ms.",
        "cut by the caller",
        "not heard yet when the call ended",
        "[VAD] Calibrated noise=90.0, speech_threshold=150.0",
        "noise floor 90.0, speech threshold 150.0",
    ):
        assert fact in text


@pytest.mark.parametrize("spoken", ["transcript", "words"])
def test_what_a_journal_holds_stays_text(tmp_path: Path, spoken: str) -> None:
    dialogue = RecordedDialogue(evolve(SILENT_BUSINESS, name=MEAN))
    dialogue.caller.silent(1500)
    dialogue.caller.says(500)
    dialogue.openai.transcribes({"transcript": MEAN, "words": HELLO}[spoken])
    dialogue.openai.begins()
    dialogue.openai.speaks(1000)
    dialogue.openai.words(MEAN)
    journal = read_journal(dialogue.write(tmp_path / "CA1.jsonl", started=MEAN, call_sid=MEAN, callfsm=MEAN))
    html, svg = page(account_of(journal)), drawing(account_of(journal))

    assert "<script" not in html
    assert '<script>alert("x")</script>&' in Tags(html).text
    assert '<script>alert("x")</script>&' in "".join(tree(svg).itertext())
    assert not {"\x00", "\u202e"} & set(html + svg)


def test_hebrew_runs_from_right_to_left(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.caller.silent(2000)
    dialogue.caller.says(2500)
    dialogue.openai.transcribes("an English house")
    svg = drawing(dialogue.account(tmp_path))
    ways = {"".join(text.itertext()): text.get("direction") for text in tree(svg).iter(f"{SVG}text")}

    assert ways["an English house"] is None
    assert ways[HELLO] == "rtl"
    assert '<bdi dir="auto">' + HELLO in page(dialogue.account(tmp_path))


@pytest.mark.parametrize(
    ("text", "rtl"),
    [
        pytest.param("שלום world", True, id="Hebrew first"),
        pytest.param("123, مرحبا", True, id="Arabic behind digits"),
        pytest.param("hello שלום", False, id="Latin first"),
        pytest.param("12:30?", False, id="no letter"),
    ],
)
def test_direction_is_that_of_the_first_letter(text: str, *, rtl: bool) -> None:
    assert is_rtl(text) is rtl


def test_drawing_tells_a_reader_who_cannot_see_it(account: Account) -> None:
    drawn = tree(drawing(account))

    assert drawn.get("role") == "img"
    assert drawn.get("aria-labelledby") == "drawn what"
    assert drawn.findtext(f"{SVG}title") == "Call CA1"
    assert "2 sounds of the caller, 2 replies, 1 barge-ins" in (drawn.findtext(f"{SVG}desc") or "")


def test_drawing_shows_states_in_the_colours_of_the_diagram(account: Account) -> None:
    fills = {box.findtext(f"{SVG}title"): box.get("fill") for box in tree(drawing(account)).iter(f"{SVG}rect")}
    by_state = {(title or "").split(",")[0]: fill for title, fill in fills.items()}

    assert (by_state["AI_SPEAKING"], by_state["CANCELLING"]) == (AUDIBLE.fill, CANCELLING.fill)


def test_drawing_names_the_frame_that_barged_in(account: Account) -> None:
    svg = drawing(account)

    assert [text for text in texts(svg) if text.startswith("confirmed by voice")]
    assert stops(svg) == [("0:03.62 RMS 1000.0 ≥ 150.0, confirmed by voice after 100 ms", False)]
    assert titles(svg, "verdict") == ["0:03.72 confirmed by voice after 100 ms"]


def test_drawing_tells_a_stop_that_was_gone_on_after_from_one_that_was_confirmed(tmp_path: Path) -> None:
    svg = drawing(gone_on().account(tmp_path))

    assert stops(svg) == [("0:03.82 RMS 1000.0 ≥ 150.0, not confirmed: the assistant went on after 600 ms", True)]
    assert titles(svg, "verdict") == ["0:04.42 the assistant goes on"]


def test_labels_of_stops_do_not_run_into_each_other(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.openai.replies(6000)
    for _ in range(3):
        dialogue.twilio.plays(500)
        dialogue.caller.clicks()
        dialogue.openai.had_nothing_to_cancel()
        dialogue.caller.silent(20)
    labels = [text for text in texts(drawing(dialogue.account(tmp_path))) if text.startswith("nobody")]

    assert len(labels) == 3
    assert all(text.endswith("…") and len(text) < 12 for text in labels[:2])


def test_reply_that_goes_on_is_drawn_in_the_stretches_in_which_it_was_heard(tmp_path: Path) -> None:
    account = gone_on().account(tmp_path)
    boxes = [box.findtext(f"{SVG}title") or "" for box in tree(drawing(account)).iter(f"{SVG}rect")]

    assert [title.partition(".  ")[0][:26] for title in boxes if " of it. " in title] == [
        "0.00 s to 1.02 s of it. re",
        "0.89 s to 3.00 s of it. re",
    ]


def test_page_tells_of_a_stop_that_was_gone_on_after(tmp_path: Path) -> None:
    text = Tags(page(gone_on().account(tmp_path))).text

    for fact in (
        "It was not confirmed: the assistant went on after 600 ms.",
        "The assistant went on: in 600 ms nothing had proven to be speech. It began 0.13 s before the place where it",
        "its sound was not confirmed as speech",
        "The reply was over: heard to its end, 3.00 s of 3.00 s heard.",
    ):
        assert fact in text


def test_page_tells_of_words_that_came_when_the_assistant_had_gone_on(tmp_path: Path) -> None:
    text = Tags(page(whispered().account(tmp_path))).text

    assert "The barge-in was confirmed by words, 600 ms after the assistant had gone on." in text


def test_rest_of_a_reply_is_named_as_that(tmp_path: Path) -> None:
    text = Tags(page(continued().account(tmp_path))).text

    assert "The rest of a reply was requested." in text
    assert "heard as far as it had been generated when it was stopped" in text


def test_threshold_that_moves_is_drawn_where_it_moves(tmp_path: Path) -> None:
    account = noisy().account(tmp_path)
    svg = drawing(account)
    (line,) = (path.get("d", "") for path in tree(svg).iter(f"{SVG}path") if path.get("class") == "threshold")

    assert line.count("V") == 2
    assert [title[:7] for title in titles(svg, "change")] == [clock(account, change.at) for change in account.line]
    assert {"500.0", "150.0"} <= set(texts(svg))
    assert not [path for path in tree(svg).iter(f"{SVG}path") if path.get("class") == "limit"]


def test_limit_is_drawn_where_it_is_above_the_threshold(tmp_path: Path) -> None:
    svg = drawing(gone_on().account(tmp_path))
    limits = [path.get("d", "") for path in tree(svg).iter(f"{SVG}path") if path.get("class") == "limit"]
    threshold = next(path.get("d", "") for path in tree(svg).iter(f"{SVG}path") if path.get("class") == "threshold")

    base = re.findall(r"[\d.]+", threshold)[1]
    assert limits
    assert all(d.split("V")[0].endswith(f" {base}") and d.endswith(f"V{base}") for d in limits)


def test_page_lists_what_became_of_the_line(tmp_path: Path) -> None:
    text = Tags(page(noisy().account(tmp_path))).text

    assert "noise floor 90.0, speech threshold 150.0; it changed 2 times" in text
    assert "The line: the threshold follows the noise; noise 250.0, speech threshold 500.0." in text
    assert "the calibrated threshold is in force again" in text


@pytest.mark.parametrize(
    ("rms", "ms", "says"),
    [
        pytest.param(200.0, 600, "(weak: RMS 200.0, under 2 times the threshold 150.0)", id="weak"),
        pytest.param(1000.0, 300, "(short: 300 ms of loud sound, under 400 ms)", id="short"),
    ],
)
def test_words_that_were_made_up_are_told_with_the_rule(tmp_path: Path, rms: float, ms: int, says: str) -> None:
    dialogue = taped()
    dialogue.caller.hums(ms, rms)
    dialogue.caller.silent(600)
    dialogue.openai.transcribes("תודה שצפיתם")

    assert f"makes up from near-silence {says}" in Tags(page(dialogue.account(tmp_path))).text


def test_loudest_frame_of_a_pixel_is_drawn(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.hums(20, 5000.0)
    alone = drawing(dialogue.account(tmp_path))
    dialogue.frames -= 1
    dialogue.caller.hums(20, 20.0)
    together = drawing(dialogue.account(tmp_path))

    assert bars(together) == bars(alone)


def test_noise_and_speech_can_both_be_read(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.hums(60, 20.0)
    dialogue.caller.hums(60, 5000.0)
    heights = [float(y) for y in re.findall(r"M1[67]\d [\d.]+V([\d.]+)", bars(drawing(dialogue.account(tmp_path))))]

    assert max(heights) - min(heights) > 100
    assert 266 - max(heights) > 10


def test_call_is_as_wide_as_it_is_long_up_to_a_row(tmp_path: Path) -> None:
    dialogue = taped()
    sizes = []
    for pause_ms in (0, 18_400, 20_000, 20_000):
        dialogue.caller.silent(pause_ms)
        drawn = tree(drawing(dialogue.account(tmp_path)))
        axes = [path for path in drawn.iter(f"{SVG}path") if path.get("d", "").startswith("M86.0 344.0H")]
        sizes.append((len(axes), axes[0].get("d", "").partition("H")[2]))

    assert sizes == [(1, "170.0"), (1, "1200.4"), (2, "1206.0"), (3, "1206.0")]


def test_utterance_across_two_rows_is_in_both(tmp_path: Path) -> None:
    dialogue = taped()
    dialogue.caller.silent(17_500)
    dialogue.caller.says(3000)
    dialogue.openai.transcribes("שלום לך")

    assert texts(drawing(dialogue.account(tmp_path))).count("שלום לך") == 2


def test_long_transcript_is_cut_in_the_drawing_and_whole_in_the_page(tmp_path: Path) -> None:
    dialogue = taped()
    said = "word " * 80
    dialogue.caller.says(500)
    dialogue.openai.transcribes(said)
    account = dialogue.account(tmp_path)

    assert next(text for text in texts(drawing(account)) if text.startswith("word")).endswith("…")
    assert said.strip() in Tags(page(account)).text


def test_words_that_were_not_heard_are_struck_out(account: Account) -> None:
    heard, unheard = heard_words(account.replies[0])

    assert (heard, unheard) == ("אנחנו ", "פתוחים בכל יום")
    assert f"{heard.strip()} <del>{unheard}</del>" in page(account)


def test_journal_that_breaks_off_says_so(tmp_path: Path) -> None:
    assert "The end is not in the journal. The journal breaks off" in page(asked().account(tmp_path))


def test_journal_of_another_machine_is_named_as_such(tmp_path: Path) -> None:
    dialogue = asked()
    dialogue.lines[-1]["to"] = "GREETING"

    assert "1 of the journal's events led to another state" in page(dialogue.account(tmp_path))


def test_call_of_no_event_has_a_page(tmp_path: Path) -> None:
    account = RecordedDialogue(ready=False).account(tmp_path)

    assert "None." in page(account)
    assert tree(drawing(account)).tag == f"{SVG}svg"


def test_clock_counts_minutes_from_the_first_event(account: Account) -> None:
    assert clock(account, account.started_at + 61.239) == "1:01.24"
    assert clock(account, account.started_at + 59.999) == "1:00.00"
    assert clock(account, None) == "–"


def test_text_that_xml_cannot_hold_is_replaced() -> None:
    assert safe("a\ud800\uffff<b>") == "a\ufffd\ufffd&lt;b&gt;"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BUSINESSES, SCRIPTS)
def test_any_call_has_a_page_and_a_drawing(business: Business, script: Script) -> None:
    recording, _ = performed(business, 0, [*BEGINNING, *script])
    account = account_of(recording)

    assert tree(drawing(account)).tag == f"{SVG}svg"
    assert Tags(page(account)).tags.count("table") >= 1
