"""Rotations: axis-angle and matrix forms, and their mirror images."""

import torch
from jaxtyping import Float
from torch import Tensor


def axis_angle_to_rotmat(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula, radians in. Smooth at zero, where series replace the quotients.

    The method's code adds 1e-8 inside the norm instead, which is not smooth at zero; away from it both agree.
    """
    square = (axis_angle * axis_angle).sum(-1, keepdim=True)[..., None]  # (..., 1, 1)
    small = square < 1e-8
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sin_over = torch.where(small, 1 - square / 6, torch.sin(angle) / angle)
    cos_over = torch.where(small, 0.5 - square / 24, (1 - torch.cos(angle)) / angle**2)
    cross = cross_matrix(axis_angle)
    return torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device) + sin_over * cross + cos_over * cross @ cross


def cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix whose product with w is the cross product of `vector` and w."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).unflatten(-1, (3, 3))


def rotmat_to_axis_angle(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis-angle in radians, angle in [0, pi], through the quaternion's largest component, so half turns are safe."""
    m = rotmat
    diagonal = m.diagonal(dim1=-2, dim2=-1)
    trace = diagonal.sum(-1, keepdim=True)
    squares = torch.cat((1 + trace, 1 - trace + 2 * diagonal), -1)  # 4 w^2, 4 x^2, 4 y^2, 4 z^2
    skew = torch.stack((m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]), -1)
    symmetric = m + m.mT
    products = symmetric + torch.diag_embed(squares[..., 1:] - 2 * diagonal)  # 4 times the outer product of (x, y, z)
    candidates = torch.cat(  # (..., 4, 4): 4 w q, 4 x q, 4 y q, 4 z q
        (torch.cat((squares[..., :1], skew), -1)[..., None, :], torch.cat((skew[..., None], products), -1)), -2
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quaternion = torch.nn.functional.normalize(candidates.gather(-2, best)[..., 0, :], dim=-1)
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = quaternion[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    return quaternion[..., 1:] * torch.where(sine < 1e-7, torch.full_like(sine, 2.0), angle / sine.clamp_min(1e-7))


def rot6d_to_rotmat(rot6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation whose first two columns, row by row, six numbers nearly are (Zhou et al. 2019; Gram and Schmidt)."""
    columns = rot6d.unflatten(-1, (3, 2))
    first = torch.nn.functional.normalize(columns[..., 0], dim=-1)
    second = columns[..., 1] - (first * columns[..., 1]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), -1)


def mirror_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The rotation seen in a mirror that negates x. Exchange left and right joints as well to mirror a body."""
    return axis_angle * axis_angle.new_tensor((1.0, -1.0, -1.0))
