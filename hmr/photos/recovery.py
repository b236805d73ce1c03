"""From places in a picture to bodies that stand in it.

The network's weak perspective says where the body's origin falls and how many pixels a metre takes there; nothing
else. Pictures are therefore drawn as seen from far away, and a distance in metres needs a focal length to be assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from hmr.body.model import BodyModel
from hmr.data import augment
from hmr.data.crop import crop_person
from hmr.geometry.affine import compose, invert
from hmr.models.hmr import read_theta
from hmr.photos.people import Place
from hmr.prediction.checkpoints import Loaded
from hmr.render.camera import Camera

FAR_M = 100.0  # from here a body's own depth changes its picture by less than a hundredth
_LEAST_SCALE = 1e-3  # a scale that is not positive is a prediction from which nothing can be drawn


@dataclass(frozen=True)
class Standing:
    """Where a body stands in a picture: a weak perspective in source pixels. (0, 0) is the picture's corner."""

    px_per_m: float
    origin_px: np.ndarray  # (2,) where the body's origin falls

    def seen(self) -> tuple[np.ndarray, Camera]:
        """Translation (3,) and pinhole that draw the body where it stands, from far away."""
        return np.array([0, 0, FAR_M]), Camera(FAR_M * self.px_per_m, tuple(map(float, self.origin_px)))

    def project(self, points_m: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 2"]:
        """Body-frame points in source pixels."""
        return points_m[..., :2] * self.px_per_m + self.origin_px

    def transl_m(self, size_px: tuple[int, int]) -> np.ndarray:
        """(3,) metres, in the frame of a camera with `focal_px` and its principal point in the picture's middle."""
        middle = np.array(size_px[::-1]) / 2
        return np.array([*((self.origin_px - middle) / self.px_per_m), focal_px(size_px) / self.px_per_m])


def focal_px(size_px: tuple[int, int]) -> float:
    """# ASSUME: the picture's diagonal, a view of 53 degrees across it, as for a phone; the true one is not known."""
    return float(np.hypot(*size_px))


@dataclass(frozen=True)
class View:
    """What the network said of its own view, and where that view lies in the picture."""

    camera: np.ndarray  # (3,) scale and shift of the weak perspective, [-1, 1] over the view
    to_image: np.ndarray  # (2, 3) from the view's pixels to the picture's; pixel centres are whole numbers
    image_px: int  # side of the view

    @property
    def standing(self) -> Standing:
        """The same in the picture's own pixels."""
        scale, zoom = max(float(self.camera[0]), _LEAST_SCALE), float(self.to_image[0, 0])
        in_view = augment.from_norm(scale * self.camera[1:].astype(np.float64), self.image_px)
        # The maps count from the first pixel's centre, the renderer from its corner.
        return Standing(scale * self.image_px / 2 * zoom, zoom * in_view + self.to_image[:, 2] + 0.5)


@dataclass(frozen=True)
class Body:
    """One recovered person. Camera frame: x right, y down, z forward; root-relative metres."""

    standing: Standing
    full_pose_rotmat: np.ndarray  # (24, 3, 3) root first
    betas: np.ndarray  # (10,)
    vertices: np.ndarray  # (V, 3)
    keypoints_3d_m: np.ndarray  # (19, 3)
    joints_24_m: np.ndarray  # (24, 3)
    view: View | None = None  # None where the motion of a video was smoothed
    fitted: bool = False  # to joints seen in the picture, in place of what the network says


def pose_bodies(
    standing: Sequence[Standing],
    full_pose_rotmat: Float[ndarray, "n 24 3 3"],
    betas: Float[ndarray, "n 10"],
    model: BodyModel,
) -> list[Body]:
    """Bodies from their parameters."""
    with torch.inference_mode():
        pose, shape = (torch.from_numpy(np.asarray(values, np.float32)) for values in (full_pose_rotmat, betas))
        posed = model(betas=shape, full_pose_rotmat=pose)
        keypoints = model.keypoints(posed.vertices)
    return [
        Body(standing[k], pose[k].numpy(), shape[k].numpy(), *(part[k].numpy() for part in parts))
        for parts in [(posed.vertices, keypoints, posed.joints)]
        for k in range(len(standing))
    ]


def recover(views: Sequence[tuple[np.ndarray, Place]], network: Loaded, model: BodyModel) -> list[Body]:
    """A body for each picture, uint8 (H, W, 3), and place in it; all in one batch."""
    if not views:
        return []
    seen, to_source = zip(*(_view(image, place, network) for image, place in views), strict=True)
    return bodies_in_views(network.source(np.stack(seen)), to_source, network.image_px, model)


def bodies_in_views(
    theta: Float[torch.Tensor, "n 85"], to_image: Sequence[np.ndarray], image_px: int, model: BodyModel
) -> list[Body]:
    """Bodies from the 85 numbers of views of `image_px` a side, and maps (2, 3) from their pixels to the pictures'."""
    estimate = read_theta(theta)
    seen_from = [View(*pair, image_px) for pair in zip(theta[:, :3].numpy(), to_image, strict=True)]
    rotmat, betas = estimate.full_pose_rotmat.numpy(), estimate.betas.numpy()
    bodies = pose_bodies([view.standing for view in seen_from], rotmat, betas, model)
    return [replace(body, view=view) for body, view in zip(bodies, seen_from, strict=True)]


def _view(image: np.ndarray, place: Place, network: Loaded) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees, and the map (2, 3) from its pixels to the picture's."""
    crop = crop_person(
        image,
        keypoints_px=np.empty((0, 2)),
        center_px=place.center_px,
        person_px=place.person_px,
        size=augment.REFERENCE_CROP,
    )
    (to_view,) = augment.view_matrices(
        augment.plain_views(1, network.scale), crop=augment.REFERENCE_CROP, image_px=network.image_px
    )
    return augment.warp(crop.image, to_view, network.image_px), compose(crop.crop_to_image, invert(to_view))
