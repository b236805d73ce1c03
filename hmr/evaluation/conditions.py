"""Under which conditions a sample was taken: from which side the person is seen, how much of it is hidden, and how far
its pose is from those of training."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial import KDTree

from hmr.body.joints import LSP_14, LSP_BONES

SIDES = ("front", "right side", "back", "left side")
QUARTERS = ("1st quarter, nearest", "2nd quarter", "3rd quarter", "4th quarter, farthest")
_TRAINING_POSES = 20_000  # compared with; of more, every n-th
_BONES_MM = 4000.0  # together, of the people whose poses are compared


def viewpoints(joints_m: Float[ndarray, "batch 14 3"]) -> ndarray:
    """From which side the camera sees each person: front, right side, back or left side, a quarter turn each.

    From the true joints (x right, y down, z forward): the chest looks where the way to the left (hips and shoulders
    together) and the way up the trunk say.
    """
    _, _, ahead = _trunk(joints_m)
    turned = np.arctan2(ahead[:, 0], -ahead[:, 2])  # 0: towards the camera; positive: to the picture's right
    return np.array(SIDES)[np.round(turned / (np.pi / 2)).astype(int) % 4]


def occlusions(visible: Bool[ndarray, "batch joints"]) -> ndarray:
    """How many of a person's joints are not labelled, as words."""
    hidden = (~visible).sum(1)
    return np.select([hidden == 0, hidden <= 3], ["none hidden", "1 to 3 hidden"], "4 or more hidden")


def training_distances_mm(
    joints_m: Float[ndarray, "batch 14 3"], training_joints_m: Float[ndarray, "poses 14 3"]
) -> Float[ndarray, "batch"]:
    """How far each pose is from the nearest pose of training: root mean square over joints, millimetres.

    Seen from the person's own trunk, and with bones that are 4 m long together: where somebody stands, which way they
    turn and how tall they are makes no difference.
    """
    step = -(-len(training_joints_m) // _TRAINING_POSES)
    tree = KDTree(_posture_mm(training_joints_m[::step]).reshape(-1, 42))
    return tree.query(_posture_mm(joints_m).reshape(-1, 42))[0] / np.sqrt(len(LSP_14))


def quarters(distances_mm: Float[ndarray, "batch"]) -> ndarray:
    """In which quarter of the samples each is, by its distance."""
    edges = np.quantile(distances_mm, (0.25, 0.5, 0.75))
    return np.array(QUARTERS)[np.searchsorted(edges, distances_mm)]


def _posture_mm(joints_m: Float[ndarray, "batch 14 3"]) -> Float[ndarray, "batch 14 3"]:
    """Joints from the middle of the hips along the trunk's own axes, at one size."""
    hips = joints_m[:, [LSP_14.index("left_hip"), LSP_14.index("right_hip")]].mean(1, keepdims=True)
    _, up, ahead = _trunk(joints_m)
    axes = np.stack((np.cross(up, ahead), up, ahead), 1)
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    ends = joints_m[:, np.array(LSP_BONES)]
    bones_m = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1).sum(1)
    return (joints_m - hips) @ np.swapaxes(axes, 1, 2) * (_BONES_MM / bones_m)[:, None, None]


def _trunk(joints_m: Float[ndarray, "batch 14 3"]) -> tuple[ndarray, ndarray, ndarray]:
    """The ways to the person's left (hips and shoulders together), up the trunk, and ahead: (batch, 3) each."""
    joint = {name: joints_m[:, i] for i, name in enumerate(LSP_14.joints)}
    left = sum(joint[f"left_{name}"] - joint[f"right_{name}"] for name in ("hip", "shoulder"))
    up = joint["neck"] - (joint["left_hip"] + joint["right_hip"]) / 2
    return left, up, np.cross(left, up)
