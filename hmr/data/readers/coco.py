"""COCO keypoints: images/train2014/*.jpg and annotations/person_keypoints_train2014.json, or the same of 2017.

The method takes 2014; 2017 shares the same people out differently between training and validation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from hmr.body.joints import COCO_17
from hmr.data.readers.extent import ANKLES, TORSO, box_center, box_diagonal, mean_length
from hmr.data.readers.raw import load_rgb, need
from hmr.data.sample import Rejected, Sample, keypoints_19
from hmr.errors import UserError
from hmr.files import read_json
from hmr.params import NormalizeParams

DATASET = "coco"
YEARS = ("2014", "2017")  # if both are there, the first is read
PERSON_CATEGORY = 1
MIN_VISIBLE = 6  # joints that are labelled and not hidden
MIN_MASK_PX = 60
_HEAD_OR_SHOULDER = ("nose", "eye", "ear", "shoulder")
BODY = [k for k, joint in enumerate(COCO_17.joints) if not joint.endswith(_HEAD_OR_SHOULDER)]


def read(raw: Path, split: str, params: NormalizeParams) -> Iterator[Sample | Rejected]:
    """People of the training images, image by image, so that each image is decoded once."""
    year = next((year for year in YEARS if (raw / _annotations(year)).is_file()), YEARS[0])
    folder = raw / f"train{year}"  # as the owners' archive unpacks
    if not folder.is_dir():
        folder = need(raw / "images" / f"train{year}", DATASET)
    path = need(raw / _annotations(year), DATASET)
    content = read_json(path)
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        categories = {category["id"] for category in content["categories"]}
        people = defaultdict(list)
        for annotation in content["annotations"]:
            people[annotation["image_id"]].append((annotation["id"], annotation))
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: expected COCO person keypoints, found none ({error!r}); fetch it again") from None
    load = lru_cache(maxsize=1)(load_rgb)
    for image_id in sorted(people):
        for number, annotation in sorted(people[image_id], key=itemgetter(0)):
            sample_id = f"coco/{image_id}/{number}"
            if image_id not in names:
                yield Rejected(sample_id, "labels broken: a person without an image")
            elif annotation.get("category_id") not in categories:
                yield Rejected(sample_id, f"labels broken: unknown category {annotation.get('category_id')!r}")
            elif annotation["category_id"] != PERSON_CATEGORY:
                yield Rejected(sample_id, "not a person", bad=False)
            elif annotation.get("iscrowd"):
                yield Rejected(sample_id, "a crowd in place of a person", bad=False)
            else:
                yield _person(annotation, sample_id, partial(load, folder / names[image_id]))


def _annotations(year: str) -> str:
    return f"annotations/person_keypoints_train{year}.json"


def _person(annotation: dict[str, Any], sample_id: str, load: Callable[[], np.ndarray]) -> Sample | Rejected:
    if not annotation.get("num_keypoints"):
        return Rejected(sample_id, "no joint labelled", bad=False)
    try:
        labels = np.array(annotation.get("keypoints", []), np.float64)
        if labels.shape != (3 * len(COCO_17),):
            raise ValueError(f"{labels.size} keypoint numbers in place of {3 * len(COCO_17)}")
        labels = labels.reshape(-1, 3)
        reason = left_out(labels[:, 2], annotation.get("segmentation"))
    except (ValueError, TypeError) as error:
        return Rejected(sample_id, f"labels broken: {error}")
    if reason:
        return Rejected(sample_id, reason, bad=False)
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


def mask_px(polygons: list[list[float]]) -> float:
    """Long side of the box round a person's polygons [x, y, x, y, ...]."""
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
