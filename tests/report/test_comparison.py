import numpy as np

from hmr.report.comparison import comparison


def samples(shift, seed=0, count=40):
    errors = np.random.default_rng(seed).normal(100, 10, count) + shift
    ids = [f"human36m/S9/{k}" for k in range(count)]
    fixed = {"subject": ["S9"] * count, "action": [f"a{k // 4}" for k in range(count)], "trial": ["0"] * count}
    return {"sample_id": ids, **fixed, "mpjpe_mm": [str(e) for e in errors], "pa_mpjpe_mm": [str(e) for e in errors]}


def test_a_constant_gain_stands_with_its_interval_and_p():
    per_sample = {"paired": {"human36m-p1": samples(0)}, "unpaired": {"human36m-p1": samples(7)}}
    table = comparison(per_sample, {})
    assert table.title == "Differences from HMR, paired"
    (row,) = table.rows
    assert row.name == "HMR unpaired"
    # Ten takes that all say the same: 2 of the 1,024 sign patterns are as far from zero.
    assert row.cells == ("+7.0 [+7.0, +7.0], p = 0.002", "+7.0 [+7.0, +7.0], p = 0.002", "–", "–", "–")


def test_other_samples_are_not_compared():
    other = samples(0)
    other["sample_id"] = [name + "x" for name in other["sample_id"]]
    table = comparison({"paired": {"human36m-p1": samples(0)}, "unpaired": {"human36m-p1": other}}, {})
    assert set(table.rows[0].cells) == {"–"}


def test_one_variant_has_nothing_to_be_compared_with():
    assert comparison({"paired": {"human36m-p1": samples(0)}}, {}) is None
    assert comparison({}, {}) is None
