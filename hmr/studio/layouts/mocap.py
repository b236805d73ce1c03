"""CMU's motion capture: subjects/NN/NN.asf, a skeleton, and NN_MM.amc, its motions, at 120 frames a second.

The skeletons are made of the shaped body's own joints under CMU's names, so that every pose can be told by them; a
fixed bone more on each side leads from the breast to the clavicle, as CMU's leads from the root to the hip.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from tqdm import tqdm

from hmr.body.joints import SMPL_24
from hmr.mocap.asf_amc import METRES_PER_INCH, ROOT, ROOT_CHANNELS, Skeleton, angles_of, write_amc, write_asf
from hmr.mocap.retarget import TURNS_AS, RestJoints, place_joints, world_of
from hmr.mocap.sources import CMU_FRAME_RATE_HZ
from hmr.params import StudioMocap
from hmr.studio.layouts.videos import rng_of
from hmr.studio.motion import ACTIONS, Motion, sample_motion
from hmr.studio.people import sample_person
from hmr.studio.shoot import Studio

DATASET = "mocap"
CLIPS_A_SUBJECT = 8
METRES_PER_UNIT = METRES_PER_INCH / 0.45  # CMU's own scale
SOLE_M = 0.03  # from the lowest joint to the ground
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


def write_mocap(raw: Path, studio: Studio, params: StudioMocap, seed: int) -> None:
    """Make the set below `raw`: `params.clips` motions of `params.seconds` each, eight a subject."""
    body, frames = RestJoints.of(studio.body), max(1, round(params.seconds * CMU_FRAME_RATE_HZ))
    actions = tuple(ACTIONS)
    for clip in tqdm(range(params.clips), desc="mocap", unit="clip", mininterval=5, disable=None):
        subject = f"{1 + clip // CLIPS_A_SUBJECT:02}"
        folder = raw / "subjects" / subject
        rest_joints = body.at(sample_person(rng_of(seed, DATASET, subject)).betas)
        skeleton = cmu_skeleton(rest_joints)
        if clip % CLIPS_A_SUBJECT == 0:
            write_asf(folder / f"{subject}.asf", skeleton, name=f"subject{subject}", metres_per_unit=METRES_PER_UNIT)
        name = f"{subject}_{1 + clip % CLIPS_A_SUBJECT:02}"
        motion = sample_motion(rng_of(seed, DATASET, name), actions[clip % len(actions)], frames, CMU_FRAME_RATE_HZ)
        channels = cmu_channels(skeleton, rest_joints, motion)
        write_amc(folder / f"{name}.amc", skeleton, channels, metres_per_unit=METRES_PER_UNIT)


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
    pelvis = motion.transl.astype(float)
    pelvis[:, 1] += SOLE_M - (joints[..., 1] - joints[:, :1, 1]).min(1)
    place = joints[:, SMPL_24.index("spine1")] - joints[:, 0] + pelvis
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
