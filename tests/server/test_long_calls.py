"""The longest call: the caller is told that it ends, and then it ends."""

from importlib import resources
from pathlib import Path

from attrs import evolve

from callfsm.config import ClipsConfig, Config
from callfsm.hearing.wav import ulaw_of_wav
from tests.server.beside import ending, events
from tests.server.by_hand import LOUD, QUIET
from tests.server.openai_side import (
    GRACELESS,
    VOICE,
    begun,
    driven,
    ear,
    fed,
    hangs_up,
    replies,
    said,
    transcribed,
    voice,
)
from tests.server.test_reminders import wav

WARNING = ulaw_of_wav((resources.files("callfsm.clips") / "warning.wav").read_bytes())
SHORT = Config(turn=GRACELESS, max_call_s=61, warning_s=60)
"""The warning is due after a second."""


async def test_caller_is_warned_once_and_goes_on(tmp_path: Path) -> None:
    with fed() as looks:
        async with driven(tmp_path, SHORT) as hands:
            line, api = await begun(hands)
            async with ear(line) as hearing:
                await replies(api, await said(line, api), "r1")
                await hearing.hears(VOICE + WARNING)
                await looks.until("look", 5)
                await replies(api, await said(line, api, 2), "r2", value=0x22)
                await hearing.hears(voice(200, 0x22))

    assert bytes(hearing.audio) == VOICE + WARNING + voice(200, 0x22)
    assert events(tmp_path, "CallExpiring") == 1
    assert ending(tmp_path)["reason"] == "hangup"


async def test_warning_waits_for_the_end_of_the_turn_and_of_the_reply(tmp_path: Path) -> None:
    with fed() as looks:
        async with driven(tmp_path, SHORT) as hands:
            line, api = await begun(hands)
            async with ear(line, is_echoing=False) as hearing:
                await replies(api, await said(line, api), "r1")
                await hearing.hears(VOICE)
                await hearing.until_marked(1)
                await hearing.echo()
                await line.hears(*[LOUD] * 15)
                await looks.until("CallExpiring", 3)
                await line.hears(*[QUIET] * 30)
                await api.until("input_audio_buffer.commit", 2)
                await looks.until("CallExpiring", 3)
                create = await transcribed(api, 2)
                await looks.until("CallExpiring", 3)
                await replies(api, create, "r2", value=0x22)
                await hearing.until_marked(1)
                await looks.until("CallExpiring", 3)
                assert bytes(hearing.audio) == VOICE + voice(200, 0x22)
                await hearing.echo()
                await hearing.hears(WARNING)

    assert bytes(hearing.audio) == VOICE + voice(200, 0x22) + WARNING


async def test_no_warning_before_the_first_real_utterance(tmp_path: Path) -> None:
    with fed() as looks:
        async with driven(tmp_path, SHORT) as hands:
            line, api = await begun(hands)
            async with ear(line) as hearing:
                await looks.until("CallExpiring", 5)
                assert hearing.audio == b""
                await replies(api, await said(line, api), "r1")
                await hearing.hears(VOICE + WARNING)

    assert bytes(hearing.audio) == VOICE + WARNING


async def test_longest_call_ends_without_a_warning_where_none_is_wanted(tmp_path: Path) -> None:
    async with driven(tmp_path, Config(turn=GRACELESS, max_call_s=1, warning_s=0)) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await replies(api, await said(line, api), "r1")
            await hearing.until_closed()

    assert ending(tmp_path)["reason"] == "max_call_s"
    assert events(tmp_path, "CallExpiring") == 0
    assert bytes(hearing.audio) == VOICE


async def test_longest_call_ends_after_its_warning(tmp_path: Path) -> None:
    path = wav(tmp_path / "soon.wav", ms=200)
    config = evolve(SHORT, max_call_s=2, warning_s=1, clips=ClipsConfig(warning=path))
    async with driven(tmp_path, config) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await replies(api, await said(line, api), "r1")
            await hearing.until_closed()

    assert ending(tmp_path)["reason"] == "max_call_s"
    assert bytes(hearing.audio) == VOICE + ulaw_of_wav(Path(path).read_bytes())


async def test_call_that_is_shorter_than_its_warning_has_none(tmp_path: Path) -> None:
    async with driven(tmp_path, evolve(SHORT, max_call_s=60, warning_s=60)) as hands:
        line, api = await begun(hands)
        async with ear(line) as hearing:
            await replies(api, await said(line, api), "r1")
            await hearing.hears(VOICE)
            await hangs_up(line)
            await hearing.until_closed()

    assert events(tmp_path, "CallExpiring") == 0
