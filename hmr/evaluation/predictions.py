"""predictions.h5: what a model said about every sample of a test set. Any program may write one.

Root attribute `schema`; columns with a row per sample: `sample_id`, and those of `SHAPES` that a benchmark needs.
Order is free: reading puts the rows into the labels' order and refuses a file whose samples are not the labels'.
Other programs say how long prediction took in attributes; ours in a file beside it, so that two runs' bytes are equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hmr.errors import UserError
from hmr.files import atomic_path, read_json, write_json

SCHEMA = 1
PARTS = "part_labels_png"
# What a row of each column looks like; None stands for any length.
SHAPES: dict[str, tuple[int | None, ...]] = {
    "joints_3d_m": (14, 3),
    "joints_3d_native_m": (None, 3),
    "keypoints_2d_px": (19, 2),
    PARTS: (),
    "camera": (3,),
    "pose_axis_angle": (24, 3),
    "betas": (10,),
}
_LARGEST_M = 50.0  # no body is so large, whatever a bad model says of its shape
_WAY_OUT = "make it with 'hmr predict-set', or see the README on other programs' predictions"


@dataclass(frozen=True)
class Predictions:
    """Columns in the labels' order, and the file's attributes."""

    columns: dict[str, np.ndarray]
    attributes: dict[str, Any]
    path: Path  # of the file, to name it

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns


def write_predictions(path: Path, columns: Mapping[str, np.ndarray | list], attributes: Mapping[str, Any]) -> None:
    """Write columns with a row per sample, whole or not at all; equal values give equal bytes.

    `part_labels_png` is a list of PNG files, uint8 arrays of any lengths; `sample_id` is text.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        for name, value in sorted({**attributes, "schema": SCHEMA}.items()):
            file.attrs[name] = value
        for name, values in sorted(columns.items()):
            if name == PARTS:
                _write_bytes(file, name, values)
            elif name == "sample_id":
                file.create_dataset(name, data=np.array(values, object), dtype=h5py.string_dtype(), track_times=False)
            else:
                file.create_dataset(name, data=np.asarray(values, np.float32), track_times=False)


def _write_bytes(file: h5py.File, name: str, values: Sequence[np.ndarray]) -> None:
    """One by one: h5py would take arrays of equal lengths for a matrix."""
    dataset = file.create_dataset(name, (len(values),), h5py.vlen_dtype(np.uint8), track_times=False)
    for row, value in enumerate(values):
        dataset[row] = value


def read_predictions(
    path: Path, *, sample_ids: Sequence[str] | np.ndarray, needed: Sequence[str] = (), optional: Sequence[str] = ()
) -> Predictions:
    """The wanted columns, rows in the order of the labels' `sample_ids`.

    UserError if the file is missing, cut or something else, lacks a needed column, has a column of another shape or
    with numbers that are not finite, or if its samples are not exactly the labels'.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected predictions, found nothing there; {_WAY_OUT}")
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path, np.asarray(sample_ids, dtype=str), needed, optional)
    except (OSError, RuntimeError, UnicodeDecodeError, KeyError):  # KeyError: a link that leads nowhere
        raise UserError(f"{path}: expected predictions in HDF5, found a broken file; {_WAY_OUT}") from None


def _read(
    file: h5py.File, path: Path, sample_ids: np.ndarray, needed: Sequence[str], optional: Sequence[str]
) -> Predictions:
    schema = _plain(file.attrs.get("schema"))
    if schema is None or not _is_text(file.get("sample_id")) or "crop_to_image" in file:  # which normalized sets have
        raise UserError(
            f"{path}: expected predictions (attribute schema, text sample_id), found another file; {_WAY_OUT}"
        )
    if schema not in (SCHEMA, [SCHEMA]):
        raise UserError(f"{path}: expected schema {SCHEMA}, found {schema}; make it with this version")
    if missing := [name for name in needed if name not in file]:
        raise UserError(f"{path}: expected a column {missing[0]}, found none; this benchmark needs it, {_WAY_OUT}")
    order = row_order(file["sample_id"].asstr()[:], sample_ids, str(path))
    wanted = [*needed, *(name for name in optional if name in file)]
    columns = {name: _column(file[name], name, len(order), path)[order] for name in wanted}
    for name, values in columns.items():
        _check_finite(values, name, sample_ids, path)
        _check_metres(values, name, path)
    attributes = {name: _plain(value) for name, value in file.attrs.items()}
    _check_time(attributes, path)
    return Predictions(columns, attributes, path)


def write_time(predictions: Path, seconds_per_image: float | None, device: str) -> None:
    """Say beside predictions how long they took; None says nothing, and takes away what an earlier run said."""
    if seconds_per_image is None:
        _time_path(predictions).unlink(missing_ok=True)
    else:
        write_json(_time_path(predictions), {"seconds_per_image": seconds_per_image, "device": device})


def read_time(predictions: Path) -> dict[str, Any]:
    """`seconds_per_image` and `device` as said beside predictions; nothing if they were not timed."""
    path = _time_path(predictions)
    said = read_json(path) if path.is_file() else {}
    if not isinstance(said, dict):
        raise UserError(f"{path}: expected seconds_per_image and device, found a {type(said).__name__}; {_WAY_OUT}")
    _check_time(said, path)
    return {name: said[name] for name in ("seconds_per_image", "device") if name in said}


def _time_path(predictions: Path) -> Path:
    return predictions.with_suffix(".time.json")


def row_order(found: Iterable[str], wanted: np.ndarray, origin: str) -> np.ndarray:
    """For each wanted id its row among the found ones. UserError unless both are the same, each once."""
    found = list(found)
    rows = {name: row for row, name in enumerate(found)}
    if len(rows) < len(found):
        twice = next(name for row, name in enumerate(found) if rows[name] != row)
        raise UserError(f"{origin}: expected each sample once, found {twice} twice; remove one")
    expected = f"{origin}: expected the labels' {len(wanted):,} samples, found"
    if missing := [name for name in wanted.tolist() if name not in rows]:
        raise UserError(
            f"{expected} {len(missing):,} of them missing, such as {missing[0]}; predict this test set again"
        )
    if extra := sorted(rows.keys() - set(wanted.tolist())):
        raise UserError(f"{expected} {len(extra):,} others as well, such as {extra[0]}; predict this test set again")
    return np.array([rows[name] for name in wanted.tolist()], int)


def _column(dataset: h5py.Dataset, name: str, rows: int, path: Path) -> np.ndarray:
    expected = (rows, *SHAPES[name])
    found = getattr(dataset, "shape", None)
    same = found is not None and len(found) == len(expected)
    if not same or any(e not in (None, f) for e, f in zip(expected, found, strict=True)):
        shape = " x ".join("any" if size is None else str(size) for size in expected)
        raise UserError(f"{path}: {name}: expected shape {shape}, found {found}; {_WAY_OUT}")
    if name == PARTS:
        if h5py.check_vlen_dtype(dataset.dtype) != np.uint8:
            raise UserError(f"{path}: {name}: expected PNG files as variable-length uint8, found {dataset.dtype}")
        return dataset[:]
    if dataset.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name}: expected numbers, found {dataset.dtype}; {_WAY_OUT}")
    return dataset[:].astype(np.float64)


def _check_finite(values: np.ndarray, name: str, sample_ids: np.ndarray, path: Path) -> None:
    if values.dtype == object or not len(values):
        return
    bad = np.flatnonzero(~np.isfinite(values).all(tuple(range(1, values.ndim))))
    if len(bad):
        raise UserError(
            f"{path}: {name}: expected finite numbers, found {len(bad):,} samples without, the first "
            f"{sample_ids[bad[0]]}; the model's training may have diverged"
        )


def _check_metres(values: np.ndarray, name: str, path: Path) -> None:
    """People are about a metre across; in millimetres or centimetres, a hundred and more."""
    if not name.endswith("_m") or not values.size:
        return
    extent = float(np.median(np.ptp(values, axis=1).max(-1)))
    if extent > _LARGEST_M:
        raise UserError(
            f"{path}: {name}: expected metres, found bodies {extent:,.0f} m across; they look like millimetres or "
            "centimetres, divide them by 1000 or 100"
        )


def _check_time(attributes: Mapping[str, Any], path: Path) -> None:
    seconds, device = attributes.get("seconds_per_image", 0.0), attributes.get("device", "")
    if not (isinstance(seconds, (int, float)) and 0 <= seconds < float("inf") and isinstance(device, str)):
        raise UserError(
            f"{path}: expected seconds_per_image as a number and device as text, found {seconds!r} and {device!r}; "
            "write them so, or leave both out"
        )


def _is_text(dataset: Any) -> bool:
    """Whether it is a column of text."""
    is_column = isinstance(dataset, h5py.Dataset) and dataset.shape is not None and len(dataset.shape) == 1
    return is_column and h5py.check_string_dtype(dataset.dtype) is not None


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
