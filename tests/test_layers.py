"""Who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "callfsm"
CORE = [
    *PACKAGE.glob("*.py"),
    *(file for folder in ("states", "hearing", "speaking", "wire") for file in (PACKAGE / folder).glob("*.py")),
]
IMPURE = {"aiohttp", "asyncio", "time", "random", "datetime", "threading", "socket", "os"}
SHELL = {"callfsm.server", "callfsm.audit", "callfsm.sim"}
STATE_MODULES = {
    "calibrating", "waiting_for_user", "greeting", "listening", "ai_grace", "ai_speaking", "cancelling", "ended",
}  # fmt: skip


def imports(file: Path) -> set[str]:
    """Every module that a file names in an import, with what it takes from it: `a.b` and `a.b.c`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return found


def is_within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("file", [file for file in CORE if file.name != "cli.py"], ids=lambda f: f.stem)
def test_core_knows_no_shell_and_no_clock(file: Path) -> None:
    assert {module for module in imports(file) if is_within(module, IMPURE | SHELL)} == set()


@pytest.mark.parametrize("name", sorted(STATE_MODULES))
def test_state_modules_do_not_import_one_another(name: str) -> None:
    others = {f"callfsm.states.{other}" for other in STATE_MODULES}

    assert imports(PACKAGE / "states" / f"{name}.py") & others == set()


def test_aiohttp_lives_in_the_shell_and_the_simulators_alone() -> None:
    homes = {
        file.relative_to(ROOT).parts[:2]
        for file in [*PACKAGE.rglob("*.py"), ROOT / "server.py"]
        if is_within("aiohttp", {module.split(".")[0] for module in imports(file)})
    }

    assert homes == {("callfsm", "server"), ("callfsm", "sim"), ("callfsm", "cli.py"), ("server.py",)}


def test_only_the_engine_assigns_the_state() -> None:
    assigned = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "state" and isinstance(node.ctx, ast.Store)
    ]

    assert assigned == []
