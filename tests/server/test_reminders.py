"""One moment, please: what a caller hears who is owed a reply while there is no session."""

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import pytest
from attrs import frozen

from callfsm.audit.replay import command as replay
from callfsm.audit.report import command as report
from callfsm.config import ClipsConfig, Config, TurnConfig
from callfsm.config_checks import ConfigError
from callfsm.environment import Environment
from callfsm.hearing.wav import ulaw_of_wav
from callfsm.server.shared import make_server
from tests.server.beside import ending, ready, until_over
from tests.server.by_hand import LOUD, PROOF, QUIET, Api, Hands, Twilio
from tests.server.openai_side import (
    VOICE,
    WORDS,
    Ear,
    Fed,
    abort,
    begun,
    driven,
    ear,
    fed,
    lines,
    replies,
    said,
    told,
    transcribed,
    twiml,
    voice,
    with_limits,
)

PATIENT = TurnConfig(grace_ms=0, moment_ms=100)
CONFIG = Config(turn=PATIENT)
MOMENT = ulaw_of_wav((resources.files("callfsm.clips") / "moment.wav").read_bytes())
LONG_OUTAGE = 10
"""So many looks are far more than moment_ms."""


@frozen
class Outage:
    """A call, its first session, and the one in the making, which the test makes ready or does not."""

    hands: Hands
    line: Twilio
    api: Api
    hearing: Ear
    looks: Fed

    async def breaks(self) -> Api:
        """Lose the session; return the one in the making."""
        abort(self.api)
        return await self.hands.api()


@asynccontextmanager
async def outage(folder: Path, config: Config = CONFIG, *, is_echoing: bool = True) -> AsyncIterator[Outage]:
    """Begin a call of which nothing has been heard yet."""
    with fed() as looks:
        async with driven(folder, config) as hands:
            line, api = await begun(hands)
            async with ear(line, is_echoing=is_echoing) as hearing:
                yield Outage(hands, line, api, hearing, looks)


async def test_caller_who_is_owed_a_reply_hears_the_clip_and_then_the_reply(tmp_path: Path) -> None:
    async with outage(tmp_path) as call:
        await said(call.line, call.api)
        second = await call.breaks()
        await call.hearing.hears(MOMENT)
        await second.ready()
        await replies(second, await second.until("response.create"), "r1")
        await call.hearing.hears(VOICE)

    assert bytes(call.hearing.audio) == MOMENT + VOICE
    assert told(second) == [("user", WORDS)]


async def test_session_that_comes_back_within_the_clip_replies_behind_it(tmp_path: Path) -> None:
    async with outage(tmp_path, is_echoing=False) as call:
        await said(call.line, call.api)
        second = await call.breaks()
        await call.hearing.hears(MOMENT)
        await second.ready()
        await second.until("conversation.item.create")
        await call.looks.until("look", 5)
        assert "response.create" not in second.types()
        call.hearing.is_echoing = True
        await call.hearing.echo()
        await replies(second, await second.until("response.create"), "r1")
        await call.hearing.hears(VOICE)

    assert bytes(call.hearing.audio) == MOMENT + VOICE
    assert second.types().count("response.create") == 1


async def test_clip_is_heard_once_in_an_outage_and_again_in_the_next(tmp_path: Path) -> None:
    async with outage(tmp_path) as call:
        await said(call.line, call.api)
        second = await call.breaks()
        await call.hearing.hears(MOMENT)
        await call.looks.until("look", LONG_OUTAGE)
        assert bytes(call.hearing.audio) == MOMENT
        await second.until("session.update")
        await second.ready()
        await second.until("response.create")
        abort(second)
        third = await call.hands.api()
        await call.hearing.hears(MOMENT * 2)
        await third.until("session.update")
        await third.ready()
        await replies(third, await third.until("response.create"), "r1")
        await call.hearing.hears(VOICE)

    assert bytes(call.hearing.audio) == MOMENT * 2 + VOICE


async def test_caller_whose_utterance_waits_for_a_session_hears_the_clip(tmp_path: Path) -> None:
    """It is not known yet whether a reply is owed; somebody has spoken all the same."""
    async with outage(tmp_path) as call:
        await replies(call.api, await said(call.line, call.api), "r1")
        await call.hearing.hears(VOICE)
        second = await call.breaks()
        await call.line.asks()
        await call.hearing.hears(MOMENT)
        await second.ready()
        await replies(second, await transcribed(second, words="ובשישי?"), "r2", value=0x22)
        await call.hearing.hears(voice(200, 0x22))

    assert bytes(call.hearing.audio) == VOICE + MOMENT + voice(200, 0x22)


async def test_no_clip_before_the_first_real_utterance(tmp_path: Path) -> None:
    async with outage(tmp_path) as call:
        second = await call.breaks()
        await call.line.asks()
        await call.looks.until("RealtimeMissing", LONG_OUTAGE)
        assert call.hearing.audio == b""
        await second.ready()
        await replies(second, await transcribed(second), "r1")
        await call.hearing.hears(VOICE)

    assert bytes(call.hearing.audio) == VOICE


async def test_no_clip_while_the_caller_speaks(tmp_path: Path) -> None:
    async with outage(tmp_path) as call:
        await said(call.line, call.api)
        await call.line.hears(*[LOUD] * 15)
        await call.api.until("input_audio_buffer.append", 30)
        await call.breaks()
        await call.looks.until("look", LONG_OUTAGE)
        assert call.looks.counts["RealtimeMissing"] == 0
        await call.line.hears(*[QUIET] * 30)
        await call.hearing.hears(MOMENT)


async def test_no_clip_where_nothing_is_owed(tmp_path: Path) -> None:
    async with outage(tmp_path) as call:
        await replies(call.api, await said(call.line, call.api), "r1")
        await call.hearing.hears(VOICE)
        await call.breaks()
        await call.looks.until("RealtimeMissing", LONG_OUTAGE)

    assert bytes(call.hearing.audio) == VOICE


async def test_caller_stops_the_clip_and_is_answered(tmp_path: Path) -> None:
    async with outage(tmp_path, is_echoing=False) as call:
        await said(call.line, call.api)
        second = await call.breaks()
        await call.hearing.hears(MOMENT)
        await call.line.hears(*PROOF, *[LOUD] * 8, *[QUIET] * 30)
        await call.hearing.until(lambda: "clear" in call.hearing.events)
        call.hearing.is_echoing = True
        await second.ready()
        await replies(second, await transcribed(second, words="הלו?"), "r1")
        await call.hearing.hears(VOICE)

    assert bytes(call.hearing.audio) == MOMENT + VOICE
    assert second.types().count("response.create") == 1


async def test_noise_over_the_clip_only_pauses_it(tmp_path: Path) -> None:
    async with outage(tmp_path, is_echoing=False) as call:
        await said(call.line, call.api)
        second = await call.breaks()
        await call.hearing.hears(MOMENT)
        await call.line.hears(LOUD, LOUD)
        await call.hearing.until(lambda: "clear" in call.hearing.events)
        call.hearing.is_echoing = True
        await call.line.hears(*[QUIET] * 48)
        await call.hearing.until(lambda: len(call.hearing.audio) > len(MOMENT), "the rest")
        await call.hearing.hears(MOMENT[-1600:])
        await second.ready()
        await replies(second, await second.until("response.create"), "r1")
        await call.hearing.hears(VOICE)


async def test_call_that_finds_no_session_ends_with_an_apology(tmp_path: Path) -> None:
    config = with_limits(PATIENT, realtime_ready_s=0.5, realtime_tries=2)
    async with outage(tmp_path, config) as call:
        await said(call.line, call.api)
        await call.breaks()
        await call.hearing.hears(MOMENT)
        await call.hearing.until_closed()
        await until_over(call.hands)

        assert "/clips/apology" in await twiml(call.hands, "/twilio/after")

    assert ending(tmp_path)["reason"] == "realtime_never_ready"
    assert bytes(call.hearing.audio) == MOMENT


async def test_journal_has_the_clip_and_replays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG", "callfsm")
    async with outage(tmp_path) as call:
        await said(call.line, call.api)
        second = await call.breaks()
        await call.hearing.hears(MOMENT)
        await second.ready()
        await replies(second, await second.until("response.create"), "r1")
        await call.hearing.hears(VOICE)

    (path,) = tmp_path.glob("*.jsonl")
    live = [record.getMessage() for record in caplog.records if record.name == "callfsm.call"]
    capsys.readouterr()
    moved = [(line["state"], line["to"]) for line in lines(tmp_path) if line.get("event") == "RealtimeMissing"]
    assert moved == [("LISTENING", "AI_GRACE")]
    assert await asyncio.to_thread(replay.main, ["--log-level", "DEBUG", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == live
    assert await asyncio.to_thread(report.main, [str(path), "-o", str(tmp_path / "report.html")]) == 0
    assert "AI_GRACE" in (tmp_path / "report.html").read_text(encoding="utf-8")


def wav(path: Path, ms: int = 400, rate_hz: int = 8000) -> str:
    """A recording of the operator's."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(b"\x00\x10" * (rate_hz * ms // 1000))
    return str(path)


async def test_operators_recording_takes_the_clips_place(tmp_path: Path) -> None:
    path = wav(tmp_path / "wait.wav")
    config = Config(turn=PATIENT, clips=ClipsConfig(moment=path))
    async with outage(tmp_path, config) as call:
        await said(call.line, call.api)
        await call.breaks()
        await call.hearing.hears(ulaw_of_wav(Path(path).read_bytes()))

    assert len(call.hearing.audio) == 400 * 8


@pytest.mark.parametrize("name", ["moment", "warning", "apology", "busy"])
@pytest.mark.parametrize("flaw", ["missing", "no wav", "wide band", "a folder"])
def test_recording_that_cannot_be_played_is_named(tmp_path: Path, name: str, flaw: str) -> None:
    (tmp_path / "no wav").write_bytes(b"RIFF")
    (tmp_path / "a folder").mkdir()
    wav(tmp_path / "wide band", rate_hz=16_000)
    clips = ClipsConfig(**{name: str(tmp_path / flaw)})

    with pytest.raises(ConfigError) as error:
        make_server(Config(clips=clips), Environment("sk-secret"), is_insecure=True)
    assert error.value.key == f"clips.{name}"


async def test_session_that_is_made_in_time_is_no_outage(tmp_path: Path) -> None:
    config = Config(turn=TurnConfig(grace_ms=0, moment_ms=20_000))
    async with outage(tmp_path, config) as call:
        await said(call.line, call.api)
        abort(call.api)
        second = await ready(call.hands)
        await replies(second, await second.until("response.create"), "r1")
        await call.hearing.hears(VOICE)

    assert bytes(call.hearing.audio) == VOICE
