"""Pictures: shading laws, labels, supersampling, texture and shadow."""

import numpy as np
import pytest

from hmr.render import Camera, Lights, Mesh, Shadows, box, join, labels_of, rasterise, render

CAMERA = Camera(focal_px=50.0, principal_px=(24.0, 16.0))
AMBIENT = Lights(directions=np.empty((0, 3)), colours=np.empty((0, 3)), ambient=(1, 1, 1))
ABOVE = Lights(directions=[[0.3, -1, -0.2]], colours=[[0.8, 0.8, 0.8]], ambient=(0.2, 0.2, 0.2))


def background(colour=(10, 90, 200), size=(32, 48)):
    return np.broadcast_to(np.array(colour, np.uint8), (*size, 3)).copy()


def sphere(centre=(0.0, 0.0, 3.0), radius=0.5, colour=(200, 180, 160), rings=16):
    theta, phi = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij")
    points = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1)
    i = (np.arange(rings - 1)[:, None] * 2 * rings + np.arange(2 * rings - 1)).ravel()
    faces = np.concatenate(
        [np.stack([i, i + 1, i + 2 * rings], 1), np.stack([i + 1, i + 2 * rings + 1, i + 2 * rings], 1)]
    )
    return Mesh(points.reshape(-1, 3) * radius + centre, faces, colour)


def wall(depth_m=2.0, colour=(255, 255, 255), **fields):
    """A square facing the camera that covers the picture."""
    corners = np.array([[-3.0, -3, depth_m], [3, -3, depth_m], [3, 3, depth_m], [-3, 3, depth_m]])
    return Mesh(corners, np.array([[0, 2, 1], [0, 3, 2]]), colour, **fields)


def test_an_empty_mesh_leaves_the_background():
    picture = render(Mesh(np.empty((0, 3)), np.empty((0, 3)), (1, 2, 3)), CAMERA, Lights(), background())
    np.testing.assert_array_equal(picture.image, background())
    assert (picture.face_id == -1).all()
    assert (picture.depth_m == 0).all()


@pytest.mark.parametrize("supersample", [1, 2, 3])
def test_constant_colour_stays_constant(supersample):
    colour = (37, 181, 254)
    picture = render(sphere(colour=colour), CAMERA, AMBIENT, background(colour), supersample=supersample)
    assert (picture.face_id >= 0).any()
    np.testing.assert_array_equal(picture.image, background(colour))


def test_edges_are_a_mean_of_samples_but_ids_and_depth_are_not():
    mesh = sphere(colour=(255, 255, 255))
    plain = render(mesh, CAMERA, AMBIENT, background((0, 0, 0)), supersample=1)
    fine = render(mesh, CAMERA, AMBIENT, background((0, 0, 0)), supersample=2)
    assert set(np.unique(plain.image)) == {0, 255}
    assert set(np.unique(fine.image)) <= {0, 64, 128, 191, 255}
    assert len(np.unique(fine.image)) > 2
    np.testing.assert_array_equal(plain.face_id, fine.face_id)
    np.testing.assert_array_equal(plain.depth_m, fine.depth_m)


def test_labels_are_those_of_the_faces_and_nothing_between():
    mesh = join([sphere(colour=(255, 0, 0)), sphere((0.3, 0, 2.5), 0.3, (0, 255, 0))])
    labels = np.repeat(np.array([1, 7], np.uint8), len(mesh.faces) // 2)
    picture = render(mesh, CAMERA, AMBIENT, background((0, 0, 0)))
    found = labels_of(picture, labels, background=9)
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {1, 7, 9}
    plain = render(mesh, CAMERA, AMBIENT, background((0, 0, 0)), supersample=1).image
    np.testing.assert_array_equal(found == 1, plain[:, :, 0] == 255)
    np.testing.assert_array_equal(found == 7, plain[:, :, 1] == 255)


def test_the_nearer_mesh_hides_the_other_whatever_the_order():
    near, far = wall(2.0, (255, 0, 0)), wall(2.5, (0, 255, 0))
    for meshes in ([near, far], [far, near]):
        picture = render(join(meshes), CAMERA, AMBIENT, background())
        np.testing.assert_array_equal(picture.image, background((255, 0, 0)))
        np.testing.assert_allclose(picture.depth_m, 2.0, rtol=1e-6)


def test_depth_of_a_sphere_is_its_distance():
    picture = render(sphere(rings=60), Camera(200.0, (24.0, 16.0)), Lights(), background())
    assert picture.depth_m[16, 24] == pytest.approx(2.5, abs=2e-3)


def test_a_face_is_lit_by_the_cosine_of_its_angle_to_the_light():
    for degrees in (0, 30, 60, 89):
        towards = [[np.sin(np.radians(degrees)), 0, -np.cos(np.radians(degrees))]]
        lights = Lights(directions=towards, colours=[[1, 1, 1]], ambient=(0, 0, 0))
        picture = render(wall(colour=(200, 100, 50)), CAMERA, lights, background())
        expected = np.round(np.array([200, 100, 50]) * np.cos(np.radians(degrees)))
        np.testing.assert_allclose(picture.image[16, 24], expected, atol=1)


def test_light_from_behind_a_face_does_not_reach_it():
    lights = Lights(directions=[[0, 0, 1]], colours=[[1, 1, 1]], ambient=(0.5, 0.5, 0.5))
    picture = render(wall(colour=(200, 100, 50)), CAMERA, lights, background())
    np.testing.assert_array_equal(picture.image, background((100, 50, 25)))


def test_opacity_mixes_mesh_and_background():
    picture = render(wall(colour=(200, 100, 50)), CAMERA, AMBIENT, background((0, 200, 150)), opacity=0.5)
    np.testing.assert_array_equal(picture.image, background((100, 150, 100)))


def test_texture_is_seen_where_its_corners_say_and_only_there():
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 0], texture[0, 1], texture[1, 0], texture[1, 1] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
    uv = np.array([[0.0, 1], [1, 1], [1, 0], [0, 0]])  # v is up, y is down
    textured = wall(2.0, face_uv=uv[[[0, 2, 1], [0, 3, 2]]], texture=texture)
    mesh = join([textured, box((0, 0, 1.0), (0.1, 0.1, 0.1), np.eye(3), (9, 9, 9))])
    image = render(mesh, Camera(10.0, (24.0, 16.0)), AMBIENT, background()).image
    np.testing.assert_array_equal(image[4, 10], (255, 0, 0))
    np.testing.assert_array_equal(image[4, 38], (0, 255, 0))
    np.testing.assert_array_equal(image[28, 10], (0, 0, 255))
    np.testing.assert_array_equal(image[28, 38], (255, 255, 255))
    assert (render(mesh, CAMERA, AMBIENT, background()).image[16, 24] == 9).all()


def test_a_box_has_flat_sides_that_face_outwards():
    turn = np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]])
    mesh = box((0.1, 0.2, 3), (1, 2, 0.5), turn, (255, 255, 255))
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    normals = np.cross(b - a, c - a)
    assert ((normals * ((a + b + c) / 3 - (0.1, 0.2, 3))).sum(1) > 0).all()
    assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx(2 * (1 * 2 + 2 * 0.5 + 1 * 0.5))


def test_a_body_shades_what_lies_under_it_and_nothing_else():
    corners = np.array([[-4.0, 0.8, 0.5], [4, 0.8, 0.5], [4, 0.8, 8], [-4, 0.8, 8]])
    lights = Lights(directions=[[0, -1, 0]], colours=[[0.8, 0.8, 0.8]], ambient=(0.2, 0.2, 0.2))
    ground = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), (200, 200, 200), casts_shadow=np.zeros(2, bool))
    mesh = join([sphere(), ground])
    plain = render(mesh, CAMERA, lights, background())
    shaded = render(mesh, CAMERA, lights, background(), shadows=Shadows(strength=1.0))
    column, row = CAMERA.project(np.array([0.0, 0.8, 3.0])).astype(int)
    np.testing.assert_allclose(shaded.image[row, column], 40, atol=1)
    np.testing.assert_array_equal(shaded.image[row, 0], plain.image[row, 0])
    assert (shaded.image.astype(int) <= plain.image).all()
    np.testing.assert_array_equal(shaded.face_id, plain.face_id)


def test_a_convex_body_does_not_shadow_its_own_lit_side():
    plain = render(sphere(rings=40), CAMERA, ABOVE, background())
    shaded = render(sphere(rings=40), CAMERA, ABOVE, background(), shadows=Shadows(strength=1.0))
    assert np.abs(plain.image.astype(int) - shaded.image).max() <= 24  # only the grazing rim may differ


def test_the_background_as_ground_is_dark_under_the_body_only():
    lights = Lights(directions=[[0, -1, 0]], colours=[[0.8, 0.8, 0.8]], ambient=(0.2, 0.2, 0.2))
    shadows = Shadows(strength=0.5, ground=(0, 1, 0, 0.8), softness_px=0)
    image = render(sphere(), CAMERA, lights, background((200, 200, 200)), shadows=shadows).image
    column, row = CAMERA.project(np.array([0.0, 0.8, 3.0])).astype(int)
    np.testing.assert_array_equal(image[row, column], 100)
    np.testing.assert_array_equal(image[:5], 200)  # above the horizon
    np.testing.assert_array_equal(image[row, 0], 200)


def test_same_input_same_bytes():
    first, second = (
        render(sphere(), CAMERA, Lights(), background(), shadows=Shadows(ground=(0, 1, 0, 1.0))) for _ in range(2)
    )
    assert first.image.tobytes() == second.image.tobytes()
    assert first.depth_m.tobytes() == second.depth_m.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (40, 5)])
def test_any_shape_of_picture(size):
    picture = render(wall(), CAMERA, AMBIENT, background(size=size))
    assert picture.image.shape == (*size, 3)
    assert (picture.face_id >= 0).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="vertex indices below 3"):
        Mesh(np.zeros((3, 3)), np.array([[0, 1, 3]]), (1, 1, 1))
    with pytest.raises(ValueError, match="finite"):
        Mesh(np.full((3, 3), np.nan), np.array([[0, 1, 2]]), (1, 1, 1))
    with pytest.raises(ValueError, match="uint8 background"):
        render(wall(), CAMERA, AMBIENT, np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="one colour and one direction"):
        Lights(directions=[[0, 0, 1]], colours=[[1, 1, 1], [1, 1, 1]])
    with pytest.raises(ValueError, match="positive focal"):
        Camera(0.0, (1, 1))


@pytest.mark.parametrize("centre", [(0.2, 0.1, 3.0), (1.4, 0.9, 3.0), (9.0, 0.0, 3.0), (0.1, 0.1, 0.3)])
def test_ids_are_those_of_the_whole_picture_wherever_the_mesh_lies(centre):
    mesh = sphere(centre)
    picture = render(mesh, CAMERA, AMBIENT, background())
    np.testing.assert_array_equal(picture.face_id, rasterise(mesh.vertices, mesh.faces, CAMERA, (32, 48)).face_id)


def test_a_picture_outlives_the_next_one():
    first = render(sphere(), CAMERA, AMBIENT, background(), supersample=1)
    kept = first.image.copy(), first.face_id.copy(), first.depth_m.copy()
    render(wall(), CAMERA, AMBIENT, background(), supersample=1)
    for before, after in zip(kept, (first.image, first.face_id, first.depth_m), strict=True):
        np.testing.assert_array_equal(before, after)
