import cv2
import numpy as np
import pytest

from hmr.data.augment import CropSize, plain_views, view_matrices
from hmr.data.crop import crop_person, crop_scale, image_to_crop
from hmr.geometry.affine import invert, transform

RNG = np.random.default_rng(0)


def crop(image, *, point=(0.0, 0.0), center=(50.0, 50.0), person_px=100.0, crop_px=136):
    return crop_person(
        image,
        keypoints_px=np.array([point]),
        center_px=np.array(center),
        person_px=person_px,
        size=CropSize(crop_px, 320),
    )


@pytest.mark.parametrize("person_px", [20.0, 100.0, 900.0])
def test_there_and_back(person_px):
    center, points = RNG.uniform(0, 500, 2), RNG.uniform(-50, 600, (30, 2))
    forward = image_to_crop(center, crop_scale(person_px, CropSize(136, 320)), 136)
    np.testing.assert_allclose(transform(invert(forward), transform(forward, points)), points, atol=1e-9)
    np.testing.assert_allclose(transform(forward, center[None]), [[67.5, 67.5]], atol=1e-9)


@pytest.mark.parametrize("size", [CropSize(100, 192), CropSize(136, 320), CropSize(320, 320)])
def test_the_person_is_150_reference_pixels(size):
    ends = np.array([[100.0, 40.0], [100.0, 120.0]])
    matrix = image_to_crop(np.array([100, 80]), crop_scale(80.0, size), size.px)
    length = np.linalg.norm(np.diff(transform(matrix, ends), axis=0))
    assert length * size.reference_px / size.px == pytest.approx(150)


def test_a_person_at_reference_scale_is_copied_pixel_by_pixel():
    image = RNG.integers(0, 256, (400, 400, 3), dtype=np.uint8)
    cut = crop(image, center=(199.5, 209.5), person_px=150, crop_px=320)
    np.testing.assert_array_equal(cut.image, image[50:370, 40:360])


@pytest.mark.parametrize("size, person_px", [(300, 60.0), (300, 150.0), (1400, 500.0), (1400, 640.0), (2048, 1500.0)])
def test_a_dot_stays_on_its_keypoint(size, person_px):
    rng = np.random.default_rng(1)
    for _ in range(5):
        center = rng.uniform(0.3, 0.7, 2) * size
        radius = max(3, person_px / 25)
        dot = np.round(center + rng.uniform(-0.4, 0.4, 2) * person_px).astype(int)
        image = np.zeros((size, size - 7, 3), np.uint8)
        cv2.circle(image, dot.tolist(), round(radius), (255, 255, 255), -1)
        cut = crop(image, point=dot, center=center, person_px=person_px)
        weight = cut.image[..., 0].astype(float)
        found = np.array([(weight * axis).sum() for axis in np.meshgrid(range(136), range(136))]) / weight.sum()
        np.testing.assert_allclose(found, cut.keypoints_px[0], atol=0.06)
        np.testing.assert_allclose(transform(cut.crop_to_image, cut.keypoints_px[:1]), [dot], atol=1e-6)


def test_the_network_sees_the_middle():
    to_view = view_matrices(plain_views(1), crop=CropSize(136, 320), image_px=96)[0]
    cut = crop(np.zeros((100, 100, 3), np.uint8), point=(50.0, 50.0))
    np.testing.assert_allclose(transform(to_view, cut.keypoints_px[:1]), [[47.5, 47.5]], atol=1e-9)


def test_beyond_the_image_its_edge_repeats():
    image = np.full((40, 30, 3), 90, np.uint8)
    image[:, :3] = 200
    cut = crop(image, center=(15.0, 20.0), person_px=20.0)
    assert (cut.image[:, :10] == 200).all() and (cut.image[:, -10:] == 90).all()


def test_even_a_center_outside_the_image_gives_a_crop():
    cut = crop(np.full((40, 30, 3), 90, np.uint8), center=(-500.0, 900.0), person_px=300.0)
    assert (cut.image == 90).all()


def test_shrinking_does_not_alias():
    """A fine chequerboard is grey from afar."""
    image = (255 * (np.indices((1200, 1200)).sum(0) % 2)).astype(np.uint8)[..., None].repeat(3, 2)
    cut = crop(image, center=(600.0, 600.0), person_px=400.0)
    assert np.ptp(cut.image[8:-8, 8:-8].astype(int)) < 40
    assert abs(cut.image.mean() - 127.5) < 2
