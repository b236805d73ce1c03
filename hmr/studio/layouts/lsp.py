"""Leeds Sports Pose: images/im0001.jpg ..., joints.mat (3 x 14 x N), and part labels of the second half.

Part labels stand where Unite the People put them: upi-s1h/data/lsp/im1001_part_segmentation.png.
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

DATASET = "lsp"
FORMS = (ORIGINAL, HIGH_RESOLUTION)


def write(raw: Path, studio: Studio, params: StudioImages, seed: int, jobs: int = 1, form: str = ORIGINAL) -> None:
    """Make the set below `raw`. The third row of `joints` is 1 where a joint is hidden or out of the picture."""
    (raw / "images").mkdir(parents=True)
    _parts(raw).mkdir(parents=True)
    people = in_order(partial(_person, raw, studio, params, seed, form), params.images, jobs, DATASET)
    write_mat(raw / "joints.mat", {"joints": np.transpose(people, (2, 1, 0))})


def _person(raw: Path, studio: Studio, params: StudioImages, seed: int, form: str, index: int) -> np.ndarray:
    """One picture's files, and its labels (14, 3)."""
    shot = sports_picture(studio, DATASET, index, params, seed, form)
    name = f"im{index + 1:04d}"
    save_jpeg(raw / "images" / f"{name}.jpg", shot.image)
    if index >= params.images // 2:
        save_png(_parts(raw) / f"{name}_part_segmentation.png", shot.part_labels)
        save_png(_parts(raw) / f"{name}_segmentation.png", (shot.part_labels > 0).astype(np.uint8))
    points, _, seen = labels_of(shot, LSP_14)
    return np.column_stack([points, ~seen])


def _parts(raw: Path) -> Path:
    return raw / "upi-s1h" / "data" / "lsp"
