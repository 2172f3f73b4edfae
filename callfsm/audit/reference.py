"""The configuration reference: docs/configuration.md, made from the classes that the server reads."""

import argparse
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import attrs
from attrs import Attribute, frozen

from callfsm.audit.diagram.markdown import escape
from callfsm.config import Config
from callfsm.config_checks import ConfigError

COMMAND: Final = "python -m callfsm.audit.reference"
PAGE: Final = Path("docs/configuration.md")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
PREAMBLE: Final = f"""\
<!-- written by {COMMAND}; do not edit -->

# Configuration

The configuration is one TOML file in UTF-8. This page lists every key; it is written from the code.

**How the file is found.** The first of these that is given:

1. `--config FILE`
2. the environment variable `CALLFSM_CONFIG`
3. `callfsm.toml` in the directory in which the server is started, if there is one

A file named by 1 or 2 must exist. Without any file the defaults serve.

**What is an error.** A key may be left out; only where its default is *required* its table must have it. An unknown
key, a value of another type and a value out of its bounds end the start with exit code 2 and one line that names the
key and says what would be right, never the value. Some keys bound one another; the line names the one to change.

**What is not in the file.** Secrets come from the environment only, and so do the addresses that differ between
machines. `CALLFSM_PUBLIC_URL`, where it is set, takes the place of `public_url`.

**How to read it.** A heading in double brackets is a table that may stand any number of times. Units are in names:
`_ms` milliseconds, `_s` seconds, `_bytes` bytes; `_rms` and the thresholds are loudness on the scale of 16-bit linear
PCM. Paths are relative to the directory in which the server is started. The file is read once, at the start.
"""


@frozen
class Section:
    """One table of the file: its heading as TOML writes it, what it is about, and its keys."""

    heading: str
    says: str
    keys: tuple["Attribute[Any]", ...]


def _table_class(kind: Any) -> type | None:
    """Return the class whose values a key's table holds, None where the key holds a plain value."""
    members = get_args(kind) or (kind,)
    return next((member for member in members if isinstance(member, type) and attrs.has(member)), None)


def sections(kind: type = Config, path: str = "", heading: str = "Top level", note: str = "") -> Iterator[Section]:
    """Yield a class's own keys, then the tables in it, in the order in which the class lists them."""
    hints = get_type_hints(kind)
    fields = [each for each in attrs.fields(kind) if each.init]
    plain = tuple(each for each in fields if _table_class(hints[each.name]) is None)
    paragraph = (inspect.getdoc(kind) or "").split("\n\n", maxsplit=1)[0]
    yield Section(heading, " ".join(f"{paragraph} {note}".split()), plain)
    for each in fields:
        table = _table_class(hints[each.name])
        if table is not None:
            below = f"{path}{each.alias}"
            is_repeated = get_origin(hints[each.name]) is tuple
            says = str(each.metadata.get("says", ""))
            yield from sections(table, f"{below}.", f"[[{below}]]" if is_repeated else f"[{below}]", says)


def default_of(key: "Attribute[Any]") -> str:
    """Return a key's default as TOML writes it; a default that its own check refuses is none."""
    default: Any = key.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type] # a class, though typed as a function
        default = default.factory()
    if default is attrs.NOTHING or not _is_possible(key, default):
        return "*required*"
    return _code(_toml(default))


def _is_possible(key: "Attribute[Any]", value: object) -> bool:
    try:
        if key.validator is not None:
            key.validator(None, key, value)
    except ConfigError:
        return False
    return True


def _toml(value: object) -> str:
    match value:
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case None:
            return "none"
        case Mapping():
            pairs = (
                f"{name if _BARE.fullmatch(name) else _toml(name)} = {_toml(each)}" for name, each in value.items()
            )
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple() | set() | frozenset():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return str(value)


def _code(text: str) -> str:
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}".replace("|", r"\|")


def render(kind: type = Config) -> str:
    """Return the page."""
    return "\n".join([PREAMBLE, *map(_section, sections(kind))])


def _section(section: Section) -> str:
    heading = f"`{section.heading}`" if section.heading.startswith("[") else section.heading
    rows = (
        ("key", "default", "what it says"),
        ("---", "---", "---"),
        *(
            (f"`{key.alias}`", default_of(key), escape(" ".join(str(key.metadata.get("says", "")).split())))
            for key in section.keys
        ),
    )
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"## {heading}\n\n{escape(section.says)}\n\n{table}"


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 1 where `--check` finds the page stale."""
    parser = argparse.ArgumentParser(COMMAND, description="Write the configuration reference from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is stale")
    parser.add_argument("--file", type=Path, default=PAGE, help="the page (default: %(default)s)")
    arguments = parser.parse_args(argv)
    page: Path = arguments.file
    text = render().encode()
    if not arguments.check:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(text)
    elif not page.is_file() or page.read_bytes() != text:
        sys.stdout.write(f"stale: {page} (run {COMMAND})\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
