"""COCO keypoints: images/train2014/*.jpg and annotations/person_keypoints_train2014.json, or the same of 2017.

The method takes 2014; 2017 shares the same people out differently between training and validation.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import ijson
import numpy as np

from hmr.body.joints import COCO_17, LSP_14
from hmr.data.readers.extent import ANKLES, TORSO, box_center, box_diagonal, mean_length
from hmr.data.readers.raw import load_bgr, need
from hmr.data.sample import Rejected, Sample, keypoints_19
from hmr.errors import UserError
from hmr.params import NormalizeParams

DATASET = "coco"
YEARS = ("2014", "2017")  # if both are there, the first is read
PERSON_CATEGORY = 1
MIN_VISIBLE = 6  # joints that are labelled and not hidden
MIN_MASK_PX = 60
_HEAD_OR_SHOULDER = ("nose", "eye", "ear", "shoulder")
BODY = [k for k, joint in enumerate(COCO_17.joints) if not joint.endswith(_HEAD_OR_SHOULDER)]
SPIN_BODY = [k for k, joint in enumerate(COCO_17.joints) if joint in LSP_14.joints]  # all but the face


def read(raw: Path, split: str, params: NormalizeParams) -> Iterator[Sample | Rejected]:
    """People of the training images, image by image, so that each image is decoded once."""
    year = next((year for year in YEARS if (raw / _annotations(year)).is_file()), YEARS[0])
    folder = raw / f"train{year}"  # as the owners' archive unpacks
    if not folder.is_dir():
        folder = need(raw / "images" / f"train{year}", DATASET)
    path = need(raw / _annotations(year), DATASET)
    names, categories, people = _content(path, params.filters)
    load = lru_cache(maxsize=1)(load_bgr)
    for image_id, number, person in sorted(people, key=itemgetter(0, 1)):
        sample_id = f"coco/{image_id}/{number}"
        if image_id not in names:
            yield Rejected(sample_id, "labels broken: a person without an image")
        elif person.category not in categories:
            yield Rejected(sample_id, f"labels broken: unknown category {person.category!r}")
        elif person.category != PERSON_CATEGORY:
            yield Rejected(sample_id, "not a person", bad=False)
        elif person.wrong:
            yield Rejected(sample_id, person.wrong)
        elif person.left_out:
            yield Rejected(sample_id, person.left_out, bad=False)
        else:
            yield _sample(person.labels, sample_id, partial(load, folder / names[image_id]))


def _annotations(year: str) -> str:
    return f"annotations/person_keypoints_train{year}.json"


class _Person(NamedTuple):
    """What is kept of an annotation. Its polygon, which is most of it, is looked at and let go."""

    category: Any
    labels: np.ndarray | None = None  # (17, 3) x, y and flag, of those who are kept
    left_out: str | None = None  # why the method leaves this person out
    wrong: str | None = None  # what is wrong with the labels


def _content(path: Path, filters: str) -> tuple[dict[int, str], list[int], list[tuple[int, int, _Person]]]:
    """Names of images by number, known categories, and people with their image's number and their own.

    Read as a stream: the file is hundreds of megabytes, and several times that as Python's objects.
    """
    try:
        names = {_of(image, "id", int): _of(image, "file_name", str) for image in _items(path, "images")}
        people = [
            (_of(item, "image_id", int), _of(item, "id", int), _person(item, filters))
            for item in _items(path, "annotations")
        ]
        categories = [category["id"] for category in _items(path, "categories")]
    except (KeyError, TypeError, ijson.JSONError) as error:
        raise UserError(f"{path}: expected COCO person keypoints, found none ({error}); fetch it again") from None
    if not (names and categories):
        raise UserError(f"{path}: expected COCO person keypoints, found none (images or categories); fetch it again")
    return names, categories, people


def _items(path: Path, name: str) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as file:
        yield from ijson.items(file, f"{name}.item", use_float=True)


def _of(item: dict[str, Any], name: str, kind: type) -> Any:
    """A field by which images and people find each other."""
    if not isinstance(item[name], kind):
        raise TypeError(f"{name}: {item[name]!r}")
    return item[name]


def _person(annotation: dict[str, Any], filters: str) -> _Person:
    category = annotation.get("category_id")
    if annotation.get("iscrowd"):
        return _Person(category, left_out="a crowd in place of a person")
    if not annotation.get("num_keypoints", True):  # files that users make may not count them
        return _Person(category, left_out="no joint labelled")
    try:
        labels = np.array(annotation.get("keypoints", []), np.float64)
        if labels.shape != (3 * len(COCO_17),):
            raise ValueError(f"{labels.size} keypoint numbers in place of {3 * len(COCO_17)}")
        labels = labels.reshape(-1, 3)
        flags = labels[:, 2]
        if not np.isin(flags, (0, 1, 2)).all():
            raise ValueError("flags of joints other than 0, 1 and 2")
        reason = spin_left_out(flags) if filters == "spin" else left_out(flags, annotation.get("segmentation"))
    except (ValueError, TypeError) as error:
        return _Person(category, wrong=f"labels broken: {error}")
    return _Person(category, left_out=reason) if reason else _Person(category, labels)


def _sample(labels: np.ndarray, sample_id: str, load: Callable[[], np.ndarray]) -> Sample:
    # Hidden joints count as well as visible ones in the method's loss.
    keypoints, visible = keypoints_19(labels[:, :2], labels[:, 2] > 0, COCO_17)
    return Sample(
        sample_id=sample_id,
        load_image=load,
        keypoints_2d_px=keypoints,
        visible=visible,
        center_px=box_center(keypoints, visible),
        person_px=person_px(keypoints, visible),
    )


def left_out(flags: np.ndarray, segmentation: Any) -> str | None:
    """Why the method leaves a person out, if it does. `flags` (17,): 0 not labelled, 1 hidden, 2 visible."""
    if not isinstance(segmentation, list) or not segmentation:
        return "no polygon round the person"
    if (flags == 2).sum() < MIN_VISIBLE:
        return f"fewer than {MIN_VISIBLE} visible joints"
    if mask_px(segmentation) <= MIN_MASK_PX:
        return f"mask of {MIN_MASK_PX} px or less"
    return None if flags[BODY].any() else "only face and shoulders labelled"


def spin_left_out(flags: np.ndarray) -> str | None:
    """Why SPIN leaves a person out, if it does: hidden joints count, and neither polygon nor size is asked for."""
    return None if (flags[SPIN_BODY] > 0).all() else f"not all {len(SPIN_BODY)} body joints labelled"


def mask_px(polygons: list[list[float]]) -> float:
    """Long side of the box round a person's polygons [x, y, x, y, ...].

    # ASSUME: the method's code draws the mask and measures the box of its pixels, which differs by about a pixel
    # unless a polygon leaves the picture. It would draw run lengths as well; COCO has them only for crowds, which are
    # left out in any case, so a person who comes with them is left out here.
    """
    corners = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in polygons])
    return float(np.ptp(corners, 0).max())


def person_px(keypoints_px: np.ndarray, visible: np.ndarray) -> float:
    """The length that becomes 150 reference pixels.

    With an ankle the whole diagonal; else twice the shoulder-to-hip length; else, little being visible, three times
    the diagonal (the method's code).
    """
    diagonal = box_diagonal(keypoints_px, visible)
    if visible[ANKLES].any():
        return diagonal
    torso = mean_length(keypoints_px, visible, TORSO)
    return 150 / 50 * diagonal if torso is None else 150 / 75 * torso
