"""Cameras: the method's weak perspective, and the pinhole that pictures are taken with."""

import torch
from jaxtyping import Float
from torch import Tensor


def weak_perspective(
    points: Float[Tensor, "*batch points 3"],
    *,
    cam_scale: Float[Tensor, "*batch 1"],
    cam_shift: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch points 2"]:
    """Project to normalised image coordinates, [-1, 1] over the crop, y down.

    # ASSUME: the shift is inside the scale, s (X + t), as the method's code has it; the paper's equation 2 (section
    3.1) writes s X + t.
    """
    return cam_scale[..., None, :] * (points[..., :2] + cam_shift[..., None, :])


def perspective(
    points: Float[Tensor, "*batch points 3"],
    *,
    focal_px: Float[Tensor, "*batch"] | float,
    principal_px: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch points 2"]:
    """Pinhole projection of camera-frame points (x right, y down, z forward, metres) to pixels."""
    focal = torch.as_tensor(focal_px, dtype=points.dtype, device=points.device)[..., None, None]
    return focal * points[..., :2] / points[..., 2:] + principal_px[..., None, :]
