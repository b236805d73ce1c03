"""Leeds Sports Pose Extended: images/im00001.jpg ... and joints.mat (14 x 3 x N).

The high-resolution release has im00001.png ... beside its joints.mat.
"""

from functools import partial
from pathlib import Path

import numpy as np

from hmr.body.joints import LSP_14
from hmr.params import StudioImages
from hmr.studio.layouts.mat import write_mat
from hmr.studio.layouts.pictures import (
    HIGH_RESOLUTION,
    ORIGINAL,
    in_order,
    labels_of,
    save_jpeg,
    save_png,
    sports_picture,
)
from hmr.studio.shoot import Studio

DATASET = "lsp_extended"
FORMS = (ORIGINAL, HIGH_RESOLUTION)


def write(raw: Path, studio: Studio, params: StudioImages, seed: int, jobs: int = 1, form: str = ORIGINAL) -> None:
    """Make the set below `raw`. The third column of `joints` is 1 where a joint is seen; the others are all zero."""
    if form == ORIGINAL:
        (raw / "images").mkdir(parents=True)
    people = in_order(partial(_person, raw, studio, params, seed, form), params.images, jobs, DATASET)
    write_mat(raw / "joints.mat", {"joints": np.transpose(people, (1, 2, 0))})


def _person(raw: Path, studio: Studio, params: StudioImages, seed: int, form: str, index: int) -> np.ndarray:
    """One picture's file, and its labels (14, 3)."""
    shot = sports_picture(studio, DATASET, index, params, seed, form)
    if form == ORIGINAL:
        save_jpeg(raw / "images" / f"im{index + 1:05d}.jpg", shot.image)
    else:
        save_png(raw / f"im{index + 1:05d}.png", shot.image[..., ::-1])
    points, _, seen = labels_of(shot, LSP_14)
    return np.column_stack([points, seen]) * seen[:, None]
