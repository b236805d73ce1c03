"""Laws that a fit of a skeleton keeps, whatever the motion."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.mocap import retarget as rt
from hmr.mocap.retarget import RestJoints, make_actor
from hmr.studio.layouts.mocap import METRES_PER_UNIT, cmu_channels, cmu_skeleton
from hmr.studio.motion import Motion

HANDS = [SMPL_24.index("left_hand"), SMPL_24.index("right_hand")]


@pytest.fixture(scope="module")
def body(toy_file: Path) -> RestJoints:
    """Exactly symmetric, so that a mirror image is another motion of the same body."""
    rest = RestJoints.of(BodyModel.load(toy_file))
    middle = (rest.template_m + rest.template_m[SMPL_24.flip] * [-1, 1, 1]) / 2
    return RestJoints(middle, rest.shapedirs_m)


def fitted(body: RestJoints, pose: np.ndarray) -> rt.Retargeted:
    """A pose written for the skeleton of this body's mean shape, and fitted with the shape found from it."""
    skeleton = cmu_skeleton(body.template_m)
    channels = cmu_channels(skeleton, body.template_m, Motion(pose, np.zeros((len(pose), 3))))
    return rt.retarget(make_actor(skeleton, METRES_PER_UNIT, body, "here"), channels)


def motion(seed: int, frames: int = 20) -> np.ndarray:
    pose = np.random.default_rng(seed).normal(0, 0.4, (frames, 24, 3))
    pose[:, HANDS] = 0
    return pose


def turns_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    first, second = (Rotation.from_rotvec(pose.reshape(-1, 3)) for pose in (a, b))
    return np.degrees((first.inv() * second).magnitude())


def test_a_fit_of_a_fitted_clip_changes_nothing(body: RestJoints) -> None:
    once = fitted(body, motion(0)).pose_axis_angle
    assert turns_deg(once, fitted(body, once).pose_axis_angle).max() < 0.1


def test_the_mirror_image_of_a_clip_has_the_mirror_image_of_its_pose(body: RestJoints) -> None:
    pose = motion(1)
    plain, flipped = (fitted(body, each).pose_axis_angle for each in (pose, rt.mirror_pose(pose)))
    assert turns_deg(rt.mirror_pose(plain), flipped).max() < 0.1
