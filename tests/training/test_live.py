"""What a training shows while it runs changes nothing of it, and is there to be read while it grows."""

import csv
import dataclasses
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from made_up_training import CPU, PARAMS, batches, trained

from hmr.body.model import BodyModel
from hmr.data.loader import iterate
from hmr.models.hmr import start_theta
from hmr.params import EncoderParams
from hmr.training import live, loop, pretrain


@pytest.fixture(scope="module")
def body(toy_file) -> BodyModel:
    return BodyModel.load(toy_file).for_keypoints()


def test_figures_and_pictures_change_no_weight(body, tmp_path, monkeypatch):
    """In a folder without Git: one file a figure, all of the curve's, and no file of DVC's anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live, "PICTURE_EVERY_S", 0.0)
    shown = live.Live(tmp_path / "live", live.look_at_bodies(body))
    watched, plain = trained(PARAMS, body, live=shown), trained(PARAMS, body)
    ours, theirs = watched.network.state_dict(), plain.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert watched.log == plain.log and {"gradient_norm", "score_real", "score_predicted"} <= watched.log[0].keys()
    for name in watched.log[0].keys() - {"step"}:
        with open(tmp_path / f"live/plots/metrics/{name}.tsv", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert [(int(row["step"]), float(row[name])) for row in rows] == [(r["step"], r[name]) for r in watched.log]
    assert cv2.imread(str(tmp_path / "live/bodies.jpg")).shape == (8 * live.VIEW_PX, 3 * live.VIEW_PX, 3)
    assert os.listdir(tmp_path) == ["live"]


def test_a_resumed_training_shows_what_was_before(body, tmp_path):
    before = [{"step": 25, "total": 3.0}, {"step": 50, "total": 2.0}]
    live.Live(tmp_path / "live", live.look_at_bodies(body), before=before[:1])
    live.Live(tmp_path / "live", live.look_at_bodies(body), before=before)
    rows = (tmp_path / "live/plots/metrics/total.tsv").read_text().split()
    assert rows == ["step", "total", "25", "3.0", "50", "2.0"]


def test_a_repository_without_a_commit_will_do(body, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, check=True)
    shown = live.Live(tmp_path / "live", live.look_at_bodies(body))
    shown.figures({"step": 25, "total": 3.0})
    assert "25\t3.0" in (tmp_path / "live/plots/metrics/total.tsv").read_text()


def test_pictures_hold_the_input_what_is_seen_and_its_side(body):
    state = loop.new_state(PARAMS, start_theta(torch.zeros(24, 3), torch.zeros(10)), CPU)
    batch = next(iterate(batches(PARAMS), first=0, workers=0))
    picture = live.draw(state.network, batch, live.look_at_bodies(body))
    first = cv2.resize(batch.image[0].numpy(), (live.VIEW_PX, live.VIEW_PX), interpolation=cv2.INTER_AREA)
    size = live.VIEW_PX
    assert np.array_equal(picture[:size, :size], first)
    over, side = picture[:size, size : 2 * size], picture[:size, 2 * size :]
    assert not np.array_equal(over, first) and 0.02 < (side != 32).any(-1).mean() < 0.9


def test_pretraining_is_shown_without_bodies():
    encoder = EncoderParams(form="pyramid", weights="none", blocks=(1, 1), width=6, bottleneck=False)
    model = dataclasses.replace(PARAMS.model, encoder=encoder)
    params = pretrain.pretraining(dataclasses.replace(PARAMS, model=model))
    state = pretrain.new_state(params, CPU)
    batch = next(iterate(batches(params), first=0, workers=0))
    picture = live.draw(state.network, batch, live.look_for_keypoints)
    over, plain = picture[:, live.VIEW_PX : 2 * live.VIEW_PX], picture[:, : live.VIEW_PX]
    assert (picture[:, 2 * live.VIEW_PX :] == 32).all() and not np.array_equal(over, plain)
