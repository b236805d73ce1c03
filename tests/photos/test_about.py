import json
import os

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from hmr.photos.about import about, default_checkpoint, summary


def trained(results, variant, *, seconds, adv_weight=0.2, sets_3d=(), weights="regressor.start", inputs=()):
    """A checkpoint's file without a network in it, written at a time."""
    path = results / "train" / variant / "checkpoint.safetensors"
    path.parent.mkdir(parents=True)
    train = {"adv_weight": adv_weight, "datasets_3d": list(sets_3d)}
    origin = {"variant": variant, "train": train, "inputs": dict.fromkeys(inputs, "0")}
    save_file({weights: np.zeros(1)}, path, metadata={"hmr": json.dumps(origin)})
    os.utime(path, (seconds, seconds))
    return path


def test_the_newest_network_is_taken_and_no_encoder(tmp_path):
    trained(tmp_path, "unpaired", seconds=10)
    newest = trained(tmp_path, "paired", seconds=20)
    trained(tmp_path, "encoder", seconds=30, weights="encoder.stem.weight")
    assert default_checkpoint(tmp_path) == newest


def test_one_without_critics_is_taken_only_where_there_is_no_other(tmp_path):
    lonely = trained(tmp_path, "paired-no-critics", seconds=20, adv_weight=0.0)
    assert default_checkpoint(tmp_path) == lonely
    other = trained(tmp_path, "unpaired", seconds=10)
    assert default_checkpoint(tmp_path) == other


def test_one_with_3d_labels_is_taken_before_newer_ones_without_but_critics_come_first(tmp_path):
    unpaired = trained(tmp_path, "unpaired", seconds=20)
    trained(tmp_path, "paired-no-critics", seconds=30, adv_weight=0.0, sets_3d=["human36m"])
    assert default_checkpoint(tmp_path) == unpaired
    paired = trained(tmp_path, "paired", seconds=10, sets_3d=["human36m"])
    assert default_checkpoint(tmp_path) == paired
    mine = trained(tmp_path, "mine", seconds=15, sets_3d=["mpi_inf_3dhp"])
    assert default_checkpoint(tmp_path) == mine


def test_half_a_file_is_no_network(tmp_path):
    (tmp_path / "train/paired").mkdir(parents=True)
    (tmp_path / "train/paired/checkpoint.safetensors").write_bytes(b"half a file")
    assert default_checkpoint(tmp_path) is None


def test_that_there_is_no_network_is_told(tmp_path):
    told = about(None, tmp_path / "body.npz", "made up", "BlazePose")
    assert summary(told | {"fitted_by": "SMPLify", "expect": "limbs"}).splitlines() == [
        "network: none: bodies are fitted, and people whose joints are not seen get none",
        "fitted by: SMPLify",
        "expect: limbs",
        "people found by: BlazePose",
    ]


@pytest.mark.parametrize(("source", "prefix"), [("official", ""), ("studio", "open-"), (None, "open-")])
def test_data_and_figures_are_named_after_their_source(tmp_path, source, prefix):
    path = trained(tmp_path, "paired", seconds=1, inputs=("body.npz", "coco-train.h5", "pool.h5"))
    (tmp_path / "evaluate/paired").mkdir(parents=True)
    (tmp_path / "evaluate/paired/human36m-p2.json").write_text('{"pa_mpjpe_mm": 103.7}')
    (tmp_path / "normalize").mkdir()
    for name in ("coco-train", "human36m-test") if source else ():
        with h5py.File(tmp_path / f"normalize/{name}.h5", "w") as store:
            store.attrs["source"] = source
    told = about(path, tmp_path / "body.npz", "made up", "HOG")
    assert told["variant"] == "paired" and told["trained_on"] == [f"{prefix}coco"]
    assert told["measured"] == [f"reconstruction error 104 mm on {prefix}Human3.6M's protocol 2"]
    assert f"{prefix}coco" in summary(told) and told["checkpoint_sha256"][:12] in summary(told)
    assert "HOG" in summary(told)


def test_a_network_of_another_program_is_told_as_unknown(tmp_path):
    (tmp_path / "spin.pt").write_bytes(b"weights")
    told = about(tmp_path / "spin.pt", tmp_path / "SMPL.pkl", "SMPL", "HOG")
    assert told["variant"] == told["trained_on"] == "not told by the file" and "nothing" in told["measured"]
