"""Breaks the machine in every small way, asks the tests and `callfsm verify` who notices, and writes the page.

python -m tools.mutants [--part K/N] [--only TEXT] writes what was found as JSON lines to --found FILE, and continues
a file that is there; `--page` writes docs/mutants.md from it. The whole takes more than an hour of one core.
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from callfsm.audit.verify.scopes import SCOPES
from tools.mutants import by_tests, by_verify
from tools.mutants.buckets import bucket_mutants
from tools.mutants.page import PAGE, page
from tools.mutants.phases import PhaseMutant, phase_mutants
from tools.mutants.table import mutants

Try = tuple[str, str, Callable[[], bool], Callable[[], str]]
"""A mutant: its name, its kind, whether the tests notice, and what of the exploration does."""


def _tests_notice(mutant: PhaseMutant) -> bool:
    with mutant.applied():
        return by_tests.notice()


def _verify_notices(mutant: PhaseMutant) -> str:
    with mutant.applied():
        return by_verify.notice_anything()


def _tries() -> Iterator[Try]:
    bases = [by_verify.mapped(scope) for scope in SCOPES]
    for mutant in mutants():
        yield (
            mutant.name,
            mutant.kind,
            lambda m=mutant: by_tests.notice_table(m),  # type: ignore[misc]
            lambda m=mutant: by_verify.notice_table(m, bases),  # type: ignore[misc]
        )
    for phase in phase_mutants():
        yield phase.name, phase.kind, lambda m=phase: _tests_notice(m), lambda m=phase: _verify_notices(m)  # type: ignore[misc]
    for bucket in bucket_mutants():
        yield bucket.name, bucket.kind, lambda: False, lambda m=bucket: by_verify.notice_anything(m.buckets, 1)  # type: ignore[misc]


def _run(options: argparse.Namespace) -> None:
    part, parts = (int(number) for number in options.part.split("/"))
    known = set()
    if options.found.exists():
        known = {json.loads(line)["name"] for line in options.found.read_text(encoding="utf-8").splitlines()}
    with options.found.open("a", encoding="utf-8") as found:
        for number, (name, kind, by_tests_, by_verify_) in enumerate(_tries()):
            if number % parts == part - 1 and name not in known and options.only in name:
                line = {"name": name, "kind": kind, "tests": by_tests_(), "verify": by_verify_()}
                found.write(json.dumps(line) + "\n")
                found.flush()
                if not (line["tests"] or line["verify"]):
                    print("unnoticed:", name, flush=True)


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
