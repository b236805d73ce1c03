"""What a mesh alone tells: triangles of quads, neighbourhoods, volume."""

import numpy as np
import scipy.sparse as sp


def triangulate(quads: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Split (Q, 4) quads along their shorter diagonal: (2 Q, 3)."""
    a, b, c, d = np.moveaxis(positions[quads], 1, 0)
    along_ac = np.linalg.norm(a - c, axis=1) <= np.linalg.norm(b - d, axis=1)
    split = np.where(along_ac[:, None], quads[:, [0, 1, 2, 0, 2, 3]], quads[:, [0, 1, 3, 1, 2, 3]])
    return split.reshape(-1, 3)


def grow(chosen: np.ndarray, faces: np.ndarray, rings: int) -> np.ndarray:
    """Grow each column's set of vertices (V, n) bool by some rings of edges of faces (F, corners)."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    edges = sp.csr_matrix((np.ones(len(start)), (start, end)), shape=(len(chosen), len(chosen)))
    near = edges + edges.T + sp.identity(len(chosen), format="csr")
    for _ in range(rings):
        chosen = near @ chosen.astype(float) > 0
    return chosen


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume of a closed mesh (V, 3), cubic metres."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float((np.cross(a, b) * c).sum() / 6)
