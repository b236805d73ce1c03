"""Which files a step's code is: the modules that it imports, theirs, and so on.

Workflow tools see a command, not the code behind it. Naming these files as inputs makes an edit redo what depends on
it and nothing else. Modules are read, never imported, so this costs milliseconds.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


def step_files(step: str, *more: str, without: str | None = None) -> list[Path]:
    """Files behind `hmr STEP`, sorted.

    `more` names modules that the step picks by name at run time, `without` a package that this use of it never runs.
    """
    modules = [f"hmr.steps.{step.replace('-', '_')}", *more]
    return sorted(frozenset().union(*(files_behind(module, without) for module in modules)))


@cache
def files_behind(module: str, without: str | None = None) -> frozenset[Path]:
    """The files of a module and of all that it imports of this package, with the templates that lie beside them."""
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name not in seen and not f"{name}.".startswith(f"{without}."):
            seen.add(name)
            waiting += imports_of(name)
    sources = {path for name in seen if (path := _file(name))}
    return frozenset(sources.union(*map(_beside, sources)))


@cache
def imports_of(module: str) -> tuple[str, ...]:
    """Modules of this package that a module imports anywhere in it, and the packages around them."""
    if (path := _file(module)) is None:
        return ()
    return tuple(sorted({parent for name in _named(path) for parent in _with_packages(name) if _file(parent)}))


def _named(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _with_packages(name: str) -> list[str]:
    """`hmr.a.b` as itself and the packages around it; the outermost holds no more than the version."""
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(1, len(parts))] if parts[0] == "hmr" else []


def _file(module: str) -> Path | None:
    """Where a module's source lies; None for names that are no module, such as a function."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    candidates = (path.with_name(path.name + ".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache
def _beside(source: Path) -> frozenset[Path]:
    """Files that are no modules in a package's own folders: templates and tables that the code reads."""
    if source.name != "__init__.py" or source.parent == PACKAGE:
        return frozenset()
    folders = [source.parent, *(d for d in source.parent.iterdir() if d.is_dir() and not (d / "__init__.py").exists())]
    files = {path for folder in folders if folder.name != "__pycache__" for path in folder.iterdir() if path.is_file()}
    return frozenset(path for path in files if path.suffix not in {".py", ".pyc"})
