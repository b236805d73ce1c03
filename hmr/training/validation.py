"""How far off a network is while it trains, on samples that it is not trained on. Measuring changes nothing of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr.body.model import BodyModel
from hmr.data.loader import Batch, Part
from hmr.geometry.alignment import similarity_align
from hmr.geometry.cameras import weak_perspective
from hmr.losses import centred
from hmr.models.hmr import network_input, read_theta
from hmr.params import TrainParams

PREFIX = "validation_"


@dataclass(frozen=True)
class Seen:
    """What a network makes of a batch; joints only where it knows bodies."""

    keypoints_norm: Float[Tensor, "batch 19 2"]
    joints_m: Float[Tensor, "batch 14 3"] | None = None


Look = Callable[[nn.Module, Batch], Seen]


def bodies_of(body: BodyModel) -> Look:
    """What the paper's network sees."""

    def look(network: nn.Module, batch: Batch) -> Seen:
        theta = read_theta(network(network_input(batch.image))[-1].float())
        posed = body(betas=theta.betas, full_pose_rotmat=theta.full_pose_rotmat)
        points = body.keypoints(posed.vertices)
        flat = weak_perspective(points, cam_scale=theta.cam_scale, cam_shift=theta.cam_shift)
        return Seen(flat, points[:, :14])

    return look


def keypoints_of(network: nn.Module, batch: Batch) -> Seen:
    """What the network of the pre-training sees."""
    return Seen(network(network_input(batch.image)).keypoints_norm.float())


@dataclass(frozen=True)
class Validation:
    """Samples that were set aside, in batches, and how often to look at them."""

    batches: Sequence[Batch]
    look: Look
    view_px: int
    every_steps: int

    @classmethod
    def of(cls, batches: Sequence[Batch], look: Look, params: TrainParams, device: torch.device) -> "Validation":
        """As the parameters want it, on the device of the network, at most a step's pictures at a time."""
        size = params.optimiser.batch_size
        parts = [b.part(Part(k, n)) for b in batches for n in [-(-len(b.image) // size)] for k in range(n)]
        return cls([b.to(device) for b in parts], look, params.model.view_px, params.validation.every_steps)

    def is_due(self, before: int, step: int, last: int) -> bool:
        """Whether a multiple of `every_steps`, or the end, lies between two rows of the curve."""
        return bool(self.batches) and (step == last or before // self.every_steps < step // self.every_steps)

    def figures(self, network: nn.Module) -> dict[str, float]:
        """Means over all that was set aside. Keypoints in reference pixels, of which a person is 150 across; joints in
        millimetres, where there is 3D truth and the network knows bodies: with the middle of the hips at one place
        (mpjpe) and after the best similarity (pa_mpjpe). The network is left evaluating; every step says for itself
        that it trains.
        """
        network.eval()
        with torch.no_grad():
            each = [_errors(self.look(network, batch), batch, self.view_px) for batch in self.batches]
        names = dict.fromkeys(name for errors in each for name in errors)
        return {PREFIX + n: float(torch.cat([e[n] for e in each if n in e]).mean()) for n in names}


def _errors(seen: Seen, batch: Batch, view_px: int) -> dict[str, Tensor]:
    """Every distance, by the name of the figure that is their mean."""
    apart = (seen.keypoints_norm - batch.keypoints_norm).norm(dim=-1) * view_px / 2
    errors = {"keypoints_px": apart[batch.visible].cpu()}
    if seen.joints_m is None or not (known := batch.has_joints_3d).any():
        return errors
    return errors | joint_errors_mm(seen.joints_m[known], batch.joints_3d_m[known])


def joint_errors_mm(pred: Float[Tensor, "batch 14 3"], gt: Float[Tensor, "batch 14 3"]) -> dict[str, Tensor]:
    """A mean distance for each sample, as the benchmarks count it."""
    pred, gt = pred.double().cpu(), gt.double().cpu()
    aligned = torch.from_numpy(similarity_align(pred.numpy(), onto=gt.numpy()))
    pairs = {"mpjpe_mm": centred(pred) - centred(gt), "pa_mpjpe_mm": aligned - gt}
    return {name: 1000 * gap.norm(dim=-1).mean(-1) for name, gap in pairs.items()}
