"""From views to bodies: the network over batches of images, and everything that its 85 numbers imply."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hmr.body.joints import MPI_INF_3DHP_17
from hmr.body.model import BodyModel, named_joints
from hmr.geometry.cameras import weak_perspective
from hmr.models.hmr import network_input, read_theta


@dataclass(frozen=True)
class Bodies:
    """Predicted bodies, numpy, in the crop's camera frame: x right, y down, z forward, metres, root-relative."""

    camera: np.ndarray  # (N, 3) scale and shift of the weak perspective
    pose_axis_angle: np.ndarray  # (N, 24, 3)
    betas: np.ndarray  # (N, 10)
    vertices: np.ndarray  # (N, V, 3)
    keypoints_3d_m: np.ndarray  # (N, 19, 3)
    joints_3d_m: np.ndarray  # (N, 14, 3), LSP order
    joints_3dhp_m: np.ndarray  # (N, 17, 3), MPI-INF-3DHP order
    keypoints_norm: np.ndarray  # (N, 19, 2), [-1, 1] over the view


# Images and bodies go through so many at a time: what lies between two steps then stays in the processor's cache.
_BLOCK = 32


class ThetaSource(Protocol):
    """Anything that turns views into the 85 numbers."""

    def __call__(self, images: np.ndarray) -> Tensor:
        """uint8 (N, S, S, 3) RGB views to (N, 85)."""
        ...


class NetworkSource:
    """A trained network as a source of thetas; the last iteration counts."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.network = folded(network).to(device, memory_format=torch.channels_last).eval()
        self.device = device

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> Tensor:
        size = _BLOCK if self.device.type == "cpu" else max(1, len(images))
        parts = torch.from_numpy(images).split(size)
        return torch.cat([self.network(network_input(part.to(self.device)))[-1].cpu() for part in parts])


def folded(network: nn.Module) -> nn.Module:
    """The same network for predicting: batch norms that follow a convolution become part of its weights."""
    network = copy.deepcopy(network).eval()
    for layers in (module for module in network.modules() if isinstance(module, nn.Sequential)):
        for k in reversed(range(len(layers))):
            if isinstance(layers[k], nn.BatchNorm2d) and k and isinstance(layers[k - 1], nn.Conv2d):
                layers[k - 1] = fuse_conv_bn_eval(layers[k - 1], layers[k])
                del layers[k]
            elif isinstance(layers[k], nn.Dropout):
                del layers[k]
    return network


class MeanSource:
    """The baseline that looks at nothing: the same start vector for every image."""

    def __init__(self, start: Tensor) -> None:
        self.start = start

    def __call__(self, images: np.ndarray) -> Tensor:
        return self.start.expand(len(images), -1)


def bodies_of(theta: Tensor, body: BodyModel) -> Bodies:
    """Pose the bodies that thetas describe."""
    parts = [_posed(part, body) for part in theta.split(_BLOCK)]
    if len(parts) == 1:
        return parts[0]
    return Bodies(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


@torch.inference_mode()
def _posed(theta: Tensor, body: BodyModel) -> Bodies:
    estimate = read_theta(theta)
    posed = body(betas=estimate.betas, full_pose_rotmat=estimate.full_pose_rotmat)
    keypoints = body.keypoints(posed.vertices)
    projected = weak_perspective(keypoints, cam_scale=estimate.cam_scale, cam_shift=estimate.cam_shift)
    return Bodies(
        camera=theta[:, :3].numpy(),
        pose_axis_angle=estimate.full_pose_axis_angle.numpy(),
        betas=estimate.betas.numpy(),
        vertices=posed.vertices.numpy(),
        keypoints_3d_m=keypoints.numpy(),
        joints_3d_m=keypoints[:, :14].numpy(),
        joints_3dhp_m=named_joints(keypoints, posed.joints, MPI_INF_3DHP_17).numpy(),
        keypoints_norm=projected.numpy(),
    )


def batched(count: int, size: int) -> Iterator[slice]:
    """Slices that cover range(count) in order."""
    return (slice(first, min(first + size, count)) for first in range(0, count, size))
