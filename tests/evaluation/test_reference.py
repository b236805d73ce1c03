"""The protocols' numbers against other programs' and against a slow reference written from the protocols' text."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from sklearn.metrics import accuracy_score, f1_score

from hmr.body.joints import LSP_14
from hmr.evaluation import segmentation
from hmr.evaluation.metrics import auc_percent, both_errors_mm, centred, joint_errors_mm, pck_percent
from hmr.geometry.alignment import similarity_align

HIPS = [LSP_14.index("right_hip"), LSP_14.index("left_hip")]


def random_pairs(count, seed=0):
    rng = np.random.default_rng(seed)
    gt = rng.normal(0, 0.3, (count, 14, 3))
    return 1.3 * gt @ Rotation.from_rotvec((0.3, 1, 0)).as_matrix().T + rng.normal(0, 0.1, gt.shape) + (0, 0, 4), gt


def mpjpe_mm(pred, gt):
    return joint_errors_mm(pred_joints_m=centred(pred, HIPS), gt_joints_m=centred(gt, HIPS)).mean(-1)


def pa_mpjpe_mm(pred, gt):
    return joint_errors_mm(pred_joints_m=similarity_align(pred, onto=gt), gt_joints_m=gt).mean(-1)


def slow_mpjpe_mm(pred, gt):
    """Joint by joint, sample by sample."""
    means = []
    for p, g in zip(pred, gt, strict=True):
        p_root, g_root = (p[2] + p[3]) / 2, (g[2] + g[3]) / 2
        means.append(sum(float(np.sqrt(sum((p[j] - p_root - g[j] + g_root) ** 2))) for j in range(14)) / 14 * 1000)
    return np.array(means)


def slow_pa_mpjpe_mm(pred, gt):
    """SciPy finds the rotation; scale and shift follow by least squares."""
    means = []
    for p, g in zip(pred, gt, strict=True):
        p0, g0 = p - p.mean(0), g - g.mean(0)
        turned = Rotation.align_vectors(g0, p0)[0].apply(p0)
        scale = (turned * g0).sum() / (p0**2).sum()
        means.append(1000 * np.linalg.norm(scale * turned - g0, axis=1).mean())
    return np.array(means)


def test_all_at_once_is_one_by_one_within_a_nanometre():
    pred, gt = random_pairs(200)
    np.testing.assert_allclose(mpjpe_mm(pred, gt), slow_mpjpe_mm(pred, gt), atol=1e-6)  # millimetres: 1e-9 m
    np.testing.assert_allclose(pa_mpjpe_mm(pred, gt), slow_pa_mpjpe_mm(pred, gt), atol=1e-6)


def test_blocks_do_not_show():
    pred, gt = random_pairs(2500)
    plain, aligned = both_errors_mm(pred_joints_m=pred, gt_joints_m=gt, roots=HIPS)
    np.testing.assert_allclose(plain.mean(1), mpjpe_mm(pred, gt), atol=1e-9)
    np.testing.assert_allclose(aligned.mean(1), pa_mpjpe_mm(pred, gt), atol=1e-9)


def test_one_joint_moved_by_ten_millimetres_is_ten_fourteenths():
    _, gt = random_pairs(1)
    moved = gt.copy()
    moved[0, LSP_14.index("left_wrist"), 1] += 0.010
    assert mpjpe_mm(moved, gt) == pytest.approx([10 / 14])


def test_one_frame_and_none():
    pred, gt = random_pairs(1)
    assert mpjpe_mm(pred[0], gt[0]) == pytest.approx(mpjpe_mm(pred, gt)[0])
    assert mpjpe_mm(pred[:0], gt[:0]).shape == pa_mpjpe_mm(pred[:0], gt[:0]).shape == (0,)


@pytest.mark.parametrize("shape", ["a line", "a plane", "a point", "two points"])
def test_degenerate_bodies_align_onto_themselves(shape):
    _, gt = random_pairs(3)
    flat = gt * {"a line": (1, 0, 0), "a plane": (1, 1, 0), "a point": (0, 0, 0), "two points": (0, 0, 0)}[shape]
    if shape == "two points":
        flat[:, :7] += 1.0
    moved = 0.5 * flat @ Rotation.from_rotvec((1, 2, 0.5)).as_matrix().T + (1, 2, 3)
    errors = pa_mpjpe_mm(moved, flat)
    assert np.isfinite(errors).all()
    np.testing.assert_allclose(errors, 0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 0, 0), (0, 0, 0)])
def test_a_degenerate_prediction_of_a_body_is_finite_and_no_better_than_its_centre(shape):
    pred, gt = random_pairs(5)
    errors = joint_errors_mm(pred_joints_m=similarity_align(pred * shape, onto=gt), gt_joints_m=gt)
    at_centre = joint_errors_mm(pred_joints_m=np.broadcast_to(gt.mean(1, keepdims=True), gt.shape), gt_joints_m=gt)
    assert np.isfinite(errors).all()
    assert ((errors**2).sum(1) <= (at_centre**2).sum(1) * (1 + 1e-9)).all()


def test_the_edge_of_pck_is_strict_in_metres_as_well():
    gt = np.zeros((1, 14, 3))
    pred = gt.copy()
    pred[0, :7, 0], pred[0, 7:, 0] = 0.150, np.nextafter(0.150, 0)
    assert pck_percent(joint_errors_mm(pred_joints_m=pred, gt_joints_m=gt)) == 50


def test_area_is_the_mean_over_31_thresholds_counted_by_hand():
    errors = np.random.default_rng(0).uniform(0, 200, (50, 14))
    shares = [sum(e < t for e in errors.ravel()) / errors.size for t in range(0, 151, 5)]
    assert len(shares) == 31 and auc_percent(errors) == pytest.approx(100 * sum(shares) / 31)


def test_pooled_f1_and_accuracy_agree_with_scikit_learn():
    """Pictures of other sizes, some pixels of which do not count."""
    rng = np.random.default_rng(1)
    pictures = []
    for size in ((20, 30), (11, 7), (40, 5)):
        gt = rng.integers(0, 7, size, np.uint8)
        pred = np.where(rng.random(size) < 0.7, gt, rng.integers(0, 7, size)).astype(np.uint8)
        gt[rng.random(size) < 0.1] = 255
        pictures.append((gt, pred))
    counts = sum(segmentation.confusion(gt=gt, pred=pred) for gt, pred in pictures)
    gt, pred = (np.concatenate([pair[k].ravel() for pair in pictures]) for k in (0, 1))
    kept = gt != 255
    as_background = np.where(kept, gt, 0)
    assert segmentation.mean_f1(counts) == pytest.approx(f1_score(gt[kept], pred[kept], average="macro"))
    assert segmentation.accuracy_percent(counts) == pytest.approx(100 * accuracy_score(as_background, pred))
    person = segmentation.foreground(counts)
    assert segmentation.mean_f1(person) == pytest.approx(f1_score(gt[kept] > 0, pred[kept] > 0, average="macro"))
    assert segmentation.accuracy_percent(person) == pytest.approx(100 * accuracy_score(as_background > 0, pred > 0))
