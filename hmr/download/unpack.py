"""Taking wanted files out of an archive that nobody has to trust: no path outside, no links, no more than expected."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from hmr.download.fetch import need_space
from hmr.download.sources import Archive
from hmr.errors import UserError

_BLOCK_BYTES = 1 << 20
# What libraries raise for archives that are spoilt, or packed in a way that they cannot read (RuntimeError: with a
# password, or by an unknown method). OSError is bz2's word for spoilt data, without a number of the system's.
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError)


@dataclass(frozen=True)
class Member:
    """A file or link in an archive."""

    name: str
    is_file: bool
    size: int
    open: Callable[[], IO[bytes]]


def unpack(path: Path, archive: Archive, raw: Path) -> int:
    """Put the wanted members of the archive at `path` where they belong below `raw`; how many there were."""
    count, left, fitted = 0, archive.limit_bytes, set()
    raw.mkdir(parents=True, exist_ok=True)
    try:
        members = _members(path, archive.limit_bytes)
        for member in tqdm(members, desc=f"unpacking {path.name}", unit="file", disable=None):
            if (found := archive.place(member.name)) is None:
                continue
            pattern, target = found
            _refuse_outside(member, target, path)
            need_space(raw, member.size, path.name)
            left -= _copy(member, raw / target, left, path)
            count += 1
            fitted.add(pattern)
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{path}: expected an archive, found a broken one ({error}); delete it and try again") from None
    if lacking := [pattern for pattern in archive.take if pattern not in fitted]:
        raise UserError(f"{path}: expected files like {' and '.join(lacking)}, found none; not the owners' archive")
    return count


def _members(path: Path, limit_bytes: int) -> Iterator[Member]:
    """What is in a zip or tar file, in its order. A tar file is read straight through once, wanted or not."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            for info in file.infolist():
                if not info.is_dir():
                    is_file = not stat.S_ISLNK(info.external_attr >> 16)
                    yield Member(info.filename, is_file, info.file_size, partial(file.open, info))
        return
    with tarfile.open(path, "r|*") as file:
        for info in file:
            limit_bytes -= info.size
            if limit_bytes < 0:
                raise _too_large(path)
            if not info.isdir():
                yield Member(info.name, info.isreg(), info.size, partial(file.extractfile, info))


def _refuse_outside(member: Member, target: PurePosixPath, path: Path) -> None:
    inside = not target.is_absolute() and ".." not in target.parts
    if not inside or ".." in PurePosixPath(member.name).parts or not member.is_file:
        raise UserError(f"{path}: expected plain files inside it, found {member.name!r}; not the owners' archive")


def _copy(member: Member, target: Path, limit_bytes: int, path: Path) -> int:
    """Write one member and return its size, which is counted rather than believed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with member.open() as source, open(target, "wb") as file:
        while block := source.read(_BLOCK_BYTES):
            written += len(block)
            if written > limit_bytes:
                raise _too_large(path)
            file.write(block)
    return written


def _too_large(path: Path) -> UserError:
    return UserError(f"{path}: expected a smaller archive, found more than its limit; not the owners' archive")
