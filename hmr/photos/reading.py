"""A person's own files as pictures: 8 bits, RGB, the right way up, whatever camera or program wrote them."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hmr.data.jpeg import START as JPEG
from hmr.data.jpeg import cut_short
from hmr.errors import UserError

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".gif"}
_UNREAD = {".heic", ".heif"}  # pictures that OpenCV cannot decode: named, each in its line, rather than passed over
VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"}
_PAPER = 255  # what shows through where a picture is transparent
_MOST_SIDE_PX = 65_500  # of a JPEG file, which overlays are written as


def is_video(path: Path) -> bool:
    """Whether a file is read as a video, by its name."""
    return path.suffix.lower() in VIDEOS


def files_of(path: Path) -> list[Path]:
    """The file itself, or a folder's pictures and videos in the order of their names. UserError where nothing is.

    Hidden files, such as those that macOS leaves beside each picture, are passed over.
    """
    if path.is_dir():
        shown = (p for p in path.iterdir() if not p.name.startswith("."))
        inside = sorted(p for p in shown if p.suffix.lower() in IMAGES | _UNREAD | VIDEOS)
        if not inside:
            raise UserError(f"{path}: expected pictures or videos in this folder, found none; name another")
        return inside
    if not path.is_file():
        raise UserError(f"{path}: expected a picture, a video or a folder, found nothing there")
    return [path]


def read_picture(path: Path) -> np.ndarray:
    """The picture in a file, as `decode_picture` says. UserError for a file that cannot be read or is no picture."""
    try:
        return decode_picture(path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"{path}: expected a picture, found a file that cannot be read ({error.strerror})") from None


def decode_picture(content: bytes, name: str) -> np.ndarray:
    """uint8 (H, W, 3) RGB, turned as its EXIF says, transparent parts on white, 16 bits brought to 8.

    Of an animation it is the first picture. # ASSUME: colour profiles are not applied; sRGB is what cameras write.
    UserError for what is no picture, or one whose overlay could not be written.
    """
    if cut_short(content):
        raise UserError(f"{name}: expected a picture, found the beginning of one; copy it from the camera again")
    image = _decoded(content, cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise UserError(f"{name}: expected a picture, found a file that does not decode as one; convert it to JPEG")
    if max(image.shape) > _MOST_SIDE_PX:
        found = f"{image.shape[1]} x {image.shape[0]}"
        raise UserError(
            f"{name}: expected a picture of at most {_MOST_SIDE_PX} pixels a side, found {found}; shrink it"
        )
    if not content.startswith(JPEG):  # which has no alpha
        raw = _decoded(content, cv2.IMREAD_UNCHANGED)
        # ASSUME: nothing both turns by EXIF and is transparent; such a picture keeps the colours under its alpha.
        if raw is not None and raw.shape == (*image.shape[:2], 4) and raw.dtype.kind == "u":
            alpha = raw[..., 3:].astype(np.float32) / np.iinfo(raw.dtype).max
            image = np.rint(image * alpha + _PAPER * (1 - alpha)).astype(np.uint8)
    return image


def _decoded(content: bytes, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # beyond OpenCV's own limits on size
        return None


@dataclass(frozen=True)
class Video:
    """A video that has been looked through once."""

    path: Path
    frames: int  # that decode
    rate_hz: float
    size_px: tuple[int, int]  # height, width

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames, uint8 (H, W, 3) RGB, in order; as many as `frames`."""
        yield from _frames(self.path)


def open_video(path: Path) -> Video:
    """Count what decodes. UserError where nothing does; a video that breaks off is told on stderr and used so far."""
    frames, size = 0, (0, 0)
    for image in _frames(path):
        frames, size = frames + 1, image.shape[:2]
    if not frames:
        raise UserError(f"{path}: expected a video, found a file without a frame that decodes")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    told, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    if told > frames + 1:
        print(f"{path}: breaks off after {frames} of {told:.0f} frames; those are used", file=sys.stderr)
    return Video(path, frames, rate if np.isfinite(rate) and 0 < rate <= 1000 else 30.0, size)


def _frames(path: Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        while (read := capture.read())[0]:
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def names_of(paths: list[Path]) -> list[str]:
    """A name for each file's outputs: its stem, made unlike all others where two files share one."""
    taken: set[str] = set()
    names = []
    for path in paths:
        tries = [path.stem, path.name.replace(".", "-"), f"{path.parent.name}-{path.stem}"]
        tries += [f"{path.stem}-again{k}" for k in range(2, len(paths) + 2)]
        names.append(next(name for name in tries if name not in taken))
        taken.add(names[-1])
    return names
