"""Motion made of key poses: what each action is built from, and how a body goes from one key pose to the next."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hmr.studio.poses import ANGLES, GESTURES, STANCES, sample_stance, to_axis_angle, with_gesture

LIFT = ANGLES.index("lift_cm")


@dataclass(frozen=True)
class Motion:
    """A moving person in the world (y up, metres).

    full_pose_axis_angle: (F, 24, 3), the root in the world. transl: (F, 3), x and z of the pelvis, and in y how far
    the body's lowest point is above the ground.
    """

    full_pose_axis_angle: Float[ndarray, "frames 24 3"]
    transl: Float[ndarray, "frames 3"]

    def __len__(self) -> int:
        return len(self.transl)


@dataclass(frozen=True)
class Action:
    """What an action is built from: its stances, gestures of one arm and of the other, and how fast it goes."""

    stances: tuple[str, ...]
    gestures: tuple[str, ...]
    other: tuple[str, ...]  # of the other arm; the same gesture on both sides where it is empty
    hold_s: tuple[float, float] = (0.25, 0.6)  # between one key pose and the next
    speed_m_s: float = 0.1


_IDLE = ("hang", "hang", "on_hip", "pocket", "before_chest")
_TALK = ("before_chest", "point", "aside", "wave", "hang", "both_forward")
_STANDS = ("stand", "stand", "weight_on_one", "stand_wide", "step")
_SITS = ("sit", "sit", "sit_crossed")
_FLOORS = ("sit_floor", "cross_legged", "kneel", "kneel_both", "squat", "lie")
_WALKS = ("step", "pass")
_ALL = tuple(GESTURES)
# ASSUME: the actions have Human3.6M's names and their gist; their motion is made here and is nobody's recording.
ACTIONS = {
    "Directions": Action((*_STANDS, "side_reach"), ("point", "aside", "wave", "overhead"), _IDLE),
    "Discussion": Action((*_STANDS, "lean_forward"), _TALK, _TALK),
    "Eating": Action((*_SITS, "sit", "stand"), ("to_mouth", "before_chest"), ("before_chest", "on_knee", "to_mouth")),
    "Greeting": Action((*_STANDS, "lean_forward"), ("wave", "both_forward", "point", "overhead"), _IDLE),
    "Phoning": Action((*_STANDS, *_SITS), ("to_ear",), (*_IDLE, "aside", "on_knee")),
    "Photo": Action((*_STANDS, "kneel", "lean_forward", "squat"), ("eye_level",), ()),
    "Posing": Action(
        (*_STANDS, "lunge", "side_reach", "arch_back"), ("on_hip", "overhead", "behind_head", "aside"), _ALL
    ),
    "Purchases": Action((*_STANDS, "pick_up", "lean_forward"), ("reach_down", "both_forward", "before_chest"), _IDLE),
    "Sitting": Action(_SITS, ("on_knee", "crossed", "behind_head", "before_chest", "aside"), ("on_knee", "crossed")),
    "SittingDown": Action(_FLOORS, ("on_knee", "behind", "before_chest", "reach_down"), ("behind", "on_knee", "hang")),
    "Smoking": Action((*_STANDS, *_SITS, "squat"), ("to_mouth", "to_mouth", "aside"), (*_IDLE, "crossed")),
    "Waiting": Action((*_STANDS, *_SITS), ("crossed", "on_hip", "behind", "pocket", "behind_head"), ()),
    "WalkDog": Action(
        (*_WALKS, *_WALKS, "pick_up", "squat"), ("leash", "reach_down"), ("hang", "swing_back"), (0.3, 0.5), 1.1
    ),
    "Walking": Action(_WALKS, ("swing_back",), ("swing_forward",), (0.25, 0.4), 1.3),
    "WalkTogether": Action((*_WALKS, "stand"), ("swing_back", "aside", "hang"), ("swing_forward",), (0.25, 0.4), 1.1),
    "Everyday": Action(
        (*_STANDS, *_WALKS, *_SITS, "lean_forward", "squat", "kneel", "sit_floor", "run", "pick_up"), _ALL, _ALL
    ),
    "Sport": Action(
        (*("run", "run", "jump", "kick", "lunge", "throw", "side_reach", "stand_wide", "step") * 3,
         *("arch_back", "squat", "lean_forward", "kneel", "on_hands", "upside_down")), _ALL, _ALL, (0.25, 0.5), 1.0,
    ),
}  # fmt: skip
if unknown := {s for a in ACTIONS.values() for s in a.stances} - STANCES.keys():
    raise RuntimeError(f"actions name stances that do not exist: {unknown}")


def sample_motion(rng: np.random.Generator, action: str, frames: int, frame_rate_hz: float) -> Motion:
    """A clip of an action: key poses in a row, gone through smoothly, while the person wanders and turns."""
    recipe = ACTIONS[action]
    times, keys = [0.0], [sample_pose(rng, recipe)]
    while times[-1] < frames / frame_rate_hz:
        times.append(times[-1] + rng.uniform(*recipe.hold_s))
        keys.append(sample_pose(rng, recipe))
    at = np.arange(frames) / frame_rate_hz
    pose = ease(np.array(times), np.array(keys), at)
    heading_deg = rng.uniform(-180, 180) + _wander(rng, at, 35.0)
    direction = np.stack((np.sin(np.deg2rad(heading_deg)), np.cos(np.deg2rad(heading_deg))), 1)
    path = np.cumsum(direction, 0) * recipe.speed_m_s / frame_rate_hz
    start = rng.uniform(-0.6, 0.6, 2) - path.mean(0) * min(1.0, 0.5 * recipe.speed_m_s)
    transl = np.stack((path[:, 0] + start[0], pose[:, LIFT] / 100, path[:, 1] + start[1]), 1)
    return Motion(to_axis_angle(pose, heading_deg), transl)


def sample_pose(rng: np.random.Generator, recipe: Action) -> Float[ndarray, "angles"]:
    """One key pose of an action."""
    pose = sample_stance(rng, rng.choice(recipe.stances))
    lead, follow = ("left", "right") if rng.random() < 0.5 else ("right", "left")
    gesture = rng.choice(recipe.gestures)
    pose = with_gesture(rng, pose, lead, gesture)
    return with_gesture(rng, pose, follow, rng.choice(recipe.other) if recipe.other else gesture)


def ease(times: Float[ndarray, "keys"], keys: Float[ndarray, "keys angles"], at: Float[ndarray, "frames"]) -> ndarray:
    """Key poses gone through with a smooth start and stop at each: (F, angles)."""
    after = np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1)
    share = (at - times[after - 1]) / (times[after] - times[after - 1])
    share = (share * share * (3 - 2 * share))[:, None]
    return (1 - share) * keys[after - 1] + share * keys[after]


def _wander(rng: np.random.Generator, at: Float[ndarray, "frames"], step_deg: float) -> Float[ndarray, "frames"]:
    """A slow, smooth turning to and fro, degrees."""
    marks = np.arange(int(at[-1]) + 3)
    return np.interp(at, marks, np.cumsum(rng.normal(0, step_deg, len(marks))))
