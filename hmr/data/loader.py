"""Batches for training: half from the sets with 3D labels, half from those with 2D labels only.

Batch `t` is a function of the seed and of `t` alone, whatever the number of worker processes, so a training that
was interrupted goes on with the very batches that it would have seen. Every pool is gone through in a fresh random
order before any of its samples comes again; within a pool each data set counts by its size, as in the method's code.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from hmr.data import augment
from hmr.data.store import Store, open_store
from hmr.errors import UserError
from hmr.params import AugmentationParams

_COLUMNS = ("keypoints_2d_px", "visible", "joints_3d_m", "has_joints_3d", "pose_axis_angle", "betas", "has_smpl")


@dataclass(frozen=True)
class Part:
    """Rows `index`, `index` + `of`, ... of a batch. Every part has its share of each pool, as parts are combed out."""

    index: int
    of: int

    @property
    def rows(self) -> slice:
        """The part's rows."""
        return slice(self.index, None, self.of)

    def part(self, index: int, of: int) -> "Part":
        """A part of this part, as one of the whole."""
        return Part(self.index + self.of * index, self.of * of)


WHOLE = Part(0, 1)


@dataclass(frozen=True)
class Batch:
    """A batch as it leaves the loader, before it is moved to a device."""

    image: torch.Tensor  # uint8 (batch, height, width, 3), RGB
    keypoints_norm: torch.Tensor  # float32 (batch, 19, 2), zero where not visible
    visible: torch.Tensor  # bool (batch, 19)
    joints_3d_m: torch.Tensor  # float32 (batch, 14, 3), zero where there are none
    has_joints_3d: torch.Tensor  # bool (batch,)
    pose_axis_angle: torch.Tensor  # float32 (batch, 24, 3), zero where there is none
    betas: torch.Tensor  # float32 (batch, 10)
    has_smpl: torch.Tensor  # bool (batch,)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})

    def part(self, part: Part) -> "Batch":
        """Some of its rows."""
        return self if part == WHOLE else Batch(**{name: value[part.rows] for name, value in vars(self).items()})

    def repeat(self, times: int) -> "Batch":
        """The labels so many times one after another, as several iterations' predictions want them."""
        if times == 1:
            return self
        return Batch(**{name: torch.cat([value] * times) for name, value in vars(self).items()})


KEPT_BYTES = 2**30  # of decoded crops that each pool keeps in memory: all of the open preset's, few of the paper's
HELD_BYTES = 2**27  # of a set's file that is read in one go; all of it costs as much as a twelfth of it one by one


def _every(store: Store) -> np.ndarray:
    return np.arange(len(store))


class Pool:
    """Several stores, or those of their rows that `rows` names, as one long list of samples."""

    def __init__(
        self, paths: Sequence[Path], rows: Callable[[Store], np.ndarray] = _every, *, reach_px: float = 0
    ) -> None:
        """`reach_px`: reference pixels that somebody will look at. Raises UserError where crops hold fewer."""
        self.paths = [Path(path) for path in paths]
        self._rows: list[np.ndarray] = []
        columns: list[dict[str, np.ndarray]] = []
        crop_sizes = set()
        for path in self.paths:
            with open_store(path) as store:
                if not len(store):
                    raise UserError(f"{path}: holds no samples, so there is nothing to train on; normalize it again")
                self._rows.append(chosen := rows(store))
                columns.append({name: store[name][chosen] for name in _COLUMNS})
                store.must_show(reach_px)
                crop_sizes.add(store.crop_size)
        if len(crop_sizes) > 1:
            found = ", ".join(f"{size.px} for {size.reference_px}" for size in sorted(crop_sizes))
            raise UserError(
                f"training sets differ in crop_px for crop_reference_px ({found}); normalize them with one setting"
            )
        self.crop_size = crop_sizes.pop()
        self.columns = {name: np.concatenate([part[name] for part in columns]) for name in _COLUMNS}
        self.starts = np.cumsum([0, *(len(part["visible"]) for part in columns)])
        self._stores: dict[int, Store] = {}
        self._kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return int(self.starts[-1])

    def crop(self, index: int) -> np.ndarray:
        """One decoded crop. Stores are opened on first use, so each worker process holds its own.

        Decoding costs more than all else, so crops are kept while there is room. The first stay for good: in a random
        order without repeats, the last seen would be the last to come again.
        """
        crop = self._kept.get(index)
        if crop is None:
            crop = self._read(index)
            worker = get_worker_info()
            if len(self._kept) * crop.nbytes < KEPT_BYTES // (worker.num_workers if worker else 1):
                self._kept[index] = crop
        return crop

    def _read(self, index: int) -> np.ndarray:
        which, row = self._place(index)
        if which not in self._stores:
            self._stores[which] = store = open_store(self.paths[which]).__enter__()
            if self.paths[which].stat().st_size <= HELD_BYTES:
                store.hold_images()
        return self._stores[which].images(row)

    def sample_id(self, index: int) -> str:
        """A sample's name, with that of its file."""
        which, row = self._place(index)
        with open_store(self.paths[which]) as store:
            return f"{self.paths[which].stem}:{store['sample_id'][row]}"

    def _place(self, index: int) -> tuple[int, int]:
        """Which store a sample is in, and its row there."""
        which = int(np.searchsorted(self.starts, index, side="right")) - 1
        return which, int(self._rows[which][int(index) - int(self.starts[which])])

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_stores": {}, "_kept": {}}


class Batches(Dataset):
    """Item `t` is batch `t`, or the part of it that is asked for: what is in it does not depend on that."""

    def __init__(
        self,
        pools: Sequence[Pool],
        *,
        steps: int,
        batch_size: int,
        image_px: int,
        view_px: int = augment.VIEW_REFERENCE_PX,
        augmentation: AugmentationParams,
        seed: int,
        part: Part = WHOLE,
    ) -> None:
        self.pools, self.steps, self.seed = list(pools), steps, seed
        self.image_px, self.view_px, self.augmentation = image_px, view_px, augmentation
        share, left = divmod(batch_size, len(self.pools))
        self.part = part
        self.counts = [share + (i < left) for i in range(len(self.pools))]
        self._order = lru_cache(maxsize=2 * len(self.pools))(self._shuffled)

    def __len__(self) -> int:
        return self.steps

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_order"}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._order = lru_cache(maxsize=2 * len(self.pools))(self._shuffled)

    def _shuffled(self, pool: int, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, 1, pool, epoch)).permutation(len(self.pools[pool]))

    def indices(self, step: int, pool: int) -> np.ndarray:
        """Which samples of a pool batch `step` holds."""
        count, size = self.counts[pool], len(self.pools[pool])
        places = np.arange(step * count, (step + 1) * count)
        return np.array([self._order(pool, int(place // size))[place % size] for place in places], np.int64)

    def sample_ids(self, step: int) -> list[str]:
        """The names of the samples of batch `step`, or of the part of it, in its order."""
        samples = [(pool, int(i)) for number, pool in enumerate(self.pools) for i in self.indices(step, number)]
        return [pool.sample_id(index) for pool, index in samples[self.part.rows]]

    def __getitem__(self, step: int) -> Batch:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, 2, step))
        starts = np.cumsum([0, *self.counts])
        mine = np.zeros(starts[-1], bool)
        mine[self.part.rows] = True
        parts = [
            self._part(pool, self.indices(step, number), mine[starts[number] : starts[number + 1]], rng)
            for number, pool in enumerate(self.pools)
        ]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Batch(**{name: torch.from_numpy(value) for name, value in joined.items()})

    def _part(
        self, pool: Pool, indices: np.ndarray, mine: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        views = augment.random_views(len(indices), self.augmentation, rng).rows(mine)
        indices = indices[mine]
        labels = {name: column[indices] for name, column in pool.columns.items()}
        matrices = augment.view_matrices(views, crop=pool.crop_size, image_px=self.image_px, view_px=self.view_px)
        images = [augment.warp(pool.crop(i), m, self.image_px) for i, m in zip(indices, matrices, strict=True)]
        keypoints = augment.move_keypoints(labels["keypoints_2d_px"], matrices, views)
        visible = augment.flip_rows(labels["visible"], augment.COCOPLUS_19.flip, views.flip)
        pictures = np.stack(images) if images else np.empty((0, self.image_px, self.image_px, 3), np.uint8)
        return {
            "image": augment.tint(pictures, views),
            "keypoints_norm": _filled(augment.to_norm(keypoints, self.image_px), visible),
            "visible": visible,
            "joints_3d_m": _filled(augment.move_joints_3d(labels["joints_3d_m"], views), labels["has_joints_3d"]),
            "has_joints_3d": labels["has_joints_3d"],
            "pose_axis_angle": _filled(augment.move_pose(labels["pose_axis_angle"], views), labels["has_smpl"]),
            "betas": _filled(labels["betas"], labels["has_smpl"]),
            "has_smpl": labels["has_smpl"],
        }


def iterate(batches: Batches, *, first: int, workers: int) -> Iterator[Batch]:
    """Batches `first`, `first` + 1, ... prepared ahead of use by worker processes.

    A thread fetches the next one while the last is used: handing one over between processes takes milliseconds, and
    more where the machine has other work.
    """
    loader = DataLoader(
        _Handed(batches),
        sampler=range(first, len(batches)),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    made = iter(loader)
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(next, made, None)
        while (batch := coming.result()) is not None:
            if isinstance(batch, UserError):
                raise batch
            coming = ahead.submit(next, made, None)
            yield batch


class _Handed(Dataset):
    """Batches, with a user's mistake handed over as a value: raised in a worker it would come with a traceback."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, step: int) -> Batch | UserError:
        try:
            return self.batches[step]
        except UserError as error:
            return error


def _filled(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 with zeros where the mask is false: missing labels are NaN, which no product with zero removes."""
    return np.where(mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)), values, 0).astype(np.float32)
