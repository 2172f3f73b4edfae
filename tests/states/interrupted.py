"""Calls whose assistant was stopped by a sound that may be nobody, and what a stop and what follows it change.

The reply r1 was requested as turn 1 and is stopped at 3.75: 400 ms of its item a1 were heard, and 100 are kept. The
greeting g1 is stopped at 1.875: of 500 ms of its item ga1 200 were heard.
"""

from callfsm.effects import (
    DEBUG,
    INFO,
    CancelResponse,
    ClearPlayback,
    CreateResponse,
    Effect,
    Log,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from callfsm.events import AudioCommitted, ResponseDone, TimerFired
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.playback import Heard, Mark, PlaybackPhase
from callfsm.speaking.response import Owed, ResponsePhase
from tests.calls import (
    Story,
    audio,
    cancelling,
    greeting_stopped,
    loud,
    louds,
    quiets,
    reply_begun,
)
from tests.states.audible import delta, ended, past_grace
from tests.states.shared import CONTINUED_WITH, Fields, cancelled, without
from tests.table import added

BARGE_IN = Log(INFO, "[BARGE-IN] User speaking while AI speaking – sending response.cancel")
CONFIRMED = Log(INFO, "[BARGE-IN] Confirmed as speech")
RESUMED = Log(INFO, "[BARGE-IN] Not confirmed as speech – the assistant goes on")
ECHO = Log(DEBUG, "[TRANSCRIPT FILTER] Echo of the assistant, ignoring")

REST = {"response.owed": Owed.REST}
CUT_SHORT = {**REST, "response.is_cut": True}


def done(at: float, response_id: str = "r1", turn: int = 1, *items: str) -> ResponseDone:
    return ResponseDone(at, response_id, turn, "cancelled", items)


# Stories


def noise(at: float, frames: int = 4) -> Story:
    """Frames of a sound that is no voice, to be added behind a stop's first frame."""
    return Story().then(louds(at, frames, "n", voicing=0.0))


def stopped_at_end() -> Story:
    """CANCELLING until 5.25: stopped at 3.75, when all 200 ms that had been received had been heard, and more would come.

    A sound is open: one voiced frame of it.
    """
    return past_grace(reply_begun().then(delta(3.25, 200))).then(loud(3.75, "b1"))


def doubted() -> Story:
    """CANCELLING until 5.25: without proof in 600 ms 100 ms of sound were committed, and named u2; until 6.75."""
    return cancelling().then(noise(3.75).events, quiets(3.75, 26, "q"), AudioCommitted(3.75, "u2"))


def resumed() -> Story:
    """AI_GRACE from 3.75 to 4.05: the same, and the assistant goes on with its last 400 ms, marks m3 and m4."""
    return doubted().then(done(3.75))


def speaking_again() -> Story:
    """AI_SPEAKING: the same; what was kept will have been heard at 4.15, and the rest is owed."""
    return resumed().then(TimerFired(4.0625))


def greeting_doubted() -> Story:
    """CANCELLING until 3.375: the same of the greeting; 100 ms of sound are named u1, until 4.875."""
    return greeting_stopped().then(noise(1.875).events, quiets(1.875, 26, "q"), AudioCommitted(1.875, "u1"))


def greeting_resumed() -> Story:
    """AI_GRACE from 1.875 to 2.175: the same, and all of the greeting is repeated, marks m3 to m5."""
    return greeting_doubted().then(done(1.875, "g1"))


# Effects


def stopped_with(ids: int = 3, response_id: str = "r1") -> list[Effect]:
    return [BARGE_IN, ClearPlayback(), CancelResponse(f"cancel{ids}", response_id)]


REPLY_GOES_ON: list[Effect] = [
    RESUMED,
    PlayAudio(audio(200)),
    SendMark("m3"),
    PlayAudio(audio(200)),
    SendMark("m4"),
]
GREETING_GOES_ON: list[Effect] = [
    RESUMED,
    PlayAudio(audio(200)),
    SendMark("m3"),
    PlayAudio(audio(200)),
    SendMark("m4"),
    PlayAudio(audio(100)),
    SendMark("m5"),
]
ASK_FOR_THE_REST = CreateResponse("create5", 2, CONTINUED_WITH)
KEEP_400 = TruncateItem("a1", 400)


# Fields

HEARD: Fields = dict.fromkeys(("playback.confirmed", "playback._anchor", "playback._heard"), 0) | {
    "playback.marks": [],
    "playback._resumed_from": -960,
}
"""What the end of a reply changes, besides, that went on."""


def paused(heard: int) -> Fields:
    """The playback stands at this place, and keeps what was received."""
    place = dict.fromkeys(("sent", "confirmed", "_marked", "_anchor", "_heard"), heard)
    fields = {"phase": PlaybackPhase.PAUSED, "marks": [], "ends_at": 0.0, "_anchor_at": 0.0, **place}
    return {f"playback.{name}": now for name, now in fields.items()}


def stopped(at: float, heard: int, *, ids: int = 3, response_id: str = "r1") -> Fields:
    """What every stop changes whose sound has not been proven: the response is cancelled, and the caller has the floor."""
    floor = {"gate.held": [], "turn.phase": TurnPhase.SPEAKING}
    return {**floor, **paused(heard), **cancelled(at, ids=ids, response_id=response_id)}


def dropped_rest(heard: int = 3200, item: str = "a1") -> Fields:
    """What was kept is dropped: it was speech."""
    zero = dict.fromkeys(("playback.confirmed", "playback._anchor", "playback._heard"), 0)
    over = without(ended(item, 0), "deadline", "playback.ends_at", "playback._anchor_at")
    return {**over, **zero, "cut": [Heard(item, heard, 4000)]}


def goes_on(at: float, *, place: int = 800, mark: int = 3) -> Fields:
    """The assistant goes on from this place, and is in its grace; marks from this one on."""
    marks = [Mark(mark, place + 1600), Mark(mark + 1, place + 3200), Mark(mark + 2, 4000)][: 2 if place else 3]
    fields = {
        "phase": PlaybackPhase.PLAYING,
        "started_at": at,
        "ends_at": at + (4000 - place) / 8000,
        "sent": 4000,
        "confirmed": place,
        "marks": marks,
        "last_mark": marks[-1].number,
        "_marked": 4000,
        "_anchor": place,
        "_anchor_at": at,
        "_resumed_from": place,
    }
    return {**{f"playback.{name}": now for name, now in fields.items()}, "deadline": at + 0.3}


def cancelled_is_over(response_id: str = "r1") -> Fields:
    return {"response.phase": ResponsePhase.NONE, "response.settled_ids": added(response_id)}
