import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hmr.geometry.rotations import axis_angle_to_rotmat, mirror_axis_angle, rotmat_to_axis_angle


def random_axis_angle(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, 3)))


@pytest.mark.parametrize("batch", [(), (1,), (2, 3), (0,)])
def test_any_batch_axes(batch):
    assert axis_angle_to_rotmat(random_axis_angle(*batch)).shape == (*batch, 3, 3)
    assert rotmat_to_axis_angle(axis_angle_to_rotmat(random_axis_angle(*batch))).shape == (*batch, 3)


def test_agrees_with_scipy():
    axis_angle = 3 * random_axis_angle(500)
    expected = Rotation.from_rotvec(axis_angle.numpy()).as_matrix()
    np.testing.assert_allclose(axis_angle_to_rotmat(axis_angle).numpy(), expected, atol=1e-12)


def test_there_and_back():
    rotmat = axis_angle_to_rotmat(3 * random_axis_angle(500))
    torch.testing.assert_close(axis_angle_to_rotmat(rotmat_to_axis_angle(rotmat)), rotmat)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-6, np.pi])
def test_there_and_back_at_special_angles(angle):
    axes = torch.nn.functional.normalize(random_axis_angle(50, seed=1), dim=-1)
    rotmat = axis_angle_to_rotmat(axes * angle)
    torch.testing.assert_close(axis_angle_to_rotmat(rotmat_to_axis_angle(rotmat)), rotmat, atol=1e-9, rtol=0)


def test_gradient_is_right_everywhere_and_finite_at_zero():
    axis_angle = torch.cat((torch.zeros(1, 3), random_axis_angle(3), 1e-5 * random_axis_angle(2))).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_rotmat, (axis_angle,), atol=1e-6)


def test_mirror_is_a_reflection_on_both_sides():
    axis_angle, reflect = random_axis_angle(20), torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    expected = reflect @ axis_angle_to_rotmat(axis_angle) @ reflect
    torch.testing.assert_close(axis_angle_to_rotmat(mirror_axis_angle(axis_angle)), expected)
