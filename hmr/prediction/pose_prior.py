"""What poses people take: a mixture of Gaussians over body poses, learned from the motion-capture pool."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from sklearn.mixture import GaussianMixture
from torch import Tensor

from hmr.mocap.pool import MocapPool

BODY_POSE = 69  # 23 joints without the root, axis-angle
# Adds 1 degree or so of spread, so that joints which never move in the pool do not make the prior singular.
_SPREAD = 0.02**2


class PosePrior:
    """Gaussians over the 69 numbers of a body pose (Bogo et al. 2016, section 3.2)."""

    def __init__(
        self, weights: Float[Tensor, k], means: Float[Tensor, "k 69"], whitening: Float[Tensor, "k 69 69"]
    ) -> None:
        """whitening: (pose - mean) @ whitening has unit covariance under its Gaussian."""
        self.means, self.whitening = means, whitening
        log_densities = torch.log(weights) + torch.log(torch.diagonal(whitening, dim1=1, dim2=2)).sum(-1)
        self.offsets = log_densities.max() - log_densities

    @classmethod
    def learn(cls, pool: MocapPool, *, components: int, frames: int, seed: int) -> PosePrior:
        """Fit to `frames` drawn frames of the pool by expectation maximisation."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(pool), min(frames, len(pool)), replace=False)
        poses = pool.at(rows)[0][:, 1:].reshape(-1, BODY_POSE).astype(np.float64)
        mixture = GaussianMixture(
            min(components, len(poses)),
            reg_covar=_SPREAD,
            max_iter=200,
            tol=0.01,
            random_state=seed,
            init_params="k-means++",
        ).fit(poses)
        # precisions_cholesky_ is upper triangular with a positive diagonal: pose @ it has unit covariance.
        arrays = (mixture.weights_, mixture.means_, mixture.precisions_cholesky_)
        return cls(*(torch.from_numpy(array).float() for array in arrays))

    def to(self, device: torch.device) -> PosePrior:
        """The same prior on another device."""
        moved = object.__new__(PosePrior)
        moved.means, moved.whitening, moved.offsets = (
            tensor.to(device) for tensor in (self.means, self.whitening, self.offsets)
        )
        return moved

    def __call__(self, body_pose: Float[Tensor, "*batch 69"]) -> Float[Tensor, "*batch"]:
        """Negative log of the likeliest Gaussian's weighted density, up to a constant; at least 0.

        The likeliest one stands for the sum, as in Bogo et al.'s equation 6: squares without a logarithm round them.
        """
        away = torch.einsum("...kd,kde->...ke", body_pose[..., None, :] - self.means, self.whitening)
        return (0.5 * (away**2).sum(-1) + self.offsets).amin(-1)
