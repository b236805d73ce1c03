"""Where the regressor starts: the mean body of a motion-capture pool."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hmr.data.augment import VIEW_REFERENCE_PX
from hmr.mocap.pool import MocapPool
from hmr.models.hmr import mean_rotation_axis_angle, start_theta

FRAMES = 20_000


def mean_start(pool: MocapPool, view_px: int = VIEW_REFERENCE_PX) -> Float[Tensor, "85"]:
    """The start vector of a pool's mean pose and mean betas, from `FRAMES` of its frames at most.

    In a view of fewer reference pixels than the paper's 224 a person looks as much larger.

    # ASSUME: the method starts from a file of mean SMPL parameters that is no longer published; the mean of the pool
    that the critics see stands for it.
    """
    pose_axis_angle, betas = pool.sample(np.random.default_rng(0), min(len(pool), FRAMES))
    pose = mean_rotation_axis_angle(torch.from_numpy(np.ascontiguousarray(pose_axis_angle, np.float32)))
    start = start_theta(pose, torch.from_numpy(betas.astype(np.float32)).mean(0))
    start[0] *= VIEW_REFERENCE_PX / view_px
    return start
