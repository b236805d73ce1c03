"""Pre-training of the encoder: find the keypoints in the picture.

# ASSUME: the paper starts its encoder from ImageNet (section 3.4). Open data has no such pictures, so here the encoder
first learns to say where the 19 keypoints are, from the 2D labels that every variant trains on anyway. One such encoder
serves them all, so variants stay comparable, and "unpaired" still has seen no 3D label.
"""

import dataclasses

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hmr.data.loader import Batch, Part
from hmr.errors import UserError
from hmr.losses import joints_2d_loss
from hmr.models.encoder import make_encoder, start_encoder
from hmr.models.hmr import network_input
from hmr.models.pyramid import Located, Pyramid, cell_centres
from hmr.params import TrainParams
from hmr.training import processes
from hmr.training.loop import State
from hmr.training.objective import Losses, in_view
from hmr.training.optimisers import network_optimisers

WEIGHTS = {"joints_2d": 1.0, "maps": 1.0}
_SPREAD_CELLS = 0.7  # of the blob that a map should show


class KeypointNetwork(nn.Module):
    """A pyramid, asked where the keypoints are."""

    def __init__(self, encoder: Pyramid) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Located:
        return self.encoder.locate(image)


def pretraining(params: TrainParams) -> TrainParams:
    """`params` as the pre-training of their encoder sees them: no 3D sets, no critics; steps, rates, turns, tints
    and threads of its own."""
    own = params.pretraining
    optimiser = dataclasses.replace(
        params.optimiser,
        steps=own.steps,
        learning_rate=own.learning_rate,
        muon_learning_rate=own.muon_learning_rate,
        torch_threads=own.torch_threads,
    )
    augmentation = dataclasses.replace(params.augmentation, turn_deg=own.turn_deg, tint=own.tint)
    return dataclasses.replace(params, datasets_3d=(), adv_weight=0.0, optimiser=optimiser, augmentation=augmentation)


def new_state(params: TrainParams, device: torch.device) -> State:
    """A fresh encoder, or one with the user's own weights; UserError for an encoder that cannot point."""
    torch.manual_seed(params.seed)
    encoder = make_encoder(params.model.encoder)
    if not isinstance(encoder, Pyramid):
        raise UserError(
            "train.pretraining.steps: expected 0, as only an encoder of form pyramid learns to find keypoints first;"
            f" found {params.pretraining.steps} for form {params.model.encoder.form}"
        )
    start_encoder(encoder, params.model.encoder)
    network = KeypointNetwork(encoder)
    processes.share_norms(network)
    network.to(device, memory_format=torch.channels_last)
    return State(network, None, network_optimisers(network, params.optimiser))


def objective(state: State, batch: Batch, part: Part) -> Losses:
    """How far the keypoints are from the visible labelled ones, in [-1, 1], and how unlike its blob each map is."""
    found, gt = state.network(network_input(batch.image)), batch.keypoints_norm
    places = found.keypoints_norm.float()
    return Losses(
        {
            "joints_2d": joints_2d_loss(pred_keypoints_norm=places, gt_keypoints_norm=gt, visible=batch.visible),
            "maps": maps_loss(found.logits.float(), gt, in_view(batch)),
        }
    )


def maps_loss(
    logits: Float[Tensor, "batch 19 rows columns"],
    gt_keypoints_norm: Float[Tensor, "batch 19 2"],
    shown: Bool[Tensor, "batch 19"],
) -> Float[Tensor, ""]:
    """Cross-entropy of each map with a blob round its keypoint, the mean over those that are shown."""
    rows, columns = logits.shape[-2:]
    cells = cell_centres(logits)
    apart = (gt_keypoints_norm[:, :, None] - cells) * torch.tensor((columns / 2, rows / 2)).to(logits)
    blob = (-apart.square().sum(-1) / (2 * _SPREAD_CELLS**2)).softmax(-1)
    entropy = -(blob * logits.flatten(2).log_softmax(-1)).sum(-1)
    return (entropy * shown).sum() / shown.sum().clamp_min(1)
