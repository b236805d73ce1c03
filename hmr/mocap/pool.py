"""The pool of real bodies: every motion-capture frame as an SMPL pose and shape, in one HDF5 file.

It is what the critics take for real (Paper §3.3). Written clip by clip; equal clips give equal bytes. Poses and shapes
lie in one piece each, without compression, so that a frame is read from its place in the file: memory stays the same
however large the pool is.

Of what was captured, a few frames of each clip lie beside them, for people to look at: `captured`.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hmr.errors import UserError
from hmr.files import atomic_path

SCHEMA = 2
_CHUNK_ROWS = 1024
_BLOCK_ROWS = 1 << 16
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
_SAMPLED = ("pose_axis_angle", "betas")
_CAPTURED: dict[str, tuple[Any, tuple[int | None, ...]]] = {  # absent from a pool without any
    "row": (np.int64, ()),  # of the columns above
    "kind": (_TEXT, ()),
    "points_m": (np.float32, (None, 3)),  # NaN where lost, and to the width of the widest
}
_CAPTURED_FRAMES = 10  # of a clip
_WAY_OUT = "make it with 'hmr mocap'"


@dataclass(frozen=True)
class Captured:
    """What was seen of a clip's person, moved to where the body is that its poses and betas make, without a shift.

    From there the body's own joints or skin are as far as the fit is off.
    """

    kind: str  # "joints" or "markers"
    points_m: Float[ndarray, "frames points 3"]  # y up, NaN where lost


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
    captured: Captured | None = None  # where the source was fitted
    notes: tuple[str, ...] = ()  # what was guessed or left aside, in words that other clips may share

    def __len__(self) -> int:
        return len(self.pose_axis_angle)


def spread_frames(count: int) -> Int[ndarray, "few"]:
    """Up to ten of a clip's `count` frames, evenly spread from the first to the last: those that are looked at."""
    return np.unique(np.linspace(0, count - 1, min(_CAPTURED_FRAMES, count)).round().astype(int))


def source_of(sequence: str) -> str:
    """The source that a sequence belongs to: the first folder of its name, or "." where it has none."""
    folder, slash, _ = sequence.partition("/")
    return folder if slash else "."


@dataclass(frozen=True)
class LeftOut:
    """A clip, or frames of one, that did not go into the pool."""

    sequence: str
    reason: str


class MocapPool:
    """Real bodies in a file, read a frame at a time."""

    def __init__(self, path: Path, places: Mapping[str, int], rows: list[int], weights: list[float]) -> None:
        self._rows, self._places = sum(rows), places
        self._starts, self._shares = (np.cumsum([0, *of_each]) for of_each in (rows, weights))
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  (open as long as the pool is)

    def __len__(self) -> int:
        return self._rows

    def sample(self, rng: np.random.Generator, n: int) -> tuple[Float[ndarray, "n 24 3"], Float[ndarray, "n 10"]]:
        """`n` frames drawn with replacement: poses as axis-angle in radians, root first, and betas.

        Sources come by their weights; within a source every frame counts alike.
        """
        at = np.interp(rng.random(n) * self._shares[-1], self._shares, self._starts)
        return self.at(np.minimum(at.astype(np.int64), len(self) - 1))

    def at(self, rows: Int[ndarray, "n"]) -> tuple[Float[ndarray, "n 24 3"], Float[ndarray, "n 10"]]:
        """The poses and betas of these frames."""
        pose, betas = (self._read(name, rows) for name in _SAMPLED)
        return pose, betas

    def _read(self, name: str, rows: Int[ndarray, "n"]) -> ndarray:
        kind, shape = _COLUMNS[name]
        values = np.empty((len(rows), *shape), kind)
        file, size = self._file.fileno(), values[:1].nbytes
        room = memoryview(values).cast("B")
        starts = (self._places[name] + rows.astype(np.int64) * size).tolist()
        read = [os.preadv(file, [room[i * size : (i + 1) * size]], start) for i, start in enumerate(starts)]
        if sum(read) != values.nbytes:
            raise UserError(f"{self._file.name}: expected {self._rows:,} poses, found the file cut; {_WAY_OUT}")
        return values


def open_pool(path: Path) -> MocapPool:
    """Open a pool and look through it once, in blocks. UserError if it is missing, broken or something else."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a motion-capture pool, found nothing there; {_WAY_OUT}")
    try:
        with h5py.File(path, "r") as file:
            _check(file, path)
            places = {name: file[name].id.get_offset() for name in _SAMPLED}
            rows, weights = (file[f"source/{name}"][:].tolist() for name in ("rows", "weight"))
            if not all(np.isfinite(block).all() for name in _SAMPLED for block in _blocks(file[name])):
                raise UserError(f"{path}: expected finite poses and betas, found NaN or infinity; {_WAY_OUT}")
    except (OSError, RuntimeError):
        raise UserError(f"{path}: expected a motion-capture pool, found a broken HDF5 file; {_WAY_OUT}") from None
    return MocapPool(path, places, rows, weights)


def _blocks(column: h5py.Dataset) -> Iterator[ndarray]:
    for start in range(0, len(column), _BLOCK_ROWS):
        yield column[start : start + _BLOCK_ROWS]


def _check(file: h5py.File, path: Path) -> None:
    schema, rows = file.attrs.get("schema"), {len(file[name]) for name in _COLUMNS if _is_column(file, name)}
    if schema is None or not all(_is_column(file, name) for name in _COLUMNS) or len(rows) != 1:
        raise UserError(f"{path}: expected a motion-capture pool, found another HDF5 file; {_WAY_OUT}")
    if schema != SCHEMA:
        raise UserError(f"{path}: expected schema {SCHEMA}, found {schema}; {_WAY_OUT} of this version")
    if any(file[name].chunks for name in _SAMPLED):
        raise UserError(f"{path}: expected poses and betas in one piece each, found chunks; {_WAY_OUT}")
    sources = file.get("source")
    if not isinstance(sources, h5py.Group) or {sources["rows"][:].sum()} != rows:
        raise UserError(f"{path}: expected how many frames each source has, found other counts; {_WAY_OUT}")
    if rows == {0}:
        raise UserError(f"{path}: expected at least one pose, found none; {_WAY_OUT}")
    if "captured" in file:
        _check_captured(file["captured"], rows.pop(), path)


def _check_captured(group: h5py.Group, rows: int, path: Path) -> None:
    columns = [group.get(name) for name in _CAPTURED]
    is_whole = all(isinstance(column, h5py.Dataset) for column in columns) and len({len(c) for c in columns}) == 1
    if not is_whole or columns[2].shape[2:] != (3,) or not ((columns[0][:] >= 0) & (columns[0][:] < rows)).all():
        raise UserError(f"{path}: expected captured points of the pool's poses, found others; {_WAY_OUT}")


def _is_column(file: h5py.File, name: str) -> bool:
    return isinstance(file.get(name), h5py.Dataset) and file[name].shape[1:] == _COLUMNS[name][1]


def write_pool(
    path: Path,
    clips: Iterable[Clip],
    *,
    attributes: Mapping[str, Any],
    left_out: Iterable[LeftOut] = (),
    weights: Mapping[str, float] | None = None,
) -> None:
    """Write clips as a pool, whole or not at all; equal clips give equal bytes.

    The clips of a source come one after the other. `weights`
    says how much of what is drawn comes from each, all of them named; without it that is as many as it has frames.

    `attributes` are the root attributes dataset, source, licence and raw_sha256; schema is added here. `left_out` is
    read after the last clip, so both may come from one pass over the sources. UserError if no frame is left.
    """
    with (
        atomic_path(path) as temporary,
        _scratch(temporary.with_suffix(".growing")) as growing,
        h5py.File(growing, "w", libver="latest") as file,
    ):
        for name, (kind, shape) in _COLUMNS.items():
            file.create_dataset(name, (0, *shape), kind, maxshape=(None, *shape), chunks=(_CHUNK_ROWS, *shape))
        _make_captured(file.create_group("captured"))
        rows: dict[str, int] = {}
        for clip in clips:
            _append(file, clip)
            source = source_of(clip.sequence)
            if source in rows and source != list(rows)[-1]:
                raise ValueError(f"clips of {source} come in two pieces")
            rows[source] = rows.get(source, 0) + len(clip)
        if not len(file["frame"]):
            raise UserError(f"{path}: expected poses, found none to keep; look at the motion capture")
        with h5py.File(temporary, "w", libver="latest") as whole:
            for name, value in sorted({**attributes, "schema": SCHEMA}.items()):
                whole.attrs[name] = value
            captured = [f"captured/{name}" for name in _CAPTURED] if len(file["captured/row"]) else []
            for name in (*_COLUMNS, *captured):
                _copy(file[name], whole)
            _write_sources(whole.create_group("source"), rows, weights or rows)
            _write_left_out(whole.create_group("quarantine"), list(left_out))


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A file for the time of the block; one that a killed run left is overwritten."""
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _copy(column: h5py.Dataset, whole: h5py.File) -> None:
    """One column in one piece, now that its length is known."""
    copy = whole.create_dataset(column.name, column.shape, column.dtype)
    for start, block in zip(range(0, len(column), _BLOCK_ROWS), _blocks(column), strict=True):
        copy[start : start + len(block)] = block


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
    if clip.captured is not None and count:
        _append_captured(file["captured"], clip.captured, start)


def _make_captured(group: h5py.Group) -> None:
    for name, (kind, shape) in _CAPTURED.items():
        least, most = (tuple(size or other for size in shape) for other in (0, None))
        chunk, fill = tuple(size or 16 for size in shape), np.nan if name == "points_m" else None
        group.create_dataset(
            name, (0, *least), kind, maxshape=(None, *most), chunks=(_CHUNK_ROWS, *chunk), fillvalue=fill
        )


def _append_captured(group: h5py.Group, captured: Captured, first_row: int) -> None:
    few = spread_frames(len(captured.points_m))
    start, width = len(group["row"]), captured.points_m.shape[1]
    for column in group.values():
        column.resize(start + len(few), axis=0)
    points = group["points_m"]
    points.resize(max(width, points.shape[1]), axis=1)
    points[start:, :width] = captured.points_m[few]
    group["row"][start:], group["kind"][start:] = first_row + few, captured.kind


def _write_sources(group: h5py.Group, rows: Mapping[str, int], weights: Mapping[str, float]) -> None:
    if rows.keys() != weights.keys() or min(weights.values()) < 0 or not sum(weights.values()) > 0:
        given = ", ".join(f"{name}: {weight:g}" for name, weight in weights.items())
        raise UserError(
            f"mocap.sources: expected a weight for each of {', '.join(rows)}, found {given}; "
            "name every folder of motion once, none below zero, or leave {}"
        )
    group.create_dataset("name", data=np.array(list(rows), object), dtype=_TEXT)
    group["rows"] = np.array(list(rows.values()), np.int64)
    group["weight"] = np.array([weights[name] for name in rows], float)


def _write_left_out(group: h5py.Group, left_out: list[LeftOut]) -> None:
    for name in ("sequence", "reason"):
        group.create_dataset(name, data=np.array([getattr(entry, name) for entry in left_out], object), dtype=_TEXT)
