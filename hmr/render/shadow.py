"""Cast shadows of one distant light: a depth map seen from the light, on the same z-buffer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from hmr.render.camera import Camera
from hmr.render.mesh import Mesh, casters
from hmr.render.raster import Scratch, rasterise

# A pinhole this many radii away is parallel light for every purpose here, and float64 has digits to spare.
DISTANCE_IN_RADII = 1000.0

_map = Scratch()


@dataclass(frozen=True)
class Shadows:
    """Shadows of the first light.

    strength: share of that light taken away in full shadow, 0..1.
    ground: plane (nx, ny, nz, offset_m) in the camera frame with n . p = offset on it. The background picture is
    darkened as if it were that ground; the plane itself is not drawn. None: meshes only.
    softness_px: Gaussian blur of the ground's shadow, in picture pixels.
    map_px: side of the depth map.
    """

    strength: float = 0.6
    ground: tuple[float, float, float, float] | None = None
    softness_px: float = 1.5
    map_px: int = 256


@dataclass(frozen=True)
class ShadowMap:
    """Depth seen from the light. rotation (3, 3) and transl (3,) take the camera frame to the light's."""

    rotation: NDArray[np.float64]
    transl: NDArray[np.float64]
    focal_px: float
    texel_m: float
    inverse_depth: NDArray[np.float64]


NO_SHADOW = ShadowMap(np.eye(3), np.zeros(3), 1.0, 0.0, np.zeros((0, 0)))


def shadow_map(mesh: Mesh, direction: NDArray[np.float64], map_px: int) -> ShadowMap:
    """Depth map of the mesh's casting faces, seen along a light whose unit direction (3,) points towards the light.

    Good until this thread makes the next one.
    """
    faces = mesh.faces if mesh.casts_shadow is None else mesh.faces[casters(mesh)]
    if not len(faces):
        return NO_SHADOW
    rotation = _look_along(-direction)
    turned = rotation @ mesh.vertices.T  # one row an axis: least and greatest along rows are many times faster
    casting = np.zeros(turned.shape[1], bool)
    casting[faces] = True
    low, high = turned[:, casting].min(1), turned[:, casting].max(1)
    radius = max(float((high - low).max()) / 2, 1e-6)
    transl = np.array([0.0, 0.0, DISTANCE_IN_RADII * radius]) - (low + high) / 2
    texel = 2.1 * radius / map_px
    focal_px = DISTANCE_IN_RADII * radius / texel
    camera = Camera(focal_px=focal_px, principal_px=(map_px / 2, map_px / 2))
    depth = rasterise(turned.T + transl, faces, camera, (map_px, map_px), scratch=_map).inverse_depth
    return ShadowMap(rotation, transl, focal_px, texel, depth)


def shade_ground(
    background: NDArray[np.uint8], camera: Camera, shadows: Shadows, shadow: ShadowMap
) -> NDArray[np.uint8]:
    """The background (H, W, 3) with the shadow that falls on the ground plane."""
    if shadows.ground is None or not shadow.inverse_depth.size:
        return background
    plane = np.asarray(shadows.ground, np.float64)
    height, width = background.shape[:2]
    lit = np.empty((height, width), np.float32)
    _light_on_plane(
        plane,
        *camera.intrinsics,
        np.column_stack([shadow.rotation, shadow.transl]),
        shadow.focal_px,
        shadow.inverse_depth,
        lit,
    )
    if shadows.softness_px > 0:
        lit = cv2.GaussianBlur(lit, (0, 0), shadows.softness_px, borderType=cv2.BORDER_REPLICATE)
    dark = np.flatnonzero(lit.min(1) < 1.0)
    shaded = background.copy()
    factor = 1.0 - np.float32(shadows.strength) * (1.0 - lit[dark])
    shaded[dark] = background[dark] * factor[:, :, None] + np.float32(0.5)
    return shaded


def _look_along(forward: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation whose third row is `forward` (unit)."""
    aside = np.eye(3)[np.argmin(np.abs(forward))]
    right = np.cross(aside, forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


@numba.njit(cache=True)
def _light_on_plane(plane, fx, fy, cx, cy, to_light, focal, inverse_depth, lit):
    for y in range(lit.shape[0]):
        ray_y = (y + 0.5 - cy) / fy
        for x in range(lit.shape[1]):
            ray_x = (x + 0.5 - cx) / fx
            facing = plane[0] * ray_x + plane[1] * ray_y + plane[2]
            lit[y, x] = 1.0
            if facing * plane[3] > 0.0:
                z = plane[3] / facing
                lit[y, x] = light_reaching(ray_x * z, ray_y * z, z, to_light, focal, inverse_depth)


@numba.njit(cache=True, forceinline=True)
def light_reaching(x, y, z, to_light, focal, inverse_depth):
    """Share 0..1 of the light that reaches a point: bilinear mix of the four nearest texels' yes or no."""
    side = inverse_depth.shape[0]
    depth = to_light[2, 0] * x + to_light[2, 1] * y + to_light[2, 2] * z + to_light[2, 3]
    u = focal * (to_light[0, 0] * x + to_light[0, 1] * y + to_light[0, 2] * z + to_light[0, 3]) / depth + side / 2 - 0.5
    v = focal * (to_light[1, 0] * x + to_light[1, 1] * y + to_light[1, 2] * z + to_light[1, 3]) / depth + side / 2 - 0.5
    if not (0.0 <= u < side - 1 and 0.0 <= v < side - 1):
        return 1.0
    i, j = int(u), int(v)
    right, down, inverse = u - i, v - j, 1.0 / depth
    dark = 0.0
    if inverse_depth[j, i] > inverse:
        dark += (1 - right) * (1 - down)
    if inverse_depth[j, i + 1] > inverse:
        dark += right * (1 - down)
    if inverse_depth[j + 1, i] > inverse:
        dark += (1 - right) * down
    if inverse_depth[j + 1, i + 1] > inverse:
        dark += right * down
    return 1.0 - dark
