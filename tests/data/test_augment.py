import dataclasses

import cv2
import numpy as np
import pytest

from hmr.body.joints import SMPL_24
from hmr.data import augment
from hmr.data.augment import Views
from hmr.mocap.retarget import place_joints, world_of
from hmr.params import AugmentationParams, load_params
from hmr.steps.preset import PRESETS, preset_names

PARAMS = AugmentationParams(jitter_px=20.0, scale_min=0.8, scale_max=1.23, turn_deg=30.0, flip=True, tint=0.3)


def view(**changes: object) -> Views:
    """One plain view but for the changes."""
    changed = {name: np.array([value]) for name, value in changes.items()}
    return dataclasses.replace(augment.plain_views(1), **changed)


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
    straight = view(turn_rad=0.3)
    mirrored = view(turn_rad=0.3, flip=True)
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
    views = view(jitter_px=(20.0, -20.0), scale=0.8)
    matrix = augment.view_matrices(views, crop=augment.REFERENCE_CROP, image_px=224)[0]
    corners = (np.array([[-0.5, -0.5], [223.5, 223.5]]) - matrix[:, 2]) / matrix[0, 0]
    assert corners.min() >= -0.5 - 1e-9 and corners.max() <= 319.5 + 1e-9


@pytest.mark.parametrize("preset", preset_names())
def test_what_is_stored_covers_every_view(preset):
    params = load_params(PRESETS / f"{preset}.yaml")
    assert params.normalize.crop_reference_px >= augment.reach_px(params.train.model.view_px, params.train.augmentation)


def test_how_much_a_crop_holds_does_not_change_what_is_seen_of_it():
    crop = np.random.default_rng(5).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    views = view(jitter_px=(8.0, -8.0), scale=0.92, flip=True)
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
    assert np.abs(np.rad2deg(views.turn_rad)).max() <= 30 and views.turn_rad.std() > 0.25
    assert views.gain.min() >= 0.7 and views.gain.max() <= 1.3


@pytest.mark.parametrize("flip", [False, True])
def test_labels_in_3d_move_with_the_picture(flip):
    """A far camera shows joints where their x and y are, so that those may move as keypoints or as joints."""
    joints, views = np.random.default_rng(6).normal(0, 0.3, (1, 14, 3)), view(turn_rad=0.5, flip=flip)
    matrices = augment.view_matrices(views, crop=augment.CropSize(100, 100), image_px=100, view_px=100)
    keypoints = np.concatenate((joints[..., :2], np.zeros((1, 5, 2))), 1) * 50 + 49.5
    moved = (augment.move_keypoints(keypoints, matrices, views)[:, :14] - 49.5) / 50
    np.testing.assert_allclose(augment.move_joints_3d(joints, views)[..., :2], moved, atol=1e-12)
    np.testing.assert_allclose(np.sort(augment.move_joints_3d(joints, views)[..., 2]), np.sort(joints[..., 2]))


@pytest.mark.parametrize("flip", [False, True])
def test_a_moved_pose_puts_joints_where_they_move(flip):
    rng, views, order = np.random.default_rng(7), view(turn_rad=-0.8, flip=flip), SMPL_24.flip
    pose, rest = rng.normal(0, 0.4, (1, 24, 3)), rng.normal(0, 0.3, (24, 3))
    rest = (rest + rest[order] * (-1, 1, 1)) / 2  # the same on both sides
    joints, moved = (place_joints(world_of(each), rest) for each in (pose, augment.move_pose(pose, views)))
    joints, moved = joints - joints[:, :1], moved - moved[:, :1]
    turned = np.concatenate((joints[..., :2] @ augment.turn_matrices(views.turn_rad)[0].T, joints[..., 2:]), -1)
    np.testing.assert_allclose(moved, turned[:, order] * (-1, 1, 1) if flip else turned, atol=1e-12)


def test_no_tint_leaves_pictures_alone_and_a_tint_scales_colours():
    images = np.random.default_rng(8).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    assert augment.tint(images, view()) is images
    tinted = augment.tint(images, view(gain=(0.5, 1.0, 2.0)))
    np.testing.assert_array_equal(tinted[..., 1], images[..., 1])
    np.testing.assert_allclose(tinted[..., 0], images[..., 0] / 2, atol=0.5)
    np.testing.assert_array_equal(tinted[..., 2], np.minimum(2 * images[..., 2].astype(int), 255))


def test_labels_that_are_not_there_stay_so():
    missing, views = np.full((1, 24, 3), np.nan), view(turn_rad=0.4, flip=True)
    assert np.isnan(augment.move_pose(missing, views)).all()
    assert np.isnan(augment.move_joints_3d(missing[:, :14], views)).all()
