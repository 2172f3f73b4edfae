"""The command line: `callfsm call`, `simulate`, `replay`, `report`, `hear`, `verify`, `diagram`."""

import argparse
import asyncio
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import aiohttp

from callfsm.audit.diagram import command as diagram
from callfsm.audit.hear import command as hear
from callfsm.audit.replay import command as replay
from callfsm.audit.report import command as report
from callfsm.audit.verify import command as verify
from callfsm.hearing.wav import read_wav, write_wav
from callfsm.sim.caller import CallOverError, SimulatedCaller, place_call
from callfsm.sim.realtime import PATH, serve
from callfsm.sim.realtime_script import default_script
from callfsm.sim.realtime_script_file import load_script
from callfsm.sim.timeline import timeline
from callfsm.sim.webhook import Details, NotConnectedError, Signer

_AUDIT: Final[dict[str, tuple[Callable[[Sequence[str]], int], str]]] = {
    "replay": (replay.main, "run journals again: the log of a call, what other numbers would change, a test of it"),
    "report": (report.main, "tell a call from its journal on one page"),
    "hear": (hear.main, "run recordings through the gate: what it did, frame by frame, and a picture of it"),
    "verify": (verify.main, "explore every reachable configuration of the machine and check the laws there"),
    "diagram": (diagram.main, "draw the machine that runs, with calls on it, or what changed in it"),
}
LINGER_S = 8.0
LONGEST_REPLY_S = 120.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="callfsm", description=__doc__)
    commands = parser.add_subparsers(required=True)

    call = commands.add_parser("call", help="place a simulated Twilio call to any URL")
    call.add_argument("url", metavar="URL", help="the voice webhook (http, https) or the media socket (ws, wss)")
    call.add_argument("--wav", type=Path, required=True, metavar="IN", help="what the caller says; 8 kHz mono wav")
    call.add_argument(
        "--out", type=Path, metavar="OUT", help="write what the caller heard, as a wav as long as the call"
    )
    call.add_argument("--to", default=Details().called, help="the number called")
    call.add_argument("--from", dest="caller", default=Details().caller, help="the number of the caller")
    call.add_argument("--linger-s", type=float, default=LINGER_S, help="how long to listen after the last word")
    call.set_defaults(run=_call)

    simulate = commands.add_parser("simulate", help=f"serve a simulated Realtime API at {PATH}")
    simulate.add_argument("--port", type=int, default=8765)
    simulate.add_argument("--script", type=Path, metavar="FILE", help="TOML: what is transcribed and answered")
    simulate.set_defaults(run=_simulate)

    for name, (_, says) in _AUDIT.items():
        # Only named here: its own module reads its options.
        commands.add_parser(name, help=says)
    return parser


def _call(options: argparse.Namespace) -> int:
    try:
        return asyncio.run(_place_call(options, read_wav(options.wav)))
    except (OSError, ValueError, NotConnectedError, aiohttp.ClientError) as error:
        print(f"callfsm call: {error}", file=sys.stderr)
        return 2


async def _place_call(options: argparse.Namespace, said: bytes) -> int:
    details = Details(caller=options.caller, called=options.to)
    signer = Signer(os.environ.get("TWILIO_AUTH_TOKEN"), os.environ.get("CALLFSM_PUBLIC_URL"))
    async with place_call(options.url, details=details, signer=signer) as caller:
        ended_early = not await _say_and_listen(caller, said, options.linger_s)
    print("\n".join([details.call_sid, *timeline(caller.log, caller.started_s, None)]))
    if options.out:
        write_wav(options.out, caller.heard)
    if ended_early:
        print("callfsm call: the other side ended the call", file=sys.stderr)
    return int(ended_early)


async def _say_and_listen(caller: SimulatedCaller, said: bytes, linger_s: float) -> bool:
    """Say it, listen until nothing more comes; return False where the other side ended the call."""
    try:
        await caller.say(said)
        await caller.silence(linger_s)
        await caller.wait_quiet(LONGEST_REPLY_S)
    except CallOverError:
        return False
    except TimeoutError:
        print("callfsm call: the assistant never stopped", file=sys.stderr)
    return True


def _simulate(options: argparse.Namespace) -> int:
    try:
        script = load_script(options.script) if options.script else default_script()
        print(f"serving ws://127.0.0.1:{options.port}{PATH}", flush=True)
        asyncio.run(serve(options.port, script))
    except (OSError, ValueError) as error:
        print(f"callfsm simulate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:
        # It was closed before we began: what is printed is for nobody.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # What callers say is in any language, whatever the terminal's.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads us has seen enough. What is left in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        sys.stderr.write(f"callfsm: the output cannot be written ({error.strerror})\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    return code


def _run(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in _AUDIT:
        return _AUDIT[arguments[0]][0](arguments[1:])
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
