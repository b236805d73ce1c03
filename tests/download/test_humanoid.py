"""Clips of the humanoid as SMPL poses, and the wheel that holds them. No network: wheels are made here."""

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from hmr.__main__ import main
from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.download import humanoid
from hmr.errors import UserError
from hmr.mocap.retarget import RestJoints, place_joints, world_of
from hmr.steps import motions
from hmr.steps.preset import PRESETS
from hmr.studio.layouts.mocap import real_motion


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
        file.writestr("pybullet-3.2.7.dist-info/METADATA", "Metadata-Version: 2.1\nName: pybullet\nVersion: 3.2.7\n")
        file.writestr("pybullet-3.2.7.dist-info/WHEEL", "Wheel-Version: 1.0\n")  # both are what pip looks for
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
    content = humanoid.as_amass(humanoid.real_clip(clip(), "a"))
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
    assert "PIP_FIND_LINKS" in str(error.value) and "\n" not in str(error.value)


def download_mocap(tmp_path: Path, body: Path) -> int:
    """`hmr download mocap` with two made-up clips and the real ones; its exit status."""
    params = yaml.safe_load((PRESETS / "smoke.yaml").read_text())
    params["download"]["studio"]["mocap"] = {"clips": 2, "seconds": 0.5, "real_takes": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    words = ["download", "mocap", "--raw", str(tmp_path / "raw/mocap"), "--body", str(body)]
    return main([*words, "--params", str(tmp_path / "params.yaml")])


def test_the_studios_people_do_the_real_clips(
    tmp_path: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert download_mocap(tmp_path, toy_file) == 2  # the wheel is not there yet
    said = capsys.readouterr().err
    assert "real_takes: 0" in said and said.count("\n") == 1 and not (tmp_path / "raw/mocap").exists()
    wheel(tmp_path / "pybullet-3.2.7-cp311-cp311-manylinux2014_x86_64.whl", monkeypatch)
    assert download_mocap(tmp_path, toy_file) == 0
    manifest = json.loads((tmp_path / "raw/mocap/manifest.json").read_text())
    assert "zlib" in manifest["licence"] and "pybullet==3.2.7" in manifest["source"]
    files = {Path(name) for name in manifest["files"]}
    assert {path.parts[0] for path in files if len(path.parts) > 1} == {"subjects", "humanoid"}
    assert len([path for path in files if path.parts[0] == "humanoid" and path.suffix in (".amc", ".c3d")]) == 30
    assert {path.suffix for path in files if path.parts[0] == "humanoid"} == {".asf", ".amc", ".c3d"}
    assert main(["mocap", str(tmp_path / "raw/mocap"), "--body", str(toy_file), "--out", str(tmp_path / "p.h5")]) == 0


def waving() -> humanoid.RealClip:
    """Somebody who turns, walks and jumps: 31 frames at 30 Hz."""
    rng = np.random.default_rng(0)
    pose = np.linspace(0, 1, 31)[:, None, None] * rng.normal(0, 0.3, (24, 3))
    pelvis = np.stack((np.linspace(0, 1, 31), 0.9 + 0.4 * np.sin(np.linspace(0, np.pi, 31)), np.zeros(31)), 1)
    return humanoid.RealClip("waving", pose, pelvis, 30.0)


def test_at_another_rate_a_real_clip_passes_through_its_own_frames(rest_joints: np.ndarray) -> None:
    clip = waving()
    fast = real_motion(clip, 120.0, rest_joints)
    assert len(fast) == 121
    np.testing.assert_allclose(fast.full_pose_axis_angle[::4], clip.full_pose_axis_angle, atol=1e-12)
    np.testing.assert_allclose(fast.transl[::4, [0, 2]], clip.pelvis_m[:, [0, 2]], atol=1e-12)
    steps = Rotation.from_rotvec(fast.full_pose_axis_angle[:-1, 5]).inv() * Rotation.from_rotvec(
        fast.full_pose_axis_angle[1:, 5]
    )
    np.testing.assert_allclose(steps.magnitude(), steps.magnitude().mean(), rtol=1e-6)  # an even turn stays even


def test_whoever_jumps_leaves_the_ground_and_nobody_sinks_into_it(rest_joints: np.ndarray) -> None:
    clip = waving()
    for size in (0.8, 1.0, 1.2):
        lift = real_motion(clip, 30.0, size * rest_joints).transl[:, 1]
        assert lift.min() == 0
        assert 0.3 < np.ptp(lift) < 0.6
