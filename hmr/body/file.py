"""Body files: SMPL's own `.pkl` or our `.npz`, read without executing anything, checked, completed and written.

A licensed SMPL file is a pickle; `hmr.unpickle` reads it without chumpy and without trust.
"""

import pickle
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from hmr.body.joints import COCOPLUS_19, PART_JOINTS, PARTS, SMPL_24, SMPL_PARENTS
from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.unpickle import read_pickle

SHAPE_COMPONENTS = 10
SMPL_VERTICES = 6890
# Single vertices of SMPL's mesh that stand for keypoints: the paper's footnote 1, counted from 0, and the vertex
# that SMPLify takes for the top of the head.
SMPL_KEYPOINT_VERTICES = {
    "head_top": 411,
    "nose": 332,
    "left_eye": 2800,
    "right_eye": 6260,
    "left_ear": 583,
    "right_ear": 4071,
}
NECK_MIX = 0.65  # LSP's neck lies on the line from SMPL's neck joint (1) to the middle of the shoulders (0)

Body = dict[str, np.ndarray]

_REQUIRED: dict[str, tuple[type, tuple[str | int, ...]]] = {
    "v_template": (np.float32, ("V", 3)),
    "f": (np.int64, ("F", 3)),
    "shapedirs": (np.float32, ("V", 3, SHAPE_COMPONENTS)),
    "posedirs": (np.float32, ("V", 3, 207)),
    "J_regressor": (np.float32, (24, "V")),
    "weights": (np.float32, ("V", 24)),
    "kintree_table": (np.int64, (2, 24)),
}
_OPTIONAL: dict[str, tuple[type, tuple[str | int, ...]]] = {
    "cocoplus_regressor": (np.float32, (19, "V")),
    "part6": (np.uint8, ("V",)),
    "face_part6": (np.uint8, ("F",)),
    "mirror": (np.int64, ("V",)),
    "vt": (np.float32, ("T", 2)),
    "ft": (np.int64, ("F", 3)),
}
_WAY_OUT = "give a SMPL model file, or make one with 'hmr body --out body.npz'"


def read_body_file(path: Path) -> Body:
    """Read a body file and complete what a plain SMPL file lacks.

    Returns SMPL's arrays under SMPL's names: v_template (V, 3) and f (F, 3), shapedirs (V, 3, 10), posedirs
    (V, 3, 207), J_regressor (24, V), weights (V, 24), kintree_table (2, 24) with -1 above the root, metres; and
    cocoplus_regressor (19, V), part6 (V,), face_part6 (F,), mirror (V,), source; vt (T, 2) and ft (F, 3) only where
    the file has them. Raises UserError for a missing, broken or wrong file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a body file, found nothing there; {_WAY_OUT}")
    readers = {".npz": _read_npz, ".pkl": partial(read_pickle, expected="a pickled SMPL file", way_out=_WAY_OUT)}
    if path.suffix not in readers:
        raise UserError(f"{path}: expected a body file named .npz or .pkl, found suffix {path.suffix!r}; {_WAY_OUT}")
    return parse_body(readers[path.suffix](path), origin=path)


def parse_body(raw: dict[str, Any], *, origin: Path) -> Body:
    """Check raw arrays against each other, convert their types, and complete them. See `read_body_file`."""
    if missing := [key for key in _REQUIRED if key not in raw]:
        found = ", ".join(sorted(map(str, raw))[:8]) or "nothing"
        raise UserError(f"{origin}: expected a body file with {', '.join(missing)}, found only {found}; {_WAY_OUT}")
    sizes: dict[str, int] = {}
    known = _REQUIRED | _OPTIONAL
    body = {key: _convert(raw[key], key, *known[key], sizes, origin) for key in known if key in raw}
    _check_topology(body, sizes["V"], origin)
    if "cocoplus_regressor" not in body:
        body["cocoplus_regressor"] = smpl_keypoint_regressor(body["J_regressor"], origin=origin)
    if "part6" not in body or "face_part6" not in body:
        body["part6"], body["face_part6"] = part_labels(body["weights"], body["f"])
    body.setdefault("mirror", mirror_of(body["v_template"]))
    body["source"] = np.array(str(raw.get("source", f"adopted from {origin.name}")))
    return body


def write_body_file(path: Path, body: Body) -> None:
    """Write a body as `.npz` (ours) or `.pkl` (for `smplx.SMPL` and other readers of SMPL files), atomically.

    Equal bodies give equal bytes. Raises UserError for another suffix.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".pkl"):
        raise UserError(f"{path}: expected an output named .npz or .pkl, found suffix {path.suffix!r}; rename it")
    with atomic_path(path) as temporary:
        if path.suffix == ".npz":
            np.savez(temporary, **body)
        else:
            temporary.write_bytes(pickle.dumps(_as_smpl(body), protocol=2))


def part_labels(weights: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Body parts by summed skinning weights: (V,) and, by majority of corners, (F,) uint8 indices into PARTS."""
    groups = [[SMPL_24.index(joint) for joint in PART_JOINTS[part]] for part in PARTS]
    part = np.stack([weights[:, group].sum(1) for group in groups], 1).argmax(1)
    votes = np.eye(len(PARTS), dtype=np.uint8)[part[faces]].sum(1)
    return part.astype(np.uint8), votes.argmax(1).astype(np.uint8)


def mirror_of(template: np.ndarray) -> np.ndarray:
    """For each vertex of (V, 3) the one nearest to its mirror image across x = 0: (V,) int64."""
    template = np.asarray(template, np.float64)
    return cKDTree(template).query(template * [-1, 1, 1])[1].astype(np.int64)


def smpl_keypoint_regressor(joint_regressor: np.ndarray, *, origin: Path | str) -> np.ndarray:
    """The 19 keypoints of a plain SMPL file as a (19, V) regressor; V must be SMPL's own 6,890, known by number."""
    if joint_regressor.shape[1] != SMPL_VERTICES:
        raise UserError(
            f"{origin}: expected cocoplus_regressor, or SMPL's {SMPL_VERTICES} vertices to derive it from, "
            f"found neither ({joint_regressor.shape[1]} vertices); {_WAY_OUT}"
        )
    regressor = np.zeros((len(COCOPLUS_19), SMPL_VERTICES), np.float32)
    # ASSUME: the rows learned from Human3.6M's own joints are not public, so the skeleton's joints stand in for them.
    for row, joint in enumerate(COCOPLUS_19.joints):
        if joint in SMPL_KEYPOINT_VERTICES:
            regressor[row, SMPL_KEYPOINT_VERTICES[joint]] = 1
        else:
            regressor[row] = limb_keypoint(joint_regressor, joint)
    return regressor


def limb_keypoint(joints: np.ndarray, keypoint: str) -> np.ndarray:
    """One limb or neck keypoint of the 19 from a (24, ...) array that is linear in SMPL's joints."""
    if keypoint != "neck":
        return joints[SMPL_24.index(keypoint)]
    # ASSUME: LSP's neck is between SMPL's neck joint and the middle of the shoulders.
    left, right = (joints[SMPL_24.index(f"{side}_shoulder")] for side in ("left", "right"))
    return NECK_MIX * joints[SMPL_24.index("neck")] + (1 - NECK_MIX) / 2 * (left + right)


def _convert(
    value: Any, key: str, kind: type, shape: tuple[str | int, ...], sizes: dict[str, int], origin: Path
) -> np.ndarray:
    array = value.toarray() if sp.issparse(value) else np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise UserError(f"{origin}: {key}: expected numbers, found {array.dtype}; {_WAY_OUT}")
    if key == "shapedirs":
        array = array[..., :SHAPE_COMPONENTS]
    fits = array.ndim == len(shape) and all(
        size == (sizes.setdefault(axis, size) if isinstance(axis, str) else axis)
        for size, axis in zip(array.shape, shape, strict=True)
    )
    if not fits:
        expected = ", ".join(str(sizes.get(axis, axis)) for axis in shape)
        raise UserError(f"{origin}: {key}: expected shape ({expected}), found {array.shape}; {_WAY_OUT}")
    if not np.isfinite(array).all():
        raise UserError(f"{origin}: {key}: expected finite numbers, found NaN or infinity; {_WAY_OUT}")
    return np.ascontiguousarray(array.astype(kind))


def _check_topology(body: Body, vertices: int, origin: Path) -> None:
    """Indices must point into their arrays, and the skeleton must be SMPL's: joints go by name from here on."""
    limits = {"f": vertices, "mirror": vertices, "ft": len(body.get("vt", ())), "part6": 6, "face_part6": 6}
    for key, limit in limits.items():
        if key in body and body[key].size and not 0 <= body[key].min() <= body[key].max() < limit:
            raise UserError(
                f"{origin}: {key}: expected numbers from 0 to {limit - 1}, "
                f"found {body[key].min()} to {body[key].max()}; {_WAY_OUT}"
            )
    parents = body["kintree_table"][0]
    parents[0] = -1  # files hold 2^32 - 1, which is -1 as an unsigned number
    if tuple(parents) != SMPL_PARENTS:
        raise UserError(f"{origin}: kintree_table: expected SMPL's parents, found {parents.tolist()}; {_WAY_OUT}")


def _as_smpl(body: Body) -> dict[str, Any]:
    """The dictionary that readers of SMPL pickles expect: sparse regressors, unsigned indices, fixed labels."""
    tree = body["kintree_table"].astype(np.int64) % 2**32
    return {
        **{key: value for key, value in body.items() if key != "source"},
        "source": str(body["source"]),
        "f": body["f"].astype(np.uint32),
        "kintree_table": tree.astype(np.uint32),
        "J_regressor": sp.csc_matrix(body["J_regressor"]),
        "cocoplus_regressor": sp.csc_matrix(body["cocoplus_regressor"]),
        "J": body["J_regressor"] @ body["v_template"],
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error):
        raise UserError(
            f"{path}: expected a NumPy .npz archive of plain arrays, found something else or part of one; {_WAY_OUT}"
        ) from None
