"""Who is at work in a folder, so that a run that was killed is in nobody's way.

Snakemake marks what is in the making with files, which a `kill -9` leaves behind. Here every process that reads the
rules, a run or one of its jobs, also holds a shared lock of the operating system, which goes with the process. Whoever
finds that nobody else holds it knows that those marks are a dead run's: it takes them away, and the outputs of the
jobs that were cut off, so that just these run again.
"""

import fcntl
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import IO

_held: dict[Path, IO[str]] = {}


def enter(folder: Path) -> None:
    """Be present in a folder as long as this process lives; what a dead run left in the way is cleared."""
    folder = folder.resolve()
    if folder in _held:
        return
    book = folder / ".snakemake"
    book.mkdir(exist_ok=True)
    file = open(book / "presence", "w")  # noqa: SIM115  (held as long as the process lives)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # somebody is at work: Snakemake's own locks say whether two runs can go together
    else:
        _clear(folder, book)
    fcntl.flock(file, fcntl.LOCK_SH)
    _held[folder] = file


def _clear(folder: Path, book: Path) -> None:
    for lock in (book / "locks").glob("*.lock"):
        lock.unlink()
    marks = [mark for mark in (book / "incomplete").rglob("*") if mark.is_file()]
    for mark in marks:
        # A mark's name is its output's, encoded; long ones are cut into folders that begin with "@".
        parts = mark.relative_to(book / "incomplete").parts
        output = folder / urlsafe_b64decode("".join(part.removeprefix("@") for part in parts)).decode()
        if output.is_file():
            output.unlink()
        mark.unlink()
