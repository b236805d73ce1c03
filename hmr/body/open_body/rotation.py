"""Rotations of many people at once, as (..., 3, 3) matrices: the few that posing MakeHuman's rig needs."""

import numpy as np
from scipy.spatial.transform import Rotation


def unit(vector: np.ndarray) -> np.ndarray:
    """(..., 3) vectors at length 1."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def about(axis: np.ndarray, angle: np.ndarray | float) -> np.ndarray:
    """Rotation about `axis` (..., 3), of any length, by `angle` (...) radians."""
    return rodrigues(unit(axis) * np.asarray(angle)[..., None])


def rodrigues(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) axis times angle to (..., 3, 3)."""
    matrices = Rotation.from_rotvec(axis_angle.reshape(-1, 3)).as_matrix()
    return matrices.reshape(*axis_angle.shape, 3)


def shortest(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The rotation without twist that turns the direction `start` (..., 3) into `end` (..., 3)."""
    start, end = np.broadcast_arrays(unit(start), unit(end))
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1)
    axis = np.where(sine[..., None] > 1e-9, axis, [1.0, 0.0, 0.0])
    return about(axis, np.arctan2(sine, (start * end).sum(-1)))


def between_frames(start: tuple[np.ndarray, np.ndarray], end: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The rotation that takes a direction and a normal to another direction and normal, each (..., 3)."""
    return _frame(*end) @ np.swapaxes(_frame(*start), -1, -2)


def twist(rotmat: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Signed angle (...) by which rotations (..., 3, 3) turn about unit `axis`, apart from their swing."""
    quaternion = Rotation.from_matrix(rotmat.reshape(-1, 3, 3)).as_quat(canonical=True)
    quaternion = quaternion.reshape(*rotmat.shape[:-2], 4)
    return 2 * np.arctan2((quaternion[..., :3] * axis).sum(-1), quaternion[..., 3])


def _frame(direction: np.ndarray, normal: np.ndarray) -> np.ndarray:
    direction = unit(direction)
    normal = unit(normal - (normal * direction).sum(-1, keepdims=True) * direction)
    return np.stack(np.broadcast_arrays(direction, normal, np.cross(direction, normal)), -1)
