"""Networks in the form of SPIN's PyTorch checkpoints (Kolotouros et al. 2019), which many later programs share.

ResNet-50 under torchvision's names, three rounds of two linear layers without an activation between them, rotations
as six numbers, separate last layers for pose, shape and camera. Only for predicting; trainings use hmr.models.hmr.
"""

import pickle
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr.errors import UserError
from hmr.geometry.rotations import rot6d_to_rotmat, rotmat_to_axis_angle

IMAGE_PX = 224
ITERATIONS = 3
_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))  # blocks, width, stride of ResNet-50
_EXPANSION = 4
_FEATURES = 512 * _EXPANSION
_POSE, _SHAPE, _CAMERA, _HIDDEN = 24 * 6, 10, 3, 1024
# The colours of the pictures that the encoder was first trained with, red, green, blue in [0, 1].
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WAY_OUT = "give a checkpoint in SPIN's form (a state dictionary, alone or under 'model'), or one of this program's"


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1; the shortcut is projected where the size changes."""

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * _EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * _EXPANSION)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels_in != width * _EXPANSION:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, width * _EXPANSION, 1, stride, bias=False),
                nn.BatchNorm2d(width * _EXPANSION),
            )

    def forward(self, features: Float[Tensor, "batch c_in h w"]) -> Float[Tensor, "batch c_out h2 w2"]:
        shortcut = features if self.downsample is None else self.downsample(features)
        out = self.relu(self.bn1(self.conv1(features)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + shortcut)


class SpinNetwork(nn.Module):
    """Image in [-1, 1] in, every iteration's theta out, as the project's own network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        channels = 64
        for number, (blocks, width, stride) in enumerate(_STAGES, 1):
            units = []
            for k in range(blocks):
                units.append(Bottleneck(channels, width, stride if k == 0 else 1))
                channels = width * _EXPANSION
            setattr(self, f"layer{number}", nn.Sequential(*units))
        self.fc1 = nn.Linear(_FEATURES + _POSE + _SHAPE + _CAMERA, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.decpose, self.decshape = nn.Linear(_HIDDEN, _POSE), nn.Linear(_HIDDEN, _SHAPE)
        self.deccam = nn.Linear(_HIDDEN, _CAMERA)
        for name, size in (("init_pose", _POSE), ("init_shape", _SHAPE), ("init_cam", _CAMERA)):
            self.register_buffer(name, torch.zeros(1, size))
        for name, values in (("mean", _MEAN), ("std", _STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def features(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 2048"]:
        """The encoder alone, on images in [-1, 1]."""
        out = self.relu(self.bn1(self.conv1(((image + 1) / 2 - self.mean) / self.std)))
        out = self.layer4(self.layer3(self.layer2(self.layer1(self.maxpool(out)))))
        return out.mean((2, 3))

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "iterations batch 85"]:
        features, count = self.features(image), len(image)
        pose, shape, camera = (s.expand(count, -1) for s in (self.init_pose, self.init_shape, self.init_cam))
        thetas = []
        for _ in range(ITERATIONS):
            hidden = self.fc2(self.fc1(torch.cat((features, pose, shape, camera), 1)))
            pose, shape = pose + self.decpose(hidden), shape + self.decshape(hidden)
            camera = camera + self.deccam(hidden)
            axis_angle = rotmat_to_axis_angle(rot6d_to_rotmat(pose.unflatten(1, (24, 6))))
            thetas.append(torch.cat((camera, axis_angle.flatten(1), shape), 1))
        return torch.stack(thetas)


def load_spin(path: Path) -> SpinNetwork:
    """Read a checkpoint without executing anything in it. UserError for a file of another form, by name."""
    if not Path(path).is_file():
        raise UserError(f"{path}: expected a checkpoint, found nothing there; {_WAY_OUT}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: expected weights alone, found something else or part of one ({said}); {_WAY_OUT}"
        ) from None
    weights = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError(f"{path}: expected a dictionary of tensors, found something else; {_WAY_OUT}")
    network = SpinNetwork()
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    wanted = {n: tuple(v.shape) for n, v in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    for name, shape in wanted.items():
        found = tuple(weights[name].shape) if name in weights else "none"
        if found != shape:
            raise UserError(f"{path}: {name}: expected shape {shape}, found {found}; {_WAY_OUT}")
    network.load_state_dict({name: weights[name] for name in wanted}, strict=False)
    return network.eval()
