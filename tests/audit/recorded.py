"""Whole calls on the pure core that keep their journals: what reading, replaying and telling a call is tested with."""

from pathlib import Path
from typing import Any

import msgspec
from attrs import evolve

from callfsm.audit.account.account import account_of
from callfsm.audit.account.values import Account
from callfsm.audit.journal import FORMAT_VERSION, line_of
from callfsm.audit.recording import read_journal
from callfsm.call import Call
from callfsm.config import Business, Config, Tool
from callfsm.config_file import config_values
from callfsm.effects import Effect
from callfsm.events import CallEnded, Event
from callfsm.states.base import State
from tests.calls import GREETING_BUSINESS, SILENT_BUSINESS, TOOL_BUSINESS, audio
from tests.dialogue import Dialogue

HELLO = "שלום, מתי אתם פתוחים?"
Line = dict[str, Any]


class RecordedDialogue(Dialogue):
    """A dialogue that keeps its journal."""

    def __init__(
        self,
        business: Business = SILENT_BUSINESS,
        config: Config | None = None,
        clip_ms: int = 0,
        *,
        ready: bool = True,
        clip_levels_rms: tuple[int, ...] = (),
    ) -> None:
        self.lines: list[Line] = []
        self.config = evolve(config or Config(), business=(business,))
        self.clip = audio(clip_ms)
        super().__init__(business, self.config, ready=False)
        self.clip_levels_rms = clip_levels_rms
        self.call = Call.begin(self.config, business, greeting_clip=self.clip, greeting_levels_rms=clip_levels_rms)
        if ready:
            self.openai.is_ready()

    def feed(self, event: Event) -> list[Effect]:
        source = self.call.state
        effects = super().feed(event)
        self.lines.append(line_of(event, source, self.call.state))
        return effects

    def hangs_up(self) -> "RecordedDialogue":
        self.feed(CallEnded(self.now, "hangup"))
        return self

    def said(self, text: str) -> "RecordedDialogue":
        """The caller says something, and its transcript comes 200 ms after the end of the turn."""
        self.caller.says(500)
        self.caller.silent(200)
        self.openai.transcribes(text)
        return self

    def journal(self, **header: Any) -> list[Line]:
        """All lines of the journal so far; it breaks off where the call was not hung up."""
        ending = [end_of(self.call.end_reason)] if self.call.state is State.ENDED else []
        clip = {"greeting_clip_bytes": len(self.clip), "greeting_clip_levels_rms": self.clip_levels_rms}
        return [header_of(self.config, **clip, **header), *self.lines, *ending]

    def write(self, path: Path, **header: Any) -> Path:
        return write(path, self.journal(**header))

    def account(self, folder: Path, config: Config | None = None) -> Account:
        return account_of(read_journal(self.write(folder / "CA1.jsonl")), config)


def header_of(config: Config, **more: Any) -> Line:
    return {
        "journal": FORMAT_VERSION,
        "callfsm": "0.1.0",
        "transitions": "0.9.3",
        "python": "3.11.7",
        "started": "2026-11-25T15:45:04.398464+00:00",
        "call_sid": "CA1",
        "business": "*",
        "greeting_clip_bytes": 0,
        "greeting_clip_levels_rms": [],
        "config": config_values(config),
    } | more


def end_of(reason: str) -> Line:
    return {"end": {"reason": reason, "state": "ENDED", "counts": {}}}


def write(path: Path, lines: list[Line]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


HEADER = header_of(Config())


def asking() -> RecordedDialogue:
    """The line has been measured, and the caller has asked; the reply is requested."""
    call = RecordedDialogue()
    call.caller.silent(1500)
    return call.said("שלום, מתי אתם פתוחים?")


def answered() -> RecordedDialogue:
    """A call whose caller asks once, hears the whole answer, and hangs up."""
    call = asking()
    call.openai.replies(1000)
    call.twilio.plays()
    call.caller.silent(500)
    return call.hangs_up()


def barged_in() -> RecordedDialogue:
    """A call whose caller interrupts the first answer after 800 ms, and hears the second."""
    call = asking()
    call.openai.replies(3000)
    call.twilio.plays(800)
    call.said("רגע, ובשישי?")
    call.openai.had_nothing_to_cancel()
    call.openai.replies(1000)
    call.twilio.plays()
    return call.hangs_up()


def levels(ms: int, rms: int = 3000) -> tuple[int, ...]:
    """How loud a reply is that pauses for 100 ms in each 400."""
    return tuple(40 if place % 20 < 5 else rms for place in range(ms // 20))


def gone_on() -> RecordedDialogue:
    """A call in whose answer of 3 s somebody coughs after 1 s: it stops at 3.82 s, and goes on at 4.42 s."""
    call = asking()
    call.openai.begins()
    call.openai.speaks(3000, levels_rms=levels(3000))
    call.openai.words("אנחנו פתוחים בכל יום")
    call.openai.finishes()
    call.twilio.plays(1000)
    call.caller.whispers(200)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(420)
    call.openai.transcribes("")
    call.twilio.plays()
    call.caller.silent(500)
    return call.hangs_up()


def continued() -> RecordedDialogue:
    """A call whose answer is stopped by a click while it is being generated, goes on, and is continued."""
    call = asking()
    call.openai.begins()
    call.openai.speaks(2000)
    call.openai.words("אנחנו פתוחים", is_whole=False)
    call.twilio.plays(1000)
    call.caller.whispers(40)
    call.openai.finishes("cancelled")
    call.caller.silent(580)
    call.twilio.plays()
    call.openai.begins()
    call.openai.speaks(800)
    call.openai.words("בכל יום")
    call.openai.finishes()
    call.twilio.plays()
    return call.hangs_up()


def whispered() -> RecordedDialogue:
    """A call whose caller whispers over the answer at 3.82 s; it goes on at 4.42 s, and stops for the words at 5.02 s."""
    call = asking()
    call.openai.replies(3000)
    call.twilio.plays(1000)
    call.caller.whispers(400)
    call.openai.had_nothing_to_cancel()
    call.caller.silent(220)
    call.twilio.plays(600)
    call.openai.transcribes("רגע אחד")
    call.openai.had_nothing_to_cancel()
    call.openai.replies(600)
    call.twilio.plays()
    return call.hangs_up()


def noisy() -> RecordedDialogue:
    """A call on whose line noise of 250 RMS sets in for 6 s behind the calibration, and ends."""
    call = RecordedDialogue()
    call.caller.silent(1500)
    call.caller.hums(6000, 250.0)
    call.openai.transcribes("")
    call.caller.silent(3000)
    return call.hangs_up()


def greeted() -> RecordedDialogue:
    """A call that is greeted, whose caller is lost for a moment and answers in a foreign way."""
    call = RecordedDialogue(GREETING_BUSINESS)
    call.caller.silent(1500)
    call.openai.replies(600)
    call.twilio.plays()
    call.said('"שלום"\\')
    call.openai.is_lost()
    call.caller.silent(200)
    call.openai.is_ready()
    call.openai.begins()
    call.openai.speaks(400)
    call.openai.words("it's nothing")
    call.openai.finishes()
    call.twilio.plays()
    call.said("it's me")
    return call.hangs_up()


def helped() -> RecordedDialogue:
    """A call whose assistant asks a function, and whose caller presses keys."""
    call = RecordedDialogue(evolve(TOOL_BUSINESS, tool=(Tool("lookup", "looks", "https://secret.example.org/"),)))
    call.caller.silent(1500)
    call.said("איפה ההזמנה שלי?")
    call.openai.begins()
    call.openai.calls("lookup")
    call.openai.finishes()
    call.answers()
    call.openai.replies(400)
    call.twilio.plays()
    call.caller.presses("12")
    call.caller.silent(2500)
    return call.hangs_up()


def taped(business: Business = SILENT_BUSINESS, config: Config | None = None) -> RecordedDialogue:
    """A call after 1.5 s of quiet."""
    dialogue = RecordedDialogue(business, config)
    dialogue.caller.silent(1500)
    return dialogue


def asked(business: Business = SILENT_BUSINESS, config: Config | None = None) -> RecordedDialogue:
    """A call whose caller asked something from 1.52 s to 2.0 s; the reply was requested at 2.6 s."""
    dialogue = taped(business, config)
    dialogue.caller.says(500)
    dialogue.openai.transcribes(HELLO)
    return dialogue


def interrupted() -> RecordedDialogue:
    """The caller heard 1 s of 3, and said something else."""
    dialogue = asked()
    dialogue.openai.begins()
    dialogue.openai.words("אנחנו פתוחים בכל יום")
    dialogue.openai.speaks(3000)
    dialogue.openai.finishes()
    dialogue.twilio.plays(1000)
    dialogue.caller.says(400)
    dialogue.openai.had_nothing_to_cancel()
    dialogue.openai.transcribes("רגע אחד")
    return dialogue
