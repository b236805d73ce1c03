"""Samples in, a normalized data set out: sample by sample in constant memory; equal samples give equal bytes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np

from hmr.body.joints import COCOPLUS_19
from hmr.data.augment import CropSize
from hmr.data.crop import crop_person
from hmr.data.sample import Rejected, Sample, fault
from hmr.data.store import BYTES, COLUMNS, QUARANTINE, ROWS, SCHEMA, TEXT, open_store
from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.params import NormalizeParams

PART_IDS = (0, 1, 2, 3, 4, 5, 6, 255)


@dataclass
class Counts:
    """How many samples were kept, and how many were left out, by reason."""

    kept: int = 0
    bad: Counter = field(default_factory=Counter)  # broken data
    filtered: Counter = field(default_factory=Counter)  # left out by the method's own rules

    def summary(self) -> str:
        """One line for people."""
        left_out = (self.bad + self.filtered).most_common()
        reasons = "; ".join(f"{kind}: {count:,}" for kind, count in left_out)
        return f"{self.kept:,} kept, {sum(n for _, n in left_out):,} left out" + (f" ({reasons})" if reasons else "")

    def bad_fraction(self) -> float:
        """Broken samples among those that the method's rules would keep."""
        bad = self.bad.total()
        return bad / max(1, bad + self.kept)


def write_store(
    path: Path,
    samples: Iterable[Sample | Rejected],
    *,
    attributes: Mapping[str, Any],
    params: NormalizeParams,
    part: bool = False,
) -> Counts:
    """Crop every sample and write the store, whole or not at all.

    `attributes` are the data set's root attributes (dataset, split, source, licence, raw_sha256, and joint_names
    where samples have joints of their own); the rest is added here. Raises UserError when no sample is left or when
    more than `params.max_quarantine_fraction` of them are broken; of a `part`, to be joined with others, the whole
    will be asked that.
    """
    rows = (entry if isinstance(entry, Rejected) else _row(entry, params) for entry in samples)
    return _write(path, rows, _root_attributes(attributes, params), None if part else params)


def join_stores(path: Path, parts: Sequence[Path], params: NormalizeParams) -> Counts:
    """The parts one after another as one store, a few hundred rows in memory; whole or not at all.

    Raises UserError where they are not parts of the same, and as `write_store` does for the whole.
    """
    with ExitStack() as opened:
        first, *others = stores = [opened.enter_context(open_store(part)) for part in parts]
        for other in others:
            if odd := sorted(n for n, value in first.attributes.items() if other.attributes.get(n) != value):
                raise UserError(
                    f"{other.path}: expected a part of the same store as {first.path}, found another"
                    f" {', '.join(odd)}; normalize both again"
                )
        entries = chain.from_iterable(chain(store.left_out(), store.rows()) for store in stores)
        return _write(path, entries, first.attributes, params)


def _write(
    path: Path,
    entries: Iterable[dict[str, Any] | Rejected],
    attributes: Mapping[str, Any],
    checked_by: NormalizeParams | None,
) -> Counts:
    """Rows, and what was left out, as one file."""
    counts = Counts()
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        for name, value in sorted(attributes.items()):
            file.attrs[name] = value
        kept, left_out = _Table(file, _columns(attributes)), _Table(_group(file, "quarantine"), QUARANTINE)
        for entry in _once(entries):
            if isinstance(entry, Rejected):
                (counts.bad if entry.bad else counts.filtered)[entry.kind] += 1
                left_out.append({"sample_id": entry.sample_id, "reason": entry.reason, "bad": entry.bad})
            else:
                counts.kept += 1
                kept.append(entry)
        kept.flush()
        left_out.flush()
        if checked_by is not None:
            _check(counts, path, checked_by)
    return counts


def _once(entries: Iterable[dict[str, Any] | Rejected]) -> Iterator[dict[str, Any] | Rejected]:
    """The same, but a second sample of a name is left out: predictions of the two could not be told apart."""
    names: set[str] = set()
    for entry in entries:
        if isinstance(entry, Rejected):
            yield entry
        elif (name := entry["sample_id"]) in names:
            yield Rejected(name, "labels broken: a sample of the same name came before")
        else:
            names.add(name)
            yield entry


def _root_attributes(attributes: Mapping[str, Any], params: NormalizeParams) -> dict[str, Any]:
    fixed = {"schema": SCHEMA, **_size_attributes(params), "keypoint_names": COCOPLUS_19.joints}
    return {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in {**attributes, **fixed}.items()}


def _size_attributes(params: NormalizeParams) -> dict[str, int]:
    return {"crop_px": params.crop_px, "crop_reference_px": params.crop_reference_px}


def _columns(attributes: Mapping[str, Any]) -> dict[str, tuple[Any, tuple[int, ...]]]:
    if "joint_names" not in attributes:
        return COLUMNS
    return {**COLUMNS, "joints_3d_native_m": (np.float32, (len(attributes["joint_names"]), 3))}


def _check(counts: Counts, path: Path, params: NormalizeParams) -> None:
    top = "; ".join(f"{kind}: {count:,}" for kind, count in counts.bad.most_common(3))
    if counts.bad_fraction() > params.max_quarantine_fraction:
        raise UserError(
            f"{path}: expected at most {params.max_quarantine_fraction:.0%} broken samples, found "
            f"{counts.bad_fraction():.0%} ({top}); mend the raw data or raise normalize.max_quarantine_fraction"
        )
    if not counts.kept:
        raise UserError(f"{path}: expected samples, found none to keep ({counts.summary()}); look at the raw data")


def _row(sample: Sample, params: NormalizeParams) -> dict[str, Any] | Rejected:
    """One sample as a row of the store, or why it cannot be one."""
    if wrong := fault(sample):
        return Rejected(sample.sample_id, wrong)
    try:
        image = sample.load_image()
        labels = None if sample.load_part_labels is None else sample.load_part_labels()
    except UserError as error:
        return Rejected(sample.sample_id, f"unreadable file: {error}")
    if labels is not None and (wrong := _part_fault(labels, image)):
        return Rejected(sample.sample_id, wrong)
    if not _in_picture(sample.keypoints_2d_px[sample.visible], image).any():
        return Rejected(sample.sample_id, "labels broken: no labelled joint lies in the picture")
    crop = crop_person(
        image,
        keypoints_px=sample.keypoints_2d_px,
        center_px=sample.center_px,
        person_px=sample.person_px,
        size=CropSize(params.crop_px, params.crop_reference_px),
    )
    row = {
        "image_jpeg": _jpeg(crop.image, params.jpeg_quality),
        "keypoints_2d_px": np.where(sample.visible[:, None], crop.keypoints_px, np.nan),
        "crop_to_image": crop.crop_to_image,
        "has_joints_3d": sample.joints_3d_m is not None,
        "has_smpl": sample.pose_axis_angle is not None and sample.betas is not None,
    }
    if labels is not None:
        row["part_labels_png"] = _png(labels)
    return row | {name: value for name in _PLAIN if (value := getattr(sample, name)) is not None}


# Columns that are stored as the sample has them.
_PLAIN = (
    *("visible", "joints_3d_m", "joints_3d_native_m", "pose_axis_angle", "betas", "focal_px", "principal_px"),
    *("sample_id", "subject", "action", "trial", "camera", "frame"),
)


def _in_picture(points_px: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Which of (K, 2) points lie in the picture (K,)."""
    return ((points_px >= -0.5) & (points_px <= np.array(image.shape[1::-1]) - 0.5)).all(1)


def _part_fault(labels: np.ndarray, image: np.ndarray) -> str | None:
    if labels.shape != image.shape[:2]:
        return f"part labels broken: size {labels.shape}, the image's is {image.shape[:2]}"
    unknown = sorted(set(np.unique(labels).tolist()) - set(PART_IDS))
    return f"part labels broken: unknown ids {unknown[:5]}" if unknown else None


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].ravel()


def _png(labels: np.ndarray) -> np.ndarray:
    return cv2.imencode(".png", labels)[1].ravel()


def _group(file: h5py.File, name: str) -> h5py.Group:
    return file.create_group(name, track_times=False)


class _Table:
    """Rows that go to growing datasets, a chunk at a time. A column that nobody declared appears when first used."""

    def __init__(self, group: h5py.Group, columns: Mapping[str, tuple[Any, tuple[int, ...]]]) -> None:
        self.group, self.columns, self.rows, self.written = group, dict(columns), [], 0
        for name in self.columns:
            self._create(name)

    def append(self, row: dict[str, Any]) -> None:
        """Add a row; what it lacks is NaN, false or empty."""
        self.rows.append(row)
        if len(self.rows) == ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if any("part_labels_png" in row for row in self.rows) and "part_labels_png" not in self.columns:
            self.columns["part_labels_png"] = (BYTES, ())
            self._create("part_labels_png")
        end = self.written + len(self.rows)
        for name, (kind, shape) in self.columns.items():
            dataset = self.group[name]
            dataset.resize((end, *shape))
            values = [row.get(name) for row in self.rows]
            if kind is BYTES:  # one by one: h5py would take arrays of equal lengths for a matrix
                for place, value in enumerate(values, start=self.written):
                    if value is not None:
                        dataset[place] = value
            elif values:
                dataset[self.written : end] = _stack(values, kind, shape)
        self.rows, self.written = [], end

    def _create(self, name: str) -> None:
        kind, shape = self.columns[name]
        self.group.create_dataset(
            name,
            (self.written, *shape),
            kind,
            maxshape=(None, *shape),
            chunks=(ROWS, *shape),
            fillvalue=np.nan if kind is np.float32 else None,
            track_times=False,
        )


def _stack(values: list[Any], kind: Any, shape: tuple[int, ...]) -> np.ndarray:
    """One column's values, None filled in."""
    if kind is TEXT:
        return np.array(["" if value is None else value for value in values], object)
    missing = np.full(shape, np.nan if kind is np.float32 else 0)
    return np.stack([missing if value is None else np.asarray(value) for value in values]).astype(kind)
