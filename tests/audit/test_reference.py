"""The configuration reference: fresh in the checkout, complete, and robust to what keys may hold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import field, frozen

from callfsm.audit import reference
from callfsm.audit.reference import default_of, main, render, sections
from callfsm.config import Config
from callfsm.config_file import config_values

COMMITTED = Path(__file__).parents[2] / "docs" / "configuration.md"


@frozen
class Tool:
    """A tool."""

    name: str = field(metadata={"says": "what it is called"})
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
    told = {"Top level"}
    page = render()
    for section in sections():
        table = section.heading.strip("[]")
        told |= {table, *(f"{table}.{key.alias}".removeprefix("Top level.") for key in section.keys)}

    assert names_of(config_values(Config())) - told == set()
    assert [
        name for name in told if f"`{name.rpartition('.')[2]}`" not in page.replace("[", "").replace("]", "")
    ] == ["Top level"]


def test_every_key_and_every_table_says_something() -> None:
    assert [key.name for section in sections() for key in section.keys if not key.metadata.get("says")] == []
    assert all(section.says and section.keys for section in sections())


def test_tables_within_tables_have_sections_of_their_own() -> None:
    found = [(each.heading, each.says, [key.name for key in each.keys]) for each in sections(Shop)]

    assert found == [
        ("Top level", "A shop.", ["days", "is_open"]),
        ("[[tools]]", "A tool. What it offers.", ["name", "schema"]),
        ("[till]", "A tool.", ["name", "schema"]),
    ]


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        (Shop, "days", r'`["א", "ב\|ג"]`'),
        (Shop, "is_open", "`false`"),
        (Tool, "name", "*required*"),
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
        ({"שם": [1, "x"]}, '`{"שם" = [1, "x"]}`'),
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
