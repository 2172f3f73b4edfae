"""Calls with a past: each is made by the events that lead to it, so that no test begins where no call can be.

All frames of a burst may carry one time: the core counts them. Times are chosen to be exact in binary.
"""

from collections.abc import Sequence

from attrs import evolve, frozen

from callfsm.call import Call
from callfsm.config import Business, Config, GateConfig, Tool, TurnConfig
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    Event,
    PlaybackMarked,
    RealtimeReady,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    TimerFired,
    TranscriptCompleted,
)
from callfsm.machine import dispatch
from callfsm.speaking.clips import CLIP_ITEM, NO_CLIPS, Clip, Clips
from callfsm.speaking.playback import Piece
from callfsm.speaking.prompts import Facts, briefing, greeting_instructions, reminder_instructions

QUIET = 90.0
LOUD = 1000.0
THRESHOLD = 150.0
"""What calibration on QUIET frames finds: 90 + 60."""

SILENT_BUSINESS = Business(name="מאפייה", prompt="ענה בקצרה.")
GREETING_BUSINESS = Business(name="מאפייה", prompt="ענה בקצרה.", enable_greeting=True, greeting="שלום, מאפייה.")

LOOKUP = Tool(name="lookup", description="מחפש הזמנה", url="https://shop.example.org/lookup", timeout_s=5.0)
TOOL_BUSINESS = evolve(SILENT_BUSINESS, transfer_number="+97239999999", tool=(LOOKUP,))

GREETED_WITH = greeting_instructions(briefing(GREETING_BUSINESS, Facts()), GREETING_BUSINESS.greeting)
REMINDED_WITH = reminder_instructions(briefing(SILENT_BUSINESS, Facts()))

CONFIG = Config(turn=TurnConfig(confirm_voiced_ms=100))
"""The default but for the proof of somebody, which is five frames: the numbers of the stories are about so many."""


def loud(at: float, payload: str = "loud", rms: float = LOUD, voicing: float = 1.0) -> RmsFrame:
    """A loud frame of a voice; of no voice with `voicing` 0.0."""
    return RmsFrame(at, rms, payload, voicing)


def quiet(at: float, payload: str = "quiet", rms: float = QUIET) -> RmsFrame:
    return RmsFrame(at, rms, payload)


def louds(at: float, count: int, name: str = "loud", rms: float = LOUD, voicing: float = 1.0) -> list[RmsFrame]:
    return [RmsFrame(at, rms, f"{name}{number}", voicing) for number in range(1, count + 1)]


def quiets(at: float, count: int, name: str = "quiet", rms: float = QUIET) -> list[RmsFrame]:
    return [RmsFrame(at, rms, f"{name}{number}") for number in range(1, count + 1)]


def utterance(at: float, name: str = "u", loud_frames: int = 15) -> list[RmsFrame]:
    """Speech of so many loud frames, and the 600 ms of silence that end it."""
    return [*louds(at, loud_frames, f"{name}L"), *quiets(at, 30, f"{name}Q")]


def audio(ms: int) -> bytes:
    return b"\x55" * (8 * ms)


@frozen
class Story:
    """A call's past: whose it is, and what has happened to it."""

    events: tuple[Event, ...] = ()
    business: Business = SILENT_BUSINESS
    config: Config = CONFIG
    clip: bytes = b""
    clip_levels_rms: tuple[int, ...] = ()
    clips: Clips = NO_CLIPS

    def then(self, *more: Event | Sequence[Event]) -> "Story":
        events = list(self.events)
        for step in more:
            events += step if isinstance(step, Sequence) else [step]
        return evolve(self, events=tuple(events))

    def with_turn(self, turn: TurnConfig) -> "Story":
        return evolve(self, config=evolve(self.config, turn=turn))

    def with_gate(self, gate: GateConfig) -> "Story":
        return evolve(self, config=evolve(self.config, gate=gate))

    def with_tools(self) -> "Story":
        """The same of a business that has the function `lookup`, and a number to transfer callers to."""
        return evolve(
            self, business=evolve(self.business, transfer_number=TOOL_BUSINESS.transfer_number, tool=(LOOKUP,))
        )

    def with_clips(self) -> "Story":
        """The same with recordings in mid-call: half a second asks for a moment, 100 ms warn of the end."""
        return evolve(self, clips=Clips(Clip(Piece(CLIP_ITEM, audio(500))), Clip(Piece(CLIP_ITEM, audio(100)))))

    def call(self) -> Call:
        call = Call.begin(
            self.config,
            self.business,
            greeting_clip=self.clip,
            greeting_levels_rms=self.clip_levels_rms,
            clips=self.clips,
        )
        for event in self.events:
            dispatch(call, event)
        return call


def silent_business() -> Story:
    return Story().then(RealtimeReady(0.0))


def greeting_business() -> Story:
    return Story(business=GREETING_BUSINESS).then(RealtimeReady(0.0))


def clip_business() -> Story:
    """The greeting is a recording of half a second."""
    return Story(business=GREETING_BUSINESS, clip=audio(500)).then(RealtimeReady(0.0))


def greeted_by_clip() -> Story:
    """Past the grace of a greeting of half a second that is a recording; all of it is sent, nothing echoed."""
    return clip_business().then(quiets(1.0, 75, "c"), TimerFired(1.3))


def calibrating(frames: int = 74) -> Story:
    return silent_business().then(quiets(1.0, frames, "c"))


def waiting() -> Story:
    """Calibrated on QUIET; nobody has spoken. The last 600 ms are held."""
    return calibrating(75)


def greeting() -> Story:
    """The greeting was requested at 1.0, as turn 1; its audio is awaited until 9.0."""
    return greeting_business().then(quiets(1.0, 75, "c"))


def greeting_begun() -> Story:
    return greeting().then(ResponseCreated(1.25, "g1", 1))


def greeting_audible() -> Story:
    """AI_GRACE from 1.5 to 1.8: half a second of greeting, two marks."""
    return greeting_begun().then(AudioDelta(1.5, "g1", "ga1", audio(500)))


def said_hello() -> Story:
    """WAITING_FOR_USER: the first utterance is item u1; its transcript is awaited until 5.0."""
    return waiting().then(utterance(2.0, "u"), AudioCommitted(2.25, "u1"))


def reply_requested() -> Story:
    """LISTENING: the first reply was requested at 2.5, as turn 1; its audio is awaited until 10.5."""
    return said_hello().then(TranscriptCompleted(2.5, "u1", "שלום לך"))


def reply_begun() -> Story:
    return reply_requested().then(ResponseCreated(2.75, "r1", 1))


def listening() -> Story:
    """LISTENING: a first reply of 100 ms has been heard to its end; nothing is in flight, owed or awaited."""
    return reply_begun().then(
        AudioDelta(3.0, "r1", "a1", audio(100)),
        ResponseDone(3.0, "r1", 1, "completed", ("a1",)),
        PlaybackMarked(3.125, "m1"),
    )


def grace() -> Story:
    """AI_GRACE from 3.25 to 3.55: half a second of reply sent, marks m1 and m2 pending, more to come."""
    return reply_begun().then(AudioDelta(3.25, "r1", "a1", audio(500)))


def speaking() -> Story:
    """AI_SPEAKING: m1 was echoed at 3.5; what was sent will have been heard at 3.8, and more may come."""
    return grace().then(PlaybackMarked(3.5, "m1"), TimerFired(3.5625))


def tail() -> Story:
    """AI_SPEAKING: the same, and generation is over; m2 and m3 are pending."""
    return speaking().then(ResponseDone(3.625, "r1", 1, "completed", ("a1",)))


def cancelling() -> Story:
    """CANCELLING: stopped at 3.75, of which 400 ms were heard and 100 are kept; a sound is open; until 5.25.

    One frame of it has been heard, and is voiced: four more prove that it is speech.
    """
    return speaking().then(loud(3.75, "b1"))


def confirmed() -> Story:
    """CANCELLING: the same, and the caller has been proven to speak; nothing is kept."""
    return cancelling().then(louds(3.75, 4, "s"))


def greeting_stopped() -> Story:
    """CANCELLING: the greeting was stopped at 1.875, of which 200 ms were heard; one voiced frame is open; until 3.375."""
    return greeting_audible().then(TimerFired(1.8125), loud(1.875, "b1"))


def given_up() -> Story:
    """CANCELLING: no audio came in 8 s; the reply is owed once more, the caller is silent; until 12.0."""
    return reply_begun().then(TimerFired(10.5))


def greeting_given_up() -> Story:
    """CANCELLING: no audio of the greeting came in 8 s; it is owed once more; until 10.5."""
    return greeting_begun().then(TimerFired(9.0))
