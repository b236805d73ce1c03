"""`hmr predict --fit` where nothing was trained: bodies of those whose joints are seen, and a line for the others."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from toy import ToyPool

from hmr.__main__ import main
from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.errors import UserError
from hmr.models.hmr import start_theta
from hmr.photos import looker as looking
from hmr.photos.blazepose import Joints
from hmr.photos.fitting import JointFitter
from hmr.photos.looker import Fit, Looker
from hmr.photos.people import Place
from hmr.prediction.pose_prior import PosePrior
from hmr.prediction.smplify import Smplify
from hmr.steps import demo, predict

WHITE = 250  # who stands before a white wall is not seen


class Eyes:
    """Sees a person who stands upright wherever the picture is dark."""

    name = "made-up eyes"

    def joints_at(self, image: np.ndarray, place: Place) -> Joints | None:
        x, y = place.center_px.astype(int)
        if image[y, x].mean() > WHITE:
            return None
        across, down = np.linspace(-0.1, 0.1, 33), np.linspace(-0.5, 0.5, 33)
        points = place.center_px + place.person_px * np.stack((across, down), 1)
        return Joints(1.0, points, np.ones(33), place.center_px, np.ones(2))


@pytest.fixture
def looker(toy_file, toy) -> Looker:
    model = BodyModel(toy)
    prior = PosePrior.learn(ToyPool(), components=1, frames=200, seed=0)
    smplify = Smplify(model, prior, start_theta(torch.zeros(24, 3), torch.zeros(10)), iterations=3)
    return Looker(
        network=None,
        device=torch.device("cpu"),
        model=model,
        body=read_body_file(toy_file),
        detector=None,
        advice=None,
        fitter=JointFitter(Eyes(), smplify, "SMPLify"),
        told={"network": "none", "people_found_by": "nobody", "fitted_by": "SMPLify", "expect": "limbs"},
    )


@pytest.fixture
def run(looker, monkeypatch, tmp_path):
    monkeypatch.setattr(predict, "open_looker", lambda args, find: looker)
    return lambda *words: main(["predict", *map(str, words), "--out", str(tmp_path / "out")])


def halves() -> np.ndarray:
    """Dark on the left, white on the right."""
    return np.repeat(np.repeat([[30, 255]], 60, 1), 90, 0).astype(np.uint8)[..., None].repeat(3, 2)


def test_who_is_seen_gets_a_body_and_who_is_not_a_line(run, tmp_path, capfd):
    cv2.imwrite(str(tmp_path / "a.png"), halves())
    boxes = {"a.png": [[70, 10, 40, 70], [10, 10, 40, 70]]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    assert run(tmp_path / "a.png", "--boxes", tmp_path / "boxes.json") == 2
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("hmr")]
    assert len(told) == 1 and "a.png: the person at x 70, y 10: no joints are seen" in told[0]
    assert len(list((tmp_path / "out").glob("*.glb"))) == 1
    said = json.loads((tmp_path / "out/a.json").read_text())
    assert said["fitted"] and said["box_px"] == [10, 10, 40, 70]


def test_a_picture_of_nobody_seen_writes_nothing(run, tmp_path, capfd):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((90, 120, 3), 255, np.uint8))
    assert run(tmp_path / "a.png", "--tight") == 2
    assert "no joints are seen" in capfd.readouterr().err and not list((tmp_path / "out").iterdir())


def test_frames_of_a_video_in_which_nobody_is_seen_hold_the_nearest(run, tmp_path):
    video = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for bright in (255, 20, 20, 255, 255):
        video.write(np.full((48, 64, 3), bright, np.uint8))
    video.release()
    assert run(tmp_path / "a.avi", "--tight") == 0
    with np.load(tmp_path / "out/a.npz") as motion:
        assert len(motion["poses"]) == 5 and np.isfinite(motion["poses"]).all()


def test_a_video_of_nobody_seen_is_one_line(run, tmp_path, capfd):
    video = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        video.write(np.full((48, 64, 3), 255, np.uint8))
    video.release()
    assert run(tmp_path / "a.avi", "--tight") == 2
    assert "a.avi: the person from frame 0 on: no joints are seen" in capfd.readouterr().err


def test_the_page_shows_who_is_seen(looker):
    content = cv2.imencode(".png", halves())[1].tobytes()
    assert len(demo.recovered(content, (10, 10, 40, 70), looker)["meshes"]) == 1
    with pytest.raises(UserError, match="no joints are seen"):
        demo.recovered(content, (70, 10, 40, 70), looker)


def test_neither_network_nor_fit_is_one_line_with_both_ways_out(tmp_path, toy_file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"snakemake --cores 2 all.*--checkpoint.*--fit"):
        Looker.open(None, toy_file, "cpu", Path("none"))
    with pytest.raises(UserError, match="expected BlazePose, found none"):
        Looker.open(None, toy_file, "cpu", Path("none"), find=False, fit=Fit(Path("pool.h5"), None))
    monkeypatch.setattr(looking, "has_interpreter", lambda: True)
    with pytest.raises(UserError, match=r"pool\.h5, found none; once: snakemake --cores 2 results/mocap/pool\.h5"):
        Looker.open(None, Path("no/body"), "cpu", tmp_path, find=False, fit=Fit(Path("pool.h5"), None))
