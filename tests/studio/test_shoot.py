"""Pictures and their truth: projection, labels, what hides what, the same bytes twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hmr.body.joints import COCOPLUS_19, LSP_14
from hmr.studio.motion import Motion, sample_motion
from hmr.studio.people import paint, sample_person
from hmr.studio.rig import human36m_rig, look_at, mpi_inf_3dhp_rig, placed, test_camera
from hmr.studio.scene import TEXTURES, TILE_PX, Prop, clouds, green_screen, lab, outdoor, plain_studio, wild
from hmr.studio.shoot import LSP_PERSON_PX, Studio, hidden, wild_shot


@pytest.fixture(scope="module")
def studio(toy_file: Path) -> Studio:
    return Studio(toy_file)


@pytest.fixture(scope="module")
def person():
    return sample_person(np.random.default_rng(0), "lab")


@pytest.fixture(scope="module")
def standing(studio: Studio, person):
    return studio.pose(person, Motion(np.zeros((1, 24, 3)), np.zeros((1, 3))))[0]


def test_a_camera_looks_where_it_is_told():
    rotation, transl = look_at(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.5, 0.0]), roll_deg=20.0)
    assert np.allclose(rotation @ rotation.T, np.eye(3)) and np.isclose(np.linalg.det(rotation), 1)
    assert np.allclose(rotation @ [1.0, 2.0, 3.0] + transl, 0)
    seen = rotation @ [-1.0, 0.5, 0.0] + transl
    assert np.allclose(seen[:2], 0) and seen[2] > 0


def test_up_in_the_world_is_up_in_the_picture():
    camera = placed([0, 1, 5], [0, 1, 0], 300.0, 200, 200)
    low, high = camera.project_px(camera.to_camera(np.array([[0, 0.5, 0], [0, 1.5, 0]])))
    assert high[1] < low[1]
    right = camera.project_px(camera.to_camera(np.array([0.5, 1.0, 0])))
    assert right[0] > low[0], "seen from +z, +x is to the right"


def test_a_person_stands_on_the_ground(standing):
    assert np.isclose(standing.vertices[:, 1].min(), 0, atol=1e-6)
    assert np.allclose(standing.joints_m[0, [0, 2]], 0, atol=1e-6)


@pytest.mark.parametrize("camera", human36m_rig(64), ids=range(4))
def test_labels_agree_with_the_picture(studio, person, standing, camera):
    shot = studio.shoot(standing, person, lab(np.random.default_rng(1)), camera)
    assert shot.image.shape == (64, 64, 3) and shot.part_labels.shape == (64, 64)
    assert set(np.unique(shot.part_labels)) <= set(range(7)) and shot.part_labels.any()
    assert np.allclose(shot.points_px(shot.keypoints_3d_m), shot.keypoints_2d_px)
    assert np.allclose(camera.rotation @ standing.keypoints_m[0] + camera.transl, shot.keypoints_3d_m[0])
    rows, columns = np.nonzero(shot.part_labels)
    middle = shot.keypoints_2d_px[[LSP_14.index("left_hip"), LSP_14.index("right_hip")]].mean(0)
    assert columns.min() - 2 <= middle[0] <= columns.max() + 2 and rows.min() - 2 <= middle[1] <= rows.max() + 2


def test_the_camera_frame_pose_poses_the_camera_frame_body(studio, person, standing):
    camera = human36m_rig(64)[2]
    shot = studio.shoot(standing, person, lab(np.random.default_rng(1)), camera)
    seen = studio.pose(person, Motion(shot.full_pose_axis_angle[None], np.zeros((1, 3))))[0]
    assert np.allclose(seen.joints_m - seen.joints_m[0], shot.joints_3d_m - shot.joints_3d_m[0], atol=1e-5), (
        "root in the camera's frame"
    )


def test_an_occluder_hides_what_is_behind_it(studio, person, standing):
    camera = placed([0, 1, 4], [0, 1, 0], 100.0, 96, 96)
    scene = lab(np.random.default_rng(1))
    wall = Prop(np.array([0, 1.0, 2.0]), np.array([3.0, 3.0, 0.1]), 0.0, np.array([9.0, 9, 9]))
    free, covered = (
        studio.shoot(standing, person, scene, camera),
        studio.shoot(standing, person, scene, camera, (wall,)),
    )
    assert covered.occluded.all() and not covered.part_labels.any()
    assert not free.occluded.all() and free.part_labels.any()


def test_hidden_needs_something_clearly_nearer():
    seen = np.full((4, 4), 2.0, np.float32)
    seen[0] = 0  # nothing there
    points = np.array([[1.0, 1.0], [1, 1], [1, 0], [-3, 1]])
    assert hidden(points, np.array([2.05, 3.0, 3.0, 3.0]), seen).tolist() == [False, True, False, False]


def test_the_same_seed_gives_the_same_picture(studio):
    first, again, other = (wild_shot(studio, np.random.default_rng(seed), 96) for seed in (5, 5, 6))
    assert (first.image == again.image).all() and (first.part_labels == again.part_labels).all()
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


def test_sport_pictures_have_lsps_scale(studio):
    shots = [wild_shot(studio, np.random.default_rng((1, k)), 400, sport=True) for k in range(8)]
    diagonals = [np.linalg.norm(np.ptp(shot.keypoints_2d_px, 0)) for shot in shots]
    assert np.allclose(diagonals, LSP_PERSON_PX, rtol=0.25)
    assert np.isclose(np.mean(diagonals), LSP_PERSON_PX, rtol=0.08)


def test_wild_pictures_keep_to_their_size(studio):
    for k in range(8):
        shot = wild_shot(studio, np.random.default_rng((2, k)), 80)
        assert max(shot.image.shape[:2]) <= 80 and len(shot.occluded) == len(COCOPLUS_19)


@pytest.mark.parametrize("make", TEXTURES)
def test_textures_are_the_same_twice(make):
    tile, again = (make(np.random.default_rng(0), np.array([120.0, 110, 100]), 8.0) for _ in range(2))
    assert tile.shape == (TILE_PX, TILE_PX, 3) and tile.dtype == np.uint8
    assert (tile == again).all() and tile.std() > 1


def test_clouds_have_no_seam():
    tile = clouds(np.random.default_rng(0), np.array([120.0, 110, 100]), 12.0, 1.8).astype(float)
    across_the_edge, inside = np.abs(tile[0] - tile[-1]).mean(), np.abs(np.diff(tile, axis=0)).mean()
    assert across_the_edge < 2 * inside


@pytest.mark.parametrize("make", [lab, green_screen, plain_studio, outdoor, wild])
def test_scenes_fill_the_picture(make):
    scene = make(np.random.default_rng(4))
    camera = placed([0, 1.2, 3.0], [0, 1, 0], 80.0, 72, 48)
    picture = scene.background(camera)
    assert picture.shape == (48, 72, 3) and (scene.background(camera) == picture).all()
    assert picture.std() > 1


def test_the_sets_look_different(studio, person, standing):
    """The 3D sets are alike inside and unlike the wild: what the paper's ablations are about."""
    camera = human36m_rig(48)[0]
    labs = [studio.background(lab(np.random.default_rng(9)), camera).mean((0, 1)) for _ in range(2)]
    greens = studio.background(green_screen(np.random.default_rng(9)), camera).mean((0, 1))
    assert np.allclose(*labs) and np.abs(greens - labs[0]).max() > 20


def test_rigs():
    assert len(human36m_rig(320)) == 4 and set(mpi_inf_3dhp_rig(320)) == {0, 1, 2, 4, 5, 6, 7, 8}
    wide = test_camera(np.random.default_rng(0), "TS5", 320)
    assert wide.width_px == 320 and wide.height_px == 180


def test_people_differ_and_motion_wanders(studio):
    a, b = (sample_person(np.random.default_rng(k), "street") for k in (1, 2))
    assert a.skin != b.skin and (a.betas != b.betas).any()
    hats = [paint(replace(a, hat=hat, hair=(1.0, 2.0, 3.0)), studio.regions)[0] for hat in (False, True)]
    assert (hats[0] != hats[1]).any() and not (hats[1] == (1.0, 2.0, 3.0)).all(1).any(), "a hat covers the hair"
    moved = sample_motion(np.random.default_rng(0), "Walking", 50, 50.0).transl
    assert np.linalg.norm(moved[-1] - moved[0]) > 0.5
