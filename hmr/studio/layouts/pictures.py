"""What the writers of in-the-wild sets share: one picture per index, from its own random numbers, on many cores.

A picture depends on the seed, its data set and its index alone, so neither order nor the number of processes shows.
"""

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hmr.body.joints import COCOPLUS_19, PARTS, SMPL_24, JointSet
from hmr.errors import UserError
from hmr.params import StudioImages
from hmr.studio.shoot import Shot, Studio, wild_shot

T = TypeVar("T")

JPEG_QUALITY = 92
_NUMBERS = {"lsp": 1, "lsp_extended": 2, "mpii": 3, "coco": 4}  # part of the seeds: never change one
ORIGINAL, HIGH_RESOLUTION = "original", "high-resolution"  # the releases of LSP and of its extension
_ENLARGED = 5  # high-resolution pictures are so many times as large
_TORSO = 1 + PARTS.index("torso")
_CHUNK = 8  # pictures handed to a process at a time


def picture(studio: Studio, dataset: str, index: int, params: StudioImages, seed: int, *, sport: bool) -> Shot:
    """The picture of an in-the-wild set at one index, always the same one."""
    return wild_shot(studio, np.random.default_rng((seed, _NUMBERS[dataset], index)), params.image_px, sport=sport)


def sports_picture(studio: Studio, dataset: str, index: int, params: StudioImages, seed: int, form: str) -> Shot:
    """A picture of LSP or of its extension: at the scale of its owners' first release, or large.

    # ASSUME: the owners' two releases show the same photographs; ours show different ones.
    """
    if form == ORIGINAL:
        return picture(studio, dataset, index, params, seed, sport=True)
    return picture(studio, dataset, index, replace(params, image_px=_ENLARGED * params.image_px), seed, sport=False)


def in_order(make: Callable[[int], T], count: int, jobs: int, name: str) -> list[T]:
    """`make(0)`, `make(1)`, ... `make(count - 1)`, by `jobs` processes, with a progress bar."""
    if jobs < 1:
        raise UserError(f"--jobs: expected 1 or more, found {jobs}")
    _one_thread()
    if jobs == 1:
        return list(_bar(map(make, range(count)), count, name))
    # The first picture is made here: forked processes inherit the compiled renderer, others find it in its cache.
    first = [make(index) for index in range(min(1, count))]
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_keep, initargs=(make,)) as pool:
        rest = pool.map(_make_kept, range(len(first), count), chunksize=_CHUNK)
        return first + list(_bar(rest, count - len(first), name))


# Each process holds what it makes pictures with. Sent along with every index it would be copied every time, and
# PyTorch's tensors, which go through threads of their own, would block forked processes for good.
_kept: Callable[[int], Any]


def _keep(make: Callable[[int], Any]) -> None:
    global _kept
    _kept = make
    _one_thread()


def _make_kept(index: int) -> Any:
    return _kept(index)


def _one_thread() -> None:
    """Threads of their own would only fight for the cores, and the order of float sums would depend on them."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _bar(items, count: int, name: str):
    return tqdm(items, total=count, desc=f"{name} pictures", unit="picture", mininterval=5, disable=None)


def save_jpeg(path: Path, image: np.ndarray) -> None:
    """Write an RGB uint8 (H, W, 3) picture."""
    path.write_bytes(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes())


def save_png(path: Path, labels: np.ndarray) -> None:
    """Write uint8 (H, W) labels, or a BGR picture (H, W, 3), without loss."""
    path.write_bytes(cv2.imencode(".png", labels)[1].tobytes())


def inside(points_px: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Which of (J, 2) points lie in the picture (J,), whose pixels have their centres at whole numbers."""
    height, width = image.shape[:2]
    return ((points_px >= -0.5) & (points_px < (width - 0.5, height - 0.5))).all(1)


def labels_of(shot: Shot, joints: JointSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A data set's own joints in a shot: positions (J, 2) in pixels, whether in the picture (J,), whether seen (J,).

    Joints beyond the 19 keypoints are SMPL's; they lie inside the body and count as seen where the torso is.
    """
    points, seen = np.zeros((len(joints), 2)), np.zeros(len(joints), bool)
    smpl_px = shot.points_px(shot.joints_3d_m)
    for row, joint in enumerate(joints.joints):
        if joint in COCOPLUS_19.joints:
            source = COCOPLUS_19.index(joint)
            points[row], seen[row] = shot.keypoints_2d_px[source], not shot.occluded[source]
        else:
            points[row] = smpl_px[SMPL_24.index(joint)]
            seen[row] = _on_torso(shot.part_labels, points[row])
    within = inside(points, shot.image)
    return points, within, seen & within


def _on_torso(part_labels: np.ndarray, point_px: np.ndarray) -> bool:
    if not inside(point_px[None], part_labels)[0]:
        return False
    column, row = np.floor(point_px + 0.5).astype(int)
    return bool(part_labels[row, column] == _TORSO)
