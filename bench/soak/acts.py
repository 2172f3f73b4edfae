"""What callers do: the healthy, of whom each question must be answered, and the hostile."""

import asyncio
import json
from typing import Final

from attrs import Factory, define

from callfsm.sim.caller import CallOverError, SimulatedCaller
from callfsm.sim.chaos import reset_line
from callfsm.sim.media_line import Kind
from callfsm.sim.speech_files import load

QUESTION: Final = load("he_question").ulaw
INTERRUPTION: Final = load("he_interrupt").ulaw
COUGH: Final = load("cough").ulaw
CLICK: Final = load("click").ulaw
ANSWER_S: Final = 10.0
LATE_ANSWER_S: Final = 30.0
FLOOD_MESSAGES: Final = 1200
LINE_S: Final = 2.0
"""The line is measured in the first 1.5 s."""
MANGLED: Final[tuple[str | bytes, ...]] = (
    "", "{", "[]", "null", "\0", "{}", '{"event":1}', '{"event":"weather"}', b"binary", b"\xff\xfe",
    '{"event":"media"}', '{"event":"media","media":{"payload":"*"}}', '{"event":"media","media":{"payload":7}}',
    '{"event":"media","streamSid":"MZother","media":{"payload":"/w=="}}', '{"event":"mark","mark":{"name":"m999"}}',
    '{"event":"dtmf","dtmf":{"digit":"12"}}', '{"event":"start","streamSid":"MZ1","start":{"callSid":"CA1"}}',
    '{"event":"media","media":{"payload":""}}', "[" * 5000, '{"event":"media","sequenceNumber":{"a":[1]}}',
    '{"event":"media","sequenceNumber":"-1","media":{"payload":"/w==","track":"outbound"}}', "\u05e9" * 20_000,
)  # fmt: skip


class WrongError(Exception):
    """A call went otherwise than it should have."""


@define
class Took:
    """What a call's waits took, in seconds: from a question's end to its answer, from a sound to the `clear`."""

    answers: list[float] = Factory(list)
    stops: list[float] = Factory(list)


async def ask(caller: SimulatedCaller, took: Took, within_s: float = ANSWER_S) -> None:
    """Ask, and wait for the first audio of the answer."""
    await caller.say(QUESTION)
    await answered(caller, took, within_s)


async def answered(caller: SimulatedCaller, took: Took, within_s: float = ANSWER_S) -> None:
    """Wait for the first audio after what has just been said."""
    said_at = caller.entries(Kind.SAID)[-1].at_s
    before = len([entry for entry in caller.entries(Kind.MEDIA) if entry.at_s <= said_at])
    media = await caller.wait_for(Kind.MEDIA, before + 1, within_s)
    took.answers.append(media[before].at_s - said_at)


async def listen(caller: SimulatedCaller) -> None:
    """Hear the assistant out."""
    await caller.wait_heard(300, ANSWER_S)
    await caller.wait_quiet()
    await caller.silence(0.5)


async def asks_and_listens(caller: SimulatedCaller, took: Took) -> None:
    """Three questions, each heard out."""
    await caller.silence(LINE_S)
    for _ in range(3):
        await ask(caller, took)
        await listen(caller)


async def is_greeted(caller: SimulatedCaller, took: Took) -> None:
    """Hear the greeting, and ask."""
    await caller.wait_heard(300, ANSWER_S)
    await caller.wait_quiet()
    await caller.silence(1.0)
    await ask(caller, took)
    await listen(caller)


async def interrupts(caller: SimulatedCaller, took: Took) -> None:
    """Break into three answers; the last one is heard out."""
    await caller.silence(LINE_S)
    await ask(caller, took)
    for _ in range(3):
        await caller.wait_heard(800, ANSWER_S)
        cleared = len(caller.entries(Kind.CLEAR))
        async with asyncio.TaskGroup() as talking:
            talking.create_task(caller.say(INTERRUPTION))
            clears = await caller.wait_for(Kind.CLEAR, cleared + 1)
            took.stops.append(clears[cleared].at_s - caller.entries(Kind.SAY)[-1].at_s)
        await answered(caller, took)
    await listen(caller)


async def says_nothing(caller: SimulatedCaller, took: Took) -> None:
    """Nobody may speak on such a line."""
    del took
    await caller.silence(15)
    _was_silent(caller)


async def mumbles(caller: SimulatedCaller, took: Took) -> None:
    """Noises of which no word is understood; nobody answers them."""
    del took
    await caller.silence(LINE_S)
    for noise in (COUGH, CLICK, COUGH * 2, CLICK * 3):
        await caller.say(noise)
        await caller.silence(2.5)
    _was_silent(caller)


def _was_silent(caller: SimulatedCaller) -> None:
    if caller.entries(Kind.MEDIA):
        raise WrongError("the assistant spoke, and nobody had said a word")


async def hangs_up_in_mid_word(caller: SimulatedCaller, took: Took) -> None:
    """Ask twice, and leave in the middle of the second question."""
    await caller.silence(LINE_S)
    await ask(caller, took)
    await caller.wait_heard(500, ANSWER_S)
    talking = asyncio.create_task(caller.say(QUESTION))
    await caller.silence(0.9)
    await caller.hang_up()
    await asyncio.gather(talking, return_exceptions=True)


async def is_cut_off(caller: SimulatedCaller, took: Took) -> None:
    """The connection is reset in the middle of the answer."""
    await caller.silence(LINE_S)
    await ask(caller, took)
    await caller.wait_heard(500, ANSWER_S)
    reset_line(caller)
    await over(caller)


async def is_dropped(caller: SimulatedCaller, took: Took) -> None:
    """The connection ends in the middle of the question, without a word."""
    del took
    await caller.silence(LINE_S)
    talking = asyncio.create_task(caller.say(QUESTION))
    await caller.silence(0.9)
    await caller.drop()
    await asyncio.gather(talking, return_exceptions=True)


async def presses_keys(caller: SimulatedCaller, took: Took) -> None:
    """Ask, press keys in the answer and after it, and ask again."""
    await caller.silence(LINE_S)
    await ask(caller, took)
    await caller.press("12*")
    await listen(caller)
    await caller.press("0123456789#")
    await answered(caller, Took(), LATE_ANSWER_S)
    await listen(caller)
    await ask(caller, took)


async def floods(caller: SimulatedCaller, took: Took) -> None:
    """Send far more audio than any line brings."""
    del took
    await caller.silence(LINE_S)
    media = json.dumps({"event": "media", "media": {"track": "inbound", "payload": "/" * 213 + "w=="}})
    try:
        for _ in range(FLOOD_MESSAGES):
            await caller.send_raw(media)
    except ConnectionError:
        pass
    await over(caller)


async def mangles(caller: SimulatedCaller, took: Took) -> None:
    """Send what cannot be read; the questions between are answered all the same."""
    await caller.silence(LINE_S)
    for _ in range(2):
        for message in MANGLED:
            await caller.send_raw(message)
            await caller.silence(0.04)
        await ask(caller, took)
        await listen(caller)


async def sends_too_much(caller: SimulatedCaller, took: Took) -> None:
    """One message above the limit."""
    del took
    await caller.silence(LINE_S)
    await caller.send_raw("x" * 70_000)
    await over(caller)


async def reads_nothing(caller: SimulatedCaller, took: Took) -> None:
    """Take nothing off the socket for a while, then go on."""
    await caller.silence(LINE_S)
    await ask(caller, took)
    caller.stop_reading()
    await caller.silence(8)
    caller.read_on()
    await caller.silence(1)
    await ask(caller, took, LATE_ANSWER_S)


async def asks(caller: SimulatedCaller, took: Took) -> None:
    """Two questions to an API that does wrong; each is answered in the end."""
    await caller.silence(LINE_S)
    for _ in range(2):
        await ask(caller, took, LATE_ANSWER_S)
        await listen(caller)


async def asks_again(caller: SimulatedCaller, took: Took) -> None:
    """A question, a pause in which the API fails and comes back, and another question that is answered."""
    await caller.silence(LINE_S)
    await ask(caller, took, LATE_ANSWER_S)
    await caller.silence(8)
    await caller.wait_quiet()
    await ask(caller, took, LATE_ANSWER_S)
    await caller.wait_heard(300, ANSWER_S)


async def asks_until_answered(caller: SimulatedCaller, took: Took) -> None:
    """Ask again where nothing is heard, as people do; a first question that the API never heard may be lost."""
    await caller.silence(LINE_S)
    for _ in range(3):
        try:
            await ask(caller, took, ANSWER_S)
        except TimeoutError:
            continue
        await listen(caller)
        return
    raise WrongError("three questions, and no answer")


async def interrupts_anyhow(caller: SimulatedCaller, took: Took) -> None:
    """Break into the answers of an API that does wrong with cancels; the assistant stops, and answers again."""
    await interrupts(caller, took)


async def asks_in_vain(caller: SimulatedCaller, took: Took) -> None:
    """Ask, and hear nothing, or the end of the call."""
    del took
    try:
        await caller.silence(LINE_S)
        await caller.say(QUESTION)
        await caller.silence(20)
    except CallOverError:
        return


async def waits_for_the_end(caller: SimulatedCaller, took: Took) -> None:
    """Ask, and hear the call end."""
    await asks_in_vain(caller, took)
    await over(caller)


async def over(caller: SimulatedCaller) -> None:
    """Wait until the server has ended the call, too."""
    await caller.wait_over(LATE_ANSWER_S)
