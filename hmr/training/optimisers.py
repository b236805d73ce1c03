"""What changes the weights: Adam as in the paper, and for the encoder's convolutions Muon, where it is wanted.

# ASSUME: the paper's optimiser is Adam for everything (section 3.4), and preset paper's is. A short training from
random weights needs half the steps with Muon (docs/method.md has the figures).
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr.params import OptimiserParams

_MOMENTUM = 0.95
_ROUNDS = 5
# Of the polynomial a x + b x^3 + c x^5, which brings singular values from (0, 1] to near 1 in few rounds.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def network_optimisers(network: nn.Module, settings: OptimiserParams) -> dict[str, torch.optim.Optimizer]:
    """By name: "network", one fused Adam for all weights, or all but the "kernels", which are Muon's."""
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    kernels = [weight for weight in trained if weight.ndim == 4] if settings.muon_learning_rate else []
    taken = set(map(id, kernels))
    rest = [weight for weight in trained if id(weight) not in taken]
    adam = torch.optim.AdamW(rest, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    muon = {"kernels": Muon(kernels, settings.muon_learning_rate)} if kernels else {}
    return {"network": adam, **muon}


class Muon(torch.optim.Optimizer):
    """Momentum whose every update is made orthogonal first, so that rare directions of a kernel move as far as common
    ones (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks").

    torch.optim.Muon takes matrices only, and multiplies in 16 bits, for which it takes twice as long on processors with
    units for that and up to 17 times on others.
    """

    def __init__(self, kernels: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(kernels, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Move every kernel that has a gradient. A closure is not called, as the gradients are there."""
        for group in self.param_groups:
            for kernel in (k for k in group["params"] if k.grad is not None):
                state = self.state[kernel]
                if not state:
                    state["momentum"] = torch.zeros_like(kernel)
                momentum = state["momentum"].lerp_(kernel.grad, 1 - _MOMENTUM)
                update = orthogonal(kernel.grad.lerp(momentum, _MOMENTUM).flatten(1))
                rows, columns = update.shape
                kernel.add_(update.view_as(kernel), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Nearly the nearest matrix with orthonormal rows, or columns where those are fewer: its singular values are 0.7 to
    1.2, but for those that were next to nothing. By Newton and Schulz' iteration, which needs no decomposition.

    Each round multiplies by a polynomial of the small `near @ near.T`, and all of those commute. So rounds act on that
    alone, and what is long is multiplied twice, not ten times: two thirds of the time for the encoder's kernels.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    near = matrix / (matrix.norm() + 1e-7)
    gram, turn = near @ near.T, torch.eye(len(near)).to(near)
    for _ in range(_ROUNDS):
        factor = torch.addmm(gram, gram, gram, beta=_B, alpha=_C)
        factor.diagonal().add_(_A)
        gram, turn = factor @ gram @ factor, factor @ turn
    return turn @ near
