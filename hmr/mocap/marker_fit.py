"""Markers to SMPL in MoSh's two stages (Loper et al. 2014): who it is and where the markers sit, then how it moves.

Stage one takes a few frames of a subject, as different as they come, and solves for the shape, each marker's place on
the skin and those frames' poses together. Stage two keeps shape and places and solves for all frames of a clip at
once. Both start from a rough pose of each frame and go on with `hmr.mocap.marker_solver`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import distance_transform_edt, median_filter
from torch import Tensor

from hmr.body.joints import SMPL_24
from hmr.geometry.rotations import axis_angle_to_rotmat, cross_matrix, rotmat_to_axis_angle
from hmr.mocap.marker_body import MarkerBody
from hmr.mocap.marker_solver import (
    ABOVE,
    JOINTS,
    MOST_TURN_RAD,
    Motion,
    Posed,
    Shaped,
    add_prior,
    blocks,
    chain,
    costs,
    moved_by,
    normal_equations,
    placed_markers,
    posed_markers,
    refine,
)

_SCALES_M = (0.3, 0.2, 0.1, 0.06, 0.04, 0.02)  # of the robust weight, one a step: wide at first, for the start is rough
_AGAIN_SCALES_M = _SCALES_M[2:]  # from the pose of a frame near by
_SMOOTH_SCALES_M = (0.04, 0.02)  # of the steps after them, in which frames hold each other
_STAGE_ONE_FRAMES = 16
_STAGE_ONE_STEPS = 8
_NORMAL_SIGMA_M = 0.002  # how far a marker may stand off or sink in; its height is known
_SKIN_SIGMA_M = 0.012  # and how far it may sit beside where the table says
_MEDIAN_S = 0.4  # window of medians over time; swaps that last half as long do not show in them
_UNEXPLAINED_M = 0.04  # so far from its place no marker is, unless it was swapped or its limb is turned wrongly
_MOST_BEND_RAD = 1.3  # of an ankle or a wrist, and of a knee backward, aside or about the shank
_MIN_MARKERS = 12  # a frame with fewer is left out

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
_ENDS = [SMPL_24.index(f"{side}_{joint}") for joint in ("knee", "ankle", "wrist") for side in ("left", "right")]
_KNEES = slice(0, 2)  # of these; hinges, which bend forward far and hardly else
_PELVIS, _CHEST, _HEAD = ("pelvis", "spine1"), ("spine2", "spine3", "left_collar", "right_collar"), ("neck", "head")


def _start(shaped: Shaped, points: Tensor, seen: Tensor, rate_hz: float) -> Motion:
    """A rough pose of each frame: parts of the body turned as the markers on them are, smoothed by a median over time.

    Parts without markers turn as what they hang on.
    """
    frames, dtype = len(points), shaped.dtype
    owner = [SMPL_24.joints[joint] for joint in shaped.owner]

    def mask(names: tuple[str, ...]) -> Tensor:
        return seen * torch.tensor([name in names for name in owner]).to(dtype)

    def turned(weight: Tensor, like: Tensor, joint: int | None = None, at_joint: Tensor | None = None) -> Tensor:
        """The rotation that brings a part's markers nearest to the measured ones, about their own mean, or about a
        joint and where it is. Without markers it is `like`."""
        rest, at = shaped.rest.expand_as(points), torch.where(seen[..., None], points, 0.0)
        if at_joint is None:
            total = weight.sum(1).clamp_min(1e-6)[:, None, None]
            rest_mean, at_mean = ((weight[..., None] * x).sum(1, keepdim=True) / total for x in (rest, at))
        else:
            rest_mean, at_mean = shaped.joints[joint], at_joint[:, None]
        spread = (weight[..., None] * (at - at_mean)).mT @ (rest - rest_mean) + 0.002 * like
        u, _, vh = torch.linalg.svd(spread)
        u = torch.cat((u[..., :2], u[..., 2:] * torch.linalg.det(u @ vh)[:, None, None]), -1)
        return u @ vh

    def index(joint: str) -> int:
        return SMPL_24.index(joint)

    eye = torch.eye(3, dtype=dtype).expand(frames, 3, 3)
    local = eye[:, None].repeat(1, JOINTS, 1, 1)
    trunk = mask(_PELVIS) + 0.2 * mask(_CHEST)
    local[:, 0] = turned(trunk, eye)
    chest, head = (turned(mask(part), local[:, 0]) for part in (_CHEST, _HEAD))
    third = axis_angle_to_rotmat(rotmat_to_axis_angle(local[:, 0].mT @ chest) / 3)
    half = axis_angle_to_rotmat(rotmat_to_axis_angle(chest.mT @ head) / 2)
    for joint in ("spine1", "spine2", "spine3"):
        local[:, index(joint)] = third
    local[:, index("neck")] = local[:, index("head")] = half
    total = trunk.sum(1).clamp_min(1e-6)[:, None]
    pelvis = torch.zeros_like(points[:, 0])
    posed = posed_markers(shaped, Motion(local, pelvis))
    pelvis = (trunk[..., None] * torch.where(seen[..., None], points - posed.markers, 0.0)).sum(1) / total
    for joint, owners in _LIMBS:
        world, places = chain(local, shaped.bones)
        at = index(joint)
        parent = world[:, ABOVE[at]]
        local[:, at] = parent.mT @ turned(mask(owners), parent, at, places[:, at] + pelvis)
        told = mask(owners).sum(1).numpy() > 1
        if told.any() and not told.all():  # one marker does not tell a limb's twist, which is then the nearest frame's
            nearest = distance_transform_edt(~told, return_distances=False, return_indices=True)[0]
            like = parent @ local[torch.from_numpy(nearest.astype(int)), at]
            local[:, at] = parent.mT @ turned(mask(owners), like, at, places[:, at] + pelvis)
    return _median(Motion(_unbent(local), pelvis), rate_hz)


def _unbent(local: Tensor) -> Tensor:
    """With straight joints where they are bent as none can be: a few swapped markers may turn a foot, a hand or a shank
    over, out of which no step leads back."""
    turn = rotmat_to_axis_angle(local[:, _ENDS])
    over = turn.norm(dim=-1) > _MOST_BEND_RAD
    knees = turn[:, _KNEES]
    over[:, _KNEES] = (knees[..., 1:].abs() > _MOST_BEND_RAD).any(-1) | (knees[..., 0] < -_MOST_BEND_RAD)
    local = local.clone()
    local[:, _ENDS] = torch.where(over[..., None, None], torch.eye(3, dtype=local.dtype), local[:, _ENDS])
    return local


def _median(motion: Motion, rate_hz: float) -> Motion:
    """Each joint's turn and the pelvis' place in the middle of what they are around each frame."""
    size = 2 * round(_MEDIAN_S * rate_hz / 2) + 1
    middle = torch.from_numpy(median_filter(motion.local.numpy(), (size, 1, 1, 1), mode="nearest"))
    u, _, vh = torch.linalg.svd(middle)
    local = torch.cat((u[..., :2], u[..., 2:] * torch.linalg.det(u @ vh)[..., None, None]), -1) @ vh
    return Motion(local, torch.from_numpy(median_filter(motion.pelvis_m.numpy(), (size, 1), mode="nearest")))


def _as_neighbours(shaped: Shaped, motion: Motion, points: Tensor, seen: Tensor) -> Motion:
    """Frames that leave some marker unexplained are fitted anew from the pose of the last frame before that leaves
    none, then of the next after; the cheapest fit stays. So a start that swapped markers have spoilt is mended, at a
    clip's end too, where they may fill most of a median's window."""
    for after in (0, 1):
        away = (placed_markers(shaped, motion) - points).norm(dim=-1)
        doubtful = ((away > _UNEXPLAINED_M) & seen).any(1)
        told, asked = (torch.nonzero(frames)[:, 0] for frames in (~doubtful, doubtful))
        if not len(told) or not len(asked):
            break
        nearest = told[(torch.searchsorted(told, asked) - 1 + after).clamp(0, len(told) - 1)]
        old, at, known = motion[asked], points[asked], seen[asked]
        start = Motion(motion.local[nearest], old.pelvis_m)
        new = refine(shaped, start, at, known, rate_hz=None, scales_m=_AGAIN_SCALES_M)
        cheaper = costs(shaped, new, at, known, _SCALES_M[-1]) < costs(shaped, old, at, known, _SCALES_M[-1])
        motion = motion.replaced(asked[cheaper], new[cheaper])
    return motion


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
    shaped = Shaped(body, betas, torch.float64)
    motion = _start(shaped, points, seen, rate_hz)
    chosen = torch.from_numpy(_choose(motion, seen))
    points, seen, motion = points[chosen], seen[chosen], motion[chosen]
    motion = refine(shaped, motion, points, seen, rate_hz=None, scales_m=_SCALES_M)
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
    shaped = Shaped(body.moved(moved), betas, torch.float64)
    posed = posed_markers(shaped, motion)
    normal = normal_equations(posed, points, seen, _SCALES_M[-1])
    # Frames of one subject are alike: who sits has bent hips in all of them, and as many full priors, which all pull at
    # the same tilt of the pelvis, would drag its markers from where they sit. Together they have the say of one frame.
    add_prior(normal, motion, posed, swing_share=1 / len(points))
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
    return moved_by(motion, posed, turns.clamp(-MOST_TURN_RAD, MOST_TURN_RAD)), at[:10], at[10:].reshape(markers, 3)


def _eyes(frames: int, markers: int) -> Tensor:
    return torch.eye(3, dtype=torch.float64).expand(frames, markers, 3, 3)


def _slopes(body: MarkerBody, betas: ndarray, motion: Motion, posed: Posed) -> Float[Tensor, "frames markers 3 _"]:
    """How markers move with the betas and with every marker's place; both are linear."""
    columns = []
    for direction in np.eye(10):
        other = posed_markers(Shaped(body, betas + direction, torch.float64), motion)
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
    shaped = Shaped(actor.body, actor.betas, torch.float32)
    motion = _start(shaped, points, seen, rate_hz)
    frames = np.arange(len(points_m)) if frames is None else frames
    frames = frames[seen.sum(1).numpy()[frames] >= _MIN_MARKERS]
    if not len(frames):
        return FittedMarkers(frames, np.zeros((0, 24, 3)), np.zeros((0, 3)), np.zeros(0))
    picked = torch.from_numpy(frames)
    rate = rate_hz / max(1.0, float(np.median(np.diff(frames)))) if len(frames) > 1 else rate_hz
    points, seen = points[picked], seen[picked]
    motion = refine(shaped, motion[picked], points, seen, rate_hz=None, scales_m=_SCALES_M)
    motion = _as_neighbours(shaped, motion, points, seen)
    motion = Motion(_unbent(motion.local), motion.pelvis_m)
    motion = refine(shaped, motion, points, seen, rate_hz=rate, scales_m=_SMOOTH_SCALES_M)
    error = []
    for block in blocks(len(frames)):
        part = posed_markers(shaped, motion[block])
        normal = normal_equations(part, points[block], seen[block], _SCALES_M[-1])
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
    shaped = Shaped(body, betas, torch.float64)
    local = axis_angle_to_rotmat(torch.from_numpy(np.asarray(pose_axis_angle, float)))
    pelvis = torch.from_numpy(np.asarray(pelvis_m, float))
    return placed_markers(shaped, Motion(local, pelvis)).numpy()
