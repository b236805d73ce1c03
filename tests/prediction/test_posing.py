import numpy as np
import pytest
import torch

from hmr.body.model import BodyModel
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.models.hmr import read_theta
from hmr.prediction import posing
from hmr.prediction.posing import Posing


def poses(count: int) -> torch.Tensor:
    return torch.cat((0.3 * torch.randn(count, 75), torch.randn(count, 10)), 1)


@pytest.mark.parametrize(("half", "within_m"), [(False, 2e-6), (posing._HALF, 5e-5)])
def test_bodies_are_the_models(toy_file, monkeypatch, half, within_m):
    monkeypatch.setattr(posing, "_HALF", half)
    torch.manual_seed(0)
    body, theta = BodyModel.load(toy_file), poses(7)
    estimate = read_theta(theta)
    posed = body(betas=estimate.betas, full_pose_rotmat=estimate.full_pose_rotmat)
    vertices, keypoints, *_ = Posing(body)(theta)
    torch.testing.assert_close(vertices, posed.vertices, atol=within_m, rtol=0)
    torch.testing.assert_close(keypoints, body.keypoints(posed.vertices), atol=within_m, rtol=0)


def test_a_shape_at_rest_loses_nothing_to_small_weights(toy_file):
    body, theta = BodyModel.load(toy_file), torch.zeros(1, 85)
    theta[:, 75:] = 5.0
    rest = body(betas=theta[:, 75:], full_pose_rotmat=torch.eye(3).expand(1, 24, 3, 3))
    torch.testing.assert_close(Posing(body)(theta)[0], rest.vertices, atol=5e-6, rtol=0)


def test_rotations_are_rodrigues(toy_file):
    torch.manual_seed(0)
    turns = torch.cat((torch.zeros(1, 3), torch.eye(3) * torch.pi, 1e-9 * torch.randn(2, 3), 2 * torch.randn(50, 3)))
    found = Posing(BodyModel.load(toy_file)).rotations(turns)
    torch.testing.assert_close(found.view(-1, 3, 3), axis_angle_to_rotmat(turns), atol=1e-6, rtol=0)


def test_runs_end_where_the_skeleton_branches():
    np.testing.assert_array_equal(posing._runs([-1, 0, 0, 1, 3, 2, 2]), [0, 1, 2, 1, 1, 5, 6])
