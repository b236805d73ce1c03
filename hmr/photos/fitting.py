"""Bodies fitted to the joints that BlazePose sees in a photograph, by SMPLify.

A network that was trained on rendered people says roughly where limbs are in a photograph. BlazePose has seen
photographs and says that well, but has no body. Here a body with a pose as in the motion pool goes where it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from hmr.body.model import BodyModel
from hmr.data.augment import VIEW_REFERENCE_PX, to_norm
from hmr.data.crop import PERSON_REFERENCE_PX
from hmr.geometry.affine import invert, transform
from hmr.mocap.pool import open_pool
from hmr.params import SmplifyParams
from hmr.photos.blazepose import BlazePose
from hmr.photos.people import Place
from hmr.photos.recovery import Body, bodies_in_views
from hmr.prediction.pose_prior import PosePrior
from hmr.prediction.smplify import Smplify
from hmr.training.start import mean_start


@dataclass(frozen=True)
class JointFitter:
    """SMPLify on what BlazePose sees."""

    eyes: BlazePose
    smplify: Smplify
    name: str

    @classmethod
    def open(cls, networks: Path, pool_path: Path, model: BodyModel, settings: SmplifyParams) -> Self:
        """With BlazePose's networks in a folder, and a pose prior learned from a pool. UserError for other files."""
        eyes, pool = BlazePose.open(networks), open_pool(pool_path)
        prior = PosePrior.learn(pool, components=settings.components, frames=settings.frames, seed=settings.seed)
        smplify = Smplify(model, prior, mean_start(pool), iterations=settings.iterations)
        return cls(eyes, smplify, f"SMPLify on joints seen by {eyes.name}, with poses as in {pool_path.name}")

    def fitted(
        self, views: Sequence[tuple[np.ndarray, Place]], bodies: Sequence[Body | None], model: BodyModel
    ) -> list[Body | None]:
        """The bodies, those of people whose joints are seen fitted to them. `views` as for `recover`."""
        seen = [self.eyes.joints_at(image, place) for image, place in views]
        rows = [k for k, joints in enumerate(seen) if joints is not None]
        if not rows:
            return list(bodies)
        to_image = np.array([_view_to_image(views[k][1]) for k in rows])
        points, counts = (np.array(values) for values in zip(*(seen[k].keypoints_19() for k in rows), strict=True))
        target = to_norm(transform(invert(to_image), points), VIEW_REFERENCE_PX)
        theta = self.smplify.fit(torch.from_numpy(target).float(), torch.from_numpy(counts).float())
        found = bodies_in_views(theta, to_image, VIEW_REFERENCE_PX, model)
        better = {k: replace(body, fitted=True) for k, body in zip(rows, found, strict=True)}
        return [better.get(k, body) for k, body in enumerate(bodies)]


def _view_to_image(place: Place) -> np.ndarray:
    """The map (2, 3) from the paper's view of a place to the picture."""
    zoom = place.person_px / PERSON_REFERENCE_PX
    return np.column_stack((np.eye(2) * zoom, place.center_px - zoom * (VIEW_REFERENCE_PX - 1) / 2))
