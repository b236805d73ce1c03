"""How bodies are held: angles that people can read, the stances and gestures made of them, and SMPL's rotations.

A pose is a vector of named angles in degrees (`ANGLES`), zero for a person standing in SMPL's T pose. Angles of the
two sides have the same sign for the same movement, so that a mirrored pose is the two sides exchanged.
"""

from collections.abc import Mapping
from functools import reduce
from operator import mul

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24

_MIDDLE = ("pitch", "roll", "bend", "twist", "lean", "nod", "turn", "tilt")
_SIDE = (
    *("shrug", "raise", "forward", "arm_twist", "elbow", "wrist_bend", "wrist_turn"),
    *("flex", "spread", "abduct", "leg_twist", "knee", "ankle"),
)
ANGLES = (*_MIDDLE, *(f"left_{name}" for name in _SIDE), *(f"right_{name}" for name in _SIDE), "lift_cm")
_AT = {name: i for i, name in enumerate(ANGLES)}
_TURNS_OVER = ("roll", "twist", "lean", "turn", "tilt")  # change sign in a mirror
# What a body can do, degrees: nothing sampled leaves these.
_LIMITS = {
    "pitch": (-180, 180), "roll": (-180, 180), "bend": (-25, 80), "twist": (-50, 50), "lean": (-35, 35),
    "nod": (-45, 50), "turn": (-65, 65), "tilt": (-30, 30), "shrug": (-8, 20), "raise": (-88, 88),
    "forward": (-45, 125), "arm_twist": (-110, 80), "elbow": (0, 145), "wrist_bend": (-50, 50), "wrist_turn": (-60, 60),
    "flex": (-35, 125), "spread": (-25, 60), "abduct": (-12, 55), "leg_twist": (-35, 75), "knee": (0, 145),
    "ankle": (-35, 30), "lift_cm": (0, 80),
}  # fmt: skip
_LOW, _HIGH = np.array([_LIMITS[name.removeprefix("left_").removeprefix("right_")] for name in ANGLES], float).T

# Each entry: angle -> (mean, spread). A name without a side speaks of both. Angles that are not named rest near zero.
_HANGING = {"raise": (-74, 7), "forward": (12, 14), "arm_twist": (0, 18), "elbow": (22, 16)}
STANCES: dict[str, Mapping[str, tuple[float, float]]] = {
    "stand": {"flex": (3, 7), "knee": (7, 7), "abduct": (5, 4), "spread": (8, 8), "bend": (4, 6)},
    "stand_wide": {"flex": (8, 9), "knee": (14, 10), "abduct": (18, 7), "spread": (14, 8), "bend": (8, 10)},
    "weight_on_one": {
        "left_flex": (2, 4), "left_knee": (4, 4), "right_flex": (20, 9), "right_knee": (32, 12), "abduct": (7, 5),
        "lean": (7, 5), "bend": (4, 6),
    },
    "lean_forward": {"flex": (32, 14), "knee": (18, 12), "bend": (36, 14), "pitch": (10, 8), "abduct": (8, 5)},
    "pick_up": {"flex": (80, 16), "knee": (62, 26), "bend": (45, 14), "pitch": (22, 12), "spread": (14, 9)},
    "squat": {"flex": (104, 12), "knee": (118, 14), "bend": (24, 12), "spread": (24, 12), "ankle": (-18, 8)},
    "lunge": {
        "left_flex": (74, 16), "left_knee": (78, 16), "right_flex": (-14, 9), "right_knee": (34, 22), "bend": (12, 12),
        "abduct": (5, 5),
    },
    "kneel": {"left_flex": (86, 10), "left_knee": (92, 10), "right_flex": (0, 8), "right_knee": (94, 12),
              "bend": (10, 10), "abduct": (6, 5)},
    "kneel_both": {"flex": (14, 14), "knee": (112, 20), "bend": (14, 14), "spread": (9, 7), "ankle": (25, 4)},
    "sit": {"flex": (86, 9), "knee": (84, 15), "spread": (12, 11), "bend": (12, 12), "lean": (0, 6)},
    "sit_crossed": {"left_flex": (98, 8), "left_knee": (78, 16), "left_spread": (2, 8), "right_flex": (84, 7),
                    "right_knee": (88, 10), "right_spread": (12, 9), "bend": (10, 10)},
    "sit_floor": {"flex": (98, 12), "knee": (38, 30), "spread": (15, 13), "bend": (16, 14), "pitch": (-10, 9)},
    "cross_legged": {"flex": (98, 9), "knee": (118, 9), "spread": (44, 9), "leg_twist": (58, 9), "bend": (16, 11)},
    "step": {"left_flex": (30, 9), "left_knee": (14, 10), "right_flex": (-17, 7), "right_knee": (20, 12),
             "bend": (5, 6), "twist": (0, 8), "ankle": (0, 8)},
    "pass": {"left_flex": (34, 12), "left_knee": (62, 14), "right_flex": (0, 5), "right_knee": (8, 6),
             "bend": (5, 6), "ankle": (0, 8)},
    "run": {"left_flex": (66, 16), "left_knee": (88, 20), "right_flex": (-22, 8), "right_knee": (36, 26),
            "bend": (14, 9), "pitch": (8, 6), "ankle": (12, 12), "lift_cm": (6, 6)},
    "jump": {"flex": (30, 30), "knee": (48, 34), "abduct": (16, 15), "bend": (6, 16), "ankle": (20, 10),
             "lift_cm": (30, 18)},
    "kick": {"left_flex": (84, 22), "left_knee": (20, 18), "left_abduct": (10, 14), "right_flex": (0, 8),
             "right_knee": (14, 10), "pitch": (-14, 9), "lean": (6, 9)},
    "side_reach": {"abduct": (24, 10), "left_flex": (26, 14), "left_knee": (40, 20), "right_flex": (4, 8),
                   "lean": (20, 9), "roll": (10, 8), "twist": (0, 20)},
    "throw": {"left_flex": (36, 15), "left_knee": (28, 15), "right_flex": (-14, 9), "right_knee": (24, 14),
              "abduct": (11, 7), "twist": (-22, 14), "bend": (2, 12)},
    "arch_back": {"bend": (-14, 7), "pitch": (-18, 12), "flex": (-8, 9), "knee": (24, 18), "nod": (-18, 12)},
    "lie": {"pitch": (-84, 8), "flex": (12, 18), "knee": (20, 24), "abduct": (10, 8), "roll": (0, 20)},
    "upside_down": {"pitch": (170, 14), "flex": (8, 16), "knee": (14, 18), "abduct": (12, 14), "bend": (-4, 9)},
    "on_hands": {"pitch": (76, 8), "flex": (12, 12), "knee": (12, 12), "abduct": (8, 6), "bend": (-4, 8),
                 "nod": (-18, 12)},
}  # fmt: skip
GESTURES: dict[str, Mapping[str, tuple[float, float]]] = {
    "hang": _HANGING,
    "swing_forward": {"raise": (-64, 8), "forward": (72, 14), "elbow": (42, 20), "arm_twist": (0, 14)},
    "swing_back": {"raise": (-62, 8), "forward": (-32, 9), "elbow": (26, 16), "arm_twist": (0, 14)},
    "on_hip": {"raise": (-48, 6), "forward": (-10, 8), "elbow": (84, 10), "arm_twist": (52, 10)},
    "pocket": {"raise": (-68, 5), "forward": (-12, 8), "elbow": (44, 9), "arm_twist": (18, 9)},
    "to_mouth": {"raise": (-56, 8), "forward": (60, 14), "elbow": (132, 8), "arm_twist": (-14, 12)},
    "to_ear": {"raise": (-36, 10), "forward": (42, 14), "elbow": (138, 5), "arm_twist": (-44, 12)},
    "eye_level": {"raise": (-18, 10), "forward": (64, 11), "elbow": (112, 12), "arm_twist": (-58, 12)},
    "before_chest": {"raise": (-54, 10), "forward": (54, 15), "elbow": (96, 16), "arm_twist": (-6, 16)},
    "crossed": {"raise": (-62, 6), "forward": (62, 9), "elbow": (104, 8), "arm_twist": (22, 9)},
    "point": {"raise": (-4, 14), "forward": (76, 20), "elbow": (14, 12), "arm_twist": (-10, 20)},
    "reach_down": {"raise": (-58, 12), "forward": (84, 16), "elbow": (14, 12), "arm_twist": (0, 16)},
    "wave": {"raise": (22, 16), "forward": (16, 16), "elbow": (72, 26), "arm_twist": (-84, 14)},
    "aside": {"raise": (-6, 16), "forward": (8, 18), "elbow": (18, 17), "arm_twist": (-20, 32)},
    "overhead": {"raise": (72, 10), "forward": (20, 20), "elbow": (26, 22), "arm_twist": (-40, 26)},
    "both_forward": {"raise": (-6, 12), "forward": (84, 9), "elbow": (20, 15), "arm_twist": (-20, 20)},
    "cocked": {"raise": (4, 14), "forward": (-22, 12), "elbow": (96, 18), "arm_twist": (-66, 16)},
    "on_knee": {"raise": (-52, 7), "forward": (66, 10), "elbow": (42, 16), "arm_twist": (6, 12)},
    "behind_head": {"raise": (34, 9), "forward": (8, 10), "elbow": (132, 8), "arm_twist": (-86, 8)},
    "behind": {"raise": (-56, 8), "forward": (-36, 7), "elbow": (30, 16), "arm_twist": (30, 12)},
    "leash": {"raise": (-56, 9), "forward": (38, 16), "elbow": (38, 18), "arm_twist": (0, 14)},
    "prop": {"raise": (-66, 8), "forward": (92, 10), "elbow": (8, 7), "arm_twist": (0, 10)},
}
_TREMBLE = {"nod": 9, "turn": 20, "tilt": 6, "twist": 7, "lean": 4, "roll": 3, "shrug": 4, "wrist_bend": 14,
            "wrist_turn": 16, "ankle": 6, "leg_twist": 6, "pitch": 2}  # fmt: skip


def sample_stance(rng: np.random.Generator, name: str) -> Float[ndarray, "angles"]:
    """Legs, trunk and head of a stance, arms hanging; either side may lead."""
    pose = _draw(rng, {**_HANGING, **STANCES[name]})
    return mirrored(pose) if rng.random() < 0.5 else pose


def with_gesture(
    rng: np.random.Generator, pose: Float[ndarray, "angles"], side: str, name: str
) -> Float[ndarray, "angles"]:
    """The same pose with one arm (`side` is "left" or "right") making a gesture."""
    pose = pose.copy()
    for angle, (mean, spread) in GESTURES[name].items():
        pose[_AT[f"{side}_{angle}"]] = rng.normal(mean, spread)
    return np.clip(pose, _LOW, _HIGH)


def mirrored(pose: Float[ndarray, "*frames angles"]) -> Float[ndarray, "*frames angles"]:
    """The pose as a mirror shows it."""
    sides = {"left": "right", "right": "left"}
    source = [_AT["_".join((sides.get(head := name.partition("_")[0], head), *name.split("_")[1:]))] for name in ANGLES]
    sign = np.array([-1.0 if name in _TURNS_OVER else 1.0 for name in ANGLES])
    return pose[..., source] * sign


def to_axis_angle(pose: Float[ndarray, "frames angles"], yaw_deg: Float[ndarray, "frames"]) -> ndarray:
    """SMPL's pose (F, 24, 3), radians, of poses whose person looks along +z turned left by `yaw_deg` (world y up)."""
    angle = {name: pose[:, i] for name, i in _AT.items()}
    full = np.zeros((len(pose), 24, 3))

    def put(joint: str, axes: str, *degrees: ndarray) -> None:
        turns = [
            Rotation.from_euler(axis, turn[:, None], degrees=True) for axis, turn in zip(axes, degrees, strict=True)
        ]
        full[:, SMPL_24.index(joint)] = reduce(mul, turns).as_rotvec()

    put("pelvis", "YXZ", yaw_deg, angle["pitch"], -angle["roll"])
    for joint in ("spine1", "spine2", "spine3"):
        put(joint, "YXZ", angle["twist"] / 3, angle["bend"] / 3, -angle["lean"] / 3)
    for joint in ("neck", "head"):
        put(joint, "YXZ", angle["turn"] / 2, angle["nod"] / 2, -angle["tilt"] / 2)
    for side, s in (("left", 1), ("right", -1)):
        of = {name: angle[f"{side}_{name}"] for name in _SIDE}
        # The collar goes with the arm as it is raised (scapulohumeral rhythm, roughly one third above the horizontal).
        lifted = np.clip(of["raise"], 0, None) / 4 + of["shrug"]
        put(f"{side}_collar", "Z", s * lifted)
        put(f"{side}_shoulder", "YZX", -s * of["forward"], s * (of["raise"] - lifted), of["arm_twist"])
        put(f"{side}_elbow", "Y", -s * of["elbow"])
        put(f"{side}_wrist", "XZ", of["wrist_turn"], s * of["wrist_bend"])
        put(f"{side}_hip", "YXZY", s * of["spread"], -of["flex"], s * of["abduct"], s * of["leg_twist"])
        put(f"{side}_knee", "X", of["knee"])
        put(f"{side}_ankle", "X", of["ankle"])
    return full


def _draw(rng: np.random.Generator, wanted: Mapping[str, tuple[float, float]]) -> Float[ndarray, "angles"]:
    pose = np.zeros(len(ANGLES))
    for i, name in enumerate(ANGLES):
        bare = name.removeprefix("left_").removeprefix("right_")
        mean, spread = wanted.get(name, wanted.get(bare, (0.0, _TREMBLE.get(bare, 0.0))))
        pose[i] = rng.normal(mean, spread)
    return np.clip(pose, _LOW, _HIGH)
