"""SMPLify: bodies fitted to 2D keypoints, the paper's own comparison (Bogo et al., ECCV 2016), many people at once.

    fitter = Smplify(BodyModel.load("body.npz"), PosePrior.learn(pool, ...), mean_start(pool), iterations=60)
    theta = fitter.fit(keypoints_norm, confidence)      # (N, 85), as the network's

What is minimised for each person: robust distances of projected keypoints, the pose prior, a penalty on elbows and
knees that bend the wrong way, and the squared betas. Each person's energy is its own, so a batch gives what single
fits give.

# ASSUME: where this departs from Bogo et al. The camera is the method's weak perspective (theirs is a pinhole with a
focal length so long that it comes to nearly the same). No term keeps body parts from passing through each other.
Adam over the whole batch replaces their dogleg over one person.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hmr.body.joints import COCOPLUS_19, SMPL_24
from hmr.body.model import BodyModel
from hmr.geometry.cameras import weak_perspective
from hmr.geometry.rotations import axis_angle_to_rotmat, rotmat_to_axis_angle
from hmr.prediction.pose_prior import BODY_POSE, PosePrior

# Weights as the authors' lineage of code has them, for pixels of the 224 view in which a person is 150 across.
_VIEW_PX = 224
_SIGMA_PX = 100.0  # beyond this a keypoint pulls less and less
_BENDING = 15.2
_PRIOR_AND_SHAPE = ((57.4, 10.0), (15.0, 7.0), (4.78, 5.0))  # from the mean body towards the keypoints
_LEARNING_RATE = 0.06
_TURNS = 4  # directions that the person may face at first
_KEPT = 2  # of them, after the camera has found its place
_SCALES = (0.25, 4.0)  # of the camera at first
# Which way elbows and knees bend in SMPL's frames: the sign makes a natural bend negative.
_HINGES = (("left_elbow", 1, 1.0), ("right_elbow", 1, -1.0), ("left_knee", 0, -1.0), ("right_knee", 0, -1.0))
_TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "neck")


@dataclass
class _Unknowns:
    """What is fitted; every tensor has a row per person."""

    log_scale: Tensor  # (n, 1)
    shift: Tensor  # (n, 2)
    root: Tensor  # (n, 3) axis-angle
    body_pose: Tensor  # (n, 69) axis-angle
    betas: Tensor  # (n, 10)

    def theta(self) -> Float[Tensor, "n 85"]:
        return torch.cat((self.log_scale.exp(), self.shift, self.root, self.body_pose, self.betas), 1)

    def rows(self, index: Tensor) -> "_Unknowns":
        return _Unknowns(**{name: value[index].clone() for name, value in vars(self).items()})


class Smplify:
    """A fitter with its body, prior and start; fits any number of people at once."""

    def __init__(self, body: BodyModel, prior: PosePrior, start: Float[Tensor, "85"], *, iterations: int) -> None:
        """start: the mean body's theta, upright and facing the camera. iterations: of each of the four stages."""
        self.body, self.prior, self.start, self.iterations = body.for_keypoints(), prior, start, iterations
        self.hinges = [3 * (SMPL_24.index(joint) - 1) + axis for joint, axis, _ in _HINGES]
        self.signs = start.new_tensor([sign for _, _, sign in _HINGES])
        self.torso = [COCOPLUS_19.index(joint) for joint in _TORSO]

    def to(self, device: torch.device) -> "Smplify":
        """The same fitter on another device."""
        body, prior, start = self.body.to(device), self.prior.to(device), self.start.to(device)
        return Smplify(body, prior, start, iterations=self.iterations)

    def fit(self, keypoints_norm: Float[Tensor, "n 19 2"], confidence: Float[Tensor, "n 19"]) -> Float[Tensor, "n 85"]:
        """Thetas whose keypoints lie where they should. Keypoints: [-1, 1] over the view; confidence 0 leaves one out.

        A person without keypoints gets the mean body.
        """
        count = len(keypoints_norm)
        if not count:
            return self.start.new_zeros(0, 85)
        target = torch.where(confidence[..., None] > 0, keypoints_norm, 0)  # a missing one may be NaN
        found = self._placed(target, confidence)
        energy = self._improve(found, target, confidence, camera_only=True, weights=_PRIOR_AND_SHAPE[0])
        kept = energy.reshape(_TURNS, count).topk(min(_KEPT, _TURNS), 0, largest=False).indices
        people = torch.arange(count, device=kept.device)
        found = found.rows((kept * count + people).flatten())
        for weights in _PRIOR_AND_SHAPE:
            energy = self._improve(found, target, confidence, camera_only=False, weights=weights)
        best = energy.reshape(len(kept), count).argmin(0)
        return found.rows(best * count + people).theta()

    def _placed(self, target: Tensor, confidence: Tensor) -> _Unknowns:
        """The mean body facing `_TURNS` ways, each moved onto the keypoints by the best turn, scale and shift in the
        picture: (turns * n) rows."""
        count, turns = len(target), []
        for k in range(_TURNS):
            upright = axis_angle_to_rotmat(self.start[3:6])
            turned = upright @ axis_angle_to_rotmat(self.start.new_tensor((0.0, k * 2 * math.pi / _TURNS, 0.0)))
            flat = self._keypoints(self.start[None], turned[None])[0, :, :2]
            turn, scale, shift = _place_in_picture(flat, target, confidence)
            turns.append((scale, shift, rotmat_to_axis_angle(turn @ turned)))
        scale, shift, root = (torch.cat(values) for values in zip(*turns, strict=True))
        rest = self.start[6:].expand(_TURNS * count, -1)
        return _Unknowns(scale.log()[:, None], shift, root, rest[:, :BODY_POSE].clone(), rest[:, BODY_POSE:].clone())

    def _keypoints(self, theta: Tensor, root_rotmat: Tensor) -> Tensor:
        pose = theta[:, 6:75].unflatten(-1, (23, 3))
        rotmat = torch.cat((root_rotmat[:, None], axis_angle_to_rotmat(pose)), 1)
        return self.body.keypoints(self.body(betas=theta[:, 75:], full_pose_rotmat=rotmat).vertices)

    def _energy(self, found: _Unknowns, target: Tensor, confidence: Tensor, weights: tuple[float, float]) -> Tensor:
        theta = found.theta()
        points = self._keypoints(theta, axis_angle_to_rotmat(found.root))
        projected = weak_perspective(points, cam_scale=theta[:, :1], cam_shift=theta[:, 1:3])
        square = ((projected - target) ** 2).sum(-1) * (_VIEW_PX / 2) ** 2
        robust = _SIGMA_PX**2 * square / (_SIGMA_PX**2 + square)  # Geman-McClure
        prior, shape = weights
        bending = torch.exp(2 * found.body_pose[:, self.hinges] * self.signs).sum(-1)
        return (
            (confidence * robust).sum(-1)
            + prior**2 * self.prior(found.body_pose)
            + _BENDING**2 * bending
            + shape**2 * (found.betas**2).sum(-1)
        )

    def _improve(
        self,
        found: _Unknowns,
        target: Tensor,
        confidence: Tensor,
        *,
        camera_only: bool,
        weights: tuple[float, float],
    ) -> Tensor:
        """Steps of Adam in place; every row's energy afterwards. `camera_only` moves camera and root, by the torso."""
        copies = len(found.root) // len(target)
        target, confidence = (t.repeat(copies, *[1] * (t.ndim - 1)) for t in (target, confidence))
        pulling = self._of_torso(confidence) if camera_only else confidence
        moving = [found.log_scale, found.shift, found.root]
        moving += [] if camera_only else [found.body_pose, found.betas]
        for tensor in moving:
            tensor.requires_grad_(True)
        optimiser = torch.optim.Adam(moving, lr=_LEARNING_RATE)
        slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.iterations, 0.1 * _LEARNING_RATE)
        for _ in range(self.iterations):
            optimiser.zero_grad(set_to_none=True)
            self._energy(found, target, pulling, weights).sum().backward()
            optimiser.step()
            slower.step()
        for tensor in moving:
            tensor.requires_grad_(False)
        with torch.no_grad():
            return self._energy(found, target, confidence, weights)

    def _of_torso(self, confidence: Tensor) -> Tensor:
        """Confidence of the torso's keypoints alone, of all where the torso has too few."""
        torso = torch.zeros_like(confidence)
        torso[:, self.torso] = confidence[:, self.torso]
        return torch.where((torso > 0).sum(1, keepdim=True) < 3, confidence, torso)


def _place_in_picture(
    flat: Float[Tensor, "19 2"], target: Float[Tensor, "n 19 2"], confidence: Float[Tensor, "n 19"]
) -> tuple[Float[Tensor, "n 3 3"], Float[Tensor, "n"], Float[Tensor, "n 2"]]:
    """Turn about the viewing axis, scale and shift (inside the scale) that best carry `flat` onto each target."""
    weight = confidence / confidence.sum(-1, keepdim=True).clamp_min(1e-6)
    centre = (weight[..., None] * flat).sum(1)  # (n, 2)
    middle = (weight[..., None] * target).sum(1)
    a, b = flat - centre[:, None], target - middle[:, None]
    along = (weight * (a * b).sum(-1)).sum(-1)
    across = (weight * (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])).sum(-1)
    size = (weight * (a**2).sum(-1)).sum(-1)
    angle = torch.atan2(across, along)
    known = (confidence > 0).sum(-1) >= 2
    scale = torch.where(known, torch.hypot(along, across) / size.clamp_min(1e-6), torch.full_like(size, 0.9))
    scale, angle = scale.clamp(*_SCALES), torch.where(known, angle, torch.zeros_like(angle))
    turn = axis_angle_to_rotmat(torch.stack((torch.zeros_like(angle), torch.zeros_like(angle), angle), -1))
    moved = (turn[:, :2, :2] @ centre[..., None])[..., 0]
    return turn, scale, middle / scale[:, None] - moved
