import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test

from hmr.evaluation.uncertainty import intervals_95, paired_test, unit_totals


def means(drawn):
    return {"mean": drawn[..., 0] / drawn[..., 1]}


def counted(values):
    return np.stack((values, np.ones(len(values))), 1)


def test_totals_of_units_add_up():
    values = np.arange(12.0).reshape(6, 2)
    totals = unit_totals(values, ["b", "a", "b", "c", "a", "b"])
    np.testing.assert_array_equal(totals, [[2 + 8, 3 + 9], [0 + 4 + 10, 1 + 5 + 11], [6, 7]])


def test_intervals_agree_with_scipy():
    values = np.random.default_rng(1).gamma(2.0, 30.0, 200)
    low, high = intervals_95(means, counted(values))["mean_ci95"]
    other = bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=0).confidence_interval
    assert (low, high) == pytest.approx(tuple(other), rel=0.01)


def test_equal_frames_of_a_unit_count_as_one():
    """Ten copies of every frame make a frame-wise interval narrower, the unit-wise one stays as it is."""
    values, units = np.random.default_rng(2).normal(100, 20, 40), np.arange(40)
    once = intervals_95(means, unit_totals(counted(values), units))
    often = intervals_95(means, unit_totals(counted(np.repeat(values, 10)), np.repeat(units, 10)))
    assert often["mean_ci95"] == pytest.approx(once["mean_ci95"])
    low, high = intervals_95(means, counted(np.repeat(values, 10)))["mean_ci95"]
    assert high - low < 0.5 * (once["mean_ci95"][1] - once["mean_ci95"][0])


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    intervals = [intervals_95(means, counted(rng.normal(0, 1, 60)))["mean_ci95"] for _ in range(200)]
    covered = np.mean([low < 0 < high for low, high in intervals])
    assert 0.88 < covered < 0.99


def test_one_unit_has_no_interval():
    assert intervals_95(means, counted(np.array([5.0]))) == {}


@pytest.mark.parametrize("count", [8, 30])
def test_paired_test_agrees_with_scipy(count):
    rng = np.random.default_rng(4)
    first, second = rng.normal(100, 10, count), rng.normal(97, 10, count)
    ours = paired_test(first=first, second=second, units=np.arange(count))
    theirs = permutation_test(
        (first, second),
        lambda a, b, axis: (a - b).mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=0,
    )
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-9 if count <= 12 else 0.03)
    assert ours.difference == pytest.approx((first - second).mean())


def test_a_model_does_not_differ_from_itself():
    errors = np.random.default_rng(5).normal(100, 10, 50)
    same = paired_test(first=errors, second=errors, units=np.arange(50))
    assert (same.difference, same.ci95, same.p_value) == (0, (0, 0), 1)


def test_a_constant_gain_is_certain():
    errors = np.random.default_rng(6).normal(100, 10, 50)
    better = paired_test(first=errors - 3, second=errors, units=np.arange(50))
    assert better.difference == pytest.approx(-3) and better.ci95 == pytest.approx((-3, -3))
    assert better.p_value == pytest.approx(1 / 2001)
