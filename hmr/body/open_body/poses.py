"""Random poses within joint limits, for fitting how skin deforms; not a model of how people move."""

import numpy as np

from hmr.body.joints import SMPL_24
from hmr.body.open_body.rotation import rodrigues

# Limits in degrees of the axis-angle's x, y and z. For the right side y and z change sign.
_LIMITS_DEG = {
    "left_hip": ((-90, 20), (-25, 25), (-5, 35)),
    "left_knee": ((0, 110), (-5, 5), (-5, 5)),
    "left_ankle": ((-20, 25), (-10, 10), (-10, 10)),
    "left_foot": ((-20, 10), (0, 0), (0, 0)),
    "spine1": ((-5, 25), (-12, 12), (-10, 10)),
    "spine2": ((-5, 15), (-12, 12), (-8, 8)),
    "spine3": ((-5, 15), (-12, 12), (-8, 8)),
    "neck": ((-20, 20), (-25, 25), (-15, 15)),
    "head": ((-20, 20), (-25, 25), (-15, 15)),
    "left_collar": ((-5, 5), (-15, 10), (-12, 15)),
    "left_shoulder": ((-40, 40), (-70, 25), (-85, 90)),  # with less than +90 raised arms show bumps
    "left_elbow": ((-20, 20), (-120, 0), (-5, 5)),
    "left_wrist": ((-45, 45), (-20, 20), (-40, 40)),
    "left_hand": ((0, 0), (-10, 10), (-40, 5)),
}


def sample_poses(count: int, rng: np.random.Generator) -> np.ndarray:
    """Rotations of the 24 joints relative to their parents: (count, 24, 3, 3). The root does not turn."""
    pose = np.zeros((count, 24, 3))
    for joint, limits in _LIMITS_DEG.items():
        low, high = np.deg2rad(np.array(limits, float)).T
        pose[:, SMPL_24.index(joint)] = low + (high - low) * rng.beta(1.5, 1.5, (count, 3))
        if joint.startswith("left_"):
            other = SMPL_24.index(joint.replace("left_", "right_"))
            pose[:, other] = (low + (high - low) * rng.beta(1.5, 1.5, (count, 3))) * [1, -1, -1]
    return rodrigues(pose)
