"""The kinds of calls: who calls, how OpenAI behaves to them, how often, and how such a call may end."""

from collections.abc import Awaitable, Callable
from typing import Final

from attrs import evolve, frozen

from callfsm.sim.caller import SimulatedCaller
from callfsm.sim.chaos import Break, Plan
from callfsm.sim.realtime_script import Fault, Reply, Script, Utterance, clip_reply
from callfsm.sim.speech_files import load

from . import acts
from .acts import Took
from .process import GREETING_NUMBER

PLAIN_NUMBER: Final = "+97231234567"
HANGUP: Final = ("hangup",)
LOST: Final = ("twilio_lost",)
_HOURS: Final = clip_reply("he_reply_hours")
_SHORT: Final = clip_reply("he_reply_short")
_HEARD: Final = Utterance(load("he_question").text)
GOOD: Final = Script(default_utterance=_HEARD, default_reply=_HOURS, greeting=clip_reply("he_greeting"))
_COMMITTED: Final = "input_audio_buffer.committed"
_DELTA: Final = "response.output_audio.delta"

Act = Callable[[SimulatedCaller, Took], Awaitable[None]]


@frozen
class CallKind:
    """One kind of call. `weight` is how many of it are in a deck of calls.

    `ends` are the reasons with which it may end, or their beginnings. `is_healthy`: nobody does wrong, and what it
    waits is measured. `refusals` are the statuses of the API's next handshakes: no other call begins until they were
    met, nor, where such a call `closes_doors`, until it is over and the doors are open again.
    """

    name: str
    act: Act
    plans: tuple[Plan, ...] = (Plan(GOOD),)
    ends: tuple[str, ...] = HANGUP
    weight: int = 1
    is_healthy: bool = False
    called: str = PLAIN_NUMBER
    refusals: tuple[int, ...] = ()
    closes_doors: bool = False


def _script(*faults: Fault) -> tuple[Plan, ...]:
    return (Plan(evolve(GOOD, faults=frozenset(faults))),)


def _replies(*replies: Reply) -> tuple[Plan, ...]:
    return (Plan(evolve(GOOD, replies=replies)),)


def _faulty(*faults: Fault) -> Reply:
    return evolve(_HOURS, faults=frozenset(faults))


def _breaks(how: Break, event_type: str, at: int = 1) -> tuple[Plan, ...]:
    return (Plan(GOOD, how, event_type, at), Plan(GOOD))


_UNREADABLE: Final = Plan(evolve(GOOD, default_utterance=Utterance("...")))
_SLOW: Final = Plan(evolve(GOOD, default_reply=evolve(_SHORT, created_delay_ms=1500, audio_delay_ms=2000)))
_REFUSED: Final = "realtime_refused_"

QUIET: Final = (
    CallKind("asks and listens", acts.asks_and_listens, weight=11, is_healthy=True),
    CallKind("interrupts", acts.interrupts, weight=12, is_healthy=True),
    CallKind("is greeted", acts.is_greeted, weight=9, is_healthy=True, called=GREETING_NUMBER),
)
CALLERS: Final = (
    CallKind("says nothing", acts.says_nothing),
    CallKind("mumbles", acts.mumbles, (_UNREADABLE,)),
    CallKind("hangs up in mid-word", acts.hangs_up_in_mid_word),
    CallKind("is reset", acts.is_cut_off, ends=LOST),
    CallKind("is dropped", acts.is_dropped, ends=LOST),
    CallKind("presses keys", acts.presses_keys, _replies(_SHORT, _SHORT, _SHORT)),
    CallKind("floods", acts.floods, ends=("twilio_flood",)),
    CallKind("mangles messages", acts.mangles, _replies(_SHORT, _SHORT)),
    CallKind("sends too much", acts.sends_too_much, ends=("twilio_broke_protocol",)),
    CallKind("reads nothing", acts.reads_nothing),
)
API: Final = (
    CallKind("API: lost in mid-reply", acts.asks_again, (*_replies(_faulty(Fault.CLOSE_MID_RESPONSE)), Plan(GOOD))),
    CallKind("API: reset in mid-reply", acts.asks_again, _breaks(Break.RESET, _DELTA, 5)),
    CallKind("API: mute from the first commit", acts.asks_until_answered, _breaks(Break.MUTE, _COMMITTED)),
    CallKind("API: mute from the second commit", acts.asks, _breaks(Break.MUTE, _COMMITTED, 2)),
    CallKind("API: mute in mid-reply", acts.asks_again, _breaks(Break.MUTE, _DELTA, 20)),
    CallKind(
        "API: never ready", acts.waits_for_the_end, _script(Fault.NO_SESSION_UPDATED), ("realtime_never_ready",)
    ),
    CallKind(
        "API: settings rejected",
        acts.waits_for_the_end,
        _script(Fault.REJECTED_SESSION),
        ("realtime_session_rejected",),
    ),
    CallKind("API: one reply fails", acts.asks, _replies(_faulty(Fault.FAILED))),
    CallKind("API: all replies fail", acts.waits_for_the_end, _script(Fault.FAILED), ("reply_failed",)),
    CallKind("API: replies without audio", acts.waits_for_the_end, _script(Fault.NO_AUDIO), ("reply_failed",)),
    # Which limit is met first is a matter of the configuration.
    CallKind(
        "API: no response", acts.waits_for_the_end, _script(Fault.NO_RESPONSE), ("reply_failed", "realtime_lost")
    ),
    CallKind("API: no transcript", acts.asks_in_vain, _script(Fault.NO_TRANSCRIPT)),
    CallKind(
        "API: says all twice, and late", acts.interrupts_anyhow, _script(Fault.DUPLICATE_DONE, Fault.LATE_DELTAS)
    ),
    CallKind("API: cancels unanswered", acts.interrupts_anyhow, _script(Fault.CANCEL_UNANSWERED)),
    CallKind("API: cancels answered as in the beta", acts.interrupts_anyhow, _script(Fault.CANCELLED_EVENT)),
    CallKind("API: speaks unasked", acts.asks, _script(Fault.UNSOLICITED_RESPONSE)),
    CallKind("API: another response in the way", acts.asks, _script(Fault.FOREIGN_RESPONSE)),
    CallKind("API: unreadable", acts.asks, _replies(_faulty(Fault.BAD_BASE64, Fault.MALFORMED_JSON))),
    CallKind("API: unknown and old names", acts.asks, _script(Fault.UNKNOWN_EVENTS, Fault.BETA_NAMES)),
    CallKind("API: slow", acts.asks, (_SLOW,)),
)
REFUSED: Final = (
    CallKind("API: refused once", acts.asks, refusals=(500,)),
    CallKind(
        "API: refused (401)", acts.waits_for_the_end, ends=(f"{_REFUSED}401",), refusals=(401,), closes_doors=True
    ),
)
ALL: Final = (*QUIET, *CALLERS, *API, *REFUSED)
DECK: Final = tuple(kind for kind in ALL for _ in range(kind.weight))
LAST: Final = CallKind(
    "API: refused (429)", acts.waits_for_the_end, ends=(f"{_REFUSED}429",), refusals=(429,) * 3, closes_doors=True
)
"""Made alone, when all others are over: one of its tries might otherwise be another call's that connects anew."""
