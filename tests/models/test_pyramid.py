import dataclasses

import pytest
import torch
from torch import nn

from hmr.errors import UserError
from hmr.models.encoder import make_encoder
from hmr.models.pyramid import KEYPOINTS, Pyramid, cell_centres
from hmr.params import EncoderParams
from hmr.prediction.predictor import folded
from hmr.training.pretrain import maps_loss

SMALL = EncoderParams(form="pyramid", weights="none", blocks=(1, 1, 1), width=12, bottleneck=False)


def pyramid() -> Pyramid:
    torch.manual_seed(0)
    encoder = make_encoder(SMALL)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after some training
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return encoder.eval()


def test_a_pyramid_has_no_bottlenecks():
    with pytest.raises(UserError, match="no bottlenecks"):
        make_encoder(dataclasses.replace(SMALL, bottleneck=True))


def test_cells_lie_evenly_in_the_picture():
    assert cell_centres(torch.empty(1, 2)).tolist() == [[-0.5, 0], [0.5, 0]]
    assert cell_centres(torch.empty(2, 1)).tolist() == [[0, -0.5], [0, 0.5]]
    assert torch.allclose(cell_centres(torch.empty(7, 5)).mean(0), torch.zeros(2), atol=1e-6)


@pytest.mark.parametrize("size", [(80, 80), (56, 56), (64, 96)])
def test_places_are_in_the_picture_and_features_hold_them(size: tuple[int, int]):
    encoder = pyramid()
    with torch.no_grad():
        found = encoder.locate(torch.randn(3, 3, *size))
    assert found.logits.shape[:2] == (3, KEYPOINTS) and found.keypoints_norm.abs().max() < 1
    assert found.features.shape == (3, encoder.features)
    assert torch.equal(found.features[:, -2 * KEYPOINTS :].unflatten(1, (KEYPOINTS, 2)), found.keypoints_norm)


def test_maps_move_with_the_picture():
    """Moved by as many pixels as the coarsest map's cell has, away from the borders."""
    encoder = pyramid()
    picture = torch.randn(1, 3, 320, 320)
    with torch.no_grad():
        before, after = (encoder.locate(x).logits for x in (picture, torch.roll(picture, (16, -16), (2, 3))))
    inner = (..., slice(16, 24), slice(16, 24))
    assert torch.allclose(torch.roll(before, (2, -2), (2, 3))[inner], after[inner], atol=1e-5)
    assert not torch.allclose(before[inner], after[inner], atol=1e-3)


def test_folding_batch_norms_changes_nothing():
    encoder = pyramid()
    with torch.no_grad():
        picture = torch.randn(2, 3, 80, 80)
        assert torch.allclose(folded(encoder)(picture), encoder(picture), atol=1e-5)


def test_the_best_map_is_the_blob_itself():
    cells = cell_centres(torch.empty(10, 10))
    gt = torch.empty(2, KEYPOINTS, 2).uniform_(-0.9, 0.9, generator=torch.Generator().manual_seed(0))
    visible = torch.ones(2, KEYPOINTS, dtype=torch.bool)
    apart = (gt[:, :, None] - cells) * 5
    best = (-apart.square().sum(-1) / (2 * 0.7**2)).unflatten(-1, (10, 10)).requires_grad_()
    loss = maps_loss(best, gt, visible)
    loss.backward()
    assert best.grad.abs().max() < 1e-8  # nothing to gain
    assert maps_loss(torch.zeros_like(best), gt, visible) > loss


def test_what_is_not_shown_teaches_the_maps_nothing():
    gt = torch.zeros(1, KEYPOINTS, 2)
    shown = torch.ones(1, KEYPOINTS, dtype=torch.bool)
    shown[0, :2] = False
    logits = torch.randn(1, KEYPOINTS, 8, 8, requires_grad=True)
    maps_loss(logits, gt, shown).backward()
    assert not logits.grad[0, :2].any() and logits.grad[0, 2:].abs().sum() > 0
    assert maps_loss(logits, gt, torch.zeros_like(shown)) == 0
