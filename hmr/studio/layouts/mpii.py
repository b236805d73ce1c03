"""MPII Human Pose: images/*.jpg and annotations/mpii_human_pose_v1_u12_1.mat, a nested MATLAB structure."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hmr.body.joints import MPII_16
from hmr.params import StudioImages
from hmr.studio.layouts.mat import write_mat
from hmr.studio.layouts.pictures import in_order, labels_of, picture, save_jpeg
from hmr.studio.shoot import Shot, Studio

DATASET = "mpii"
_SCALE_PX = 200.0  # `scale` is a person's height in units of so many pixels


def write(raw: Path, studio: Studio, params: StudioImages, seed: int, jobs: int = 1) -> None:
    """Make the set below `raw`: one person in each picture, so that each stands apart from others."""
    (raw / "images").mkdir(parents=True)
    images = in_order(partial(_person, raw, studio, params, seed), params.images, jobs, DATASET)
    apart = np.empty((len(images), 1), object)
    apart[:, 0] = [np.uint8([[1]])] * len(images)
    release = {
        "annolist": _structures(images),
        "img_train": np.ones((1, len(images)), np.uint8),
        "version": "12",
        "single_person": apart,
    }
    write_mat(raw / "annotations" / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release})


def _person(raw: Path, studio: Studio, params: StudioImages, seed: int, index: int) -> dict[str, Any]:
    """One picture's file, and its entry of `annolist`."""
    shot = picture(studio, DATASET, index, params, seed, sport=False)
    name = f"{index + 1:09d}.jpg"
    save_jpeg(raw / "images" / name, shot.image)
    return {"image": {"name": name}, "annorect": _structures([_labels(shot)])}


def _labels(shot: Shot) -> dict[str, Any]:
    """The joints that are in the picture, with `is_visible` 1 where they are seen; the person's place and size."""
    points, within, seen = labels_of(shot, MPII_16)
    labelled = [
        {"x": points[k, 0], "y": points[k, 1], "id": k, "is_visible": int(seen[k])} for k in np.flatnonzero(within)
    ]
    rows, columns = np.nonzero(shot.part_labels)
    box = (
        np.array([[0, 0], shot.image.shape[1::-1]])
        if not len(rows)
        else np.array([[columns.min(), rows.min()], [columns.max(), rows.max()]])
    )
    center, size = box.mean(0), np.ptp(box, 0)
    return {
        "annopoints": {"point": _structures(labelled)},
        "scale": float(size.max() / _SCALE_PX),
        "objpos": {"x": float(center[0]), "y": float(center[1])},
    }


def _structures(items: list[dict[str, Any]]) -> np.ndarray:
    """MATLAB's structure array (1, N), of equal fields."""
    if not items:
        return np.empty((0, 0))
    array = np.empty((1, len(items)), [(name, object) for name in items[0]])
    for row, item in enumerate(items):
        array[0, row] = tuple(item.values())
    return array
