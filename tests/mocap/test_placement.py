"""Laws of bringing joints onto joints."""

from pathlib import Path

import numpy as np
import pytest

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.body.model import BodyModel
from hmr.mocap.placement import place_on
from hmr.mocap.retarget import SHARED_JOINTS, RestJoints, local_axis_angle, mirror_pose, place_joints, world_of

SHARED = [SMPL_24.index(joint) for joint in SHARED_JOINTS]
MIRROR = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def rest(toy_file: Path) -> np.ndarray:
    """A symmetric body's joints."""
    joints = RestJoints.of(BodyModel.load(toy_file)).template_m
    return (joints + joints[SMPL_24.flip] * MIRROR) / 2


def posed(rng: np.random.Generator, rest: np.ndarray, frames: int = 6) -> tuple[np.ndarray, np.ndarray]:
    world = world_of(rng.normal(0, 0.4, (frames, 24, 3)))
    return world, place_joints(world, rest)


def test_a_body_on_its_own_joints_stays_as_it_is(rest: np.ndarray) -> None:
    world, joints = posed(np.random.default_rng(0), rest)
    shift = np.array([1.0, 2.0, -3.0])
    found, pelvis = place_on(world, rest, SHARED, joints[:, SHARED] + shift)
    np.testing.assert_allclose(found, world, atol=1e-9)
    np.testing.assert_allclose(pelvis, joints[:, 0] + shift, atol=1e-9)


def test_joints_come_nearer_and_the_reported_place_is_the_bodys(rest: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    world, joints = posed(rng, rest)
    points = joints[:, SHARED] + rng.normal(0, 0.03, (len(world), len(SHARED), 3))
    found, pelvis = place_on(world, rest, SHARED, points)
    again = place_joints(found, rest)
    again += (pelvis - again[:, 0])[:, None]
    before, after = (np.linalg.norm(points - at[:, SHARED], axis=-1).mean(1) for at in (joints, again))
    assert (after < before).all()


def test_it_is_a_least_of_the_sum_of_squares(rest: np.ndarray) -> None:
    """A few more rounds from where it ended, with the same start as prior, change next to nothing."""
    rng = np.random.default_rng(2)
    world, joints = posed(rng, rest)
    points = joints[:, SHARED] + rng.normal(0, 0.02, (len(world), len(SHARED), 3))
    with pytest.MonkeyPatch.context() as patch:
        found, _ = place_on(world, rest, SHARED, points)
        patch.setattr("hmr.mocap.placement._STEPS", 20)
        longer, _ = place_on(world, rest, SHARED, points)
    assert np.abs(local_axis_angle(found) - local_axis_angle(longer)).max() < np.radians(0.2)


def test_no_frame_hangs_on_the_others(rest: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    world, joints = posed(rng, rest, frames=7)
    points = joints[:, SHARED] + rng.normal(0, 0.03, (7, len(SHARED), 3))
    whole, _ = place_on(world, rest, SHARED, points)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hmr.mocap.placement._FRAMES_AT_ONCE", 2)
        parts, _ = place_on(world, rest, SHARED, points)
    np.testing.assert_allclose(parts, whole, atol=1e-9)


def test_mirrored_joints_give_the_mirrored_pose(rest: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    world, joints = posed(rng, rest)
    points = joints[:, SHARED] + rng.normal(0, 0.03, (len(world), len(SHARED), 3))
    mirrored_world = world_of(mirror_pose(local_axis_angle(world)))
    swapped = [SHARED.index(SMPL_24.flip[joint]) for joint in SHARED]
    found, pelvis = place_on(world, rest, SHARED, points)
    mirrored, mirrored_pelvis = place_on(mirrored_world, rest, SHARED, points[:, swapped] * MIRROR)
    np.testing.assert_allclose(local_axis_angle(mirrored), mirror_pose(local_axis_angle(found)), atol=1e-9)
    np.testing.assert_allclose(mirrored_pelvis, pelvis * MIRROR, atol=1e-9)


def test_turning_and_shifting_the_world_turns_and_shifts_the_body(rest: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    world, joints = posed(rng, rest)
    points = joints[:, SHARED] + rng.normal(0, 0.03, (len(world), len(SHARED), 3))
    turn = world_of(np.tile([0.3, -1.0, 0.5], (1, 24, 1)))[0, 0]
    found, _ = place_on(world, rest, SHARED, points)
    other, _ = place_on(turn @ world, rest, SHARED, points @ turn.T + 4)
    np.testing.assert_allclose(other, turn @ found, atol=1e-9)


def test_twist_which_no_joint_shows_is_kept(rest: np.ndarray) -> None:
    """About a bone between two joints nothing pulls, so a forearm and a shank keep the capture's twist."""
    world = world_of(np.zeros((1, 24, 3)))
    joints = place_joints(world, rest)
    for joint in ("left_elbow", "right_knee"):
        row = SMPL_24.index(joint)
        bone = rest[SMPL_PARENTS.index(row)] - rest[row]
        twisted = world.copy()
        twisted[:, row] = world_of(np.tile(bone / np.linalg.norm(bone), (1, 24, 1)))[:, 0]
        found, _ = place_on(twisted, rest, SHARED, joints[:, SHARED])
        np.testing.assert_allclose(found[:, row], twisted[:, row], atol=1e-6)
