"""Breaks the machine in every small way, asks the tests and `callfsm verify` who notices, and writes the page.

python -m tools.mutants [--part K/N] [--only TEXT] writes what was found as JSON lines to --found FILE, and continues
a file that is there; `--page` writes docs/mutants.md from it. The whole takes more than an hour of one core.
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from callfsm.audit.verify.scopes import SCOPES
from tools.mutants import by_tests, by_verify
from tools.mutants.alike import followed_alike
from tools.mutants.buckets import BucketMutant, bucket_mutants
from tools.mutants.by_verify import Mapped
from tools.mutants.page import PAGE, page
from tools.mutants.phases import PhaseMutant, phase_mutants
from tools.mutants.table import Mutant, mutants

MOST_INPUTS: Final = 2000
"""So many inputs are followed, of those that a mutant can change, where the tests have noticed it already."""


@frozen
class Try:
    """A mutant, and whom to ask: the tests, the exploration (short or whole), and both machines side by side."""

    name: str
    kind: str
    tests: Callable[[], bool]
    verify: Callable[[bool], str]
    alike: Callable[[], tuple[int, str]] | None = None


def _tests_notice(mutant: PhaseMutant) -> bool:
    with mutant.applied():
        return by_tests.notice()


def _verify_notices(mutant: PhaseMutant, *, is_short: bool) -> str:
    with mutant.applied():
        return by_verify.notice_anything(is_short=is_short)


def _of_table(mutant: Mutant, bases: Sequence[Mapped]) -> Try:
    return Try(
        mutant.name,
        mutant.kind,
        lambda: by_tests.notice_table(mutant),
        lambda short: by_verify.notice_table(mutant, bases, MOST_INPUTS if short else 0),
        lambda: followed_alike(mutant, bases),
    )


def _of_phase(mutant: PhaseMutant) -> Try:
    return Try(
        mutant.name,
        mutant.kind,
        lambda: _tests_notice(mutant),
        lambda short: _verify_notices(mutant, is_short=short),
    )


def _of_bucket(mutant: BucketMutant) -> Try:
    return Try(mutant.name, mutant.kind, lambda: False, lambda _: by_verify.notice_anything(mutant.buckets, 1))


def _tries() -> Iterator[Try]:
    bases = [by_verify.mapped(scope) for scope in SCOPES]
    yield from (_of_table(mutant, bases) for mutant in mutants())
    yield from map(_of_phase, phase_mutants())
    yield from map(_of_bucket, bucket_mutants())


def _asked(one: Try) -> dict[str, Any]:
    noticed = one.tests()
    line = {"name": one.name, "kind": one.kind, "tests": noticed, "verify": one.verify(noticed)}
    if not (line["tests"] or line["verify"]):
        line["followed"], line["told apart by"] = one.alike() if one.alike else (0, "")
        print("unnoticed:", line, flush=True)
    return line


def _run(options: argparse.Namespace) -> None:
    part, parts = (int(number) for number in options.part.split("/"))
    known = set()
    if options.found.exists():
        known = {json.loads(line)["name"] for line in options.found.read_text(encoding="utf-8").splitlines()}
    with options.found.open("a", encoding="utf-8") as found:
        for number, one in enumerate(_tries()):
            if number % parts == part - 1 and one.name not in known and options.only in one.name:
                found.write(json.dumps(_asked(one)) + "\n")
                found.flush()


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
