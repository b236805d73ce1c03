"""The joint regressor: each joint as a sparse convex mix of vertices that holds in the T pose and in other poses."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from hmr.body.joints import SMPL_24
from hmr.body.open_body.skeleton import near_joints

MAX_CANDIDATES = 350
MAX_VERTICES = 32  # of one joint's row
MIN_NEAR_WEIGHT = 0.5
SUM_WEIGHT = 100.0  # of the equation that a row sums to 1, against metres
_RADIUS = {  # metres around the joint from which its vertices may come
    **dict.fromkeys(("pelvis", "hip"), 0.2),
    **dict.fromkeys(("spine1", "spine2", "spine3"), 0.22),
    **dict.fromkeys(("shoulder", "collar"), 0.14),
    "head": 0.13,
}
_OTHER_RADIUS = 0.1


@dataclass(frozen=True)
class Examples:
    """Bodies in the T pose and in other poses, with their true joints."""

    vertices: np.ndarray  # (n, V, 3)
    joints: np.ndarray  # (n, 24, 3)


def fit_joint_regressor(
    examples: Examples, *, template: np.ndarray, joints: np.ndarray, weights: np.ndarray, mirror: np.ndarray
) -> np.ndarray:
    """Fit every joint: (24, V), rows non-negative with sum 1, symmetric.

    `template` (V, 3), `joints` (24, 3) and `weights` (V, 24) say which vertices are near a joint.
    """
    regressor = np.zeros((24, len(template)))
    for joint, name in enumerate(SMPL_24.joints):
        if name.startswith("right_"):
            continue
        chosen = _candidates(joint, template, joints, weights)
        regressor[joint, chosen] = fit_convex_mix(examples.vertices[:, chosen], examples.joints[:, joint])
    return _symmetric_rows(regressor, mirror)


def fit_convex_mix(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights (c,), few of them non-zero, that mix points (n, c, 3) into `wanted` (n, 3)."""
    equations = (points - wanted[:, None]).transpose(0, 2, 1).reshape(-1, points.shape[1])
    equations = np.concatenate([equations, np.full((1, points.shape[1]), SUM_WEIGHT)])
    right = np.append(np.zeros(len(equations) - 1), SUM_WEIGHT)
    first, _ = nnls(equations, right)
    largest = np.argsort(-first, kind="stable")[:MAX_VERTICES]
    largest = largest[first[largest] > 1e-4]
    mix = np.zeros(len(first))
    mix[largest], _ = nnls(equations[:, largest], right)
    return mix / mix.sum()


def _candidates(joint: int, template: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Vertices near a joint that it, its parent or its children move; thinned evenly by distance."""
    distance = np.linalg.norm(template - joints[joint], axis=1)
    radius = _RADIUS.get(SMPL_24.joints[joint].removeprefix("left_"), _OTHER_RADIUS)
    near = np.flatnonzero((weights[:, near_joints(joint)].sum(1) > MIN_NEAR_WEIGHT) & (distance < radius))
    near = near[np.argsort(distance[near], kind="stable")]
    return near[:: max(1, len(near) // MAX_CANDIDATES)]


def _symmetric_rows(regressor: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Right rows from left ones, middle rows as the mean with their mirror image."""
    image = regressor[SMPL_24.flip][:, mirror]
    sides = [name.partition("_")[0] for name in SMPL_24.joints]
    keep = np.array([{"left": 1.0, "right": 0.0}.get(side, 0.5) for side in sides])[:, None]
    return keep * regressor + (1 - keep) * image
