"""Where the people are, as boxes, and boxes that the user brings.

A box is (x, y, width, height) in pixels of the picture, around the person's joints: ankles to the top of the head.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmr.data.augment import VIEW_REFERENCE_PX
from hmr.data.crop import PERSON_REFERENCE_PX
from hmr.errors import UserError

_KNOWN = 0.2  # a keypoint less certain than this is not counted, as in the method's demo
_KEYPOINTS_NEEDED = 4
_SHAPES = (
    '{"photo.jpg": [[x, y, width, height], ...]}, OpenPose JSON (a file or a folder of them) or COCO JSON with images'
)

ANY = ""  # the name under which boxes stand that tell no picture's name
Boxes = dict[str, np.ndarray]  # from a picture's name to (n, 4)


@dataclass(frozen=True)
class Place:
    """Where the network looks: the middle, and the length that is 150 reference pixels."""

    center_px: np.ndarray  # (2,), pixel centres are whole numbers
    person_px: float


def place_of(box: np.ndarray) -> Place:
    """# ASSUME: a box's diagonal is the person's, which training takes over the joints."""
    x, y, width, height = box
    return Place(np.array([x + (width - 1) / 2, y + (height - 1) / 2]), float(np.hypot(width, height)))


def whole_picture(size_px: tuple[int, int], scale: float) -> np.ndarray:
    """The box (4,) of a picture that is tight around one person: its long side fills the network's view, as in the
    method's demo. `scale`: how much larger people are in that view than in the paper's."""
    height, width = size_px
    side = scale * PERSON_REFERENCE_PX / VIEW_REFERENCE_PX * max(size_px) / np.sqrt(2)
    return np.array([(width - side) / 2, (height - side) / 2, side, side])


def check_box(box: np.ndarray, size_px: tuple[int, int], name: str) -> None:
    """UserError for a box that has no area or lies outside the picture."""
    x, y, width, height = box
    told = f"{name}: box {[round(float(value), 1) for value in box]}"
    if not (np.isfinite(box).all() and width > 0 and height > 0):
        raise UserError(f"{told} has no area; expected [x, y, width, height] in pixels")
    if x >= size_px[1] or y >= size_px[0] or x + width <= 0 or y + height <= 0:
        raise UserError(f"{told} lies outside the picture, which is {size_px[1]} wide and {size_px[0]} high")


def boxes_for(boxes: Boxes, path: Path) -> np.ndarray:
    """The boxes (n, 4) that were given for a picture: by its file name, its stem, or without a name."""
    found = (boxes[key] for key in (path.name, path.stem, ANY) if key in boxes)
    return next(found, np.zeros((0, 4)))


def read_boxes(path: Path) -> Boxes:
    """Boxes of a JSON file in this program's form, OpenPose's or COCO's, or of a folder of OpenPose's files.

    People are taken by their keypoints where the file has enough of them. UserError for anything else.
    """
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise UserError(f"{path}: expected OpenPose JSON files in this folder, found none")
        return {_openpose_name(file): _openpose(_parsed(file), file) for file in files}
    content = _parsed(path)
    if isinstance(content, dict) and "people" in content:
        return {ANY: _openpose(content, path)}
    if isinstance(content, dict) and "annotations" in content:
        return _coco(content, path)
    return _plain(content, path)


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: expected a JSON file of boxes, found nothing there") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: expected JSON, found something else ({error})") from None


def _plain(content: Any, path: Path) -> Boxes:
    try:
        boxes = {str(name): np.array(rows, np.float64).reshape(len(rows), 4) for name, rows in content.items()}
    except (AttributeError, TypeError, ValueError):
        raise UserError(f"{path}: expected {_SHAPES}, found another shape") from None
    return boxes


def _openpose_name(file: Path) -> str:
    return re.sub(r"_keypoints$", "", file.stem)


def _openpose(content: Any, path: Path) -> np.ndarray:
    """Boxes around each person's keypoints. Version 1.2 and later say pose_keypoints_2d, earlier pose_keypoints."""
    try:
        rows = [person.get("pose_keypoints_2d", person.get("pose_keypoints")) for person in content["people"]]
        people = [np.array(row, np.float64).reshape(-1, 3) for row in rows]
    except (AttributeError, TypeError, KeyError, ValueError):
        raise UserError(
            f"{path}: expected OpenPose's people, each with pose_keypoints_2d or pose_keypoints as x, y, confidence,"
            " found another shape"
        ) from None
    boxes = [_around(points[points[:, 2] > _KNOWN, :2]) for points in people]
    return _rows([box for box in boxes if box is not None])


def _coco(content: dict[str, Any], path: Path) -> Boxes:
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    try:
        names = {image["id"]: Path(image["file_name"]).name for image in content["images"]}
        for row in content["annotations"]:
            if row.get("category_id", 1) != 1 or row.get("iscrowd", 0):
                continue
            points = np.array(row.get("keypoints") or [], np.float64).reshape(-1, 3)
            box = _around(points[points[:, 2] > 0, :2])
            found[names[row["image_id"]]].append(box if box is not None else np.array(row["bbox"], float).reshape(4))
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: expected COCO's images (id, file_name) and annotations (image_id, bbox), found another shape"
            f" ({error!r})"
        ) from None
    return {name: _rows(boxes) for name, boxes in found.items()}


def _around(points: np.ndarray) -> np.ndarray | None:
    """The box (4,) around keypoints (k, 2); None where they are too few to tell a person's size."""
    if len(points) < _KEYPOINTS_NEEDED:
        return None
    low, high = points.min(0), points.max(0)
    return np.concatenate((low, high - low + 1))


def _rows(boxes: list[np.ndarray]) -> np.ndarray:
    return np.array(boxes, np.float64).reshape(-1, 4)
