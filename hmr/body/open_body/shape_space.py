"""The shape space: principal components of sampled people in the T pose, as SMPL's `shapedirs`."""

from dataclasses import dataclass

import numpy as np

from hmr.body.file import SHAPE_COMPONENTS
from hmr.body.open_body.mesh import volume
from hmr.body.open_body.people import symmetric


@dataclass(frozen=True)
class ShapeSpace:
    """Vertices and joints, each linear in betas of unit variance."""

    template: np.ndarray  # (V, 3) the mean body
    shapedirs: np.ndarray  # (V, 3, 10)
    joint_template: np.ndarray  # (24, 3)
    joint_shapedirs: np.ndarray  # (24, 3, 10)

    def vertices(self, betas: np.ndarray) -> np.ndarray:
        """Bodies (..., V, 3) in the T pose for betas (..., 10)."""
        return self.template + np.einsum("vck,...k->...vc", self.shapedirs, betas)

    def joints(self, betas: np.ndarray) -> np.ndarray:
        """Their joints (..., 24, 3)."""
        return self.joint_template + np.einsum("jck,...k->...jc", self.joint_shapedirs, betas)


def fit_shape_space(
    vertices: np.ndarray, joints: np.ndarray, *, faces: np.ndarray, mirror: np.ndarray, joint_mirror: np.ndarray
) -> ShapeSpace:
    """Components of people (N, V, 3) and the joints (N, 24, 3) that go with them. N must exceed 10.

    The first beta grows with stature, the others with volume.
    """
    people = len(vertices)
    template, joint_template = vertices.mean(0, dtype=np.float64), joints.mean(0)
    centred = (vertices - template.astype(np.float32)).reshape(people, -1)
    variances, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    leading = np.argsort(-variances, kind="stable")[:SHAPE_COMPONENTS]
    betas = vectors[:, leading] * np.sqrt(people - 1)  # (N, 10), unit variance, uncorrelated
    shapedirs = (centred.T @ betas.astype(np.float32)).astype(np.float64) / (people - 1)
    shapedirs = _mirror_mean(shapedirs.reshape(*template.shape, -1), mirror)
    joint_shapedirs = np.einsum("njc,nk->jck", joints - joint_template, betas) / (people - 1)
    sign = _signs(template, shapedirs, faces)
    return ShapeSpace(
        template=symmetric(template, mirror),
        shapedirs=shapedirs * sign,
        joint_template=symmetric(joint_template, joint_mirror),
        joint_shapedirs=_mirror_mean(joint_shapedirs, joint_mirror) * sign,
    )


def _signs(template: np.ndarray, shapedirs: np.ndarray, faces: np.ndarray) -> np.ndarray:
    def growth(measure) -> list[float]:
        return [measure(template + d) - measure(template - d) for d in np.moveaxis(shapedirs, -1, 0)]

    stature = growth(lambda vertices: np.ptp(vertices[:, 1]))
    bulk = growth(lambda vertices: volume(vertices, faces))
    return np.sign([stature[0], *bulk[1:]])


def _mirror_mean(directions: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Make (V, 3, 10) displacement fields exactly symmetric."""
    return np.moveaxis(symmetric(np.moveaxis(directions, -1, 0), mirror), 0, -1)
