"""Imports point down only: steps, then whole tasks, then data, networks and pictures, then the ground they share."""

import ast
from pathlib import Path

import pytest

import hmr

PACKAGE = Path(hmr.__file__).parent
LAYERS = (
    {"__main__", "steps"},
    {"training", "evaluation", "report", "prediction", "photos", "demo", "studio", "mocap", "download"},
    {"data", "models", "losses", "render"},
    {"body", "geometry", "params", "catalogue", "files", "errors", "unpickle", "device"}
    | {"closure", "bookkeeping", "presence"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    """`training` for hmr/training/loop.py, `params` for hmr/params.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return plain | {f"{node.module}.{alias.name}" for node in named for alias in node.names}


def parts_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("hmr.")} & LEVEL.keys()


def test_every_part_has_a_level():
    assert {part_of(path) for path in FILES} <= LEVEL.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path):
    up = {name for name in parts_imported(path) if LEVEL[name] < LEVEL[part_of(path)]}
    assert not up or part_of(path) == "__main__"


@pytest.mark.parametrize("part", ["evaluation", "report", "params", "catalogue", "closure"])
def test_without_torch(part: str):
    files = [path for path in FILES if part_of(path) == part]
    assert files and not [path for path in files if any(name.split(".")[0] == "torch" for name in imported(path))]


def test_relative_imports_are_not_used():
    relative = [n for path in FILES for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    assert not [node for node in relative if node.level]
