"""Bodies fitted to seen joints: what is seen is known here, and somebody else's eyes see it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import ToyPool

from hmr.body.joints import COCOPLUS_19, SMPL_24
from hmr.body.model import BodyModel
from hmr.models.hmr import start_theta
from hmr.photos.blazepose import Joints
from hmr.photos.fitting import JointFitter
from hmr.photos.people import Place
from hmr.photos.recovery import bodies_in_views
from hmr.prediction.pose_prior import PosePrior
from hmr.prediction.smplify import Smplify

PICTURE = np.zeros((400, 300, 3), np.uint8)
PLACE = Place(np.array([140.0, 190.0]), 180.0)
# MediaPipe's order, left before right but for the inner, middle and outer points of the eyes.
OTHER_SIDE = [0, 4, 5, 6, 1, 2, 3, *(k + (1 if k % 2 else -1) for k in range(7, 33))]


def joints(seed: int) -> Joints:
    rng = np.random.default_rng(seed)
    return Joints(1.0, rng.normal(size=(33, 2)), rng.random(33), np.zeros(2), np.ones(2))


def test_left_is_left():
    seen = joints(0)
    points, counts = seen.keypoints_19()
    other = replace(seen, joints_px=seen.joints_px[OTHER_SIDE], visible=seen.visible[OTHER_SIDE])
    mirrored_points, mirrored_counts = other.keypoints_19()
    np.testing.assert_allclose(mirrored_points, points[COCOPLUS_19.flip])
    np.testing.assert_allclose(mirrored_counts, counts[COCOPLUS_19.flip])
    for name, row in {"nose": 0, "left_ear": 7, "left_shoulder": 11, "right_wrist": 16, "right_ankle": 28}.items():
        np.testing.assert_array_equal(points[COCOPLUS_19.index(name)], seen.joints_px[row])


class Eyes:
    """Sees the joints that it was told, by place."""

    name = "told"

    def __init__(self, seen: list[Joints | None]) -> None:
        self.seen = iter(seen)

    def joints_at(self, image: np.ndarray, place: Place) -> Joints | None:
        return next(self.seen)


class Told(Joints):
    """Joints whose keypoints are given."""

    def keypoints_19(self) -> tuple[np.ndarray, np.ndarray]:
        return self.joints_px, self.visible


@pytest.fixture
def bodies(toy):
    """A body model, and three bodies that stand at PLACE with poses of the pool's kind."""
    model = BodyModel(toy)
    pose = torch.from_numpy(ToyPool().at(np.arange(3))[0])
    pose[:, SMPL_24.index("pelvis")] = torch.tensor([np.pi, 0, 0])
    theta = torch.cat((torch.tensor([[0.8, 0.05, -0.1]]).expand(3, 3), pose.flatten(1), torch.zeros(3, 10)), 1)
    to_image = np.column_stack((np.eye(2) * 1.2, PLACE.center_px - 1.2 * 111.5))
    return model, bodies_in_views(theta.float(), [to_image] * 3, 224, model)


def test_bodies_go_where_joints_are_seen_and_stay_where_none_are(bodies):
    model, truth = bodies
    where = [body.standing.project(body.keypoints_3d_m) - 0.5 for body in truth]  # pixel centres are whole numbers
    seen = [Told(1.0, points, np.ones(19), np.zeros(2), np.zeros(2)) for points in where]
    prior = PosePrior.learn(ToyPool(), components=1, frames=200, seed=0)
    smplify = Smplify(model, prior, start_theta(torch.zeros(24, 3), torch.zeros(10)), iterations=40)
    fitter = JointFitter(Eyes([seen[0], None, seen[2]]), smplify, "told")
    found = fitter.fitted([(PICTURE, PLACE)] * 3, [truth[1]] * 3, model)
    assert [body.fitted for body in found] == [True, False, True] and found[1] is truth[1]
    for k in (0, 2):
        off_px = found[k].standing.project(found[k].keypoints_3d_m) - 0.5 - where[k]
        assert np.linalg.norm(off_px, axis=1).mean() < 0.03 * PLACE.person_px
    nobody = JointFitter(Eyes([None]), smplify, "told")
    assert nobody.fitted([(PICTURE, PLACE)], truth[:1], model) == truth[:1]
