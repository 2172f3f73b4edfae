"""The sequence charts: fresh in the checkout, valid, and telling all that happened."""

import re
from base64 import b64decode
from pathlib import Path

import pytest

from callfsm.audit.diagram.graph import MARKER
from callfsm.audit.diagram.sequences import chart, path_of, sequence_charts
from callfsm.audit.diagram.sequences_text import UNTOLD, safe
from callfsm.effects import INFO
from callfsm.sim.stories import STORIES, Story
from callfsm.sim.virtual_call import Frame, Line, Message, Move
from callfsm.sim.virtual_story import perform

COMMITTED = Path(__file__).parents[3] / "diagrams"
SILENT, ANSWERED, INTERRUPTED, COUGHED = STORIES[0], STORIES[1], STORIES[3], STORIES[6]
WORDS = "response.output_audio_transcript.delta"
TEXT = r"(?:[^#;:<>\"%$\n]|#\d+;|<br/>)+"
LINE = re.compile(
    rf"  (?:title {TEXT}|%% .*|actor Caller|participant \w+(?: as {TEXT})?|rect rgb\(\d+, \d+, \d+\)|end"
    rf"|Note over callfsm: {TEXT}|(?:Caller|Twilio|callfsm|OpenAI)->>(?:Caller|Twilio|callfsm|OpenAI): {TEXT})"
)
every_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)


def drawn(story: Story) -> str:
    return sequence_charts()[path_of(STORIES.index(story) + 1, story)]


def amounts(text: str, arrow: str, name: str) -> tuple[int, int]:
    """How many messages of a name a chart tells of, and how much sound, in ms."""
    found = re.findall(rf"{re.escape(arrow)}: (?:[\d.]+ s )?{re.escape(name)}(?: × (\d+))?(?:, (\d+) ms)?", text)
    return sum(int(count or 1) for count, _ in found), sum(int(ms or 0) for _, ms in found)


def unescaped(text: str) -> str:
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text)


def test_the_committed_charts_are_those_of_the_machine_that_runs() -> None:
    written = {
        file.relative_to(COMMITTED).as_posix(): file.read_bytes().decode()
        for file in (COMMITTED / "sequences").iterdir()
    }

    assert written == sequence_charts()


@every_story
def test_a_story_drawn_again_is_the_same_chart(story: Story) -> None:
    assert chart(perform(story)) == drawn(story)


@every_story
def test_a_chart_is_ours_and_every_line_of_it_is_mermaid(story: Story) -> None:
    marker, kind, *lines = drawn(story).removesuffix("\n").split("\n")

    assert (marker, kind) == (f"%% {MARKER}", "sequenceDiagram")
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert [line.split()[0] for line in lines if line.split()[0] in {"rect", "end"}] == ["rect", "end"] * (
        sum(line.startswith("  rect") for line in lines)
    )


@every_story
def test_what_is_drawn_as_one_arrow_adds_up_to_all_that_was_sent(story: Story) -> None:
    happened, text = perform(story).happened, drawn(story)
    messages = [message for message in happened if isinstance(message, Message)]
    names = [(message.peer, message.is_ours, message.name) for message in messages]
    delta = "response.output_audio.delta"
    words = names.count(("openai", False, WORDS))
    replied_ms = sum(len(b64decode(each.body["delta"])) // 8 for each in messages if each.name == delta)
    frames = [each for each in happened if isinstance(each, Frame)]
    appends = names.count(("openai", True, "input_audio_buffer.append"))
    deltas = names.count(("openai", False, delta))

    assert amounts(text, "Twilio->>callfsm", "media")[0] == len(frames)
    assert amounts(text, "callfsm->>OpenAI", "input_audio_buffer.append") == (appends, appends * 20)
    assert amounts(text, "OpenAI->>callfsm", delta) == (deltas, replied_ms)
    assert amounts(text, "OpenAI->>callfsm", WORDS) == (words, 0)
    assert amounts(text, "callfsm->>Twilio", "media")[0] == names.count(("twilio", True, "media"))
    assert amounts(text, "Twilio->>callfsm", "mark")[0] == names.count(("twilio", False, "mark"))


@every_story
def test_every_other_message_is_an_arrow_by_its_name_in_order(story: Story) -> None:
    many = {"media", "mark", "input_audio_buffer.append", "response.output_audio.delta", WORDS}
    sent = [
        message.name
        for message in perform(story).happened
        if isinstance(message, Message) and message.name not in {*many, *UNTOLD}
    ]
    arrows = re.findall(r"(?:callfsm->>\w+|\w+->>callfsm): (?:[\d.]+ s )?([\w.]+)", drawn(story))

    assert [name for name in arrows if name not in many] == sent


@every_story
def test_every_change_of_state_and_every_line_of_the_log_is_a_note(story: Story) -> None:
    happened, text = perform(story).happened, drawn(story)
    moves = [
        f"{move.at_s:.2f} s {move.source.name} → {move.dest.name}<br/>on {move.event.__name__}"
        for move in happened
        if isinstance(move, Move)
    ]
    lines = [safe(line.message) for line in happened if isinstance(line, Line) and line.level >= INFO]
    _, *notes = re.findall(r"Note over callfsm: (.*)", text)

    assert [note for note in notes if " → " in note] == moves
    assert [note for note in notes if " → " not in note] == lines


def test_a_silent_call_is_a_short_chart_without_any_response() -> None:
    text = drawn(SILENT).partition("participant OpenAI")[2]

    assert len(text.splitlines()) < 30
    assert "response." not in text
    assert "Twilio->>callfsm: media × 325, 6500 ms, none loud" in text


def test_a_barge_in_can_be_read_from_top_to_bottom() -> None:
    lines = [line.strip() for line in drawn(INTERRUPTED).splitlines()]
    told = [
        "Caller->>Twilio: 7.62 s speaks, 2140 ms, 107 frames",
        "Twilio->>callfsm: 7.67 s media, RMS 486, loud",
        "Note over callfsm: [BARGE-IN] User speaking while AI speaking –<br/>sending response.cancel",
        "callfsm->>Twilio: clear",
        "callfsm->>OpenAI: response.cancel<br/>resp_1_12",
        "Note over callfsm: 7.67 s AI_SPEAKING → CANCELLING<br/>on RmsFrame",
        "Twilio->>Caller: 7.70 s silence",
        "OpenAI->>callfsm: response.done<br/>cancelled",
        "Note over callfsm: 7.76 s CANCELLING → LISTENING<br/>on ResponseDone",
        "Twilio->>callfsm: media × 9, 180 ms, 9 loud",
        "callfsm->>OpenAI: conversation.item.truncate<br/>item_1_2 at 2019 ms",
        "Note over callfsm: [BARGE-IN] Confirmed as speech",
    ]

    assert [line for line in lines if line in told] == told


def test_a_stop_by_nobody_can_be_read_from_top_to_bottom() -> None:
    lines = [line.strip() for line in drawn(COUGHED).splitlines()]
    told = [
        "Caller->>Twilio: 6.62 s speaks, 400 ms, 20 frames",
        "Twilio->>callfsm: 6.69 s media, RMS 1503, loud",
        "Note over callfsm: [BARGE-IN] User speaking while AI speaking –<br/>sending response.cancel",
        "callfsm->>Twilio: clear",
        "Note over callfsm: 6.69 s AI_SPEAKING → CANCELLING<br/>on RmsFrame",
        "OpenAI->>callfsm: error<br/>response_cancel_not_active",
        "callfsm->>OpenAI: input_audio_buffer.commit",
        "Note over callfsm: [BARGE-IN] Not confirmed as speech – the<br/>assistant goes on",
        "Note over callfsm: 7.29 s LISTENING → AI_GRACE<br/>on ReplyDue",
        "Twilio->>Caller: 7.32 s the assistant is heard",
        "callfsm->>OpenAI: conversation.item.delete<br/>item_1_3",
    ]
    since = lines.index(told[0])

    assert [line for line in lines[since:] if line in told] == told
    assert "truncate" not in drawn(COUGHED)


def test_the_audible_states_are_shaded_as_in_the_other_diagrams() -> None:
    shades = re.findall(r"rect rgb\((.*)\)\n  Note over callfsm: (?:.* → )?(\w+)", drawn(ANSWERED))

    assert {state: shade for shade, state in shades}["AI_SPEAKING"] == "226, 244, 229"
    assert [state for _, state in shades] == [
        "CALIBRATING", "WAITING_FOR_USER", "LISTENING", "AI_GRACE", "AI_SPEAKING", "LISTENING", "ENDED",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["a;b", "#1 of 2; 100%", 'say "no": <b>', "$$x$$", "%%{init}%%"])
def test_no_text_is_taken_for_syntax(text: str) -> None:
    assert re.fullmatch(TEXT, safe(text))
    assert unescaped(safe(text)) == text


def test_a_long_text_is_broken_between_words() -> None:
    assert safe("one two three", width=8) == "one two<br/>three"


def test_a_right_to_left_run_is_isolated_with_its_punctuation() -> None:
    assert unescaped(safe("User said: מה שעות הפתיחה?")) == "User said: \u2068מה שעות הפתיחה?\u2069"
    assert unescaped(safe("“כן, תודה.”")) == "\u2068“כן, תודה.”\u2069"
