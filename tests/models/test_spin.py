import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hmr.errors import UserError
from hmr.geometry.rotations import rot6d_to_rotmat
from hmr.models.hmr import read_theta
from hmr.models.spin import SpinNetwork, load_spin


@pytest.fixture(scope="module")
def weights():
    """Small random weights under the names and shapes that such checkpoints have."""
    torch.manual_seed(0)
    network = SpinNetwork()
    for name in ("decpose", "decshape", "deccam"):
        torch.nn.init.xavier_uniform_(getattr(network, name).weight, gain=0.01)
    network.init_pose[:] = torch.eye(3)[:, :2].flatten().repeat(24)
    network.init_cam[:] = torch.tensor([0.9, 0.0, 0.0])
    return network.state_dict()


def saved(path, content):
    torch.save(content, path)
    return path


def test_six_numbers_are_the_first_two_columns():
    rotations = torch.from_numpy(Rotation.random(20, rng=0).as_matrix())
    torch.testing.assert_close(rot6d_to_rotmat(rotations[..., :2].flatten(-2)), rotations)
    any_numbers = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 6)))
    made = rot6d_to_rotmat(any_numbers)
    torch.testing.assert_close(made @ made.mT, torch.eye(3, dtype=made.dtype).expand(20, 3, 3))
    torch.testing.assert_close(torch.linalg.det(made), torch.ones(20, dtype=made.dtype))


def test_names_and_sizes_are_resnet_50s(weights):
    """53 convolutions and 23.5 million weights; the last stage has three blocks of 2,048 channels."""
    convolutions = [name for name, value in weights.items() if value.ndim == 4]
    encoder = [v for n, v in weights.items() if not n.startswith(("fc", "dec", "init")) and "running" not in n]
    assert len(convolutions) == 53 and sum(v.numel() for v in encoder if v.ndim) == 23_508_032
    assert weights["layer4.2.conv3.weight"].shape == (2048, 512, 1, 1)
    assert weights["layer3.0.downsample.0.weight"].shape == (1024, 512, 1, 1)
    assert weights["fc1.weight"].shape == (1024, 2048 + 144 + 13)


@pytest.mark.parametrize("form", ["alone", "under model", "from several GPUs", "by PyTorch before 1.6"])
def test_a_checkpoint_loads_and_predicts(tmp_path, weights, form):
    content = weights
    if form == "under model":
        content = {"model": weights, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
    if form == "from several GPUs":
        content = {f"module.{name}": value for name, value in weights.items()}
    path = saved(tmp_path / "c.pt", content)
    if form == "by PyTorch before 1.6":  # SPIN's own are
        torch.save({"model": weights, "dataset_perm": [2, 0, 1]}, path, _use_new_zipfile_serialization=False)
    network = load_spin(path)
    with torch.inference_mode():
        thetas = network(torch.zeros(2, 3, 64, 64))
    assert thetas.shape == (3, 2, 85) and thetas.isfinite().all()
    rotmat = read_theta(thetas[-1]).full_pose_rotmat
    torch.testing.assert_close(rotmat @ rotmat.mT, torch.eye(3).expand(2, 24, 3, 3), atol=1e-4, rtol=0)


def test_rounds_are_written_out_by_hand(tmp_path, weights):
    """No activation: the first round is one affine map of features and start."""
    network = load_spin(saved(tmp_path / "c.pt", weights))
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        start = torch.cat((network.init_pose, network.init_shape, network.init_cam), 1)
        state = torch.cat((network.encode(image), start), 1)
        hidden = (state @ weights["fc1.weight"].T + weights["fc1.bias"]) @ weights["fc2.weight"].T + weights["fc2.bias"]
        camera = network.init_cam + hidden @ weights["deccam.weight"].T + weights["deccam.bias"]
        betas = network.init_shape + hidden @ weights["decshape.weight"].T + weights["decshape.bias"]
        first = network(image)[0]
    torch.testing.assert_close(first[:, :3], camera, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(first[:, 75:], betas, atol=1e-5, rtol=1e-4)


class Trap:
    """Would run code if it were unpickled."""

    def __reduce__(self):
        return (print, ("executed",))


def test_other_files_are_refused_by_name(tmp_path, weights, capsys):
    changed = dict(weights) | {"fc1.weight": torch.zeros(1024, 5)}
    missing = {name: value for name, value in weights.items() if name != "decpose.bias"}
    (tmp_path / "text.pt").write_text("not a checkpoint")
    cases = {
        saved(tmp_path / "shape.pt", changed): r"fc1.weight: expected shape \(1024, 2205\), found \(1024, 5\)",
        saved(tmp_path / "missing.pt", {"model": missing}): r"decpose.bias: expected shape \(144,\), found none",
        saved(tmp_path / "list.pt", [1, 2]): "expected a dictionary of tensors",
        saved(tmp_path / "trap.pt", {"model": Trap()}): "expected weights alone",
        tmp_path / "text.pt": "expected weights alone",
        tmp_path / "none.pt": "found nothing there",
    }
    for path, message in cases.items():
        with pytest.raises(UserError, match=message) as caught:
            load_spin(path)
        assert "\n" not in str(caught.value)
    assert "executed" not in capsys.readouterr().out
