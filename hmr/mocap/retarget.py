"""From a captured skeleton to SMPL's: the actor's shape, then every frame's pose, all of a clip at once.

`fit_betas`, `alignments` and `fit_pose` know SMPL's joints alone; the rest is how CMU's skeleton has them.

Both stand upright in their rest poses, arms out, facing +z, y up. A bone of CMU that moves as a joint of SMPL hands
its world rotation on, after an alignment that makes the rest bones point the same way (CMU's legs are apart, SMPL's
are not). Where CMU's bone only stands for a place in the trunk, the two rest poses are taken as they are. From there
a least-squares fit brings the joints onto CMU's (`placement`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.body.model import BodyModel
from hmr.errors import UserError
from hmr.mocap.asf_amc import PosedSkeleton, Skeleton, pose_skeleton
from hmr.mocap.placement import place_on


def _both_sides(one_side: dict[str, str]) -> dict[str, str]:
    return {f"{side}_{joint}": f"{side[0]}{bone}" for side in ("left", "right") for joint, bone in one_side.items()}


# The bone of CMU that turns as SMPL's joint does. CMU's root lies where SMPL's spine1 does, so its lowerback is what
# SMPL's spine1 moves, and so on upwards; the end of its lowerneck is SMPL's neck.
TURNS_AS = {
    "pelvis": "root",
    **{"spine1": "lowerback", "spine2": "upperback", "spine3": "thorax", "neck": "upperneck", "head": "head"},
    **_both_sides({"hip": "femur", "knee": "tibia", "ankle": "foot", "foot": "toes"}),
    **_both_sides({"collar": "clavicle", "shoulder": "humerus", "elbow": "radius", "wrist": "hand"}),
}
# The bone at whose end SMPL's joint is.
ENDS_AT = {
    **{"neck": "lowerneck", "head": "upperneck"},
    **_both_sides({"hip": "hipjoint", "knee": "femur", "ankle": "tibia", "foot": "foot"}),
    **_both_sides({"shoulder": "clavicle", "elbow": "humerus", "wrist": "wrist"}),
}
SHARED_JOINTS = tuple(joint for joint in SMPL_24.joints if joint in ENDS_AT)
# Lengths measured to find the shape, with how far CMU's idea of their ends may differ from SMPL's, metres: on CMU's
# subjects limbs agree within a centimetre, while its hips are centimetres nearer and its feet shorter.
_LENGTH_SIGMAS_M = {
    **{(f"{side}_hip", f"{side}_knee"): 0.01 for side in ("left", "right")},
    **{(f"{side}_knee", f"{side}_ankle"): 0.01 for side in ("left", "right")},
    **{(f"{side}_ankle", f"{side}_foot"): 0.02 for side in ("left", "right")},
    **{(f"{side}_shoulder", f"{side}_elbow"): 0.01 for side in ("left", "right")},
    **{(f"{side}_elbow", f"{side}_wrist"): 0.015 for side in ("left", "right")},
    **{(f"{side}_hip", f"{side}_shoulder"): 0.01 for side in ("left", "right")},
    ("left_hip", "right_hip"): 0.02,
    ("left_shoulder", "right_shoulder"): 0.01,
    ("neck", "head"): 0.015,
}
# Joints whose bone goes to another joint that both skeletons know, so that its direction means the same in both.
ALIGNED = {
    f"{side}_{joint}": f"{side}_{child}"
    for side in ("left", "right")
    for joint, child in (("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("shoulder", "elbow"))
} | {"left_elbow": "left_wrist", "right_elbow": "right_wrist"}

_WRISTS = [
    tuple(SMPL_24.index(f"{side}_{joint}") for joint in ("wrist", "elbow", "hand")) for side in ("left", "right")
]
# No wrist turns so far; CMU's hands do on some frames, where a marker of the hand was lost.
_WRIST_LIMIT_RAD = np.radians(110)


@dataclass(frozen=True)
class RestJoints:
    """SMPL's joints in the rest pose, as they depend on the shape."""

    template_m: Float[ndarray, "24 3"]
    shapedirs_m: Float[ndarray, "24 3 10"]

    @classmethod
    def of(cls, body: BodyModel) -> "RestJoints":
        """Those of a body model."""
        return cls(body.joint_template.double().numpy(), body.joint_shapedirs.double().numpy())

    def at(self, betas: Float[ndarray, "10"]) -> Float[ndarray, "24 3"]:
        """The joints of one shape, metres."""
        return self.template_m + self.shapedirs_m @ betas


@dataclass(frozen=True)
class Actor:
    """A CMU subject with the SMPL shape that has the same limbs."""

    skeleton: Skeleton
    metres_per_unit: float
    betas: Float[ndarray, "10"]
    rest_joints_m: Float[ndarray, "24 3"]

    @cached_property
    def alignments(self) -> Float[ndarray, "24 3 3"]:
        """For each joint the rotation from SMPL's rest pose to CMU's."""
        return alignments(self.rest_joints_m, rest_points(self.skeleton))


@dataclass(frozen=True)
class Retargeted:
    """SMPL poses, how far their joints are from the captured ones, and where those are beside the body."""

    pose_axis_angle: Float[ndarray, "frames 24 3"]
    fit_error_mm: Float[ndarray, "frames"]
    captured_m: Float[ndarray, "frames shared 3"]  # moved with the pelvis to its place in the rest pose


def make_actor(skeleton: Skeleton, metres_per_unit: float, body: RestJoints, origin: object) -> Actor:
    """Fit the shape once per subject. UserError if the skeleton lacks bones of CMU's."""
    if missing := sorted({*TURNS_AS.values(), *ENDS_AT.values()} - set(skeleton.names)):
        raise UserError(
            f"{origin}: expected CMU's bones, found no {', '.join(missing[:4])}; only such skeletons are read"
        )
    lengths_m = np.linalg.norm(skeleton.offsets_m, axis=-1)
    if flat := [name for name in ENDS_AT.values() if not 0 < lengths_m[skeleton.index(name)] < np.inf]:
        raise UserError(f"{origin}: bone {flat[0]!r}: expected a length above zero, found none; fetch it again")
    betas = fit_betas(rest_points(skeleton), body)
    return Actor(skeleton, metres_per_unit, betas, body.at(betas))


def rest_points(skeleton: Skeleton) -> dict[str, ndarray]:
    """Where the skeleton has the shared joints when all angles are zero, metres."""
    posed = pose_skeleton(skeleton, np.zeros((1, skeleton.starts[-1])))
    return dict(zip(SHARED_JOINTS, shared_points(posed, skeleton)[0], strict=True))


def fit_betas(points_m: dict[str, ndarray], body: RestJoints) -> Float[ndarray, "10"]:
    """The most likely shape whose limbs, widths and trunk are as long as the actor's. Betas have SMPL's prior, N(0, 1).

    points_m: shared joints of one pose; those that a skeleton lacks may be absent.
    # ASSUME: what no length shows (how heavy the actor is) stays at the mean; MoSh would see it from the markers.
    """
    pairs = [pair for pair in _LENGTH_SIGMAS_M if points_m.keys() >= {*pair}]
    first, second = (np.array([points_m[pair[k]] for pair in pairs]) for k in (0, 1))
    wanted = np.linalg.norm(first - second, axis=-1)
    start, stop = ([SMPL_24.index(pair[k]) for pair in pairs] for k in (0, 1))

    sigmas_m = np.array([_LENGTH_SIGMAS_M[pair] for pair in pairs])

    def residuals(betas: ndarray) -> ndarray:
        joints = body.at(betas)
        lengths = np.linalg.norm(joints[start] - joints[stop], axis=-1)
        return np.concatenate(((lengths - wanted) / sigmas_m, betas))

    return least_squares(residuals, np.zeros(10), method="lm").x


def shared_points(posed: PosedSkeleton, skeleton: Skeleton) -> Float[ndarray, "frames shared 3"]:
    """Where CMU's skeleton has the shared joints, metres."""
    return posed.ends_m[:, [skeleton.index(ENDS_AT[joint]) for joint in SHARED_JOINTS]]


def retarget(actor: Actor, channels: Float[ndarray, "frames channels"]) -> Retargeted:
    """SMPL's pose in every frame of a CMU motion (metres, radians). Hands stay as in the rest pose."""
    posed = pose_skeleton(actor.skeleton, channels)
    points = shared_points(posed, actor.skeleton)
    return fit_pose(world_rotations(actor, posed), SHARED_JOINTS, points, actor.rest_joints_m)


def fit_pose(
    world: Float[ndarray, "frames 24 3 3"],
    joints: Sequence[str],
    points_m: Float[ndarray, "frames shared 3"],
    rest_joints_m: Float[ndarray, "24 3"],
) -> Retargeted:
    """Poses near the world rotations `world` that bring `joints` near `points_m`; wrists within their reach."""
    shared = [SMPL_24.index(joint) for joint in joints]
    turned, pelvis = place_on(world, rest_joints_m, shared, points_m)
    for wrist, elbow, hand in _WRISTS:
        turned[:, wrist] = turned[:, hand] = _within_reach(turned[:, elbow], turned[:, wrist])
    places = place_joints(turned, rest_joints_m - rest_joints_m[0])[:, shared]
    distance_m = np.linalg.norm(places + pelvis[:, None] - points_m, axis=-1)
    captured = points_m + (rest_joints_m[0] - pelvis)[:, None]
    return Retargeted(local_axis_angle(turned), 1000 * distance_m.mean(-1), captured)


def world_rotations(actor: Actor, posed: PosedSkeleton) -> Float[ndarray, "frames 24 3 3"]:
    """How far each SMPL joint is turned from SMPL's rest pose."""
    skeleton, frames = actor.skeleton, len(posed.ends_m)
    world = np.empty((frames, 24, 3, 3))
    for joint, parent in enumerate(SMPL_PARENTS):
        name = SMPL_24.joints[joint]
        if name not in TURNS_AS:  # the hands
            world[:, joint] = world[:, parent]
            continue
        turn = posed.rotations[:, skeleton.index(TURNS_AS[name])]
        if name.endswith("_elbow"):
            turn = halfway(turn, posed.rotations[:, skeleton.index(f"{name[0]}wrist")])
        world[:, joint] = turn @ actor.alignments[joint]
    return world


def place_joints(
    world: Float[ndarray, "frames 24 3 3"], rest_joints_m: Float[ndarray, "24 3"]
) -> Float[ndarray, "frames 24 3"]:
    """SMPL's joints by their world rotations, pelvis at its rest place, metres."""
    places = np.empty((len(world), 24, 3))
    places[:, 0] = rest_joints_m[0]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        places[:, joint] = places[:, parent] + world[:, parent] @ (rest_joints_m[joint] - rest_joints_m[parent])
    return places


def world_of(pose_axis_angle: Float[ndarray, "frames 24 3"]) -> Float[ndarray, "frames 24 3 3"]:
    """World rotations of SMPL's joints from a pose; undoes `local_axis_angle`."""
    world = Rotation.from_rotvec(pose_axis_angle.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        world[:, joint] = world[:, parent] @ world[:, joint]
    return world


def local_axis_angle(world: Float[ndarray, "frames 24 3 3"]) -> Float[ndarray, "frames 24 3"]:
    """SMPL's pose: each joint against its parent, the root against the world, radians."""
    local = world.copy()
    parents = list(SMPL_PARENTS[1:])
    local[:, 1:] = np.swapaxes(world[:, parents], -1, -2) @ world[:, 1:]
    return Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)


def mirror_pose(pose_axis_angle: Float[ndarray, "frames 24 3"]) -> Float[ndarray, "frames 24 3"]:
    """The pose seen in a mirror: left and right exchanged, rotations reflected."""
    return pose_axis_angle[:, SMPL_24.flip] * np.array([1.0, -1.0, -1.0])


def resample(frames: int, source_hz: float, target_hz: float) -> ndarray:
    """The source frames nearest to a steady target rate; every frame if the source is slower. Poses stay measured."""
    step = max(1.0, source_hz / target_hz)
    return np.floor(np.arange(0, frames, step) + 1e-6).astype(np.int64)


def alignments(rest_joints_m: Float[ndarray, "24 3"], points_m: dict[str, ndarray]) -> Float[ndarray, "24 3 3"]:
    """For each joint the rotation from SMPL's rest pose to that of a skeleton which has its joints at `points_m`."""
    turns = np.tile(np.eye(3), (24, 1, 1))
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        name = SMPL_24.joints[joint]
        turns[joint] = turns[parent]
        if points_m.keys() >= {name, child := ALIGNED.get(name)}:
            bone = turns[parent] @ (rest_joints_m[SMPL_24.index(child)] - rest_joints_m[joint])
            turns[joint] = shortest_turn(bone, points_m[child] - points_m[name]) @ turns[parent]
    return turns


def shortest_turn(start: Float[ndarray, "3"], end: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The rotation without twist from one direction to another that is not its opposite."""
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis), start @ end
    return Rotation.from_rotvec(axis * (np.arctan2(sine, cosine) / max(sine, 1e-12))).as_matrix()


def _within_reach(above: Float[ndarray, "frames 3 3"], wrist: Float[ndarray, "frames 3 3"]) -> ndarray:
    """The wrist's world rotations, with those that no wrist reaches taken from the frames around them."""
    turn = Rotation.from_matrix(np.swapaxes(above, -1, -2) @ wrist).as_rotvec()
    good = np.flatnonzero(np.linalg.norm(turn, axis=-1) <= _WRIST_LIMIT_RAD)
    if len(good) == len(turn):
        return wrist
    frames = np.arange(len(turn))
    mended = [np.interp(frames, good, column[good]) if len(good) else np.zeros(len(turn)) for column in turn.T]
    return above @ Rotation.from_rotvec(np.stack(mended, 1)).as_matrix()


def halfway(first: Float[ndarray, "frames 3 3"], second: Float[ndarray, "frames 3 3"]) -> ndarray:
    """The rotation in the middle of two. CMU's wrist bone is the forearm's far part and carries all of its twist.

    A turn by 190 degrees is the one by -170 the other way about, and their halves are opposite: the turn is followed
    from frame to frame, and then taken the way round that is the shorter on most frames.
    """
    between = Rotation.from_matrix(np.swapaxes(first, -1, -2) @ second).as_rotvec()
    angle = np.linalg.norm(between, axis=-1, keepdims=True)
    axis = between / np.maximum(angle, 1e-12)
    main = axis[np.argmax(angle)]
    flipped = np.where(axis @ main < 0, -1.0, 1.0)[:, None]
    followed = np.unwrap((flipped * angle)[:, 0])
    followed -= 2 * np.pi * np.round(np.median(followed) / (2 * np.pi))
    return first @ Rotation.from_rotvec(flipped * axis * followed[:, None] / 2).as_matrix()
