"""The network's view of a stored crop: centre jitter, scale, mirror, and one warp for all of them (paper section 3.4).

Lengths are in reference pixels, in which the person's diagonal is 150; the paper's network sees 224. Pixel centres are
whole numbers. Everything here works on a batch at once but the image warp.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hmr.body.joints import COCOPLUS_19, LSP_14, SMPL_24
from hmr.params import AugmentationParams

VIEW_REFERENCE_PX = 224


class CropSize(NamedTuple):
    """Sides of a stored crop."""

    px: int
    reference_px: int  # how much is in it

    @property
    def density(self) -> float:
        """Crop pixels for each reference pixel."""
        return self.px / self.reference_px


# The paper's view at its augmentation's smallest scale (0.8), with its jitter (20) on both sides.
REFERENCE_CROP = CropSize(320, 320)


@dataclass(frozen=True)
class Views:
    """How each sample of a batch is seen."""

    jitter_px: Float[ndarray, "batch 2"]
    scale: Float[ndarray, "batch"]
    flip: Bool[ndarray, "batch"]

    def rows(self, mask: Bool[ndarray, "batch"]) -> "Views":
        """Some of the views."""
        return Views(self.jitter_px[mask], self.scale[mask], self.flip[mask])


def plain_views(count: int, scale: float = 1.0) -> Views:
    """The centre of the crop, at reference scale unless told otherwise, as evaluation sees it."""
    return Views(np.zeros((count, 2)), np.full(count, scale), np.zeros(count, bool))


def random_views(count: int, params: AugmentationParams, rng: np.random.Generator) -> Views:
    """The method's augmentation: jitter, scale, mirror. No rotation and no colour, as in its code."""
    return Views(
        jitter_px=rng.uniform(-params.jitter_px, params.jitter_px, (count, 2)),
        scale=rng.uniform(params.scale_min, params.scale_max, count),
        flip=(rng.random(count) < 0.5) & params.flip,
    )


def reach_px(view_px: int, params: AugmentationParams) -> float:
    """How many reference pixels of a crop the widest and furthest of the random views sees."""
    return view_px / params.scale_min + 2 * params.jitter_px


def view_matrices(
    views: Views, *, crop: CropSize, image_px: int, view_px: float = VIEW_REFERENCE_PX
) -> Float[ndarray, "batch 2 3"]:
    """Affine maps from crop pixels to those of a network that sees `view_px` reference pixels as `image_px`."""
    zoom = views.scale / crop.density * (image_px / view_px)
    centre = crop.px / 2 - 0.5 + views.jitter_px * crop.density
    matrices = np.zeros((len(zoom), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = zoom
    matrices[:, :, 2] = image_px / 2 - 0.5 - zoom[:, None] * centre
    mirrored = np.where(views.flip, -1.0, 1.0)
    matrices[:, 0] *= mirrored[:, None]
    matrices[:, 0, 2] += np.where(views.flip, image_px - 1, 0)
    return matrices


def warp(crop: UInt8[ndarray, "height width 3"], matrix: Float[ndarray, "2 3"], image_px: int) -> ndarray:
    """One crop as the network sees it; beyond the crop its edge repeats."""
    return cv2.warpAffine(crop, matrix, (image_px, image_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def move_keypoints(
    keypoints_px: Float[ndarray, "batch 19 2"], matrices: Float[ndarray, "batch 2 3"], views: Views
) -> Float[ndarray, "batch 19 2"]:
    """Keypoints in network pixels, left and right exchanged where the view is mirrored."""
    moved = keypoints_px @ np.swapaxes(matrices[:, :, :2], 1, 2) + matrices[:, None, :, 2]
    return flip_rows(moved, COCOPLUS_19.flip, views.flip)


def to_norm(pixels: ndarray, image_px: int) -> ndarray:
    """Network pixels to [-1, 1], from the image's left and upper edge to its right and lower.

    # ASSUME: the edges are half a pixel outside the outer pixel centres, so a mirror exactly negates x; the method's
    code leaves the half pixel out.
    """
    return (2 * pixels + 1) / image_px - 1


def from_norm(norm: ndarray, image_px: int) -> ndarray:
    """The inverse of `to_norm`."""
    return ((norm + 1) * image_px - 1) / 2


def flip_joints_3d(
    joints_m: Float[ndarray, "batch 14 3"], flip: Bool[ndarray, "batch"]
) -> Float[ndarray, "batch 14 3"]:
    """Mirror 3D joints: exchange sides and negate x."""
    swapped = flip_rows(joints_m, LSP_14.flip, flip)
    return swapped * np.where(flip[:, None, None], (-1.0, 1.0, 1.0), 1.0)


def flip_pose(
    pose_axis_angle: Float[ndarray, "batch 24 3"], flip: Bool[ndarray, "batch"]
) -> Float[ndarray, "batch 24 3"]:
    """Mirror a pose: exchange sides and mirror every rotation, the root's included."""
    swapped = flip_rows(pose_axis_angle, SMPL_24.flip, flip)
    return swapped * np.where(flip[:, None, None], (1.0, -1.0, -1.0), 1.0)


def flip_rows(values: ndarray, order: list[int], flip: Bool[ndarray, "batch"]) -> ndarray:
    """Reorder the second axis of those samples that are mirrored."""
    mirrored = flip.reshape(-1, *[1] * (values.ndim - 1))
    return np.where(mirrored, values[:, order], values)
