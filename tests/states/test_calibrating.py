"""CALIBRATING: the line's noise is measured over 75 frames; what was heard is kept and gated afterwards."""

import pytest
from attrs import evolve

from callfsm.effects import INFO, AppendAudio, CreateResponse, Log
from callfsm.events import (
    AudioCommitted,
    PlaybackMarked,
    RealtimeLost,
    RealtimeReady,
    ReplyDue,
    ReplyTranscript,
    ResponseDone,
    SpeechDetected,
    TimerFired,
    TranscriptCompleted,
    TranscriptFailed,
)
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.response import Owed, ResponsePhase
from callfsm.states.base import State
from tests.calls import (
    GREETED_WITH,
    GREETING_BUSINESS,
    Story,
    calibrating,
    clip_business,
    greeting_business,
    loud,
    quiets,
)
from tests.states.shared import CLIP_SENT, clip_played, common_cases, unasked_cases
from tests.table import Case, added, appended, case, check, dropped, kept, said

HERE, WAITING, GREETING = State.CALIBRATING, State.WAITING_FOR_USER, State.GREETING
FRAMES = quiets(1.0, 75, "c")
LAST = FRAMES[-1]
KEPT = {"calibration": [], "gate.held": kept(*FRAMES)}
REQUESTED = {
    "response.phase": ResponsePhase.REQUESTED,
    "response.owed": Owed.NOTHING,
    "response.kind": Owed.GREETING,
    "response.turn": 1,
    "response.create_event_id": "create1",
    "response.requested_at": 1.0,
    "_event_ids": 1,
    "deadline": 9.0,
}
INSTRUCTIONS = GREETED_WITH
LEVELS = (900, 0, *[700] * 23)


def vad(noise: str, threshold: str) -> Log:
    return Log(INFO, f"[VAD] Calibrated noise={noise}, speech_threshold={threshold}")


def measured(noise: float, threshold: float) -> dict[str, object]:
    return {"gate.noise_rms": noise, "gate.threshold_rms": threshold, "gate.limit_rms": threshold}


# fmt: off
CASES = [
    case("the first frame is kept", HERE, calibrating(0), FRAMES[0], HERE, [], {"calibration": [FRAMES[0]]}),
    case("frame 74 is kept", HERE, calibrating(73), FRAMES[73], HERE, [], {"calibration": added(FRAMES[73])}),
    case("frame 75 ends it", HERE, calibrating(74), LAST, WAITING,
         [vad("90.0", "150.0"), *[dropped()] * 75], {**measured(90.0, 150.0), **KEPT}),
    case("a greeting is due", HERE, greeting_business().then(FRAMES[:74]), LAST, GREETING,
         [vad("90.0", "150.0"), CreateResponse("create1", 1, INSTRUCTIONS), *[dropped()] * 75],
         {**measured(90.0, 150.0), **KEPT, **REQUESTED}),
    case("a greeting that is a recording is played", HERE, clip_business().then(FRAMES[:74]), LAST, State.AI_GRACE,
         [vad("90.0", "150.0"), *CLIP_SENT, *[dropped()] * 75], {**measured(90.0, 150.0), **KEPT, "gate.held": kept(*FRAMES, most=30), **clip_played(1.0)}),
    case("a recording comes with the loudness of each 20 ms of it", HERE, evolve(clip_business(), clip_levels_rms=LEVELS).then(FRAMES[:74]), LAST, State.AI_GRACE,
         [vad("90.0", "150.0"), *CLIP_SENT, *[dropped()] * 75],
         {**measured(90.0, 150.0), **KEPT, "gate.held": kept(*FRAMES, most=30), **clip_played(1.0),
          "playback._levels": ([((number + 1) * 160, level) for number, level in enumerate(LEVELS)], 0)}),
    case("a greeting without a session stays owed", HERE, Story(business=GREETING_BUSINESS).then(FRAMES[:74]), LAST, WAITING,
         [vad("90.0", "150.0"), *[dropped()] * 75], {**measured(90.0, 150.0), **KEPT}),
    case("the caller speaks first, the greeting stays owed", HERE, greeting_business().then(FRAMES[:74]), loud(1.0, "x"), WAITING,
         [vad("90.0", "150.0"), *[dropped()] * 74, *appended(*FRAMES[59:74], loud(1.0, "x"))],
         {**measured(90.0, 150.0), "calibration": [], "turn.phase": TurnPhase.SPEAKING,
          "turn.open": said(loud(1.0, "x"), sent=[*(f.payload for f in FRAMES[59:74]), "x"])}),
    case("a loud frame is no noise sample", HERE, calibrating(74), loud(1.0, "x"), WAITING,
         [vad("90.0", "150.0"), *[dropped()] * 74, *appended(*FRAMES[59:74]), AppendAudio("x")],
         {**measured(90.0, 150.0), "calibration": [], "turn.phase": TurnPhase.SPEAKING,
          "turn.open": said(loud(1.0, "x"), sent=[*(f.payload for f in FRAMES[59:74]), "x"])}),
    case("the session becomes ready", HERE, Story(business=GREETING_BUSINESS).then(FRAMES[:74]), RealtimeReady(1.0), HERE, [], {"is_ready": True}),
    case("the session is lost", HERE, calibrating(), RealtimeLost(1.0), HERE, [], {"is_ready": False}),
    *unasked_cases(HERE, calibrating(), 1.0, ids=0),
    *common_cases(
        HERE, calibrating(), 1.0, SpeechDetected(1.0), TranscriptCompleted(1.0, "i", "שלום לך"), TranscriptFailed(1.0, "i"), AudioCommitted(1.0, "i"),
        ReplyDue(1.0), ReplyTranscript(1.0, "r", "שלום"), ResponseDone(1.0, "r", 1, "completed"), PlaybackMarked(1.0, "m1"),
        TimerFired(1.0),
    ),
]
# fmt: on


@pytest.mark.parametrize("case", CASES)
def test_calibrating(case: Case) -> None:
    check(case)
