"""Clips of the humanoid as SMPL poses, and the wheel that holds them. No network: wheels are made here."""

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.__main__ import main
from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.download import humanoid
from hmr.errors import UserError
from hmr.mocap.retarget import RestJoints, place_joints, world_of
from hmr.steps import motions


def frame(**turns: list[float] | float) -> np.ndarray:
    """One frame of a thirtieth of a second: all joints at rest, but for those given."""
    values = np.zeros((1, 44))
    values[0, 0] = 1 / 30
    values[0, 1:4] = 0, 0.9, 0
    for start in humanoid._BALLS.values():
        values[0, start] = 1
    for name, turn in turns.items():
        if name in humanoid._HINGES:
            values[0, humanoid._HINGES[name]] = turn
        else:
            start = humanoid._BALLS[name]
            values[0, start : start + 4] = Rotation.from_rotvec(turn).as_quat(scalar_first=True)
    return values


@pytest.fixture(scope="module")
def rest_joints(toy_file: Path) -> np.ndarray:
    return RestJoints.of(BodyModel.load(toy_file)).template_m


def bone(rest_joints: np.ndarray, pose: np.ndarray, start: str, end: str) -> np.ndarray:
    joints = place_joints(world_of(pose), rest_joints)[0]
    way = joints[SMPL_24.index(end)] - joints[SMPL_24.index(start)]
    return way / np.linalg.norm(way)


@pytest.mark.parametrize("side", ["left", "right"])
def test_it_stands_with_arms_down_and_bends_forwards(rest_joints: np.ndarray, side: str) -> None:
    rest = humanoid.smpl_pose(frame())
    assert bone(rest_joints, rest, f"{side}_shoulder", f"{side}_wrist")[1] < -0.99
    bent = humanoid.smpl_pose(frame(**{f"{side}_elbow": np.pi / 2, f"{side}_knee": -np.pi / 2}))
    assert bone(rest_joints, bent, f"{side}_elbow", f"{side}_wrist")[2] > 0.99  # SMPL looks along +z
    assert bone(rest_joints, bent, f"{side}_knee", f"{side}_ankle")[2] < -0.99
    raised = humanoid.smpl_pose(frame(**{f"{side}_shoulder": [0, 0, np.pi / 2]}))  # about the axis to its right
    assert bone(rest_joints, raised, f"{side}_shoulder", f"{side}_elbow")[2] > 0.99


def test_spine_and_neck_share_their_turns(rest_joints: np.ndarray) -> None:
    pose = humanoid.smpl_pose(frame(chest=[0, 0.6, 0], neck=[0, 0.4, 0]))
    world = Rotation.from_matrix(world_of(pose)[0]).as_rotvec()
    np.testing.assert_allclose(world[SMPL_24.index("spine3")], [0, 0.6, 0], atol=1e-12)
    np.testing.assert_allclose(world[SMPL_24.index("head")], [0, 1.0, 0], atol=1e-12)


def clip(frames: int = 40) -> dict:
    rows = np.repeat(frame(root=[0, 1.0, 0]), frames, 0)
    rows[-1, 0] = 0  # as in the real ones
    return {"Loop": "none", "Frames": rows.tolist()}


def hold_to(sha256: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = replace(humanoid.WHEEL, sha256=sha256)
    monkeypatch.setattr(humanoid, "WHEEL", held)
    monkeypatch.setattr(motions, "WHEEL", held)


def wheel(path: Path, monkeypatch: pytest.MonkeyPatch, clips: int = 15, content: str | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for k in range(clips):
            file.writestr(f"pybullet_data/data/motions/humanoid3d_m{k}.txt", content or json.dumps(clip()))
        file.writestr("pybullet_data/data/motions/../humanoid3d_out.txt", "{}")
    hold_to(hashlib.sha256(path.read_bytes()).hexdigest(), monkeypatch)
    return path


def test_a_wheels_clips_become_a_pool(
    tmp_path: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    made = wheel(tmp_path / "a.whl", monkeypatch)
    assert main(["motions", "--wheel", str(made), "--out", str(tmp_path / "motion/humanoid")]) == 0
    assert "15 clips, 600 frames; zlib" in capsys.readouterr().out
    assert len(list((tmp_path / "motion/humanoid").glob("*.npz"))) == 15
    assert main(["mocap", str(tmp_path / "motion"), "--body", str(toy_file), "--out", str(tmp_path / "pool.h5")]) == 0
    assert "15 clips, 210 frames" in capsys.readouterr().out  # 10 a second of 30
    assert main(["motions", "--wheel", str(made), "--out", str(tmp_path / "motion/humanoid")]) == 2
    assert "expected a new folder" in capsys.readouterr().err


def test_turned_to_amass_and_back_the_root_is_the_same(tmp_path: Path) -> None:
    content = humanoid.as_amass(clip(), "a")
    y_up = Rotation.from_euler("x", -90, degrees=True) * Rotation.from_rotvec(content["poses"][0, :3])
    np.testing.assert_allclose(y_up.as_rotvec(), [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(content["trans"][0], [0, 0, 0.9], atol=1e-12)  # z is up
    assert content["mocap_framerate"] == pytest.approx(30)


def test_other_wheels_and_broken_clips_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for clips, content, message in ((14, None, "expected 15 clips"), (15, '{"Frames": [[1, 2]]}', "44 finite numbers")):
        made = wheel(tmp_path / "a.whl", monkeypatch, clips, content)
        assert main(["motions", "--wheel", str(made), "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1 and not (tmp_path / "out").exists()
    hold_to("0" * 64, monkeypatch)
    with pytest.raises(UserError, match="expected SHA-256 000"):
        list(humanoid.read_clips(made))
    with pytest.raises(UserError, match="found nothing there"):
        list(humanoid.read_clips(tmp_path / "none.whl"))


def test_without_an_index_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="expected a wheel, found none") as error:
        humanoid.WHEEL.fetch(tmp_path)
    assert "--wheel" in str(error.value) and "\n" not in str(error.value)
