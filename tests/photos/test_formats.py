import io

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.mocap.sources import ClipReader, Source
from hmr.photos.formats import Y_UP, Z_UP, amass, bvh, glb

RATE_HZ = 25.0


@pytest.fixture(scope="module")
def model(toy):
    return BodyModel(toy)


@pytest.fixture(scope="module")
def motion():
    rng = np.random.default_rng(3)
    pose = Rotation.random(5 * 24, random_state=4).as_matrix().reshape(5, 24, 3, 3)
    return pose, rng.normal(size=10), rng.normal(size=(5, 3))


def vertices_of(model, pose, betas):
    posed = model(
        betas=torch.from_numpy(np.broadcast_to(betas, (len(pose), 10)).astype(np.float32)),
        full_pose_rotmat=torch.from_numpy(pose.astype(np.float32)),
    )
    return posed.vertices.numpy(), posed.joints.numpy()


def rest_of(model, betas):
    return model.rest_joints(torch.from_numpy(betas.astype(np.float32))).numpy().astype(np.float64)


def test_glb_is_read_back_by_another_library(toy):
    vertices, faces = toy["v_template"].astype(np.float64), toy["f"].astype(np.int64)
    colours = np.random.default_rng(0).integers(0, 256, (len(vertices), 3)).astype(np.uint8)
    scene = trimesh.load(io.BytesIO(glb(vertices, faces, colours)), file_type="glb", process=False)
    (mesh,) = scene.geometry.values()
    np.testing.assert_allclose(mesh.vertices, vertices @ Y_UP.T, atol=1e-4)
    np.testing.assert_array_equal(mesh.faces, faces)
    np.testing.assert_allclose(
        (mesh.visual.vertex_attributes["color"][:, :3] / 255) ** (1 / 2.2), colours / 255, atol=0.09
    )


def test_amass_poses_the_same_body_in_a_frame_with_z_up(model, motion):
    pose, betas, transl = motion
    arrays = amass(pose, betas, transl, rest_of(model, betas)[0], RATE_HZ)
    turned = Rotation.from_rotvec(arrays["poses_smpl"].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    there, _ = vertices_of(model, turned, arrays["betas"])
    here, _ = vertices_of(model, pose, betas)
    np.testing.assert_allclose(there + arrays["trans"][:, None], (here + transl[:, None]) @ Z_UP.T, atol=1e-4)


def test_amass_has_amass_names_and_shapes(model, motion):
    arrays = amass(*motion, rest_of(model, motion[1])[0], RATE_HZ)
    assert arrays["poses"].shape == (5, 156) and arrays["trans"].shape == (5, 3) and arrays["betas"].shape == (10,)
    assert str(arrays["gender"]) == "neutral" and float(arrays["mocap_framerate"]) == RATE_HZ
    np.testing.assert_array_equal(arrays["poses"][:, :66], arrays["poses_smpl"][:, :66])
    assert not arrays["poses"][:, 66:].any()


def read_bvh(text):
    """Names, parents, offsets (J, 3), channels, frames (T, channels), seconds a frame, by the grammar alone."""
    words = iter(text.split())
    names, parents, offsets, channels, stack = [], [], [], [], []
    ending = False
    for word in words:
        if word in ("ROOT", "JOINT"):
            names.append(next(words))
            parents.append(stack[-1] if stack else -1)
        elif word == "End":
            ending = next(words) == "Site"
        elif word == "{":
            stack.append(None if ending else len(names) - 1)
            ending = False
        elif word == "}":
            stack.pop()
        elif word == "OFFSET":
            offset = [float(next(words)) for _ in range(3)]
            if stack[-1] is not None:
                offsets.append(offset)
        elif word == "CHANNELS":
            channels += [(len(names) - 1, next(words)) for _ in range(int(next(words)))]
        elif word == "MOTION":
            break
    assert next(words) == "Frames:"
    frames = int(next(words))
    assert (next(words), next(words)) == ("Frame", "Time:")
    seconds = float(next(words))
    values = np.array([float(word) for word in words]).reshape(frames, len(channels))
    return names, parents, np.array(offsets), channels, values, seconds


def turns_of(names, channels, values):
    """(T, J, 3, 3): each joint's own turn, channels multiplied in the order in which they are listed."""
    turns = np.tile(np.eye(3), (len(values), len(names), 1, 1))
    for (joint, channel), column in zip(channels, values.T, strict=True):
        if channel.endswith("rotation"):
            turns[:, joint] = (
                turns[:, joint] @ Rotation.from_euler(channel[0], column[:, None], degrees=True).as_matrix()
            )
    return turns


def test_bvh_is_read_back_to_the_same_turns_and_places(model, motion):
    pose, betas, transl = motion
    rest = rest_of(model, betas)
    names, parents, offsets, channels, values, seconds = read_bvh(bvh(pose, rest, transl, RATE_HZ))
    assert sorted(names) == sorted(SMPL_24.joints) and seconds == pytest.approx(1 / RATE_HZ)
    order = [SMPL_24.index(name) for name in names]
    turns = turns_of(names, channels, values)
    expected = pose.copy()
    expected[:, 0] = Y_UP @ pose[:, 0]
    np.testing.assert_allclose(turns, expected[:, order], atol=1e-4)
    world, places = [turns[:, 0]], [values[:, :3]]
    for joint in range(1, len(names)):
        above = parents[joint]
        world.append(world[above] @ turns[:, joint])
        places.append(places[above] + world[above] @ offsets[joint])
    _, joints = vertices_of(model, pose, betas)
    there = (joints + transl[:, None]) @ Y_UP.T * 100
    np.testing.assert_allclose(np.stack(places, 1), there[:, order], atol=2e-3)  # centimetres


def test_the_projects_own_reader_of_amass_finds_the_pose_upright(tmp_path, toy, model, motion):
    pose, betas, transl = motion
    np.savez(tmp_path / "walk.npz", **amass(pose, betas, transl, rest_of(model, betas)[0], RATE_HZ))
    clip = ClipReader(toy, RATE_HZ).read(Source(tmp_path / "walk.npz", "walk"))
    found = Rotation.from_rotvec(np.asarray(clip.pose_axis_angle).reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    expected = pose.copy()
    expected[:, 0] = Y_UP @ pose[:, 0]
    np.testing.assert_allclose(found[:, :22], expected[:, :22], atol=1e-4)
