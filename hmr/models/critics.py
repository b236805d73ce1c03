"""The factorised critics: one for each joint's rotation, one for the whole pose, one for the shape (paper 3.3).

They see rotation matrices of the 23 joints without the root, so they judge bodies, not cameras. Outputs are plain
numbers, trained by least squares towards 1 for real bodies and 0 for predicted ones.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

JOINTS = 23


class Critics(nn.Module):
    """25 critics: 23 joints, the full pose, the shape, in this order. With `factorised=False` only the full pose's,
    whose layers have `hidden` neurons (1,024 in the paper).

    # ASSUME: the joint embedding has a ReLU after each layer and the shape critic a first layer of 10, as in the
    method's code; the ports differ.
    """

    def __init__(self, *, factorised: bool = True, hidden: int = 1024) -> None:
        super().__init__()
        self.factorised = factorised
        # No ReLU in place: the gradient penalty would go back through each as through a strided view.
        self.embed = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.full_pose = nn.Sequential(
            *(nn.Linear(JOINTS * 32, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, 1),
        )
        if factorised:
            self.joint_weight = nn.Parameter(torch.empty(JOINTS, 32))
            self.joint_bias = nn.Parameter(torch.zeros(JOINTS))
            self.shape = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        if factorised:
            nn.init.uniform_(self.joint_weight, -((6 / 33) ** 0.5), (6 / 33) ** 0.5)

    def forward(
        self, body_pose_rotmat: Float[Tensor, "batch 23 3 3"], betas: Float[Tensor, "batch 10"]
    ) -> Float[Tensor, "batch critics"]:
        embedded = self.embed(body_pose_rotmat.flatten(2))  # (batch, 23, 32)
        full_pose = self.full_pose(embedded.flatten(1))
        if not self.factorised:
            return full_pose
        joints = (embedded * self.joint_weight).sum(-1) + self.joint_bias
        return torch.cat((joints, full_pose, self.shape(betas)), 1)
