"""COCO keypoints: images/train2014/*.jpg and annotations/person_keypoints_train2014.json, or the same of 2017."""

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hmr.body.joints import COCO_17
from hmr.data.readers.coco import YEARS
from hmr.files import write_json
from hmr.params import StudioImages
from hmr.studio.layouts.pictures import in_order, labels_of, picture, save_jpeg
from hmr.studio.shoot import Shot, Studio

DATASET = "coco"
FORMS = YEARS
PERSON = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO_17.joints), "skeleton": []}
_DECIMALS = 2
_CORNERS = 3  # the fewest that a polygon has


def write(raw: Path, studio: Studio, params: StudioImages, seed: int, jobs: int = 1, form: str = FORMS[0]) -> None:
    """Make the set below `raw`: one person in each picture."""
    (raw / "images" / f"train{form}").mkdir(parents=True)
    made = in_order(partial(_person, raw, studio, params, seed, form), params.images, jobs, DATASET)
    images, people = [image for image, _ in made], [person for _, person in made]
    content = {"images": images, "annotations": people, "categories": [PERSON]}
    write_json(raw / "annotations" / f"person_keypoints_train{form}.json", content)


def _person(
    raw: Path, studio: Studio, params: StudioImages, seed: int, form: str, index: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One picture's file, its entry and its person's."""
    shot = picture(studio, DATASET, index, params, seed, sport=False)
    number = index + 1
    name = f"COCO_train2014_{number:012d}.jpg" if form == "2014" else f"{number:012d}.jpg"
    save_jpeg(raw / "images" / f"train{form}" / name, shot.image)
    height, width = shot.image.shape[:2]
    image = {"id": number, "file_name": name, "height": height, "width": width}
    person = {"id": number, "image_id": number, "category_id": PERSON["id"], "iscrowd": 0}
    return image, {**person, **_keypoints(shot), **_mask(shot.part_labels > 0)}


def _keypoints(shot: Shot) -> dict[str, Any]:
    """x, y and a flag each: 0 out of the picture, 1 in it but hidden, 2 seen."""
    points, within, seen = labels_of(shot, COCO_17)
    labels = np.column_stack([points.round(_DECIMALS), within.astype(int) + seen]) * within[:, None]
    numbers = [number for x, y, flag in labels.tolist() for number in (x, y, int(flag))]
    return {"keypoints": numbers, "num_keypoints": int(within.sum())}


def _mask(mask: np.ndarray) -> dict[str, Any]:
    """Polygons round what is seen of the person (H, W), their box and area."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = [contour.ravel().tolist() for contour in contours if len(contour) >= _CORNERS]
    return {"segmentation": polygons, "area": int(mask.sum()), "bbox": list(cv2.boundingRect(mask.astype(np.uint8)))}
