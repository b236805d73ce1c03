"""From a BVH skeleton to SMPL's poses: what its joints are, how long its unit is, which way is up, and then the fit.

A file says none of these. Names come from a table (`skeletons/bvh.csv`), the unit from the length of the legs, and up
and the turns of bones against SMPL's from a pose in which the skeleton stands: the one of zero angles where that is
such a pose, or else the frame that is most like one.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.errors import UserError
from hmr.mocap.bvh import Bvh, pose_joints
from hmr.mocap.retarget import (
    ALIGNED,
    SHARED_JOINTS,
    RestJoints,
    Retargeted,
    alignments,
    fit_betas,
    fit_pose,
    halfway,
)

_TABLE = Path(__file__).parent / "skeletons" / "bvh.csv"
_SIDES = ("left", "right")
_NEEDED = ("pelvis", *(f"{s}_{j}" for s in _SIDES for j in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")))
_PREFIX = re.compile(r"^(mixamorig\d*|bip\d+|[mf]avg)")  # of names, once small and without signs
# CMU's unit is an inch over 0.45. ASSUME: the actor is grown up, legs within a third of the mean body's.
_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "CMU's units": 0.0254 / 0.45}
_LEG = (("hip", "knee"), ("knee", "ankle"))
_NEAR = np.log(1.5)
_TO_Y_UP = {"y": np.eye(3), "z": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)}
# How far bones may point from SMPL's, degrees, in a pose that says how they are turned: arms may hang.
_STANDS = {"trunk": 30.0, "hip": 45.0, "knee": 45.0, "shoulder": 105.0, "elbow": 105.0}
_SNAP_DEG = 5.0


@dataclass(frozen=True)
class BvhFit:
    """A clip's poses, its actor's betas, and what had to be guessed, in words."""

    betas: Float[ndarray, "10"]
    found: Retargeted
    note: str


@dataclass(frozen=True)
class _Stand:
    """A pose in which the skeleton stands: its frame, None for zero angles, and the turns that make it face +z."""

    frame: int | None
    upright: Float[ndarray, "3 3"]  # from the file's axes to y up
    facing: Float[ndarray, "3 3"]  # about y
    cost: float  # above one: bones point too far from SMPL's


def fit_bvh(motion: Bvh, frames: Int[ndarray, "n"], body: RestJoints, origin: object) -> BvhFit:
    """SMPL's pose in the given frames. UserError for unknown names, bones without length, and no pose that stands."""
    joints = name_joints(motion.names, origin)
    at_zero = pose_joints(motion, _zero_angles(motion))
    rotations, places = pose_joints(motion, motion.values[frames])
    _check_lengths(motion, joints, at_zero[1][0], origin)
    metres, unit = _unit(_points(at_zero[1], joints), body)
    stand = min(
        _stand(_points(at_zero[1], joints), body, None), _best_frame(_points(places, joints), body), key=_preference
    )
    if stand.cost > 1:
        raise UserError(
            f"{origin}: expected a pose that stands straight, at zero angles or in some frame, found none to see from "
            "it how bones are turned; put a T-pose first"
        )
    rest_turns, rest_places = at_zero if stand.frame is None else (r[[stand.frame]] for r in (rotations, places))
    rest = {
        name: metres * stand.facing @ stand.upright @ point[0] for name, point in _points(rest_places, joints).items()
    }
    betas = fit_betas(rest, body)
    rest_joints = body.at(betas)
    to_smpl = stand.upright @ (rotations @ np.swapaxes(rest_turns, -1, -2)) @ stand.upright.T @ stand.facing.T
    world = _smpl_turns(to_smpl, joints) @ alignments(rest_joints, rest)
    shared = [name for name in SHARED_JOINTS if name in joints]
    points = metres * np.stack(list(_points(places, joints).values()), 1) @ stand.upright.T
    found = fit_pose(world, shared, points, rest_joints)
    where = "" if stand.frame is None else "; bones' turns from the frame that stands most as SMPL's rest pose does"
    return BvhFit(betas, found, f"BVH lengths taken as {unit}, by the legs{where}")


def name_joints(names: tuple[str, ...], origin: object) -> dict[str, tuple[int, ...]]:
    """Where SMPL's joints are among a file's: one joint each, or two whose middle is meant. Some may be missing."""
    plain = [_plain(name) for name in names]
    customs = [_match(custom, plain) for custom in _customs()]
    best = max(customs, key=len)  # the first of the best
    if missing := [name for name in _NEEDED if name not in best]:
        used = {joint for joints in best.values() for joint in joints}
        unknown = ", ".join(name for joint, name in enumerate(names) if joint not in used)
        raise UserError(
            f"{origin}: expected joints by names of hmr/mocap/skeletons/bvh.csv, found none for {', '.join(missing)}; "
            f"unknown: {unknown or 'none'}; rename them"
        )
    if twice := [names[joints[0]] for joints in best.values() if plain.count(plain[joints[0]]) > 1]:
        raise UserError(f"{origin}: expected one person's joints, found {twice[0]!r} twice; export one person alone")
    return {name: best[name] for name in SMPL_24.joints if name in best}


def _match(custom: Mapping[str, list[list[str]]], plain: list[str]) -> dict[str, tuple[int, ...]]:
    found = {}
    for joint, choices in custom.items():
        known = next((choice for choice in choices if set(choice) <= set(plain)), None)
        if known:
            found[joint] = tuple(plain.index(name) for name in known)
    return found


@cache
def _customs() -> list[dict[str, list[list[str]]]]:
    """The table: for each custom the choices of each SMPL joint, a choice being one name or two."""
    rows = list(csv.DictReader(line for line in _TABLE.read_text().splitlines() if not line.startswith("#")))
    customs = []
    for custom in [name for name in rows[0] if name != "joint"]:
        choices = {row["joint"]: [choice.split("+") for choice in row[custom].split("|") if choice] for row in rows}
        right = {
            joint.replace("left", "right"): [[_right(name) for name in choice] for choice in of_joint]
            for joint, of_joint in choices.items()
            if joint.startswith("left")
        }
        customs.append(
            {joint: [[_plain(name) for name in c] for c in of_joint] for joint, of_joint in (choices | right).items()}
        )
    return customs


def _right(left: str) -> str:
    if left.endswith("_l"):
        return f"{left[:-1]}r"
    return left.replace("left", "right") if left.startswith("left") else f"r{left[1:]}"


def _plain(name: str) -> str:
    return _PREFIX.sub("", re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower()))


def _zero_angles(motion: Bvh) -> Float[ndarray, "1 channels"]:
    """The first frame with all angles zero: where a joint is at positions, they say how long its bone is."""
    is_angle = [channel.endswith("rotation") for channels in motion.channels for channel in channels]
    return np.where(is_angle, 0.0, np.nan_to_num(motion.values[:1]))


def _points(places: Float[ndarray, "frames joints 3"], joints: Mapping[str, tuple[int, ...]]) -> dict[str, ndarray]:
    """Places of the joints that both skeletons have, each (frames, 3)."""
    return {name: places[:, joints[name][0]] for name in SHARED_JOINTS if name in joints}


def _check_lengths(
    motion: Bvh, joints: Mapping[str, tuple[int, ...]], rest: Float[ndarray, "joints 3"], origin: object
) -> None:
    for name, child in ALIGNED.items():
        if {name, child} <= joints.keys():
            above, below = joints[name][0], joints[child][0]
            if not np.linalg.norm(rest[below] - rest[above]) > 0:
                raise UserError(
                    f"{origin}: {motion.names[above]!r} to {motion.names[below]!r}: expected a length above zero, "
                    "found none; export it again"
                )


def _unit(rest: Mapping[str, ndarray], body: RestJoints) -> tuple[float, str]:
    """Metres in a unit, and its name: the one that makes legs most like the mean body's, or what makes them equal."""
    mean = dict(zip(SMPL_24.joints, body.template_m, strict=True))
    legs, wanted_m = (_legs({name: points[name].reshape(3) for name in rest}) for points in (rest, mean))
    name = min(_METRES, key=lambda unit: abs(np.log(legs * _METRES[unit] / wanted_m)))
    if abs(np.log(legs * _METRES[name] / wanted_m)) < _NEAR:
        return _METRES[name], name
    return wanted_m / legs, "no unit, scaled to the mean body"


def _legs(points: Mapping[str, ndarray]) -> float:
    bones = [
        (f"{side}_{above}", f"{side}_{below}")
        for side in _SIDES
        for above, below in (("hip", "knee"), ("knee", "ankle"))
    ]
    return sum(float(np.linalg.norm(points[below] - points[above])) for above, below in bones) / 2


def _preference(stand: _Stand) -> tuple[bool, bool, float]:
    """Zero angles where they stand, then the frame that stands best."""
    return stand.cost > 1, stand.frame is not None, stand.cost


def _best_frame(points: Mapping[str, ndarray], body: RestJoints) -> _Stand:
    """The frame most like SMPL's rest pose."""
    frames = len(points["left_hip"])
    stands = [
        _stand({name: place[[frame]] for name, place in points.items()}, body, frame)
        for frame in np.unique(np.linspace(0, frames - 1, 300).round().astype(int)).tolist()
    ]
    return min(stands, key=lambda stand: stand.cost)


def _stand(points: Mapping[str, Float[ndarray, "1 3"]], body: RestJoints, frame: int | None) -> _Stand:
    """One pose, with the axis that is up in it; `cost` says how far from SMPL's rest pose its bones point."""
    return min((_upright(points, body, frame, axis) for axis in _TO_Y_UP), key=lambda stand: stand.cost)


def _upright(points: Mapping[str, ndarray], body: RestJoints, frame: int | None, axis: str) -> _Stand:
    here = {name: _TO_Y_UP[axis] @ place[0] for name, place in points.items()}
    left = sum(here[f"left_{joint}"] - here[f"right_{joint}"] for joint in ("hip", "shoulder"))
    yaw = np.arctan2(left[2], left[0])
    quarter = np.pi / 2 * np.round(yaw / (np.pi / 2))
    yaw = quarter if abs(yaw - quarter) < np.radians(_SNAP_DEG) else yaw
    facing = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    rest = dict(zip(SMPL_24.joints, body.template_m, strict=True))
    angles = [_angle_deg(_trunk(here), np.array([0.0, 1.0, 0.0])) / _STANDS["trunk"]]
    for side in _SIDES:
        for joint in ("hip", "knee", "shoulder", "elbow"):
            name, child = f"{side}_{joint}", ALIGNED[f"{side}_{joint}"]
            bone = facing @ (here[child] - here[name])
            angles.append(_angle_deg(bone, rest[child] - rest[name]) / _STANDS[joint])
    return _Stand(frame, _TO_Y_UP[axis], facing, max(angles))


def _trunk(points: Mapping[str, ndarray]) -> Float[ndarray, "3"]:
    return sum(points[f"{side}_shoulder"] - points[f"{side}_hip"] for side in _SIDES)


def _angle_deg(first: Float[ndarray, "3"], second: Float[ndarray, "3"]) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)))


def _smpl_turns(
    turns: Float[ndarray, "frames joints 3 3"], joints: Mapping[str, tuple[int, ...]]
) -> Float[ndarray, "frames 24 3 3"]:
    """Of SMPL's joints; one that the skeleton lacks turns as its parent does."""
    world = np.empty((len(turns), 24, 3, 3))
    for joint, parent in enumerate(SMPL_PARENTS):
        own = joints.get(SMPL_24.joints[joint])
        if own is None:
            world[:, joint] = world[:, parent]
        else:
            world[:, joint] = turns[:, own[0]] if len(own) == 1 else halfway(turns[:, own[0]], turns[:, own[1]])
    return world
