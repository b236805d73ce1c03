import numpy as np
import pytest
import torch

from hmr.body.model import BodyModel
from hmr.models.hmr import Network, network_input, read_theta
from hmr.params import EncoderParams, ModelParams
from hmr.prediction.predictor import NetworkSource, Poser, folded


@pytest.mark.parametrize("bottleneck", [False, True])
def test_folding_changes_nothing_but_the_time(bottleneck):
    torch.manual_seed(0)
    encoder = EncoderParams(form="preactivation", weights="none", blocks=(1, 2, 1, 1), width=8, bottleneck=bottleneck)
    network = Network(ModelParams(32, 224, encoder, 3, 32, 0.5, True), torch.zeros(85)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # statistics of a network that has seen something
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    with torch.inference_mode():
        plain = network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1)[-1]
    torch.testing.assert_close(NetworkSource(network, torch.device("cpu"), 32)(images), plain, atol=1e-4, rtol=1e-4)
    norms = [sum(isinstance(m, torch.nn.BatchNorm2d) for m in n.modules()) for n in (folded(network), network)]
    assert norms[0] < norms[1]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("form", ["pyramid", "preactivation", "torchvision"])
def test_recorded_operations_take_batches_of_any_size(form):
    torch.manual_seed(0)
    encoder = EncoderParams(form=form, weights="none", blocks=(1, 1, 1), width=8, bottleneck=False)
    network = Network(ModelParams(32, 224, encoder, 3, 16, 0.5, True), 0.1 * torch.randn(85)).eval()
    look = NetworkSource(network, torch.device("cpu"), 32)
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), np.uint8)
    with torch.inference_mode():
        plain = network(network_input(torch.from_numpy(images)))[-1]
    for count in (0, 1, 2, 70):  # more than go through at a time
        torch.testing.assert_close(look(images[:count]), plain[:count], atol=1e-5, rtol=1e-5)


def test_recorded_bodies_are_the_models(toy_file):
    body, theta = BodyModel.load(toy_file), 0.3 * torch.randn(35, 85, generator=torch.Generator().manual_seed(0))
    estimate, pose = read_theta(theta), Poser(body)
    posed = body(betas=estimate.betas, full_pose_rotmat=estimate.full_pose_rotmat)
    for count in (0, 1, 35):
        found = pose(theta[:count])
        assert len(found.vertices) == len(found.camera) == len(found.joints_3dhp_m) == count
        np.testing.assert_allclose(found.vertices, posed.vertices[:count], atol=5e-5)
        np.testing.assert_allclose(found.keypoints_3d_m, body.keypoints(posed.vertices)[:count], atol=5e-5)
        np.testing.assert_array_equal(found.pose_axis_angle, estimate.full_pose_axis_angle[:count])
        np.testing.assert_array_equal(found.betas, estimate.betas[:count])
