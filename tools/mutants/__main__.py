"""Breaks the machine in every small way, asks the tests and `callfsm verify` who notices, and writes the page.

python -m tools.mutants [--part K/N] [--only TEXT] writes what was found as JSON lines to --found FILE, and continues
a file that is there; `--page` writes docs/mutants.md from it. The whole takes more than an hour of one core.
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from callfsm.audit.verify.scopes import ECHOES, SCOPES, TALK, TOOLS
from callfsm.machine import Engine, build
from tools.mutants import by_tests, by_verify
from tools.mutants.alike import followed_alike
from tools.mutants.buckets import BucketMutant, bucket_mutants
from tools.mutants.by_verify import Mapped
from tools.mutants.page import PAGE, page
from tools.mutants.phases import PhaseMutant, phase_mutants
from tools.mutants.table import Mutant, mutants

_OF_ECHOES: Final = ("open utterance: without its value 5", "unsettled: without value 3 of each")
"""The mutants of what only an echo asks: whether an utterance began over the assistant."""
MOST_INPUTS: Final = 1000
"""So many inputs are followed, of those that a mutant can change, where the tests have noticed it already."""


Line = dict[str, Any]


def _of_table(mutant: Mutant, bases: list[Mapped]) -> Line:
    if not bases:
        bases += [by_verify.mapped(scope) for scope in SCOPES]
    line: Line = {"name": mutant.name, "kind": mutant.kind, "tests": False, "verify": ""}
    with by_tests.served_by(Engine(build(mutant.table))):
        line["tests"] = by_tests.notice(mutant.state, mutant.event)
        if not line["tests"]:
            line["followed"], line["told apart by"] = followed_alike(mutant, bases)
            if line["told apart by"]:
                line["tests"] = by_tests.notice_in_dialogues()
    if line["tests"] or line["told apart by"]:
        line["verify"] = by_verify.notice_table(mutant, bases, MOST_INPUTS if line["tests"] else 0)
    return line


def _of_phase(mutant: PhaseMutant) -> Line:
    with mutant.applied():
        noticed = by_tests.notice() or by_tests.notice_in_dialogues()
        noticed_by = by_verify.notice_anything(is_short=noticed)
    return {"name": mutant.name, "kind": mutant.kind, "tests": noticed, "verify": noticed_by}


def _of_bucket(mutant: BucketMutant, usual: dict[str, int | str]) -> Line:
    line: Line = {"name": mutant.name, "kind": mutant.kind, "tests": False, "verify": ""}
    # Functions and keys are in one scope, echoes in another; the first is explored with one utterance on its way.
    scope = TOOLS if "functions" in mutant.name else evolve(TALK, most=1)
    scope = ECHOES if mutant.name.endswith(_OF_ECHOES) else scope
    if scope.name not in usual:
        usual[scope.name] = by_verify.count(scope)
    coarse = by_verify.count(scope, mutant.buckets)
    if coarse != usual[scope.name]:
        line["verify"] = coarse if isinstance(coarse, str) else "OTHER_COUNT"
    else:
        # A coarser partition with as many parts is the same one.
        line["followed"], line["told apart by"] = coarse, ""
    return line


def _tries() -> Iterator[tuple[str, Callable[[], Line]]]:
    yield from ((one.name, partial(_of_phase, one)) for one in phase_mutants())
    usual = dict[str, int | str]()
    yield from ((one.name, partial(_of_bucket, one, usual)) for one in bucket_mutants())
    bases = list[Mapped]()
    yield from ((one.name, partial(_of_table, one, bases)) for one in mutants())


def _run(options: argparse.Namespace) -> None:
    part, parts = (int(number) for number in options.part.split("/"))
    known = set()
    if options.found.exists():
        known = {json.loads(line)["name"] for line in options.found.read_text(encoding="utf-8").splitlines()}
    with options.found.open("a", encoding="utf-8") as found:
        for number, (name, ask) in enumerate(_tries()):
            if number % parts == part - 1 and name not in known and options.only in name:
                line = ask()
                found.write(json.dumps(line) + "\n")
                found.flush()
                if not (line["tests"] or line["verify"]):
                    print("unnoticed:", line, flush=True)


def main() -> int:
    """Run; return 1 where the page has a survivor without a reason."""
    parser = argparse.ArgumentParser("python -m tools.mutants", description=__doc__)
    parser.add_argument("--found", type=Path, default=Path("build/mutants.jsonl"))
    parser.add_argument("--part", default="1/1", metavar="K/N")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    options.found.parent.mkdir(parents=True, exist_ok=True)
    gc.disable()
    if not options.page:
        _run(options)
        return 0
    lines = [json.loads(line) for line in options.found.read_text(encoding="utf-8").splitlines()]
    text, unexplained = page(lines)
    PAGE.write_text(text, encoding="utf-8")
    print("\n".join(f"no reason: {name}" for name in unexplained))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
