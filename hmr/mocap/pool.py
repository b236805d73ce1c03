"""The pool of real bodies: every motion-capture frame as an SMPL pose and shape, in one HDF5 file.

It is what the critics take for real (Paper §3.3). Written clip by clip; equal clips give equal bytes. Read whole into
memory: the paper's pools are some hundred thousand frames.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hmr.errors import UserError
from hmr.files import atomic_path

SCHEMA = 1
_CHUNK_ROWS = 1024
_TEXT = h5py.string_dtype()
_COLUMNS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "pose_axis_angle": (np.float32, (24, 3)),
    "betas": (np.float32, (10,)),
    "sequence": (_TEXT, ()),
    "frame": (np.int32, ()),
    "frame_rate_hz": (np.float32, ()),
    "fit_error_mm": (np.float32, ()),
    "mirrored": (bool, ()),
}
_WAY_OUT = "make it with 'hmr mocap'"


@dataclass(frozen=True)
class Clip:
    """One motion as SMPL poses of one person."""

    sequence: str  # stable name, says where the motion came from
    pose_axis_angle: Float[ndarray, "frames 24 3"]  # root first, radians
    betas: Float[ndarray, "10"]
    frame: Int[ndarray, "frames"]  # in the source, from 0
    frame_rate_hz: float  # of these poses
    fit_error_mm: Float[ndarray, "frames"] | None = None  # where the source was fitted
    mirrored: bool = False

    def __len__(self) -> int:
        return len(self.pose_axis_angle)


@dataclass(frozen=True)
class LeftOut:
    """A clip, or frames of one, that did not go into the pool."""

    sequence: str
    reason: str


class MocapPool:
    """Real bodies in memory."""

    def __init__(self, pose_axis_angle: Float[ndarray, "n 24 3"], betas: Float[ndarray, "n 10"]) -> None:
        self.pose_axis_angle = np.ascontiguousarray(pose_axis_angle, np.float32)
        self.betas = np.ascontiguousarray(betas, np.float32)

    def __len__(self) -> int:
        return len(self.pose_axis_angle)

    def sample(self, rng: np.random.Generator, n: int) -> tuple[Float[ndarray, "n 24 3"], Float[ndarray, "n 10"]]:
        """`n` frames drawn uniformly with replacement: poses as axis-angle in radians, root first, and betas."""
        rows = rng.integers(len(self), size=n)
        return self.pose_axis_angle[rows], self.betas[rows]


def open_pool(path: Path) -> MocapPool:
    """Read a pool. UserError if it is missing, broken or something else."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a motion-capture pool, found nothing there; {_WAY_OUT}")
    try:
        with h5py.File(path, "r") as file:
            _check(file, path)
            pool = MocapPool(file["pose_axis_angle"][:], file["betas"][:])
    except (OSError, RuntimeError):
        raise UserError(f"{path}: expected a motion-capture pool, found a broken HDF5 file; {_WAY_OUT}") from None
    if not (np.isfinite(pool.pose_axis_angle).all() and np.isfinite(pool.betas).all()):
        raise UserError(f"{path}: expected finite poses and betas, found NaN or infinity; {_WAY_OUT}")
    return pool


def _check(file: h5py.File, path: Path) -> None:
    schema, rows = file.attrs.get("schema"), {len(file[name]) for name in _COLUMNS if _is_column(file, name)}
    if schema is None or not all(_is_column(file, name) for name in _COLUMNS) or len(rows) != 1:
        raise UserError(f"{path}: expected a motion-capture pool, found another HDF5 file; {_WAY_OUT}")
    if schema != SCHEMA:
        raise UserError(f"{path}: expected schema {SCHEMA}, found {schema}; {_WAY_OUT} of this version")
    if rows == {0}:
        raise UserError(f"{path}: expected at least one pose, found none; {_WAY_OUT}")


def _is_column(file: h5py.File, name: str) -> bool:
    return isinstance(file.get(name), h5py.Dataset) and file[name].shape[1:] == _COLUMNS[name][1]


def write_pool(
    path: Path, clips: Iterable[Clip], *, attributes: Mapping[str, Any], left_out: Iterable[LeftOut] = ()
) -> None:
    """Write clips as a pool, whole or not at all; equal clips give equal bytes.

    `attributes` are the root attributes dataset, source, licence and raw_sha256; schema is added here. `left_out` is
    read after the last clip, so both may come from one pass over the sources. UserError if no frame is left.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        for name, value in sorted({**attributes, "schema": SCHEMA}.items()):
            file.attrs[name] = value
        for name, (kind, shape) in _COLUMNS.items():
            file.create_dataset(name, (0, *shape), kind, maxshape=(None, *shape), chunks=(_CHUNK_ROWS, *shape))
        for clip in clips:
            _append(file, clip)
        if not len(file["frame"]):
            raise UserError(f"{path}: expected poses, found none to keep; look at the motion capture")
        _write_left_out(file.create_group("quarantine"), list(left_out))


def _append(file: h5py.File, clip: Clip) -> None:
    start, count = len(file["frame"]), len(clip)
    error = np.full(count, np.nan) if clip.fit_error_mm is None else clip.fit_error_mm
    values = {
        "pose_axis_angle": clip.pose_axis_angle,
        "betas": np.broadcast_to(clip.betas, (count, 10)),
        "sequence": np.full(count, clip.sequence, object),
        "frame": clip.frame,
        "frame_rate_hz": np.full(count, clip.frame_rate_hz),
        "fit_error_mm": error,
        "mirrored": np.full(count, clip.mirrored),
    }
    for name, value in values.items():
        file[name].resize(start + count, axis=0)
        if count:
            file[name][start:] = value


def _write_left_out(group: h5py.Group, left_out: list[LeftOut]) -> None:
    for name in ("sequence", "reason"):
        group.create_dataset(name, data=np.array([getattr(entry, name) for entry in left_out], object), dtype=_TEXT)
