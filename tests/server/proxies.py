"""The proxies of deploy/, each started with its shipped file, in which addresses and folders are other ones."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import attrs
from yarl import URL

from callfsm.hearing.mulaw import FRAME_BYTES
from callfsm.sim.caller import SimulatedCaller, on_line
from callfsm.sim.media_line import MediaLine
from callfsm.sim.webhook import Details, Signer, ring

DEPLOY = Path(__file__).parents[2] / "deploy"
TIMEOUT_S = 20.0
AUTH_TOKEN = "shhh"
SIGNER = Signer(AUTH_TOKEN)


@attrs.frozen
class Kind:
    """A proxy, and how it is started and reloaded."""

    program: str
    file: str
    options: tuple[str, ...]
    """The file's path and the folder's are put in for {file} and {folder}."""
    reload: signal.Signals
    changes: Mapping[str, str]
    """What in the shipped file belongs to a machine; {port}, {folder} and the servers' addresses are put in."""


HAPROXY = Kind(
    "haproxy",
    "haproxy.cfg",
    ("-W", "-db", "-f", "{file}"),
    signal.SIGUSR2,
    {
        "    user haproxy\n    group haproxy\n": "",
        "    maxconn 2000\n": "    maxconn 500\n",
        "log /dev/log": "log stderr format raw",
        "bind :443": "bind 127.0.0.1:{port}",
        "/etc/haproxy/certs/calls.example.org.pem": "{folder}/both.pem",
        "127.0.0.1:8080": "{server}",
        "check inter 2s": "check inter 50ms",
    },
)
SEVERAL = attrs.evolve(
    HAPROXY,
    file="haproxy-several.cfg",
    changes={
        **HAPROXY.changes,
        "https://calls.example.org": "https://localhost:{port}",
        "127.0.0.1:8081": "{other}",
        " inter 1s": " inter 50ms",
    },
)
NGINX = Kind(
    "nginx",
    "nginx.conf",
    ("-e", "{folder}/error.log", "-c", "{file}", "-g", "daemon off;"),
    signal.SIGHUP,
    {
        "user www-data;\n": "",
        "worker_processes auto": "worker_processes 2",
        "worker_rlimit_nofile 8192;\n": "",
        "worker_connections 4096": "worker_connections 400",
        "/run/nginx.pid": "{folder}/nginx.pid",
        "/var/log/nginx": "{folder}",
        "listen 443": "listen 127.0.0.1:{port}",
        "server_name calls.example.org": "server_name localhost",
        "/etc/nginx/certs/calls.example.org.pem": "{folder}/cert.pem",
        "/etc/nginx/certs/calls.example.org.key": "{folder}/key.pem",
        "http {{": "http {{ client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};"
        " uwsgi_temp_path {folder}; scgi_temp_path {folder};",
        "127.0.0.1:8080": "{server}",
    },
)


def is_installed(kind: Kind) -> bool:
    """Whether the program is here, and what makes certificates."""
    return all(shutil.which(program) for program in (kind.program, "openssl"))


def free_port() -> int:
    """A port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The text with all changes made, each of which finds its place."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


async def make_certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for localhost; return what trusts it."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    # fmt: off
    openssl = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", cert, "-keyout", key,
        stderr=asyncio.subprocess.DEVNULL,
    )
    # fmt: on
    assert await openssl.wait() == 0
    (folder / "both.pem").write_text(cert.read_text("ascii") + key.read_text("ascii"), "ascii")
    return ssl.create_default_context(cafile=cert)


@attrs.frozen
class Proxy:
    """A proxy at work, and a client that trusts it."""

    process: asyncio.subprocess.Process
    kind: Kind
    url: str
    http: aiohttp.ClientSession
    folder: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def workers(self) -> set[str]:
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())

    async def reload(self) -> None:
        """Reload it; return when the new workers are there beside the old ones."""
        old = self.workers()
        self.process.send_signal(self.kind.reload)
        async with asyncio.timeout(TIMEOUT_S):
            while not self.workers() - old:  # noqa: ASYNC110 - it cannot tell us
                await asyncio.sleep(0.01)

    def log(self) -> str:
        """What it has written of requests."""
        return "".join(path.read_text("utf-8") for path in self.folder.glob("*.log") if path.name != "error.log")

    async def post(self, path: str, form: Mapping[str, str]) -> tuple[int, str]:
        """Post a form that is signed for this address."""
        url = URL(self.url + path)
        async with self.http.post(url, data=form, headers=SIGNER.headers(url, form)) as answer:
            return answer.status, await answer.text()

    @asynccontextmanager
    async def call(self, path: str = "/twilio/voice", speed: float = 1.0) -> AsyncIterator[SimulatedCaller]:
        """A signed call, from its webhook to its hanging up."""
        details = Details()
        stream = await ring(self.http, URL(self.url + path), details, SIGNER)
        headers = SIGNER.headers(stream.url, {})
        async with self.http.ws_connect(stream.url, headers=headers) as line:
            media = MediaLine(details, speed, b"\xff" * FRAME_BYTES, True, line)
            async with on_line(media, line, stream.parameters, lose=line.close) as caller:
                yield caller


def _as_started(kind: Kind, port: int, folder: Path, changes: Mapping[str, str], servers: Mapping[str, str]) -> Path:
    """Write the file with which a proxy is started."""
    placed = {
        old.format(): new.format(port=port, folder=folder, **servers) for old, new in kind.changes.items()
    } | dict(changes)
    file = folder / kind.file
    file.write_text(changed((DEPLOY / kind.file).read_text("utf-8"), placed), "utf-8")
    return file


@contextlib.contextmanager
def _ended(process: asyncio.subprocess.Process) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def proxied(
    kind: Kind, folder: Path, *, port: int = 0, changes: Mapping[str, str] | None = None, **servers: str
) -> AsyncIterator[Proxy]:
    """Run a proxy for the length of the block. `servers` are host:port, as the file's changes name them."""
    folder.mkdir(exist_ok=True)
    port = port or free_port()
    trust = await make_certificate(folder)
    file = _as_started(kind, port, folder, changes or {}, servers)
    options = [option.format(file=file, folder=folder) for option in kind.options]
    with (folder / "output.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            kind.program, *options, stdout=log, stderr=log, start_new_session=True
        )
    with _ended(process):
        await _until_it_listens(process, port)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust, force_close=True)) as http:
            yield Proxy(process, kind, f"https://localhost:{port}", http, folder)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), TIMEOUT_S)


async def _until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.01)
    raise AssertionError(f"{process} did not start")
