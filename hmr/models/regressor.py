"""Iterative error feedback: correct the camera, pose and shape a few times with one set of weights (paper 3.2).

The state is the paper's theta, 85 numbers: camera s, tx, ty; 24 axis-angle triples, root first; 10 betas.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

THETA = 85


class IterativeRegressor(nn.Module):
    """theta <- theta + f(features, theta), T times from one start vector.

    # ASSUME: two dropouts, ReLU after both hidden layers, and a start vector that is trained, as the method's code
    has it; the paper (3.4) names one dropout and a fixed mean.
    """

    def __init__(
        self,
        *,
        features: int,
        hidden: int,
        dropout: float,
        iterations: int,
        start: Float[Tensor, "85"],
        trainable: bool,
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.start = nn.Parameter(start.clone(), requires_grad=trainable)
        self.layers = nn.Sequential(
            *(nn.Linear(features + THETA, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)),
            *(nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)),
            nn.Linear(hidden, THETA),
        )
        nn.init.xavier_uniform_(self.layers[-1].weight, gain=0.1)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "iterations batch 85"]:
        """Every iteration's theta, the last one last."""
        first, then = self.layers[0], self.layers[1:]
        of_features, of_theta = first.weight[:, :-THETA], first.weight[:, -THETA:]
        seen = linear(features, of_features, first.bias)  # the same in each round
        theta = self.start.expand(features.shape[0], -1)
        thetas = []
        for _ in range(self.iterations):
            theta = theta + then(seen + linear(theta, of_theta))
            thetas.append(theta)
        return torch.stack(thetas)
