"""The network's view of a stored crop: centre jitter, scale, turn, mirror, and one warp for all of them (paper section
3.4, which neither turns nor tints).

Lengths are in reference pixels, in which the person's diagonal is 150; the paper's network sees 224. Pixel centres are
whole numbers. Everything here works on a batch at once but the image warp.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from scipy.spatial.transform import Rotation

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


UNCHANGED = AugmentationParams(jitter_px=0.0, scale_min=1.0, scale_max=1.0, turn_deg=0.0, flip=False, tint=0.0)
# The paper's view at its augmentation's smallest scale (0.8), with its jitter (20) on both sides.
REFERENCE_CROP = CropSize(320, 320)


@dataclass(frozen=True)
class Views:
    """How each sample of a batch is seen."""

    jitter_px: Float[ndarray, "batch 2"]
    scale: Float[ndarray, "batch"]
    turn_rad: Float[ndarray, "batch"]  # about the view's centre, x towards y; before the mirror
    flip: Bool[ndarray, "batch"]
    gain: Float[ndarray, "batch 3"]  # of red, green and blue

    def rows(self, mask: Bool[ndarray, "batch"]) -> "Views":
        """Some of the views."""
        return Views(*(getattr(self, field.name)[mask] for field in fields(self)))


def plain_views(count: int, scale: float = 1.0) -> Views:
    """The centre of the crop, at reference scale unless told otherwise, as evaluation sees it."""
    return Views(
        jitter_px=np.zeros((count, 2)),
        scale=np.full(count, scale),
        turn_rad=np.zeros(count),
        flip=np.zeros(count, bool),
        gain=np.ones((count, 3)),
    )


def random_views(count: int, params: AugmentationParams, rng: np.random.Generator) -> Views:
    """The method's augmentation: jitter, scale, mirror; and turn and tint, which its code has none of."""
    return Views(
        jitter_px=rng.uniform(-params.jitter_px, params.jitter_px, (count, 2)),
        scale=rng.uniform(params.scale_min, params.scale_max, count),
        turn_rad=np.deg2rad(rng.uniform(-params.turn_deg, params.turn_deg, count)),
        flip=(rng.random(count) < 0.5) & params.flip,
        gain=rng.uniform(1 - params.tint, 1 + params.tint, (count, 3)),
    )


def reach_px(view_px: int, params: AugmentationParams) -> float:
    """How many reference pixels of a crop the widest and furthest of the random views sees, upright: in the corners
    of a turned one the crop's edge repeats."""
    return view_px / params.scale_min + 2 * params.jitter_px


def view_matrices(
    views: Views, *, crop: CropSize, image_px: int, view_px: float = VIEW_REFERENCE_PX
) -> Float[ndarray, "batch 2 3"]:
    """Affine maps from crop pixels to those of a network that sees `view_px` reference pixels as `image_px`."""
    zoom = views.scale / crop.density * (image_px / view_px)
    centre = crop.px / 2 - 0.5 + views.jitter_px * crop.density
    matrices = np.empty((len(zoom), 2, 3))
    matrices[:, :, :2] = zoom[:, None, None] * turn_matrices(views.turn_rad)
    matrices[:, 0, :2] *= np.where(views.flip, -1.0, 1.0)[:, None]
    matrices[:, :, 2] = image_px / 2 - 0.5 - (matrices[:, :, :2] @ centre[:, :, None])[..., 0]
    return matrices


def turn_matrices(turn_rad: Float[ndarray, "batch"]) -> Float[ndarray, "batch 2 2"]:
    """Rotations of the picture's plane that carry x towards y, which is clockwise to look at."""
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    return np.stack((np.stack((cos, -sin), -1), np.stack((sin, cos), -1)), -2)


def warp(crop: UInt8[ndarray, "height width 3"], matrix: Float[ndarray, "2 3"], image_px: int) -> ndarray:
    """One crop as the network sees it; beyond the crop its edge repeats."""
    return cv2.warpAffine(crop, matrix, (image_px, image_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def tint(images: UInt8[ndarray, "batch height width 3"], views: Views) -> UInt8[ndarray, "batch height width 3"]:
    """Pictures in the light of their views."""
    if (views.gain == 1).all():
        return images
    return np.clip(images * views.gain[:, None, None].astype(np.float32), 0, 255).round().astype(np.uint8)


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


def move_joints_3d(joints_m: Float[ndarray, "batch 14 3"], views: Views) -> Float[ndarray, "batch 14 3"]:
    """3D joints as the camera of a view has them: turned about its axis and mirrored."""
    turned = joints_m.copy()
    turned[..., :2] = joints_m[..., :2] @ np.swapaxes(turn_matrices(views.turn_rad), 1, 2)
    return flip_joints_3d(turned, views.flip)


def move_pose(pose_axis_angle: Float[ndarray, "batch 24 3"], views: Views) -> Float[ndarray, "batch 24 3"]:
    """A pose as the camera of a view has it: its root turned about the camera's axis, and all of it mirrored. Poses
    that are missing, NaN, stay so."""
    turned, known = pose_axis_angle.copy(), np.isfinite(pose_axis_angle[:, 0]).all(1)
    about = Rotation.from_rotvec(views.turn_rad[known, None] * np.array([0.0, 0.0, 1.0]))
    turned[known, 0] = (about * Rotation.from_rotvec(pose_axis_angle[known, 0])).as_rotvec()
    return flip_pose(turned, views.flip)


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
