import math

import pytest
import torch

from hmr.geometry.rotations import axis_angle_to_rotmat, rotmat_to_axis_angle
from hmr.models.critics import Critics
from hmr.models.encoder import Encoder
from hmr.models.hmr import Network, mean_rotation_axis_angle, read_theta, start_theta
from hmr.models.regressor import IterativeRegressor
from hmr.params import EncoderParams, ModelParams

SMALL = ModelParams(
    image_px=32,
    view_px=224,
    encoder=EncoderParams(form="preactivation", weights="none", blocks=(1, 1, 1, 1), width=8, bottleneck=False),
    iterations=3,
    hidden=32,
    dropout=0.5,
    trainable_start=True,
)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_encoder_is_resnet_50_v2():
    encoder = Encoder(blocks=(3, 4, 6, 3), width=64, bottleneck=True)
    assert encoder.features == 2048
    # Published counts of trainable parameters: 25,568,360 with the classifier of 1000 classes, 2,049,000 of them.
    assert count(encoder) == 25_568_360 - 2_049_000


def test_the_critics_have_the_codes_parameter_count():
    assert count(Critics()) == 320 + 1056 + 759 + 754_688 + 1_049_600 + 1025 + 110 + 55 + 6


def test_critics_judge_each_joint_alone():
    critics = Critics()
    rotmat = axis_angle_to_rotmat(torch.randn(2, 23, 3))
    moved = rotmat.clone()
    moved[:, 7] = axis_angle_to_rotmat(torch.randn(2, 3))
    betas = torch.randn(2, 10)
    changed = (critics(rotmat, betas) != critics(moved, betas)).any(0)
    assert changed.nonzero()[:, 0].tolist() == [7, 23]  # its own critic and the full pose's


def test_the_unfactorised_critic_is_one():
    assert Critics(factorised=False)(torch.randn(4, 23, 3, 3), torch.randn(4, 10)).shape == (4, 1)


def test_encoder_downsamples_by_32_and_takes_any_size():
    encoder = Encoder(blocks=(1, 1, 1, 1), width=8, bottleneck=False)
    assert encoder.units(encoder.stem(torch.zeros(1, 3, 64, 96))).shape[2:] == (2, 3)
    assert encoder(torch.zeros(2, 3, 64, 96)).shape == (2, encoder.features)


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_each_iteration_adds_one_correction_with_the_same_weights(iterations):
    regressor = IterativeRegressor(
        features=4, hidden=8, dropout=0.0, iterations=iterations, start=torch.randn(85), trainable=False
    )
    features = torch.randn(5, 4)
    thetas = regressor(features)
    assert thetas.shape == (iterations, 5, 85)
    before = regressor.start.expand(5, -1)
    for theta in thetas:
        torch.testing.assert_close(theta, before + regressor.layers(torch.cat((features, before), 1)))
        before = theta


def test_last_layer_starts_small():
    layer = IterativeRegressor(
        features=2048, hidden=1024, dropout=0.5, iterations=3, start=torch.zeros(85), trainable=True
    ).layers[-1]
    limit = 0.1 * math.sqrt(6 / (1024 + 85))
    assert 0.9 * limit < layer.weight.abs().max() <= limit


def test_start_is_trained_only_when_asked():
    for trainable in (True, False):
        regressor = IterativeRegressor(
            features=4, hidden=8, dropout=0.0, iterations=3, start=torch.zeros(85), trainable=trainable
        )
        assert regressor.start.requires_grad is trainable


def test_the_start_stands_upright_in_an_image_whose_y_points_down():
    start = start_theta(torch.randn(24, 3), torch.randn(10))
    estimate = read_theta(start)
    assert start[0].item() == pytest.approx(0.9)
    torch.testing.assert_close(
        estimate.full_pose_rotmat[0] @ torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, -1.0, 0.0]), atol=1e-6, rtol=0
    )


def test_network_is_deterministic_when_predicting():
    network = Network(SMALL, torch.zeros(85)).eval()
    image = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(network(image), network(image), rtol=0, atol=0)
    torch.testing.assert_close(network(image)[:, :1], network(image[:1]), atol=1e-5, rtol=1e-4)


def test_mean_rotation_of_a_symmetric_spread_is_its_middle():
    middle = axis_angle_to_rotmat(torch.tensor([[0.4, -0.2, 1.0]]))
    swing = axis_angle_to_rotmat(torch.tensor([[[0.5, 0.0, 0.0]], [[-0.5, 0.0, 0.0]]]))
    spread = rotmat_to_axis_angle(middle @ swing)
    torch.testing.assert_close(mean_rotation_axis_angle(spread), torch.tensor([[0.4, -0.2, 1.0]]), atol=1e-5, rtol=0)
