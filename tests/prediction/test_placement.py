import numpy as np
import pytest
import torch

from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.data import augment
from hmr.geometry.affine import compose, invert, transform
from hmr.prediction.parts import part_labels
from hmr.prediction.placement import camera_in_image
from hmr.prediction.predictor import MeanSource, Poser

VIEW_PX = 96
VIEW_TO_IMAGE = np.array([[2.5, 0.0, 31.0], [0.0, 2.5, -12.5]])


@pytest.fixture(scope="module")
def bodies(toy_file):
    theta = 0.2 * torch.randn(3, 85, generator=torch.Generator().manual_seed(0))
    theta[:, 0], theta[:, 3] = 0.8, torch.pi
    return Poser(BodyModel.load(toy_file))(theta)


def test_affine_maps_compose_and_invert():
    points = np.random.default_rng(0).normal(size=(5, 2))
    other = np.array([[1.5, 0.2, 3.0], [-0.1, 0.7, 2.0]])
    np.testing.assert_allclose(
        transform(compose(other, VIEW_TO_IMAGE), points), transform(other, transform(VIEW_TO_IMAGE, points))
    )
    np.testing.assert_allclose(transform(invert(other), transform(other, points)), points, atol=1e-12)


def test_the_pinhole_sees_the_keypoints_where_the_weak_perspective_puts_them(bodies):
    for k in range(3):
        transl, camera = camera_in_image(bodies.camera[k], VIEW_TO_IMAGE, VIEW_PX)
        seen = camera.project(bodies.keypoints_3d_m[k] + transl) - 0.5  # to pixel centres at whole numbers
        expected = transform(VIEW_TO_IMAGE, augment.from_norm(bodies.keypoints_norm[k], VIEW_PX))
        # A pinhole of 5,000 px stands 50 m and more away; what perspective is left is under a pixel.
        np.testing.assert_allclose(seen, expected, atol=1.5)


def test_part_labels_lie_under_their_joints(bodies, toy_file):
    body = read_body_file(toy_file)
    labels = part_labels(bodies.vertices[0], bodies.camera[0], VIEW_TO_IMAGE, VIEW_PX, (300, 300), body)
    assert set(np.unique(labels)) <= set(range(7)) and (labels > 0).any()
    keypoints = transform(VIEW_TO_IMAGE, augment.from_norm(bodies.keypoints_norm[0], VIEW_PX))
    inside = ((keypoints > 0) & (keypoints < 299)).all(1)
    x, y = keypoints[inside].round().astype(int).T
    assert (labels[y, x] > 0).mean() > 0.7


def test_the_baseline_looks_at_nothing():
    source = MeanSource(torch.arange(85.0))
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    assert torch.equal(source(images), torch.arange(85.0).expand(4, 85))
