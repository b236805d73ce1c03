"""Fetching one archive: resumed where it broke off, tried again, and held to the checksum of its first use."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from hmr.download.sources import Archive
from hmr.errors import UserError
from hmr.files import read_json, sha256_file, write_json

ATTEMPTS = 4
TIMEOUT_S = 30
_BLOCK_BYTES = 1 << 16  # what is lost when the connection breaks
_SPARE_BYTES = 1 << 28  # left free on the disk


def fetch(archive: Archive, folder: Path, checksums: Path) -> tuple[Path, str, str]:
    """The archive's file below `folder`, its address and SHA-256; a file that is already there is only checked.

    `checksums` maps addresses to SHA-256, for archives that have none pinned; see `remember`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = read_json(checksums) if checksums.is_file() else {}
    reasons = []
    for url in archive.urls:
        path = folder / name_of(url)
        try:
            return path, url, _checked(url, path, archive, known.get(url))
        except requests.RequestException as error:
            reasons.append(f"{url} ({_reason(error)})")
    raise UserError(
        f"{'; '.join(reasons)}: expected an archive, found none; try again later, or fetch it by another way and "
        f"put it at {folder / name_of(archive.urls[0])}"
    )


def remember(url: str, sha256: str, checksums: Path) -> None:
    """Hold an address to a SHA-256 from now on. For what turned out to be the archive, not for what was sent."""
    write_json(checksums, {**(read_json(checksums) if checksums.is_file() else {}), url: sha256})


def name_of(url: str) -> str:
    """A file name of its own for each address."""
    parts = urlsplit(url)
    return f"{parts.hostname}-{parts.path.rsplit('/', 1)[-1]}"


def _checked(url: str, path: Path, archive: Archive, recorded: str | None) -> str:
    """Make `path` hold what `url` has, and return its SHA-256."""
    sha256 = archive.sha256 or recorded
    if path.is_file() and sha256 is not None and sha256_file(path) != sha256:
        raise _mismatch(path, archive, sha256)
    pooch.get_logger().setLevel("ERROR")
    if not path.is_file():
        try:
            pooch.retrieve(url, sha256, fname=path.name, path=path.parent, downloader=_resuming(path.parent))
        except ValueError:  # pooch's word for a wrong checksum
            raise _mismatch(path, archive, sha256) from None
    return sha256 or sha256_file(path)


def _mismatch(path: Path, archive: Archive, sha256: str | None) -> UserError:
    trust = "correct it in hmr/download/sources.py" if archive.sha256 else "take its line out of checksums.json"
    return UserError(
        f"{path.name}: expected SHA-256 {sha256}, found another; the archive has changed or is broken: delete {path} "
        f"and try again, or, if you trust the new one, {trust}"
    )


def _resuming(folder: Path) -> Callable[[str, Path, object], None]:
    """A downloader for pooch that keeps what it has when the connection breaks."""

    def download(url: str, output_file: Path, _: object) -> None:
        part = folder / f"{name_of(url)}.part"
        for attempt in range(ATTEMPTS):
            try:
                _continue(url, part)
                break
            except requests.RequestException as error:
                if attempt == ATTEMPTS - 1 or not _may_pass(error):
                    raise
                time.sleep(2**attempt)
        shutil.move(part, output_file)

    return download


def _may_pass(error: requests.RequestException) -> bool:
    """Whether another try may help: the line broke, or the server is at fault rather than the address."""
    if isinstance(error, requests.HTTPError):
        return error.response.status_code >= 500 or error.response.status_code == requests.codes.too_many_requests
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, broken)


def _continue(url: str, part: Path) -> None:
    """Bring a partial file to its end, from the start if the server cannot begin in the middle."""
    at = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={at}-"} if at else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if response.status_code == 416:  # nothing is left, or the partial file is not of this archive
            if response.headers.get("Content-Range", "").endswith(f"/{at}"):
                return
            part.unlink()
            raise requests.ConnectionError("the partial file is longer than the archive")
        response.raise_for_status()
        if response.status_code == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {at}-"):
            part.unlink()
            raise requests.ConnectionError("the server sent another part than the one asked for")
        # Servers may call an archive that is compressed an encoded one; what is wanted is the archive as it lies there.
        response.raw.headers.pop("Content-Encoding", None)
        at = at if response.status_code == 206 else 0
        left = int(response.headers.get("Content-Length", 0))
        need_space(part.parent, left, url)
        with (
            open(part, "ab" if at else "wb") as file,
            tqdm(total=at + left, initial=at, desc=part.stem, unit="B", unit_scale=True, disable=None) as bar,
        ):
            for block in response.iter_content(_BLOCK_BYTES):
                file.write(block)
                bar.update(len(block))
    if left and part.stat().st_size != at + left:
        raise requests.ConnectionError("the connection broke off")


def need_space(folder: Path, size: int, thing: str) -> None:
    """Stop before the disk is full."""
    free = shutil.disk_usage(folder).free
    if size + _SPARE_BYTES > free:
        raise UserError(
            f"{thing}: expected {size / 1e9:.1f} GB free at {folder}, found {free / 1e9:.1f} GB; "
            "make room or choose another --raw"
        )


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code}"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not to be trusted"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"broke off {ATTEMPTS} times"
    return "host unreachable" if isinstance(error, requests.ConnectionError) else type(error).__name__
