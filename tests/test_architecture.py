"""The rules of the house: which way imports point, what no module does, and that every module has its tests."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dlcli"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in MODULES]
LONGEST_FILE, LONGEST_FUNCTION = 300, 60


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.AST) -> set[str]:
    """The modules that are imported anywhere in ``tree``, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def top_level_imports(tree: ast.Module) -> set[str]:
    kept = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return imports_of(ast.Module(body=kept, type_ignores=[]))


def calls_of(tree: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_imports_point_one_way():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_does_nothing_that_runs_foreign_code_or_asks_for_the_platform(path):
    tree = tree_of(path)
    imports, calls = imports_of(tree), calls_of(tree)
    roots = {name.split(".")[0] for name in imports}
    assert not roots & {"pickle", "cloudpickle", "dill", "marshal", "shelve", "runpy", "click"}
    assert not calls & {
        "eval",
        "exec",
        "compile",
        "__import__",
        "torch.hub.load",
        "yaml.load",
        "yaml.unsafe_load",
        "os.system",
    }
    loads = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"]
    assert not loads or path.name == "weight_files.py"
    assert all("weights_only=True" in ast.unparse(node) for node in loads)
    assert not [name for name in calls if name.rpartition(".")[2] in {"instantiate", "get_class", "get_method", "get_object"}]
    if path.name != "platform.py":
        assert not roots & {"fcntl", "msvcrt"}
        assert "sys.platform" not in {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if path.parent.name != "config":
        assert not roots & {"hydra", "omegaconf"}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_is_documented_and_short(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{node.name} is longer than {LONGEST_FUNCTION} lines"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if not path.name.startswith("__")], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_module_has_its_tests_where_one_looks_for_them(path):
    mirrored = ROOT / "tests" / path.relative_to(PACKAGE).parent / f"test_{path.name}"
    assert mirrored.is_file()
    assert re.search(r"^(    )?def test_", mirrored.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("room", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py") if path.parent.name != "cli"))
def test_a_rooms_door_is_a_docstring_only(room):
    (only,) = tree_of(PACKAGE / room / "__init__.py").body
    assert isinstance(only, ast.Expr)


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.stem)
def test_the_command_line_loads_nothing_heavy_at_import(path):
    light = {
        "errno",
        "__future__",
        "collections",
        "typing",
        "dataclasses",
        "contextlib",
        "datetime",
        "inspect",
        "json",
        "os",
        "re",
        "shlex",
        "signal",
        "sys",
    }
    light |= {"traceback", "types", "typer"}
    own = {"dlcli.cli", "dlcli.errors", "dlcli.report.text"}
    for name in top_level_imports(tree_of(path)):
        assert name.split(".")[0] in light or any(name.startswith(prefix) for prefix in own), name


def test_no_room_is_called_by_what_it_does_not_say():
    assert not {path.stem for path in PACKAGE.rglob("*")} & {"utils", "util", "helpers", "common", "core", "base", "misc"}


def test_inheritance_is_at_most_one_deep():
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                assert len(node.bases) <= 1, f"{path.name}: {node.name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_typed_wrong_comes_with_what_to_type_instead(path):
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    raised = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "UsageError"]
    assert [node.lineno for node in raised if "hint" not in {word.arg for word in node.keywords}] == []
