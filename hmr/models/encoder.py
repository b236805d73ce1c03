"""The image encoder: a pre-activation residual network, as in the method's code (paper section 3.4).

Blocks (3, 4, 6, 3), width 64 with bottlenecks is ResNet-50 v2. Like the code's, it takes images in [-1, 1], strides
in the last unit of a stage, and averages the last feature map.

# ASSUME: the first pooling is padded on both sides, TensorFlow's at the end alone: maps lie half a cell apart.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from hmr.errors import UserError
from hmr.models.pyramid import Pyramid
from hmr.models.resnet import ResNet
from hmr.models.weights import load_encoder
from hmr.params import EncoderParams

# ASSUME: batch norm's momentum and epsilon are the defaults of the library behind the method's code (0.997, 1e-5);
# short trainings need statistics that follow faster, so momentum is 0.99 here (0.01 in torch's sense).
_NORM = {"momentum": 0.01, "eps": 1e-5}
_EXPANSION = 4


class ResidualUnit(nn.Module):
    """Norm and ReLU before each convolution; the shortcut is the input, or a projection where channels change."""

    def __init__(self, channels_in: int, channels: int, *, stride: int, bottleneck: bool) -> None:
        super().__init__()
        channels_out = channels * (_EXPANSION if bottleneck else 1)
        sizes = [(channels, 1), (channels, 3), (channels_out, 1)] if bottleneck else [(channels, 3), (channels_out, 3)]
        strided = 1 if bottleneck else 0
        self.norm = nn.BatchNorm2d(channels_in, **_NORM)
        self.stride = stride
        layers: list[nn.Module] = []
        before = channels_in
        for index, (after, kernel) in enumerate(sizes):
            last = index == len(sizes) - 1
            step = stride if index == strided else 1
            layers.append(nn.Conv2d(before, after, kernel, step, kernel // 2, bias=last))
            if not last:
                layers += [nn.BatchNorm2d(after, **_NORM), nn.ReLU(inplace=True)]
            before = after
        self.residual = nn.Sequential(*layers)
        self.project = nn.Conv2d(channels_in, channels_out, 1, stride) if channels_in != channels_out else None

    def forward(self, features: Float[Tensor, "batch c_in h w"]) -> Float[Tensor, "batch c_out h2 w2"]:
        active = torch.relu(self.norm(features))
        if self.project is not None:
            shortcut = self.project(active)
        else:
            # Not a slice, whose gradient would come channels first and cost more than the sum itself.
            shortcut = features if self.stride == 1 else max_pool2d(features, 1, self.stride)
        return shortcut + self.residual(active)


class Encoder(nn.Module):
    """Images to one feature vector each."""

    def __init__(self, *, blocks: tuple[int, ...], width: int, bottleneck: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3), nn.MaxPool2d(3, 2, 1))
        units: list[nn.Module] = []
        channels_in = width
        for stage, count in enumerate(blocks):
            channels = width * 2**stage
            for unit in range(count):
                stride = 2 if unit == count - 1 and stage < len(blocks) - 1 else 1
                units.append(ResidualUnit(channels_in, channels, stride=stride, bottleneck=bottleneck))
                channels_in = channels * (_EXPANSION if bottleneck else 1)
        self.units = nn.Sequential(*units)
        self.norm = nn.BatchNorm2d(channels_in, **_NORM)
        self.features = channels_in
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features"]:
        return torch.relu(self.norm(self.units(self.stem(image)))).mean((2, 3))


def make_encoder(params: EncoderParams) -> Encoder | ResNet | Pyramid:
    """The encoder that the parameters describe, with random weights."""
    if params.form == "pyramid":
        if params.bottleneck:
            raise UserError("train.model.encoder: a pyramid has no bottlenecks; set bottleneck to false")
        return Pyramid(blocks=params.blocks, width=params.width)
    kind = Encoder if params.form == "preactivation" else ResNet
    return kind(blocks=params.blocks, width=params.width, bottleneck=params.bottleneck)


def start_encoder(encoder: nn.Module, params: EncoderParams) -> None:
    """Give a fresh encoder the weights of the user's own file, if there is one; UserError where they do not fit."""
    if params.weights != "none":
        load_encoder(Path(params.weights), encoder)
