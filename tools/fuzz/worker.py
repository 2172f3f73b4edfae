"""One fuzzing process: instruments the product's code and hands a target to libFuzzer. Started by __main__."""

import sys
from typing import Any

import atheris

from .mutate import mutated

with atheris.instrument_imports(include=["callfsm"]):
    from .targets import TARGETS


def main() -> None:
    """Fuzz the target that the first argument names; the others are libFuzzer's. Does not return."""
    target = TARGETS[sys.argv.pop(1)]
    options: dict[str, Any] = {}
    if target.is_json:

        def change(data: bytes, most_bytes: int, seed: int) -> bytes:
            return mutated(data, most_bytes, seed, atheris.Mutate)

        options["custom_mutator"] = change
    atheris.Setup(sys.argv, target.run, **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
