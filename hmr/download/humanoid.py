"""Fifteen clips of real human motion that the `pybullet` wheel carries as data (DeepMimic's, zlib licence).

The user's own pip fetches the wheel, held to a SHA-256; nothing of it is installed or run. Each clip becomes an AMASS
file, which `hmr mocap` reads. Their humanoid has 13 joints, stands with its arms down, looks along x and has z at its
right; quaternions are w first. Source: pybullet_data/data/motions and DeepMimic's README (Peng et al. 2018).
"""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24
from hmr.errors import UserError
from hmr.files import sha256_file

WHEEL = "pybullet==3.2.7"
SHA256 = "5d858abf7c12a21ef3ed351cf81dac1b5e486ec25c9ab59bfc84beb89034edff"
LICENCE = "zlib (Bullet Physics SDK, pybullet_data)"
CLIPS = 15
_PLATFORM = ("--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--implementation", "cp")
_MEMBER = re.compile(r"pybullet_data/data/motions/humanoid3d_(\w+)\.txt")
_LIMIT_BYTES = 10_000_000  # of one clip
_NUMBERS = 44  # of a frame: its duration, the root's place, and the joints' rotations below
_WAY_OUT = f"give the wheel of {WHEEL} for Linux, x86-64 and CPython 3.11 by --wheel"
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


def fetch_wheel(folder: Path) -> Path:
    """The wheel, by the user's pip. UserError in one line where no index can be reached or another wheel came."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", *_PLATFORM, "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no word why"]
        raise UserError(f"pip download {WHEEL}: expected a wheel, found none ({errors[-1]}); {_WAY_OUT}")
    return wheels[0]


def read_clips(wheel: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and contents of AMASS files, one a clip. UserError for another wheel or a broken one."""
    if not wheel.is_file():
        raise UserError(f"{wheel}: expected a wheel, found nothing there; {_WAY_OUT}")
    if (found := sha256_file(wheel)) != SHA256:
        raise UserError(f"{wheel}: expected SHA-256 {SHA256}, found {found}; {_WAY_OUT}")
    with zipfile.ZipFile(wheel) as file:
        for member in sorted(file.infolist(), key=lambda info: info.filename):
            if named := _MEMBER.fullmatch(member.filename):
                with file.open(member) as stream:
                    yield named[1], as_amass(json.loads(stream.read(_LIMIT_BYTES)), named[1])


def as_amass(clip: dict[str, Any], name: str) -> dict[str, Any]:
    """A clip's content under AMASS's names. UserError where it is no clip of a humanoid.

    # ASSUME: betas are zero, for the clips do not say who moved; the chest's turn is shared by three joints of the
    spine, the neck's by neck and head; wrists, toes and hands stay.
    """
    frames = np.array(clip.get("Frames", []), float)
    if frames.ndim != 2 or frames.shape[1] != _NUMBERS or not np.isfinite(frames).all() or not frames[:-1, 0].all():
        raise UserError(f"{name}: expected frames of {_NUMBERS} finite numbers, found {frames.shape}; {_WAY_OUT}")
    pose = smpl_pose(frames)
    pose[:, 0] = (_Z_UP * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    return {
        "poses": np.concatenate((pose[:, :22].reshape(-1, 66), np.zeros((len(pose), 90))), 1),
        "trans": _Z_UP.apply(frames[:, 1:4] @ _TO_SMPL.T),
        "betas": np.zeros(16),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(1 / np.median(frames[:-1, 0])),
    }


def smpl_pose(frames: Float[ndarray, "frames 44"]) -> Float[ndarray, "frames 24 3"]:
    """SMPL's pose, root in a world with y up, radians."""
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
