"""Virtual time, the sockets in memory, and the demo's stories played on the pure core."""

import asyncio
from itertools import pairwise

import pytest
from aiohttp import WSCloseCode

from callfsm.sim import virtual
from callfsm.sim.media_line import Kind
from callfsm.sim.stories import STORIES, Story
from callfsm.sim.virtual_call import Frame, Happening, Line, Message, Move
from callfsm.sim.virtual_socket import VirtualSocket
from callfsm.sim.virtual_story import TWILIO_MS, Performance, perform
from callfsm.states.base import State

SILENT, _, EARLY, INTERRUPTED, TAIL, _, COUGHED, GREETED = STORIES


def changes(performance: Performance) -> list[str]:
    return [f"{move.event.__name__} {move.dest.name}" for move in performance.happened if isinstance(move, Move)]


def wire(performance: Performance) -> list[str]:
    """The names of all messages but those that come by the dozen; ours are led by an arrow."""
    many = {"media", "mark", "input_audio_buffer.append", "response.output_audio.delta"}
    return [
        f"> {message.name}" if message.is_ours else message.name
        for message in performance.happened
        if isinstance(message, Message) and message.name not in many
    ]


def but_for_the_session(performance: Performance) -> list[Happening]:
    """All that happened, without the two messages that tell when the session will expire."""
    told = {"session.created", "session.updated"}
    return [each for each in performance.happened if not (isinstance(each, Message) and each.name in told)]


# Time


def test_time_begins_at_0_and_passes_only_by_waiting() -> None:
    async def wait() -> list[float]:
        times = [asyncio.get_running_loop().time()]
        await asyncio.sleep(0)
        times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(86_400)
        times.append(asyncio.get_running_loop().time())
        return times

    assert virtual.run(wait()) == [0.0, 0.0, 86_400.0]


def test_timers_come_in_the_order_of_their_times() -> None:
    async def wait() -> list[int]:
        came: list[int] = []
        for delay_s in (300, 100, 200):
            asyncio.get_running_loop().call_later(delay_s, came.append, delay_s)
        await asyncio.sleep(1000)
        return came

    assert virtual.run(wait()) == [100, 200, 300]


def test_a_time_out_comes_in_virtual_time() -> None:
    async def wait() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert virtual.run(wait()) == 3600.0


def test_waiting_for_what_cannot_come_is_an_error_and_not_a_standstill() -> None:
    with pytest.raises(virtual.NothingToWaitForError):
        virtual.run(asyncio.Event().wait())


# Sockets


def test_messages_arrive_after_their_latency_and_in_order() -> None:
    async def talk() -> list[tuple[float, str]]:
        one, other = VirtualSocket.pair(30.0)
        for word in ("a", "b", "c"):
            one.put(word)
        await asyncio.sleep(0.5)
        one.put("d")
        await one.close(code=WSCloseCode.GOING_AWAY)
        return [(asyncio.get_running_loop().time(), message.data) async for message in other]

    heard = virtual.run(talk())

    assert [(0.5, "a"), (0.5, "b"), (0.5, "c"), (pytest.approx(0.53), "d")] == heard


def test_a_close_ends_both_ends_and_tells_its_code() -> None:
    async def talk() -> list[object]:
        one, other = VirtualSocket.pair(30.0)
        reading = asyncio.create_task(anext(aiter(one), None))
        await asyncio.sleep(1.0)
        first, second = await one.close(code=WSCloseCode.GOING_AWAY), await one.close()
        was_closed_at_once = other.closed
        last = [message async for message in other]
        with pytest.raises(ConnectionResetError):
            other.put("too late")
        return [first, second, was_closed_at_once, last, await reading, one.close_code, other.close_code]

    assert virtual.run(talk()) == [True, False, False, [], None, 1001, 1001]


# Stories


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_a_story_shows_in_virtual_time_what_it_claims(story: Story) -> None:
    ending = perform(story).ending

    assert [said for said, is_true in story.claims if not is_true(ending)] == []
    assert ending.caller.entries(Kind.FAULT) == []


@pytest.mark.parametrize("story", [SILENT, INTERRUPTED], ids=lambda story: story.title)
def test_a_story_is_the_same_every_time(story: Story) -> None:
    first, second = perform(story), perform(story)

    assert but_for_the_session(first) == but_for_the_session(second)
    assert first.ending.caller.log == second.ending.caller.log
    assert first.ending.caller.heard == second.ending.caller.heard


def test_the_record_of_a_call_is_in_order_and_whole() -> None:
    performance = perform(GREETED)
    times = [round(happened.at_s, 6) for happened in performance.happened]
    frames = [frame for frame in performance.happened if isinstance(frame, Frame)]
    lines = [line.message for line in performance.happened if isinstance(line, Line)]

    assert sorted(times) == times
    assert {0.02} == {round(after.at_s - frame.at_s, 6) for frame, after in pairwise(frames)}
    assert len(performance.ending.caller.heard) // 160 in {len(frames), len(frames) - 1}
    assert lines == performance.ending.log


def test_a_frame_says_where_a_turn_begins_and_ends_and_what_moves_the_call() -> None:
    performance = perform(EARLY)
    frames = [frame for frame in performance.happened if isinstance(frame, Frame)]
    moving = [number for number, frame in enumerate(frames, 1) if frame.has_moved]
    turns = [(frame.before.name, frame.after.name) for frame in frames if frame.before is not frame.after]

    assert moving == [75]
    assert turns == [("SILENT", "SPEAKING"), ("SPEAKING", "UNSETTLED")]


def test_a_barge_in_clears_and_cancels_in_the_step_of_the_loud_frame_and_truncates_when_it_is_proven() -> None:
    performance = perform(INTERRUPTED)
    messages = wire(performance)
    clear = messages.index("> clear")
    (at_s,) = {each.at_s for each in performance.happened if isinstance(each, Message) and each.name == "clear"}
    (silence, *_) = performance.ending.caller.entries(Kind.QUIET)

    truncate, commit = (
        messages.index("> conversation.item.truncate"),
        messages.index("> input_audio_buffer.commit", clear),
    )
    stopped, proven = (number for number, line in enumerate(performance.ending.log) if line.startswith("[BARGE-IN]"))

    assert messages[clear : clear + 2] == ["> clear", "> response.cancel"]
    assert clear < truncate < commit
    assert performance.ending.log[stopped].endswith("sending response.cancel")
    assert performance.ending.log[proven] == "[BARGE-IN] Confirmed as speech"
    assert changes(performance)[4:6] == ["RmsFrame CANCELLING", "ResponseDone LISTENING"]
    assert silence.at_s == pytest.approx(at_s + TWILIO_MS / 1000)


def test_a_cancel_that_finds_no_response_is_answered_by_an_error_and_the_caller_has_the_floor() -> None:
    assert changes(perform(TAIL))[4:6] == ["RmsFrame CANCELLING", "RealtimeError LISTENING"]


def test_a_cough_has_the_answer_go_on_from_the_floor_with_what_had_come_of_it() -> None:
    performance = perform(COUGHED)

    assert changes(performance)[4:7] == ["RmsFrame CANCELLING", "RealtimeError LISTENING", "ReplyDue AI_GRACE"]
    assert wire(performance).count("> clear") == 1
    assert "> conversation.item.truncate" not in wire(performance)


def test_the_call_ends_with_the_callers_stop_and_closes_both_sockets() -> None:
    performance = perform(COUGHED)

    assert changes(performance)[-1] == f"CallEnded {State.ENDED.name}"
    assert wire(performance)[-1] == "stop"
    assert performance.ending.api.is_closed
    assert [entry.detail for entry in performance.ending.caller.entries(Kind.CLOSED)] == ["1000"]
