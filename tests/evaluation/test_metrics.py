import numpy as np
import pytest
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation
from skimage.transform import SimilarityTransform

from hmr.evaluation.metrics import (
    auc_percent,
    centred,
    joint_errors_mm,
    mean_by,
    pck_percent,
    perspective_corrected,
    torso_px,
)
from hmr.geometry.alignment import similarity_align


def random_joints(*batch, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, (*batch, 14, 3))


def aligned_mm(pred, gt):
    return joint_errors_mm(pred_joints_m=similarity_align(pred, onto=gt), gt_joints_m=gt)


@pytest.mark.parametrize("batch", [(), (1,), (2, 3), (0,)])
def test_similarity_moves_cost_nothing(batch):
    gt = random_joints(*batch)
    moved = 2.5 * gt @ Rotation.from_rotvec((0.4, 2, -1)).as_matrix().T + (0.1, -3, 7)
    errors = aligned_mm(moved, gt)
    assert errors.shape == (*batch, 14)
    np.testing.assert_allclose(errors, 0, atol=1e-9)


def test_a_mirror_image_is_not_a_rotation():
    gt = random_joints(5)
    assert (aligned_mm(gt * (-1, 1, 1), gt).mean(1) > 20).all()


def test_ten_millimetres_is_ten():
    gt = random_joints(3)
    np.testing.assert_allclose(joint_errors_mm(pred_joints_m=gt + np.array([0, 0, 0.010]), gt_joints_m=gt), 10)


def test_where_the_body_stands_does_not_count():
    gt = random_joints(3)
    moved = centred(gt + np.array([1, 2, 3]), [2, 3])
    np.testing.assert_allclose(moved, centred(gt, [2, 3]), atol=1e-12)
    np.testing.assert_allclose(moved[:, 2] + moved[:, 3], 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_alignment_agrees_with_other_programs(seed):
    """scipy allows reflections, so it is asked about shapes that need none; scikit-image is asked about any two."""
    gt, other = random_joints(seed=seed), random_joints(seed=seed + 100)
    transform = SimilarityTransform.from_estimate(other, gt) if hasattr(SimilarityTransform, "from_estimate") else None
    if transform is None:
        transform = SimilarityTransform(dimensionality=3)
        assert transform.estimate(other, gt)
    np.testing.assert_allclose(similarity_align(other, onto=gt), transform(other), atol=1e-9)
    near = gt + 0.1 * other
    scale = np.linalg.norm(gt - gt.mean(0))
    disparity = ((similarity_align(near, onto=gt) - gt) ** 2).sum() / scale**2
    assert disparity == pytest.approx(procrustes(gt, near)[2], rel=1e-9)


def test_alignment_never_costs_in_squares():
    gt, pred = random_joints(50), random_joints(50, seed=1)
    plain = joint_errors_mm(pred_joints_m=centred(pred, range(14)), gt_joints_m=centred(gt, range(14)))
    assert ((aligned_mm(pred, gt) ** 2).sum(1) <= (plain**2).sum(1) + 1e-9).all()


def test_a_constant_error_has_a_known_area():
    """31 thresholds 0, 5, ... 150; an error of 60 lies strictly below 65, 70, ... 150, which are 18."""
    assert auc_percent(np.full((4, 14), 60.0)) == pytest.approx(100 * 18 / 31)
    assert auc_percent(np.zeros((4, 14))) == pytest.approx(100 * 30 / 31)
    assert auc_percent(np.full((4, 14), 150.0)) == 0


def test_correct_is_strictly_below_the_threshold():
    assert pck_percent(np.array([149.9, 150.0, 150.1, 0.0])) == 50


def test_means_by_group():
    assert mean_by(np.array([1.0, 2.0, 6.0]), ["b", "a", "b"]) == {"a": 2.0, "b": 3.5}


def test_a_body_in_the_middle_is_not_corrected_and_one_aside_is_turned_to_the_camera_frame():
    joints = random_joints(2)
    root_px = np.array([[50.0, 9.0], [150.0, 9.0]])
    turned = perspective_corrected(
        joints, root_px=root_px, focal_px=np.full(2, 100.0), principal_px=np.full((2, 2), 50.0)
    )
    np.testing.assert_allclose(turned[0], joints[0], atol=1e-12)
    eighth = Rotation.from_rotvec((0, np.pi / 4, 0)).as_matrix()
    np.testing.assert_allclose(turned[1], joints[1] @ eighth.T, atol=1e-12)
    assert (eighth @ (0, 0, 1))[0] > 0  # what was straight ahead is now to the right, where the person stands


def test_the_torso_is_the_longest_labelled_way():
    points = np.array([[[0.0, 0.0], [10.0, 0.0], [0.0, 30.0], [10.0, 40.0]]] * 3)
    labelled = np.array([[True] * 4, [True, False, True, False], [True, True, False, False]])
    lengths = torso_px(points, labelled, shoulders=[0, 1], hips=[2, 3])
    np.testing.assert_allclose(lengths[:2], [np.hypot(10, 40), 30])
    assert np.isnan(lengths[2])
