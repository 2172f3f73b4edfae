"""Cases of what was said, by the caller and by the assistant, that several states treat alike; see `shared`."""

from collections.abc import Sequence

from _pytest.mark.structures import ParameterSet

from callfsm.effects import WARNING, Count, DeleteItem, Effect, Log
from callfsm.events import (
    AudioCommitted,
    Event,
    RealtimeError,
    ReplyTranscript,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.states.base import State
from tests.calls import Story
from tests.states.shared import MADE_UP, PUNCTUATION, SKIPPED, TOO_SHORT, Fields, one_with, settled
from tests.table import case


def filter_cases(state: State, pending: Story, at: float, item: str, rest: Fields) -> list[ParameterSet]:
    """The transcript filter; the only unsettled utterance is `item`."""
    gone = {**settled(item), **rest}

    def of(text: str, item_id: str = item) -> Event:
        return TranscriptCompleted(at, item_id, text)

    # fmt: off
    return [
        case("transcript of a foreign item", state, pending, of("שלום לך", "foreign"), state, [Count("stray_item")]),
        case("short transcript of a foreign item", state, pending, of("a", "foreign"), state, [Count("stray_item")]),
        case("punctuation of a foreign item", state, pending, of("?!", "foreign"), state, [Count("stray_item")]),
        case("transcript of one character", state, pending, of(" a "), state, [TOO_SHORT, DeleteItem(item)], gone),
        case("empty transcript", state, pending, of(""), state, [TOO_SHORT, DeleteItem(item)], gone),
        case("transcript of two noise characters", state, pending, of("?!"), state, [PUNCTUATION, DeleteItem(item)], gone),
        case("transcript of noise characters", state, pending, of(" ., !? ."), state, [PUNCTUATION, DeleteItem(item)], gone),
        case("made up of short sound", state, pending, of("תודה שצפיתם"), state, [MADE_UP, DeleteItem(item)], gone),
        case("made up, and of a foreign item", state, pending, of("תודה שצפיתם", "foreign"), state, [Count("stray_item")]),
        case("failure of a foreign item", state, pending, TranscriptFailed(at, "foreign"), state, [Count("stray_item")]),
    ]
    # fmt: on


def commit_cases(
    state: State, silent: Story, unnamed: Story, rejected: Story, at: float, *, late: float
) -> list[ParameterSet]:
    """What the API names: nothing of ours, `unnamed`'s only commit, or one that was `rejected` before."""
    named, named_late = AudioCommitted(at, "named"), AudioCommitted(late, "named")
    bound = {"turn.unsettled": one_with(item_id="named"), "turn.unacknowledged": []}
    # fmt: off
    return [
        case("a commit that is not ours", state, silent, named, state, [Count("stray_item")]),
        case("a commit is named", state, unnamed, named, state, [], bound),
        case("a rejected commit is named", state, rejected, named_late, state, [DeleteItem("named")], {"turn.unacknowledged": []}),
    ]
    # fmt: on


def refused_commit_case(
    state: State, unnamed: Story, at: float, event_id: str, rest: Fields, effects: Sequence[Effect] = ()
) -> ParameterSet:
    gone = {"turn.phase": TurnPhase.SILENT, "turn.unsettled": [], "turn.unacknowledged": []}
    error = RealtimeError(at, "input_audio_buffer_commit_empty", event_id)
    return case("the API refuses a commit", state, unnamed, error, state, effects, {**gone, **rest})


def unreal_cases(
    state: State, pending: Story, at: float, item: str, rest: Fields, *, murmured: Story | None = None
) -> list[ParameterSet]:
    """Before the first real utterance; in `murmured` its RMS is below the threshold for the quiet between."""
    gone = {**settled(item), **rest}
    skipped: list[Effect] = [SKIPPED, DeleteItem(item)]

    def of(text: str) -> Event:
        return TranscriptCompleted(at, item, text)

    # fmt: off
    lines = [
        case("two characters are not yet real", state, pending, of("כן"), state, skipped, gone),
        case("no transcript, nobody real yet", state, pending, TranscriptFailed(at, item), state, skipped, gone),
    ]
    # fmt: on
    if murmured is not None:
        lines.append(case("words below the threshold", state, murmured, of("שלום לך"), state, skipped, gone))
    return lines


def words_cases(state: State, given: Story, at: float, response_id: str) -> list[ParameterSet]:
    """The words of the reply in hand, checked for their language."""

    def of(text: str, of_response: str = response_id, *, whole: bool = True) -> Event:
        return ReplyTranscript(at, of_response, text, is_whole=whole)

    half = given.then(of("אב ", whole=False))

    def foreign(share: str) -> list[Effect]:
        return [Log(WARNING, f"[LANGUAGE] Reply is not Hebrew, share={share}"), Count("reply_not_hebrew")]

    # fmt: off
    return [
        case("Hebrew words", state, given, of("שלום"), state, [], {"reply_transcript": "שלום"}),
        case("half Hebrew", state, given, of("שם ab"), state, [], {"reply_transcript": "שם ab"}),
        case("less than half Hebrew", state, given, of("אב cde"), state, foreign("0.40"),
             {"reply_transcript": "אב cde", "needs_reminder": True}),
        case("words of another response", state, given, of("Hello", "f"), state),
        case("the first words of a piece", state, given, of("אב ", whole=False), state, [], {"reply_words": "אב "}),
        case("the next words of a piece", state, half, of("גד", whole=False), state, [], {"reply_words": "אב גד"}),
        case("a piece is finished", state, half, of("אב גד."), state, [], {"reply_transcript": "אב גד.", "reply_words": ""}),
        case("a few words are not judged by their language", state, given, of("Hello ", whole=False), state, [], {"reply_words": "Hello "}),
        case("the next words of another response", state, given, of("Hello", "f", whole=False), state),
    ]
    # fmt: on
