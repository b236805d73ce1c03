"""The weak-perspective camera, and pictures for people."""

import numpy as np
import pytest

from hmr.render import Camera, draw_keypoints, overlay, side_view, tile, weak_perspective_camera

TRIANGLE = np.array([[0.0, 0, 0], [0.3, 0.5, 0], [-0.3, 0.5, 0]])
FACES = np.array([[0, 1, 2]])


def test_a_long_lens_agrees_with_weak_perspective():
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    scale, shift = 0.8, np.array([0.1, -0.2])
    transl, camera = weak_perspective_camera(scale, shift, 224, focal_px=1e7)
    expected = (scale * (points[:, :2] + shift) + 1) / 2 * 224
    np.testing.assert_allclose(camera.project(points + transl), expected, atol=1e-2)


def test_any_focal_length_agrees_in_the_plane_of_the_origin():
    points = np.random.default_rng(1).uniform(-1, 1, (50, 3)) * (1, 1, 0)
    transl, camera = weak_perspective_camera(0.9, (0.05, 0.1), 224, focal_px=500.0)
    expected = (0.9 * (points[:, :2] + (0.05, 0.1)) + 1) / 2 * 224
    np.testing.assert_allclose(camera.project(points + transl), expected, atol=1e-9)
    assert transl[2] == pytest.approx(500 / (112 * 0.9))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match="positive scale"):
        weak_perspective_camera(scale, (0, 0), 224, 500)


def test_overlay_touches_only_what_the_body_covers():
    photo = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    drawn = overlay(photo, TRIANGLE + np.array([0, 0, 3]), FACES, Camera(80.0, (40.0, 30.0)))
    changed = (drawn != photo).any(2)
    assert 30 < changed.sum() < 600
    assert not changed[:28].any()


def test_side_view_turns_the_far_side_to_the_right():
    body = np.array([[0.0, -0.5, 4.0], [0.0, 0.5, 4.0], [0.0, 0.5, 4.6]])  # lies in the plane x = 0
    image = side_view(body, FACES, Camera(100.0, (40.0, 40.0)), (80, 80), pivot=(0, 0, 4))
    columns = np.flatnonzero((image != 255).any((0, 2)))
    assert columns.min() >= 40
    assert columns.max() == pytest.approx(40 + 100 * 0.6 / 4, abs=1)


def test_keypoints_are_drawn_where_they_are_in_the_colour_of_their_side():
    image = np.zeros((40, 60, 3), np.uint8)
    keypoints = np.array([[10.5, 20.5], [50.5, 20.5], [30.5, 5.5], [30.5, 35.5]])
    visible = np.array([1, 1, 1, 0])
    drawn = draw_keypoints(image, keypoints, visible, bones=[(0, 2), (1, 3)], right={0}, left={1})
    assert drawn[20, 10].argmax() == 0  # red: right
    assert drawn[20, 50].argmax() == 2  # blue: left
    assert drawn[5, 30].min() < drawn[5, 30].max()
    assert (drawn[30:] == 0).all()  # the invisible keypoint, and no bone to it
    assert drawn[12, 21].any()  # half way along the bone
    assert not image.any()


def test_keypoints_far_outside_or_not_a_number_do_no_harm():
    keypoints = np.array([[1e30, -1e30], [np.nan, 0.0], [5, 5]])
    drawn = draw_keypoints(
        np.zeros((9, 9, 3), np.uint8), keypoints, np.ones(3), bones=[(0, 1), (0, 2)], right=(), left=()
    )
    assert drawn.any()


def test_tile_keeps_every_image_whole():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (h, w, 3), dtype=np.uint8) for h, w in [(10, 20), (12, 8), (5, 5)]]
    sheet = tile(images, 2, gap_px=3)
    assert sheet.shape == (2 * 15 + 3, 2 * 23 + 3, 3)
    np.testing.assert_array_equal(sheet[3:13, 3:23], images[0])
    np.testing.assert_array_equal(sheet[3:15, 26:34], images[1])
    np.testing.assert_array_equal(sheet[18:23, 3:8], images[2])


def test_captions_stand_above_and_never_on_an_image():
    images = [np.full((30, 40, 3), 7, np.uint8)] * 3
    sheet = tile(images, 3, ["a", "a caption too long for its picture", ""])
    assert (sheet == 7).all(2).sum() >= 3 * 30 * 40
    assert (sheet[:24] < 200).any()
    with pytest.raises(ValueError, match="as many captions"):
        tile(images, 3, ["one"])
