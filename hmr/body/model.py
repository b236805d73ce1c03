"""Posing a body of SMPL's kind: shape, pose correctives, skeleton, skin.

    body = BodyModel.load("body.npz")
    posed = body(betas=betas, full_pose_rotmat=rotmat)     # vertices and 24 joints, metres
    body.keypoints(posed.vertices)                         # the 19 keypoints
    body.for_keypoints()                                   # the same model with only the vertices that they need

Differs from other wrappers in three ways: rotations come as matrices, any number of batch axes is taken (none
included), and `for_keypoints` poses a few hundred vertices instead of 6,890 where only keypoints are wanted.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hmr.body.file import read_body_file
from hmr.body.joints import COCOPLUS_19, SMPL_24, JointSet


@dataclass(frozen=True)
class PosedBody:
    """A body in the frame that its root rotation leads to."""

    vertices: Float[Tensor, "*batch verts 3"]
    joints: Float[Tensor, "*batch 24 3"]


class BodyModel(nn.Module):
    """A body file as tensors. Holds no parameters: everything is a buffer."""

    def __init__(self, body: dict[str, np.ndarray]) -> None:
        super().__init__()
        tensors = {key: torch.from_numpy(np.ascontiguousarray(body[key], np.float32)) for key in _FLOATS}
        regressor, template, shapedirs = (tensors[name] for name in ("J_regressor", "v_template", "shapedirs"))
        _hold(
            self,
            v_template=template,
            # (217, 3, v): vertices last, so that a vertex' coordinates are sums over long rows, not tiny products
            blend_directions=torch.cat((shapedirs, tensors["posedirs"]), -1).permute(2, 1, 0).contiguous(),
            skin_weights=tensors["weights"].T.contiguous(),  # (24, v)
            joint_template=regressor @ template,
            joint_shapedirs=torch.einsum("jv,vck->jck", regressor, shapedirs),
            **_touched(tensors["cocoplus_regressor"]),
        )
        parents = np.asarray(body["kintree_table"][0], np.int64) % 2**32
        self.skeleton = _Skeleton([int(p) if p < 24 else -1 for p in parents])
        self._arrange(self.skin_weights.argmax(0))

    def _arrange(self, groups: Int[Tensor, "verts"]) -> None:
        """Put vertices of a group together: those that one joint moves most are corrected by few joints."""
        order = groups.argsort(stable=True)
        row_of_vertex, across = order.argsort(), torch.arange(3, device=order.device) * len(order)
        _hold(
            self,
            place_of_coordinate=(row_of_vertex[:, None] + across).flatten(),  # (v * 3) places among (3 * v)
            ordered_template=self.v_template[order].T.contiguous(),  # (3, v)
            ordered_weights=self.skin_weights[:, order].contiguous(),
        )
        together = order.split(groups.bincount().tolist())
        self.blend = _Blend([self.blend_directions[..., ids] for ids in together if len(ids)])

    @classmethod
    def load(cls, path: Path) -> "BodyModel":
        """Read a body file: the open body, or the user's own SMPL file."""
        return cls(read_body_file(path))

    def for_keypoints(self) -> "BodyModel":
        """A model with only the vertices that the keypoint regressor touches; its keypoints are the same."""
        return self.for_vertices(self.keypoint_vertices)

    def for_vertices(self, vertex_ids: Tensor) -> "BodyModel":
        """A model with only these vertices, posed by the whole body's skeleton. Keypoints lose what is left out."""
        part = type(self).__new__(type(self))
        nn.Module.__init__(part)
        regressor = self.keypoint_regressor.new_zeros(len(self.keypoint_regressor), len(self.v_template))
        regressor[:, self.keypoint_vertices] = self.keypoint_regressor
        _hold(
            part,
            v_template=self.v_template[vertex_ids].contiguous(),
            blend_directions=self.blend_directions[..., vertex_ids].contiguous(),
            skin_weights=self.skin_weights[:, vertex_ids].contiguous(),
            joint_template=self.joint_template,
            joint_shapedirs=self.joint_shapedirs,
            **_touched(regressor[:, vertex_ids]),
        )
        part.skeleton = self.skeleton
        part._arrange(torch.zeros_like(vertex_ids))  # too few to be worth several products
        return part

    def rest_joints(self, betas: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 24 3"]:
        """Joints of the shaped body in its rest pose, metres."""
        return self.joint_template + torch.einsum("...k,jck->...jc", betas, self.joint_shapedirs)

    def forward(
        self, *, betas: Float[Tensor, "*batch 10"], full_pose_rotmat: Float[Tensor, "*batch 24 3 3"]
    ) -> PosedBody:
        """Shape, correct, pose and skin (paper section 3.1; Loper et al. 2015). The root turns about the pelvis."""
        batch = betas.shape[:-1]
        betas, rotmat = betas.reshape(-1, 10), full_pose_rotmat.reshape(-1, 24, 3, 3)
        bend = (rotmat[:, 1:] - torch.eye(3, dtype=rotmat.dtype, device=rotmat.device)).flatten(1)  # (b, 207)
        coefficients = torch.cat((betas, bend), 1)
        corrected = self.ordered_template + self.blend(coefficients)  # (b, 3, v)
        joints_rest = self.rest_joints(betas)
        turn, place = self.skeleton(rotmat, joints_rest)
        offset = place - (turn @ joints_rest[..., None])[..., 0]
        rigid = torch.cat((turn.mT, offset[:, :, None]), 2).flatten(2)  # (b, 24, 12)
        blended = (rigid.mT.flatten(0, 1) @ self.ordered_weights).unflatten(0, (betas.shape[0], 4, 3))  # (b, 4, 3, v)
        vertices = blended[:, 3]  # (b, 3, v)
        for axis in range(3):
            vertices = torch.addcmul(vertices, blended[:, axis], corrected[:, axis : axis + 1])
        vertices = vertices.flatten(1).index_select(1, self.place_of_coordinate)
        return PosedBody(vertices.reshape(*batch, self.v_template.shape[0], 3), place.reshape(*batch, 24, 3))

    def keypoints(self, vertices: Float[Tensor, "*batch verts 3"]) -> Float[Tensor, "*batch 19 3"]:
        """The 19 keypoints (LSP's 14, then nose, eyes, ears) regressed from posed vertices."""
        return self.keypoint_regressor @ vertices[..., self.keypoint_vertices, :]


class _Blend(nn.Module):
    """Shape and pose offsets of vertices, from the coefficients that move them; vertices come in groups."""

    def __init__(self, groups: list[Float[Tensor, "coefficients 3 _"]]) -> None:
        super().__init__()
        moving = [directions.flatten(1).any(1).nonzero()[:, 0] for directions in groups]
        self.sizes = [len(those) for those in moving]
        _hold(self, moving=torch.cat(moving))
        for k, (those, directions) in enumerate(zip(moving, groups, strict=True)):
            _hold(self, **{f"directions_{k}": directions[those].flatten(1).contiguous()})

    def forward(self, coefficients: Float[Tensor, "b coefficients"]) -> Float[Tensor, "b 3 verts"]:
        moving = coefficients.index_select(1, self.moving).split(self.sizes, 1)
        offsets = [(those @ getattr(self, f"directions_{k}")).unflatten(1, (3, -1)) for k, those in enumerate(moving)]
        return torch.cat(offsets, -1)


class _Skeleton(nn.Module):
    """A tree of joints, the first one its root."""

    def __init__(self, parents: list[int]) -> None:
        super().__init__()
        levels = _levels(parents)
        by_depth = [joint for level in levels for joint in level]
        above = [0] + [levels[k].index(parents[j]) for k, level in enumerate(levels[1:]) for j in level]
        self.sizes = [len(level) for level in levels]
        # Indices are made once: a list as an index costs more than the product it serves.
        _hold(
            self,
            parent_of=torch.tensor(parents[1:]),
            by_depth=torch.tensor(by_depth),
            above=torch.tensor(above),  # for each joint by depth, the place of its parent among the depth above
            back=torch.tensor(by_depth).argsort(),
            last_row=torch.tensor((0.0, 0.0, 0.0, 1.0)),
        )

    def forward(
        self, rotmat: Float[Tensor, "b 24 3 3"], joints_rest: Float[Tensor, "b 24 3"]
    ) -> tuple[Float[Tensor, "b 24 3 3"], Float[Tensor, "b 24 3"]]:
        """World rotations and positions of the joints, one depth of the tree at a time."""
        bones = torch.cat((joints_rest[:, :1], joints_rest[:, 1:] - joints_rest.index_select(1, self.parent_of)), 1)
        local = torch.cat((rotmat, bones[..., None]), -1)
        local = torch.cat((local, self.last_row.expand(*rotmat.shape[:2], 1, 4)), -2).index_select(1, self.by_depth)
        world: list[Tensor] = []
        for joints, above in zip(local.split(self.sizes, 1), self.above.split(self.sizes), strict=True):
            world.append(world[-1].index_select(1, above) @ joints if world else joints)
        transforms = torch.cat(world, 1).index_select(1, self.back)
        return transforms[..., :3, :3], transforms[..., :3, 3]


_FLOATS = ("v_template", "shapedirs", "posedirs", "weights", "J_regressor", "cocoplus_regressor")


def _hold(module: nn.Module, **tensors: Tensor) -> None:
    """Buffers that no checkpoint holds."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor, persistent=False)


def _touched(regressor: Float[Tensor, "points verts"]) -> dict[str, Tensor]:
    """A sparse regressor as the vertices that it touches and its columns for them."""
    touched = (regressor != 0).any(0).nonzero()[:, 0]
    return {"keypoint_vertices": touched, "keypoint_regressor": regressor[:, touched].contiguous()}


def _levels(parents: list[int]) -> list[list[int]]:
    """Joints by their depth in the tree, the root alone first."""
    depth = [0] * len(parents)
    for joint, parent in enumerate(parents):
        depth[joint] = 0 if parent < 0 else depth[parent] + 1
    return [[j for j, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]


def named_joints(
    keypoints: Float[Tensor, "*batch 19 3"], joints: Float[Tensor, "*batch 24 3"], wanted: JointSet
) -> Float[Tensor, "*batch wanted 3"]:
    """Joints of a posed body in a data set's own order: keypoints where they name the joint, else SMPL's joints."""
    order = [
        COCOPLUS_19.index(joint) if joint in COCOPLUS_19.joints else len(COCOPLUS_19) + SMPL_24.index(joint)
        for joint in wanted.joints
    ]
    return torch.cat((keypoints, joints), -2)[..., order, :]
