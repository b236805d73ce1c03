"""Take a symmetric closed mesh down to fewer of its own vertices, exactly symmetrically.

Half-edge collapses in the order of Garland and Heckbert's quadric error, on the left half; the right half is its
mirror image. A collapse moves one vertex onto its neighbour, so every vertex that stays is one of the input's, and
blend shapes, skinning weights and texture coordinates carry over by number.
"""

import heapq
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from hmr.body.open_body.mesh import triangulate

LENGTH_WEIGHT = 0.02  # squared edge length against squared distance from the surface
FREE_DISCOUNT = 1e-6  # vertices nobody sees go first
MIN_NORMAL_COSINE = 0.3
MIN_ASPECT = 0.12  # twice the area over the squared longest edge


@dataclass(frozen=True)
class Surface:
    """A symmetric closed mesh in K shapes, with what a collapse must respect."""

    positions: np.ndarray  # (K, V, 3), exactly symmetric
    quads: np.ndarray  # (Q, 4)
    mirror: np.ndarray  # (V,)
    free: np.ndarray  # (V,) bool: worth nothing, as in the cavity of the mouth
    seam: np.ndarray  # (V,) bool: on a seam of the texture, must not leave it


def decimate(surface: Surface, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Collapse edges until `target` vertices are left.

    Returns the kept vertex numbers, sorted (target,), and triangles (F, 3) of positions in that list.
    """
    half = _HalfMesh.left_of(surface)
    half.collapse_to(target)
    left = half.faces[half.alive]
    both = np.concatenate([left, surface.mirror[left][:, ::-1]])
    kept = np.unique(both)
    return kept, np.searchsorted(kept, both)


@dataclass
class _HalfMesh:
    """The left half and the sagittal line of a surface, while its edges collapse."""

    surface: Surface
    middle: np.ndarray  # (V,) bool: on the sagittal line
    faces: np.ndarray  # (F, 3), changed in place
    alive: np.ndarray  # (F,) bool
    around: dict[int, set[int]]  # faces around each vertex that is left
    quadrics: np.ndarray  # (V, K, 4, 4) sums of squared-distance forms
    planes: np.ndarray  # (V,) how many planes each sum holds
    version: np.ndarray  # (V,) queue entries with an older number are stale
    queue: list[tuple[float, int, int, int, int]] = field(default_factory=list)

    @classmethod
    def left_of(cls, surface: Surface) -> "_HalfMesh":
        vertices = surface.positions.shape[1]
        middle = surface.mirror == np.arange(vertices)
        here = (surface.positions[0, :, 0] > 0) | middle
        faces = triangulate(surface.quads[here[surface.quads].all(1)], surface.positions[0])
        around: dict[int, set[int]] = {int(vertex): set() for vertex in np.unique(faces)}
        for number, face in enumerate(faces.tolist()):
            for vertex in face:
                around[vertex].add(number)
        return cls(
            surface=surface,
            middle=middle,
            faces=faces,
            alive=np.ones(len(faces), bool),
            around=around,
            quadrics=_vertex_quadrics(surface.positions, faces),
            planes=np.bincount(faces.ravel(), minlength=vertices).astype(float),
            version=np.zeros(vertices, int),
        )

    def collapse_to(self, target: int) -> None:
        """Collapse the cheapest allowed edge until the whole mesh has `target` vertices."""
        edges = np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]])
        self._push(np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0))
        left = sum(1 if self.middle[vertex] else 2 for vertex in self.around)
        with tqdm(total=left - target, desc="decimate", unit="vertex", leave=False, disable=None) as progress:
            while left > target:
                _, source, goal, source_version, goal_version = heapq.heappop(self.queue)
                stale = self.version[source] != source_version or self.version[goal] != goal_version
                removed = 1 if self.middle[source] else 2
                if stale or source not in self.around or removed > left - target or not self._allowed(source, goal):
                    continue
                self._collapse(source, goal)
                left -= removed
                progress.update(removed)

    def _neighbours(self, vertex: int) -> set[int]:
        found = set(self.faces[list(self.around[vertex])].ravel().tolist())
        found.discard(vertex)
        return found

    def _on_outline(self, a: int, b: int) -> bool:
        """Whether a-b is an edge of the half mesh's border, which is the sagittal line."""
        return bool(self.middle[a] and self.middle[b] and len(self.around[a] & self.around[b]) == 1)

    def _push(self, pairs: np.ndarray) -> None:
        """Queue the collapses (n, 2) source -> goal that are possible at all."""
        source, goal = pairs.T
        seam, free, middle = self.surface.seam, self.surface.free, self.middle
        possible = ~(seam[source] & ~seam[goal] & ~free[source]) & ~(middle[source] & ~middle[goal])
        for row in np.flatnonzero(possible & middle[source]):
            possible[row] = self._on_outline(int(source[row]), int(goal[row]))
        source, goal = source[possible], goal[possible]
        costs = self._costs(source, goal)
        versions = self.version[source], self.version[goal]
        for entry in zip(costs.tolist(), source.tolist(), goal.tolist(), *(v.tolist() for v in versions), strict=True):
            heapq.heappush(self.queue, entry)

    def _costs(self, source: np.ndarray, goal: np.ndarray) -> np.ndarray:
        positions = self.surface.positions
        point = np.concatenate([positions[:, goal], np.ones((len(positions), len(goal), 1))], -1)
        form = np.moveaxis(self.quadrics[source] + self.quadrics[goal], 1, 0)
        error = np.einsum("kni,knij,knj->kn", point, form, point) / (self.planes[source] + self.planes[goal])
        length = ((positions[:, source] - positions[:, goal]) ** 2).sum(-1)
        cost = (error + LENGTH_WEIGHT * length).mean(0)
        return np.where(self.surface.free[source], FREE_DISCOUNT * cost, cost)

    def _allowed(self, source: int, goal: int) -> bool:
        """Whether the collapse keeps a manifold, the sagittal line, enough faces a vertex, and unfolded triangles."""
        shared = self.around[source] & self.around[goal]
        if not shared:
            return False
        near, far = self._neighbours(source), self._neighbours(goal)
        opposite = set(self.faces[list(shared)].ravel().tolist()) - {source, goal}
        return (
            near & far == opposite
            and (len(shared) == 2 or self._on_outline(source, goal))
            and not self._bridges_outline(source, goal, near, far)
            and all(len(self.around[x]) > (2 if self.middle[x] else 4) for x in opposite)
            and (bool(self.surface.free[source]) or self._stays_unfolded(source, goal, self.around[source] - shared))
        )

    def _bridges_outline(self, source: int, goal: int, near: set[int], far: set[int]) -> bool:
        """Whether the collapse joins two sagittal vertices by an edge that is not on the sagittal line."""
        others = [x for x in near if self.middle[x] and x != goal]
        if self.middle[source]:
            return any(x in far for x in others)
        return bool(self.middle[goal]) and any(not (x in far and self._on_outline(x, goal)) for x in others)

    def _stays_unfolded(self, source: int, goal: int, moved: set[int]) -> bool:
        old = self.faces[sorted(moved)]
        new = np.where(old == source, goal, old)
        old_normal, old_area, old_edge = _measure(self.surface.positions[:, old])
        new_normal, new_area, new_edge = _measure(self.surface.positions[:, new])
        turned = (old_normal * new_normal).sum(-1) < MIN_NORMAL_COSINE * old_area * new_area
        thin = (new_area < MIN_ASPECT * new_edge) & (new_area * old_edge < old_area * new_edge)
        return not (turned | thin | (new_area < 1e-9)).any()

    def _collapse(self, source: int, goal: int) -> None:
        for number in self.around.pop(source):
            face = self.faces[number]
            if goal in face:
                self.alive[number] = False
                for vertex in face.tolist():
                    if vertex != source:
                        self.around[vertex].discard(number)
            else:
                face[face == source] = goal
                self.around[goal].add(number)
        self.quadrics[goal] += self.quadrics[source]
        self.planes[goal] += self.planes[source]
        ring = sorted({goal} | self._neighbours(goal))
        self.version[ring] += 1
        pairs = {pair for x in ring for y in self._neighbours(x) for pair in ((x, y), (y, x))}
        self._push(np.array(sorted(pairs)))


def _vertex_quadrics(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Per vertex and shape the sum of the squared-distance forms of its faces' planes: (V, K, 4, 4)."""
    quadrics = np.zeros((positions.shape[1], len(positions), 4, 4))
    for shape, vertices in enumerate(positions):
        corner, normal = vertices[faces[:, 0]], _normals(vertices[faces])
        normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        plane = np.concatenate([normal, -(normal * corner).sum(-1, keepdims=True)], 1)
        for column in faces.T:
            np.add.at(quadrics[:, shape], column, plane[:, :, None] * plane[:, None])
    return quadrics


def _measure(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normals (not of unit length), their lengths (twice the area) and squared longest edges of (..., 3, 3)."""
    normal = _normals(triangles)
    edges = triangles - triangles[..., [1, 2, 0], :]
    return normal, np.sqrt((normal * normal).sum(-1)), (edges * edges).sum(-1).max(-1)


def _normals(triangles: np.ndarray) -> np.ndarray:
    a, b = triangles[..., 1, :] - triangles[..., 0, :], triangles[..., 2, :] - triangles[..., 0, :]
    return a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]
