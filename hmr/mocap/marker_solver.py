"""The least-squares problem behind a marker fit: markers of a posed body, normal equations of frames, and their steps.

Each joint turns about the world's axes with all that hangs on it. With u the lever from a joint to what of a marker
hangs on it, the normal equations of a frame are made of the sums of u u' over markers, which is what makes this fast.
Markers have a robust weight (Geman and McClure's), which takes from a swapped marker its say; what they do not show is
left to a prior on each joint's turn and to the frames around.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.geometry.rotations import axis_angle_to_rotmat, cross_matrix, rotmat_to_axis_angle
from hmr.mocap.marker_body import MarkerBody

_MARKER_SIGMA_M = 0.005
_SMOOTH_RAD_S2, _SMOOTH_M_S2 = 150.0, 40.0  # what bodies accelerate by; decides how much frames hold each other
_SWING_RAD = 0.5  # people swing about axes so wide or wider, often to one side for long; the others only give a little
_FRAMES_AT_ONCE = 128
MOST_TURN_RAD = 0.5  # of a joint in one step

JOINTS = len(SMPL_24)
ABOVE = [0, *SMPL_PARENTS[1:]]


def _sigmas() -> Float[ndarray, "24 3"]:
    """How far each joint turns from its middle, radians, about the axes of the rest pose.

    # ASSUME: knees and elbows are hinges with some play; toes and hands, which hardly any marker shows, stay.
    """
    sigmas = np.full((JOINTS, 3), 0.6)
    for joint, sigma in {
        **dict.fromkeys(("pelvis",), (1e3, 1e3, 1e3)),
        **dict.fromkeys(("spine1", "spine2", "spine3", "neck", "head"), (0.3, 0.3, 0.3)),
        **dict.fromkeys(("left_collar", "right_collar"), (0.2, 0.2, 0.2)),
        **dict.fromkeys(("left_knee", "right_knee"), (1.0, 0.25, 0.15)),
        **dict.fromkeys(("left_elbow", "right_elbow"), (0.5, 1.0, 0.2)),
        **dict.fromkeys(("left_wrist", "right_wrist"), (0.5, 0.3, 0.5)),
        **dict.fromkeys(("left_foot", "right_foot", "left_hand", "right_hand"), (0.03, 0.03, 0.03)),
    }.items():
        sigmas[SMPL_24.index(joint)] = sigma
    return sigmas


def _middles() -> Float[ndarray, "24 3"]:
    middles = np.zeros((JOINTS, 3))
    for joint, axis, angle in (
        ("left_knee", 0, 0.4),
        ("right_knee", 0, 0.4),
        ("left_elbow", 1, -0.6),
        ("right_elbow", 1, 0.6),
    ):
        middles[SMPL_24.index(joint), axis] = angle
    return middles


def _below() -> Float[ndarray, "24 24"]:
    """One where the second joint is the first or hangs on it."""
    below = np.eye(JOINTS)
    for joint in range(JOINTS - 1, 0, -1):
        below[SMPL_PARENTS[joint]] += below[joint]
    return below


@dataclass(frozen=True)
class Motion:
    """Poses of one clip: joints' turns against their parents, and where the pelvis is, metres."""

    local: Float[Tensor, "frames 24 3 3"]
    pelvis_m: Float[Tensor, "frames 3"]

    def __getitem__(self, frames: "slice | Tensor") -> "Motion":
        return Motion(self.local[frames], self.pelvis_m[frames])

    def replaced(self, frames: Tensor, others: "Motion") -> "Motion":
        """With the poses of `others` in `frames`, which are numbers."""
        return Motion(
            self.local.index_copy(0, frames, others.local), self.pelvis_m.index_copy(0, frames, others.pelvis_m)
        )


class Shaped:
    """Markers and joints of one shape, ready to be posed."""

    def __init__(self, body: MarkerBody, betas: ndarray, dtype: torch.dtype) -> None:
        def tensor(array: ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)

        self.dtype = dtype
        self.rest = tensor(body.sites_m + body.shapedirs_m @ betas)
        self.joints = tensor(body.joints_m + body.joint_shapedirs_m @ betas)
        self.posedirs = tensor(body.posedirs_m.reshape(-1, 207).T)  # (207, 3 markers)
        self.weights = tensor(body.weights)
        self.bones = self.joints - self.joints[ABOVE]
        self.below = tensor(_below())
        self.weights_below = self.weights @ self.below.T  # (markers, 24): how much of a marker hangs on a joint
        self.owner = body.weights.argmax(1)


@dataclass(frozen=True)
class Posed:
    markers: Float[Tensor, "frames markers 3"]
    levers: Float[Tensor, "frames markers 24 3"]  # from each joint to what of the marker hangs on it
    world: Float[Tensor, "frames 24 3 3"]
    joints: Float[Tensor, "frames 24 3"]


def chain(local: Tensor, bones: Tensor) -> tuple[Tensor, Tensor]:
    """World rotations and joints against the pelvis."""
    world, places = [local[:, 0]], [torch.zeros_like(local[:, 0, 0])]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        places.append(places[parent] + world[parent] @ bones[joint])
        world.append(world[parent] @ local[:, joint])
    return torch.stack(world, 1), torch.stack(places, 1)


def posed_markers(shaped: Shaped, motion: Motion) -> Posed:
    world, places = chain(motion.local, shaped.bones)
    places = places + motion.pelvis_m[:, None]
    bend = (motion.local[:, 1:] - torch.eye(3, dtype=shaped.dtype)).flatten(1)
    rest = shaped.rest + (bend @ shaped.posedirs).unflatten(1, (-1, 3))  # (frames, markers, 3)
    away = rest[:, :, None] - shaped.joints  # (frames, markers, 24, 3)
    by_joint = (world[:, None] @ away[..., None])[..., 0] + places[:, None]
    carried = shaped.weights[:, :, None] * by_joint
    levers = shaped.below @ carried - shaped.weights_below[..., None] * places[:, None]
    return Posed(carried.sum(2), levers, world, places)


def placed_markers(shaped: Shaped, motion: Motion) -> Float[Tensor, "frames markers 3"]:
    """Of a whole clip, which may be long."""
    return torch.cat([posed_markers(shaped, motion[block]).markers for block in blocks(len(motion.local))])


@dataclass(frozen=True)
class Normal:
    """Normal equations of frames: matrix (frames, 75, 75) and pull (frames, 75); 72 turns, then the shift."""

    matrix: Tensor
    pull: Tensor
    beside: Tensor  # (frames, markers, 3) from the body's markers to the measured ones
    trust: Tensor  # (frames, markers)


def normal_equations(posed: Posed, points: Tensor, seen: Tensor, scale_m: float) -> Normal:
    beside = torch.where(seen[..., None], points - posed.markers, 0.0)
    trust = seen * (scale_m**2 / (scale_m**2 + beside.square().sum(-1))) ** 2 / _MARKER_SIGMA_M**2
    levers = posed.levers.flatten(2)  # (frames, markers, 72)
    weighted = levers * trust[..., None]
    moments = (weighted.mT @ levers).unflatten(1, (24, 3)).unflatten(3, (24, 3))  # (frames, 24, 3, 24, 3)
    trace = moments.diagonal(dim1=2, dim2=4).sum(-1)
    turns = trace[:, :, None, :, None] * torch.eye(3, dtype=trace.dtype)[:, None] - moments.transpose(2, 4)
    matrix = trace.new_zeros(len(trace), 75, 75)
    matrix[:, :72, :72] = turns.flatten(3).flatten(1, 2)
    lean = cross_matrix(weighted.unflatten(2, (24, 3)).sum(1)).flatten(1, 2)  # (frames, 72, 3)
    matrix[:, :72, 72:], matrix[:, 72:, :72] = lean, lean.mT
    matrix[:, 72:, 72:] = trust.sum(1)[:, None, None] * torch.eye(3, dtype=trace.dtype)
    matrix.diagonal(dim1=1, dim2=2).add_(1.0)  # far less than one marker's; a frame without any stays where it is
    heavy = trust[..., None] * beside
    turning = torch.linalg.cross(posed.levers, heavy[:, :, None].expand_as(posed.levers), dim=-1).sum(1)
    return Normal(matrix, torch.cat((turning.flatten(1), heavy.sum(1)), 1), beside, trust)


def add_prior(normal: Normal, motion: Motion, posed: Posed, *, swing_share: float = 1.0) -> None:
    """Every joint's turn near its middle, each axis with its own width; `swing_share` of that on wide axes."""
    dtype = posed.world.dtype
    turn = rotmat_to_axis_angle(motion.local[:, 1:])
    parents = posed.world[:, ABOVE[1:]]
    # A small turn w about the world's axes changes the local turn's axis-angle v by (1 - [v]/2) P' w at first order.
    slope = (torch.eye(3, dtype=dtype) - cross_matrix(turn) / 2) @ parents.mT
    sigmas = _sigmas()[1:]
    stiff = torch.from_numpy(np.where(sigmas < _SWING_RAD, 1.0, swing_share) / sigmas**2).to(dtype)
    blocks = slope.mT @ (stiff[..., None] * slope)
    pull = -(slope.mT @ (stiff * (turn - torch.from_numpy(_middles()[1:]).to(dtype)))[..., None])[..., 0]
    diagonal = normal.matrix[:, :72, :72].unflatten(1, (24, 3)).unflatten(3, (24, 3))
    joints = torch.arange(1, 24)
    diagonal[:, joints, :, joints, :] += blocks.transpose(0, 1)
    normal.pull[:, 3:72] += pull.flatten(1)


def costs(shaped: Shaped, motion: Motion, points: Tensor, seen: Tensor, scale_m: float) -> Float[Tensor, "frames"]:
    """What steps at this scale lower in each frame: robust distances of its markers, and turns from their middles."""
    middles, sigmas = (torch.from_numpy(table()[1:]).to(shaped.dtype) for table in (_middles, _sigmas))
    of_turns = ((rotmat_to_axis_angle(motion.local[:, 1:]) - middles) / sigmas).square().sum((1, 2))
    squared = (points - placed_markers(shaped, motion)).square().sum(-1)
    return of_turns + (seen * scale_m**2 * squared / (scale_m**2 + squared)).sum(1) / _MARKER_SIGMA_M**2


def _add_neighbours(normal: Normal, posed: Posed, bend: Tensor, shift: Tensor, rate_hz: float) -> None:
    """Frames held by those before and after them, as tightly as bodies can accelerate between frames."""
    stiff = [float((rate_hz**2 / limit) ** 2) for limit in (_SMOOTH_RAD_S2, _SMOOTH_M_S2)]
    parents = posed.world[:, ABOVE].clone()
    parents[:, 0] = torch.eye(3, dtype=parents.dtype)
    back = (parents @ bend[..., None])[..., 0].flatten(1)
    diagonal = normal.matrix.diagonal(dim1=1, dim2=2)
    # Twice, because the neighbours move too: without it frames would swing about each other.
    diagonal[:, :72] += 2 * stiff[0]
    diagonal[:, 72:] += 2 * stiff[1]
    normal.pull[:, :72] -= stiff[0] * back
    normal.pull[:, 72:] -= stiff[1] * shift


def _bends(motion: Motion) -> tuple[Tensor, Tensor]:
    """How far each frame lies beside the middle of its neighbours: turns (in the parent's frame) and shifts."""
    local, pelvis = motion.local, motion.pelvis_m
    if len(local) < 3:
        return torch.zeros_like(local[..., 0]), torch.zeros_like(pelvis)
    step = rotmat_to_axis_angle(local[1:] @ local[:-1].mT)
    step = torch.cat((step[:1], step, step[-1:]))
    shift = pelvis[1:] - pelvis[:-1]
    shift = torch.cat((shift[:1], shift, shift[-1:]))
    return (step[:-1] - step[1:]) / 2, (shift[:-1] - shift[1:]) / 2


def moved_by(motion: Motion, posed: Posed, step: Tensor) -> Motion:
    """After a turn of each joint about the world's axes and a shift of the whole."""
    turn = axis_angle_to_rotmat(step[:, :72].unflatten(1, (24, 3)))
    parents = posed.world[:, ABOVE].clone()
    parents[:, 0] = torch.eye(3, dtype=parents.dtype)
    return Motion(parents.mT @ turn @ parents @ motion.local, motion.pelvis_m + step[:, 72:])


def blocks(frames: int) -> list[slice]:
    return [slice(start, start + _FRAMES_AT_ONCE) for start in range(0, frames, _FRAMES_AT_ONCE)]


def refine(
    shaped: Shaped, motion: Motion, points: Tensor, seen: Tensor, *, rate_hz: float | None, scales_m: tuple[float, ...]
) -> Motion:
    """Gauss-Newton, one step a scale, all frames of a clip in each; without a rate frames are on their own."""
    for scale in scales_m:
        bends = _bends(motion) if rate_hz else None
        parts = []
        for block in blocks(len(points)):
            posed = posed_markers(shaped, motion[block])
            normal = normal_equations(posed, points[block], seen[block], scale)
            add_prior(normal, motion[block], posed)
            if bends is not None:
                _add_neighbours(normal, posed, bends[0][block], bends[1][block], rate_hz)
            step = torch.cholesky_solve(normal.pull[..., None], torch.linalg.cholesky(normal.matrix))[..., 0]
            parts.append(moved_by(motion[block], posed, step.clamp(-MOST_TURN_RAD, MOST_TURN_RAD)))
        motion = Motion(torch.cat([part.local for part in parts]), torch.cat([part.pelvis_m for part in parts]))
    return motion
