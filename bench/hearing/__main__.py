"""Builds the set where it is missing, runs the gate's variants over it, and prints the tables.

Exit 2: a Debian package is missing.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from callfsm.audit.hear.rows import rows, values
from callfsm.audit.replay.settings import changed_config
from callfsm.config import Config
from callfsm.config_checks import ConfigError
from callfsm.hearing.wav import read_wav

from . import check, table
from .build import Recipe, build, is_built
from .labels import KINDS, Case, read_cases
from .look import summary
from .measure import BARE, Variant, measure
from .score import Row, RowsError
from .sources import HALVES, REPORT, MissingError

OUT: Final = Path("build/hearing")
MINUTES: Final = 60.0
LEAST_MINUTES: Final = 1.0
VARIANTS: Final = (
    Variant("bare rule", BARE),
    Variant("default"),
    Variant("default, second stage", ("gate.detector=true",), needs="onnxruntime"),
)


def run_case(near: Path, far: Path, settings: Sequence[str]) -> Sequence[Row]:
    """Return what the gate of a call does with a case, one row a frame.

    This function and VARIANTS are all that knows the gate.
    """
    heard = rows(read_wav(near), read_wav(far), changed_config(Config(), settings))
    return list(values(heard))


def _serving(variants: Sequence[Variant]) -> Iterator[Variant]:
    """Yield those that can be run, and say which cannot."""
    for variant in variants:
        if variant.needs and find_spec(variant.needs) is None:
            sys.stderr.write(f"bench.hearing: {variant.name}: left out, {variant.needs} is not installed\n")
        else:
            yield variant


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench.hearing", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="where the set is (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of audio, both halves (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another set (default: %(default)s)")
    halves = (*HALVES, "both")
    parser.add_argument("--half", choices=halves, default=REPORT, help="tune on one, report the other (%(default)s)")
    parser.add_argument("--kinds", action="store_true", help="print a row for every kind of case, too")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--build", action="store_true", help="build the set anew and say what it holds")
    instead.add_argument("--check", action="store_true", help="try the package itself")
    return parser


def _cases(options: argparse.Namespace) -> list[Case]:
    recipe = Recipe(options.seed, options.minutes)
    if options.build or not is_built(options.out, recipe):
        build(options.out, recipe)
    return read_cases(options.out)


def _print_tables(options: argparse.Namespace) -> None:
    cases = [case for case in _cases(options) if options.half in {case.half, "both"}]
    variants = [measure(variant, run_case, options.out, cases) for variant in _serving(VARIANTS)]
    sys.stdout.write(table.totals(variants))
    if options.kinds:
        sys.stdout.write("\n" + table.by_kind(variants, KINDS))
    sys.stdout.write("\nNot in the totals:\n\n" + table.hard(variants))


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, 1 where `--check` finds a fault, or 2 for what cannot be done."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.minutes < LEAST_MINUTES or options.seed < 0:
        parser.error(f"--minutes must be at least {LEAST_MINUTES:g}, --seed at least 0")
    try:
        if options.check:
            return check.main()
        if options.build:
            sys.stdout.write(summary(options.out, _cases(options)))
        else:
            _print_tables(options)
    except (MissingError, RowsError, ConfigError, OSError) as error:
        sys.stderr.write(f"bench.hearing: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
