"""docs/security.md: each promise names a test, and each test that it names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| (?!threat \||what \||-).*\|$", re.MULTILINE)


def page() -> str:
    return (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def names_in(file: str) -> set[str]:
    """The names of a file's tests; none where there is no such file."""
    path = ROOT / "tests" / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_test_that_the_page_names_exists() -> None:
    named = TEST.findall(page())
    there = {file: names_in(file) for file, _ in named}

    assert len(named) > 50
    assert [f"{file}::{name}" for file, name in named if name not in there[file]] == []


def test_every_promise_names_a_test() -> None:
    rows = ROW.findall(page())

    assert len(rows) > 40
    assert [row for row in rows if not TEST.search(row)] == []
