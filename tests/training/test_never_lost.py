"""What stops a training says so in one line, and leaves the state that was kept before as it was."""

import dataclasses
import resource

import cv2
import numpy as np
import pytest
import torch
from made_up_training import CPU, PARAMS, batches, draw_real, trained
from raw_files import PARAMS as NORMALIZE

from hmr.body.model import BodyModel
from hmr.data import loader
from hmr.data.loader import Batches, Pool, iterate
from hmr.data.sample import Sample
from hmr.data.store import open_store
from hmr.data.writing import write_store
from hmr.errors import UserError
from hmr.training import loop


@pytest.fixture(scope="module")
def body(toy_file) -> BodyModel:
    return BodyModel.load(toy_file).for_keypoints()


def test_a_loss_that_is_not_finite_is_named_with_its_samples_and_teaches_nothing(body):
    made = batches(PARAMS)
    bad = int(made.indices(step=2, pool=1)[3])
    made.pools[1].columns["betas"][bad] = np.nan
    state = loop.new_state(PARAMS, torch.zeros(85), CPU)
    with pytest.raises(loop.Diverged, match=r"'smpl' is nan at step 3\b") as told:
        loop.train(state, PARAMS, body=body, batches=made, draw_real=draw_real, device=CPU, workers=0)
    assert set(made.sample_ids(2)) == set(str(told.value).rpartition(": ")[2].split(", "))
    assert f"indoor:{bad}" in made.sample_ids(2) and "\n" not in str(told.value)
    assert all(value.isfinite().all() for value in state.network.state_dict().values()) and state.step == 2


def test_an_infinite_weight_is_named(body):
    with pytest.raises(loop.Diverged, match=r"'joints_3d' is inf"):
        trained(dataclasses.replace(PARAMS, joints_3d_weight=float("inf")), body)


def test_a_full_disk_is_one_line_and_the_kept_state_stays_whole(tmp_path):
    """The system's own limit on the size of files stands for a full disk: the write fails half way."""
    kept, state = tmp_path / "state.pt", loop.new_state(PARAMS, torch.zeros(85), CPU)
    loop.save_state(kept, state)
    before, limits = kept.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    state.step = 7
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(UserError, match=r"state\.pt: no room left .* is whole") as told:
            loop.save_state(kept, state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(told.value) and kept.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    sample = Sample(
        sample_id="lsp/im0001",
        load_image=lambda: cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (160, 120)),
        keypoints_2d_px=rng.uniform(30, 90, (19, 2)),
        visible=np.ones(19, bool),
        center_px=np.array([60.0, 60.0]),
        person_px=70.0,
    )
    attributes = {"dataset": "lsp", "split": "train", "source": "studio", "licence": "CC0-1.0", "raw_sha256": "0" * 64}
    path = tmp_path / "lsp-train.h5"
    samples = (dataclasses.replace(sample, sample_id=f"lsp/im{k:04d}") for k in range(8))
    write_store(path, samples, attributes=attributes, params=NORMALIZE)
    return path


def test_crops_that_are_kept_are_those_that_were_read_while_there_is_room(store, monkeypatch):
    monkeypatch.setattr(loader, "KEPT_BYTES", 3 * NORMALIZE.crop_px**2 * 5)
    pool, fresh = Pool([store]), Pool([store])
    for index in (7, 3, 3, 1, 0, 7, 2, 6, 5, 4, 6):
        assert np.array_equal(pool.crop(index), fresh._read(index))
    assert list(pool._kept) == [7, 3, 1, 0, 2]


def from_files(path) -> Batches:
    return Batches([Pool([path])], steps=6, batch_size=4, image_px=32, augmentation=PARAMS.augmentation, seed=0)


def test_samples_are_named_with_their_file(store):
    made = from_files(store)
    assert sorted(made.sample_ids(0) + made.sample_ids(1)) == [f"lsp-train:lsp/im{k:04d}" for k in range(8)]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_a_data_file_that_vanishes_is_one_line(store, workers, damage):
    made = from_files(store)
    if damage == "gone":
        store.unlink()
    else:
        store.write_bytes(store.read_bytes()[:-2000])
    with pytest.raises(UserError, match=r"lsp-train\.h5: ") as told:
        next(iterate(made, first=0, workers=workers))
    assert type(told.value) is UserError and "\n" not in str(told.value) and "Traceback" not in str(told.value)


def test_a_data_file_that_shrinks_while_it_is_open_is_one_line(store):
    pool = Pool([store])
    with open_store(store) as opened:
        pool._stores[0] = opened
        with open(store, "r+b") as file:
            file.truncate(3000)
        with pytest.raises(UserError, match=r"lsp-train\.h5: .*found a broken file") as told:
            pool.crop(5)
    assert "\n" not in str(told.value)
