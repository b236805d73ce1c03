"""What Snakemake would run, read from what `snakemake --dry-run` prints."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Job:
    """One planned job; paths are relative to the project."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def set_first(path: Path, key: str, value: object) -> None:
    """Give the first line of a parameter file that has `key` another value, whatever its present one is."""
    text, count = re.subn(rf"^( *{key}:).*$", rf"\g<1> {value}", path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this project's workflow with `folder` as its working directory."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--directory", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def planned(folder: Path) -> list[Job]:
    """The jobs that the whole workflow needs in `folder`."""
    done = snakemake(folder, "--dry-run", "all")
    assert done.returncode == 0, done.stderr
    blocks = re.split(r"^rule (\w+):$", done.stdout + done.stderr, flags=re.MULTILINE)[1:]
    return [
        Job(rule, _paths(text, "input", folder), _paths(text, "output", folder))
        for rule, text in zip(blocks[::2], blocks[1::2], strict=True)
    ]


def stage_of_rules() -> dict[str, str]:
    """The stage whose file defines each rule."""
    files = sorted((ROOT / "workflow/rules").glob("*.smk"))
    return {rule: file.stem for file in files for rule in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)}


def _paths(text: str, directive: str, folder: Path) -> tuple[str, ...]:
    found = re.search(rf"^    {directive}: (.*)$", text, re.MULTILINE)
    return tuple(_in_project(path, folder) for path in found[1].split(", ")) if found else ()


def _in_project(path: str, folder: Path) -> str:
    """Code lies in the project, seen from the working directory; everything else in the working directory itself."""
    return os.path.relpath(os.path.normpath(folder / path), ROOT) if path.startswith("..") else path
