"""Procrustes: the similarity that carries one set of points onto another."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def similarity_align(
    points: Float[ndarray, "*batch points 3"], *, onto: Float[ndarray, "*batch points 3"]
) -> Float[ndarray, "*batch points 3"]:
    """Move `points` by the best scale, proper rotation and translation (least squares) onto `onto`.

    A mirror image is never used: the rotation has determinant +1. Points that all coincide are moved to the target's
    centre. Source: Umeyama 1991; the paper's "reconstruction error" (section 4.1) measures what is left.
    """
    target_centre = _centre(onto)
    source, target = points - _centre(points), onto - target_centre
    u, singular, vt = np.linalg.svd(np.swapaxes(target, -1, -2) @ source)
    signs = np.ones_like(singular)
    signs[..., -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[..., None, :]) @ vt
    spread = np.einsum("...jk,...jk", source, source)
    scale = np.divide((singular * signs).sum(-1), spread, out=np.zeros_like(spread), where=spread > 0)
    return scale[..., None, None] * source @ np.swapaxes(rotation, -1, -2) + target_centre


def _centre(points: Float[ndarray, "*batch points 3"]) -> Float[ndarray, "*batch 1 3"]:
    """The mean point. Sums over short axes are several times faster by einsum than by `mean`."""
    return (np.einsum("...jk->...k", points) / points.shape[-2])[..., None, :]
