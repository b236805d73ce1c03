"""From views to bodies: the network over batches of images, and everything that its 85 numbers imply."""

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hmr.body.joints import LSP_14
from hmr.body.model import BodyModel
from hmr.models.hmr import network_input
from hmr.models.regressor import THETA
from hmr.prediction.posing import Posing


@dataclass(frozen=True)
class Bodies:
    """Predicted bodies, numpy, in the crop's camera frame: x right, y down, z forward, metres, root-relative."""

    theta: np.ndarray  # (N, 85)
    vertices: np.ndarray  # (N, V, 3)
    keypoints_3d_m: np.ndarray  # (N, 19, 3)
    joints_3dhp_m: np.ndarray  # (N, 17, 3), MPI-INF-3DHP order
    keypoints_norm: np.ndarray  # (N, 19, 2), [-1, 1] over the view

    @property
    def camera(self) -> Float[ndarray, "n 3"]:
        """Scale and shift of the weak perspective."""
        return self.theta[:, :3]

    @property
    def pose_axis_angle(self) -> Float[ndarray, "n 24 3"]:
        """Rotations of the joints, root first, radians."""
        return self.theta[:, 3:75].reshape(-1, 24, 3)

    @property
    def betas(self) -> Float[ndarray, "n 10"]:
        """The body's shape."""
        return self.theta[:, 75:]

    @property
    def joints_3d_m(self) -> Float[ndarray, "n 14 3"]:
        """The first 14 of the keypoints, LSP's."""
        return self.keypoints_3d_m[:, : len(LSP_14)]


_BLOCK = 64  # so many go through at a time: weights are read once for many images

_Work = TypeVar("_Work", bound=Callable[[Tensor], Tensor | tuple[Tensor, ...]])


class ThetaSource(Protocol):
    """Anything that turns views into the 85 numbers."""

    def __call__(self, images: np.ndarray) -> Tensor:
        """uint8 (N, S, S, 3) RGB views to (N, 85)."""
        ...


class NetworkSource:
    """A trained network as a source of thetas; the last iteration counts."""

    def __init__(self, network: nn.Module, device: torch.device, image_px: int) -> None:
        """image_px: side of the views that it will get."""
        network = folded(network).to(device, memory_format=torch.channels_last).requires_grad_(False)

        def look(images: Tensor) -> Tensor:
            return network(network_input(images))[-1]

        self.device = device
        view = torch.zeros(1, image_px, image_px, 3, dtype=torch.uint8)
        self._look = recorded(look, view) if device.type == "cpu" else look

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> Tensor:
        size = _BLOCK if self.device.type == "cpu" else max(1, len(images))
        parts = torch.from_numpy(images).split(size)
        return torch.cat([self._look(part.to(self.device)).cpu() for part in parts])


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
            elif isinstance(layers[k], nn.Linear):  # a row of outputs for each input: faster for a single image
                layers[k].weight = nn.Parameter(layers[k].weight.detach().T.contiguous().T)
    return network


class MeanSource:
    """The baseline that looks at nothing: the same start vector for every image."""

    def __init__(self, start: Tensor) -> None:
        self.start = start

    def __call__(self, images: np.ndarray) -> Tensor:
        return self.start.expand(len(images), -1)


class Poser:
    """Poses the bodies that thetas describe."""

    def __init__(self, body: BodyModel) -> None:
        self._pose = recorded(Posing(body), torch.zeros(1, THETA))

    @torch.inference_mode()
    def __call__(self, theta: Float[Tensor, "n 85"]) -> Bodies:
        parts = [self._pose(part) for part in theta.split(_BLOCK)]
        columns = parts[0] if len(parts) == 1 else [torch.cat(column) for column in zip(*parts, strict=True)]
        return Bodies(theta.numpy(), *(column.numpy() for column in columns))


def recorded(work: _Work, example: Tensor) -> _Work:
    """The operations of `work`, recorded once to be repeated without Python between them, on batches of any size.

    For one image Python takes a third of the time. Results are the same to the bit. PyTorch calls this way old; the
    new one needs a C++ compiler on the machine that predicts.
    """

    class Work(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.work = work

        def forward(self, batch: Tensor) -> Tensor | tuple[Tensor, ...]:
            return self.work(batch)

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = torch.jit.freeze(torch.jit.trace(Work().eval(), example, check_trace=False))

    def repeated(batch: Tensor) -> Tensor | tuple[Tensor, ...]:
        with torch.jit.optimized_execution(False):  # which would gain nothing, and slows the first two batches down
            return made(batch)

    return repeated


def batched(count: int, size: int) -> Iterator[slice]:
    """Slices that cover range(count) in order."""
    return (slice(first, min(first + size, count)) for first in range(0, count, size))
