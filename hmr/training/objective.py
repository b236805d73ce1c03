"""One training step's mathematics: what the encoder pays and what the critics pay (paper sections 3.1-3.4)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr import losses
from hmr.body.model import BodyModel
from hmr.data.loader import WHOLE, Batch, Part
from hmr.geometry.cameras import weak_perspective
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.models.critics import Critics
from hmr.models.hmr import Network, network_input, read_theta
from hmr.params import TrainParams, points_too


@dataclass(frozen=True)
class RealBodies:
    """Motion capture's share of a step."""

    body_pose_rotmat: Float[Tensor, "real 23 3 3"]
    betas: Float[Tensor, "real 10"]

    def part(self, part: Part, batch_size: int) -> "RealBodies":
        """Those that stand against a part of the batch: as many, where there is a whole number for each sample."""
        if part == WHOLE:
            return self
        every = (self.body_pose_rotmat, self.betas)
        return RealBodies(*(bodies.unflatten(0, (-1, batch_size))[:, part.rows].flatten(0, 1) for bodies in every))


@dataclass(frozen=True)
class Losses:
    """What a step, or a part of one, costs: means over what `counted` counts."""

    terms: dict[str, Tensor]  # what the encoder pays, by name
    critics: Tensor | None = None  # what the critics pay, where there are any
    seen: dict[str, Tensor] = field(default_factory=dict)  # figures that nobody pays for


def in_view(batch: Batch) -> Bool[Tensor, "batch 19"]:
    """Which keypoints are visible and inside the picture."""
    return batch.visible & (batch.keypoints_norm.abs() < 1).all(-1)


def counted(batch: Batch) -> dict[str, Tensor]:
    """Over how many labels or samples each figure of a step is a mean. A term's share of a whole batch goes by this."""
    rows = torch.tensor(len(batch.visible), device=batch.visible.device)
    by_rows = dict.fromkeys(("adversarial", "critics", "score_real", "score_predicted"), rows)
    return {
        "joints_2d": batch.visible.sum(),
        "keypoints": batch.visible.sum(),
        "joints_3d": batch.has_joints_3d.sum(),
        "smpl": batch.has_smpl.sum(),
        "maps": in_view(batch).sum(),
        **by_rows,
    }


def encoder_weights(params: TrainParams) -> dict[str, float]:
    """The weight of every term that this training has; a term without labels or critics is not there at all."""
    weights = {"joints_2d": params.joints_2d_weight}
    if params.datasets_3d:
        weights |= {"joints_3d": params.joints_3d_weight, "smpl": params.smpl_weight}
    if points_too(params):
        weights["keypoints"] = params.keypoints_weight
    return weights | ({"adversarial": params.adv_weight} if params.adv_weight else {})


def step_terms(
    network: Network,
    critics: Critics | None,
    body: BodyModel,
    batch: Batch,
    real: RealBodies | None,
    params: TrainParams,
) -> Losses:
    """The encoder's loss terms by name, the critics' loss and what the critics say on average.

    Keypoints and 3D labels count on the last iteration, the critics on every one (section 3.2 says why);
    `supervise_every_iteration` takes the labels' mean over all iterations instead. Critics and
    encoder are kept apart: the encoder's term goes through frozen critics, the critics' through detached bodies.

    # ASSUME: an encoder that points at keypoints pays for where it points as well (`train.keypoints_weight`). Taught by
    bodies alone it turns its maps to other uses, and finds limbs worse than after its pre-training.
    """
    image, terms = network_input(batch.image), {}
    if points_too(params):
        thetas, places = network.locate(image)
        terms["keypoints"] = losses.joints_2d_loss(
            pred_keypoints_norm=places.float(), gt_keypoints_norm=batch.keypoints_norm, visible=batch.visible
        )
    else:
        thetas = network(image)
    # Bodies in 32 bits, whatever the network's precision: posed in bfloat16, joints would be millimetres off.
    with torch.autocast(image.device.type, enabled=False):
        labelled = thetas if params.supervise_every_iteration else thetas[-1:]
        terms |= _label_terms(labelled.float().flatten(0, 1), body, batch.repeat(len(labelled)), params)
        if critics is None or real is None:
            return Losses(terms)
        every = read_theta(thetas.float().flatten(0, 1))
        pose, betas = every.full_pose_rotmat[:, 1:], every.betas
        terms["adversarial"] = losses.adversarial_loss(_frozen(critics)(pose, betas))
        seen, paid = _what_critics_pay(critics, real, pose.detach(), betas.detach(), params.critics.gradient_penalty)
        return Losses(terms, paid, seen)


def _what_critics_pay(
    critics: Critics, real: RealBodies, pose: Tensor, betas: Tensor, penalty: float
) -> tuple[dict[str, Tensor], Tensor]:
    """What they say on average, and what that costs them."""
    bodies = [body.detach().requires_grad_(penalty > 0) for body in (real.body_pose_rotmat, real.betas)]
    scores = critics(torch.cat((bodies[0], pose)), torch.cat((bodies[1], betas)))
    real_scores, fake_scores = scores[: len(bodies[1])], scores[len(bodies[1]) :]
    paid = losses.critic_loss(real_scores=real_scores, fake_scores=fake_scores)
    if penalty:
        paid = paid + penalty * losses.gradient_penalty(real_scores, bodies)
    return {"score_real": real_scores.detach().mean(), "score_predicted": fake_scores.detach().mean()}, paid


def _label_terms(theta: Tensor, body: BodyModel, batch: Batch, params: TrainParams) -> dict[str, Tensor]:
    pred = read_theta(theta)
    posed = body(betas=pred.betas, full_pose_rotmat=pred.full_pose_rotmat)
    keypoints = body.keypoints(posed.vertices)
    terms = {
        "joints_2d": losses.joints_2d_loss(
            pred_keypoints_norm=weak_perspective(keypoints, cam_scale=pred.cam_scale, cam_shift=pred.cam_shift),
            gt_keypoints_norm=batch.keypoints_norm,
            visible=batch.visible,
        )
    }
    if params.datasets_3d:
        terms["joints_3d"] = losses.joints_3d_loss(
            pred_joints=keypoints[:, :14], gt_joints=batch.joints_3d_m, has_joints_3d=batch.has_joints_3d
        )
        terms["smpl"] = losses.smpl_loss(
            pred_rotmat=pred.full_pose_rotmat,
            gt_rotmat=axis_angle_to_rotmat(batch.pose_axis_angle),
            pred_betas=pred.betas,
            gt_betas=batch.betas,
            has_smpl=batch.has_smpl,
        )
    return terms


def _frozen(critics: Critics):
    """The critics with their present weights as constants: gradients pass through to the input alone."""
    weights = {name: value.detach() for name, value in critics.named_parameters()}
    return lambda pose, betas: torch.func.functional_call(critics, weights, (pose, betas))
