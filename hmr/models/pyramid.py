"""An encoder that knows where things are: a small feature pyramid that ends in one map a keypoint.

The paper's encoder averages its last map over the picture, so it must learn places by heart; it needs ImageNet and long
training for that. This one keeps them: each of the 19 maps says where in the picture its keypoint is (its centre of
mass, as in integral regression), what is seen there, and the regressor gets both beside the average. It costs less
than a small residual network and finds limbs in a fraction of the steps (docs/method.md has the figures).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

KEYPOINTS = 19
_VALUES = 4  # seen at each keypoint
_MERGED = 64  # channels on the way back up
_NORM = {"momentum": 0.01, "eps": 1e-5}


@dataclass(frozen=True)
class Located:
    """Where an encoder thinks the keypoints are, and the features that it hands on."""

    logits: Float[Tensor, "batch 19 rows columns"]  # of the map of each keypoint
    keypoints_norm: Float[Tensor, "batch 19 2"]  # the maps' centres of mass, in [-1, 1]
    features: Float[Tensor, "batch features"]


class Pyramid(nn.Module):
    """Images to one feature vector each, by way of the keypoints' places.

    A stem that takes patches of 4 x 4 pixels, stages of `blocks` residual units that halve the map and double the
    channels, then the way back up to the second stage's map.
    """

    def __init__(self, *, blocks: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.stem = _convolution(3, width, kernel=4, stride=4)
        channels = [width * 2**stage for stage in range(len(blocks))]
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(_convolution(channels[stage - 1], channels[stage], stride=2) if stage else ()),
                *(_Unit(channels[stage]) for _ in range(count)),
            )
            for stage, count in enumerate(blocks)
        )
        self.merge = nn.ModuleList(nn.Conv2d(inner, _MERGED, 1) for inner in channels[1:] or channels)
        self.finish = nn.Sequential(
            nn.BatchNorm2d(_MERGED, **_NORM), nn.ReLU(inplace=True), *_convolution(_MERGED, _MERGED)
        )
        self.maps = nn.Conv2d(_MERGED, KEYPOINTS, 1)
        self.values = nn.Conv2d(KEYPOINTS * _MERGED, KEYPOINTS * _VALUES, 1, groups=KEYPOINTS)
        self.features = channels[-1] + KEYPOINTS * (2 + _VALUES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.maps.weight, std=0.02)  # maps that are nearly flat put every keypoint in the middle

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features"]:
        return self.locate(image).features

    def locate(self, image: Float[Tensor, "batch 3 height width"]) -> Located:
        """The keypoints' maps and places as well."""
        levels, here = [], self.stem(image)
        for stage in self.stages:
            here = stage(here)
            levels.append(here)
        levels = levels[1:] or levels
        merged = self.merge[-1](levels[-1])
        for level, merge in zip(levels[-2::-1], self.merge[-2::-1], strict=True):
            merged = interpolate(merged, size=level.shape[-2:], mode="nearest") + merge(level)
        finished = self.finish(merged)
        logits = self.maps(finished)
        attention = logits.flatten(2).softmax(-1)
        keypoints = attention @ cell_centres(logits)
        there = attention @ finished.permute(0, 2, 3, 1).flatten(1, 2)  # (batch, 19, channels)
        seen = self.values(there.flatten(1)[:, :, None, None])
        features = torch.cat((here.mean((2, 3)), seen.flatten(1), keypoints.flatten(1)), 1)
        return Located(logits, keypoints, features)


def cell_centres(maps: Float[Tensor, "*batch rows columns"]) -> Float[Tensor, "cells 2"]:
    """(x, y) of the maps' cells in [-1, 1] over the picture, row by row."""
    y, x = ((torch.arange(count).to(maps) + 0.5) / count * 2 - 1 for count in maps.shape[-2:])
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1).flatten(0, 1)


class _Unit(nn.Module):
    """Two convolutions, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(*_convolution(channels, channels), *list(_convolution(channels, channels))[:-1])

    def forward(self, features: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
        return torch.relu_(features + self.residual(features))


def _convolution(channels_in: int, channels_out: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    padding = kernel // 2 if kernel % 2 else 0
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(channels_out, **_NORM),
        nn.ReLU(inplace=True),
    )
