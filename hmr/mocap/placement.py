"""Joints onto joints: turns a body's bones until its joints are where motion capture has them, all frames at once.

Two skeletons of one person differ at rest (CMU's hips are nearer, its spine lies behind), so that copying the turns
of bones leaves every joint beside its place, and the error grows along the limbs. Here each frame is a least-squares
problem: joints near the measured ones, bones turned nearly as they were. The second part decides what joints cannot
show, above all twist, so it comes out as the motion capture has it.
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.geometry.rotations import axis_angle_to_rotmat, cross_matrix, rotmat_to_axis_angle

_STEPS = 3  # of Gauss-Newton; the turns of bones start it near the end
_FRAMES_AT_ONCE = 128  # what they need stays in the cache
_PLACE_SIGMA_M = 0.04  # wide against the turns: what two skeletons do not share should not bend bones
# How far a bone may turn from the motion capture's, radians. ASSUME: the trunk has the most to give, for there the two
# skeletons agree least.
_TURN_SIGMA = 0.12
_TRUNK_SIGMA = 0.25
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar", "neck")


def place_on(
    world: Float[ndarray, "frames 24 3 3"],
    rest_joints_m: Float[ndarray, "24 3"],
    joints: list[int],
    points_m: Float[ndarray, "frames shared 3"],
) -> tuple[Float[ndarray, "frames 24 3 3"], Float[ndarray, "frames 3"]]:
    """World rotations near `world` that bring `joints` to `points_m`, and where the pelvis is then, metres."""
    solved = [
        _solve(*(torch.from_numpy(np.ascontiguousarray(part)) for part in (turns, rest_joints_m, points)), joints)
        for turns, points in zip(_blocks(world), _blocks(points_m), strict=True)
    ]
    turned, pelvis = zip(*solved, strict=True)
    return torch.cat(turned).numpy(), torch.cat(pelvis).numpy()


def _blocks(rows: ndarray) -> list[ndarray]:
    return [rows[start : start + _FRAMES_AT_ONCE] for start in range(0, len(rows), _FRAMES_AT_ONCE)]


def _solve(
    world: Float[Tensor, "frames 24 3 3"],
    rest_joints_m: Float[Tensor, "24 3"],
    points_m: Float[Tensor, "frames shared 3"],
    joints: list[int],
) -> tuple[Tensor, Tensor]:
    """Gauss-Newton on small turns of each joint about the world's axes, and a shift of the whole body."""
    first, frames = world, len(world)
    bones = rest_joints_m - rest_joints_m[[0, *SMPL_PARENTS[1:]]]
    above = torch.from_numpy(_above()).to(world)[joints]  # (shared, 24 children of the chain)
    sigma = [_TRUNK_SIGMA if name in _TRUNK else _TURN_SIGMA for name in SMPL_24.joints]
    stiff = (1 / torch.tensor(sigma, dtype=world.dtype) ** 2).repeat_interleave(3)
    pelvis = points_m.mean(1) - _places(world, bones)[:, joints].mean(1)
    for _ in range(_STEPS):
        beside = points_m - pelvis[:, None] - _places(world, bones)[:, joints]
        turning = -cross_matrix((world[:, [0, *SMPL_PARENTS[1:]]] @ bones[..., None])[..., 0])  # by child
        by_child = above[None, :, :, None, None] * turning[:, None]  # (frames, shared, 24, 3, 3)
        slopes = torch.zeros(frames, len(joints), 24, 3, 3, dtype=world.dtype)
        slopes.index_add_(2, torch.tensor(SMPL_PARENTS[1:]), by_child[:, :, 1:])
        shift = torch.eye(3, dtype=world.dtype).expand(frames, len(joints), 1, 3, 3)
        jacobian = torch.cat((slopes, shift), 2).permute(0, 1, 3, 2, 4).reshape(frames, 3 * len(joints), 75)
        away = rotmat_to_axis_angle(world @ first.mT).flatten(1)
        normal = jacobian.mT @ jacobian / _PLACE_SIGMA_M**2
        normal.diagonal(dim1=1, dim2=2)[:, :72] += stiff
        pull = (jacobian.mT @ beside.flatten(1)[..., None])[..., 0] / _PLACE_SIGMA_M**2
        pull[:, :72] -= stiff * away
        step = torch.cholesky_solve(pull[..., None], torch.linalg.cholesky(normal))[..., 0]
        world = axis_angle_to_rotmat(step[:, :72].unflatten(1, (24, 3))) @ world
        pelvis = pelvis + step[:, 72:]
    return world, pelvis


def _places(world: Float[Tensor, "frames 24 3 3"], bones: Float[Tensor, "24 3"]) -> Float[Tensor, "frames 24 3"]:
    """Joints against the pelvis, metres."""
    places = [torch.zeros_like(world[:, 0, 0])]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        places.append(places[parent] + world[:, parent] @ bones[joint])
    return torch.stack(places, 1)


def _above() -> Float[ndarray, "24 24"]:
    """One where the second joint is the first or above it."""
    chains = np.eye(24)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        chains[joint] += chains[parent]
    return chains
