"""The pinhole camera, and HMR's weak-perspective camera written as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Camera:
    """Pinhole camera without distortion or skew.

    focal_px: one focal length, or (fx, fy). principal_px: (cx, cy) in continuous image coordinates.
    """

    focal_px: float | tuple[float, float]
    principal_px: tuple[float, float]

    def __post_init__(self) -> None:
        if not (np.all(np.isfinite(self.intrinsics)) and min(self.intrinsics[:2]) > 0):
            raise ValueError(f"camera: expected finite numbers and a positive focal length, found {self}")

    @property
    def intrinsics(self) -> tuple[float, float, float, float]:
        """(fx, fy, cx, cy) in px."""
        fx, fy = np.broadcast_to(np.asarray(self.focal_px, np.float64), 2)
        cx, cy = self.principal_px
        return float(fx), float(fy), float(cx), float(cy)

    def scaled(self, factor: float) -> Camera:
        """The camera of the same picture with `factor` times as many pixels along each side."""
        fx, fy, cx, cy = self.intrinsics
        return Camera(focal_px=(fx * factor, fy * factor), principal_px=(cx * factor, cy * factor))

    def cropped(self, left: float, top: float) -> Camera:
        """The camera of the picture that is left when `left` columns and `top` rows are cut off."""
        fx, fy, cx, cy = self.intrinsics
        return Camera(focal_px=(fx, fy), principal_px=(cx - left, cy - top))

    def project(self, points: NDArray) -> NDArray[np.float64]:
        """Camera-frame points (..., 3), z > 0, to image coordinates (..., 2) in px."""
        fx, fy, cx, cy = self.intrinsics
        points = np.asarray(points, np.float64)
        return points[..., :2] / points[..., 2:] * (fx, fy) + (cx, cy)


def weak_perspective_camera(
    cam_scale: float, cam_shift: ArrayLike, image_px: float, focal_px: float
) -> tuple[NDArray[np.float64], Camera]:
    """HMR's camera (s, tx, ty) as a translation in metres (3,) and a pinhole camera, for a square crop of image_px.

    HMR projects u = s (X + tx), v = s (Y + ty) into [-1, 1] over the crop (paper section 3.2). A pinhole at distance
    tz = focal / (s * image_px / 2) gives the same picture up to perspective: the longer focal_px, the closer.
    Add the translation to the vertices, then render. A crop's scale must be positive, else ValueError.
    """
    if not cam_scale > 0:
        raise ValueError(f"weak-perspective camera: expected a positive scale, found {cam_scale}")
    shift_x, shift_y = np.asarray(cam_shift, np.float64)
    transl = np.array([shift_x, shift_y, focal_px / (cam_scale * image_px / 2)])
    return transl, Camera(focal_px=float(focal_px), principal_px=(image_px / 2, image_px / 2))
