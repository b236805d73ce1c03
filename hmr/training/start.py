"""Where the regressor starts: the mean body of a motion-capture pool."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hmr.mocap.pool import MocapPool
from hmr.models.hmr import mean_rotation_axis_angle, start_theta

FRAMES = 20_000


def mean_start(pool: MocapPool) -> Float[Tensor, "85"]:
    """The start vector of a pool's mean pose and mean betas, from `FRAMES` of its frames at most.

    # ASSUME: the method starts from a file of mean SMPL parameters that is no longer published; the mean of the pool
    that the critics see stands for it.
    """
    pose_axis_angle, betas = pool.sample(np.random.default_rng(0), min(len(pool), FRAMES))
    pose = mean_rotation_axis_angle(torch.from_numpy(np.ascontiguousarray(pose_axis_angle, np.float32)))
    return start_theta(pose, torch.from_numpy(betas.astype(np.float32)).mean(0))
