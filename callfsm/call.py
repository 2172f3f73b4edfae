"""One call: its state, and the extended state that the rows' guards read and their actions change."""

import math
from collections import deque

from attrs import define, field

from callfsm.config import Business, Config
from callfsm.effects import INFO, WARNING, Count, Effect, Log
from callfsm.events import Event, RmsFrame
from callfsm.hearing.gate import Gate
from callfsm.hearing.line import NewsKind
from callfsm.hearing.turn import Turn, Utterance
from callfsm.speaking.clips import NO_CLIPS, Clips
from callfsm.speaking.playback import Heard, Playback
from callfsm.speaking.prompts import NO_FACTS, Facts, briefing
from callfsm.speaking.response import Owed, Response
from callfsm.states.base import State

_TOLD = {
    NewsKind.FOLLOWS: (INFO, "Threshold follows the noise"),
    NewsKind.RESTORED: (INFO, "Calibrated threshold restored"),
    NewsKind.RAISED: (INFO, "Silent line hums, recalibrated"),
    NewsKind.DEAF: (WARNING, "Sound just below the threshold for long, and nothing passes"),
}
SECOND_OF_WORDS = 15
"""So many characters are said in a second, more or less."""
HISTORY_TURNS = 40
"""So many turns of the call are told to a Realtime session that replaces a lost one."""
TURN_CHARACTERS = 4000
"""So much of each."""


@define(eq=False)
class Call:
    """One call. Only the engine assigns `state`; only the rows' actions change the rest."""

    config: Config
    business: Business
    briefing: str = field(repr=False)
    """Who the assistant is and what it knows."""
    gate: Gate
    greeting_clip: bytes = field(default=b"", repr=False)
    """The greeting as a recording, mu-law; empty where it is generated."""
    greeting_levels_rms: tuple[int, ...] = ()
    """How loud each 20 ms of it are."""
    clips: Clips = NO_CLIPS
    """What is said in mid-call without a model."""
    state: State = State.CALIBRATING
    turn: Turn = field(factory=Turn)
    response: Response = field(factory=Response)
    playback: Playback = field(factory=Playback)
    is_ready: bool = False
    """The Realtime session takes messages."""
    has_real_user_utterance: bool = False
    needs_reminder: bool = False
    """The last reply was not Hebrew."""
    calibration: list[RmsFrame] = field(factory=list)
    """The frames heard while the line was measured, gated when that ends."""
    backlog: deque[RmsFrame] = field(factory=deque)
    """Frames that dispatch feeds again once the line has been measured."""
    reply_transcript: str = ""
    """The words of the reply's finished pieces."""
    reply_words: str = ""
    """The words so far of the piece that is being spoken."""
    cut: list[Heard] = field(factory=list)
    """What was heard of each item of the newest reply, once its playback has ended."""
    left_items: tuple[str, ...] = ()
    """What a cancelled response left in the conversation, while it is open whether its reply goes on."""
    is_reply_unknown: bool = False
    """The Realtime session does not know what the caller hears: a clip, or the words of a session that was lost."""
    digits: str = ""
    """Keys that were pressed and not told to the model yet."""
    digits_deadline: float = math.inf
    tools: dict[str, float] = field(factory=dict)
    """The functions that have been called and have not answered, by call id: when each is given up."""
    farewell: str = ""
    """Why the call ends once the caller has heard the goodbye; empty where it goes on."""
    farewell_call_id: str = ""
    history: deque[tuple[str, str]] = field(factory=lambda: deque(maxlen=HISTORY_TURNS))
    """The turns so far: role and text."""
    end_reason: str = ""
    deadline: float = math.inf
    """The one time at which the call wants `TimerFired`, in monotonic seconds; inf where it waits for no time."""
    effects: list[Effect] = field(factory=list)
    moves: list[tuple[State, type[Event], State]] = field(factory=list)
    """The changes of state of the newest dispatch: from, on, to."""
    _event_ids: int = 0

    @classmethod
    def begin(
        cls,
        config: Config,
        business: Business,
        facts: Facts = NO_FACTS,
        greeting_clip: bytes = b"",
        greeting_levels_rms: tuple[int, ...] = (),
        *,
        clips: Clips = NO_CLIPS,
    ) -> "Call":
        """Return a call of which nothing has been heard yet; `greeting_clip` is mu-law, empty for none."""
        owed = Owed.GREETING if business.enable_greeting else Owed.NOTHING
        return cls(
            config,
            business,
            briefing(business, facts),
            Gate.before_calibration(config.gate),
            greeting_clip,
            greeting_levels_rms,
            clips,
            response=Response(owed=owed),
        )

    @property
    def is_gate_open(self) -> bool:
        """The newest frame passed the gate."""
        utterance = self.turn.open
        return utterance is not None and utterance.quiet_ms <= self.config.gate.hangover_ms

    @property
    def in_doubt(self) -> Utterance | None:
        """The open utterance, while the assistant has been stopped and nothing has shown who it is."""
        return self.turn.open if self.playback.is_paused else None

    @property
    def words_of_reply(self) -> str:
        """What the newest reply says, as far as it is known."""
        return self.reply_transcript + self.reply_words

    def words_heard(self, at: float) -> str:
        """Return what of the newest reply's words the caller can have heard, and a second more, or all where unknown.

        Of a reply that is over it stands in the history, unless its words came later.
        """
        words, playback = self.words_of_reply, self.playback
        if playback.received:
            count = len(words) * playback.furthest(at) // playback.received
        else:
            told = next((text for role, text in reversed(self.history) if role == "assistant"), "")
            count = len(told) if words.startswith(told) else len(words)
        return words[: count + SECOND_OF_WORDS]

    def hear(self, frame: RmsFrame) -> None:
        """Let a frame move what is known of the line, before any row judges it."""
        config = self.config.gate
        if not config.follow_factor and not config.echo_factor:
            return
        marked_rms, played_rms = self.playback.levels_rms(frame.at)
        news = self.gate.line.hear(
            frame.rms,
            max(marked_rms, played_rms),
            config,
            is_gate_open=self.is_gate_open,
            is_voiced=frame.voicing >= config.min_voicing,
            played_rms=played_rms,
        )
        if news is not None:
            level, text = _TOLD[news.kind]
            self.log(level, f"[VAD] {text}, noise={news.noise_rms:.1f}, speech_threshold={news.threshold_rms:.1f}")
            self.effects.append(Count(f"line:{news.kind.name.lower()}"))

    def event_id(self, prefix: str) -> str:
        """Return an event id for a message of ours, unique in the call."""
        self._event_ids += 1
        return f"{prefix}{self._event_ids}"

    def tell_history(self, role: str, text: str) -> None:
        """Remember a turn of the call, for a session that may replace this one."""
        self.history.append((role, text[:TURN_CHARACTERS]))

    def log(self, level: int, message: str) -> None:
        """Have a line written to the call's log."""
        self.effects.append(Log(level, message))

    def tell_realtime(self, effect: Effect) -> None:
        """Have a message sent to the Realtime session, if there is one; a new one is told anew."""
        if self.is_ready:
            self.effects.append(effect)
