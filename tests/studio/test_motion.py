"""Poses and motion: what angles mean, mirrors, limits, smoothness."""

import numpy as np
import pytest
import torch

from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.studio.motion import ACTIONS, ease, sample_motion
from hmr.studio.poses import (
    _HIGH,
    _LOW,
    ANGLES,
    GESTURES,
    STANCES,
    mirrored,
    sample_stance,
    to_axis_angle,
    with_gesture,
)


def pose_of(**angles: float) -> np.ndarray:
    pose = np.zeros(len(ANGLES))
    for name, value in angles.items():
        pose[ANGLES.index(name)] = value
    return pose


def joints_of(toy: dict, pose: np.ndarray, yaw_deg: float = 0.0) -> dict[str, np.ndarray]:
    """World joints of the toy body, by name; it looks along +z, its left at +x."""
    full = torch.from_numpy(to_axis_angle(pose[None], np.array([yaw_deg]))).float()
    posed = BodyModel(toy)(betas=torch.zeros(1, 10), full_pose_rotmat=axis_angle_to_rotmat(full))
    return dict(zip(SMPL_24.joints, posed.joints[0].numpy().astype(float), strict=True))


def test_no_angle_is_the_rest_pose():
    assert not to_axis_angle(pose_of()[None], np.zeros(1)).any()


@pytest.mark.parametrize("side, left", [("left", 1), ("right", -1)])
def test_angles_move_both_sides_alike(toy: dict, side: str, left: int):
    def moved(**angles: float) -> dict[str, np.ndarray]:
        return joints_of(toy, pose_of(**{f"{side}_{name}": value for name, value in angles.items()}))

    rest = joints_of(toy, pose_of())
    shoulder = f"{side}_shoulder"
    for name in ("raise", "forward", "elbow"):
        assert np.allclose(moved(**{name: 40})[shoulder], rest[shoulder], atol=0.08), "the shoulder itself stays near"
    assert moved(**{"raise": 60})[f"{side}_wrist"][1] > rest[f"{side}_wrist"][1] + 0.1
    assert moved(**{"raise": -75})[f"{side}_wrist"][1] < rest[f"{side}_wrist"][1] - 0.1
    assert moved(forward=80)[f"{side}_wrist"][2] > rest[f"{side}_wrist"][2] + 0.1
    assert moved(elbow=90)[f"{side}_wrist"][2] > rest[f"{side}_wrist"][2] + 0.05
    assert moved(flex=90)[f"{side}_knee"][2] > rest[f"{side}_knee"][2] + 0.1
    assert moved(knee=90)[f"{side}_ankle"][2] < rest[f"{side}_ankle"][2] - 0.1
    assert left * moved(abduct=40)[f"{side}_ankle"][0] > left * rest[f"{side}_ankle"][0] + 0.1
    sitting, spread = moved(flex=90), moved(flex=90, spread=40)
    assert left * spread[f"{side}_knee"][0] > left * sitting[f"{side}_knee"][0] + 0.1


def test_yaw_turns_the_person_to_its_left(toy: dict):
    ahead, turned = joints_of(toy, pose_of(left_flex=90)), joints_of(toy, pose_of(left_flex=90), yaw_deg=90.0)
    forward = ahead["left_knee"] - ahead["left_hip"]
    assert forward[2] > abs(forward[0])
    assert (turned["left_knee"] - turned["left_hip"])[0] > 0.9 * forward[2]


def test_mirror_is_its_own_inverse_and_keeps_the_middle():
    pose = sample_stance(np.random.default_rng(0), "kick")
    assert np.allclose(mirrored(mirrored(pose)), pose)
    assert mirrored(pose)[ANGLES.index("bend")] == pose[ANGLES.index("bend")]
    assert mirrored(pose)[ANGLES.index("left_knee")] == pose[ANGLES.index("right_knee")]
    assert mirrored(pose)[ANGLES.index("twist")] == -pose[ANGLES.index("twist")]


def test_mirrored_angles_are_the_mirrored_rotations():
    """Axis-angle of a mirror: sides exchanged, y and z negated."""
    pose = with_gesture(np.random.default_rng(1), sample_stance(np.random.default_rng(1), "throw"), "left", "cocked")
    full, flipped = (to_axis_angle(p[None], np.array([yaw]))[0] for p, yaw in ((pose, 30.0), (mirrored(pose), -30.0)))
    assert np.allclose(flipped, full[SMPL_24.flip] * [1, -1, -1], atol=1e-9)


@pytest.mark.parametrize("stance", STANCES)
@pytest.mark.parametrize("gesture", ["hang", "overhead"])
def test_poses_stay_within_limits(stance: str, gesture: str):
    rng = np.random.default_rng(3)
    for _ in range(20):
        pose = with_gesture(rng, sample_stance(rng, stance), "right", gesture)
        assert (pose >= _LOW).all() and (pose <= _HIGH).all()


def test_stances_and_gestures_name_angles_that_exist():
    bare = {name.removeprefix("left_").removeprefix("right_") for name in ANGLES}
    for table in (*STANCES.values(), *GESTURES.values()):
        assert table.keys() <= bare | set(ANGLES)


def test_easing_passes_through_the_keys():
    keys = np.random.default_rng(0).normal(size=(4, 3))
    times = np.array([0.0, 0.5, 1.2, 2.0])
    assert np.allclose(ease(times, keys, times), keys)


@pytest.mark.parametrize("action", ACTIONS)
def test_motion_is_smooth_and_the_same_twice(action: str):
    clip, again = (sample_motion(np.random.default_rng(7), action, 60, 50.0) for _ in range(2))
    assert clip.full_pose_axis_angle.shape == (60, 24, 3) and clip.transl.shape == (60, 3)
    assert (clip.full_pose_axis_angle == again.full_pose_axis_angle).all() and (clip.transl == again.transl).all()
    step = np.linalg.norm(np.diff(clip.transl[:, [0, 2]], axis=0), axis=1)
    assert step.max() <= 2.0 / 50, "nobody goes faster than 2 m/s"
    assert (clip.transl[:, 1] >= 0).all(), "nobody sinks into the ground"


def test_one_picture_is_a_motion_of_one_frame():
    assert len(sample_motion(np.random.default_rng(0), "Sport", 1, 10.0)) == 1
