"""The demo's calls: who says what when, what the model is made to answer, and what must be true in the end."""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from callfsm.sim.caller import SimulatedCaller
from callfsm.sim.media_line import Kind
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_script import Reply, Script, Utterance, clip_reply
from callfsm.sim.speech_files import load
from callfsm.states.interrupting import CONFIRMED_LINE, RESUMED_LINE

PLAIN_NUMBER: Final = "+97231234567"
GREETING_NUMBER: Final = "+97239876543"
"""The business that greets its callers; the other one waits to be spoken to."""
WENT_ON_WITHIN_MS: Final = 900.0
"""From silence to the assistant's going on: 600 ms of doubt, and two trips over the network with some to spare."""
STOPPED_WITHIN_MS: Final = 150.0
"""From the caller's first loud frame leaving to silence at the caller's ear: two trips over the network and 20 ms."""


@attrs.frozen
class Ending:
    """What a call left behind: the caller's own record, the API's, and the lines of the server's log."""

    caller: SimulatedCaller
    api: Connection
    log: list[str]

    def requests(self) -> int:
        """Return how many responses were requested."""
        return len([record for record in self.api.received if record.type == "response.create"])

    def cancels(self) -> int:
        """Return how many cancels were sent."""
        return len([record for record in self.api.received if record.type == "response.cancel"])

    def heard_replies(self) -> int:
        """Return how often the assistant became audible."""
        return len(self.caller.entries(Kind.SOUND))

    def stopped_after_ms(self) -> float:
        """Return the time from the caller's interrupting to silence, in ms."""
        cleared = self.caller.entries(Kind.CLEAR)
        said = [entry.at_s for entry in self.caller.entries(Kind.SAY) if cleared and entry.at_s < cleared[0].at_s]
        return (cleared[0].at_s - said[-1]) * 1000 if said else float("inf")

    def went_on_after_ms(self) -> float:
        """Return how long the assistant was silent between the first two times that it was audible, in ms."""
        sounds = [entry.at_s for entry in self.caller.entries(Kind.SOUND)]
        quiet = [entry.at_s for entry in self.caller.entries(Kind.QUIET)]
        return (sounds[1] - quiet[0]) * 1000 if len(sounds) > 1 else float("inf")

    def truncations(self) -> int:
        """Return how often the conversation was told that the caller heard only a part."""
        return len([record for record in self.api.received if record.type == "conversation.item.truncate"])

    def has_logged(self, line: str) -> bool:
        """Say whether the call's log has this line."""
        return any(line in logged for logged in self.log)


Claim = tuple[str, Callable[[Ending], bool]]


@attrs.frozen
class Story:
    """One call: `act` is the caller's part, `script` the model's, `claims` what the call shows."""

    title: str
    act: "Act"
    script: Script
    claims: tuple[Claim, ...]
    called: str = PLAIN_NUMBER


Act = Callable[[SimulatedCaller], Awaitable[None]]


async def _says_nothing(caller: SimulatedCaller) -> None:
    await caller.silence(8.0)


async def _hears_out(caller: SimulatedCaller) -> None:
    await caller.wait_heard(500)
    await caller.wait_quiet()
    await caller.silence(0.5)


async def _is_greeted(caller: SimulatedCaller) -> None:
    await _hears_out(caller)
    await caller.say(load("he_question").ulaw)
    await _hears_out(caller)


def _asks(question: str, after_s: float = 2.0) -> Act:
    async def act(caller: SimulatedCaller) -> None:
        await caller.silence(after_s)
        await caller.say(load(question).ulaw)
        await _hears_out(caller)

    return act


def _asks_and_breaks_in(with_what: str, heard_ms: float) -> Act:
    async def act(caller: SimulatedCaller) -> None:
        await caller.silence(2.0)
        await caller.say(load("he_question").ulaw)
        await caller.wait_heard(heard_ms)
        await caller.say(load(with_what).ulaw)
        await _hears_out(caller)

    return act


def _words(*stems: str) -> tuple[Utterance, ...]:
    return tuple(Utterance(load(stem).text) for stem in stems)


def _at_rate(stem: str, rate: float) -> Reply:
    return attrs.evolve(clip_reply(stem), rate=rate)


_HOURS: Final = clip_reply("he_reply_hours")
_SHORT: Final = clip_reply("he_reply_short")
_STOPS: Final[Claim] = (
    f"the caller heard silence within {STOPPED_WITHIN_MS:.0f} ms of speaking",
    lambda end: end.stopped_after_ms() <= STOPPED_WITHIN_MS,
)

_CONFIRMED: Final[Claim] = (
    "what stopped the answer was confirmed as speech, and nothing went on",
    lambda end: end.has_logged(CONFIRMED_LINE) and not end.has_logged(RESUMED_LINE),
)


def _requested(count: int) -> Claim:
    return f"responses requested: {count}", lambda end: end.requests() == count


def _is_quiet_log(end: Ending) -> bool:
    return all("[VAD]" in line or "[AUDIO GATE]" in line for line in end.log) and len(end.log) > 1


STORIES: Final = (
    Story(
        "A silent caller on a humming line: never answered",
        _says_nothing,
        Script(),
        (
            _requested(0),
            ("the assistant was never heard", lambda end: end.heard_replies() == 0),
            ("the call's log holds only [VAD] and [AUDIO GATE] lines", _is_quiet_log),
        ),
    ),
    Story(
        "A Hebrew question and its answer",
        _asks("he_question"),
        Script(utterances=_words("he_question"), replies=(_HOURS,)),
        (_requested(1), ("the answer was heard to its end", lambda end: end.heard_replies() == 1)),
    ),
    Story(
        "A caller who speaks while the line is still being measured",
        _asks("he_question", after_s=0.2),
        Script(utterances=_words("he_question"), replies=(_SHORT,)),
        (_requested(1), ("the caller was answered", lambda end: end.heard_replies() == 1)),
    ),
    Story(
        "A caller who interrupts while the answer is still being generated",
        _asks_and_breaks_in("he_interrupt", heard_ms=2000),
        Script(utterances=_words("he_question", "he_interrupt"), replies=(_at_rate("he_reply_hours", 1.5), _SHORT)),
        (_STOPS, _CONFIRMED, ("the response was cancelled", lambda end: end.cancels() == 1), _requested(2)),
    ),
    Story(
        "A caller who interrupts the tail, after the generation has ended",
        _asks_and_breaks_in("he_interrupt", heard_ms=6000),
        Script(utterances=_words("he_question", "he_interrupt"), replies=(_at_rate("he_reply_hours", 30.0), _SHORT)),
        (_STOPS, _CONFIRMED, _requested(2)),
    ),
    Story(
        "An English caller, answered in Hebrew",
        _asks("en_human"),
        Script(utterances=_words("en_human"), replies=(clip_reply("he_reply_english"),)),
        (
            _requested(1),
            ("the English words were accepted", lambda end: end.has_logged("User said: I'm sorry")),
            ("no reply was flagged as not Hebrew", lambda end: not end.has_logged("[LANGUAGE]")),
        ),
    ),
    Story(
        "A caller who coughs during the answer: it stops, and goes on",
        _asks_and_breaks_in("cough", heard_ms=1000),
        Script(utterances=(*_words("he_question"), Utterance("")), replies=(_at_rate("he_reply_hours", 30.0),)),
        (
            _STOPS,
            (
                f"the assistant went on within {WENT_ON_WITHIN_MS:.0f} ms, where it had stopped",
                lambda end: end.went_on_after_ms() <= WENT_ON_WITHIN_MS and end.heard_replies() == 2,
            ),
            ("what stopped it was not confirmed as speech", lambda end: end.has_logged(RESUMED_LINE)),
            ("nothing was truncated", lambda end: not end.truncations()),
            _requested(1),
            ("the cough's item was deleted", lambda end: bool(end.api.records("conversation.item.deleted"))),
        ),
    ),
    Story(
        "A business that greets its callers, and a question after it",
        _is_greeted,
        Script(utterances=_words("he_question"), replies=(_HOURS,), greeting=clip_reply("he_greeting")),
        (_requested(2), ("greeting and answer were heard", lambda end: end.heard_replies() == 2)),
        called=GREETING_NUMBER,
    ),
)
