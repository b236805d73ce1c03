"""What a training draws from: batches of the sets that its parameters name, and real bodies for the critics; and what
of the sets is set aside to watch it by.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from hmr.data import augment, held_out
from hmr.data.loader import Batch, Batches, Pool
from hmr.data.store import open_store
from hmr.errors import UserError
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap.pool import MocapPool
from hmr.params import TrainParams, training_inputs
from hmr.training import processes
from hmr.training.loop import DrawReal
from hmr.training.objective import RealBodies


def batches_of(data: list[Path], params: TrainParams) -> Batches:
    """One pool of the sets with 2D labels, one of those with 3D; every file's own `dataset` says where it belongs."""
    by_name = _by_name(data)
    if missing := [name for name in training_inputs(params) if name not in by_name]:
        raise UserError(
            f"--data: no file of {', '.join(missing)}, which params.yaml's train.datasets_2d or datasets_3d name;"
            f" found {', '.join(by_name)}; add the files or shorten the lists"
        )
    groups = [[by_name[name] for name in names] for names in (params.datasets_2d, params.datasets_3d)]
    optimiser, rows = params.optimiser, partial(held_out.trained_on, wanted=wanted(params))
    reach_px = augment.reach_px(params.model.view_px, params.augmentation)
    return Batches(
        [Pool(group, rows, reach_px=reach_px) for group in groups if group],
        steps=optimiser.steps,
        batch_size=optimiser.batch_size,
        image_px=params.model.image_px,
        view_px=params.model.view_px,
        augmentation=params.augmentation,
        seed=params.seed,
        part=processes.share(),
    )


def watched(data: list[Path], params: TrainParams) -> list[Batch]:
    """What is set aside of each set, as evaluation would see it; nothing of a set that is too small."""
    by_name, rows = _by_name(data), partial(held_out.watched, wanted=wanted(params))
    pools = [Pool([by_name[name]], rows) for name in training_inputs(params)] if wanted(params) else []
    return [
        Batches(
            [pool],
            steps=1,
            batch_size=len(pool),
            image_px=params.model.image_px,
            view_px=params.model.view_px,
            augmentation=augment.UNCHANGED,
            seed=0,
        )[0]
        for pool in pools
        if len(pool)
    ]


def wanted(params: TrainParams) -> int:
    """How many samples of each set are watched."""
    return params.validation.samples if params.validation.every_steps else 0


def _by_name(data: list[Path]) -> dict[str, Path]:
    found = {}
    for path in data:
        with open_store(path) as store:
            found[str(store.attributes["dataset"])] = path
    return found


def real_bodies(pool: MocapPool, params: TrainParams, device: torch.device) -> DrawReal:
    """As many real bodies as a step has predicted ones: batch size times iterations (the code's 192)."""
    count = params.optimiser.batch_size * params.model.iterations

    def draw(step: int) -> RealBodies:
        pose, betas = pool.sample(np.random.default_rng((params.seed, 3, step)), count)
        rotmat = axis_angle_to_rotmat(torch.from_numpy(pose[:, 1:]).to(device))
        return RealBodies(rotmat, torch.from_numpy(betas).to(device))

    return draw
