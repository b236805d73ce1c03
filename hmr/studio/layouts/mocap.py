"""CMU's motion capture, at 120 frames a second: subjects/NN/NN.asf, a skeleton, and NN_MM.amc, its motions; of every
other subject subjects/NN/NN_MM.c3d instead, the markers that the cameras saw.

Beside the subjects, whose motion is made up, humanoid/NAME-N holds real motion in the same two forms, done by one of
the studio's people. Skeletons are made of the shaped body's own joints under CMU's names, so that every pose can be
told by them; a fixed bone more on each side leads from the breast to the clavicle, as CMU's leads from the root to the
hip.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation, Slerp
from tqdm import tqdm

from hmr.body.joints import SMPL_24
from hmr.download.humanoid import RealClip
from hmr.mocap.asf_amc import METRES_PER_INCH, ROOT, ROOT_CHANNELS, Skeleton, angles_of, write_amc, write_asf
from hmr.mocap.c3d import Capture, write_c3d
from hmr.mocap.marker_body import MarkerBody, put_markers
from hmr.mocap.marker_fit import marker_points
from hmr.mocap.retarget import TURNS_AS, RestJoints, place_joints, world_of
from hmr.mocap.sources import CMU_FRAME_RATE_HZ
from hmr.params import StudioMocap
from hmr.studio.layouts.videos import rng_of
from hmr.studio.motion import ACTIONS, Motion, sample_motion
from hmr.studio.people import sample_person
from hmr.studio.shoot import Studio

DATASET, REAL = "mocap", "humanoid"
CLIPS_A_SUBJECT = 2  # few, as the critics see no more shapes than there are subjects
METRES_PER_UNIT = METRES_PER_INCH / 0.45  # CMU's own scale
SOLE_M = 0.03  # from the lowest joint to the ground
# Of the markers: how far each sits beside its place, how much it trembles, and how much of it the cameras lose.
MARKER_BESIDE_M, MARKER_NOISE_M, MARKER_LOST = 0.006, 0.001, 0.03
_LOST_FRAMES = (5, 60)  # at a stretch
_RADIUS_SHARE = 2 / 3  # of the forearm; the rest is CMU's wrist bone

# Bones as (name, parent, the point where it ends, axes in degrees). One side stands for both.
_TRUNK = (
    *(("lowerback", "root", "spine2"), ("upperback", "lowerback", "spine3"), ("thorax", "upperback", "breast")),
    *(("lowerneck", "thorax", "neck"), ("upperneck", "lowerneck", "head"), ("head", "upperneck", "head_end")),
)
_LEFT = (
    *(("lhipjoint", "root", "left_hip", (0, 0, 0)), ("lfemur", "lhipjoint", "left_knee", (0, 0, 20))),
    *(("ltibia", "lfemur", "left_ankle", (0, 0, 20)), ("lfoot", "ltibia", "left_foot", (-90, 0, 20))),
    *(("ltoes", "lfoot", "left_toes", (-90, 0, 20)), ("lcollarjoint", "thorax", "left_collar", (0, 0, 0))),
    ("lclavicle", "lcollarjoint", "left_shoulder", (0, 0, 0)),
    ("lhumerus", "lclavicle", "left_elbow", (180, -30, -90)),
    *(("lradius", "lhumerus", "left_forearm", (180, -30, -90)), ("lwrist", "lradius", "left_wrist", (0, 90, 90))),
    *(("lhand", "lwrist", "left_hand", (0, 90, 90)), ("lfingers", "lhand", "left_fingers", (0, 90, 90))),
)  # fmt: skip


@dataclass(frozen=True)
class Take:
    """Something that a subject does, and how it is captured."""

    subject: str  # its folder below the set's
    name: str
    motion: Callable[[Float[ndarray, "24 3"]], Motion]  # given the subject's joints at rest, which stand on the ground
    as_markers: bool


def write_mocap(raw: Path, studio: Studio, params: StudioMocap, seed: int, real: Sequence[RealClip] = ()) -> None:
    """Make the set below `raw`: `params.clips` motions of `params.seconds` each, two a subject, and real clips.

    The first subject is written as angles, the next as markers, and so on.

    # ASSUME: whose the real clips are is not known; `params.real_takes` of the studio's people do each.
    """
    body, markers = RestJoints.of(studio.body), put_markers(studio.arrays)
    takes = [*_made_up(params, seed), *_real(real, params.real_takes)]
    for take in tqdm(takes, desc="mocap", unit="clip", mininterval=5, disable=None):
        _write(raw / take.subject, take, body, markers, seed)


def _made_up(params: StudioMocap, seed: int) -> Iterator[Take]:
    frames, actions = max(1, round(params.seconds * CMU_FRAME_RATE_HZ)), tuple(ACTIONS)
    for clip in range(params.clips):
        number, take = divmod(clip, CLIPS_A_SUBJECT)
        name, action = f"{1 + number:02}_{1 + take:02}", actions[clip % len(actions)]

        def motion(_: ndarray, name: str = name, action: str = action) -> Motion:
            return sample_motion(rng_of(seed, DATASET, name), action, frames, CMU_FRAME_RATE_HZ)

        yield Take(f"subjects/{1 + number:02}", name, motion, as_markers=number % 2 == 1)


def _real(clips: Sequence[RealClip], takes: int) -> Iterator[Take]:
    for number, clip in enumerate(clips):
        motion = partial(real_motion, clip, CMU_FRAME_RATE_HZ)
        for take in range(takes):
            subject = f"{clip.name}-{1 + take}"
            yield Take(f"{REAL}/{subject}", f"{subject}_01", motion, as_markers=(number + take) % 2 == 1)


def _write(folder: Path, take: Take, body: RestJoints, markers: MarkerBody, seed: int) -> None:
    rng = rng_of(seed, DATASET, folder.name)
    betas = sample_person(rng).betas
    rest_joints = body.at(betas)
    motion = take.motion(rest_joints)
    if take.as_markers:
        worn = worn_by_subject(rng, markers)
        capture = capture_of(rng_of(seed, DATASET, f"{take.name} seen"), worn, betas, rest_joints, motion)
        write_c3d(folder / f"{take.name}.c3d", capture)
        return
    skeleton = cmu_skeleton(rest_joints)
    write_asf(folder / f"{folder.name}.asf", skeleton, name=f"subject{folder.name}", metres_per_unit=METRES_PER_UNIT)
    channels = cmu_channels(skeleton, rest_joints, motion)
    write_amc(folder / f"{take.name}.amc", skeleton, channels, metres_per_unit=METRES_PER_UNIT)


def real_motion(clip: RealClip, frame_rate_hz: float, rest_joints_m: Float[ndarray, "24 3"]) -> Motion:
    """A real clip at another rate, of somebody whose joints are these at rest.

    The lowest joint of the lowest frame stands on the ground; jumps and falls keep their height above it.
    """
    begun_s = np.arange(len(clip)) / clip.frame_rate_hz
    at = np.arange(int(begun_s[-1] * frame_rate_hz + 1e-6) + 1) / frame_rate_hz
    turns = [Slerp(begun_s, Rotation.from_rotvec(joint))(at) for joint in clip.full_pose_axis_angle.swapaxes(0, 1)]
    pose = np.stack([turn.as_rotvec() for turn in turns], 1)
    pelvis = np.stack([np.interp(at, begun_s, axis) for axis in clip.pelvis_m.T], 1)
    joints = place_joints(world_of(pose), rest_joints_m)
    lift = pelvis[:, 1] + (joints[..., 1] - joints[:, :1, 1]).min(1)
    return Motion(pose, np.stack((pelvis[:, 0], lift - lift.min(), pelvis[:, 2]), 1))


def worn_by_subject(rng: np.random.Generator, markers: MarkerBody) -> MarkerBody:
    """Markers as somebody stuck them on: a little beside their places, flat on the skin."""
    beside = rng.normal(0, MARKER_BESIDE_M, markers.sites_m.shape)
    return markers.moved(beside - (beside * markers.normals).sum(1, keepdims=True) * markers.normals)


def capture_of(
    rng: np.random.Generator, worn: MarkerBody, betas: ndarray, rest_joints_m: Float[ndarray, "24 3"], motion: Motion
) -> Capture:
    """What the cameras see of a motion's markers: with a little noise, and lost for stretches of time."""
    joints = place_joints(world_of(motion.full_pose_axis_angle), rest_joints_m)
    points = marker_points(worn, betas, motion.full_pose_axis_angle, _pelvis_m(motion, joints))
    points += rng.normal(0, MARKER_NOISE_M, points.shape)
    lost = np.zeros(points.shape[:2], bool)
    while lost.mean() < MARKER_LOST:
        start, length = rng.integers(-_LOST_FRAMES[1], len(points)), rng.integers(*_LOST_FRAMES)
        lost[max(0, start) : max(0, start + length), rng.integers(lost.shape[1])] = True
    points[lost] = np.nan
    return Capture(worn.labels, points, CMU_FRAME_RATE_HZ)


def _pelvis_m(motion: Motion, joints: Float[ndarray, "frames 24 3"]) -> Float[ndarray, "frames 3"]:
    """Where the pelvis is when the lowest joint stands on the ground."""
    pelvis = motion.transl.astype(float)
    pelvis[:, 1] += SOLE_M - (joints[..., 1] - joints[:, :1, 1]).min(1)
    return pelvis


def cmu_skeleton(rest_joints_m: Float[ndarray, "24 3"]) -> Skeleton:
    """A skeleton with CMU's bones between a body's rest joints. Its root is the body's spine1, where CMU's lies."""
    points = _points(rest_joints_m)
    bones = [(name, parent, end, (0, 0, 0)) for name, parent, end in _TRUNK]
    bones += [*_LEFT, *(_right(*bone) for bone in _LEFT)]
    ends = {ROOT: points["spine1"]} | {name: points[end] for name, _, end, _ in bones}
    names = (ROOT, *(name for name, *_ in bones))
    moving = {*TURNS_AS.values()}
    return Skeleton(
        names=names,
        parents=(-1, *(names.index(parent) for _, parent, *_ in bones)),
        offsets_m=np.array([np.zeros(3), *(ends[name] - ends[parent] for name, parent, *_ in bones)]),
        axes_deg=np.array([(0, 0, 0), *(axes for *_, axes in bones)], float),
        axis_orders=("xyz",) * len(names),
        dofs=(ROOT_CHANNELS, *(("rx", "ry", "rz") if name in moving else () for name in names[1:])),
    )


def cmu_channels(
    skeleton: Skeleton, rest_joints_m: Float[ndarray, "24 3"], motion: Motion
) -> Float[ndarray, "frames channels"]:
    """A motion as the skeleton's channels, metres and radians.

    # ASSUME: hands are not written, for CMU's skeleton has none that SMPL could use; feet stand on the ground by the
    lowest joint, not by the skin.
    """
    world = world_of(motion.full_pose_axis_angle)
    turned = world[:, [_moved_by(skeleton, bone) for bone in range(len(skeleton.names))]]
    angles = angles_of(skeleton, turned)
    joints = place_joints(world, rest_joints_m)
    place = joints[:, SMPL_24.index("spine1")] - joints[:, 0] + _pelvis_m(motion, joints)
    return np.concatenate(
        [place, *(angles[n] for n, dofs in zip(skeleton.names, skeleton.dofs, strict=True) if dofs)], 1
    )


def _moved_by(skeleton: Skeleton, bone: int) -> int:
    """The SMPL joint that turns a bone: its own, or that of the first bone above that has one."""
    joints = {name: joint for joint, name in TURNS_AS.items()}
    while skeleton.names[bone] not in joints:
        bone = skeleton.parents[bone]
    return SMPL_24.index(joints[skeleton.names[bone]])


def _points(rest_joints_m: ndarray) -> dict[str, ndarray]:
    """Where bones end: the joints, and what CMU has besides."""
    points = dict(zip(SMPL_24.joints, rest_joints_m, strict=True))
    points["breast"] = (points["left_collar"] + points["right_collar"]) / 2
    points["head_end"] = points["head"] + (0, 0.1, 0)
    for side in ("left", "right"):
        elbow, wrist, hand = (points[f"{side}_{joint}"] for joint in ("elbow", "wrist", "hand"))
        points[f"{side}_forearm"] = elbow + _RADIUS_SHARE * (wrist - elbow)
        points[f"{side}_fingers"] = hand + (hand - wrist) / 2
        points[f"{side}_toes"] = points[f"{side}_foot"] + (0, 0, 0.06)
    return points


def _right(name: str, parent: str, end: str, axes: tuple[float, float, float]) -> tuple:
    """The mirror image of a left bone. CMU mirrors its axes by the signs of all but the first angle."""
    above = f"r{parent[1:]}" if parent.startswith("l") else parent
    return f"r{name[1:]}", above, end.replace("left", "right"), (axes[0], -axes[1], -axes[2])
