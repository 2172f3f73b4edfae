"""Many calls at a time: each of its kind, and what came of it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp
import attrs

from callfsm.sim.caller import CallOverError, SimulatedCaller, place_call
from callfsm.sim.chaos import Switchboard
from callfsm.sim.media_line import Kind
from callfsm.sim.speech_files import load
from callfsm.sim.webhook import Details, NotConnectedError

from . import doors
from .acts import Took, WrongError
from .kinds import CallKind

SESSION_S: Final = 10.0
BREAKER_S: Final = 4.0
DOOR_EACH_S: Final = 7.0
CALL_MOST_S: Final = 150.0
FIRST_NUMBER: Final = 10_000_000


@attrs.define
class Outcome:
    """What came of one call; `wrong` says what should not have been."""

    kind: str
    call_sid: str
    ends: tuple[str, ...]
    is_healthy: bool = False
    took: Took = attrs.Factory(Took)
    wrong: list[str] = attrs.Factory(list)
    end: str = ""
    """Why it ended, by its journal."""


@attrs.define(eq=False)
class Population:
    """Who calls. `outcomes` are those of all calls that are over."""

    base: str
    board: Switchboard
    outcomes: list[Outcome] = attrs.field(factory=list, init=False)
    door_errors: list[str] = attrs.field(factory=list, init=False)
    knocks: int = attrs.field(default=0, init=False)
    _beginning: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _begun: int = attrs.field(default=0, init=False)

    async def keep_calling(self, kinds: Iterator[CallKind], until_s: float, after_s: float) -> None:
        """Make one call after another."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(after_s)
        while loop.time() < until_s:
            await self.call(next(kinds))

    async def call(self, kind: CallKind) -> None:
        """Make one call, and keep what came of it."""
        self._begun += 1
        details = Details(caller=f"+9725{FIRST_NUMBER + self._begun}", called=kind.called)
        outcome = Outcome(kind.name, details.call_sid, kind.ends, kind.is_healthy)
        self.board.expect(details.caller, *kind.plans)
        try:
            async with asyncio.timeout(CALL_MOST_S):
                await self._make(kind, details, outcome)
        except* (WrongError, CallOverError, NotConnectedError, TimeoutError, aiohttp.ClientError, OSError) as group:
            outcome.wrong += [f"{type(error).__name__}: {error}" for error in _each(group)]
        self.board.forget(details.caller)
        self.outcomes.append(outcome)

    async def _make(self, kind: CallKind, details: Details, outcome: Outcome) -> None:
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._beginning)
            self.board.refusals.extend(kind.refusals)
            place = place_call(f"{self.base}/twilio/voice", details=details, background=load("line_noise").ulaw)
            async with place as caller:
                if not kind.closes_doors:
                    # Else this call's handshake might meet what the next one is to meet.
                    await self.board.wait_refused(SESSION_S)
                    await self.board.wait_for_session(details.caller, SESSION_S)
                    await held.aclose()
                await kind.act(caller, outcome.took)
                await caller.hang_up()
            if kind.closes_doors:
                # Until the API has been looked at again.
                await asyncio.sleep(BREAKER_S)
        await self._look_back(caller, outcome)

    async def _look_back(self, caller: SimulatedCaller, outcome: Outcome) -> None:
        """Ask what follows the call, as Twilio does; note what Twilio would have refused."""
        outcome.wrong += [f"Twilio would refuse: {entry.detail}" for entry in caller.entries(Kind.FAULT)]
        url = f"{self.base}/twilio/after"
        async with aiohttp.ClientSession() as http, http.post(url, data=caller.details.form()) as answer:
            twiml = await answer.text()
        if answer.status != 200 or "<Hangup" not in twiml:
            outcome.wrong.append(f"after the call: {answer.status} {twiml[:100]}")
        is_owed = any(end.startswith(("realtime_", "reply_failed")) for end in outcome.ends)
        if is_owed is not ("<Play" in twiml):
            outcome.wrong.append(f"after the call: {'no' if is_owed else 'an'} apology")

    async def knock(self, until_s: float) -> None:
        """Be the peers that never become a call, one after the other."""
        knocks: list[Callable[[str], Awaitable[object]]] = [
            doors.never_starts, doors.never_opens, doors.never_asks, self._falls_silent,
        ]  # fmt: skip
        while asyncio.get_running_loop().time() < until_s:
            knock = knocks[self.knocks % len(knocks)]
            self.knocks += 1
            try:
                # A ring is answered with an apology while the API is refused for good.
                async with self._beginning:
                    pass
                await knock(self.base)
            except NotConnectedError:
                continue
            except (WrongError, TimeoutError, aiohttp.ClientError, OSError) as error:
                self.door_errors.append(f"{getattr(knock, '__name__', knock)}: {type(error).__name__}: {error}")
            await asyncio.sleep(DOOR_EACH_S)

    async def _falls_silent(self, base: str) -> None:
        call_sid = await doors.falls_silent(base)
        self.outcomes.append(Outcome("falls silent", call_sid, ("no_media",)))


def dealt(deck: Iterable[CallKind], seed: int) -> Iterator[CallKind]:
    """Deal the deck for ever, shuffled anew each time: every kind comes, as often as its weight says."""
    source = random.Random(seed)  # noqa: S311 - a soak that can be repeated
    cards = list(deck)
    while True:
        source.shuffle(cards)
        yield from cards


def is_allowed(outcome: Outcome) -> bool:
    """Say whether the call ended as one of its kind may."""
    return any(outcome.end.startswith(end) for end in outcome.ends)


def journal_of(folder: Path, call_sid: str) -> list[Path]:
    """Return the journals of a call, of which there should be one."""
    return list(folder.glob(f"*-{call_sid}.jsonl"))


def _each(group: BaseExceptionGroup[Exception]) -> list[BaseException]:
    """Return the exceptions of a group, and of the groups in it."""
    return [
        one
        for error in group.exceptions
        for one in (_each(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
