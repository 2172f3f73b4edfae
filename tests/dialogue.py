"""A whole call on the pure core, told as a dialogue: the caller, OpenAI and Twilio take turns; time passes by frames."""

from collections import Counter, deque
from collections.abc import Sequence
from hashlib import shake_256
from typing import Final, TypeVar

from callfsm.call import Call
from callfsm.config import Business, Config, TurnConfig
from callfsm.effects import (
    DEBUG,
    CancelResponse,
    ClearPlayback,
    CommitAudio,
    CreateResponse,
    Effect,
    Log,
    PlayAudio,
    SendMark,
)
from callfsm.events import (
    AudioCommitted,
    AudioDelta,
    DtmfReceived,
    Event,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeReady,
    ReplyTranscript,
    ResponseCreated,
    ResponseDone,
    RmsFrame,
    SpeechDetected,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.mulaw import BYTES_PER_MS, FRAME_BYTES
from callfsm.machine import dispatch
from callfsm.states.base import State
from tests.calls import LOUD, QUIET, SILENT_BUSINESS

EffectT = TypeVar("EffectT", bound=Effect)
FRAME_S = 0.02
CONFIG = Config(turn=TurnConfig(confirm_voiced_ms=100))
"""Five frames of a voice prove that somebody speaks."""
TAPE: Final = shake_256(b"what is said").digest(2**19)
"""What every reply sounds like from its beginning: no few bytes of it are like any others, so that a place shows."""
NO_PLACE: Final = -1


def place_of(speech: bytes) -> int:
    """Return how many bytes of a reply come before this piece of it; NO_PLACE for what is no piece of one."""
    return TAPE.find(speech)


class Dialogue:
    """One call, and the three who take part in it."""

    def __init__(
        self,
        business: Business = SILENT_BUSINESS,
        config: Config | None = None,
        *,
        ready: bool = True,
        greeting_clip: bytes = b"",
    ) -> None:
        self.call = Call.begin(config or CONFIG, business, greeting_clip=greeting_clip)
        self.frames = 0
        self.effects: list[Effect] = []
        self.caller, self.openai, self.twilio = Caller(self), OpenAI(self), Twilio(self)
        if ready:
            self.openai.is_ready()

    @property
    def now(self) -> float:
        return self.frames * FRAME_S

    def answers(self, call_id: str = "c1", output: str = '{"found":1}') -> list[Effect]:
        """The business's function answers."""
        return self.feed(ToolAnswered(self.now, call_id, output))

    def where(self) -> State:
        return self.call.state

    def feed(self, event: Event) -> list[Effect]:
        effects = dispatch(self.call, event)
        self.effects += effects
        self.openai.take(effects)
        self.twilio.take(effects)
        return effects

    def did(self, kind: type[EffectT]) -> list[EffectT]:
        """Every effect of a kind so far."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def log(self, above: int = DEBUG) -> list[str]:
        """The log lines so far, without those of the gate."""
        return [line.message for line in self.did(Log) if line.level > above]

    def forget(self) -> None:
        """What has been done so far needs no more looking at."""
        self.effects.clear()


class Caller:
    """The one who called."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    def hums(self, ms: int, rms: float, voicing: float = 0.0) -> list[Effect]:
        """A sound of this loudness, frame by frame; of no voice, unless it is said how voiced it is."""
        effects: list[Effect] = []
        for _ in range(ms // 20):
            self._dialogue.frames += 1
            effects += self._dialogue.feed(RmsFrame(self._dialogue.now, rms, f"f{self._dialogue.frames}", voicing))
        return effects

    def silent(self, ms: int) -> list[Effect]:
        return self.hums(ms, QUIET)

    def speaks(self, ms: int) -> list[Effect]:
        """Speech, and no end of it yet."""
        return self.hums(ms, LOUD, voicing=1.0)

    def whispers(self, ms: int) -> list[Effect]:
        """Speech without a voice, or a noise: as loud, and no end of it yet."""
        return self.hums(ms, LOUD)

    def clicks(self, ms: int = 40) -> list[Effect]:
        """A click, and silence until it is known that it was nobody."""
        return self.whispers(ms) + self.silent(620 - ms)

    def says(self, ms: int) -> list[Effect]:
        """Speech, and the silence that ends the turn."""
        return self.speaks(ms) + self.silent(600)

    def presses(self, digits: str, *, pause_ms: int = 500) -> list[Effect]:
        """Press keys, and pause after each."""
        effects: list[Effect] = []
        for digit in digits:
            effects += self._dialogue.feed(DtmfReceived(self._dialogue.now, digit)) + self.silent(pause_ms)
        return effects


class OpenAI:
    """The Realtime session: it names commits i1, i2…, and its response to turn 1 is r1, with item a1."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._unnamed: deque[str] = deque()
        self._untranscribed: deque[str] = deque()
        self._commits = 0
        self._turn = 0
        self._spoken: Counter[int] = Counter()
        self._cancel = CancelResponse("", None)

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, CommitAudio):
                self._commits += 1
                self._unnamed.append(f"i{self._commits}")
            elif isinstance(effect, CreateResponse):
                self._turn = effect.turn
            elif isinstance(effect, CancelResponse):
                self._cancel = effect

    def is_ready(self) -> list[Effect]:
        return self._dialogue.feed(RealtimeReady(self._dialogue.now))

    def is_lost(self) -> list[Effect]:
        self._unnamed.clear()
        self._untranscribed.clear()
        return self._dialogue.feed(RealtimeLost(self._dialogue.now))

    def names(self) -> None:
        """Say which items our commits have become."""
        while self._unnamed:
            self._untranscribed.append(self._unnamed.popleft())
            self._dialogue.feed(AudioCommitted(self._dialogue.now, self._untranscribed[-1]))

    def transcribes(self, text: str) -> list[Effect]:
        """Say what the oldest utterance was."""
        self.names()
        return self._dialogue.feed(TranscriptCompleted(self._dialogue.now, self._untranscribed.popleft(), text))

    def cannot_transcribe(self) -> list[Effect]:
        self.names()
        return self._dialogue.feed(TranscriptFailed(self._dialogue.now, self._untranscribed.popleft()))

    def begins(self, turn: int | None = None) -> list[Effect]:
        turn = turn or self._turn
        return self._dialogue.feed(ResponseCreated(self._dialogue.now, f"r{turn}", turn))

    def speaks(
        self, ms: int, turn: int | None = None, item: str = "a", levels_rms: tuple[int, ...] = ()
    ) -> list[Effect]:
        """Say so much more of the reply; of no loudness, unless it is said how loud each 20 ms are."""
        turn = turn or self._turn
        start = self._spoken[turn]
        self._spoken[turn] += ms * BYTES_PER_MS
        speech = TAPE[start : self._spoken[turn]]
        return self._dialogue.feed(AudioDelta(self._dialogue.now, f"r{turn}", f"{item}{turn}", speech, levels_rms))

    def words(self, text: str, *, is_whole: bool = True) -> list[Effect]:
        return self._dialogue.feed(ReplyTranscript(self._dialogue.now, f"r{self._turn}", text, is_whole))

    def finishes(
        self, status: str = "completed", turn: int | None = None, items: Sequence[str] = ("a",)
    ) -> list[Effect]:
        turn = turn or self._turn
        left = tuple(f"{item}{turn}" for item in items)
        return self._dialogue.feed(ResponseDone(self._dialogue.now, f"r{turn}", turn, status, left))

    def replies(self, ms: int) -> list[Effect]:
        """Generate all of a reply at once, as it does."""
        return self.begins() + self.speaks(ms) + self.finishes()

    def is_sure_of_speech(self) -> list[Effect]:
        """A detector of speech is sure of what the caller is saying."""
        return self._dialogue.feed(SpeechDetected(self._dialogue.now))

    def calls(self, name: str, call_id: str = "c1", turn: int | None = None) -> list[Effect]:
        """Call a function in the reply."""
        return self._dialogue.feed(ToolCalled(self._dialogue.now, f"r{turn or self._turn}", call_id, name, "{}"))

    def begins_unasked(self, response_id: str = "x1") -> list[Effect]:
        return self._dialogue.feed(ResponseCreated(self._dialogue.now, response_id, None))

    def refuses(self, code: str, event_id: str | None) -> list[Effect]:
        return self._dialogue.feed(RealtimeError(self._dialogue.now, code, event_id))

    def had_nothing_to_cancel(self) -> list[Effect]:
        return self.refuses("response_cancel_not_active", self._cancel.event_id)


class Twilio:
    """The telephone: it plays what it was sent at 8000 bytes a second, and echoes the marks it has played to."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._queue: deque[bytes | str] = deque()
        self.cleared: list[str] = []
        self.sent = bytearray()
        """All that it has been sent since the newest clear."""

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, PlayAudio):
                self._queue.append(effect.audio)
                self.sent += effect.audio
            elif isinstance(effect, SendMark):
                self._queue.append(effect.name)
            elif isinstance(effect, ClearPlayback):
                self.cleared += [mark for mark in self._queue if isinstance(mark, str)]
                self._queue.clear()
                self.sent.clear()

    def sent_from_ms(self) -> int:
        """From where on in the reply it has been sent what it has since the newest clear, to the millisecond."""
        assert self.sent, "nothing has been sent"
        place = place_of(bytes(self.sent))
        assert place != NO_PLACE, "what has been sent is no one piece of a reply"
        return round(place / BYTES_PER_MS)

    def plays(self, ms: int = 3_600_000, *, echoing: bool = True) -> list[Effect]:
        """Play this much, or all; the caller listens in silence."""
        effects: list[Effect] = []
        while self._queue and ms > 0:
            effects += self._dialogue.caller.silent(20)
            effects += self._advance(FRAME_BYTES, echoing=echoing)
            ms -= 20
        return effects

    def plays_on(self) -> list[Effect]:
        """Play the 20 ms in which the caller's newest frame was heard."""
        return self._advance(FRAME_BYTES, echoing=True)

    def _advance(self, count: int, *, echoing: bool) -> list[Effect]:
        effects: list[Effect] = []
        while self._queue and (count > 0 or isinstance(self._queue[0], str)):
            head = self._queue.popleft()
            if isinstance(head, str):
                effects += self.echoes(head) if echoing else []
            else:
                count -= len(head)
                self._queue.extendleft([head[count:]] if count < 0 else [])
        return effects

    def echoes(self, name: str) -> list[Effect]:
        return self._dialogue.feed(PlaybackMarked(self._dialogue.now, name))


def calibrated(business: Business = SILENT_BUSINESS, config: Config | None = None) -> Dialogue:
    """A call after 1.5 s of quiet."""
    dialogue = Dialogue(business, config)
    dialogue.caller.silent(1500)
    return dialogue


def greeted_by_the_caller(config: Config | None = None, business: Business = SILENT_BUSINESS) -> Dialogue:
    """A call whose caller has said something real; the reply was requested."""
    dialogue = calibrated(business, config)
    dialogue.caller.says(500)
    dialogue.openai.transcribes("שלום, מתי אתם פתוחים?")
    return dialogue


def answering(ms: int = 2000, config: Config | None = None) -> Dialogue:
    """A call in which a reply of this length was generated at once, and whose first 400 ms were heard."""
    dialogue = greeted_by_the_caller(config)
    dialogue.openai.replies(ms)
    dialogue.twilio.plays(400)
    dialogue.forget()
    return dialogue
