"""Leeds Sports Pose Extended: images/im00001.jpg ... and joints.mat (14 x 3 x N)."""

from functools import partial
from pathlib import Path

import numpy as np

from hmr.body.joints import LSP_14
from hmr.params import StudioImages
from hmr.studio.layouts.mat import write_mat
from hmr.studio.layouts.pictures import in_order, labels_of, picture, save_jpeg
from hmr.studio.shoot import Studio

DATASET = "lsp_extended"


def write(raw: Path, studio: Studio, params: StudioImages, seed: int, jobs: int = 1) -> None:
    """Make the set below `raw`. The third column of `joints` is 1 where a joint is seen; the others are all zero."""
    (raw / "images").mkdir(parents=True)
    people = in_order(partial(_person, raw, studio, params, seed), params.images, jobs, DATASET)
    write_mat(raw / "joints.mat", {"joints": np.transpose(people, (1, 2, 0))})


def _person(raw: Path, studio: Studio, params: StudioImages, seed: int, index: int) -> np.ndarray:
    """One picture's file, and its labels (14, 3)."""
    shot = picture(studio, DATASET, index, params, seed, sport=True)
    save_jpeg(raw / "images" / f"im{index + 1:05d}.jpg", shot.image)
    points, _, seen = labels_of(shot, LSP_14)
    return np.column_stack([points, seen]) * seen[:, None]
