"""The page that tells who noticed what, and why some mutants are noticed by nobody."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tools.mutants.reasons import reason_of

PAGE: Final = Path("docs/mutants.md")
_HEAD: Final = """\
# Mutants

Written by `make mutants`. The machine was broken on purpose, one small thing at a time: each row of the table
dropped, sent elsewhere, swapped with the next one, each guard negated, each action dropped; each move of the
small machines dropped or led to another phase; each bucket of `callfsm verify` made coarser. Each time the tests of
the core (the cases of `tests/states`, the dialogues, the phases) and the exploration of `callfsm verify` were asked.
Exploration sees what the laws speak of, and says which law; the tests see every effect and every field. Where the
tests had noticed a mutant, exploration was asked on a sample of what it can change; where they had not, on all of it.

"""
_ALIKE: Final = """\
Each is another way to write the same machine. Where it says *alike on N inputs*, every input that goes through the
changed cell, from every configuration that can be reached, was followed on both machines: all effects, all changes of
state and the whole of the call were the same.

"""
Line = dict[str, Any]


def page(lines: Sequence[Line]) -> tuple[str, list[str]]:
    """Return the page, and the names of the survivors that have no reason."""
    survivors = [line for line in lines if not line["tests"] and not line["verify"]]
    unexplained = [line["name"] for line in survivors if _reason(line) is None]
    parts = [_HEAD, *_counts(lines), "\n## By law\n\n", *_laws(lines), "\n## Survivors\n\n"]
    parts += [_ALIKE] if survivors else ["None.\n"]
    parts += [f"- `{line['name']}`: {_reason(line) or 'NO REASON YET'}\n" for line in survivors]
    parts += ["\n## Noticed by the exploration alone\n\n"]
    parts += [
        f"- `{line['name']}`: {line['verify']}\n"
        for line in lines
        if line["verify"] and not line["tests"] and line["kind"] != "bucket coarsened"
    ] or ["None.\n"]
    return "".join(parts), unexplained


def _reason(line: Line) -> str | None:
    told = reason_of(line["name"])
    if line["kind"] == "bucket coarsened" and line.get("followed"):
        return f"the same {line['followed']} configurations: the other values tell them{f'; {told}' if told else ''}"
    if line.get("followed") and not line["told apart by"]:
        return f"alike on {line['followed']} inputs{f'; {told}' if told else ''}"
    return told


def _counts(lines: Sequence[Line]) -> list[str]:
    table = ["| change | mutants | noticed by the tests | by verify | by neither |\n", "|---|---|---|---|---|\n"]
    for kind in dict.fromkeys(line["kind"] for line in lines):
        mine = [line for line in lines if line["kind"] == kind]
        table.append(_row(kind, mine, asks_tests=kind != "bucket coarsened"))
    return [*table, _row("**all**", lines, asks_tests=True)]


def _row(kind: str, lines: Sequence[Line], *, asks_tests: bool) -> str:
    by_tests = str(sum(bool(line["tests"]) for line in lines)) if asks_tests else "not asked"
    by_verify = sum(bool(line["verify"]) for line in lines)
    neither = sum(not line["tests"] and not line["verify"] for line in lines)
    return f"| {kind} | {len(lines)} | {by_tests} | {by_verify} | {neither} |\n"


def _laws(lines: Sequence[Line]) -> list[str]:
    counts = Counter(line["verify"] for line in lines if line["verify"])
    return ["| what verify said first | mutants |\n", "|---|---|\n"] + [
        f"| {law} | {count} |\n" for law, count in counts.most_common()
    ]
