"""Networks in the form of SPIN's PyTorch checkpoints (Kolotouros et al. 2019), which many later programs share.

ResNet-50 under torchvision's names, three rounds of two linear layers without an activation between them, rotations
as six numbers, separate last layers for pose, shape and camera. Only for predicting; trainings use hmr.models.hmr.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr.geometry.rotations import rot6d_to_rotmat, rotmat_to_axis_angle
from hmr.models.resnet import ResNet
from hmr.models.weights import check_shapes, read_weights

IMAGE_PX = 224
ITERATIONS = 3
_POSE, _SHAPE, _CAMERA, _HIDDEN = 24 * 6, 10, 3, 1024
_WAY_OUT = "give a checkpoint in SPIN's form (a state dictionary, alone or under 'model'), or one of this program's"


class SpinNetwork(ResNet):
    """Image in [-1, 1] in, every iteration's theta out, as the project's own network."""

    def __init__(self) -> None:
        super().__init__(blocks=(3, 4, 6, 3), width=64, bottleneck=True)
        self.fc1 = nn.Linear(self.features + _POSE + _SHAPE + _CAMERA, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.decpose, self.decshape = nn.Linear(_HIDDEN, _POSE), nn.Linear(_HIDDEN, _SHAPE)
        self.deccam = nn.Linear(_HIDDEN, _CAMERA)
        for name, size in (("init_pose", _POSE), ("init_shape", _SHAPE), ("init_cam", _CAMERA)):
            self.register_buffer(name, torch.zeros(1, size))

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "iterations batch 85"]:
        features, count = self.encode(image), image.shape[0]
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
    network = SpinNetwork()
    weights = check_shapes(read_weights(path, _WAY_OUT), network, path, _WAY_OUT)
    network.load_state_dict(weights, strict=False)
    return network.eval()
