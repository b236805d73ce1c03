"""The network of the paper: encoder, iterative regressor, body.

network = Network(params.model, start)
thetas = network(image)                        # every iteration's 85 numbers
estimate = read_theta(thetas[-1])              # camera, rotations, betas
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from hmr.geometry.rotations import axis_angle_to_rotmat, rotmat_to_axis_angle
from hmr.models.encoder import make_encoder
from hmr.models.regressor import IterativeRegressor
from hmr.params import ModelParams


@dataclass(frozen=True)
class Estimate:
    """What one theta says."""

    cam_scale: Float[Tensor, "*batch 1"]
    cam_shift: Float[Tensor, "*batch 2"]
    full_pose_axis_angle: Float[Tensor, "*batch 24 3"]
    full_pose_rotmat: Float[Tensor, "*batch 24 3 3"]
    betas: Float[Tensor, "*batch 10"]


class Network(nn.Module):
    """Image in, a body's 85 numbers out, for every iteration."""

    def __init__(self, params: ModelParams, start: Float[Tensor, "85"]) -> None:
        super().__init__()
        self.encoder = make_encoder(params.encoder)
        self.regressor = IterativeRegressor(
            features=self.encoder.features,
            hidden=params.hidden,
            dropout=params.dropout,
            iterations=params.iterations,
            start=start,
            trainable=params.trainable_start,
        )

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "iterations batch 85"]:
        return self.regressor(self.encoder(image))

    def locate(
        self, image: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "iterations batch 85"], Float[Tensor, "batch 19 2"]]:
        """The same, and where the encoder itself thinks the keypoints are, in [-1, 1]; only with one that points."""
        found = self.encoder.locate(image)
        return self.regressor(found.features), found.keypoints_norm


def network_input(images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """RGB bytes as the network takes them, in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def read_theta(theta: Float[Tensor, "*batch 85"]) -> Estimate:
    """Split theta into its parts (the paper's section 3.2, the code's layout)."""
    pose = theta[..., 3:75].unflatten(-1, (24, 3))
    return Estimate(
        cam_scale=theta[..., :1],
        cam_shift=theta[..., 1:3],
        full_pose_axis_angle=pose,
        full_pose_rotmat=axis_angle_to_rotmat(pose),
        betas=theta[..., 75:],
    )


def start_theta(mean_pose_axis_angle: Float[Tensor, "24 3"], mean_betas: Float[Tensor, "10"]) -> Float[Tensor, "85"]:
    """The start vector: camera scale 0.9 and no shift, the mean body, upright in an image whose y points down."""
    pose = mean_pose_axis_angle.clone()
    pose[0] = torch.tensor((torch.pi, 0.0, 0.0))
    return torch.cat((torch.tensor((0.9, 0.0, 0.0)), pose.flatten(), mean_betas))


def mean_rotation_axis_angle(axis_angle: Float[Tensor, "frames joints 3"]) -> Float[Tensor, "joints 3"]:
    """The mean rotation of each joint: the nearest rotation to the mean matrix (chordal mean)."""
    u, _, vt = torch.linalg.svd(axis_angle_to_rotmat(axis_angle.double()).mean(0))
    sign = torch.ones_like(u[..., 0])
    sign[..., -1] = torch.linalg.det(u @ vt)
    return rotmat_to_axis_angle((u * sign[..., None, :]) @ vt).to(axis_angle.dtype)
