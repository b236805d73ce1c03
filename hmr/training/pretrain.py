"""Pre-training of the encoder: find the keypoints in the picture, by a small head that is thrown away afterwards.

# ASSUME: the paper starts its encoder from ImageNet (section 3.4). Open data has no such pictures, so here the encoder
first learns to say where the 19 keypoints are, from the 2D labels that every variant trains on anyway. One such encoder
serves them all, so variants stay comparable, and "unpaired" still has seen no 3D label.
"""

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr.data.loader import Batch, Part
from hmr.losses import joints_2d_loss
from hmr.models.encoder import Encoder, make_encoder, start_encoder
from hmr.models.hmr import network_input
from hmr.models.resnet import ResNet
from hmr.params import TrainParams
from hmr.training import processes
from hmr.training.loop import State, adam
from hmr.training.objective import Losses

KEYPOINTS = 19
WEIGHTS = {"joints_2d": 1.0}


class KeypointNetwork(nn.Module):
    """An encoder and the head that reads 19 keypoints in [-1, 1] from its features."""

    def __init__(self, encoder: Encoder | ResNet, hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Linear(encoder.features, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 2 * KEYPOINTS)
        )

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 19 2"]:
        return self.head(self.encoder(image)).unflatten(1, (KEYPOINTS, 2))


def pretraining(params: TrainParams) -> TrainParams:
    """`params` as the pre-training of their encoder sees them: no 3D sets, no critics, steps and rate of its own."""
    own = params.pretraining
    optimiser = dataclasses.replace(params.optimiser, steps=own.steps, learning_rate=own.learning_rate)
    return dataclasses.replace(params, datasets_3d=(), adv_weight=0.0, optimiser=optimiser)


def new_state(params: TrainParams, device: torch.device) -> State:
    """A fresh encoder and head; the encoder with the user's own weights, if there are any."""
    torch.manual_seed(params.seed)
    encoder = make_encoder(params.model.encoder)
    start_encoder(encoder, params.model.encoder)
    network = KeypointNetwork(encoder, params.model.hidden)
    processes.share_norms(network)
    network.to(device, memory_format=torch.channels_last)
    optimiser = adam(network, params.optimiser)
    return State(network=network, critics=None, encoder_optimiser=optimiser, critic_optimiser=None, step=0, log=[])


def objective(state: State, batch: Batch, part: Part) -> Losses:
    """How far the head's keypoints are from the visible labelled ones, in [-1, 1]."""
    pred = state.network(network_input(batch.image)).float()
    loss = joints_2d_loss(pred_keypoints_norm=pred, gt_keypoints_norm=batch.keypoints_norm, visible=batch.visible)
    return Losses({"joints_2d": loss})
