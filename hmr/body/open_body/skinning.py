"""Moving skin with bones: rigid motions, the 24-joint tree, linear and dual-quaternion blending."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_PARENTS


@dataclass(frozen=True)
class RigidMotion:
    """x' = rotmat x + offset for a batch of points or bones. A blend of motions is also kept in this form."""

    rotmat: np.ndarray  # (..., 3, 3)
    offset: np.ndarray  # (..., 3) metres

    @classmethod
    def turning(cls, rotmat: np.ndarray, pivot: np.ndarray, place: np.ndarray) -> "RigidMotion":
        """Turn about `pivot`, which goes to `place`."""
        return cls(rotmat, place - np.einsum("...ij,...j->...i", rotmat, pivot))

    def __getitem__(self, index: Any) -> "RigidMotion":
        return RigidMotion(self.rotmat[index], self.offset[index])

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Move points (..., 3)."""
        return np.einsum("...ij,...j->...i", self.rotmat, points) + self.offset

    def after(self, first: "RigidMotion") -> "RigidMotion":
        """The motion that does `first` and then this one."""
        return RigidMotion(self.rotmat @ first.rotmat, self.apply(first.offset))

    def undo(self, points: np.ndarray) -> np.ndarray:
        """The points (..., 3) that `apply` would move here."""
        return np.linalg.solve(self.rotmat, (points - self.offset)[..., None])[..., 0]


def pose_skeleton(rotmat: np.ndarray, joints: np.ndarray) -> tuple[RigidMotion, np.ndarray]:
    """Turn the 24 joints of skeletons at rest (..., 24, 3), each by its own (..., 24, 3, 3) and its parents'.

    Returns the motion (..., 24) of what hangs on each joint and the joints' new places (..., 24, 3).
    """
    turns, places = [rotmat[..., 0, :, :]], [joints[..., 0, :]]
    for joint, parent in list(enumerate(SMPL_PARENTS))[1:]:
        bone = joints[..., joint, :] - joints[..., parent, :]
        places.append(places[parent] + np.einsum("...ij,...j->...i", turns[parent], bone))
        turns.append(turns[parent] @ rotmat[..., joint, :, :])
    turn, place = np.stack(turns, -3), np.stack(places, -2)
    return RigidMotion.turning(turn, joints, place), place


def blend_linear(weights: sp.csr_matrix, motion: RigidMotion) -> RigidMotion:
    """Each vertex's weighted mean (V,) of the motions of bones (B,); weights (V, B)."""
    table = np.concatenate([motion.rotmat.reshape(-1, 9), motion.offset], 1)
    blended = weights @ table
    return RigidMotion(blended[:, :9].reshape(-1, 3, 3), blended[:, 9:])


def blend_dual_quaternions(weights: sp.csr_matrix, motion: RigidMotion, parents: np.ndarray) -> RigidMotion:
    """As `blend_linear`, but each vertex moves rigidly, so bent joints keep their volume (Kavan et al. 2007)."""
    real = Rotation.from_matrix(motion.rotmat).as_quat()  # x, y, z, w
    for bone, parent in enumerate(parents):
        if parent >= 0 and real[bone] @ real[parent] < 0:
            real[bone] *= -1  # the two signs mean the same turn; neighbours must agree before they are mixed
    dual = 0.5 * _quaternion_product(np.pad(motion.offset, ((0, 0), (0, 1))), real)
    real, dual = weights @ real, weights @ dual
    length = np.linalg.norm(real, axis=1, keepdims=True)
    real, dual = real / length, dual / length
    offset = 2 * _quaternion_product(dual, real * [-1, -1, -1, 1])[:, :3]
    return RigidMotion(Rotation.from_quat(real).as_matrix(), offset)


def _quaternion_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    vector = a[:, 3:] * b[:, :3] + b[:, 3:] * a[:, :3] + np.cross(a[:, :3], b[:, :3])
    scalar = a[:, 3] * b[:, 3] - (a[:, :3] * b[:, :3]).sum(1)
    return np.concatenate([vector, scalar[:, None]], 1)
