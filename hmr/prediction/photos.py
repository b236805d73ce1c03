"""A person's own pictures: where the people are, and what is written about each.

Without boxes a picture is taken to be tight around one person, as in the method's demo: its long side is what the
network sees. A box gives the person's place and size instead.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hmr.data.augment import VIEW_REFERENCE_PX
from hmr.errors import UserError

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm"}
PERSON_REFERENCE_PX = 150


@dataclass(frozen=True)
class Person:
    """One person to recover: a picture and the place in it."""

    name: str
    image: np.ndarray  # uint8 (H, W, 3) RGB
    center_px: np.ndarray  # (2,)
    person_px: float  # the length that is 150 reference pixels


def find_people(paths: list[Path], boxes: dict[str, list[list[float]]] | None) -> Iterator[Person]:
    """Every person of every picture, in the order given; folders in the order of their names."""
    for path in _expand(paths):
        for name, image in _frames(path):
            found = (boxes or {}).get(name) or (boxes or {}).get(path.name)
            if boxes is not None and not found:
                continue
            for number, (center, person_px) in enumerate(_places(found, image.shape[:2], path)):
                yield Person(name if number == 0 else f"{name}-{number + 1}", image, center, person_px)


def read_boxes(path: Path) -> dict[str, list[list[float]]]:
    """A JSON object from picture name to boxes [x, y, width, height] in pixels."""
    try:
        boxes = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of boxes") from None
    except ValueError as error:
        raise UserError(f"{path}: expected JSON, found something else ({error})") from None
    rows = [box for found in boxes.values() for box in found] if isinstance(boxes, dict) else [None]
    if not all(
        isinstance(box, list) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box) for box in rows
    ):
        raise UserError(f'{path}: expected {{"photo.jpg": [[x, y, width, height], ...], ...}}, found another shape')
    return boxes


def _expand(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGES | VIDEOS)
            if not inside:
                raise UserError(f"{path}: a folder without pictures or videos ({', '.join(sorted(IMAGES | VIDEOS))})")
            yield from inside
        elif path.is_file():
            yield path
        else:
            raise UserError(f"{path}: expected a picture, a video or a folder, found nothing there")


def _frames(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    if path.suffix.lower() not in VIDEOS:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise UserError(f"{path}: expected a picture, found a file that will not decode")
        yield path.stem, image
        return
    video = cv2.VideoCapture(str(path))
    number = 0
    while (read := video.read())[0]:
        yield f"{path.stem}-{number:06d}", cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
        number += 1
    video.release()
    if not number:
        raise UserError(f"{path}: expected a video, found a file without a frame that decodes")


def _places(
    boxes: list[list[float]] | None, size_px: tuple[int, int], path: Path
) -> Iterator[tuple[np.ndarray, float]]:
    """Centre and person size. # ASSUME: a box's diagonal is the person's, which training takes over its joints."""
    if boxes is None:
        height, width = size_px
        yield np.array([width - 1, height - 1]) / 2, PERSON_REFERENCE_PX / VIEW_REFERENCE_PX * max(size_px)
        return
    for x, y, width, height in boxes:
        if width <= 0 or height <= 0:
            raise UserError(
                f"{path}: box {[x, y, width, height]} has no area; expected [x, y, width, height] in pixels"
            )
        yield np.array([x + (width - 1) / 2, y + (height - 1) / 2]), float(np.hypot(width, height))
