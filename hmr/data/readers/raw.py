"""Raw files: their presence, pictures, videos. What is missing is said with where it comes from."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from hmr.catalogue import DATASETS
from hmr.data.jpeg import cut_short
from hmr.errors import UserError


def need(path: Path, dataset: str) -> Path:
    """`path` itself if it exists."""
    if path.exists():
        return path
    about = DATASETS[dataset]
    raise UserError(
        f"{path}: expected part of {about.title}, found nothing there; the raw folder holds {', '.join(about.files)}, "
        f"from {about.homepage} ({about.licence}); 'hmr download {dataset}' makes it"
    )


def load_bgr(path: Path) -> np.ndarray:
    """A picture as BGR uint8 (H, W, 3). Raises UserError if it is missing, cut short or none."""
    data = _bytes(path)
    if cut_short(data):
        raise UserError(f"{path}: expected a picture, found the beginning of one; fetch it again")
    # Labels refer to pixels as they are stored, whichever way up the camera was held.
    image = _decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise UserError(f"{path}: expected a picture, found something else; fetch it again")
    return image


def load_grey(path: Path) -> np.ndarray:
    """A picture of labels as uint8 (H, W). Raises UserError if it is missing or none."""
    image = _decoded(_bytes(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise UserError(f"{path}: expected a picture of labels, found something else; fetch it again")
    return image


def _decoded(data: bytes, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # a header that claims a billion pixels
        return None


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(f"{path}: expected a picture, found no readable file; fetch it again") from None
    if not data:
        raise UserError(f"{path}: expected a picture, found an empty file; fetch it again")
    return data


def lazily(path: Path) -> Callable[[], np.ndarray]:
    """A picture that is read when it is wanted."""
    return partial(load_bgr, path)


def video_frames(path: Path, wanted: np.ndarray) -> Iterator[tuple[int, np.ndarray | None]]:
    """The wanted frames of a video, BGR, decoded straight through once.

    `wanted` holds ascending frame numbers from 0. Yields each with its picture, None once the video has ended.
    """
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        at = 0
        for number in wanted.tolist():
            while at < number and video.grab():
                at += 1
            good, picture = video.read() if at == number else (False, None)
            at += bool(good)
            yield number, picture if good else None
    finally:
        video.release()


def video_shape(path: Path) -> tuple[int, int] | None:
    """Height and width of a video's pictures as its header says, None where there is no video to open."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        shape = tuple(int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        return shape if all(shape) else None
    finally:
        video.release()


def loaded(path: Path, number: int, picture: np.ndarray | None) -> Callable[[], np.ndarray]:
    """A frame that is already decoded, as a loader; one that is missing says so when it is asked for."""

    def load() -> np.ndarray:
        if picture is None:
            raise UserError(f"{path}: expected frame {number}, found the end of the video; fetch it again")
        return picture

    return load
