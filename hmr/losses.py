"""The losses that the method's code minimises (paper sections 3.1-3.3), as pure functions of tensors.

Reductions divide by what is counted and give exactly zero, with zero gradient, where nothing is.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr.body.joints import LSP_14

HIPS = (LSP_14.index("right_hip"), LSP_14.index("left_hip"))


def joints_2d_loss(
    *,
    pred_keypoints_norm: Float[Tensor, "batch 19 2"],
    gt_keypoints_norm: Float[Tensor, "batch 19 2"],
    visible: Bool[Tensor, "batch 19"],
) -> Float[Tensor, ""]:
    """L1 in [-1, 1] coordinates over the visible keypoints of the whole batch, per visible coordinate (equation 3).

    # ASSUME: the code divides by the number of visible coordinates of the batch; the paper sums.
    """
    gt = torch.where(visible[..., None], gt_keypoints_norm, torch.zeros_like(gt_keypoints_norm))
    error = (pred_keypoints_norm - gt).abs() * visible[..., None]
    return error.sum() / (2 * visible.sum()).clamp_min(1)


def joints_3d_loss(
    *,
    pred_joints: Float[Tensor, "batch 14 3"],
    gt_joints: Float[Tensor, "batch 14 3"],
    has_joints_3d: Bool[Tensor, "batch"],
) -> Float[Tensor, ""]:
    """Half the mean squared error over 42 numbers in metres, both sides centred on the middle of the hips."""
    gt = torch.where(has_joints_3d[:, None, None], gt_joints, torch.zeros_like(gt_joints))
    return _masked_half_mse(centred(pred_joints) - centred(gt), has_joints_3d)


def smpl_loss(
    *,
    pred_rotmat: Float[Tensor, "batch 24 3 3"],
    gt_rotmat: Float[Tensor, "batch 24 3 3"],
    pred_betas: Float[Tensor, "batch 10"],
    gt_betas: Float[Tensor, "batch 10"],
    has_smpl: Bool[Tensor, "batch"],
) -> Float[Tensor, ""]:
    """Half the mean squared error over 24 rotation matrices and 10 betas, 226 numbers, the root included (equation 6).

    # ASSUME: rotation matrices as in the code, where the paper writes [beta, theta].
    """
    difference = torch.cat(((pred_rotmat - gt_rotmat).flatten(1), pred_betas - gt_betas), 1)
    return _masked_half_mse(torch.where(has_smpl[:, None], difference, torch.zeros_like(difference)), has_smpl)


def adversarial_loss(scores: Float[Tensor, "batch critics"]) -> Float[Tensor, ""]:
    """What the encoder pays: each critic's squared distance from "real", summed over critics (equation 7)."""
    return (scores - 1).square().sum(1).mean()


def critic_loss(
    *, real_scores: Float[Tensor, "real critics"], fake_scores: Float[Tensor, "fake critics"]
) -> Float[Tensor, ""]:
    """What the critics pay: real bodies towards 1, predicted ones towards 0 (equation 8)."""
    return (real_scores - 1).square().sum(1).mean() + fake_scores.square().sum(1).mean()


def gradient_penalty(
    real_scores: Float[Tensor, "real critics"], real_bodies: Sequence[Float[Tensor, "real ..."]]
) -> Float[Tensor, ""]:
    """Half the mean squared gradient of what all critics together say of real bodies (R1; Mescheder, Geiger, Nowozin,
    "Which Training Methods for GANs do actually Converge?", ICML 2018, equation 9).

    `real_bodies` are the tensors that the scores were made from, with `requires_grad`.
    """
    slopes = torch.autograd.grad(real_scores.sum(), real_bodies, create_graph=True, materialize_grads=True)
    return 0.5 * torch.stack([slope.flatten(1).square().sum(1).mean() for slope in slopes]).sum()


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Float[Tensor, ""]:
    """The objective. Terms and weights must name the same losses, so that none is forgotten."""
    if terms.keys() != weights.keys():
        raise ValueError(f"loss terms {sorted(terms)} and weights {sorted(weights)} differ")
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def centred(joints: Float[Tensor, "batch 14 3"]) -> Float[Tensor, "batch 14 3"]:
    """Joints relative to the middle of the hips."""
    return joints - joints[:, HIPS].mean(1, keepdim=True)


def _masked_half_mse(difference: Float[Tensor, "batch *rest"], mask: Bool[Tensor, "batch"]) -> Float[Tensor, ""]:
    each = 0.5 * difference.flatten(1).square().mean(1)
    return (each * mask).sum() / mask.sum().clamp_min(1)
