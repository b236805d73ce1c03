"""Muon: laws of its updates, and agreement with torch's own."""

import dataclasses
from itertools import chain

import pytest
import torch
from made_up_training import PARAMS
from torch import nn

from hmr.training.optimisers import Muon, network_optimisers, orthogonal


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(8, 8), (24, 48), (96, 432), (432, 96), (1, 7), (64, 1)])
def test_all_singular_values_come_near_one(shape):
    values = torch.linalg.svdvals(orthogonal(random(*shape)))
    assert values.min() > (0.6 if shape != (8, 8) else 0.3) and values.max() < 1.25


def test_directions_stay_as_they_are():
    matrix = random(12, 40)
    u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ orthogonal(matrix) @ vt.T
    torch.testing.assert_close(turned, turned.diagonal().diag(), rtol=0, atol=1e-5)


def test_size_does_not_matter_and_sides_may_be_swapped():
    matrix = random(12, 40)
    torch.testing.assert_close(orthogonal(1000 * matrix), orthogonal(matrix), rtol=0, atol=1e-5)
    torch.testing.assert_close(orthogonal(-matrix), -orthogonal(matrix))
    torch.testing.assert_close(orthogonal(matrix.T), orthogonal(matrix).T)
    assert orthogonal(torch.zeros(3, 5)).count_nonzero() == 0


@pytest.mark.parametrize("shape", [(16, 4, 3, 3), (48, 4, 3, 3), (16, 24, 1, 1)])
def test_steps_are_those_of_torch(shape):
    """torch's takes matrices, and works in 16 bits."""
    ours = nn.Parameter(random(*shape).to(memory_format=torch.channels_last))
    theirs = nn.Parameter(ours.detach().flatten(1).clone())
    before = theirs.detach().clone()
    pair = Muon([ours], 0.1), torch.optim.Muon([theirs], 0.1, weight_decay=0.0)
    for step in range(4):
        gradient = random(*shape, seed=step + 1)
        ours.grad, theirs.grad = gradient, gradient.flatten(1)
        for optimiser in pair:
            optimiser.step()
    apart = (ours.detach().flatten(1) - theirs.detach()).norm() / (theirs.detach() - before).norm()
    assert apart < 0.02


def test_a_kernel_without_gradient_stays():
    moved, left = (nn.Parameter(random(4, 4, 1, 1)) for _ in range(2))
    moved.grad = random(4, 4, 1, 1, seed=1)
    Muon([moved, left], 0.1).step()
    assert torch.equal(left, random(4, 4, 1, 1)) and not torch.equal(moved, left)


def test_every_weight_has_one_optimiser_and_muon_only_convolutions():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    network[2].bias.requires_grad_(False)
    wanted = [p for p in network.parameters() if p.requires_grad]
    for rate, kernels in ((0.0, 0), (0.1, 1)):
        settings = dataclasses.replace(PARAMS.optimiser, muon_learning_rate=rate)
        held = {
            name: [p for group in optimiser.param_groups for p in group["params"]]
            for name, optimiser in network_optimisers(network, settings).items()
        }
        assert sorted(map(id, chain.from_iterable(held.values()))) == sorted(map(id, wanted))
        assert len(held.get("kernels", [])) == kernels
