"""The second stage: what the model is given, when speech is proven, and that a call never waits for it."""

import asyncio
import base64
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from attrs import define, evolve, field
from prometheus_client import CollectorRegistry

from callfsm.config import Config, GateConfig, TurnConfig
from callfsm.config_checks import ConfigError
from callfsm.detector import silero
from callfsm.detector.listener import Listener
from callfsm.detector.service import MOST_WAITING, CallDetector, Detector
from callfsm.detector.silero import CONTEXT_SAMPLES, WINDOW_SAMPLES, Floats, load
from callfsm.environment import Environment
from callfsm.events import RmsFrame, SpeechDetected
from callfsm.hearing.mulaw import encode, rms
from callfsm.machine import dispatch
from callfsm.server.session import CallSession
from callfsm.server.shared import make_server
from callfsm.sim.speech_files import load as clip
from callfsm.speaking.playback import PlaybackPhase
from tests.calls import THRESHOLD, Story, listening, loud, louds, quiets, speaking
from tests.server.by_hand import LOUD, QUIET, TIMEOUT_S, Api, Hands, Twilio, by_hand, frame
from tests.server.test_session import answered, journal

DOUBTING = Config(turn=TurnConfig(grace_ms=0, confirm_voiced_ms=60_000))
"""No voice is proof: a stop is in doubt for 600 ms."""
WINDOW_BYTES = WINDOW_SAMPLES
IS_INSTALLED = find_spec("onnxruntime") is not None and find_spec("silero_vad") is not None
needs_model = pytest.mark.skipif(not IS_INSTALLED, reason="onnxruntime and silero-vad are not installed")


@define(eq=False)
class StandIn:
    """A model that says what it is told to, window by window, the last for ever, and keeps what it was given."""

    probabilities: Sequence[float] = (1.0,)
    error: Exception | None = None
    given: list[tuple[Floats, Floats]] = field(factory=list)

    def judge(self, samples: Floats, state: Floats) -> tuple[float, Floats]:
        self.given.append((samples, state))
        if self.error is not None:
            raise self.error
        said = self.probabilities[min(len(self.given), len(self.probabilities)) - 1]
        return said, state + 1

    def let_go(self) -> None:
        """Nothing holds it."""


@define(eq=False)
class Stuck(StandIn):
    """A model that answers once it is let go."""

    is_asked: threading.Event = field(factory=threading.Event)
    may_answer: threading.Event = field(factory=threading.Event)

    def judge(self, samples: Floats, state: Floats) -> tuple[float, Floats]:
        self.is_asked.set()
        assert self.may_answer.wait(TIMEOUT_S)
        return super().judge(samples, state)

    def let_go(self) -> None:
        self.may_answer.set()


def listener(*probabilities: float) -> Listener:
    return Listener(StandIn(probabilities), 0.5)


def windows(count: int, rms: float = 1000) -> bytes:
    return (frame(rms) * (2 * count))[: count * WINDOW_BYTES]


# What the model is given


def test_every_window_is_given_once_with_the_end_of_the_one_before() -> None:
    model, line = StandIn(), encode(np.arange(-4000, 4000, 10).astype(np.int16))
    heard = Listener(model, 0.5)
    count = sum(len(list(heard.windows(line[start : start + 160]))) for start in range(0, len(line), 160))
    samples = [given for given, _ in model.given]

    assert count == len(samples) == len(line) // WINDOW_BYTES
    assert {len(given) for given in samples} == {CONTEXT_SAMPLES + WINDOW_SAMPLES}
    assert not samples[0][:CONTEXT_SAMPLES].any()
    assert samples[1][:CONTEXT_SAMPLES].tolist() == samples[0][-CONTEXT_SAMPLES:].tolist()
    assert np.diff(np.concatenate([given[CONTEXT_SAMPLES:] for given in samples])).min() >= 0
    assert [float(state.max()) for _, state in model.given] == [0.0, 1.0, 2.0]


def test_samples_are_shares_of_full_scale() -> None:
    model = StandIn()
    list(Listener(model, 0.5).windows(encode(np.full(WINDOW_SAMPLES, -32124, np.int16))))

    assert model.given[0][0][-1] == pytest.approx(-32124 / 32768)
    assert model.given[0][0].dtype == np.float32


# When speech is proven

RULES = [
    # id                              probabilities of the windows        rms    is speech
    ("three in a row",                (0.5, 0.5, 0.5),                    1000,  True),
    ("two",                           (0.9, 0.9),                         1000,  False),
    ("three with a gap",              (0.9, 0.9, 0.1, 0.9),               1000,  False),
    ("three after a gap",             (0.1, 0.9, 0.1, 0.9, 0.9, 0.9),     1000,  True),
    ("nearly",                        (0.49, 0.49, 0.49, 0.49),           1000,  False),
    ("speech below the limit",        (0.9, 0.9, 0.9, 0.9),               100,   False),
    ("proven once is proven",         (0.9, 0.9, 0.9, 0.0),               1000,  True),
]  # fmt: skip


@pytest.mark.parametrize(("said", "level", "is_speech"), [pytest.param(*c[1:], id=c[0]) for c in RULES])
def test_loud_windows_in_a_row_prove_speech(said: tuple[float, ...], level: float, is_speech: bool) -> None:
    heard = listener(*said)

    assert heard.hear(windows(len(said), level), THRESHOLD) is is_speech


# The thread


@pytest.fixture
def detecting() -> Iterator[Callable[[StandIn], Detector]]:
    made: list[Detector] = []

    def make(model: StandIn) -> Detector:
        made.append(Detector(model, 0.5, CollectorRegistry()))
        return made[-1]

    yield make
    for detector in made:
        detector.close()


def result(detector: Detector, name: str) -> float:
    (family,) = detector._results.collect()
    return next((s.value for s in family.samples if s.name.endswith("_total") and s.labels == {"result": name}), 0.0)


def timed(detector: Detector) -> float:
    """How many answers have been timed."""
    (family,) = detector._delay_s.collect()
    return next(s.value for s in family.samples if s.name == "callfsm_detector_seconds_count")


async def verdict(detector: Detector, heard: Listener, ulaw: bytes) -> bool | None:
    """What the detector answers to a request that it takes."""
    done: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
    assert detector.ask(heard, [base64.b64encode(ulaw).decode()], THRESHOLD, done.set_result)
    async with asyncio.timeout(TIMEOUT_S):
        return await done


async def test_answer_comes_on_the_loop_and_is_counted(detecting: Callable[[StandIn], Detector]) -> None:
    detector = detecting(StandIn())
    heard = detector.listener()

    assert await verdict(detector, heard, windows(2)) is False
    assert await verdict(detector, heard, windows(1)) is True
    assert (result(detector, "unsure"), result(detector, "speech")) == (1, 1)
    assert timed(detector) == 2


async def test_full_queue_drops_the_newest_and_the_loop_goes_on(detecting: Callable[[StandIn], Detector]) -> None:
    model, answers = Stuck(), list[bool | None]()
    detector, payload = detecting(model), [base64.b64encode(windows(3)).decode()]
    all_here = asyncio.Event()

    def take(answer: bool | None) -> None:
        answers.append(answer)
        if len(answers) == MOST_WAITING:
            all_here.set()

    taken = [detector.ask(detector.listener(), payload, THRESHOLD, take) for _ in range(MOST_WAITING + 3)]
    assert await asyncio.to_thread(model.is_asked.wait, TIMEOUT_S)
    before = list(answers)
    model.let_go()
    async with asyncio.timeout(TIMEOUT_S):
        await all_here.wait()

    assert before == []
    assert taken == [True] * MOST_WAITING + [False] * 3
    assert result(detector, "dropped") == 3
    assert answers == [True] * MOST_WAITING
    assert detector.ask(detector.listener(), payload, THRESHOLD, take)


async def test_failing_model_is_logged_once_and_counted(
    detecting: Callable[[StandIn], Detector], caplog: pytest.LogCaptureFixture
) -> None:
    detector = detecting(StandIn(error=RuntimeError("broken")))
    answers = [await verdict(detector, detector.listener(), windows(1)) for _ in range(3)]

    assert answers == [None] * 3
    assert result(detector, "failed") == 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "broken" in caplog.text


async def test_closed_detector_takes_nothing(detecting: Callable[[StandIn], Detector]) -> None:
    detector = detecting(StandIn())
    detector.close()

    assert not detector.ask(detector.listener(), [], THRESHOLD, lambda _: None)


# One call's doubts


@define(eq=False)
class Asked:
    """A request, and how it may be answered."""

    listener: Listener
    frames: list[str]
    limit_rms: float
    answer: Callable[[bool | None], None]


class Recorder(Detector):
    """Notes what it is asked and answers nothing by itself."""

    def __init__(self) -> None:
        super().__init__(StandIn(), 0.5, CollectorRegistry())
        self.asked: list[Asked] = []
        self.is_full = False

    def ask(
        self, listener: Listener, frames: Sequence[str], limit_rms: float, answer: Callable[[bool | None], None]
    ) -> bool:
        if not self.is_full:
            self.asked.append(Asked(listener, list(frames), limit_rms, answer))
        return not self.is_full


class Doubt:
    """A call on the pure core with a detector that is answered by hand."""

    def __init__(self, story: Story) -> None:
        self.call = evolve(story, config=DOUBTING).call()
        self.detector = Recorder()
        self.detected: list[float] = []
        self.ear = CallDetector(self.detector, self.call, self._detected)
        self.at = 4.0

    def _detected(self) -> None:
        self.detected.append(self.at)
        dispatch(self.call, SpeechDetected(self.at))

    def hears(self, frames: Sequence[RmsFrame]) -> None:
        for each in frames:
            self.at = each.at
            dispatch(self.call, each)
            self.ear.look()

    @property
    def frames(self) -> list[list[str]]:
        return [asked.frames for asked in self.detector.asked]


def doubt() -> Doubt:
    """The assistant was stopped by two frames of no voice, and has not been told whose they are."""
    made = Doubt(speaking())
    made.hears(louds(4.0, 2, "b", voicing=0.0))
    return made


def test_nothing_is_asked_in_the_step_that_stops_the_assistant() -> None:
    made = Doubt(speaking())
    made.hears([loud(4.0, "b1", voicing=0.0)])

    assert made.call.playback.phase is PlaybackPhase.PAUSED
    assert made.detector.asked == []


def test_frames_of_a_doubt_are_handed_on_once_with_the_preroll() -> None:
    made = doubt()
    made.hears(louds(4.0, 2, "c", voicing=0.0))
    made.detector.asked[0].answer(False)
    made.hears(quiets(4.0, 1, "d"))

    assert made.frames[:1] == [["uQ26", "uQ27", "uQ28", "uQ29", "uQ30", "b1", "b2"]]
    assert made.frames[1:] == [["c1", "c2"]]
    assert made.detector.asked[0].listener is made.detector.asked[1].listener
    assert made.detector.asked[0].limit_rms == made.call.gate.limit_rms


def test_speech_is_told_once_and_settles_the_doubt() -> None:
    made = doubt()
    made.detector.asked[0].answer(True)
    made.hears(louds(4.0, 5, "c", voicing=0.0))

    assert made.detected == [4.0]
    assert made.call.playback.phase is not PlaybackPhase.PAUSED
    assert len(made.detector.asked) == 1


def test_nothing_is_told_of_an_utterance_that_is_over() -> None:
    made = doubt()
    made.hears(quiets(4.0, 30, "q"))
    made.detector.asked[0].answer(True)

    assert made.call.turn.open is None
    assert made.detected == []


def test_next_utterance_is_heard_afresh_and_may_be_told_again() -> None:
    made = doubt()
    made.detector.asked[0].answer(None)
    made.hears(quiets(4.0, 30, "q"))
    made.hears(louds(5.0, 2, "e", voicing=0.0))
    made.detector.asked[-1].answer(True)

    assert made.frames[-1][-2:] == ["e1", "e2"]
    assert made.detector.asked[-1].listener is not made.detector.asked[0].listener
    assert made.detected == [5.0]


def test_model_that_failed_is_not_asked_again_about_the_utterance() -> None:
    made = doubt()
    made.detector.asked[0].answer(None)
    made.hears(louds(4.0, 5, "c", voicing=0.0))

    assert len(made.detector.asked) == 1
    assert made.call.playback.phase is PlaybackPhase.PAUSED


def test_frames_that_found_no_room_go_with_the_next_request() -> None:
    made = Doubt(speaking())
    made.detector.is_full = True
    made.hears([loud(4.0, "b1", voicing=0.0), loud(4.0, "b2", voicing=0.0)])
    made.detector.is_full = False
    made.hears([loud(4.0, "b3", voicing=0.0)])

    assert made.frames[0][-3:] == ["b1", "b2", "b3"]


@pytest.mark.parametrize(
    ("story", "frames"),
    [
        pytest.param(speaking(), quiets(4.0, 5), id="silence over the assistant"),
        pytest.param(listening(), louds(4.0, 5), id="an utterance when the caller has the floor"),
    ],
)
def test_nothing_is_asked_without_a_doubt(story: Story, frames: Sequence[RmsFrame]) -> None:
    made = Doubt(story)
    made.hears(frames)

    assert made.detector.asked == []


def test_nothing_is_told_or_asked_once_the_doubt_is_settled_otherwise() -> None:
    made = doubt()
    dispatch(made.call, SpeechDetected(4.0))
    made.hears(louds(4.0, 3, "c"))
    made.detector.asked[0].answer(True)

    assert made.call.turn.open is not None
    assert (made.detected, len(made.detector.asked)) == ([], 1)


# A call over sockets


@asynccontextmanager
async def wired(
    monkeypatch: pytest.MonkeyPatch, model: silero.Model, folder: Path | None = None
) -> AsyncIterator[tuple[Hands, Detector]]:
    """The application with a detector of ours."""
    async with by_hand(DOUBTING, folder=folder) as hands:
        detector = hands.server.detector = Detector(model, 0.5, hands.server.metrics.registry)
        monkeypatch.setattr("callfsm.server.media.CallSession", partial(CallSession, detector=detector))
        yield hands, detector


async def stopped(hands: Hands, *sound: bytes) -> tuple[Twilio, Api]:
    """A call whose assistant was stopped by a sound."""
    twilio, api = await answered(hands)
    await api.speaks("r1", "a1", 4000)
    await twilio.until("media")
    await twilio.hears(*sound)
    await twilio.until("clear")
    return twilio, api


async def test_detector_confirms_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wired(monkeypatch, StandIn(), tmp_path) as (hands, _):
        _, api = await stopped(hands, *[LOUD] * 6)
        truncate = await api.until("conversation.item.truncate")
    events = [line["event"] for line in journal(tmp_path) if "event" in line]

    assert truncate["item_id"] == "a1"
    assert events.count("SpeechDetected") == 1


async def test_assistant_goes_on_where_the_detector_is_not_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wired(monkeypatch, StandIn((0.0,))) as (hands, detector):
        twilio, api = await stopped(hands, *[LOUD] * 4)
        await twilio.hears(*[QUIET] * 30)
        await api.ends("r1", "1", "cancelled", "a1")
        await twilio.until("media")
        types = api.types()

    assert "conversation.item.truncate" not in types
    assert result(detector, "speech") == 0


@pytest.mark.parametrize("model", [StandIn(error=RuntimeError("broken")), Stuck()], ids=["fails", "hangs"])
async def test_call_goes_on_without_a_model(model: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wired(monkeypatch, model) as (hands, _):
        twilio, api = await stopped(hands, *[LOUD] * 4)
        await twilio.hears(*[QUIET] * 30)
        await api.ends("r1", "1", "cancelled", "a1")
        await twilio.until("media")
        model.let_go()


# Starting, and the model itself


@pytest.mark.parametrize(
    ("path", "missing", "installs"),
    [
        ("", {"onnxruntime", "silero_vad"}, "pip install onnxruntime && pip install --no-deps silero-vad"),
        ("", {"silero_vad"}, "pip install --no-deps silero-vad"),
        ("model.onnx", {"onnxruntime", "silero_vad"}, "pip install onnxruntime"),
    ],
)
def test_what_is_missing_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, path: str, missing: set[str], installs: str
) -> None:
    monkeypatch.setattr(silero, "find_spec", lambda name: None if name in missing else object())
    config = Config(gate=GateConfig(detector=True, detector_model=path))
    with pytest.raises(ConfigError) as refused:
        make_server(config, Environment("sk"), is_insecure=True)

    assert refused.value.key == "gate.detector"
    assert refused.value.why.endswith(f": {installs}")


def test_switched_off_it_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "find_spec", lambda _: None)

    assert make_server(Config(), Environment("sk"), is_insecure=True).detector is None


@needs_model
@pytest.mark.parametrize(("name", "why"), [("missing", "cannot be read"), ("text", "is not Silero VAD")])
def test_file_that_is_no_model_is_named(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "text").write_bytes(b"no model")
    with pytest.raises(ConfigError, match=why) as refused:
        load(str(tmp_path / name))

    assert refused.value.key == "gate.detector_model"


def heard_of(stem: str) -> bool:
    ulaw = clip(stem).ulaw
    sound = b"\xff" * 2400 + ulaw
    return Listener(load(), 0.5).hear(sound, max(THRESHOLD, rms(ulaw) / 2))


@needs_model
@pytest.mark.parametrize("stem", ["he_interrupt", "he_question", "he_yes", "en_human", "es_human", "ru_human"])
def test_model_knows_speech(stem: str) -> None:
    assert heard_of(stem)


@needs_model
@pytest.mark.parametrize("stem", ["click", "cough", "line_noise"])
def test_model_knows_what_is_nobody(stem: str) -> None:
    assert not heard_of(stem)


@needs_model
async def test_model_confirms_recorded_speech_in_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    speech = clip("he_interrupt").ulaw
    frames = [speech[start : start + 160] for start in range(0, 160 * 30, 160)]
    async with wired(monkeypatch, load()) as (hands, detector):
        _, api = await stopped(hands, *frames)
        await api.until("conversation.item.truncate")

    assert result(detector, "speech") == 1
