from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.errors import UserError
from hmr.mocap import retarget as rt
from hmr.mocap.asf_amc import Skeleton, read_amc, read_asf, write_amc, write_asf
from hmr.mocap.retarget import Actor, RestJoints, make_actor
from hmr.studio.layouts.mocap import METRES_PER_UNIT, cmu_channels, cmu_skeleton
from hmr.studio.motion import Motion

HANDS = [SMPL_24.index("left_hand"), SMPL_24.index("right_hand")]


@pytest.fixture(scope="module")
def body(toy_file: Path) -> RestJoints:
    return RestJoints.of(BodyModel.load(toy_file))


def random_motion(rng: np.random.Generator, frames: int = 20) -> Motion:
    pose = rng.normal(0, 0.5, (frames, 24, 3))
    pose[:, HANDS] = 0
    return Motion(pose, rng.normal(0, 1, (frames, 3)))


def turn_between_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    first, second = (Rotation.from_rotvec(pose.reshape(-1, 3)) for pose in (a, b))
    return np.degrees((first.inv() * second).magnitude())


def through_files(folder: Path, skeleton: Skeleton, channels: np.ndarray) -> tuple[Skeleton, float, np.ndarray]:
    write_asf(folder / "a.asf", skeleton, name="a", metres_per_unit=METRES_PER_UNIT)
    write_amc(folder / "a_1.amc", skeleton, channels, metres_per_unit=METRES_PER_UNIT)
    read, unit = read_asf(folder / "a.asf")
    return read, unit, read_amc(folder / "a_1.amc", read, unit)


def test_pose_to_files_to_pose_with_the_known_shape(tmp_path: Path, body: RestJoints) -> None:
    rng = np.random.default_rng(0)
    motion, betas = random_motion(rng), rng.normal(size=10)
    rest = body.at(betas)
    skeleton = cmu_skeleton(rest)
    skeleton, unit, channels = through_files(tmp_path, skeleton, cmu_channels(skeleton, rest, motion))
    found = rt.retarget(Actor(skeleton, unit, betas, rest), channels)
    assert turn_between_deg(motion.full_pose_axis_angle, found.pose_axis_angle).max() < 0.1
    assert found.fit_error_mm.max() < 0.5


def test_pose_to_files_to_pose_with_a_fitted_shape(tmp_path: Path, body: RestJoints) -> None:
    rng = np.random.default_rng(1)
    motion = random_motion(rng)
    rest = body.at(rng.normal(0, 0.7, 10))
    skeleton = cmu_skeleton(rest)
    skeleton, unit, channels = through_files(tmp_path, skeleton, cmu_channels(skeleton, rest, motion))
    actor = make_actor(skeleton, unit, body, "here")
    found = rt.retarget(actor, channels)
    # A little is bent to make up for the shape, of which lengths show only a part.
    assert turn_between_deg(motion.full_pose_axis_angle, found.pose_axis_angle).mean() < 1.5
    assert found.fit_error_mm.mean() < 10
    truth = rt.place_joints(rt.world_of(motion.full_pose_axis_angle), rest)
    again = rt.place_joints(rt.world_of(found.pose_axis_angle), actor.rest_joints_m)
    error_mm = 1000 * np.linalg.norm((truth - truth[:, :1]) - (again - again[:, :1]), axis=-1)
    assert error_mm.mean() < 10


def test_taller_actors_get_taller_bodies(body: RestJoints) -> None:
    for betas in (np.eye(10)[0] * 2, np.eye(10)[0] * -2):
        actor = make_actor(cmu_skeleton(body.at(betas)), METRES_PER_UNIT, body, "here")
        assert actor.betas[0] == pytest.approx(betas[0], abs=0.4)


def test_the_rest_pose_is_the_rest_pose(body: RestJoints) -> None:
    skeleton = cmu_skeleton(body.template_m)
    found = rt.retarget(make_actor(skeleton, METRES_PER_UNIT, body, "here"), np.zeros((1, skeleton.starts[-1])))
    np.testing.assert_allclose(found.pose_axis_angle, 0, atol=1e-4)
    assert found.fit_error_mm[0] < 0.1


def test_legs_apart_in_the_skeleton_are_legs_apart_in_the_pose(body: RestJoints) -> None:
    """As in CMU's own skeletons, whose legs are 20 degrees to the side when all angles are zero."""
    skeleton = cmu_skeleton(body.template_m)
    apart = skeleton.offsets_m.copy()
    for side, sign in (("l", 1), ("r", -1)):
        for bone in (f"{side}femur", f"{side}tibia"):
            row = skeleton.index(bone)
            apart[row] = Rotation.from_euler("z", 20 * sign, degrees=True).apply([0, -np.linalg.norm(apart[row]), 0])
    skeleton = Skeleton(skeleton.names, skeleton.parents, apart, *_rest_of(skeleton))
    actor = Actor(skeleton, METRES_PER_UNIT, np.zeros(10), body.template_m)
    pose = np.degrees(rt.retarget(actor, np.zeros((1, skeleton.starts[-1]))).pose_axis_angle[0])
    assert pose[SMPL_24.index("left_hip"), 2] == pytest.approx(20, abs=3)
    assert pose[SMPL_24.index("right_hip"), 2] == pytest.approx(-20, abs=3)
    # The toy's rest shins slope 5.6 degrees backwards, the skeleton's do not.
    np.testing.assert_allclose(pose[SMPL_24.index("left_knee")], [-5.57, 0, 0], atol=0.3)


def _rest_of(skeleton: Skeleton) -> tuple:
    return skeleton.axes_deg, skeleton.axis_orders, skeleton.dofs


def test_turning_the_root_turns_nothing_else(body: RestJoints) -> None:
    rng = np.random.default_rng(2)
    motion = random_motion(rng)
    skeleton = cmu_skeleton(body.template_m)
    actor = make_actor(skeleton, METRES_PER_UNIT, body, "here")
    channels = cmu_channels(skeleton, body.template_m, motion)
    turned = motion.full_pose_axis_angle.copy()
    turned[:, 0] = (Rotation.from_euler("y", 1.0) * Rotation.from_rotvec(turned[:, 0])).as_rotvec()
    other = cmu_channels(skeleton, body.template_m, Motion(turned, motion.transl + 5))
    first, second = (rt.retarget(actor, c).pose_axis_angle for c in (channels, other))
    np.testing.assert_allclose(first[:, 1:], second[:, 1:], atol=1e-9)


def test_mirrored_twice_is_the_pose_and_once_the_mirror_image(body: RestJoints) -> None:
    pose = random_motion(np.random.default_rng(3)).full_pose_axis_angle
    np.testing.assert_array_equal(rt.mirror_pose(rt.mirror_pose(pose)), pose)
    middle = (body.template_m + body.template_m[SMPL_24.flip] * [-1, 1, 1]) / 2  # exactly symmetric
    joints, mirrored = (rt.place_joints(rt.world_of(p), middle) for p in (pose, rt.mirror_pose(pose)))
    np.testing.assert_allclose(mirrored, joints[:, SMPL_24.flip] * [-1, 1, 1], atol=1e-12)


def test_resampling_takes_measured_frames_at_the_rate() -> None:
    np.testing.assert_array_equal(rt.resample(30, 120, 10), [0, 12, 24])
    np.testing.assert_array_equal(rt.resample(5, 10, 10), np.arange(5))
    np.testing.assert_array_equal(rt.resample(5, 10, 30), np.arange(5))
    frames = rt.resample(1000, 100, 12)
    assert frames[-1] < 1000 and set(np.diff(frames)) == {8, 9}
    assert len({tuple(row) for row in np.ones((50, 3))[rt.resample(50, 60, 10)]}) == 1


def test_world_and_local_rotations_undo_each_other() -> None:
    pose = random_motion(np.random.default_rng(4)).full_pose_axis_angle
    np.testing.assert_allclose(rt.local_axis_angle(rt.world_of(pose)), pose, atol=1e-9)


def test_a_skeleton_without_cmus_bones_is_refused(body: RestJoints) -> None:
    skeleton = Skeleton(("root",), (-1,), np.zeros((1, 3)), np.zeros((1, 3)), ("xyz",), ((),))
    with pytest.raises(UserError, match="expected CMU's bones, found no head"):
        make_actor(skeleton, METRES_PER_UNIT, body, "a.asf")


def test_a_bone_without_length_is_named(body: RestJoints) -> None:
    skeleton = cmu_skeleton(body.template_m)
    offsets = skeleton.offsets_m.copy()
    offsets[skeleton.index("ltibia")] = 0
    other = Skeleton(skeleton.names, skeleton.parents, offsets, *_rest_of(skeleton))
    with pytest.raises(UserError, match="'ltibia': expected a length above zero"):
        make_actor(other, METRES_PER_UNIT, body, "a.asf")


def test_joints_come_onto_those_of_a_skeleton_with_other_hips_and_spine(body: RestJoints) -> None:
    """CMU's hips are nearer and its back lies behind: copying turns leaves joints beside their places."""
    skeleton = cmu_skeleton(body.template_m)
    offsets = skeleton.offsets_m.copy()
    for bone in ("lhipjoint", "rhipjoint"):
        offsets[skeleton.index(bone)] *= [0.7, 1.0, 1.0]
    offsets[skeleton.index("thorax")] += [0, 0, -0.03]
    other = Skeleton(skeleton.names, skeleton.parents, offsets, *_rest_of(skeleton))
    motion = random_motion(np.random.default_rng(5))
    channels = cmu_channels(skeleton, body.template_m, motion)
    actor = make_actor(other, METRES_PER_UNIT, body, "here")
    found = rt.retarget(actor, channels)
    posed = rt.pose_skeleton(other, channels)
    copied = rt.place_joints(rt.world_rotations(actor, posed), actor.rest_joints_m)
    gap = copied[:, [SMPL_24.index(joint) for joint in rt.SHARED_JOINTS]] - rt.shared_points(posed, other)
    gap -= gap.mean(1, keepdims=True)
    assert found.fit_error_mm.mean() < 0.6 * 1000 * np.linalg.norm(gap, axis=-1).mean()


def test_time_reversed_is_the_pose_reversed(body: RestJoints) -> None:
    skeleton = cmu_skeleton(body.template_m)
    channels = cmu_channels(skeleton, body.template_m, random_motion(np.random.default_rng(6)))
    actor = make_actor(skeleton, METRES_PER_UNIT, body, "here")
    forwards, backwards = (rt.retarget(actor, c).pose_axis_angle for c in (channels, channels[::-1]))
    assert turn_between_deg(forwards, backwards[::-1]).max() < 1e-4


def test_a_hand_turned_further_than_a_wrist_goes_is_mended_from_its_neighbours(body: RestJoints) -> None:
    """As in one second of CMU's 01_03."""
    skeleton = cmu_skeleton(body.template_m)
    channels = np.zeros((9, skeleton.starts[-1]))
    channels[4, skeleton.starts[skeleton.index("rhand")] + 2] = np.radians(170)
    actor = make_actor(skeleton, METRES_PER_UNIT, body, "here")
    pose = rt.retarget(actor, channels).pose_axis_angle
    np.testing.assert_allclose(pose[4], pose[0], atol=1e-6)


def test_a_skeleton_in_other_units_gives_the_same_pose(tmp_path: Path, body: RestJoints) -> None:
    skeleton = cmu_skeleton(body.template_m)
    channels = cmu_channels(skeleton, body.template_m, random_motion(np.random.default_rng(7)))
    poses = []
    for name, unit in (("inches", METRES_PER_UNIT), ("tenths", METRES_PER_UNIT / 10)):
        write_asf(tmp_path / f"{name}.asf", skeleton, name=name, metres_per_unit=unit)
        write_amc(tmp_path / f"{name}_1.amc", skeleton, channels, metres_per_unit=unit)
        read, found_unit = read_asf(tmp_path / f"{name}.asf")
        assert found_unit == pytest.approx(unit)
        actor = make_actor(read, found_unit, body, name)
        poses.append(rt.retarget(actor, read_amc(tmp_path / f"{name}_1.amc", read, found_unit)).pose_axis_angle)
    assert turn_between_deg(*poses).max() < 0.1


def test_a_forearms_twist_goes_through_a_half_turn_without_a_jump() -> None:
    """The middle of two rotations changes side where they are a half turn apart."""
    angle = np.radians(np.linspace(150, 200, 26))
    first = np.tile(np.eye(3), (26, 1, 1))
    second = Rotation.from_rotvec(angle[:, None] * [1.0, 0, 0]).as_matrix()
    halves = Rotation.from_matrix(rt.halfway(first, second)).as_rotvec()
    np.testing.assert_allclose(halves, angle[:, None] / 2 * [1.0, 0, 0], atol=1e-9)
