"""Bodies from the network's numbers, for predicting alone: what needs no gradient is cheaper.

The same formulas as `hmr.body.model`, in another order of work. A run of the skeleton, such as an arm, is posed at a
time: few joints move its vertices, so most of the body's sums are never taken, and what is worked out lies in the
processor's cache until it is used. Pose correctives are kept in 16 bits where the processor has products for that.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr.body.joints import MPI_INF_3DHP_17
from hmr.body.model import BodyModel, named_joints
from hmr.geometry.cameras import weak_perspective


class Posing(nn.Module):
    """Thetas to vertices (n, v, 3), keypoints (n, 19, 3), MPI-INF-3DHP's joints (n, 17, 3) and the keypoints' places in
    the view (n, 19, 2)."""

    def __init__(self, body: BodyModel) -> None:
        super().__init__()
        self.skeleton = body.skeleton
        runs = _runs([-1, *body.skeleton.parent_of.tolist()])[body.skin_weights.argmax(0)]
        together = [(runs == run).nonzero()[:, 0] for run in runs.unique()]
        self.runs = nn.ModuleList(_Run(body, vertices) for vertices in together)
        row = torch.cat(together).argsort()  # of each vertex among the runs' vertices
        across = torch.arange(3) * len(row)
        self.register_buffer("place_of_vertices", (row[:, None] + across).flatten())
        self.register_buffer("place_of_touched", (row[body.keypoint_vertices] + across[:, None]).flatten())
        self.register_buffer("keypoint_regressor", body.keypoint_regressor.T.contiguous())
        self.register_buffer("joint_template", body.joint_template.flatten())
        self.register_buffer("joint_directions", body.joint_shapedirs.flatten(0, 1).T.contiguous())
        rows = torch.arange(19.0 + 24)[:, None].expand(-1, 3)
        self.register_buffer("native", named_joints(rows[:19], rows[19:], MPI_INF_3DHP_17)[:, 0].long())
        self.register_buffer("rotations_of", _ROTATION)

    def forward(self, theta: Float[Tensor, "n 85"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        cam_scale, cam_shift, pose, betas = theta.split((1, 2, 72, 10), 1)
        rotmat = self.rotations(pose.reshape(-1, 3)).view(-1, 24, 9)
        coefficients = torch.cat((betas, betas, rotmat[:, 1:].flatten(1)), 1)
        rest = torch.addmm(self.joint_template, betas, self.joint_directions).view(-1, 24, 3)
        turn, joints = self.skeleton(rotmat.unflatten(2, (3, 3)), rest)
        offset = joints - (turn @ rest[..., None])[..., 0]
        rigid = torch.cat((turn.mT, offset[:, :, None]), 2).flatten(2).mT  # (n, 12, 24)
        placed = torch.cat([run(coefficients, rigid) for run in self.runs], 2).flatten(1)
        vertices = placed.index_select(1, self.place_of_vertices).unflatten(1, (-1, 3))
        touched = placed.index_select(1, self.place_of_touched).unflatten(1, (3, -1))
        keypoints = (touched @ self.keypoint_regressor).mT
        joints_3dhp = torch.cat((keypoints, joints), 1).index_select(1, self.native)
        return vertices, keypoints, joints_3dhp, weak_perspective(keypoints, cam_scale=cam_scale, cam_shift=cam_shift)

    def rotations(self, axis_angle: Float[Tensor, "n 3"]) -> Float[Tensor, "n 9"]:
        """Rotation matrices, row by row, by way of quaternions."""
        angle = axis_angle.norm(dim=1, keepdim=True).clamp_min(1e-12)
        half = angle / 2
        quaternion = torch.cat((half.cos(), axis_angle * (half.sin() / angle)), 1)
        return (quaternion[:, :, None] * quaternion[:, None]).flatten(1) @ self.rotations_of


class _Run(nn.Module):
    """Vertices that few joints move, posed."""

    def __init__(self, body: BodyModel, vertices: Tensor) -> None:
        super().__init__()
        weights, directions = body.skin_weights[:, vertices], body.blend_directions[..., vertices].flatten(1)
        shape, pose = directions.split((10, 207))
        rounded = _kept(pose)
        at_rest = torch.eye(3).flatten().repeat(23) @ rounded  # what unit matrices add; the template takes it off
        directions = torch.cat((_kept(shape), shape - _kept(shape), rounded))  # shapes in full: 16 bits and the rest
        joints, moving = weights.any(1).nonzero()[:, 0], directions.any(1).nonzero()[:, 0]
        self.register_buffer("joints", joints)
        self.register_buffer("weights", weights[joints].contiguous())
        self.register_buffer("moving", moving)
        self.correct = _Linear(directions[moving], body.v_template[vertices].T.flatten() - at_rest)

    def forward(
        self, coefficients: Float[Tensor, "n 227"], rigid: Float[Tensor, "n 12 24"]
    ) -> Float[Tensor, "n 3 verts"]:
        corrected = self.correct(coefficients.index_select(1, self.moving)).unflatten(1, (3, -1))
        blended = rigid.index_select(2, self.joints).flatten(0, 1) @ self.weights
        *turned, vertices = blended.unflatten(0, (-1, 4, 3)).unbind(1)  # each (n, 3, v)
        for axis, turn in enumerate(turned):
            vertices = torch.addcmul(vertices, turn, corrected[:, axis : axis + 1])
        return vertices


def _runs(parents: list[int]) -> Tensor:
    """For each joint the first one of its run: the joints between two places where the skeleton branches."""
    first: list[int] = []
    for joint, parent in enumerate(parents):
        first.append(first[parent] if parents.count(parent) == 1 and parent >= 0 else joint)
    return torch.tensor(first)


# FBGEMM multiplies numbers of 32 bits by weights of 16.
_HALF = "fbgemm" in torch.backends.quantized.supported_engines


def _kept(weights: Tensor) -> Tensor:
    """What `_Linear` makes of weights."""
    return weights.half().float() if _HALF else weights


class _Linear(nn.Module):
    """rows @ weights + bias, with weights in half the memory where the processor has a product for that."""

    def __init__(self, weights: Float[Tensor, "k n"], bias: Float[Tensor, "n"]) -> None:
        super().__init__()
        self.half = _HALF
        if self.half:
            self.packed = torch.ops.quantized.linear_prepack_fp16(weights.T.contiguous(), bias)
        else:
            self.register_buffer("weights", weights)
            self.register_buffer("bias", bias)

    def forward(self, rows: Float[Tensor, "b k"]) -> Float[Tensor, "b n"]:
        if self.half:
            return torch.ops.quantized.linear_dynamic_fp16(rows, self.packed)
        return torch.addmm(self.bias, rows, self.weights)


def _rotation_of_quaternion() -> Float[Tensor, "16 9"]:
    """The linear map from the products of a quaternion's numbers (w, x, y, z) to its rotation matrix."""
    products = torch.zeros(4, 4, 3, 3)
    for axis in range(3):
        products[0, 0, axis, axis] = 1
        for other in range(3):
            products[1 + axis, 1 + axis, other, other] = 1 if axis == other else -1
        row, column = (axis + 1) % 3, (axis + 2) % 3
        products[1 + row, 1 + column, [row, column], [column, row]] = 2
        products[0, 1 + axis, [column, row], [row, column]] = torch.tensor((2.0, -2.0))
    return products.flatten(2).flatten(0, 1)


_ROTATION = _rotation_of_quaternion()
