"""A training in memory: a small network, made-up views, a toy body. Everything that the loop has, in seconds."""

import numpy as np
import torch

from hmr.body.model import BodyModel
from hmr.data.augment import CropSize
from hmr.data.loader import Batches
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.params import (
    AugmentationParams,
    CriticParams,
    EncoderParams,
    ModelParams,
    OptimiserParams,
    PretrainingParams,
    TrainParams,
    ValidationParams,
)
from hmr.training import loop
from hmr.training.objective import RealBodies

CPU = torch.device("cpu")
PARAMS = TrainParams(
    seed=3,
    adv_weight=1.0,
    joints_2d_weight=60.0,
    joints_3d_weight=60.0,
    smpl_weight=60.0,
    keypoints_weight=60.0,
    supervise_every_iteration=False,
    datasets_2d=("lsp",),
    datasets_3d=("human36m",),
    critics=CriticParams(learning_rate=1e-3, factorised=True, hidden=64, gradient_penalty=0.1),
    model=ModelParams(
        image_px=32,
        view_px=160,
        encoder=EncoderParams(form="pyramid", weights="none", blocks=(1, 1), width=12, bottleneck=False),
        iterations=3,
        hidden=64,
        dropout=0.1,
        trainable_start=True,
    ),
    pretraining=PretrainingParams(
        steps=60, learning_rate=4e-3, muon_learning_rate=0.05, turn_deg=0.0, tint=0.0, torch_threads=1
    ),
    validation=ValidationParams(every_steps=0, samples=8),
    optimiser=OptimiserParams(
        steps=40,
        batch_size=8,
        accumulate=1,
        learning_rate=2e-3,
        muon_learning_rate=0.05,
        warmup_steps=5,
        final_lr_fraction=0.1,
        weight_decay=0.0,
        precision="float32",
        torch_threads=1,
    ),
    augmentation=AugmentationParams(jitter_px=20.0, scale_min=0.8, scale_max=1.23, turn_deg=0.0, flip=True, tint=0.0),
)


class MadeUpPool:
    """Crops of four colours each, enough to tell them apart, with or without 3D labels."""

    crop_size = CropSize(46, 320)

    def __init__(self, *, with_3d: bool, size: int = 24) -> None:
        rng = np.random.default_rng(with_3d)
        patches = rng.integers(0, 256, (size, 2, 2, 3), dtype=np.uint8)
        self.crops = patches.repeat(23, axis=1).repeat(23, axis=2)
        missing = 1.0 if with_3d else np.nan
        flags = np.full(size, with_3d)
        self.columns = {
            "keypoints_2d_px": rng.uniform(10, 36, (size, 19, 2)).astype(np.float32),
            "visible": rng.random((size, 19)) < 0.8,
            "joints_3d_m": (missing * 0.3 * rng.normal(size=(size, 14, 3))).astype(np.float32),
            "has_joints_3d": flags,
            "pose_axis_angle": (missing * 0.3 * rng.normal(size=(size, 24, 3))).astype(np.float32),
            "betas": (missing * rng.normal(size=(size, 10))).astype(np.float32),
            "has_smpl": flags,
        }

    def __len__(self) -> int:
        return len(self.crops)

    def crop(self, index: int) -> np.ndarray:
        return self.crops[index]

    def sample_id(self, index: int) -> str:
        return f"{'indoor' if self.columns['has_smpl'][index] else 'wild'}:{index}"


def batches(params: TrainParams) -> Batches:
    pools = [MadeUpPool(with_3d=False)] + [MadeUpPool(with_3d=True)] * bool(params.datasets_3d)
    return Batches(
        pools,
        steps=params.optimiser.steps,
        batch_size=params.optimiser.batch_size,
        image_px=params.model.image_px,
        augmentation=params.augmentation,
        seed=params.seed,
    )


def draw_real(step: int) -> RealBodies:
    rng = np.random.default_rng(step)
    pose = torch.from_numpy(0.2 * rng.normal(size=(24, 23, 3))).float()
    return RealBodies(axis_angle_to_rotmat(pose), torch.from_numpy(rng.normal(size=(24, 10))).float())


def trained(params: TrainParams, body: BodyModel, state: loop.State | None = None, **options) -> loop.State:
    with torch.random.fork_rng():
        state = state or loop.new_state(params, torch.zeros(85), CPU)
        return loop.train(
            state, params, body=body, batches=batches(params), draw_real=draw_real, device=CPU, workers=0, **options
        )
