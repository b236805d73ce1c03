"""Coloured triangle meshes in the camera frame, and how to put several into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Mesh:
    """Triangles with smooth normals, turning anticlockwise seen from outside (as SMPL's do).

    vertices: (V, 3) metres, camera frame. faces: (F, 3) vertex indices.
    vertex_colours: (V, 3) RGB 0..255, or one (3,) colour for all.
    face_uv: (F, 3, 2) texture coordinates of each face's corners, v up (as in OBJ files); NaN where a face has none.
    texture: (h, w, 3) uint8 RGB; it multiplies the vertex colour (white leaves the texture as it is).
    casts_shadow: (F,) bool, all True when None; leave large grounds out, for the shadow map spans all casters.
    """

    vertices: NDArray
    faces: NDArray
    vertex_colours: ArrayLike
    face_uv: NDArray | None = None
    texture: NDArray[np.uint8] | None = None
    casts_shadow: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        colours = np.asarray(self.vertex_colours, np.float64)
        set_field = object.__setattr__
        set_field(self, "vertices", np.ascontiguousarray(self.vertices, np.float64).reshape(-1, 3))
        set_field(self, "faces", np.ascontiguousarray(self.faces, np.int32).reshape(-1, 3))
        set_field(self, "vertex_colours", np.ascontiguousarray(np.broadcast_to(colours, (count, 3))))
        if not np.isfinite(self.vertices).all():
            raise ValueError("mesh: expected finite vertices, found NaN or infinity")
        if self.faces.size and not (self.faces.min() >= 0 and self.faces.max() < count):
            raise ValueError(
                f"mesh: expected vertex indices below {count}, found {self.faces.min()}..{self.faces.max()}"
            )
        if (self.face_uv is None) != (self.texture is None):
            raise ValueError("mesh: expected face_uv and texture together, found one without the other")
        if self.face_uv is not None and np.shape(self.face_uv) != (len(self.faces), 3, 2):
            raise ValueError(f"mesh: expected face_uv {(len(self.faces), 3, 2)}, found {np.shape(self.face_uv)}")
        if self.casts_shadow is not None and np.shape(self.casts_shadow) != (len(self.faces),):
            raise ValueError(f"mesh: expected casts_shadow ({len(self.faces)},), found {np.shape(self.casts_shadow)}")


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh out of several; face ids run through them in the order given. At most one of them may have a texture."""
    textured = [mesh for mesh in meshes if mesh.texture is not None]
    if len(textured) > 1:
        raise ValueError(f"join: expected at most one textured mesh, found {len(textured)}")
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
        vertex_colours=np.concatenate([mesh.vertex_colours for mesh in meshes]),
        face_uv=np.concatenate([_uv_or_nan(mesh) for mesh in meshes]) if textured else None,
        texture=textured[0].texture if textured else None,
        casts_shadow=np.concatenate([casters(mesh) for mesh in meshes]),
    )


def flat_shaded(mesh: Mesh) -> Mesh:
    """The same faces with vertices of their own, so that each has its own normal: for boxes and the like."""
    corners = mesh.faces.ravel()
    return replace(
        mesh,
        vertices=mesh.vertices[corners],
        faces=np.arange(len(corners), dtype=np.int32).reshape(-1, 3),
        vertex_colours=mesh.vertex_colours[corners],
    )


def box(centre: ArrayLike, size: ArrayLike, rotation: ArrayLike, colour: ArrayLike) -> Mesh:
    """Flat-shaded box of 12 faces. centre, size: (3,) metres; rotation: (3, 3) from the box's axes to the camera's."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    vertices = (corners * np.asarray(size)) @ np.asarray(rotation).T + np.asarray(centre)
    return flat_shaded(Mesh(vertices, faces, colour))


def casters(mesh: Mesh) -> NDArray[np.bool_]:
    """(F,) whether each face casts a shadow."""
    return np.ones(len(mesh.faces), bool) if mesh.casts_shadow is None else np.asarray(mesh.casts_shadow, bool)


@numba.njit(cache=True)
def vertex_normals(vertices: NDArray[np.float64], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """(V, 3) unit normals: the mean of the faces around, weighted by area. Zero where no face has an area."""
    normals = np.zeros_like(vertices)
    for k in range(len(faces)):
        a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        wx, wy, wz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        for v in (a, b, c):
            normals[v, 0] += uy * wz - uz * wy
            normals[v, 1] += uz * wx - ux * wz
            normals[v, 2] += ux * wy - uy * wx
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0.0:
            for i in range(3):
                normals[v, i] /= length
    return normals


def _uv_or_nan(mesh: Mesh) -> NDArray:
    return np.full((len(mesh.faces), 3, 2), np.nan) if mesh.face_uv is None else np.asarray(mesh.face_uv)
