"""Leeds Sports Pose: images/im0001.jpg ..., joints.mat (3 x 14 x N) and Unite the People's part labels.

The first half is for training, the second for testing, as its authors and the method have it. The high-resolution
release (lsp_dataset_original) has the same files, its people are larger.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import scipy.io

from hmr.body.joints import LSP_14
from hmr.data.readers.extent import box_center, box_diagonal
from hmr.data.readers.raw import lazily, load_grey, need
from hmr.data.sample import Rejected, Sample, keypoints_19
from hmr.errors import UserError
from hmr.params import NormalizeParams

DATASET = "lsp"
PERSON_PX = 150.0  # its owners ship the pictures at this scale; the method leaves them alone
_HIGH_RESOLUTION_PX = 2 * PERSON_PX  # people of this size are not of that release


def read(raw: Path, split: str, params: NormalizeParams) -> Iterator[Sample | Rejected]:
    """Half of the set. The third row is 1 where a joint is occluded; such joints do not count (the method's code)."""
    images = need(raw / "images", DATASET)
    joints = load_joints(need(raw / "joints.mat", DATASET), DATASET, visible_flag=0)
    size_px = sizes(joints)
    half = len(joints) // 2
    numbers = range(1, half + 1) if split == "train" else range(half + 1, len(joints) + 1)
    part_labels = _part_labels(raw) if split == "test" else None
    for number in numbers:
        keypoints, visible = keypoints_19(*joints[number - 1], LSP_14)
        yield Sample(
            sample_id=f"lsp/im{number:04d}",
            load_image=lazily(images / f"im{number:04d}.jpg"),
            keypoints_2d_px=keypoints,
            visible=visible,
            center_px=box_center(keypoints, visible),
            person_px=size_px[number - 1],
            load_part_labels=None if part_labels is None else part_labels(number),
        )


def load_joints(path: Path, dataset: str, *, visible_flag: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """joints.mat as positions (14, 2) and flags (14,) for each picture.

    LSP stores 3 x 14 x N, its extension 14 x 3 x N; `visible_flag` is the third number's value at a joint that counts.
    """
    try:
        joints = np.asarray(scipy.io.loadmat(path)["joints"], np.float64)
    except Exception as error:  # SciPy raises many kinds for a broken file
        raise UserError(f"{path}: expected MATLAB's `joints` of {dataset}, found something else ({error})") from None
    if joints.ndim == 2:  # MATLAB drops the last axis of a single image
        joints = joints[..., None]
    order = {(14, 3): (2, 0, 1), (3, 14): (2, 1, 0)}.get(joints.shape[:2])
    if joints.ndim != 3 or order is None:
        raise UserError(f"{path}: expected joints of 14 x 3 x N or 3 x 14 x N, found {joints.shape}; fetch it again")
    return [(labels[:, :2], labels[:, 2] == visible_flag) for labels in joints.transpose(order)]


def sizes(people: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """For each picture the length that becomes 150 reference pixels.

    # ASSUME: the method takes the releases at 150 px alone. People of the high-resolution releases are scaled as those
    # of all other sets are, by the diagonal of the box round their joints.
    """
    diagonals = [box_diagonal(*person) for person in people]
    known = [diagonal for diagonal in diagonals if np.isfinite(diagonal)]
    return diagonals if known and np.median(known) > _HIGH_RESOLUTION_PX else [PERSON_PX] * len(people)


def _part_labels(raw: Path) -> Callable[[int], Callable[[], np.ndarray]]:
    folder = need(raw / "upi-s1h" / "data" / "lsp", DATASET)
    return lambda number: partial(load_grey, folder / f"im{number:04d}_part_segmentation.png")
