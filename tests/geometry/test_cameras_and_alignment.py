import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hmr.geometry.alignment import similarity_align
from hmr.geometry.cameras import perspective, weak_perspective


def points(*batch: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*batch, 14, 3))


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
def test_similarity_moves_are_undone(batch):
    gt = points(*batch)
    moved = 2.5 * gt @ Rotation.from_rotvec((0.3, -2, 1)).as_matrix().T + (0.1, -3, 7)
    np.testing.assert_allclose(similarity_align(moved, onto=gt), gt, atol=1e-12)


def test_a_mirror_image_is_not_a_rotation():
    gt = points()
    assert np.linalg.norm(similarity_align(gt * (-1, 1, 1), onto=gt) - gt, axis=-1).mean() > 0.3


def test_alignment_is_the_best_similarity():
    source, gt = points(seed=1), points(seed=2)
    best = ((similarity_align(source, onto=gt) - gt) ** 2).sum()
    rng = np.random.default_rng(3)
    for _ in range(200):
        nudge = Rotation.from_rotvec(0.05 * rng.normal(size=3)).as_matrix() * (1 + 0.05 * rng.normal())
        other = similarity_align(source, onto=gt) @ nudge.T + 0.05 * rng.normal(size=3)
        assert ((other - gt) ** 2).sum() >= best - 1e-12


def test_coinciding_points_go_to_the_centre():
    gt = points()
    np.testing.assert_allclose(similarity_align(np.ones((14, 3)), onto=gt), np.broadcast_to(gt.mean(0), (14, 3)))


def test_weak_perspective_ignores_depth_and_shifts_inside_the_scale():
    xyz = torch.tensor([[0.5, -0.25, 9.0]])
    projected = weak_perspective(xyz, cam_scale=torch.tensor([0.8]), cam_shift=torch.tensor([0.1, 0.2]))
    torch.testing.assert_close(projected, torch.tensor([[0.8 * 0.6, 0.8 * -0.05]]))


def test_a_distant_long_lens_is_weak_perspective():
    xyz = torch.from_numpy(points())
    far = 1e6
    pinhole = perspective(xyz + torch.tensor([0, 0, far]), focal_px=0.8 * far, principal_px=torch.zeros(2).double())
    flat = weak_perspective(xyz, cam_scale=torch.tensor([0.8]).double(), cam_shift=torch.zeros(2).double())
    torch.testing.assert_close(pinhole, flat, atol=1e-4, rtol=0)
