"""server.py as an operator runs it: what it refuses, and that it serves and stops."""

import asyncio
import os
import sys
from pathlib import Path

import aiohttp
import pytest

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


async def test_port_in_use_is_an_error_of_one_line(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    server = await run("--insecure", "--port", str(port), environ=OPENAI, cwd=tmp_path)
    _, err = await asyncio.wait_for(server.communicate(), 20)
    taken.close()

    assert server.returncode == 1
    assert len(err.decode().splitlines()) == 1
