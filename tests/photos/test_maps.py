from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.body.file import parse_body
from hmr.body.model import BodyModel
from hmr.errors import UserError
from hmr.photos.maps import maps_of, picture_of
from hmr.photos.pictures import draw_bodies
from hmr.photos.recovery import FAR_M, Standing, focal_px, pose_bodies
from hmr.render.camera import Camera
from hmr.render.mesh import Mesh
from hmr.render.shade import Lights, render

SIZE = (240, 200)


@pytest.fixture(scope="module")
def body(toy, tmp_path_factory):
    """The toy body with an atlas of its own: each vertex at a random place."""
    atlas = np.random.default_rng(5).random((len(toy["v_template"]), 2)).astype(np.float32)
    return parse_body(
        {**toy, "vt": atlas, "ft": toy["f"].astype(np.int64)}, origin=tmp_path_factory.mktemp("b") / "b.npz"
    )


@pytest.fixture(scope="module")
def person(body):
    pose = np.tile(np.eye(3), (1, 24, 1, 1))
    pose[0, 0] = Rotation.from_euler("xy", (180, 25), degrees=True).as_matrix()
    return pose_bodies([Standing(90.0, np.array([100.0, 110.0]))], pose, np.zeros((1, 10)), BodyModel(body))[0]


def test_depth_and_uv_say_which_surface_point_each_pixel_sees(body, person):
    """Rays through pixel centres, met with all faces by a solver of its own."""
    found = maps_of([person], body, SIZE, "a.jpg")
    hit = np.argwhere(found.person == 0)
    assert len(hit) > 1000
    transl, camera = person.standing.seen()
    corners = (person.vertices + transl)[body["f"]]  # (F, 3, 3)
    for row, column in hit[:: len(hit) // 40]:
        ray = np.array([column + 0.5, row + 0.5]) - camera.principal_px
        ray = np.array([*(ray / camera.intrinsics[0]), 1.0])
        with np.errstate(all="ignore"):
            weights = np.linalg.solve(corners.transpose(0, 2, 1) + 1e-15 * np.eye(3), ray)  # sums to 1 / depth
        met = (weights >= -1e-9).all(1)
        face = np.flatnonzero(met)[weights[met].sum(1).argmax()]
        depth = 1 / weights[face].sum()
        assert found.depth_m[row, column] == pytest.approx(depth - FAR_M - person.joints_24_m[0, 2], abs=1e-4)
        uv = weights[face] / weights[face].sum() @ body["vt"][body["ft"][face]]
        np.testing.assert_allclose(found.uv[row, column], uv, atol=1e-4)
        assert found.part[row, column] == body["face_part6"][face] + 1


def test_where_no_body_is_nothing_is_claimed(body, person):
    found = maps_of([person], body, SIZE, "a.jpg")
    none = found.person < 0
    assert none[0].all() and not found.part[none].any()
    assert np.isnan(found.depth_m[none]).all() and np.isnan(found.uv[none]).all()
    assert np.isfinite(found.depth_m[~none]).all() and (found.part[~none] >= 1).all()
    assert picture_of(found).shape == (SIZE[0], 3 * SIZE[1], 3)


def test_who_looks_larger_stands_in_front_in_any_order(body, person):
    behind = replace(person, standing=Standing(60.0, person.standing.origin_px))
    first, second = (maps_of(pair, body, SIZE, "a.jpg") for pair in ((person, behind), (behind, person)))
    alone = maps_of([person], body, SIZE, "a.jpg")
    assert (first.person[alone.person == 0] == 0).all() and (second.person[alone.person == 0] == 1).all()
    np.testing.assert_array_equal(first.part, second.part)


def test_without_an_atlas_there_is_no_uv(body, person):
    plain = {key: value for key, value in body.items() if key not in ("vt", "ft")}
    found = maps_of([person], plain, SIZE, "a.jpg")
    assert found.uv is None and picture_of(found).shape == (SIZE[0], 2 * SIZE[1], 3)


def test_a_picture_too_large_for_maps_is_named(body, person):
    with pytest.raises(UserError, match=r"a\.jpg: --maps"):
        maps_of([person], body, (20000, 20000), "a.jpg")


def test_a_body_out_of_the_picture_is_drawn_nowhere(body, person):
    away = replace(person, standing=Standing(90.0, np.array([-900.0, 110.0])))
    photo = np.full((*SIZE, 3), 90, np.uint8)
    np.testing.assert_array_equal(draw_bodies(photo, [away], body["f"]), photo)
    assert (maps_of([away], body, SIZE, "a.jpg").person == -1).all()


def test_drawing_in_bands_is_drawing_at_once(body, person, monkeypatch):
    photo = np.random.default_rng(1).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    whole = draw_bodies(photo, [person], body["f"])
    monkeypatch.setattr("hmr.photos.pictures._BAND_PX", 1500)
    np.testing.assert_array_equal(draw_bodies(photo, [person], body["f"]), whole)
    transl, camera = person.standing.seen()
    mesh = Mesh(person.vertices + transl, body["f"], (166, 189, 219))
    np.testing.assert_array_equal(whole, render(mesh, camera, Lights(), photo, opacity=0.9).image)


def test_transl_puts_the_origin_where_the_weak_perspective_does():
    standing = Standing(150.0, np.array([120.0, 500.0]))
    transl = standing.transl_m((1080, 1920))
    camera = Camera(focal_px((1080, 1920)), (960.0, 540.0))
    np.testing.assert_allclose(camera.project(transl), standing.origin_px)
    shifted = camera.project(transl + np.array([0.01, 0, 0])) - standing.origin_px
    np.testing.assert_allclose(shifted, (1.5, 0), atol=1e-9)
