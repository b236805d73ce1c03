"""Texture coordinates of the decimated mesh, taken over from the base mesh's corners."""

import itertools

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def corner_uvs(faces: np.ndarray, quads: np.ndarray, uvs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each corner of `faces` (F, 3) one of the uvs that its vertex has in `quads` (Q, 4, 2).

    A vertex on a seam has several; a face takes those that lie closest together. Returns the uvs in use (T, 2) and
    their numbers at each corner (F, 3).
    """
    choices: dict[int, set[int]] = {}
    for vertex, uv in quads.reshape(-1, 2).tolist():
        choices.setdefault(vertex, set()).add(uv)
    corners = [_closest([sorted(choices[vertex]) for vertex in face], uvs) for face in faces.tolist()]
    used, numbers = np.unique(np.array(corners), return_inverse=True)
    return uvs[used], numbers.reshape(-1, 3)


def seam_vertices(quads: np.ndarray, vertices: int) -> np.ndarray:
    """Which vertices have more than one uv in `quads` (Q, 4, 2): (vertices,) bool."""
    pairs = np.unique(quads.reshape(-1, 2), axis=0)
    return np.bincount(pairs[:, 0], minlength=vertices) > 1


def uv_islands(quads: np.ndarray) -> list[np.ndarray]:
    """Vertices of each piece of surface that is connected in the texture, the largest piece first."""
    uv = quads[..., 1]
    start, end = uv.ravel(), np.roll(uv, -1, axis=1).ravel()
    count = int(uv.max()) + 1
    _, label = connected_components(coo_matrix((np.ones(len(start)), (start, end)), shape=(count, count)), False)
    label = label[uv[:, 0]]
    islands = [np.unique(quads[label == one, :, 0]) for one in np.unique(label)]
    return sorted(islands, key=len, reverse=True)


def _closest(options: list[list[int]], uvs: np.ndarray) -> tuple[int, ...]:
    if all(len(option) == 1 for option in options):
        return tuple(option[0] for option in options)

    def longest_edge(corners: tuple[int, ...]) -> float:
        points = uvs[list(corners)]
        return float(((points - points[[1, 2, 0]]) ** 2).sum(1).max())

    return min(itertools.product(*options), key=longest_edge)
