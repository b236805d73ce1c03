"""`hmr predict-set` with what it knows besides checkpoints of this program: SMPLify, and networks in SPIN's form."""

from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation import labelled

from hmr.__main__ import main
from hmr.body.file import parse_body, write_body_file
from hmr.data.store import open_store
from hmr.evaluation.predictions import read_predictions, read_time
from hmr.mocap.pool import Clip, write_pool
from hmr.models.spin import SpinNetwork

ROOT = Path(__file__).parents[2]
COLUMNS = ("joints_3d_m", "joints_3d_native_m", "keypoints_2d_px", "camera", "pose_axis_angle", "betas")


@pytest.fixture
def given(toy, tmp_path):
    """Labels, a pool and a body."""
    write_body_file(tmp_path / "body.npz", parse_body(toy, origin=Path("toy")))
    poses = np.random.default_rng(0).normal(0, 0.2, (60, 24, 3))
    attributes = {"dataset": "mocap", "source": "studio", "licence": "CC0-1.0", "raw_sha256": "0" * 64}
    clip = Clip("walk", poses, np.zeros(10), np.arange(60), 10.0)
    write_pool(tmp_path / "pool.h5", [clip], attributes=attributes)
    labelled.lsp(tmp_path / "labels.h5")
    return tmp_path


def predict(folder, name, *flags):
    fixed = {"--data": folder / "labels.h5", "--body": folder / "body.npz", "--out": folder / name}
    fixed["--params"] = ROOT / "hmr/presets/smoke.yaml"
    return main(["predict-set", *map(str, flags), *(str(word) for pair in fixed.items() for word in pair)])


def predicted(folder, name):
    with open_store(folder / "labels.h5") as store:
        return read_predictions(folder / name, sample_ids=store["sample_id"], needed=[*COLUMNS, "part_labels_png"])


def test_smplify_fits_labels_and_other_predictions(given):
    pool = given / "pool.h5"
    assert predict(given, "oracle.h5", "--smplify", pool) == 0
    assert predict(given, "again.h5", "--smplify", pool, "--keypoints", given / "oracle.h5") == 0
    assert predict(given, "mean.h5", "--mean-body", pool) == 0
    with open_store(given / "labels.h5") as store:
        truth = labelled.perfect(store)["keypoints_2d_px"]
    away = {n: np.abs(predicted(given, n)["keypoints_2d_px"] - truth).mean() for n in ("oracle.h5", "mean.h5")}
    assert away["oracle.h5"] < away["mean.h5"]


def test_time_lies_beside_predictions_and_leaves_their_bytes_alone(given):
    def once(*flags):
        assert predict(given, "p.h5", "--mean-body", given / "pool.h5", *flags) == 0
        return (given / "p.h5").read_bytes(), read_time(given / "p.h5")

    timed, said = once("--time")
    assert said["seconds_per_image"] > 0 and said["device"] in ("cpu", "cuda")
    assert once() == (timed, {})  # what the earlier run said is gone


def test_the_same_fit_twice_gives_the_same_bytes(given):
    for name in ("a.h5", "b.h5"):
        assert predict(given, name, "--smplify", given / "pool.h5") == 0
    assert (given / "a.h5").read_bytes() == (given / "b.h5").read_bytes()


def test_keypoints_belong_to_smplify(given, capsys):
    assert predict(given, "p.h5", "--mean-body", given / "pool.h5", "--keypoints", given / "p.h5") == 2
    assert "only --smplify fits keypoints" in capsys.readouterr().err


def test_a_network_in_spins_form_predicts_a_test_set(given):
    torch.manual_seed(0)
    network = SpinNetwork()
    network.init_pose[:] = torch.eye(3)[:, :2].flatten().repeat(24)
    network.init_cam[:] = torch.tensor([0.9, 0.0, 0.0])
    torch.save({"model": network.state_dict()}, given / "spin.pt")
    assert predict(given, "spin.h5", "--checkpoint", given / "spin.pt") == 0
    found = predicted(given, "spin.h5")
    assert found["pose_axis_angle"].shape == (3, 24, 3)


def test_a_view_of_another_scale_leads_to_the_same_place_in_the_picture(given):
    """Weights of zero leave the start: a body in the middle of the view, wherever the view is zoomed to."""
    network = SpinNetwork()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    network.init_pose[:] = torch.eye(3)[:, :2].flatten().repeat(24)
    network.init_cam[:] = torch.tensor([0.9, 0.0, 0.0])
    torch.save(network.state_dict(), given / "zero.pt")
    assert predict(given, "zero.h5", "--checkpoint", given / "zero.pt") == 0
    found = predicted(given, "zero.h5")
    with open_store(given / "labels.h5") as store:
        middle = store["crop_to_image"] @ np.array([31.5, 31.5, 1.0])
        body_px = found["keypoints_2d_px"][:, :14] - middle[:, None]
        zoom = store["crop_to_image"][:, 0, 0]
    metres = found["joints_3d_m"][..., :2]
    # Keypoint = middle + scale * metres, the same number of pixels per metre for every sample but for its zoom.
    per_metre = 0.9 * (224 / 2) / (1.25 * (320 / 64) * (224 / 224)) * zoom
    np.testing.assert_allclose(body_px, per_metre[:, None, None] * metres, atol=1e-2)
    # The stored camera speaks of the paper's view, not of this network's: that is where pictures are drawn.
    np.testing.assert_allclose(found["camera"], [[0.9 / 1.25, 0, 0]] * 3, rtol=1e-6)
