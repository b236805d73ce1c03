"""The z-buffer against an independent ray tracer, and the laws of perspective."""

import numpy as np
import pytest

from hmr.render import Camera, rasterise

CAMERA = Camera(focal_px=(60.0, 55.0), principal_px=(25.3, 17.9))
SIZE_PX = (37, 53)


def trace(vertices, faces, camera, size_px, near_m=0.01):
    """Nearest face along each pixel's ray (Moller and Trumbore), and its depth. All faces against all pixels."""
    fx, fy, cx, cy = camera.intrinsics
    y, x = np.mgrid[: size_px[0], : size_px[1]] + 0.5
    rays = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], -1).reshape(-1, 1, 3)
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    across = np.cross(rays, c - a)
    det = ((b - a) * across).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (-a * across).sum(-1) / det
        other = np.cross(-a, b - a)
        v = (rays * other).sum(-1) / det
        depth = ((c - a) * other).sum(-1) / det
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth >= near_m)
    depth = np.where(hit, depth, np.inf)
    nearest = depth.argmin(1)
    found = np.take_along_axis(depth, nearest[:, None], 1)[:, 0]
    return np.where(np.isfinite(found), nearest, -1).reshape(size_px), found.reshape(size_px)


def triangles(seed, count=60, low=(-1.5, -1.0, 1.0), high=(1.5, 1.0, 4.0), size=0.6):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(low, high, (count, 1, 3)) + rng.normal(0, size, (count, 3, 3)) * (1, 1, 0.5)
    return corners.reshape(-1, 3), np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


@pytest.mark.parametrize("seed", range(6))
def test_every_pixel_sees_the_face_a_ray_tracer_finds(seed):
    vertices, faces = triangles(seed)
    seen = rasterise(vertices, faces, CAMERA, SIZE_PX)
    face_id, depth = trace(vertices, faces, CAMERA, SIZE_PX)
    assert (face_id >= 0).mean() > 0.5
    np.testing.assert_array_equal(seen.face_id, face_id)
    hit = face_id >= 0
    np.testing.assert_allclose(1 / seen.inverse_depth[hit], depth[hit], rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_faces_that_cross_the_camera_plane_are_cut_at_the_near_plane(seed):
    vertices, faces = triangles(seed, count=25, low=(-0.5, -0.5, -0.6), high=(0.5, 0.5, 0.8), size=0.5)
    depth = vertices[faces][..., 2]
    assert ((depth < 0).any(1) & (depth > 0.1).any(1)).sum() > 5
    seen = rasterise(vertices, faces, CAMERA, SIZE_PX, near_m=0.1)
    np.testing.assert_array_equal(seen.face_id, trace(vertices, faces, CAMERA, SIZE_PX, near_m=0.1)[0])


def test_barycentrics_rebuild_the_point_on_the_ray():
    vertices, faces = triangles(3)
    seen = rasterise(vertices, faces, CAMERA, SIZE_PX)
    row, column = np.nonzero(seen.face_id >= 0)
    u, v = seen.barycentrics[row, column].T.astype(np.float64)
    weights = np.stack([1 - u - v, u, v], 1)
    points = (vertices[faces[seen.face_id[row, column]]] * weights[:, :, None]).sum(1)
    np.testing.assert_allclose(CAMERA.project(points), np.stack([column, row], 1) + 0.5, atol=1e-4)
    np.testing.assert_allclose(points[:, 2] * seen.inverse_depth[row, column], 1, atol=1e-5)


def test_depth_of_a_slanted_plane_is_exact():
    corners = np.array([[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]])
    plane = np.column_stack([corners, 5 + 0.2 * corners[:, 0] - 0.1 * corners[:, 1]])
    seen = rasterise(plane, np.array([[0, 1, 2], [0, 2, 3]]), CAMERA, SIZE_PX)
    fx, fy, cx, cy = CAMERA.intrinsics
    y, x = np.mgrid[: SIZE_PX[0], : SIZE_PX[1]] + 0.5
    expected = 5 / (1 - 0.2 * (x - cx) / fx + 0.1 * (y - cy) / fy)
    np.testing.assert_allclose(1 / seen.inverse_depth, expected, rtol=1e-12)


def test_order_of_the_faces_changes_nothing_but_the_ids():
    vertices, faces = triangles(7)
    order = np.random.default_rng(0).permutation(len(faces))
    seen, shuffled = rasterise(vertices, faces, CAMERA, SIZE_PX), rasterise(vertices, faces[order], CAMERA, SIZE_PX)
    hit = seen.face_id >= 0
    np.testing.assert_array_equal(order[shuffled.face_id[hit]], seen.face_id[hit])
    np.testing.assert_array_equal(shuffled.inverse_depth, seen.inverse_depth)


def test_ties_go_to_the_lower_index():
    vertices, faces = triangles(1, count=1, low=(0, 0, 2), high=(0, 0, 2))
    seen = rasterise(vertices, np.repeat(faces, 3, 0), CAMERA, SIZE_PX)
    assert set(np.unique(seen.face_id)) == {-1, 0}


def test_a_scaled_scene_looks_the_same():
    vertices, faces = triangles(5)
    seen, scaled = rasterise(vertices, faces, CAMERA, SIZE_PX), rasterise(vertices * 4.0, faces, CAMERA, SIZE_PX)
    np.testing.assert_array_equal(seen.face_id, scaled.face_id)
    np.testing.assert_allclose(seen.inverse_depth, scaled.inverse_depth * 4, rtol=1e-12)


@pytest.mark.parametrize("depth_m", [2.0, 5.0, 20.0])
def test_a_flat_mesh_covers_area_by_the_inverse_square_of_its_depth(depth_m):
    square = np.array([[-1.0, -1, depth_m], [1, -1, depth_m], [1, 1, depth_m], [-1, 1, depth_m]])
    seen = rasterise(square, np.array([[0, 1, 2], [0, 2, 3]]), Camera(100.0, (60.0, 60.0)), (120, 120))
    assert (seen.face_id >= 0).sum() == round(200 / depth_m) ** 2


def test_no_cracks_and_no_overlap_along_shared_edges():
    rng = np.random.default_rng(2)
    grid = np.stack(np.meshgrid(np.linspace(-3, 3, 30), np.linspace(-3, 3, 30)), -1).reshape(-1, 2)
    vertices = np.column_stack([grid, 3 + rng.uniform(-0.1, 0.1, len(grid))])
    i = (np.arange(29)[:, None] * 30 + np.arange(29)).ravel()
    faces = np.concatenate([np.stack([i, i + 1, i + 31], 1), np.stack([i, i + 31, i + 30], 1)])
    assert (rasterise(vertices, faces, CAMERA.scaled(8), (296, 424)).face_id >= 0).all()


def test_faces_off_screen_behind_or_without_area_leave_nothing():
    vertices = np.array([[90.0, 0, 1], [91, 0, 1], [90, 1, 1], [0, 0, -2], [1, 0, -2], [0, 1, -2], [0, 0, 2]])
    faces = np.array([[0, 1, 2], [3, 4, 5], [6, 6, 6], [6, 6, 3]])
    seen = rasterise(vertices, faces, CAMERA, SIZE_PX)
    assert (seen.face_id == -1).all()
    assert (seen.inverse_depth == 0).all()


def test_faces_that_reach_far_off_screen_are_safe():
    vertices = np.array([[-1e12, -1e12, 0.0101], [1e12, -1e12, 5.0], [0.0, 1e12, 3.0]])
    seen = rasterise(vertices, np.array([[0, 1, 2]]), CAMERA, SIZE_PX)
    assert seen.face_id.shape == SIZE_PX


def test_empty_mesh_is_background():
    seen = rasterise(np.empty((0, 3)), np.empty((0, 3), np.int32), CAMERA, SIZE_PX)
    assert (seen.face_id == -1).all()
