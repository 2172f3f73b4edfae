"""A greeting that is a recording: played word for word, interrupted like any other speech, and told to the model."""

from attrs import evolve

from callfsm.effects import (
    DEBUG,
    CancelResponse,
    ClearPlayback,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Log,
    PlayAudio,
    TruncateItem,
)
from callfsm.events import (
    AudioCommitted,
    CallEnded,
    PlaybackMarked,
    RealtimeError,
    RealtimeLost,
    RealtimeMissing,
    RealtimeReady,
    TimerFired,
    TranscriptCompleted,
)
from callfsm.machine import dispatch
from callfsm.speaking.clips import CLIP_ITEM, Clip, Clips
from callfsm.speaking.playback import Piece
from callfsm.states.base import State
from callfsm.states.transcripts import ECHO_LINE
from tests.calls import (
    GREETING_BUSINESS,
    audio,
    clip_business,
    greeted_by_clip,
    loud,
    louds,
    quiets,
    reply_requested,
)

GREETING = GREETING_BUSINESS.greeting


def test_it_is_played_as_it_is_and_nothing_is_generated() -> None:
    call = clip_business().then(quiets(1.0, 74, "c")).call()
    effects = dispatch(call, quiets(1.0, 1)[0])

    assert b"".join(effect.audio for effect in effects if isinstance(effect, PlayAudio)) == audio(500)
    assert [] == [effect for effect in effects if isinstance(effect, CreateResponse)]
    assert call.state is State.AI_GRACE


def test_the_model_is_told_what_was_said_when_it_has_been_heard() -> None:
    call = greeted_by_clip().call()
    effects = dispatch(call, PlaybackMarked(1.5, "m3"))

    assert [CreateItem("assistant", GREETING)] == effects
    assert call.state is State.WAITING_FOR_USER
    assert list(call.history) == [("assistant", GREETING)]


def test_an_interruption_stops_it_and_the_model_is_told_what_was_heard() -> None:
    call = greeted_by_clip().then(PlaybackMarked(1.3, "m1")).call()
    stopped = dispatch(call, loud(1.4))
    assert call.state is State.CANCELLING
    assert stopped[1] == ClearPlayback()
    assert CancelResponse("cancel1", None) in stopped
    assert [] == [effect for effect in stopped if isinstance(effect, CreateItem)]

    proven = [effect for frame in louds(1.4, 4) for effect in dispatch(call, frame)]
    assert [] == [effect for effect in proven if isinstance(effect, TruncateItem)]
    assert [GREETING[: len(GREETING) * 2400 // 4000]] == [e.text for e in proven if isinstance(e, CreateItem)]


def test_the_answer_that_nothing_was_active_ends_the_cancelling() -> None:
    call = greeted_by_clip().then(loud(1.4)).call()
    dispatch(call, RealtimeError(1.5, "response_cancel_not_active", "cancel1"))

    assert call.state is State.WAITING_FOR_USER


def test_it_is_played_once() -> None:
    call = greeted_by_clip().then(louds(1.4, 5), TimerFired(3.0), quiets(3.0, 100)).call()

    assert call.state is State.WAITING_FOR_USER
    assert dispatch(call, CallEnded(4.0, "hangup"))
    assert call.response.turn == 0


def test_it_goes_on_when_the_session_is_lost() -> None:
    call = greeted_by_clip().then(RealtimeLost(1.35), PlaybackMarked(1.5, "m3")).call()
    effects = dispatch(call, RealtimeReady(2.0))

    assert call.state is State.WAITING_FOR_USER
    assert [CreateItem("assistant", GREETING)] == effects


def test_the_echo_of_a_recording_in_mid_call_is_nobodys() -> None:
    moment = Clip(Piece(CLIP_ITEM, audio(1600)), "רק רגע, בבקשה.")
    waiting = evolve(reply_requested(), clips=Clips(moment=moment)).then(RealtimeLost(3.0), RealtimeMissing(6.0))
    heard = waiting.then(TimerFired(6.5), louds(6.75, 15, "e"), quiets(6.75, 30, "q"))
    call = heard.then(RealtimeReady(7.0), AudioCommitted(7.125, "u2")).call()
    effects = dispatch(call, TranscriptCompleted(7.25, "u2", "רק רגע בבקשה"))

    assert [Log(DEBUG, ECHO_LINE), DeleteItem("u2")] == effects[:2]
    assert [("user", "שלום לך")] == list(call.history)
