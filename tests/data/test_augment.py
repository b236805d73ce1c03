import cv2
import numpy as np
import pytest

from hmr.data import augment
from hmr.data.augment import Views
from hmr.params import AugmentationParams, load_params
from hmr.steps.preset import PRESETS

PARAMS = AugmentationParams(jitter_px=20.0, scale_min=0.8, scale_max=1.23, flip=True)


def test_the_plain_view_of_a_reference_crop_is_its_middle_untouched():
    crop = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    matrix = augment.view_matrices(augment.plain_views(1), crop=augment.REFERENCE_CROP, image_px=224)[0]
    np.testing.assert_array_equal(augment.warp(crop, matrix, 224), crop[48:272, 48:272])


def test_keypoints_stay_on_what_they_mark():
    rng = np.random.default_rng(1)
    views = augment.random_views(40, PARAMS, rng)
    matrices = augment.view_matrices(views, crop=augment.REFERENCE_CROP, image_px=224)
    for k in range(40):
        dot = rng.integers(110, 210, 2)
        crop = np.zeros((320, 320, 3), np.uint8)
        cv2.circle(crop, tuple(int(c) for c in dot), 4, (255, 255, 255), -1)
        seen = augment.warp(crop, matrices[k], 224)[..., 0].astype(float)
        found = np.array([(seen * axis).sum() for axis in np.meshgrid(range(224), range(224))]) / seen.sum()
        np.testing.assert_allclose(found, matrices[k] @ (*dot, 1), atol=0.1)


def test_flipping_twice_is_nothing():
    rng = np.random.default_rng(2)
    flip = np.array([True, False, True])
    joints, pose = rng.normal(size=(3, 14, 3)), rng.normal(size=(3, 24, 3))
    np.testing.assert_allclose(augment.flip_joints_3d(augment.flip_joints_3d(joints, flip), flip), joints)
    np.testing.assert_allclose(augment.flip_pose(augment.flip_pose(pose, flip), flip), pose)


def test_a_mirrored_view_negates_normalised_x_and_exchanges_sides():
    keypoints = np.random.default_rng(3).uniform(40, 90, (1, 19, 2))
    straight = Views(np.zeros((1, 2)), np.ones(1), np.array([False]))
    mirrored = Views(np.zeros((1, 2)), np.ones(1), np.array([True]))
    seen = []
    for views in (straight, mirrored):
        matrices = augment.view_matrices(views, crop=augment.CropSize(136, 320), image_px=96)
        seen.append(augment.to_norm(augment.move_keypoints(keypoints, matrices, views), 96))
    np.testing.assert_allclose(seen[1], (seen[0] * (-1, 1))[:, augment.COCOPLUS_19.flip], atol=1e-9)


@pytest.mark.parametrize("image_px", [96, 224])
def test_normalised_coordinates_there_and_back(image_px):
    pixels = np.array([-0.5, 0.0, 17.3, image_px - 0.5])
    np.testing.assert_allclose(augment.from_norm(augment.to_norm(pixels, image_px), image_px), pixels, atol=1e-12)
    np.testing.assert_allclose(augment.to_norm(pixels[[0, -1]], image_px), [-1, 1])


def test_the_stored_crop_covers_every_view():
    views = Views(np.array([[20.0, -20.0]]), np.array([0.8]), np.array([False]))
    matrix = augment.view_matrices(views, crop=augment.REFERENCE_CROP, image_px=224)[0]
    corners = (np.array([[-0.5, -0.5], [223.5, 223.5]]) - matrix[:, 2]) / matrix[0, 0]
    assert corners.min() >= -0.5 - 1e-9 and corners.max() <= 319.5 + 1e-9


@pytest.mark.parametrize("preset", ["smoke", "open", "paper"])
def test_what_is_stored_covers_every_view(preset):
    params = load_params(PRESETS / f"{preset}.yaml")
    assert params.normalize.crop_reference_px >= augment.reach_px(params.train.model.view_px, params.train.augmentation)


def test_how_much_a_crop_holds_does_not_change_what_is_seen_of_it():
    crop = np.random.default_rng(5).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    views = Views(np.array([[8.0, -8.0]]), np.array([0.92]), np.array([True]))
    seen = []
    for size, picture in ((augment.REFERENCE_CROP, crop), (augment.CropSize(192, 192), crop[64:256, 64:256])):
        (matrix,) = augment.view_matrices(views, crop=size, image_px=80, view_px=160)
        seen.append(augment.warp(picture, matrix, 80))
    np.testing.assert_allclose(*(picture.astype(int) for picture in seen), atol=1)  # two roundings


def test_views_are_drawn_within_their_limits():
    views = augment.random_views(5000, PARAMS, np.random.default_rng(4))
    assert views.jitter_px.min() >= -20 and views.jitter_px.max() < 20
    assert views.scale.min() >= 0.8 and views.scale.max() < 1.23
    assert 0.45 < views.flip.mean() < 0.55
