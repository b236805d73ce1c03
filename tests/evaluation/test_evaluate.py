import csv
import json

import cv2
import h5py
import numpy as np
import pytest
from evaluation import labelled

from hmr.__main__ import main
from hmr.data.store import open_store
from hmr.evaluation.predictions import write_predictions

BENCHMARKS = {
    "human36m-p1": labelled.human36m,
    "human36m-p2": labelled.human36m,
    "mpi_inf_3dhp": labelled.mpi_inf_3dhp,
    "lsp-segmentation": labelled.lsp,
    "lsp-keypoints": labelled.lsp,
}


def png(labels):
    return cv2.imencode(".png", labels)[1].ravel()


def predictions_of(labels_path, change=lambda columns: columns, **attributes):
    """A predictions file beside the labels: the truth, changed."""
    with open_store(labels_path) as store:
        columns = change(labelled.perfect(store))
    if "part_labels_png" in columns:
        columns["part_labels_png"] = [png(labels) for labels in columns["part_labels_png"]]
    path = labels_path.with_name("p.h5")
    write_predictions(path, columns, attributes)
    return path


def evaluate(benchmark, labels, predictions, **more):
    out = labels.with_name(f"{benchmark}.json")
    flags = {"--benchmark": benchmark, "--predictions": predictions, "--labels": labels, "--out": out, **more}
    code = main(["evaluate", *(str(word) for pair in flags.items() for word in pair)])
    return code, json.loads(out.read_text()) if out.exists() else None


def scores(benchmark, tmp_path, change=lambda columns: columns, labels=None, **attributes):
    labels = labels or BENCHMARKS[benchmark](tmp_path / "labels.h5")
    code, metrics = evaluate(benchmark, labels, predictions_of(labels, change, **attributes))
    assert code == 0
    return metrics


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_perfect_prediction_costs_nothing(benchmark, tmp_path):
    far = {"focal_px": 1e9} if benchmark == "mpi_inf_3dhp" else {}  # a long lens needs no perspective correction
    metrics = scores(benchmark, tmp_path, labels=BENCHMARKS[benchmark](tmp_path / "labels.h5", **far))
    for name, value in metrics.items():
        if isinstance(value, float):
            best = 0 if "mpjpe" in name else 100 * 30 / 31 if "auc" in name else 1 if name.endswith("f1") else 100
            assert value == pytest.approx(best, abs=1e-4), name


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_the_order_of_rows_does_not_count(benchmark, tmp_path):
    def spoilt(columns):
        rng = np.random.default_rng(1)
        noisy = {n: v + rng.normal(0, 0.1, v.shape) for n, v in columns.items() if n.endswith(("_m", "_px"))}
        noisy["sample_id"] = columns["sample_id"]
        if "part_labels_png" in columns:
            noisy["part_labels_png"] = [np.roll(labels, 1, 0) for labels in columns["part_labels_png"]]
        return noisy

    def shuffled(columns):
        columns = spoilt(columns)
        order = np.random.default_rng(2).permutation(len(columns["sample_id"]))
        return {name: [values[k] for k in order] for name, values in columns.items()}

    assert scores(benchmark, tmp_path, spoilt) == scores(benchmark, tmp_path, shuffled)


def moved(columns):
    return columns | {name: 1.2 * columns[name] + (1, 2, 3) for name in columns if name.endswith("_m")}


@pytest.mark.parametrize("benchmark", ["human36m-p1", "mpi_inf_3dhp"])
def test_scale_costs_before_alignment_only(benchmark, tmp_path):
    metrics = scores(benchmark, tmp_path, moved)
    assert metrics["mpjpe_mm"] > 20 and metrics["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-3)


def test_protocols_of_human36m_count_takes_and_cameras(tmp_path):
    first, second = scores("human36m-p1", tmp_path), scores("human36m-p2", tmp_path)
    assert (first["num_samples"], second["num_samples"]) == (2 * 2 * 4 * 2, 2 * 2)
    assert set(first["per_action"]) == {"Eating", "Walking"}
    assert second["per_action"]["Eating"]["num_samples"] == 2
    with open(tmp_path / "human36m-p2.csv") as file:
        rows = list(csv.DictReader(file))
    assert {(row["trial"], row["camera"]) for row in rows} == {("0", "60457274")} and len(rows) == 4


def test_actions_weigh_alike_however_many_frames_they_have(tmp_path):
    """Frames of one camera of Eating are off; Walking has none that are."""

    def change(columns):
        off = np.array(["Eating 0.54138969" in name for name in columns["sample_id"]])
        joint = np.zeros((14, 3))
        joint[0, 0] = 0.140  # one joint of 14 by 140 mm is 10 mm on average
        return columns | {"joints_3d_m": columns["joints_3d_m"] + off[:, None, None] * joint}

    metrics = scores("human36m-p1", tmp_path, change)
    assert metrics["per_action"]["Eating"]["mpjpe_mm"] == pytest.approx(10 / 8, abs=1e-4)
    assert metrics["per_action"]["Walking"]["mpjpe_mm"] == pytest.approx(0, abs=1e-4)
    assert metrics["action_mean_mpjpe_mm"] == pytest.approx(10 / 16, abs=1e-4)
    assert metrics["median_mpjpe_mm"] == pytest.approx(0, abs=1e-4)


def test_only_grouped_joints_count_for_pck(tmp_path):
    def change(columns):
        joints = columns["joints_3d_native_m"].copy()
        joints[:, 16] += 5.0  # the head is in no group
        joints[:, 0, 0] += 0.2  # the head's top is
        return columns | {"joints_3d_native_m": joints}

    labels = labelled.mpi_inf_3dhp(tmp_path / "labels.h5", focal_px=1e9)
    metrics = scores("mpi_inf_3dhp", tmp_path, change, labels)
    assert metrics["pck_150mm_percent"] == pytest.approx(100 * 13 / 14)
    assert metrics["mpjpe_mm"] == pytest.approx((5000 * 3**0.5 + 200) / 17, abs=1e-2)
    assert {name: entry["num_samples"] for name, entry in metrics["per_sequence"].items()} == {
        **{"TS1": 2, "TS3": 1, "TS5": 1}
    }
    assert set(metrics["per_scene"]) == {"studio-green-screen", "studio", "outdoor"}


def test_hits_are_counted_over_labelled_keypoints_in_torsos(tmp_path):
    def change(columns):
        keypoints = columns["keypoints_2d_px"].copy()
        keypoints[:, 0] += 1e3
        keypoints[:, 1] += 1e3
        return columns | {"keypoints_2d_px": keypoints}

    visible = np.ones((3, 19), bool)
    visible[:, 1] = False
    visible[2, [2, 3]] = False  # a picture without hips has no torso
    labels = labelled.lsp(tmp_path / "labels.h5", visible=visible)
    metrics = scores("lsp-keypoints", tmp_path, change, labels)
    assert metrics["pck_torso_0.2_percent"] == pytest.approx(100 * 12 / 13)
    assert metrics["num_samples"] == 2 and metrics["per_joint"]["right_ankle"] == 0
    assert "right_knee" not in metrics["per_joint"]


def test_keypoints_of_the_extended_set_count_as_those_of_lsp(tmp_path):
    metrics = [
        scores("lsp-keypoints", tmp_path, noisy, labels=make(tmp_path / f"{make.__name__}.h5"))
        for make in (labelled.lsp_extended, labelled.lsp)
    ]
    assert metrics[0].pop("labels") == "lsp_extended train"
    assert metrics[0] == metrics[1] and 0 < metrics[0]["pck_torso_0.2_percent"] < 100


def test_errors_by_distance_from_the_training_poses(tmp_path):
    """Trained on the first half of the test's own poses: those are at no distance, and only the others err."""
    labels = labelled.human36m(tmp_path / "labels.h5", frames=4)
    with open_store(labels) as store:
        ids, joints = store["sample_id"], store["joints_3d_m"].astype(float)
    seen = np.arange(len(ids)) < len(ids) // 2
    training = labelled.posed(tmp_path / "training.h5", 2 * joints[seen])  # of another size

    def change(columns):
        worse = columns["joints_3d_m"].copy()
        worse[~seen, 0] += 0.14
        return columns | {"joints_3d_m": worse}

    code, metrics = evaluate("human36m-p1", labels, predictions_of(labels, change), **{"--training": training})
    groups = metrics["per_training_distance"]
    assert code == 0 and sum(group["num_samples"] for group in groups.values()) == len(ids)
    assert groups["1st quarter, nearest"]["training_distance_mm"] == pytest.approx(0, abs=0.01)
    assert groups["1st quarter, nearest"]["mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert (
        groups["4th quarter, farthest"]["mpjpe_mm"] > 10
        and groups["4th quarter, farthest"]["training_distance_mm"] > 50
    )
    rows = csv.DictReader((tmp_path / "human36m-p1.csv").read_text().splitlines())
    assert [float(row["training_distance_mm"]) < 0.01 for row in rows] == seen.tolist()


def test_training_sets_without_3d_joints_are_refused(tmp_path, capsys):
    labels = labelled.human36m(tmp_path / "labels.h5")
    flat = labelled.lsp_extended(tmp_path / "flat.h5")
    assert evaluate("human36m-p1", labels, predictions_of(labels), **{"--training": flat})[0] == 2
    assert "flat.h5: --training: expected samples with 3D joints, found none" in capsys.readouterr().err


def test_time_is_reported_only_if_it_was_measured(tmp_path):
    labels = labelled.human36m(tmp_path / "labels.h5")
    assert "seconds_per_image" not in scores("human36m-p1", tmp_path, labels=labels)
    metrics = scores("human36m-p1", tmp_path, labels=labels, seconds_per_image=0.04, device="cpu")
    assert (metrics["seconds_per_image"], metrics["device"]) == (0.04, "cpu")


def test_same_inputs_same_bytes(tmp_path):
    scores("human36m-p1", tmp_path, moved)
    before = [(tmp_path / f"human36m-p1.{kind}").read_bytes() for kind in ("json", "csv")]
    scores("human36m-p1", tmp_path, moved)
    assert [(tmp_path / f"human36m-p1.{kind}").read_bytes() for kind in ("json", "csv")] == before


def test_users_mistakes_are_one_line_and_leave_nothing(tmp_path, capsys):
    labels = labelled.human36m(tmp_path / "labels.h5")
    good = predictions_of(labels)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(good.read_bytes()[:700])
    without = tmp_path / "without.h5"
    without.write_bytes(good.read_bytes())
    with h5py.File(without, "a") as file:
        del file["joints_3d_m"]
    cases = {
        ("human36m", labels, good): "not known",
        ("lsp-keypoints", labels, good): "expected labels of lsp test or lsp_extended train, found human36m test",
        ("human36m-p1", labels, cut): "broken file",
        ("human36m-p1", labels, without): "a column joints_3d_m",
        ("human36m-p1", labels, tmp_path / "none.h5"): "nothing there",
        ("human36m-p1", good, good): "another HDF5 file",
    }
    for arguments, message in cases.items():
        assert evaluate(*arguments) == (2, None)
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and message in lines[0]
    assert not list(tmp_path.glob("*.csv"))


def test_part_labels_of_another_size_are_the_users_mistake(tmp_path, capsys):
    labels = labelled.lsp(tmp_path / "labels.h5")
    small = predictions_of(labels, lambda columns: columns | {"part_labels_png": [np.zeros((5, 5), np.uint8)] * 3})
    assert evaluate("lsp-segmentation", labels, small)[0] == 2
    assert "lsp/im1001: expected a PNG of size (48, 80)" in capsys.readouterr().err


KEYS = {
    "human36m-p1": ("mpjpe_mm", "pa_mpjpe_mm"),
    "mpi_inf_3dhp": tuple(a + b for a in ("", "pa_") for b in ("mpjpe_mm", "pck_150mm_percent", "auc_percent")),
    "lsp-segmentation": ("fg_accuracy_percent", "fg_f1", "parts_accuracy_percent", "parts_f1"),
    "lsp-keypoints": ("pck_torso_0.2_percent",),
}


def noisy(columns):
    rng = np.random.default_rng(3)
    scales = {name: 0.1 if name.endswith("_m") else 10.0 for name in columns if name.endswith(("_m", "_px"))}
    changed = {name: columns[name] + rng.normal(0, scale, columns[name].shape) for name, scale in scales.items()}
    if "part_labels_png" in columns:
        changed["part_labels_png"] = [np.roll(a, k + 1, 0) for k, a in enumerate(columns["part_labels_png"])]
    return columns | changed


@pytest.mark.parametrize("benchmark", KEYS)
def test_every_number_of_the_tables_has_an_interval_round_it(benchmark, tmp_path):
    metrics = scores(benchmark, tmp_path, noisy)
    for key in KEYS[benchmark]:
        low, high = metrics[f"{key}_ci95"]
        assert low <= metrics[key] <= high and low < high, key
    units = {"human36m-p1": ("take", 4), "mpi_inf_3dhp": ("sequence", 3)}
    assert (metrics["ci95_unit"], metrics["ci95_units"]) == units.get(benchmark, ("picture", 3))


@pytest.mark.parametrize("benchmark", ["human36m-p1", "mpi_inf_3dhp"])
def test_groups_and_joints_average_to_the_whole(benchmark, tmp_path):
    metrics = scores(benchmark, tmp_path, noisy)
    for key in ("mpjpe_mm", "pa_mpjpe_mm"):
        assert np.mean([entry[key] for entry in metrics["per_joint"].values()]) == pytest.approx(metrics[key], abs=1e-5)
        for group in ("per_viewpoint", "per_occlusion"):
            sizes = [entry["num_samples"] for entry in metrics[group].values()]
            mean = np.average([entry[key] for entry in metrics[group].values()], weights=sizes)
            assert sum(sizes) == metrics["num_samples"] and mean == pytest.approx(metrics[key], abs=1e-5)


def test_spins_protocols_differ_where_they_say(tmp_path):
    """Both takes in P2; errors from the pelvis joint, so a pelvis that is off by 10 mm costs 10 mm."""
    labels = labelled.human36m(tmp_path / "labels.h5")

    def change(columns):
        native = np.zeros((len(columns["sample_id"]), 17, 3))
        native[:, 14] = columns["joints_3d_m"][:, [2, 3]].mean(1) + np.array([0.010, 0, 0])
        return columns | {"joints_3d_native_m": native}

    predictions = predictions_of(labels, change)
    _, spin = evaluate("human36m-p2", labels, predictions, **{"--rules": "spin"})
    _, paper = evaluate("human36m-p2", labels, predictions)
    assert (spin["num_samples"], paper["num_samples"]) == (8, 4)
    assert spin["mpjpe_mm"] == pytest.approx(10, abs=1e-3) and paper["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert spin["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert spin["rules"] == "spin" and "rules" not in paper


def test_spin_does_not_correct_perspective(tmp_path):
    labels = labelled.mpi_inf_3dhp(tmp_path / "labels.h5", focal_px=20.0)  # a wide lens, so the correction is large
    _, spin = evaluate("mpi_inf_3dhp", labels, predictions_of(labels), **{"--rules": "spin"})
    _, paper = evaluate("mpi_inf_3dhp", labels, predictions_of(labels))
    assert spin["mpjpe_mm"] == pytest.approx(0, abs=1e-3) and paper["mpjpe_mm"] > 20


def test_unknown_rules_are_refused(tmp_path, capsys):
    labels = labelled.human36m(tmp_path / "labels.h5")
    assert evaluate("human36m-p1", labels, predictions_of(labels), **{"--rules": "mine"})[0] == 2
    assert "known: paper, spin" in capsys.readouterr().err
