"""Fuzzes the targets, two at a time, each in a process of its own. Exit 1: an input was found that breaks one.

`again FILE` runs such an input, without the fuzzer. Seeds and what was found interesting stay in build/fuzz.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from . import seeds
from .targets import TARGETS

FOLDER: Final = Path("build/fuzz")
CORPUS: Final = FOLDER / "corpus"
CRASHES: Final = FOLDER / "crashes"
WORDS: Final = FOLDER / "words.txt"
AT_A_TIME: Final = min(2, os.cpu_count() or 1)
LEAST_S: Final = 2
MOST_INPUT_S: Final = 20
MOST_MIB: Final = 2048
_RUNS: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVERED: Final = re.compile(r"cov: (\d+)")


def _fuzz(name: str, seconds: int) -> tuple[str, list[Path]]:
    """Fuzz one target; return what to say of it, and the inputs that break it."""
    prefix = f"{CRASHES}/{name}-"
    command = [
        *(sys.executable, "-m", "tools.fuzz.worker", name, f"{CORPUS / name}"),
        *(f"-max_total_time={seconds}", f"-timeout={MOST_INPUT_S}", f"-rss_limit_mb={MOST_MIB}"),
        f"-artifact_prefix={prefix}",
        *(f"-max_len={TARGETS[name].most_bytes}", f"-dict={WORDS}", "-print_final_stats=1"),
    ]  # fmt: skip
    before = set(CRASHES.glob(f"{name}-*"))
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    crashes = sorted(set(CRASHES.glob(f"{name}-*")) - before)
    (FOLDER / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    runs, covered = _RUNS.findall(done.stderr), _COVERED.findall(done.stderr)
    told = f"{name:<10} {runs[-1] if runs else '?':>9} inputs, {covered[-1] if covered else '?':>6} edges"
    if done.returncode and not crashes:
        return f"{told}; the fuzzer ended with code {done.returncode}: {FOLDER / name}.log says why", [Path()]
    return told, crashes


def _fuzz_all(names: list[str], seconds: int) -> int:
    if find_spec("atheris") is None:
        print("fuzz: the package atheris is missing; `make fuzz` installs it", file=sys.stderr)
        return 2
    for folder in (CORPUS, CRASHES):
        folder.mkdir(parents=True, exist_ok=True)
    seeds.plant(CORPUS)
    WORDS.write_text(seeds.dictionary(), encoding="utf-8")
    rounds = -(-len(names) // AT_A_TIME)
    each_s = max(LEAST_S, seconds // rounds)
    print(f"fuzz: {len(names)} targets, {each_s} s each ...", flush=True)
    broken = 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for told, crashes in pool.map(_fuzz, names, [each_s] * len(names)):
            print(told, flush=True)
            broken += len(crashes)
            for crash in filter(Path.is_file, crashes):
                print(f"  BROKEN by {crash}\n  run it again: {sys.executable} -m tools.fuzz again {crash}")
    print(f"fuzz: {broken} inputs break something" if broken else "fuzz: passed")
    return 1 if broken else 0


def _again(path: Path) -> int:
    """Run an input as the target does that it was found for; what it breaks is raised."""
    name = path.parent.name if path.parent.name in TARGETS else path.name.partition("-")[0]
    if name not in TARGETS or not path.is_file():
        print(f"fuzz: {path} is no input of {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    TARGETS[name].run(path.read_bytes())
    print(f"{path}: {name} takes it")
    return 0


def main() -> int:
    """Read the command line and fuzz, or run an input again."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    parser.add_argument("again", nargs="*", metavar="again FILE", help="an input to run again")
    options = parser.parse_args()
    if not options.again:
        return _fuzz_all(options.target or list(TARGETS), options.seconds)
    if len(options.again) != 2 or options.again[0] != "again":
        parser.error("either nothing, or `again FILE`")
    return _again(Path(options.again[1]))


if __name__ == "__main__":
    sys.exit(main())
