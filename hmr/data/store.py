"""The normalized data set: one HDF5 file per data set and split, the same for every source.

Read a column at a time, or one picture at a time in any order. All columns have a row per sample; what a sample lacks
is NaN (or empty) with its flag false. `writing` makes such files.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np

from hmr.data.augment import REFERENCE_CROP, CropSize
from hmr.data.sample import Rejected
from hmr.errors import UserError

SCHEMA = 1
_WAY_OUT = "make it with 'hmr normalize'"
ROWS = 256  # rows held in memory and per HDF5 chunk
BYTES = h5py.vlen_dtype(np.uint8)
TEXT = h5py.string_dtype()
COLUMNS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "image_jpeg": (BYTES, ()),
    "keypoints_2d_px": (np.float32, (19, 2)),
    "visible": (bool, (19,)),
    "joints_3d_m": (np.float32, (14, 3)),
    "has_joints_3d": (bool, ()),
    "has_smpl": (bool, ()),
    "pose_axis_angle": (np.float32, (24, 3)),
    "betas": (np.float32, (10,)),
    "crop_to_image": (np.float32, (2, 3)),
    "focal_px": (np.float32, ()),
    "principal_px": (np.float32, (2,)),
    "sample_id": (TEXT, ()),
    "subject": (TEXT, ()),
    "action": (TEXT, ()),
    "trial": (np.int32, ()),
    "camera": (TEXT, ()),
    "frame": (np.int32, ()),
}
QUARANTINE: dict[str, tuple[Any, tuple[int, ...]]] = {
    "sample_id": (TEXT, ()),
    "reason": (TEXT, ()),
    "bad": (bool, ()),
}


class Store:
    """An open normalized data set. Use `open_store`."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self.path, self._file = path, file
        self._images = file["image_jpeg"]
        self.attributes = {name: _plain(value) for name, value in file.attrs.items()}

    def __len__(self) -> int:
        return len(self._file["sample_id"])

    def __contains__(self, name: str) -> bool:
        with _whole(self.path):
            return name in self._file and name != "quarantine"

    def __getitem__(self, name: str) -> np.ndarray:
        """A whole column, rows first; text as an array of str."""
        if name not in self:
            raise UserError(f"{self.path}: expected a column {name}, found none; normalize the data set again")
        with _whole(self.path):
            column = self._file[name]
            if h5py.check_string_dtype(column.dtype):
                return np.array(column.asstr()[:], dtype=str) if len(column) else np.empty(0, str)
            return column[:]

    @property
    def crop_size(self) -> CropSize:
        """Of every crop. A store that does not say how much is in them has the method's 320 reference pixels."""
        reference_px = self.attributes.get("crop_reference_px", REFERENCE_CROP.reference_px)
        return CropSize(int(self.attributes["crop_px"]), int(reference_px))

    def must_show(self, reference_px: float) -> None:
        """Raise UserError where the crops hold less than somebody will look at."""
        if (held := self.crop_size.reference_px) < reference_px - 1e-6:  # a quotient of parameters
            raise UserError(
                f"{self.path}: expected crops of at least {reference_px:.0f} reference pixels, which is how much the"
                f" network sees, found {held}; raise params.yaml's normalize.crop_reference_px and normalize again"
            )

    def images(self, index: int) -> np.ndarray:
        """One crop, decoded: RGB uint8 (crop_px, crop_px, 3)."""
        with _whole(self.path):
            data = self._images[index]
        return _decoded(data, cv2.IMREAD_COLOR_RGB, self.path, index)

    def hold_images(self) -> None:
        """Read all encoded crops into memory; much faster than one by one for who wants most of them."""
        with _whole(self.path):
            self._images = self._images[:]

    def part_labels(self, index: int) -> np.ndarray:
        """One sample's part labels at source-image size: uint8 (H, W), 0 background, 1 to 6 parts, 255 ignore."""
        if "part_labels_png" not in self:
            raise UserError(f"{self.path}: expected part labels, found none; only LSP's test split has them")
        with _whole(self.path):
            data = self._file["part_labels_png"][index]
        return _decoded(data, cv2.IMREAD_UNCHANGED, self.path, index)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every sample's columns as they are stored, pictures undecoded, a few hundred read at a time."""
        return self._rows("/")

    def left_out(self) -> Iterator[Rejected]:
        """The samples that were left out, a few hundred read at a time."""
        rows = self._rows("quarantine")
        return (Rejected(row["sample_id"], row["reason"], bool(row["bad"])) for row in rows)

    def quarantine(self) -> list[Rejected]:
        """All samples that were left out."""
        return list(self.left_out())

    def _rows(self, group: str) -> Iterator[dict[str, Any]]:
        with _whole(self.path):
            columns = {n: self._file[group][n] for n in self._file[group] if n != "quarantine"}
            readable = {n: c.asstr() if h5py.check_string_dtype(c.dtype) else c for n, c in columns.items()}
            for start in range(0, len(columns["sample_id"]), ROWS):
                block = {name: column[start : start + ROWS] for name, column in readable.items()}
                for row in zip(*block.values(), strict=True):
                    yield dict(zip(block, row, strict=True))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def open_store(path: Path) -> Store:
    """Open a normalized data set, to be closed or used in a `with` block. UserError if it is missing, broken or
    something else."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a normalized data set, found nothing there; {_WAY_OUT}")
    with ExitStack() as on_error, _whole(path):
        file = on_error.enter_context(h5py.File(path, "r"))
        schema = file.attrs.get("schema")
        if schema is None or any(name not in file for name in (*COLUMNS, "quarantine")):
            raise UserError(f"{path}: expected a normalized data set, found another HDF5 file; {_WAY_OUT}")
        if schema != SCHEMA:
            raise UserError(f"{path}: expected schema {SCHEMA}, found {schema}; {_WAY_OUT} of this version")
        store = Store(file, path)
        on_error.pop_all()  # from here on it is the caller's to close
        return store


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What HDF5 says of a file that is spoilt, wherever in it, as the user's to mend."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: expected a normalized HDF5 data set, found a broken file ({error}); {_WAY_OUT}"
        ) from None


def _plain(value: Any) -> Any:
    """An HDF5 attribute as a plain Python value."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _decoded(data: np.ndarray, flags: int, path: Path, index: int) -> np.ndarray:
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise UserError(f"{path}: sample {index}: expected an encoded image, found something else; normalize it again")
    return image
