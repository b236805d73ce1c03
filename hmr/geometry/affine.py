"""Affine maps of pictures, (2, 3) each, between pixels of a view, a crop and a source image."""

import numpy as np
from jaxtyping import Float, Real
from numpy import ndarray


def transform(matrix: Float[ndarray, "*batch 2 3"], points_px: Real[ndarray, "*batch points 2"]) -> ndarray:
    """Points through a map: (*batch, points, 2)."""
    return points_px @ np.swapaxes(matrix[..., :2], -1, -2) + matrix[..., None, :, 2]


def compose(outer: Float[ndarray, "*batch 2 3"], inner: Float[ndarray, "*batch 2 3"]) -> Float[ndarray, "*batch 2 3"]:
    """The map that applies `inner`, then `outer`."""
    shift = (outer[..., :2] @ inner[..., 2:])[..., 0] + outer[..., 2]
    return np.concatenate((outer[..., :2] @ inner[..., :2], shift[..., None]), -1)


def invert(matrix: Float[ndarray, "*batch 2 3"]) -> Float[ndarray, "*batch 2 3"]:
    """The map back."""
    back = np.linalg.inv(matrix[..., :2])
    return np.concatenate((back, -(back @ matrix[..., 2:])), -1)
