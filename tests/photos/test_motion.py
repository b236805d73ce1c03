import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.photos.motion import follow, iou, smooth_rotations, smooth_standing, smooth_values
from hmr.photos.recovery import Standing

RATE_HZ = 25.0
rng = np.random.default_rng(0)


def turning(frames=40, joints=3):
    """Joints that turn evenly, each about its own axis."""
    axes = rng.normal(size=(1, joints, 3)) * np.linspace(0, 1, frames)[:, None, None]
    return Rotation.from_rotvec(axes.reshape(-1, 3)).as_matrix().reshape(frames, joints, 3, 3)


def away(first, second):
    """Angles between rotations, radians."""
    trace = np.trace(np.swapaxes(first, -1, -2) @ second, axis1=-2, axis2=-1)
    return np.arccos(np.clip((trace - 1) / 2, -1, 1))


def test_what_does_not_move_stays():
    still = np.tile(Rotation.random(2, random_state=1).as_matrix(), (12, 1, 1, 1))
    np.testing.assert_allclose(smooth_rotations(still, RATE_HZ), still, atol=1e-9)


def test_parabolas_stay_and_trembling_shrinks():
    t = np.linspace(0, 1, 60)
    path = np.stack([1 + 2 * t - t**2, 3 * t**2], -1)
    np.testing.assert_allclose(smooth_values(path, RATE_HZ), path, atol=1e-9)
    trembling = path + rng.normal(size=path.shape)
    assert np.std(smooth_values(trembling, RATE_HZ) - path) < 0.7 * np.std(trembling - path)


def test_rotations_come_out_as_rotations_nearer_to_the_truth():
    true = turning()
    shaken = true @ Rotation.from_rotvec(0.1 * rng.normal(size=(120, 3))).as_matrix().reshape(true.shape)
    smooth = smooth_rotations(shaken, RATE_HZ)
    np.testing.assert_allclose(smooth @ np.swapaxes(smooth, -1, -2), np.broadcast_to(np.eye(3), true.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(smooth), 1)
    assert away(smooth, true).mean() < 0.7 * away(shaken, true).mean()


def test_no_frame_of_reference_is_preferred():
    shaken = turning() @ Rotation.from_rotvec(0.1 * rng.normal(size=(120, 3))).as_matrix().reshape(40, 3, 3, 3)
    turn = Rotation.from_rotvec((3.0, 0.5, -0.4)).as_matrix()
    np.testing.assert_allclose(
        smooth_rotations(turn @ shaken, RATE_HZ), turn @ smooth_rotations(shaken, RATE_HZ), atol=1e-9
    )


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_short_videos_are_taken_as_they_are(frames):
    path = rng.normal(size=(frames, 2))
    assert smooth_values(path, RATE_HZ).shape == path.shape
    if frames < 3:
        np.testing.assert_array_equal(smooth_values(path, RATE_HZ), path)


def test_a_person_who_comes_nearer_evenly_is_left_alone():
    standing = [Standing(50 * 1.02**k, np.array([k, 2.0 * k])) for k in range(30)]
    for found, true in zip(smooth_standing(standing, RATE_HZ), standing, strict=True):
        assert found.px_per_m == pytest.approx(true.px_per_m)
        np.testing.assert_allclose(found.origin_px, true.origin_px, atol=1e-9)


def test_overlap_of_boxes():
    box = np.array([2.0, 3, 4, 5])
    assert iou(box, box) == pytest.approx(1)
    assert iou(box, box + np.array([100, 0, 0, 0])) == 0
    assert iou(np.array([0.0, 0, 2, 1]), np.array([1.0, 0, 2, 1])) == pytest.approx(1 / 3)


def test_two_people_stay_apart_whatever_the_order_and_mistakes_are_left_out():
    left, right, mistake = np.array([0.0, 0, 20, 50]), np.array([100.0, 0, 20, 50]), np.array([300.0, 0, 20, 50])
    step = np.array([4.0, 0, 0, 0])
    looks = [
        (0, [left, right]),
        (8, [right + step, left + step, mistake]),
        (16, []),
        (24, [left + 2 * step, right + 2 * step]),
    ]
    tracks = follow([(frame, np.array(boxes).reshape(-1, 4)) for frame, boxes in looks], 30)
    assert [(track.frames[0], track.frames[-1]) for track in tracks] == [(0, 30), (0, 30)]
    np.testing.assert_allclose(tracks[0].box_at(4), left + step / 2)
    np.testing.assert_allclose(tracks[1].box_at(16), right + 1.5 * step)
    np.testing.assert_allclose(tracks[1].box_at(30), right + 2 * step)
