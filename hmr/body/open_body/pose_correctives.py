"""Pose correctives: what linear skinning with 24 joints misses of MakeHuman's full rig, as SMPL's `posedirs`.

The reference is the 163-bone rig with dual-quaternion skinning and twist spread along the limbs. Its difference to
our skinning, taken back into the rest pose, is fitted as a linear function of the joints' rotations, as in SMPL
(Loper et al. 2015, section 3.2).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.body.open_body.makehuman import Rig
from hmr.body.open_body.mesh import grow
from hmr.body.open_body.rotation import about, twist, unit
from hmr.body.open_body.skinning import RigidMotion, blend_dual_quaternions, blend_linear, pose_skeleton

RIDGE = 1.0
LARGEST_OFFSET = 0.08  # metres; beyond it the reference itself has folded
REACH_RINGS = 9  # a joint may correct vertices this many edges beyond those that it moves
MIN_REACH_WEIGHT = 0.005
# Joints whose twist is spread: (joint, next joint down, bones and the share of the twist each takes).
_SPREAD_OWN = (("shoulder", "elbow", {"upperarm01": 0.5}), ("hip", "knee", {"upperleg01": 0.5}))
_SPREAD_FROM_WRIST = {"lowerarm01": 0.25, "lowerarm02": 0.75}


@dataclass(frozen=True)
class Subject:
    """One person as the full rig and as the 24-joint body see them."""

    rig: Rig
    joint_of_bone: tuple[int, ...]  # which of the 24 joints moves each bone
    rig_weights: sp.csr_matrix  # (V, bones)
    rest_vertices: np.ndarray  # (V, 3) in MakeHuman's rest pose
    to_t_pose: RigidMotion  # (bones,)
    vertices: np.ndarray  # (V, 3) in the T pose
    joints: np.ndarray  # (24, 3) in the T pose
    weights: sp.csr_matrix  # (V, 24)


def fit_posedirs(subject: Subject, rotmat: np.ndarray, faces: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Fit correctives on poses (n, 24, 3, 3): (V, 3, 207) metres per entry of (R_1 - I, ..., R_23 - I)."""
    offsets = np.stack(
        [
            missing_offsets(subject, pose)
            for pose in tqdm(rotmat, desc="pose correctives", unit="pose", leave=False, disable=None)
        ]
    )
    bends = (rotmat[:, 1:] - np.eye(3)).reshape(len(rotmat), -1)
    reach = grow(subject.weights.toarray() > MIN_REACH_WEIGHT, faces, REACH_RINGS)[:, 1:]
    posedirs = np.zeros((len(mirror), 3, bends.shape[1]))
    patterns, pattern_of = np.unique(reach, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        columns, here = np.flatnonzero(np.repeat(pattern, 9)), np.flatnonzero(pattern_of.ravel() == number)
        solution = _ridge(bends[:, columns], offsets[:, here].reshape(len(bends), -1))
        posedirs[np.ix_(here, range(3), columns)] = solution.T.reshape(len(here), 3, -1)
    return mirror_mean(posedirs, mirror)


def missing_offsets(subject: Subject, rotmat: np.ndarray) -> np.ndarray:
    """What to add to the T pose so that our skinning in one pose (24, 3, 3) gives the reference: (V, 3) float32."""
    motion, _ = pose_skeleton(rotmat, subject.joints)
    wanted = reference_vertices(subject, motion)
    offset = blend_linear(subject.weights, motion).undo(wanted) - subject.vertices
    return np.clip(offset, -LARGEST_OFFSET, LARGEST_OFFSET).astype(np.float32)


def reference_vertices(subject: Subject, motion: RigidMotion) -> np.ndarray:
    """The full rig in the pose that the joints' motion (24,) from the T pose says: (V, 3)."""
    bones = motion[list(subject.joint_of_bone)]
    rotmat, offset = bones.rotmat.copy(), bones.offset.copy()
    for name, twisted in _twist_bones(motion, subject.joints).items():
        bone = subject.rig.bones.index(name)
        rotmat[bone], offset[bone] = twisted.rotmat, twisted.offset
    whole = RigidMotion(rotmat, offset).after(subject.to_t_pose)
    return blend_dual_quaternions(subject.rig_weights, whole, subject.rig.parents).apply(subject.rest_vertices)


def mirror_mean(posedirs: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The mean of correctives (V, 3, 207) and their mirror image, where rotations R are S R S, S = diag(-1, 1, 1)."""
    sign = np.array([-1.0, 1, 1])
    joints = np.array(SMPL_24.flip)[1:] - 1
    table = posedirs.reshape(len(posedirs), 3, 23, 3, 3)
    image = table[mirror][:, :, joints] * sign[:, None, None, None] * np.outer(sign, sign)
    return ((table + image) / 2).reshape(posedirs.shape)


def _ridge(inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    return np.linalg.solve(inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1]), inputs.T @ outputs)


def _twist_bones(motion: RigidMotion, joints: np.ndarray) -> dict[str, RigidMotion]:
    """The bones that share out the twist of shoulders, hips and wrists, with their motions from the T pose."""
    bones = {}
    for side, letter in (("left", "L"), ("right", "R")):
        for joint, below, shares in _SPREAD_OWN:
            here, next_ = SMPL_24.index(f"{side}_{joint}"), SMPL_24.index(f"{side}_{below}")
            axis = unit(joints[next_] - joints[here])
            angle = _twist_at(motion, here, axis)
            for bone, share in shares.items():  # near the joint the limb keeps back a part of its twist
                bones[f"{bone}.{letter}"] = _turned(motion, here, joints, axis, (share - 1) * angle)
        wrist, elbow = SMPL_24.index(f"{side}_wrist"), SMPL_24.index(f"{side}_elbow")
        axis = unit(joints[wrist] - joints[elbow])
        angle = _twist_at(motion, wrist, axis)
        for bone, share in _SPREAD_FROM_WRIST.items():
            bones[f"{bone}.{letter}"] = _turned(motion, elbow, joints, axis, share * angle)
    return bones


def _twist_at(motion: RigidMotion, joint: int, axis: np.ndarray) -> float:
    return float(twist(motion.rotmat[SMPL_PARENTS[joint]].T @ motion.rotmat[joint], axis))


def _turned(motion: RigidMotion, joint: int, joints: np.ndarray, axis: np.ndarray, angle: float) -> RigidMotion:
    """The motion of a joint, with a further turn about `axis` through the joint before it."""
    rotmat = motion.rotmat[joint] @ about(axis, angle)
    return RigidMotion.turning(rotmat, joints[joint], motion[joint].apply(joints[joint]))
