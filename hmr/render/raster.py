"""The z-buffer: which face each pixel sees, how far off, and where on the face.

Each pixel is a ray d = (x, y, 1). It meets the face (A, B, C) where d / z = a A + b B + c C with a, b, c of one sign;
a is (B x C) . d / det[A B C], and so on. Working on camera-frame vertices instead of projected ones needs no clipping
for faces that cross the camera plane, gives perspective-correct barycentrics at once, and leaves no cracks: both faces
at an edge get the same number with opposite signs.

Everything is float64 in one order of sums (no fastmath, no threads), so the same input gives the same bytes.
Compiled code is kept beside this file, or in NUMBA_CACHE_DIR.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hmr.render.camera import Camera

NEAR_M = 0.01


@dataclass(frozen=True)
class Fragments:
    """What each pixel's centre sees.

    face_id: (H, W) int32, -1 where nothing. inverse_depth: (H, W) float64 in 1/m, 0 where nothing.
    barycentrics: (H, W, 2) float32 weights of the face's second and third corner, undefined where nothing.
    """

    face_id: NDArray[np.int32]
    inverse_depth: NDArray[np.float64]
    barycentrics: NDArray[np.float32]


class Scratch(threading.local):
    """Memory for the fragments of passing pictures, one set a thread: fresh pages cost as much time as drawing.

    What `fragments` returns is good until it is called again.
    """

    def __init__(self) -> None:
        self._room = _blank(0, 0)

    def fragments(self, height: int, width: int) -> Fragments:
        if height * width > self._room.face_id.size:
            self._room = _blank(1, height * width)
        room, count = self._room, height * width
        return Fragments(
            face_id=room.face_id.ravel()[:count].reshape(height, width),
            inverse_depth=room.inverse_depth.ravel()[:count].reshape(height, width),
            barycentrics=room.barycentrics.reshape(-1, 2)[:count].reshape(height, width, 2),
        )


def rasterise(
    vertices: NDArray,
    faces: NDArray,
    camera: Camera,
    size_px: tuple[int, int],
    *,
    near_m: float = NEAR_M,
    scratch: Scratch | None = None,
) -> Fragments:
    """Rasterise camera-frame vertices (V, 3) and faces (F, 3) into a picture of size_px = (height, width).

    Both sides of a face are seen. What lies nearer than near_m is cut away. Equal depths go to the lower face index.
    Indices must be in range and vertices finite (Mesh checks both). With `scratch` the result lies in that memory.
    """
    fragments = scratch.fragments(*size_px) if scratch else _blank(*size_px)
    fragments.face_id.fill(-1)
    fragments.inverse_depth.fill(0.0)
    vertices = np.ascontiguousarray(vertices, np.float64)
    faces = np.ascontiguousarray(faces, np.int32)
    planes = (fragments.face_id, fragments.inverse_depth, fragments.barycentrics)
    _fill(vertices, faces, *camera.intrinsics, near_m, *planes)
    return fragments


def _blank(height: int, width: int) -> Fragments:
    return Fragments(
        face_id=np.empty((height, width), np.int32),
        inverse_depth=np.empty((height, width)),
        barycentrics=np.empty((height, width, 2), np.float32),
    )


@numba.njit(cache=True)
def _fill(vertices, faces, fx, fy, cx, cy, near, face_id, inverse_depth, barycentrics):
    height, width = face_id.shape
    ray_x = (np.arange(width) + 0.5 - cx) / fx
    ray_y = (np.arange(height) + 0.5 - cy) / fy
    projected = _project(vertices, fx, fy, cx, cy, near)
    for k in range(len(faces)):
        x0, x1, y0, y1 = _bounds(vertices, projected, faces[k], fx, fy, cx, cy, near, width, height)
        if x0 > x1 or y0 > y1:
            continue
        a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
        ax, ay, az = _cross(vertices, b, c)
        bx, by, bz = _cross(vertices, c, a)
        cx_, cy_, cz = _cross(vertices, a, b)
        det = vertices[a, 0] * ax + vertices[a, 1] * ay + vertices[a, 2] * az
        if det == 0.0:
            continue
        sign = 1.0 if det > 0.0 else -1.0
        for y in range(y0, y1 + 1):
            row_a, row_b, row_c = ay * ray_y[y] + az, by * ray_y[y] + bz, cy_ * ray_y[y] + cz
            for x in range(x0, x1 + 1):
                weight_a = sign * (ax * ray_x[x] + row_a)
                weight_b = sign * (bx * ray_x[x] + row_b)
                weight_c = sign * (cx_ * ray_x[x] + row_c)
                if weight_a < 0.0 or weight_b < 0.0 or weight_c < 0.0:
                    continue
                total = weight_a + weight_b + weight_c
                inverse = total / abs(det)
                if inverse > inverse_depth[y, x] and inverse * near <= 1.0:
                    inverse_depth[y, x] = inverse
                    face_id[y, x] = k
                    barycentrics[y, x, 0] = weight_b / total
                    barycentrics[y, x, 1] = weight_c / total


@numba.njit(cache=True)
def _project(vertices, fx, fy, cx, cy, near):
    projected = np.empty((len(vertices), 2))
    for v in range(len(vertices)):
        inverse = 1.0 / max(vertices[v, 2], near)
        projected[v, 0] = fx * vertices[v, 0] * inverse + cx
        projected[v, 1] = fy * vertices[v, 1] * inverse + cy
    return projected


@numba.njit(cache=True)
def extent(vertices, fx, fy, cx, cy, near):
    """Left, right, top, bottom px of what the vertices (V, 3) may cover: everything, if some lie before the near plane.

    Empty (left > right) without vertices.
    """
    left, right, top, bottom = np.inf, -np.inf, np.inf, -np.inf
    for v in range(len(vertices)):
        if vertices[v, 2] < near:
            return -np.inf, np.inf, -np.inf, np.inf
        x = fx * vertices[v, 0] / vertices[v, 2] + cx
        y = fy * vertices[v, 1] / vertices[v, 2] + cy
        left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
    return left, right, top, bottom


@numba.njit(cache=True, forceinline=True)
def _cross(vertices, p, q):
    """p x q, such that q x p is its exact negative."""
    px, py, pz = vertices[p, 0], vertices[p, 1], vertices[p, 2]
    qx, qy, qz = vertices[q, 0], vertices[q, 1], vertices[q, 2]
    return py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx


@numba.njit(cache=True, forceinline=True)
def _bounds(vertices, projected, face, fx, fy, cx, cy, near, width, height):
    """First and last column and row whose centres lie in the box around the part of the face beyond the near plane."""
    x_low, x_high, y_low, y_high = np.inf, -np.inf, np.inf, -np.inf
    for i in range(3):
        p, q = face[i], face[(i + 1) % 3]
        z_p, z_q = vertices[p, 2], vertices[q, 2]
        if z_p >= near:
            x, y = projected[p, 0], projected[p, 1]
            x_low, x_high, y_low, y_high = min(x_low, x), max(x_high, x), min(y_low, y), max(y_high, y)
        if (z_p >= near) != (z_q >= near):
            t = (near - z_p) / (z_q - z_p)
            x = fx * (vertices[p, 0] + t * (vertices[q, 0] - vertices[p, 0])) / near + cx
            y = fy * (vertices[p, 1] + t * (vertices[q, 1] - vertices[p, 1])) / near + cy
            x_low, x_high, y_low, y_high = min(x_low, x), max(x_high, x), min(y_low, y), max(y_high, y)
    x0, x1 = _centres_between(x_low, x_high, width)
    y0, y1 = _centres_between(y_low, y_high, height)
    return x0, x1, y0, y1


@numba.njit(cache=True, forceinline=True)
def _centres_between(low, high, count):
    """Clamped as floats: a vertex just beyond the near plane may project too far out for an integer."""
    first = max(np.ceil(low - 0.5), 0.0)
    last = min(np.floor(high - 0.5), count - 1.0)
    if not first <= last:
        return 1, 0
    return int(first), int(last)
