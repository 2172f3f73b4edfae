"""Whole calls over real sockets, with recorded speech and both peers simulated."""

import asyncio
from pathlib import Path

import attrs
import pytest

from callfsm import machine
from callfsm.sim.caller import SimulatedCaller, place_call
from callfsm.sim.media_line import Kind
from callfsm.sim.realtime_script import Fault, Script, Utterance, clip_reply
from callfsm.sim.speech_files import load
from callfsm.sim.webhook import Details
from tests.server.stage import FAST, HUM, INTERRUPTION, QUESTION, SPEED, script, staged, validated

HOURS = clip_reply("he_reply_hours")
GREETED = Details(called="+97239876543")
SLOW = 2.0
"""So slowly that what a busy machine takes does not count."""
CONFIRMED = "[BARGE-IN] Confirmed as speech"
GOES_ON = "[BARGE-IN] Not confirmed as speech – the assistant goes on"


async def asks(caller: SimulatedCaller) -> None:
    await caller.silence(2)
    await caller.say(QUESTION)


async def hears_hours(caller: SimulatedCaller) -> None:
    """Hear the long reply to its end."""
    await caller.wait_heard(7000)
    await caller.wait_quiet()


async def test_question_is_answered_and_all_we_send_fits_the_api(tmp_path: Path) -> None:
    async with staged(tmp_path, script("מה שעות הפתיחה שלכם?")) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await hears_hours(caller)
        api = await stage.api.wait_for(1)
        await api.wait_closed()
        sent = validated(api)

    assert sent[0] == "session.update"
    assert sent.count("input_audio_buffer.commit") == 1
    assert sent.count("response.create") == 1
    assert len(caller.heard) >= len(HOURS.audio)
    assert HOURS.audio in caller.heard
    assert stage.server.calls == {}


async def test_silent_caller_is_never_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "callfsm")
    async with staged(tmp_path, script()) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await caller.silence(10)
        api = await stage.api.wait_for(1)
        await api.wait_closed()

    assert [record.type for record in api.received] == ["session.update"]
    assert caller.entries(Kind.SOUND) == []
    lines = [record.getMessage() for record in caplog.records if record.name == "callfsm.call"]
    assert {line.split("]")[0] for line in lines} == {"[VAD", "[AUDIO GATE"}
    assert {record.__dict__["call_sid"] for record in caplog.records if record.name == "callfsm.call"} == {
        caller.details.call_sid
    }


async def test_barge_in_while_generating(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "callfsm")
    slow = attrs.evolve(HOURS, rate=1.2)
    talk = script("שאלה ראשונה", "רגע, יש לי עוד שאלה", replies=(slow, clip_reply("he_reply_short")))
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await caller.wait_heard(2000)
            await caller.say(INTERRUPTION)
            await caller.wait_for(Kind.SOUND, 2)
            await caller.wait_quiet()
        api = await stage.api.wait_for(1)
        await api.wait_closed()
        sent = validated(api)

    assert [line for line in caplog.messages if line in {CONFIRMED, GOES_ON}] == [CONFIRMED]
    (cancel,) = api.records("response.cancel")
    (first, _) = api.records("response.created")
    (truncate,) = [record.event for record in api.received if record.type == "conversation.item.truncate"]
    assert cancel.event["response_id"] == first.event["response"]["id"]
    assert 1500 <= truncate["audio_end_ms"] <= 2500
    assert len(caller.entries(Kind.CLEAR)) == 1
    assert sent.count("response.create") == 2
    assert api.records("error") == []
    assert load("he_reply_short").ulaw in caller.heard


async def test_barge_in_on_the_tail_after_generation_ended(tmp_path: Path) -> None:
    fast = attrs.evolve(HOURS, rate=50.0)
    talk = script("שאלה ראשונה", "רגע, יש לי עוד שאלה", replies=(fast, clip_reply("he_reply_short")))
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await caller.wait_heard(6500)
            api = await stage.api.wait_for(1)
            assert len(api.records("response.done")) == 1
            await caller.say(INTERRUPTION)
            await caller.wait_for(Kind.SOUND, 2)
            await caller.wait_quiet()
        await api.wait_closed()
        validated(api)

    (error,) = api.records("error")
    assert error.event["error"]["code"] == "response_cancel_not_active"
    assert len(caller.entries(Kind.CLEAR)) == 1
    assert HOURS.audio not in caller.heard


def alike(one: bytes, other: bytes) -> int:
    """How many bytes two pieces of sound have in common at their beginnings."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def parts_heard(heard: bytes, reply: bytes) -> tuple[int, int]:
    """How many bytes of a reply were heard before it was stopped, and how many to its end after that."""
    begin, end = heard.index(reply[:800]), heard.rindex(reply[-800:]) + 800
    return alike(heard[begin:], reply), alike(heard[:end][::-1], reply[::-1])


async def test_click_over_the_answer_and_it_goes_on_within_a_second_a_little_before_where_it_stopped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "callfsm")
    async with staged(tmp_path, script("שאלה", replies=(attrs.evolve(HOURS, rate=50.0),))) as stage:
        async with place_call(stage.voice, speed=SLOW, background=HUM) as caller:
            await asks(caller)
            await caller.wait_heard(2500)
            await caller.say(load("click").ulaw)
            await caller.wait_for(Kind.SOUND, 2)
            await caller.wait_quiet()
            await caller.silence(0.5)
        api = await stage.api.wait_for(1)
        await api.wait_closed()
        sent = validated(api)

    (cleared,), (_, resumed) = caller.entries(Kind.CLEAR), caller.entries(Kind.SOUND)
    before, after = parts_heard(caller.heard, HOURS.audio)
    twice_ms = (before + after - len(HOURS.audio)) / 8
    assert (resumed.at_s - cleared.at_s) * SLOW < 1.0
    # Up to a second back to a pause, and what was heard since the newest mark; nothing is left out.
    assert 0 <= twice_ms < 1500
    assert 2500 <= before / 8 < 3000
    assert {"conversation.item.truncate", "conversation.item.delete"}.isdisjoint(sent)
    assert sent.count("response.create") == 1
    assert [line for line in caplog.messages if line in {CONFIRMED, GOES_ON}] == [GOES_ON]


@pytest.mark.parametrize("speech", ["he_interrupt", "he_yes", "ru_human", "en_human"])
async def test_recorded_speech_over_the_answer_and_it_does_not_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, speech: str
) -> None:
    caplog.set_level("INFO", "callfsm")
    said = load(speech)
    quick = attrs.evolve(HOURS, rate=50.0)
    talk = script("שאלה", said.text, replies=(quick, clip_reply("he_reply_short")))
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await caller.wait_heard(2500)
            await caller.say(said.ulaw)
            await caller.wait_for(Kind.SOUND, 2)
            await caller.wait_quiet()
        api = await stage.api.wait_for(1)
        await api.wait_closed()
        sent = validated(api)

    assert sent.count("conversation.item.truncate") == 1
    assert sent.count("response.create") == 2
    assert load("he_reply_short").ulaw in caller.heard
    assert HOURS.audio[-800:] not in caller.heard
    assert [line for line in caplog.messages if line in {CONFIRMED, GOES_ON}] == [CONFIRMED]


async def test_greeting_and_the_question_after_it(tmp_path: Path) -> None:
    talk = script("מה שעות הפתיחה?", replies=(HOURS,), greeting=clip_reply("he_greeting"))
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, details=GREETED, speed=SPEED, background=HUM) as caller:
            await caller.wait_heard(1500)
            await caller.wait_quiet()
            await caller.say(QUESTION)
            await hears_hours(caller)
        api = await stage.api.wait_for(1)
        await api.wait_closed()
        validated(api)

    greeting, reply = (record.event["response"] for record in api.received if record.type == "response.create")
    assert "שלום, איך אפשר לעזור?" in greeting["instructions"]
    assert greeting["instructions"].endswith("המשפטים וההנחיות – תמיד בעברית.")
    assert "instructions" not in reply
    assert load("he_greeting").ulaw in caller.heard
    assert HOURS.audio in caller.heard


async def test_speech_during_calibration_is_answered(tmp_path: Path) -> None:
    async with staged(tmp_path, script("מה שעות הפתיחה?")) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await caller.say(QUESTION)
            await caller.wait_heard(500)
        assert len(caller.entries(Kind.SOUND)) == 1


async def test_marks_that_never_come_back_do_not_hang_the_call(tmp_path: Path) -> None:
    talk = script("שאלה", "עוד שאלה", replies=(clip_reply("he_reply_short"),) * 2)
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, speed=SPEED, echo_marks=False) as caller:
            await asks(caller)
            await caller.wait_for(Kind.CLEAR, timeout_s=10)
            await caller.say(QUESTION)
            await caller.wait_for(Kind.SOUND, 2)


SURVIVED = [
    Fault.BETA_NAMES,
    Fault.UNKNOWN_EVENTS,
    Fault.UNSOLICITED_RESPONSE,
    Fault.FOREIGN_RESPONSE,
]


@pytest.mark.parametrize("fault", SURVIVED)
async def test_call_survives_a_fault_of_the_connection(tmp_path: Path, fault: Fault) -> None:
    talk = script("שאלה", replies=(HOURS,), faults=frozenset({fault}), default_reply=clip_reply("he_apology"))
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await hears_hours(caller)

    assert HOURS.audio in caller.heard
    assert load("he_apology").ulaw[:800] not in caller.heard


ONCE_BAD = [
    Fault.NO_RESPONSE,
    Fault.FAILED,
    Fault.NO_AUDIO,
]


@pytest.mark.parametrize("fault", ONCE_BAD)
async def test_reply_that_fails_once_is_requested_again(tmp_path: Path, fault: Fault) -> None:
    bad = attrs.evolve(HOURS, faults=frozenset({fault}))
    async with staged(tmp_path, script("שאלה", replies=(bad, HOURS))) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await hears_hours(caller)

    assert HOURS.audio in caller.heard


async def test_reply_that_fails_twice_ends_the_call(tmp_path: Path) -> None:
    bad = attrs.evolve(HOURS, faults=frozenset({Fault.FAILED}))
    async with staged(tmp_path, script("שאלה", replies=(bad, bad))) as stage:
        async with place_call(stage.voice, speed=SPEED) as caller:
            await asks(caller)
            await caller.wait_over()

    assert stage.journal()[-1]["end"]["reason"] == "reply_failed"


@pytest.mark.parametrize("fault", [Fault.BAD_BASE64, Fault.MALFORMED_JSON, Fault.DUPLICATE_DONE])
async def test_malformed_event_loses_itself_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    bad = attrs.evolve(HOURS, faults=frozenset({fault}))
    async with staged(tmp_path, script("שאלה", replies=(bad,))) as stage:
        async with place_call(stage.voice, speed=SPEED) as caller:
            await asks(caller)
            await caller.wait_heard(5000)
            await caller.wait_quiet()

    assert sum("[WIRE]" in record.getMessage() for record in caplog.records) <= 1
    assert stage.journal()[-1]["end"]["reason"] == "hangup"


@pytest.mark.parametrize("fault", [Fault.CANCEL_UNANSWERED, Fault.CANCELLED_EVENT, Fault.LATE_DELTAS])
async def test_stop_holds_whatever_answers_the_cancel(tmp_path: Path, fault: Fault) -> None:
    slow = attrs.evolve(HOURS, rate=1.2, faults=frozenset({fault}))
    talk = script("שאלה", "עוד שאלה", replies=(slow, clip_reply("he_reply_short")))
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await caller.wait_heard(2000)
            await caller.say(INTERRUPTION)
            await caller.wait_for(Kind.SOUND, 2)
            await caller.wait_quiet()
        api = await stage.api.wait_for(1)

    (_, again) = [record for record in api.received if record.type == "response.create"]
    assert caller.entries(Kind.SOUND)[1].at_s > again.at_s
    assert load("he_reply_short").ulaw in caller.heard


async def test_connection_lost_in_mid_reply_is_made_again(tmp_path: Path) -> None:
    bad = attrs.evolve(HOURS, rate=2.0, faults=frozenset({Fault.CLOSE_MID_RESPONSE}))
    async with staged(tmp_path, script("שאלה", replies=(bad,)), script(replies=(HOURS,))) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await caller.wait_for(Kind.SOUND, 2)
            await caller.wait_quiet()
        again = await stage.api.wait_for(2)
        await again.wait_closed()
        sent = validated(again)

    assert sent[:2] == ["session.update", "conversation.item.create"]
    assert again.received[1].event["item"]["content"] == [{"type": "input_text", "text": "שאלה"}]
    assert sent.count("response.create") == 1
    assert HOURS.audio in caller.heard


REFUSED = [
    ("rejected settings", {Fault.REJECTED_SESSION}, "realtime_session_rejected", 1),
    ("refused key", {Fault.UNAUTHORIZED}, "realtime_refused_401", 1),
    ("server error", {Fault.SERVER_ERROR}, "realtime_refused_500", 3),
]


@pytest.mark.parametrize(("faults", "reason", "tries"), [pytest.param(*r[1:], id=r[0]) for r in REFUSED])
async def test_no_session_ends_the_call_in_order(tmp_path: Path, faults: set[Fault], reason: str, tries: int) -> None:
    async with staged(tmp_path, Script(faults=frozenset(faults))) as stage:
        async with place_call(stage.voice, speed=SPEED) as caller:
            await caller.wait_over()
        assert stage.api.handshakes == tries

    assert stage.journal()[-1]["end"]["reason"].startswith(reason)
    assert stage.journal()[-1]["end"]["state"] == "ENDED"


async def test_first_server_error_is_tried_again(tmp_path: Path) -> None:
    down = Script(faults=frozenset({Fault.SERVER_ERROR}))
    async with staged(tmp_path, down, script("שאלה")) as stage:
        async with place_call(stage.voice, speed=SPEED) as caller:
            await asks(caller)
            await caller.wait_heard(500, timeout_s=20)


@pytest.mark.parametrize("how", ["hang_up", "drop"])
async def test_both_legs_close_and_nothing_is_left_running(tmp_path: Path, how: str) -> None:
    async with staged(tmp_path, script("שאלה")) as stage:
        before = asyncio.all_tasks()
        async with place_call(stage.voice, speed=SPEED) as caller:
            await asks(caller)
            await caller.wait_heard(500)
            await getattr(caller, how)()
            api = await stage.api.wait_for(1)
            await api.wait_closed(timeout_s=1.0)
        async with asyncio.timeout(5):
            await stage.server.wait_for_the_last_call()
        ours = [task for task in asyncio.all_tasks() - before if "callfsm/server" in str(task.get_coro())]

    assert ours == []
    assert stage.journal()[-1]["end"]["reason"] == ("hangup" if how == "hang_up" else "twilio_lost")


async def test_calls_at_the_same_time_do_not_share_anything(tmp_path: Path) -> None:
    texts = ["שאלה אחת", "שאלה שתיים", "שאלה שלוש"]
    async with staged(tmp_path, *(script(text) for text in texts)) as stage:

        async def call(number: int) -> list[str]:
            async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
                await caller.silence(1 + number)
                await caller.say(QUESTION)
                await caller.wait_heard(1000)
            return [entry.detail for entry in caller.entries(Kind.MARK)]

        marks = await asyncio.gather(*(call(number) for number in range(3)))

    assert [found[0] for found in marks] == ["m1"] * 3


async def test_utterance_without_a_transcript_is_answered_after_the_first(tmp_path: Path) -> None:
    talk = Script(
        utterances=(Utterance("שאלה ראשונה"), Utterance(never=True)),
        replies=(clip_reply("he_reply_short"), HOURS),
        speed=SPEED,
    )
    async with staged(tmp_path, talk) as stage:
        async with place_call(stage.voice, speed=SPEED, background=HUM) as caller:
            await asks(caller)
            await caller.wait_heard(1000)
            await caller.wait_quiet()
            await caller.say(QUESTION)
            await hears_hours(caller)

    assert HOURS.audio in caller.heard


async def test_bug_of_ours_ends_its_call_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    victims: list[object] = []

    def dispatch(call, event):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        if type(event).__name__ == "AudioCommitted" and victims in ([], [call]):
            victims[:] = [call]
            raise ZeroDivisionError
        return machine.dispatch(call, event)

    monkeypatch.setattr("callfsm.server.session.dispatch", dispatch)
    async with staged(tmp_path, script("שאלה"), config=FAST) as stage:
        async with place_call(stage.voice, speed=SPEED) as unlucky, place_call(stage.voice, speed=SPEED) as lucky:
            await unlucky.silence(2)
            await unlucky.say(QUESTION)
            await unlucky.wait_over()
            await lucky.say(QUESTION)
            await lucky.wait_heard(500)

    assert [record.exc_info is not None for record in caplog.records if "[BUG]" in record.message] == [True]
