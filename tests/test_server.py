"""server.py as an operator runs it: what it refuses, and that it serves and stops."""

import asyncio
import json
import os
import sys
from pathlib import Path

import aiohttp
import pytest

from callfsm.sim.caller import place_call
from callfsm.sim.realtime import running
from callfsm.sim.realtime_script import Script

ROOT = Path(__file__).parents[1]
KEY = "sk-planted-secret"
TOKEN = "planted-token"


async def run(*options: str, environ: dict[str, str], cwd: Path) -> asyncio.subprocess.Process:
    """Start the server with nothing in its environment but what is given."""
    path = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        ROOT / "server.py",
        *options,
        env={**path, **environ},
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


# fmt: off
INSECURE = ("--insecure",)
OPENAI = {"OPENAI_API_KEY": KEY}
REFUSED = [
    # id                    options                                    environment                          config                                key
    ("no key",              INSECURE,                                  {},                                  "",                                   "OPENAI_API_KEY"),
    ("key of two lines",    INSECURE,                                  {"OPENAI_API_KEY": f"{KEY}\n{KEY}"}, "",                                   "OPENAI_API_KEY"),
    ("no token",            (),                                        OPENAI,                              "",                                   "TWILIO_AUTH_TOKEN"),
    ("no public url",       (),                                        {**OPENAI, "TWILIO_AUTH_TOKEN": TOKEN}, "",                                "public_url"),
    ("bad public url",      (),                                        {**OPENAI, "CALLFSM_PUBLIC_URL": "ftp://x"}, "",                           "CALLFSM_PUBLIC_URL"),
    ("bad realtime url",    INSECURE,                                  {**OPENAI, "OPENAI_REALTIME_URL": "https://x"}, "",                        "OPENAI_REALTIME_URL"),
    ("realtime port",       INSECURE,                                  {**OPENAI, "OPENAI_REALTIME_URL": "ws://h:99999/v1"}, "",                  "OPENAI_REALTIME_URL"),
    ("realtime user",       INSECURE,                                  {**OPENAI, "OPENAI_REALTIME_URL": "ws://u:p@h/v1"}, "",                    "OPENAI_REALTIME_URL"),
    ("realtime brackets",   INSECURE,                                  {**OPENAI, "OPENAI_REALTIME_URL": "ws://[::1/v1"}, "",                     "OPENAI_REALTIME_URL"),
    ("public query",        INSECURE,                                  OPENAI,                              'public_url = "https://x?y=1"',       "public_url"),
    ("no such port",        ("--insecure", "--port", "70000"),         OPENAI,                              "",                                   "--port"),
    ("no such config",      INSECURE,                                  {**OPENAI, "CALLFSM_CONFIG": "callfsm.toml"}, "",                          "callfsm.toml"),
    ("insecure elsewhere",  ("--insecure", "--host", "0.0.0.0"),       OPENAI,                              "",                                   "--insecure"),
    ("admin elsewhere",     (*INSECURE, "--admin-host", "0.0.0.0"),    OPENAI,                              "",                                   "--admin-host"),
    ("admin by name",       (*INSECURE, "--admin-host", "example.org"), OPENAI,                             "",                                   "CALLFSM_ADMIN_TOKEN"),
    ("short admin token",   INSECURE,                                  {**OPENAI, "CALLFSM_ADMIN_TOKEN": TOKEN}, "",                              "CALLFSM_ADMIN_TOKEN"),
    ("unknown key",         INSECURE,                                  OPENAI,                              "[gate]\nquiet = 1",                  "gate.quiet"),
    ("impossible value",    INSECURE,                                  OPENAI,                              "[gate]\nquiet_rms = -77",            "gate.quiet_rms"),
    ("wrong type",          INSECURE,                                  OPENAI,                              '[turn]\ngrace_ms = "77"',            "turn.grace_ms"),
    ("long hangover",       INSECURE,                                  OPENAI,                              "[gate]\nhangover_ms = 600",          "gate.hangover_ms"),
    ("no toml",             INSECURE,                                  OPENAI,                              "gate",                               "callfsm.toml"),
    ("no such file",        ("--insecure", "--config", "missing.toml"), OPENAI,                             "",                                   "missing.toml"),
    ("unknown option",      ("--secure",),                             OPENAI,                              "",                                   "--secure"),
]
# fmt: on


@pytest.mark.parametrize(("options", "environ", "config", "key"), [pytest.param(*c[1:], id=c[0]) for c in REFUSED])
async def test_what_cannot_be_served_is_named(
    tmp_path: Path, options: tuple[str, ...], environ: dict[str, str], config: str, key: str
) -> None:
    if config:
        (tmp_path / "callfsm.toml").write_text(config, encoding="utf-8")
    server = await run(*options, environ=environ, cwd=tmp_path)
    out, err = await asyncio.wait_for(server.communicate(), 20)

    assert server.returncode == 2
    assert key in err.decode().splitlines()[-1]
    assert out == b""
    for value in (KEY, TOKEN, "-77", '"77"'):
        assert value not in err.decode()


async def test_server_serves_and_stops(tmp_path: Path) -> None:
    options = ("--insecure", "--port", "0", "--admin-port", "0", "--journal", str(tmp_path / "journals"))
    server = await run(*options, environ=OPENAI, cwd=tmp_path)
    assert server.stdout is not None
    statuses = []
    async with aiohttp.ClientSession() as http:
        for _ in range(2):
            address = (await asyncio.wait_for(server.stdout.readline(), 20)).decode().split()[-1]
            for path in ("/livez", "/readyz"):
                async with http.get(address + path) as answer:
                    statuses.append(answer.status)
    server.terminate()
    _, err = await asyncio.wait_for(server.communicate(), 20)

    assert statuses == [200] * 4
    assert server.returncode == 0
    assert err == b""


async def test_operators_listener_is_open_to_others_with_its_token(tmp_path: Path) -> None:
    environ = {**OPENAI, "CALLFSM_ADMIN_TOKEN": TOKEN * 2}
    options = ("--insecure", "--port", "0", "--admin-port", "0", "--admin-host", "0.0.0.0")
    server = await run(*options, environ=environ, cwd=tmp_path)
    assert server.stdout is not None
    _, address = [(await asyncio.wait_for(server.stdout.readline(), 20)).decode().split()[-1] for _ in range(2)]
    async with aiohttp.ClientSession() as http:
        url = address.replace("0.0.0.0", "127.0.0.1") + "/metrics"
        refused = await status_of(http, url)
        http.headers["Authorization"] = f"Bearer {TOKEN * 2}"
        admitted = await status_of(http, url)
    server.terminate()
    out, err = await asyncio.wait_for(server.communicate(), 20)

    assert (refused, admitted) == (401, 200)
    assert TOKEN not in (out + err).decode()


async def test_port_in_use_is_an_error_of_one_line(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    server = await run("--insecure", "--port", str(port), environ=OPENAI, cwd=tmp_path)
    _, err = await asyncio.wait_for(server.communicate(), 20)
    taken.close()

    assert server.returncode == 1
    assert len(err.decode().splitlines()) == 1


async def status_of(http: aiohttp.ClientSession, url: str) -> int:
    async with http.get(url) as answer:
        return answer.status


async def until_status(http: aiohttp.ClientSession, url: str, status: int) -> None:
    async with asyncio.timeout(10):
        while await status_of(http, url) != status:
            pass


@pytest.mark.parametrize("signals", [1, 2])
async def test_sigterm_lets_the_live_call_end_and_a_second_one_ends_it(tmp_path: Path, signals: int) -> None:
    async with running(Script()) as api:
        environ = {**OPENAI, "OPENAI_REALTIME_URL": api.url}
        options = ("--insecure", "--port", "0", "--admin-port", "0", "--journal", str(tmp_path))
        server = await run(*options, environ=environ, cwd=tmp_path)
        assert server.stdout is not None
        public, admin = [(await server.stdout.readline()).decode().split()[-1] for _ in range(2)]
        async with aiohttp.ClientSession() as http, place_call(f"{public}/twilio/voice") as caller:
            await api.connections.wait_for()
            server.terminate()
            await until_status(http, f"{admin}/readyz", 503)
            async with http.post(f"{public}/twilio/voice", data={"CallSid": "CA2"}) as answer:
                twiml = await answer.text()
            await caller.silence(0.2)
            was_over = caller.is_over
            if signals == 2:
                server.terminate()
                await caller.wait_over(2.0)
            await caller.hang_up()
        _, err = await asyncio.wait_for(server.communicate(), 10)

    (journal,) = tmp_path.glob("*.jsonl")
    reason = json.loads(journal.read_text(encoding="utf-8").split("\n")[-2])["end"]["reason"]
    assert "/clips/busy" in twiml
    assert not was_over
    assert reason == ("hangup" if signals == 1 else "shutdown")
    assert (server.returncode, b"Traceback" in err) == (0, False)
