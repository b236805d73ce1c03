"""The residual network of He et al. 2016 with the norms after the convolutions, under torchvision's names.

torchvision's and timm's ResNet-18, 34, 50, 101 and 152 have these names, so their state dictionaries load as they are.
It differs from the paper's (hmr.models.encoder), which norms first and strides in the last unit of a stage.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

# The colours of the pictures that such networks are first trained with, red, green, blue in [0, 1].
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class BasicBlock(nn.Module):
    """3x3 with the stride, 3x3; the shortcut is projected where the size changes."""

    EXPANSION = 1

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels_in, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels_in, width, stride)

    def forward(self, features: Float[Tensor, "batch c_in h w"]) -> Float[Tensor, "batch c_out h2 w2"]:
        shortcut = features if self.downsample is None else self.downsample(features)
        out = self.relu(self.bn1(self.conv1(features)))
        return self.relu(self.bn2(self.conv2(out)) + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1; the shortcut is projected where the size changes."""

    EXPANSION = 4

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        channels_out = width * self.EXPANSION
        self.conv1, self.bn1 = nn.Conv2d(channels_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels_in, channels_out, stride)

    def forward(self, features: Float[Tensor, "batch c_in h w"]) -> Float[Tensor, "batch c_out h2 w2"]:
        shortcut = features if self.downsample is None else self.downsample(features)
        out = self.relu(self.bn1(self.conv1(features)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + shortcut)


def _projection(channels_in: int, channels_out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels_in == channels_out:
        return None
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out))


class ResNet(nn.Module):
    """Images in [-1, 1] to one feature vector each: the network without its classifier."""

    def __init__(self, *, blocks: tuple[int, ...], width: int, bottleneck: bool) -> None:
        super().__init__()
        block = Bottleneck if bottleneck else BasicBlock
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        channels, self.stages = width, len(blocks)
        for stage, count in enumerate(blocks):
            units = []
            for unit in range(count):
                units.append(block(channels, width * 2**stage, 2 if unit == 0 and stage else 1))
                channels = width * 2**stage * block.EXPANSION
            setattr(self, f"layer{stage + 1}", nn.Sequential(*units))
        self.features = channels
        for name, values in (("mean", _MEAN), ("std", _STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def encode(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features"]:
        """One feature vector an image."""
        out = self.maxpool(self.relu(self.bn1(self.conv1(((image + 1) / 2 - self.mean) / self.std))))
        for stage in range(self.stages):
            out = getattr(self, f"layer{stage + 1}")(out)
        return out.mean((2, 3))

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Tensor:
        return self.encode(image)
