"""The configuration reference: fresh, complete, and robust to what keys may hold; and what operators look up."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import field, frozen

from callfsm.audit import reference
from callfsm.audit.reference import default_of, main, render, sections
from callfsm.config import Config
from callfsm.config_checks import ConfigError
from callfsm.config_file import config_values
from callfsm.server.metrics import Metrics

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "configuration.md"
REASON = re.compile(
    r"""(?:\.labels\(|\bCount\(|_refuse\(request, |\.refused\(|\.end\(|CallEnded\([^"]*?, |end_reason = |(?:Refused|Unavailable)Error\(f?)"(\w+)"""
)
"""Where the code names a reason: of a refusal, of a count, of a call's end."""


def not_blank(_tool: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if not value:
        raise ConfigError(attribute.name, "must not be empty")


@frozen
class Tool:
    """A tool."""

    name: str = field(metadata={"says": "what it is called"})
    url: str = field(default="", validator=not_blank)
    schema: Mapping[str, Any] = field(factory=dict, metadata={"says": "a | b"})


@frozen
class Shop:
    """A shop.

    More about it.
    """

    days: tuple[str, ...] = ("א", "ב|ג")
    is_open: bool = False
    tools: tuple[Tool, ...] = field(default=(), metadata={"says": "What it offers."})
    till: Tool | None = None


def names_of(values: Mapping[str, Any]) -> set[str]:
    """The dotted name of every key and table of a configuration's plain values."""
    names = set(values)
    for key, value in values.items():
        tables = [value] if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
        for table in tables:
            names |= {f"{key}.{name}" for name in names_of(table)} if isinstance(table, dict) else set()
    return names


def test_the_committed_page_is_the_configuration_of_the_code() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render()
    assert main(["--check", "--file", str(COMMITTED)]) == 0


def test_every_key_is_told_in_its_table() -> None:
    told: set[str] = set()
    for section, rows in zip(sections(), render().split("\n## ")[1:], strict=True):
        table = section.heading.strip("[]")
        told |= {table, *(f"{table}.{key.alias}".removeprefix("Top level.") for key in section.keys)}
        assert section.heading in rows.splitlines()[0]
        assert [key.name for key in section.keys if f"| `{key.alias}` |" not in rows] == []

    assert names_of(config_values(Config())) - told == set()


def test_every_key_and_every_table_says_something() -> None:
    assert [key.name for section in sections() for key in section.keys if not key.metadata.get("says")] == []
    assert all(section.says and section.keys for section in sections())


def test_tables_within_tables_have_sections_of_their_own() -> None:
    found = [(each.heading, each.says, [key.name for key in each.keys]) for each in sections(Shop)]

    assert found == [
        ("Top level", "A shop.", ["days", "is_open"]),
        ("[[tools]]", "A tool. What it offers.", ["name", "url", "schema"]),
        ("[till]", "A tool.", ["name", "url", "schema"]),
    ]


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        (Shop, "days", r'`["א", "ב\|ג"]`'),
        (Shop, "is_open", "`false`"),
        (Tool, "name", "*required*"),
        (Tool, "url", "*required*"),
        (Tool, "schema", "`{}`"),
    ],
)
def test_a_default_is_written_as_in_the_file(kind: type, key: str, expected: str) -> None:
    assert default_of(attrs.fields_dict(kind)[key]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "`none`"),
        (1.5, "`1.5`"),
        ("a\nb", r'`"a\nb"`'),
        ("a`b", '``"a`b"``'),
        ({"type": "x", "שם": [1, "x"]}, '`{type = "x", "שם" = [1, "x"]}`'),
    ],
)
def test_any_value_can_be_a_default(value: object, expected: str) -> None:
    kind = attrs.make_class("Any", {"key": field(default=value)})

    assert default_of(attrs.fields_dict(kind)["key"]) == expected


def test_what_a_key_says_ends_no_cell() -> None:
    assert r"| `schema` | `{}` | a \| b |" in render(Shop)


def test_a_changed_or_missing_page_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "docs" / "configuration.md"
    codes = [
        main(["--check", "--file", str(page)]),
        main(["--file", str(page)]),
        main(["--check", "--file", str(page)]),
    ]
    page.write_text(page.read_text(encoding="utf-8").replace("`max_calls`", "`most_calls`"), encoding="utf-8")
    codes.append(main(["--check", "--file", str(page)]))

    assert codes == [1, 0, 0, 1]
    assert capsys.readouterr().out == 2 * f"stale: {page} (run {reference.COMMAND})\n"


def test_operators_find_every_metric() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    names = [
        family.name + "_total" * (family.type == "counter")
        for family in Metrics().registry.collect()
        if not family.name.endswith("_created")
    ]

    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_operators_find_every_reason_that_the_code_names() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    files = [*(ROOT / "callfsm/server").glob("*.py"), *(ROOT / "callfsm/states").glob("*.py")]
    reasons = {reason for file in files for reason in REASON.findall(file.read_text(encoding="utf-8"))}

    assert {"unsigned", "no_media", "reply_failed", "stray_mark", "realtime_never_ready"} <= reasons
    assert sorted(reason for reason in reasons if f"`{reason}" not in page and not reason.endswith("_")) == []
