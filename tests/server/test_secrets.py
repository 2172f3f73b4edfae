"""server.py as a process, with planted secrets: none is in anything that it writes, whatever happens to its calls."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp
import attrs
import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator

from tests.server.by_hand import QUIET, TIMEOUT_S, Api, Twilio
from tests.server.secrets import leaks, written_in

ROOT = Path(__file__).parents[2]
PUBLIC = "https://calls.example.org"
SECRETS = {
    "OPENAI_API_KEY": "sk-planted/key+of=openai",
    "TWILIO_AUTH_TOKEN": "planted-token-of-twilio",
    "CALLFSM_ADMIN_TOKEN": "planted-token-of-the-operator",
}
PLANTED = {
    **SECRETS,
    "a tool query": "planted-query",
    "a tool path": "planted-path",
    "a tool page": "planted-page-of-an-error",
    "a wrong stream token": "planted-stream-token",
    "a forged signature": "planted-signature",
    "a wrong bearer": "planted-wrong-bearer",
    "an unknown path": "planted-path-unknown",
    "a refusal of OpenAI": "planted-refusal",
    "a malformed message": "planted-malformed",
    "the caller": "972541112233",
    "the end of the caller": "541112233",
    "a phone": "052-7654321",
    "the end of the phone": "7654321",
    "a card": "4111 1111 1111 1111",
    "the card in one": "4111111111111111",
    "an identity": "123456782",
    "an address": "planted.person@example.com",
    "an argument of a callback": "planted-argument",
}
SAID = f"תעודת זהות {PLANTED['an identity']}, כרטיס {PLANTED['a card']}, טלפון {PLANTED['a phone']}, {PLANTED['an address']}"
REPLY = ("רשמתי: 05", "2-76", "54321 וכתובת planted.per", "son@exam", "ple.com תודה ", "רבה")
BUGGY = "יש כאן תקלה"
WRAPPED = f"""
import asyncio, sys
import server
from callfsm.server import session

dispatch = session.dispatch

def broken(call, event):
    if getattr(event, "transcript", "") == {BUGGY!r}:
        asyncio.get_running_loop().call_soon(lambda argument: 1 / 0, {PLANTED["an argument of a callback"]!r})
        try:
            {{}}[{PLANTED["the card in one"]!r}]
        except KeyError as error:
            raise ValueError({SAID!r}) from error
    return dispatch(call, event)

session.dispatch = broken
sys.exit(server.main(sys.argv[1:]))
"""
"""server.py with a bug in it, that quotes what it was given as the worst bugs do."""


@attrs.define(eq=False)
class Process:
    """The running server, and what it answered."""

    public: str
    admin: str
    http: aiohttp.ClientSession
    apis: asyncio.Queue[Api]
    answers: dict[str, bytes] = attrs.field(factory=dict)
    lines: list[Twilio] = attrs.field(factory=list)

    async def fetch(self, method: str, url: str, **request: object) -> str:
        """Send a request; keep all that is answered."""
        async with self.http.request(method, url, **request) as answer:  # type: ignore[arg-type]
            text = await answer.text()
            self.answers[f"answer {len(self.answers)}"] = f"{answer.status} {answer.headers}\n{text}".encode()
        return text

    async def send_raw(self, base: str, data: bytes) -> None:
        """Send what is no request; keep all that is answered."""
        host, port = base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        self.answers[f"answer {len(self.answers)}"] = await asyncio.wait_for(reader.read(), TIMEOUT_S)
        writer.close()

    async def announce(self, call_sid: str) -> str:
        """Announce a call as Twilio does; return its stream's token."""
        form = {"CallSid": call_sid, "AccountSid": "AC1", "From": "+" + PLANTED["the caller"], "To": "+9723"}
        url = f"{self.public}/twilio/voice"
        async with self.http.post(url, data=form, headers=signed("/twilio/voice", form)) as answer:
            return (await answer.text()).split('name="token" value="')[1].split('"')[0]

    async def stream(self, call_sid: str, token: str) -> Twilio:
        """Open a call's stream."""
        url = f"{self.public}/twilio/media".replace("http", "ws", 1)
        self.lines.append(Twilio(await self.http.ws_connect(url, headers=signed("/twilio/media", None))))
        await self.lines[-1].starts(call_sid, token=token)
        return self.lines[-1]

    async def says(self, call_sid: str, text: str) -> tuple[Twilio, Api, str]:
        """A call in which this has been said; its token, too."""
        token = await self.announce(call_sid)
        twilio = await self.stream(call_sid, token)
        api = await asyncio.wait_for(self.apis.get(), TIMEOUT_S)
        await api.until("session.update")
        await api.ready()
        await twilio.hears(*[QUIET] * 75)
        await twilio.asks()
        await api.until("input_audio_buffer.commit")
        await api.send("input_audio_buffer.committed", item_id="u1")
        await api.transcribes("u1", text)
        return twilio, api, token


def signed(path: str, form: dict[str, str] | None) -> dict[str, str]:
    url = ("https" if form is not None else "wss") + PUBLIC.removeprefix("https") + path
    validator = RequestValidator(SECRETS["TWILIO_AUTH_TOKEN"])
    return {"X-Twilio-Signature": validator.compute_signature(url, form or {})}


@asynccontextmanager
async def peers(apis: asyncio.Queue[Api], refused: list[str]) -> AsyncIterator[str]:
    """OpenAI, which refuses one connection for each entry of the list, and the operator's functions."""

    async def realtime(request: web.Request) -> web.StreamResponse:
        if refused:
            return web.Response(status=401, text=f"{refused.pop()}: {request.headers['Authorization']}")
        socket = web.WebSocketResponse(timeout=0.2)
        await socket.prepare(request)
        apis.put_nowait(api := Api(socket))
        await api.listen()
        return socket

    async def lookup(request: web.Request) -> web.Response:
        return web.json_response({"found": await request.json()})

    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=410, text=f"{PLANTED['a tool page']}: {request.url}")

    app = web.Application()
    app.router.add_get("/v1/realtime", realtime)
    app.router.add_post(f"/{PLANTED['a tool path']}/lookup", lookup)
    app.router.add_post(f"/{PLANTED['a tool path']}/broken", broken)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def configured(folder: Path, peer: str) -> Path:
    tools = "".join(
        f'[[business.tool]]\nname = "{name}"\ndescription = "…"\n'
        f'url = "http://{peer}/{PLANTED["a tool path"]}/{name}?key={PLANTED["a tool query"]}"\n'
        for name in ("lookup", "broken")
    )
    path = folder / "callfsm.toml"
    path.write_text(f'[privacy]\nredact = ["identity", "card", "phone", "email"]\n[[business]]\n{tools}', "utf-8")
    return path


async def has_a_good_call(process: Process) -> str:
    twilio, api, token = await process.says("CA1", SAID)
    await api.until("response.create")
    await api.creates("r1", "1")
    for words in REPLY:
        await api.send("response.output_audio_transcript.delta", response_id="r1", item_id="a1", delta=words)
    await api.send("response.output_audio_transcript.done", response_id="r1", item_id="a1", transcript="".join(REPLY))
    for number, name in enumerate(("lookup", "broken")):
        await api.send(
            "response.function_call_arguments.done", response_id="r1", item_id=f"f{number}", call_id=f"c{number}",
            name=name, arguments=f'{{"about":"{SAID}","phone":527654321,"card":4111111111111111}}',
        )  # fmt: skip
    await api.socket.send_str(
        f'{{"type":"response.created","response":{{"id":["{PLANTED["a malformed message"]}"]}}}}'
    )
    await api.socket.send_str(PLANTED["a malformed message"])
    await twilio.socket.send_str(f'{{"event":"mark","mark":{{"name":["{PLANTED["a malformed message"]}"]}}}}')
    await api.until("conversation.item.create", 2)
    for digit in PLANTED["the card in one"]:
        await twilio.send({"event": "dtmf", "dtmf": {"digit": digit}})
    await api.ends("r1", "1", "completed", "a1", "f0", "f1")
    await api.until("response.create", 2)
    await twilio.send({"event": "stop"})
    await twilio.until("closed")
    return token


async def is_refused(process: Process) -> None:
    forged = {"X-Twilio-Signature": PLANTED["a forged signature"]}
    form = {"CallSid": "CA2", "From": "+" + PLANTED["the caller"]}
    for headers in (forged, {}):
        await process.fetch("POST", f"{process.public}/twilio/voice", data=form, headers=headers)
        await process.fetch("GET", f"{process.public}/twilio/media", headers=headers)
    query = quote(PLANTED["an address"])
    for base in (process.public, process.admin):
        await process.fetch("GET", f"{base}/{PLANTED['an unknown path']}?mail={query}")
        await process.send_raw(base, f"{PLANTED['an unknown path']}\0 {PLANTED['an address']}\r\n\r\n".encode())
    await process.fetch(
        "GET", f"{process.admin}/metrics", headers={"Authorization": f"Bearer {PLANTED['a wrong bearer']}"}
    )
    twilio = await process.stream("CA3", PLANTED["a wrong stream token"])
    await twilio.until("closed")


async def is_failed_by_openai(process: Process) -> str:
    token = await process.announce("CA4")
    await (await process.stream("CA4", token)).until("closed")
    form = {"CallSid": "CA4", "AccountSid": "AC1"}
    await process.fetch("POST", f"{process.public}/twilio/after", data=form, headers=signed("/twilio/after", form))
    return token


async def meets_a_bug(process: Process) -> str:
    twilio, _, token = await process.says("CA5", BUGGY)
    await twilio.until("closed")
    return token


async def test_nothing_that_is_secret_or_private_is_written(tmp_path: Path) -> None:
    journals, refused, apis = tmp_path / "journals", list[str](), asyncio.Queue[Api]()
    path = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    async with peers(apis, refused) as peer, aiohttp.ClientSession() as http:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRAPPED,
            "--port", "0", "--admin-port", "0", "--journal", str(journals), "--log-level", "DEBUG",
            "--config", str(configured(tmp_path, peer)),
            env={**path, **SECRETS, "PYTHONPATH": str(ROOT), "CALLFSM_PUBLIC_URL": PUBLIC,
                 "OPENAI_REALTIME_URL": f"ws://{peer}/v1/realtime?key={PLANTED['a tool query']}"},
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert server.stdout is not None
        said = [await asyncio.wait_for(server.stdout.readline(), TIMEOUT_S) for _ in range(2)]
        public, admin = (line.decode().split()[-1] for line in said)
        process = Process(public, admin, http, apis)
        tokens = [await has_a_good_call(process)]
        await is_refused(process)
        tokens.append(await meets_a_bug(process))
        # The last one: behind it OpenAI is taken to be down.
        refused.append(PLANTED["a refusal of OpenAI"])
        tokens.append(await is_failed_by_openai(process))
        bearer = {"Authorization": f"Bearer {SECRETS['CALLFSM_ADMIN_TOKEN']}"}
        metrics = await process.fetch("GET", f"{process.admin}/metrics", headers=bearer)
        server.terminate()
        out, err = await asyncio.wait_for(server.communicate(), TIMEOUT_S)

    written = {**written_in(journals), **process.answers, "stdout": b"".join(said) + out, "stderr": err}
    log = err.decode()
    assert server.returncode == 0
    # All of it did happen.
    assert "User said: תעודת זהות [identity], כרטיס [card], טלפון [phone], [email]" in log
    assert "[TOOL] broken: the function answered with status 410" in log
    assert "[BUG] The call is ended" in log
    assert "builtins.KeyError" in log
    assert "builtins.ValueError" in log
    assert "Exception in callback" in log
    assert "realtime_refused_401" in log
    assert 'callfsm_rejected_total{reason="token"}' in metrics
    assert len(list(journals.glob("*.jsonl"))) == 3
    planted = {**PLANTED, **{f"token {number}": token for number, token in enumerate(tokens)}}
    assert leaks(planted, written) == []


FORMS = [
    b"key=pl+anted secret",
    b"pl%2Banted%20secret",
    b"pl%2Banted+secret",
    *(base64.b64encode(b"x" * before + b"pl+anted secret" + b"x" * 7) for before in range(4)),
]


@pytest.mark.parametrize("text", FORMS)
def test_search_finds_a_secret_in_every_form(text: bytes) -> None:
    assert leaks({"key": "pl+anted secret"}, {"log": b"... " + text + b" ..."}) != []


def test_search_finds_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("planted", encoding="utf-8")

    assert leaks({"key": "pl+anted secret"}, written_in(tmp_path)) == []
    assert leaks({"key": "planted"}, written_in(tmp_path)) == ["key in journal, raw", "key in journal, URL-encoded",
        "key in journal, a form's field", "key in journal, escaped JSON"]  # fmt: skip
