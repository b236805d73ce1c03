"""Files that appear whole or not at all, and the fingerprints that tell them apart."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hmr.errors import UserError

MANIFEST = "manifest.json"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path`, with its suffix, that takes the place of `path` if the block succeeds.

    Killed half way, it leaves a hidden file behind and `path` as it was; the next run overwrites the hidden file.
    A disk without room is the user's to mend: UserError, and `path` as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        os.replace(temporary, path)
    except Exception as error:
        if _has_no_room(error):
            before = "what was there before is whole" if path.exists() else "nothing is there yet"
            raise UserError(f"{path}: no room left to write it, {before}; free some space and run it again") from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _has_no_room(error: Exception) -> bool:
    """Whether a write failed for want of space. Libraries that write by themselves leave only the system's words."""
    words = (os.strerror(code) for code in _NO_ROOM)
    return getattr(error, "errno", None) in _NO_ROOM or any(said in str(error) for said in words)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty temporary sibling folder that replaces the folder `path` if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Parse a JSON file; a missing or broken one is the user's mistake."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: expected a JSON file, found nothing there") from None
    except ValueError as error:
        raise UserError(f"{path}: expected JSON, found something else ({error}); make the file again") from None


def write_manifest(folder: Path, **facts: Any) -> None:
    """Record the SHA-256 of every file below `folder`, with `facts` beside it, in `folder/manifest.json`.

    Raw data is a folder, and workflow tools compare single files better than folders: this file stands for it.
    """
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    write_json(folder / MANIFEST, {**facts, "files": {name: sha256_file(folder / name) for name in names}})


def manifest_sha256(folder: Path) -> str:
    """Fingerprint of a raw folder: its manifest's SHA-256, or names and sizes where the user brought the data."""
    manifest = Path(folder) / MANIFEST
    if manifest.is_file():
        return sha256_file(manifest)
    listing = sorted((p.relative_to(folder).as_posix(), p.stat().st_size) for p in folder.rglob("*") if p.is_file())
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
