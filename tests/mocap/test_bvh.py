"""BVH files of any custom: the project's own, CMU's skeleton rewritten, other names, units, axes and channels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.__main__ import main
from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.errors import UserError
from hmr.mocap import retarget as rt
from hmr.mocap.asf_amc import pose_skeleton
from hmr.mocap.bvh import Bvh, pose_joints, read_bvh
from hmr.mocap.bvh_fit import fit_bvh, name_joints
from hmr.mocap.retarget import RestJoints, make_actor
from hmr.photos.formats import Y_UP, bvh
from hmr.studio.layouts.mocap import METRES_PER_UNIT, cmu_channels, cmu_skeleton
from hmr.studio.motion import Motion

FRAMES = 12
HANDS = [SMPL_24.index("left_hand"), SMPL_24.index("right_hand")]
TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
CMU_TO_HAHNE = {"root": "Hips", "lowerback": "LowerBack", "upperback": "Spine", "thorax": "Spine1"}
CMU_TO_HAHNE |= {"lowerneck": "Neck", "upperneck": "Neck1", "head": "Head"}
for _side, _name in (("l", "Left"), ("r", "Right")):
    for _bone, _joint in (
        *(("hipjoint", "HipJoint"), ("femur", "UpLeg"), ("tibia", "Leg"), ("foot", "Foot"), ("toes", "ToeBase")),
        *(("clavicle", "Shoulder"), ("humerus", "Arm"), ("radius", "ForeArm"), ("wrist", "Hand")),
        *(("hand", "FingerBase"), ("fingers", "HandIndex1"), ("thumb", "Thumb")),
    ):
        CMU_TO_HAHNE[_side + _bone] = _name + _joint
MIXAMO = {"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head"}
for _side in ("left", "right"):
    for _joint, _name in (
        *(("hip", "UpLeg"), ("knee", "Leg"), ("ankle", "Foot"), ("foot", "ToeBase"), ("collar", "Shoulder")),
        *(("shoulder", "Arm"), ("elbow", "ForeArm"), ("wrist", "Hand"), ("hand", "HandMiddle1")),
    ):
        MIXAMO[f"{_side}_{_joint}"] = f"mixamorig:{_side.title()}{_name}"


@pytest.fixture(scope="module")
def body(toy_file: Path) -> RestJoints:
    return RestJoints.of(BodyModel.load(toy_file))


@pytest.fixture(scope="module")
def own(body: RestJoints) -> tuple[np.ndarray, str]:
    """World rotations of a motion, y up, and the file that `hmr predict` writes of it."""
    pose = np.random.default_rng(0).normal(0, 0.4, (FRAMES, 24, 3))
    pose[:, HANDS] = 0
    turns = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    text = bvh(turns, body.template_m, np.zeros((FRAMES, 3)), 30.0)
    turns[:, 0] = Y_UP @ turns[:, 0]
    return rt.world_of(Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)), text


@pytest.fixture
def read(own: tuple[np.ndarray, str], tmp_path: Path) -> Bvh:
    return read_bvh(written(tmp_path, own[1]))


def written(folder: Path, text: str) -> Path:
    (folder / "walk.bvh").write_text(text)
    return folder / "walk.bvh"


def fitted(motion: Bvh, body: RestJoints) -> np.ndarray:
    return fit_bvh(motion, np.arange(len(motion.values)), body, "here").found.pose_axis_angle


def apart_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Between the joints' own turns of two clips, (frames, 24)."""
    a, b = (Rotation.from_rotvec(pose.reshape(-1, 3)) for pose in (first, second))
    return np.degrees((a.inv() * b).magnitude()).reshape(-1, 24)


def rewritten(
    motion: Bvh,
    order: str = "ZXY",
    scale: float = 1.0,
    axes: np.ndarray | None = None,
    frames: np.ndarray | None = None,
    positions: bool = False,
) -> Bvh:
    """The same motion: other order of rotations, unit, world, own axes of each joint, or positions on every joint."""
    axes = np.eye(3) if axes is None else axes
    frames = np.tile(np.eye(3), (len(motion.names), 1, 1)) if frames is None else frames
    turns, places = pose_joints(motion, motion.values)
    turns, places = axes @ turns @ axes.T @ frames, scale * places @ axes.T
    offsets = scale * motion.offsets @ axes.T
    values, channels = [], []
    for joint, parent in enumerate(motion.parents):
        local = turns[:, joint] if parent < 0 else np.swapaxes(turns[:, parent], -1, -2) @ turns[:, joint]
        if parent >= 0:
            offsets[joint] = frames[parent].T @ offsets[joint]
        names = [f"{axis.lower()}rotation" for axis in order]
        if parent < 0 or positions:
            names = ["xposition", "yposition", "zposition", *names]
            values.append(places[:, 0] if parent < 0 else np.tile(offsets[joint], (len(places), 1)))
        values.append(Rotation.from_matrix(local).as_euler(order, degrees=True))
        channels.append(tuple(names))
    if positions:
        offsets = np.zeros_like(offsets)  # what the channels replace
    return replace(motion, offsets=offsets, channels=tuple(channels), values=np.concatenate(values, 1))


def acclaim(body: RestJoints) -> tuple[np.ndarray, Bvh]:
    """A clip of CMU's skeleton: as its own fit has it, and as a BVH of joints that lie where its bones begin."""
    pose = np.random.default_rng(1).normal(0, 0.4, (FRAMES, 24, 3))
    pose[:, HANDS] = 0
    skeleton = cmu_skeleton(body.template_m)
    channels = cmu_channels(skeleton, body.template_m, Motion(pose, np.zeros((FRAMES, 3))))
    posed = pose_skeleton(skeleton, channels)
    values, names = [posed.ends_m[:, 0]], []
    for bone, parent in enumerate(skeleton.parents):
        turn = posed.rotations[:, bone]
        local = turn if parent < 0 else np.swapaxes(posed.rotations[:, parent], -1, -2) @ turn
        values.append(Rotation.from_matrix(local).as_euler("ZYX", degrees=True))
        names.append(("zrotation", "yrotation", "xrotation"))
    names[0] = ("xposition", "yposition", "zposition", *names[0])
    offsets = np.array([skeleton.offsets_m[parent] if parent > 0 else np.zeros(3) for parent in skeleton.parents])
    motion = Bvh(skeleton.names, skeleton.parents, offsets, tuple(names), np.concatenate(values, 1), 120.0)
    actor = make_actor(skeleton, METRES_PER_UNIT, body, "here")
    return rt.retarget(actor, channels).pose_axis_angle, motion


def test_what_the_project_writes_is_read_back_to_the_same_pose(own: tuple, read: Bvh, body: RestJoints) -> None:
    assert read.rate_hz == pytest.approx(30)
    apart = apart_deg(rt.local_axis_angle(own[0]), fitted(read, body))
    assert apart.max() < 0.1  # the mean shape: what its own lengths show


def test_an_acclaim_clip_as_bvh_gives_the_same_fit(body: RestJoints) -> None:
    pose, motion = acclaim(body)
    assert apart_deg(pose, fitted(motion, body)).max() < 1e-3
    hahne = replace(motion, names=tuple(CMU_TO_HAHNE.get(name, name) for name in motion.names))
    assert apart_deg(pose, fitted(hahne, body)).max() < 1e-3


@pytest.mark.parametrize("order", ["XYZ", "YXZ", "ZYX"])
def test_the_order_of_channels_changes_nothing(read: Bvh, body: RestJoints, order: str) -> None:
    assert apart_deg(fitted(read, body), fitted(rewritten(read, order), body)).max() < 1e-3


@pytest.mark.parametrize(("scale", "unit"), [(1, "cm"), (10, "mm"), (0.01, "m"), (1 / 2.54, "in"), (0.07, "no unit")])
def test_units_change_nothing_and_are_said(read: Bvh, body: RestJoints, scale: float, unit: str) -> None:
    fit = fit_bvh(rewritten(read, scale=scale), np.arange(FRAMES), body, "here")
    assert apart_deg(fitted(read, body), fit.found.pose_axis_angle).max() < 1e-2
    assert f"taken as {unit}" in fit.note


def test_z_up_and_positions_on_every_joint_change_nothing(read: Bvh, body: RestJoints) -> None:
    other = rewritten(read, axes=TO_Z_UP, positions=True)
    assert apart_deg(fitted(read, body), fitted(other, body)).max() < 1e-3


def test_a_rest_pose_that_faces_another_way_changes_nothing(read: Bvh, body: RestJoints) -> None:
    turn = Rotation.from_euler("y", 90, degrees=True).as_matrix()
    other = rewritten(read, axes=turn)
    pose = fitted(read, body)
    world = rt.world_of(pose)
    assert apart_deg(rt.local_axis_angle(turn @ world), fitted(other, body)).max() < 1e-3


def test_own_axes_of_every_joint_change_nothing_where_a_frame_shows_the_rest_pose(read: Bvh, body: RestJoints) -> None:
    """As files are whose bones all lie along x: zero angles are no pose that anybody could take."""
    still = np.where([c.endswith("rotation") for channels in read.channels for c in channels], 0.0, read.values[:1])
    first_t = replace(read, values=np.concatenate((still, read.values)))
    axes = Rotation.random(len(read.names), random_state=3).as_matrix()
    other = fit_bvh(rewritten(first_t, frames=axes), np.arange(FRAMES + 1), body, "here")
    assert apart_deg(fitted(first_t, body), other.found.pose_axis_angle).max() < 1e-3
    assert "from the frame that stands" in other.note


def test_no_pose_that_stands_is_refused(read: Bvh, body: RestJoints) -> None:
    axes = Rotation.random(len(read.names), random_state=3).as_matrix()
    sitting = np.where([c.endswith("rotation") for channels in read.channels for c in channels], 0.0, read.values[:1])
    column = 3 + 3 * read.names.index("left_hip")
    sitting[:, [column + 1, column + 1 + 3 * (read.names.index("right_hip") - read.names.index("left_hip"))]] = -90
    with pytest.raises(UserError, match="expected a pose that stands straight"):
        fitted(rewritten(replace(read, values=sitting), frames=axes), body)


def test_other_names_change_nothing(read: Bvh, body: RestJoints) -> None:
    pose = fitted(read, body)
    for names in (
        [MIXAMO[name] for name in read.names],
        [MIXAMO[name].replace("mixamorig:", "") for name in read.names],
        [f"f_avg_{name.replace('left_', 'L_').replace('right_', 'R_').title()}" for name in read.names],
    ):
        assert apart_deg(pose, fitted(replace(read, names=tuple(names)), body)).max() < 1e-3


def test_joints_that_a_skeleton_lacks_turn_as_those_above(read: Bvh, body: RestJoints) -> None:
    names = {name: name for name in read.names} | {"spine2": "a", "left_foot": "b", "neck": "c", "left_collar": "d"}
    fit = fit_bvh(replace(read, names=tuple(map(names.get, read.names))), np.arange(FRAMES), body, "here")
    lacking = fit.found.pose_axis_angle
    np.testing.assert_allclose(lacking[:, SMPL_24.index("left_foot")], 0, atol=0.2)
    knees = [SMPL_24.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "elbow")]
    assert np.median(apart_deg(fitted(read, body), lacking)[:, knees]) < 3


def test_unknown_names_are_listed_in_one_line(read: Bvh) -> None:
    strange = tuple(f"bone {k}" if name == "left_knee" else name for k, name in enumerate(read.names))
    with pytest.raises(UserError, match=r"here: .* found none for left_knee; unknown: .*bone \d.*; rename") as error:
        name_joints(strange, "here")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="expected one person's joints, found 'left_hip' twice"):
        name_joints((*read.names, "left_hip"), "here")


def test_a_known_file_moves_as_its_channels_say(tmp_path: Path) -> None:
    text = """HIERARCHY
ROOT hip joint {
  OFFSET 5 5 5
  CHANNELS 6 Yposition Xposition Zposition Yrotation Zrotation Xrotation
  JOINT a
  {
	OFFSET	0 10 0
 CHANNELS 1 Xrotation
    End Site
    { OFFSET 1 0 0 }
  } }
MOTION
Frames: 2
Frame Time: 0.05

0 0 0 0 0 0 0
2 1 3 90 0 90 -90
"""
    motion = read_bvh(written(tmp_path, text))
    assert motion.names == ("hip joint", "a") and motion.rate_hz == pytest.approx(20)
    turns, places = pose_joints(motion, motion.values)
    np.testing.assert_allclose(places[:, 0], [[0, 0, 0], [1, 2, 3]])  # in place of the offset
    unmoved = replace(motion, values=np.zeros_like(motion.values))
    np.testing.assert_allclose(pose_joints(unmoved, unmoved.values)[1][:, 0], [[5, 5, 5]] * 2)
    # About x first: the bone goes from y to z. Then about y: from z to x. The joint turns back about its own x.
    np.testing.assert_allclose(places[:, 1] - places[:, 0], [[0, 10, 0], [10, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(turns[1, 1], Rotation.from_euler("y", 90, degrees=True).as_matrix(), atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[: -len(t) // 8], "line [0-9]+: expected 75 numbers, found [0-9]+"),
        (lambda t: t[: t.rindex("\n", 0, -1) + 1], "expected 12 frames .*found 11"),
        (lambda t: t[:900], "line|end of the file"),
        (lambda t: t[: t.index("Frames")], "'Frames:' and a number, found the end of the file"),
        (lambda t: t.replace("CHANNELS 6", "CHANNELS 5"), "as many channels as it says, found 5"),
        (lambda t: t.replace("CHANNELS 3 Zr", "CHANNELS 3 Xr", 1), "at most once"),
        (lambda t: t.replace("CHANNELS 3 Zr", "CHANNELS 3 Wr", 1), "at most once"),
        (lambda t: t.replace("OFFSET 0.000000", "OFFSET x", 1), "expected 3 numbers, found x"),
        (lambda t: t.replace("OFFSET 0.000000", "OFFSET 1e999", 1), "OFFSET of finite numbers"),
        (lambda t: t.replace("Frame Time: 0.0", "Frame Time: -0.0"), "Frame Time above zero"),
        (lambda t: t.replace("Frame Time: 0.03333333", "Frame Time: 0"), "Frame Time above zero"),
        (lambda t: t.replace("MOTION", "ROOT other\n{\n}\nMOTION"), "one ROOT"),
        (lambda t: t.replace("}\nMOTION", "MOTION"), "found 'MOTION'"),
        (lambda t: "", "found the end of the file"),
        (lambda t: "solid teapot\n" + t, "line 1: .*'solid teapot'"),
        (lambda t: t.replace("JOINT left_hip", "JOINT"), "a joint with a name"),
    ],
)
def test_a_malformed_file_is_named_in_one_line(own: tuple, tmp_path: Path, change, message: str) -> None:
    changed = change(own[1])
    assert changed != own[1]
    path = written(tmp_path, changed)
    with pytest.raises(UserError, match=message) as error:
        read_bvh(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_bytes(b"\x93NUMPY\xff")
    for name, message in (("a.bvh", "not text"), ("b.bvh", "no readable file")):
        with pytest.raises(UserError, match=message):
            read_bvh(tmp_path / name)


def test_bones_without_length_are_named(read: Bvh, body: RestJoints) -> None:
    offsets = read.offsets.copy()
    offsets[read.names.index("left_knee")] = 0
    with pytest.raises(UserError, match="'left_hip' to 'left_knee': expected a length above zero"):
        fitted(replace(read, offsets=offsets), body)


def test_a_clip_goes_through_the_command(
    own: tuple, toy_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["mocap", str(written(tmp_path, own[1])), "--body", str(toy_file), "--out", str(tmp_path / "pool.h5")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "1 clips: BVH lengths taken as cm" in said and "1 clips, 4 frames, fit error" in said
    lines = own[1].splitlines()
    lines[-6] = " ".join(["nan", *lines[-6].split()[1:]])  # the seventh of twelve; every third is taken
    written(tmp_path, "\n".join(lines))
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "1 clips: frames left out that are not finite" in said and "1 clips, 3 frames" in said
    written(tmp_path, "\n".join([*lines[:-12], *["nan" + " 0" * 74] * 12]))
    assert main(command) == 2
    assert "expected frames of finite numbers, found none" in capsys.readouterr().err
