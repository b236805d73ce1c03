"""Under which conditions a sample was taken: from which side the person is seen, and how much of it is hidden."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hmr.body.joints import LSP_14

SIDES = ("front", "right side", "back", "left side")


def viewpoints(joints_m: Float[ndarray, "batch 14 3"]) -> ndarray:
    """From which side the camera sees each person: front, right side, back or left side, a quarter turn each.

    From the true joints (x right, y down, z forward): the chest looks where the way to the left (hips and shoulders
    together) and the way up the trunk say.
    """
    joint = {name: joints_m[:, i] for i, name in enumerate(LSP_14.joints)}
    left = sum(joint[f"left_{name}"] - joint[f"right_{name}"] for name in ("hip", "shoulder"))
    up = joint["neck"] - (joint["left_hip"] + joint["right_hip"]) / 2
    ahead = np.cross(left, up)
    turned = np.arctan2(ahead[:, 0], -ahead[:, 2])  # 0: towards the camera; positive: to the picture's right
    return np.array(SIDES)[np.round(turned / (np.pi / 2)).astype(int) % 4]


def occlusions(visible: Bool[ndarray, "batch joints"]) -> ndarray:
    """How many of a person's joints are not labelled, as words."""
    hidden = (~visible).sum(1)
    return np.select([hidden == 0, hidden <= 3], ["none hidden", "1 to 3 hidden"], "4 or more hidden")
