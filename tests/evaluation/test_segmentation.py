import numpy as np
import pytest

from hmr.evaluation.segmentation import accuracy_percent, confusion, foreground, mean_f1


def picture(*rows):
    return np.array(rows, np.uint8)


def test_a_perfect_prediction_scores_all():
    labels = np.random.default_rng(0).integers(0, 7, (20, 30), np.uint8)
    counts = confusion(pred=labels, gt=labels)
    assert accuracy_percent(counts) == accuracy_percent(foreground(counts)) == 100
    assert mean_f1(counts) == mean_f1(foreground(counts)) == 1


def test_pooled_f1_by_hand():
    """Two pictures. Background: TP 2, FP 1, FN 1. Head: TP 1, FP 1, FN 1. Torso: TP 1, FP 1, FN 1; rest nowhere."""
    first = confusion(gt=picture([0, 0], [1, 2]), pred=picture([0, 1], [0, 2]))
    second = confusion(gt=picture([0, 1, 2]), pred=picture([0, 2, 1]))
    pooled = first + second
    head = 2 * 0 / (0 + 2 + 2)
    background = 2 * 2 / (2 * 2 + 1 + 1)
    torso = 2 * 1 / (2 * 1 + 1 + 1)
    assert mean_f1(pooled) == pytest.approx((background + head + torso) / 3)
    assert accuracy_percent(pooled) == pytest.approx(100 * 3 / 7)
    person = 2 * 3 / (2 * 3 + 1 + 1)
    assert mean_f1(foreground(pooled)) == pytest.approx((background + person) / 2)
    assert accuracy_percent(foreground(pooled)) == pytest.approx(100 * 5 / 7)


def test_pooling_is_not_a_mean_of_pictures():
    big = confusion(gt=np.ones((10, 10), np.uint8), pred=np.ones((10, 10), np.uint8))
    small = confusion(gt=picture([1, 0]), pred=picture([0, 1]))
    assert mean_f1(big + small) != pytest.approx((mean_f1(big) + mean_f1(small)) / 2)


def test_255_is_background_for_accuracy_and_nothing_for_f1():
    gt = picture([0, 255, 255, 1])
    counts = confusion(gt=gt, pred=picture([0, 0, 1, 1]))
    assert accuracy_percent(counts) == accuracy_percent(foreground(counts)) == 75
    assert mean_f1(counts) == mean_f1(foreground(counts)) == 1


def test_a_batch_is_its_pictures():
    rng = np.random.default_rng(1)
    pairs = [(rng.integers(0, 7, (9, 8), np.uint8), rng.integers(0, 7, (9, 8), np.uint8)) for _ in range(3)]
    counts = np.stack([confusion(gt=gt, pred=pred) for gt, pred in pairs])
    np.testing.assert_allclose(mean_f1(counts), [mean_f1(entry) for entry in counts])
    np.testing.assert_allclose(accuracy_percent(foreground(counts)), [accuracy_percent(foreground(c)) for c in counts])
