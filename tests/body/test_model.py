import numpy as np
import pytest
import smplx
import torch
from smplx.utils import Struct

from hmr.body.joints import COCOPLUS_19, LSP_14, MPI_INF_3DHP_17, SMPL_24
from hmr.body.model import BodyModel, named_joints
from hmr.geometry.rotations import axis_angle_to_rotmat, mirror_axis_angle


@pytest.fixture(scope="module")
def model(toy_file):
    return BodyModel.load(toy_file)


def random_body(*batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    betas, pose = rng.normal(size=(*batch, 10)), 0.5 * rng.normal(size=(*batch, 24, 3))
    return torch.from_numpy(betas).float(), torch.from_numpy(pose).float()


def test_zero_pose_and_betas_give_the_template(model):
    posed = model(betas=torch.zeros(10), full_pose_rotmat=torch.eye(3).expand(24, 3, 3))
    torch.testing.assert_close(posed.vertices, model.v_template, atol=1e-6, rtol=0)


def test_agrees_with_smplx(model, toy):
    betas, pose = random_body(5)
    fields = {name: value for name, value in toy.items() if name != "source"}
    nowhere = dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)  # its landmarks are for 6,890 vertices
    reference = smplx.SMPL("", data_struct=Struct(**fields), vertex_ids=nowhere, batch_size=5)
    expected = reference(betas=betas, body_pose=pose[:, 1:].flatten(1), global_orient=pose[:, 0])
    posed = model(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose))
    torch.testing.assert_close(posed.vertices, expected.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(posed.joints, expected.joints[:, :24], atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch", [(), (1,), (2, 3), (0,)])
def test_any_batch_axes(model, batch):
    betas, pose = random_body(*batch)
    posed = model(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose))
    assert posed.vertices.shape == (*batch, len(model.v_template), 3)
    assert model.keypoints(posed.vertices).shape == (*batch, 19, 3)


def test_a_few_vertices_give_the_same_keypoints(model):
    betas, pose = random_body(4)
    few = model.for_keypoints()
    full = model.keypoints(model(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose)).vertices)
    torch.testing.assert_close(
        few.keypoints(few(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose)).vertices), full, atol=1e-6, rtol=0
    )
    assert len(few.v_template) < len(model.v_template)


def test_turning_the_root_turns_the_body_about_its_pelvis(model):
    betas, pose = random_body(3)
    rotmat = axis_angle_to_rotmat(pose)
    turn = axis_angle_to_rotmat(torch.tensor([0.3, 1.0, -0.4]))
    before = model(betas=betas, full_pose_rotmat=rotmat)
    after = model(betas=betas, full_pose_rotmat=torch.cat((turn @ rotmat[:, :1], rotmat[:, 1:]), 1))
    pelvis = before.joints[:, :1]
    torch.testing.assert_close(after.vertices, (before.vertices - pelvis) @ turn.T + pelvis, atol=1e-5, rtol=0)


def test_a_mirrored_pose_gives_the_mirrored_body(model, toy):
    betas, pose = random_body(3)
    swapped = mirror_axis_angle(pose[:, SMPL_24.flip])
    body = model(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose)).vertices
    mirrored = model(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(swapped)).vertices
    torch.testing.assert_close(mirrored[:, toy["mirror"]], body * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-5, rtol=0)


def test_gradients_reach_pose_and_betas_at_the_zero_pose(model):
    betas, pose = torch.zeros(1, 10, requires_grad=True), torch.zeros(1, 24, 3, requires_grad=True)
    model(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose)).vertices.square().sum().backward()
    for gradient in (betas.grad, pose.grad):
        assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0


def test_named_joints_take_keypoints_first_then_smpl_joints():
    keypoints, joints = torch.arange(57.0).reshape(19, 3), -torch.arange(72.0).reshape(24, 3)
    named = named_joints(keypoints, joints, MPI_INF_3DHP_17)
    torch.testing.assert_close(named[MPI_INF_3DHP_17.index("neck")], keypoints[COCOPLUS_19.index("neck")])
    torch.testing.assert_close(named[MPI_INF_3DHP_17.index("pelvis")], joints[SMPL_24.index("pelvis")])


def test_flip_permutations_are_the_methods():
    assert COCOPLUS_19.flip == [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17]
    assert [LSP_14.flip[i] for i in LSP_14.flip] == list(range(14))
