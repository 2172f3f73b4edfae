"""Serve calls: read the command line and the environment, build the applications, run them."""

import argparse
import asyncio
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import uvloop
from aiohttp import web

from callfsm.config import Config
from callfsm.config_checks import ConfigError
from callfsm.config_file import read_config
from callfsm.environment import Environment, read_environment, with_public_url
from callfsm.server import logs
from callfsm.server.app import build_admin_app, build_app
from callfsm.server.descriptors import all_descriptors, fitted
from callfsm.server.listening import OPERATOR, PUBLIC, Bounds, listen
from callfsm.server.shared import Server, make_server

DEFAULT_CONFIG = Path("callfsm.toml")


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, without the value that is."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        kept = [word for word in message.replace("=", " ").split() if word.startswith("--")]
        self.exit(
            2, f"server.py: {', '.join(word.rstrip(':') for word in kept) or 'the command line'}: not possible\n"
        )


def port(text: str) -> int:
    """Return a port's number, 0 for any that is free; raise ValueError where it is none."""
    number = int(text)
    if not 0 <= number < 2**16:
        raise ValueError
    return number


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; exit with code 2 where it is wrong."""
    parser = Parser(prog="server.py", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address of the public listener")
    parser.add_argument("--port", type=port, default=8080, help="port of the public listener")
    parser.add_argument("--admin-host", default="127.0.0.1", help="address of the operator's listener")
    parser.add_argument("--admin-port", type=port, default=9090, help="port of the operator's listener")
    parser.add_argument(
        "--config", type=Path, help="TOML file; else CALLFSM_CONFIG, else callfsm.toml if there is one"
    )
    parser.add_argument("--journal", type=Path, metavar="DIR", help="write one journal a call into this directory")
    levels = ["DEBUG", "INFO", "WARNING", "ERROR"]
    parser.add_argument("--log-level", default="INFO", type=str.upper, choices=levels)
    parser.add_argument("--insecure", action="store_true", help="check no signature and no token; loopback only")
    return parser.parse_args(argv)


def is_loopback(host: str) -> bool:
    """Say whether a host's name is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_folder(folder: Path) -> None:
    """Make the journals' folder; raise ConfigError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("--journal", f"cannot be made a folder ({error.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError("--journal", "cannot be written")


def settings(options: argparse.Namespace) -> tuple[Config, Environment]:
    """Return the configuration and the environment; raise ConfigError naming the key."""
    if options.insecure and not is_loopback(options.host):
        raise ConfigError("--insecure", "serves on loopback only; --host names another address")
    if options.journal:
        make_folder(options.journal)
    environment = read_environment(os.environ)
    if not is_loopback(options.admin_host) and not environment.admin_token:
        raise ConfigError("--admin-host", "names another address than loopback, and CALLFSM_ADMIN_TOKEN is not set")
    named = options.config or os.environ.get("CALLFSM_CONFIG")
    config = read_config(Path(named or DEFAULT_CONFIG)) if named or DEFAULT_CONFIG.exists() else Config()
    config = with_public_url(config, os.environ)
    if not options.insecure and not environment.twilio_auth_token:
        raise ConfigError("TWILIO_AUTH_TOKEN", "must be set in the environment (or --insecure on loopback)")
    if not options.insecure and not config.public_url:
        raise ConfigError("public_url", "must be set (or --insecure on loopback)")
    return config, environment


def announce(host: str, runner: web.AppRunner) -> None:
    """Say where a listener is."""
    bound = runner.addresses[0][1]
    print(f"listening on http://{f'[{host}]' if ':' in host else host}:{bound}", flush=True)


async def serve(options: argparse.Namespace, server: Server, operators_connections: int) -> None:
    """Serve until SIGTERM or SIGINT, then let the live calls end; the second signal ends them."""
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    limits = server.config.limits
    public = Bounds(PUBLIC, limits.connections, limits.request_s)
    operators = Bounds(OPERATOR, operators_connections, limits.request_s)
    runners = [await listen(build_app(server), server, public, options.host, options.port)]
    try:
        announce(options.host, runners[0])
        app = build_admin_app(server, options.admin_host)
        runners.append(await listen(app, server, operators, options.admin_host, options.admin_port))
        announce(options.admin_host, runners[1])
        await signals.get()
        await drain(server, signals)
    finally:
        for runner in runners:
            await runner.cleanup()
        # Whoever is impatient now is late: the process is about to exit, and its code is to say that all went well.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def drain(server: Server, signals: asyncio.Queue[int]) -> None:
    """Take no new calls; return when the last one has ended, at the time limit, or at another signal."""
    server.is_draining = True
    waiting = [asyncio.ensure_future(work) for work in (server.wait_until_idle(), signals.get())]
    await asyncio.wait(waiting, timeout=server.config.drain_s, return_when=asyncio.FIRST_COMPLETED)
    for work in waiting:
        work.cancel()


def main(argv: Sequence[str]) -> int:
    """Run the server; return the exit code: 2 for what cannot be served, 1 for a port that is taken."""
    options = arguments(argv)
    log = logs.set_up(options.log_level)
    try:
        config, environment = settings(options)
        fit = fitted(config, all_descriptors())
        server = make_server(fit.config, environment, journal_dir=options.journal, is_insecure=options.insecure)
        server.metrics.log_lines_lost.count = lambda: log.lost_lines
        uvloop.run(serve(options, server, fit.operators_connections))
    except ConfigError as error:
        log.handler.write(f"server.py: {error}")
        return 2
    except socket.gaierror as error:
        log.handler.write(f"server.py: --host or --admin-host: {error.strerror}")
        return 2
    except OSError as error:
        log.handler.write(f"server.py: --port or --admin-port: {os.strerror(error.errno or 0)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
