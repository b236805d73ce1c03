"""Markers to SMPL in MoSh's two stages (Loper et al. 2014): who it is and where the markers sit, then how it moves.

Stage one takes a few frames of a subject, as different as they come, and solves for the shape, each marker's place on
the skin and those frames' poses together. Stage two keeps shape and places and solves for all frames of a clip at
once. Both are least-squares problems with a robust weight for each marker (Geman and McClure's), which takes from a
swapped marker its say; what markers do not show is left to a prior on each joint's turn and to the frames around.

Each joint turns about the world's axes with all that hangs on it. With u the lever from a joint to what of a marker
hangs on it, the normal equations of a frame are made of the sums of u u' over markers, which is what makes this fast.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import median_filter
from torch import Tensor

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.geometry.rotations import axis_angle_to_rotmat, cross_matrix, rotmat_to_axis_angle
from hmr.mocap.marker_body import MarkerBody

_MARKER_SIGMA_M = 0.005
_SCALES_M = (0.3, 0.2, 0.1, 0.06, 0.04, 0.02)  # of the robust weight, one a step: wide at first, for the start is rough
_SMOOTH_SCALES_M = (0.04, 0.02)  # of the steps after them, in which frames hold each other
_STAGE_ONE_FRAMES = 16
_STAGE_ONE_STEPS = 8
_NORMAL_SIGMA_M = 0.002  # how far a marker may stand off or sink in; its height is known
_SKIN_SIGMA_M = 0.012  # and how far it may sit beside where the table says
_SMOOTH_RAD_S2, _SMOOTH_M_S2 = 150.0, 40.0  # what bodies accelerate by; decides how much frames hold each other
_MEDIAN_S = 0.4  # window of medians over time; swaps that last half as long do not show in them
_UNEXPLAINED_M = 0.04  # so far from its place no marker is, unless it was swapped or its limb is turned wrongly
_JUMP_RAD = 0.5  # no joint is so far from its median over time, except for a start that was wrong
_FRAMES_AT_ONCE = 128
_MIN_MARKERS = 12  # a frame with fewer is left out

_JOINTS = len(SMPL_24)
_ABOVE = [0, *SMPL_PARENTS[1:]]


def _sigmas() -> Float[ndarray, "24 3"]:
    """How far each joint turns from its middle, radians, about the axes of the rest pose.

    # ASSUME: knees and elbows are hinges with some play; toes and hands, which hardly any marker shows, stay.
    """
    sigmas = np.full((_JOINTS, 3), 0.6)
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
    middles = np.zeros((_JOINTS, 3))
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
    below = np.eye(_JOINTS)
    for joint in range(_JOINTS - 1, 0, -1):
        below[SMPL_PARENTS[joint]] += below[joint]
    return below


# Parts of the body whose turn the start takes from the markers on them: a joint, and the joints that own the markers.
_LIMBS = tuple(
    (f"{side}_{joint}", tuple(f"{side}_{name}" for name in owners))
    for side in ("left", "right")
    for joint, owners in (
        ("hip", ("hip",)),
        ("knee", ("knee",)),
        ("ankle", ("ankle", "foot")),
        ("shoulder", ("shoulder",)),
        ("elbow", ("elbow",)),
        ("wrist", ("wrist", "hand")),
    )
)
_PELVIS, _CHEST, _HEAD = ("pelvis", "spine1"), ("spine2", "spine3", "left_collar", "right_collar"), ("neck", "head")


@dataclass(frozen=True)
class Motion:
    """Poses of one clip: joints' turns against their parents, and where the pelvis is, metres."""

    local: Float[Tensor, "frames 24 3 3"]
    pelvis_m: Float[Tensor, "frames 3"]

    def __getitem__(self, frames: "slice | Tensor") -> "Motion":
        return Motion(self.local[frames], self.pelvis_m[frames])


class _Shaped:
    """Markers and joints of one shape, ready to be posed."""

    def __init__(self, body: MarkerBody, betas: ndarray, dtype: torch.dtype) -> None:
        def tensor(array: ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)

        self.dtype = dtype
        self.rest = tensor(body.sites_m + body.shapedirs_m @ betas)
        self.joints = tensor(body.joints_m + body.joint_shapedirs_m @ betas)
        self.posedirs = tensor(body.posedirs_m.reshape(-1, 207).T)  # (207, 3 markers)
        self.weights = tensor(body.weights)
        self.bones = self.joints - self.joints[_ABOVE]
        self.below = tensor(_below())
        self.weights_below = self.weights @ self.below.T  # (markers, 24): how much of a marker hangs on a joint
        self.owner = body.weights.argmax(1)


@dataclass(frozen=True)
class _Posed:
    markers: Float[Tensor, "frames markers 3"]
    levers: Float[Tensor, "frames markers 24 3"]  # from each joint to what of the marker hangs on it
    world: Float[Tensor, "frames 24 3 3"]
    joints: Float[Tensor, "frames 24 3"]


def _chain(local: Tensor, bones: Tensor) -> tuple[Tensor, Tensor]:
    """World rotations and joints against the pelvis."""
    world, places = [local[:, 0]], [torch.zeros_like(local[:, 0, 0])]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        places.append(places[parent] + world[parent] @ bones[joint])
        world.append(world[parent] @ local[:, joint])
    return torch.stack(world, 1), torch.stack(places, 1)


def _pose(shaped: _Shaped, motion: Motion) -> _Posed:
    world, places = _chain(motion.local, shaped.bones)
    places = places + motion.pelvis_m[:, None]
    bend = (motion.local[:, 1:] - torch.eye(3, dtype=shaped.dtype)).flatten(1)
    rest = shaped.rest + (bend @ shaped.posedirs).unflatten(1, (-1, 3))  # (frames, markers, 3)
    away = rest[:, :, None] - shaped.joints  # (frames, markers, 24, 3)
    by_joint = (world[:, None] @ away[..., None])[..., 0] + places[:, None]
    carried = shaped.weights[:, :, None] * by_joint
    levers = shaped.below @ carried - shaped.weights_below[..., None] * places[:, None]
    return _Posed(carried.sum(2), levers, world, places)


@dataclass(frozen=True)
class _Normal:
    """Normal equations of frames: matrix (frames, 75, 75) and pull (frames, 75); 72 turns, then the shift."""

    matrix: Tensor
    pull: Tensor
    beside: Tensor  # (frames, markers, 3) from the body's markers to the measured ones
    trust: Tensor  # (frames, markers)


def _normal(posed: _Posed, points: Tensor, seen: Tensor, scale_m: float) -> _Normal:
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
    return _Normal(matrix, torch.cat((turning.flatten(1), heavy.sum(1)), 1), beside, trust)


def _add_prior(normal: _Normal, motion: Motion, posed: _Posed) -> None:
    """Every joint's turn near its middle, each axis with its own width."""
    dtype = posed.world.dtype
    turn = rotmat_to_axis_angle(motion.local[:, 1:])
    parents = posed.world[:, _ABOVE[1:]]
    # A small turn w about the world's axes changes the local turn's axis-angle v by (1 - [v]/2) P' w at first order.
    slope = (torch.eye(3, dtype=dtype) - cross_matrix(turn) / 2) @ parents.mT
    stiff = torch.from_numpy(1 / _sigmas()[1:] ** 2).to(dtype)
    blocks = slope.mT @ (stiff[..., None] * slope)
    pull = -(slope.mT @ (stiff * (turn - torch.from_numpy(_middles()[1:]).to(dtype)))[..., None])[..., 0]
    diagonal = normal.matrix[:, :72, :72].unflatten(1, (24, 3)).unflatten(3, (24, 3))
    joints = torch.arange(1, 24)
    diagonal[:, joints, :, joints, :] += blocks.transpose(0, 1)
    normal.pull[:, 3:72] += pull.flatten(1)


def _add_neighbours(normal: _Normal, posed: _Posed, bend: Tensor, shift: Tensor, rate_hz: float) -> None:
    """Frames held by those before and after them, as tightly as bodies can accelerate between frames."""
    stiff = [float((rate_hz**2 / limit) ** 2) for limit in (_SMOOTH_RAD_S2, _SMOOTH_M_S2)]
    parents = posed.world[:, _ABOVE].clone()
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


def _moved(motion: Motion, posed: _Posed, step: Tensor) -> Motion:
    """After a turn of each joint about the world's axes and a shift of the whole."""
    turn = axis_angle_to_rotmat(step[:, :72].unflatten(1, (24, 3)))
    parents = posed.world[:, _ABOVE].clone()
    parents[:, 0] = torch.eye(3, dtype=parents.dtype)
    return Motion(parents.mT @ turn @ parents @ motion.local, motion.pelvis_m + step[:, 72:])


def _blocks(frames: int) -> list[slice]:
    return [slice(start, start + _FRAMES_AT_ONCE) for start in range(0, frames, _FRAMES_AT_ONCE)]


def _refine(
    shaped: _Shaped, motion: Motion, points: Tensor, seen: Tensor, *, rate_hz: float | None, scales_m: tuple[float, ...]
) -> Motion:
    """Gauss-Newton, one step a scale, all frames of a clip in each; without a rate frames are on their own."""
    for scale in scales_m:
        bends = _bends(motion) if rate_hz else None
        parts = []
        for block in _blocks(len(points)):
            posed = _pose(shaped, motion[block])
            normal = _normal(posed, points[block], seen[block], scale)
            _add_prior(normal, motion[block], posed)
            if bends is not None:
                _add_neighbours(normal, posed, bends[0][block], bends[1][block], rate_hz)
            step = torch.cholesky_solve(normal.pull[..., None], torch.linalg.cholesky(normal.matrix))[..., 0]
            parts.append(_moved(motion[block], posed, step.clamp(-0.5, 0.5)))
        motion = Motion(torch.cat([part.local for part in parts]), torch.cat([part.pelvis_m for part in parts]))
    return motion


def _start(shaped: _Shaped, points: Tensor, seen: Tensor, rate_hz: float) -> Motion:
    """A rough pose of each frame: parts of the body turned as the markers on them are, smoothed by a median over time.

    Parts without markers turn as what they hang on.
    """
    frames, dtype = len(points), shaped.dtype
    owner = [SMPL_24.joints[joint] for joint in shaped.owner]

    def mask(names: tuple[str, ...]) -> Tensor:
        return seen * torch.tensor([name in names for name in owner]).to(dtype)

    def turned(weight: Tensor, about: Tensor | None, joint: str, like: Tensor) -> Tensor:
        """The rotation that brings a part's markers nearest to the measured ones, about a joint or their own mean."""
        rest, at = shaped.rest.expand_as(points), torch.where(seen[..., None], points, 0.0)
        if about is None:
            total = weight.sum(1).clamp_min(1e-6)[:, None, None]
            rest_mean, at_mean = ((weight[..., None] * x).sum(1, keepdim=True) / total for x in (rest, at))
        else:
            rest_mean, at_mean = shaped.joints[SMPL_24.index(joint)], about[:, None]
        spread = (weight[..., None] * (at - at_mean)).mT @ (rest - rest_mean) + 0.002 * like
        u, _, vh = torch.linalg.svd(spread)
        u = torch.cat((u[..., :2], u[..., 2:] * torch.linalg.det(u @ vh)[:, None, None]), -1)
        return u @ vh

    def index(joint: str) -> int:
        return SMPL_24.index(joint)

    eye = torch.eye(3, dtype=dtype).expand(frames, 3, 3)
    local = eye[:, None].repeat(1, _JOINTS, 1, 1)
    trunk = mask(_PELVIS) + 0.2 * mask(_CHEST)
    local[:, 0] = turned(trunk, None, "pelvis", eye)
    chest, head = (turned(mask(part), None, "", local[:, 0]) for part in (_CHEST, _HEAD))
    third = axis_angle_to_rotmat(rotmat_to_axis_angle(local[:, 0].mT @ chest) / 3)
    half = axis_angle_to_rotmat(rotmat_to_axis_angle(chest.mT @ head) / 2)
    for joint in ("spine1", "spine2", "spine3"):
        local[:, index(joint)] = third
    local[:, index("neck")] = local[:, index("head")] = half
    total = trunk.sum(1).clamp_min(1e-6)[:, None]
    pelvis = torch.zeros_like(points[:, 0])
    world, places = _chain(local, shaped.bones)
    posed = _pose(shaped, Motion(local, pelvis))
    pelvis = (trunk[..., None] * torch.where(seen[..., None], points - posed.markers, 0.0)).sum(1) / total
    for joint, owners in _LIMBS:
        world, places = _chain(local, shaped.bones)
        parent = world[:, _ABOVE[index(joint)]]
        found = turned(mask(owners), places[:, index(joint)] + pelvis, joint, parent)
        local[:, index(joint)] = parent.mT @ found
    return _median(Motion(local, pelvis), rate_hz)


def _median(motion: Motion, rate_hz: float) -> Motion:
    """Each joint's turn and the pelvis' place in the middle of what they are around each frame."""
    size = 2 * round(_MEDIAN_S * rate_hz / 2) + 1
    middle = torch.from_numpy(median_filter(motion.local.numpy(), (size, 1, 1, 1), mode="nearest"))
    u, _, vh = torch.linalg.svd(middle)
    local = torch.cat((u[..., :2], u[..., 2:] * torch.linalg.det(u @ vh)[..., None, None]), -1) @ vh
    return Motion(local, torch.from_numpy(median_filter(motion.pelvis_m.numpy(), (size, 1), mode="nearest")))


def _without_jumps(shaped: _Shaped, motion: Motion, points: Tensor, seen: Tensor, rate_hz: float) -> Motion:
    """In frames that leave some markers unexplained, joints far from their own median over time are taken from it."""
    middle = _median(motion, rate_hz)
    jumps = rotmat_to_axis_angle(middle.local.mT @ motion.local).norm(dim=-1) > _JUMP_RAD
    away = torch.cat([(_pose(shaped, motion[b]).markers - points[b]).norm(dim=-1) for b in _blocks(len(points))])
    jumps &= ((away > _UNEXPLAINED_M) & seen).any(1, keepdim=True)
    return Motion(torch.where(jumps[..., None, None], middle.local, motion.local), motion.pelvis_m)


@dataclass(frozen=True)
class MarkerActor:
    """A subject: shape, and the body with markers where this subject wore them."""

    betas: Float[ndarray, "10"]
    body: MarkerBody


@dataclass(frozen=True)
class FittedMarkers:
    """SMPL poses of a clip's frames, where the pelvis is, and how far markers are from their places on the skin."""

    frame: ndarray  # (frames,) of the clip; those with too few markers are not here
    pose_axis_angle: Float[ndarray, "frames 24 3"]
    pelvis_m: Float[ndarray, "frames 3"]
    fit_error_mm: Float[ndarray, "frames"]  # mean over the markers that count


def _tensors(points_m: ndarray, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    seen = np.isfinite(points_m).all(-1)
    return torch.from_numpy(np.where(seen[..., None], points_m, 0.0)).to(dtype), torch.from_numpy(seen)


def fit_actor(body: MarkerBody, points_m: Float[ndarray, "frames markers 3"], rate_hz: float) -> MarkerActor:
    """Stage one: the shape and the markers' places from a few frames of one subject.

    # ASSUME: betas have SMPL's prior, N(0, 1); a marker stands off the skin by its own height, give or take 2 mm, and
    sits within about a centimetre of where its set's table says.
    """
    betas = np.zeros(10)
    points, seen = _tensors(points_m, torch.float64)
    shaped = _Shaped(body, betas, torch.float64)
    motion = _start(shaped, points, seen, rate_hz)
    chosen = torch.from_numpy(_choose(motion, seen))
    points, seen, motion = points[chosen], seen[chosen], motion[chosen]
    motion = _refine(shaped, motion, points, seen, rate_hz=None, scales_m=_SCALES_M)
    moved = np.zeros_like(body.sites_m)
    for _ in range(_STAGE_ONE_STEPS):
        motion, betas, moved = _together(body, betas, moved, motion, points, seen)
    return MarkerActor(betas, body.moved(moved))


def _choose(motion: Motion, seen: Tensor) -> ndarray:
    """Frames with all markers, or as many as there are, whose poses are furthest from each other."""
    counts = seen.sum(1).numpy()
    candidates = np.flatnonzero(counts >= min(np.percentile(counts, 80), seen.shape[1]))
    candidates = candidates[:: max(1, len(candidates) // 2000)]
    poses = motion.local[torch.from_numpy(candidates), 1:].flatten(1).numpy()
    chosen, nearest = [int(np.linalg.norm(poses - poses.mean(0), axis=1).argmin())], np.full(len(poses), np.inf)
    while len(chosen) < min(_STAGE_ONE_FRAMES, len(candidates)):
        nearest = np.minimum(nearest, np.linalg.norm(poses - poses[chosen[-1]], axis=1))
        chosen.append(int(nearest.argmax()))
    return candidates[np.sort(chosen)]


def _together(
    body: MarkerBody, betas: ndarray, moved: ndarray, motion: Motion, points: Tensor, seen: Tensor
) -> tuple[Motion, ndarray, ndarray]:
    """One Gauss-Newton step on the poses of all frames, the betas and the markers' places, poses eliminated first."""
    markers = len(body.labels)
    shaped = _Shaped(body.moved(moved), betas, torch.float64)
    posed = _pose(shaped, motion)
    normal = _normal(posed, points, seen, _SCALES_M[-1])
    _add_prior(normal, motion, posed)
    by_pose = torch.cat((-cross_matrix(posed.levers).transpose(2, 3).flatten(3), _eyes(len(points), markers)), -1)
    by_shape = _slopes(body.moved(moved), betas, motion, posed)  # (frames, markers, 3, 10 + 3 markers)
    heavy = by_shape * normal.trust[..., None, None]
    cross = torch.einsum("fmcp,fmcs->fps", by_pose, heavy)
    matrix = torch.einsum("fmca,fmcb->ab", by_shape, heavy)
    pull = torch.einsum("fmcs,fmc->s", heavy, normal.beside)
    normals = torch.from_numpy(body.normals)
    along = normals[:, :, None] * normals[:, None]
    stiff = along / _NORMAL_SIGMA_M**2 + (torch.eye(3, dtype=torch.float64) - along) / _SKIN_SIGMA_M**2
    prior = torch.block_diag(torch.eye(10, dtype=torch.float64), *stiff)
    at = torch.from_numpy(np.concatenate((betas, moved.ravel())))
    factor = torch.linalg.cholesky(normal.matrix)
    solved = torch.cholesky_solve(torch.cat((cross, normal.pull[..., None]), -1), factor)
    reduced = matrix + prior - torch.einsum("fps,fpt->st", cross, solved[..., :-1])
    target = pull - prior @ at - torch.einsum("fps,fp->s", cross, solved[..., -1])
    step = torch.linalg.solve(reduced, target)
    turns = solved[..., -1] - solved[..., :-1] @ step
    at = (at + step).numpy()
    return _moved(motion, posed, turns.clamp(-0.5, 0.5)), at[:10], at[10:].reshape(markers, 3)


def _eyes(frames: int, markers: int) -> Tensor:
    return torch.eye(3, dtype=torch.float64).expand(frames, markers, 3, 3)


def _slopes(body: MarkerBody, betas: ndarray, motion: Motion, posed: _Posed) -> Float[Tensor, "frames markers 3 _"]:
    """How markers move with the betas and with every marker's place; both are linear."""
    columns = []
    for direction in np.eye(10):
        other = _pose(_Shaped(body, betas + direction, torch.float64), motion)
        columns.append(other.markers - posed.markers)
    turn = torch.einsum("mk,fkab->fmab", torch.from_numpy(body.weights), posed.world)
    markers = len(body.labels)
    own = torch.zeros(len(turn), markers, 3, markers, 3, dtype=torch.float64)
    each = torch.arange(markers)
    own[:, each, :, each] = turn.transpose(0, 1)
    return torch.cat((torch.stack(columns, -1), own.flatten(3)), -1)


def fit_frames(
    actor: MarkerActor,
    points_m: Float[ndarray, "frames markers 3"],
    rate_hz: float,
    frames: ndarray | None = None,
) -> FittedMarkers:
    """Stage two: pose and place of all frames, or of those given, of a clip at `rate_hz`.

    Frames in which fewer than twelve markers were seen are left out.
    """
    points, seen = _tensors(points_m, torch.float32)
    shaped = _Shaped(actor.body, actor.betas, torch.float32)
    motion = _start(shaped, points, seen, rate_hz)
    frames = np.arange(len(points_m)) if frames is None else frames
    frames = frames[seen.sum(1).numpy()[frames] >= _MIN_MARKERS]
    if not len(frames):
        return FittedMarkers(frames, np.zeros((0, 24, 3)), np.zeros((0, 3)), np.zeros(0))
    picked = torch.from_numpy(frames)
    rate = rate_hz / max(1.0, float(np.median(np.diff(frames)))) if len(frames) > 1 else rate_hz
    points, seen = points[picked], seen[picked]
    motion = _refine(shaped, motion[picked], points, seen, rate_hz=None, scales_m=_SCALES_M)
    motion = _without_jumps(shaped, motion, points, seen, rate)
    motion = _refine(shaped, motion, points, seen, rate_hz=rate, scales_m=_SMOOTH_SCALES_M)
    error = []
    for block in _blocks(len(frames)):
        part = _pose(shaped, motion[block])
        normal = _normal(part, points[block], seen[block], _SCALES_M[-1])
        error.append((normal.trust * normal.beside.norm(dim=-1)).sum(1) / normal.trust.sum(1))
    pose = rotmat_to_axis_angle(motion.local).double().numpy()
    return FittedMarkers(frames, pose, motion.pelvis_m.double().numpy(), 1000 * torch.cat(error).double().numpy())


def marker_points(
    body: MarkerBody,
    betas: Float[ndarray, "10"],
    pose_axis_angle: Float[ndarray, "frames 24 3"],
    pelvis_m: Float[ndarray, "frames 3"],
) -> Float[ndarray, "frames markers 3"]:
    """Where the markers of a posed body are, metres."""
    shaped = _Shaped(body, betas, torch.float64)
    local = axis_angle_to_rotmat(torch.from_numpy(np.asarray(pose_axis_angle, float)))
    pelvis = torch.from_numpy(np.asarray(pelvis_m, float))
    return torch.cat([_pose(shaped, Motion(local[b], pelvis[b])).markers for b in _blocks(len(local))]).numpy()
