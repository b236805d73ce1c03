"""Markers on a body's skin: where the table of a marker set puts them, and where they are in any shape and pose.

A marker is one more vertex: it moves as the vertex nearest to it does, at a fixed offset in the rest pose.
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hmr.body.file import Body
from hmr.body.joints import COCOPLUS_19, SMPL_24
from hmr.errors import UserError

MARKER_SETS = Path(__file__).parent / "markers"
STANDOFF_M = 0.0095  # from the skin to the middle of a marker, which is a ball on a base
_REACH_M = 0.3  # no skin is further from a bone
_COLUMNS = ["label", "from", "to", "along", "x", "y", "z"]


@dataclass(frozen=True)
class MarkerBody:
    """As much of a body model as its markers need; a marker's site is its place in the rest pose of the mean shape."""

    labels: tuple[str, ...]
    sites_m: Float[ndarray, "markers 3"]
    normals: Float[ndarray, "markers 3"]  # away from the skin
    shapedirs_m: Float[ndarray, "markers 3 10"]
    posedirs_m: Float[ndarray, "markers 3 207"]
    weights: Float[ndarray, "markers 24"]
    joints_m: Float[ndarray, "24 3"]
    joint_shapedirs_m: Float[ndarray, "24 3 10"]
    other_names: dict[str, str]  # labels that stand for one of `labels` too

    def moved(self, offsets_m: Float[ndarray, "markers 3"]) -> "MarkerBody":
        """The same markers, each a little beside its site."""
        return replace(self, sites_m=self.sites_m + offsets_m)


@dataclass(frozen=True)
class _Row:
    label: str
    other_names: tuple[str, ...]
    start: str
    end: str
    along: float
    direction: tuple[float, float, float]


def table_of(marker_set: str) -> Path:
    """The table of a marker set: one of the package's own by its name, else a file of the user's."""
    own = MARKER_SETS / f"{marker_set}.csv"
    return own if own.is_file() else Path(marker_set)


def put_markers(body: Body, marker_set: str = "cmu41") -> MarkerBody:
    """A marker set on a body. UserError where its table is wrong or a ray meets no skin."""
    path = table_of(marker_set)
    rows = _read_table(path)
    template = np.asarray(body["v_template"], float)
    joints = body["J_regressor"].astype(float) @ template
    points = dict(zip(COCOPLUS_19.joints, body["cocoplus_regressor"].astype(float) @ template, strict=True))
    points |= dict(zip(SMPL_24.joints, joints, strict=True))
    sites, normals, nearest = [], [], []
    for row in rows:
        if unknown := [name for name in (row.start, row.end) if name not in points]:
            raise UserError(f"{path}: {row.label}: expected SMPL's joints or keypoints, found {unknown[0]!r}; mend it")
        start = points[row.start] + row.along * (points[row.end] - points[row.start])
        direction = np.array(row.direction) / np.linalg.norm(row.direction)
        hit = _leaves_skin(template[body["f"]], start, direction)
        if hit is None:
            raise UserError(f"{path}: {row.label}: expected a ray that leaves the skin, found none there; mend it")
        sites.append(hit[0] + STANDOFF_M * hit[1])
        normals.append(hit[1])
        nearest.append(int(np.linalg.norm(template - hit[0], axis=1).argmin()))
    shapedirs = body["shapedirs"].astype(float)
    return MarkerBody(
        labels=tuple(row.label for row in rows),
        sites_m=np.array(sites),
        normals=np.array(normals),
        shapedirs_m=shapedirs[nearest],
        posedirs_m=body["posedirs"][nearest].astype(float),
        weights=body["weights"][nearest].astype(float),
        joints_m=joints,
        other_names={name: row.label for row in rows for name in row.other_names},
        joint_shapedirs_m=np.einsum("jv,vck->jck", body["J_regressor"].astype(float), shapedirs),
    )


def _read_table(path: Path) -> list[_Row]:
    try:
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError):
        raise UserError(
            f"{path}: expected a table of markers (.csv), found no readable file; see hmr/mocap/markers"
        ) from None
    table = csv.DictReader(lines)
    if table.fieldnames != _COLUMNS:
        raise UserError(
            f"{path}: expected columns {','.join(_COLUMNS)}, found {','.join(table.fieldnames or [])}; mend it"
        )
    try:
        rows = [
            _Row(*_names(r["label"]), r["from"], r["to"], float(r["along"]), tuple(float(r[axis]) for axis in "xyz"))
            for r in table
        ]
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: expected numbers under along, x, y and z ({error}); mend it") from None
    names = [name for row in rows for name in (row.label, *row.other_names)]
    if len({*names}) < len(names) or any(not any(row.direction) for row in rows):
        raise UserError(f"{path}: expected each label once and directions that are not zero; mend it")
    return rows


def _names(label: str) -> tuple[str, tuple[str, ...]]:
    """A marker's label, and others that are as good, in capitals as captures are compared."""
    first, *others = label.upper().split("|")
    return first, tuple(others)


def _leaves_skin(
    triangles: Float[ndarray, "faces 3 3"], start: Float[ndarray, "3"], direction: Float[ndarray, "3"]
) -> tuple[ndarray, ndarray] | None:
    """The last point of a ray on the skin, and the skin's direction there (Moeller and Trumbore 1997)."""
    first, edge, other = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    across = np.cross(direction, other)
    area = (edge * across).sum(1)
    area = np.where(np.abs(area) > 1e-15, area, np.inf)  # a face seen from its edge is not met
    u = ((start - first) * across).sum(1) / area
    turned = np.cross(start - first, edge)
    v = (turned @ direction) / area
    along = (turned * other).sum(1) / area
    slack = 1e-9
    hits = (u >= -slack) & (v >= -slack) & (u + v <= 1 + slack) & (along > 0) & (along < _REACH_M)
    if not hits.any():
        return None
    last = int(np.where(hits, along, -1).argmax())
    normal = np.cross(edge[last], other[last])
    normal *= np.sign(normal @ direction) / np.linalg.norm(normal)
    return start + along[last] * direction, normal
