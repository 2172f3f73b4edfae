"""`callfsm report`: one call as a page that a person can read, as its drawing alone, or as JSON."""

import argparse
import json
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from callfsm.audit.account.account import account_of
from callfsm.audit.account.values import Account
from callfsm.audit.recording import JournalError, read_journal
from callfsm.audit.report.drawing import drawing
from callfsm.audit.report.findings import findings
from callfsm.audit.report.page import page
from callfsm.config_file import config_values

_LEFT_OUT = frozenset({"header", "config", "business"})


def account_values(account: Account) -> dict[str, Any]:
    """Return an account as plain values: names of states and fates, the gate's and turn's numbers, no prompts."""
    config = config_values(account.config)
    return {
        "header": {name: value for name, value in account.header.items() if name != "config"},
        "business": {"number": account.business.number, "name": account.business.name},
        "gate": config["gate"],
        "turn": config["turn"],
        **attrs.asdict(
            account,
            filter=lambda attribute, _: attribute.name not in _LEFT_OUT,
            value_serializer=lambda _, __, value: value.name if isinstance(value, Enum) else value,
        ),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="callfsm report", description="Show what happened in one call, and why.")
    parser.add_argument("journal", type=Path, metavar="JOURNAL", help="a journal that the server wrote")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--svg", action="store_true", help="write the drawing alone")
    kinds.add_argument("--json", action="store_true", help="write the account as JSON, to stdout without -o")
    parser.add_argument(
        "-o", dest="out", type=Path, metavar="OUT", help="the file (default: the journal's name, in this directory)"
    )
    return parser


def _render(account: Account, options: argparse.Namespace) -> str:
    if options.json:
        values = {**account_values(account), "findings": findings(account)}
        return json.dumps(values, ensure_ascii=False) + "\n"
    return drawing(account) if options.svg else page(account)


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 2 for a journal that cannot be read or a file that cannot be written."""
    options = _parser().parse_args(argv)
    journal: Path = options.journal
    out: Path | None = options.out
    if out is None and not options.json:
        out = Path(f"{journal.stem}.svg" if options.svg else f"{journal.stem}.html")
    try:
        text = _render(account_of(read_journal(journal)), options)
        if out is None:
            sys.stdout.write(text)
        else:
            out.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{out}\n")
    except JournalError as error:
        sys.stderr.write(f"callfsm report: {error}\n")
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stderr.write(f"callfsm report: {out} cannot be written ({error.strerror})\n")
        return 2
    return 0
