import numpy as np
import pytest
import torch

from hmr.models.hmr import Network
from hmr.params import EncoderParams, ModelParams
from hmr.prediction.predictor import NetworkSource, folded


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
    torch.testing.assert_close(NetworkSource(network, torch.device("cpu"))(images), plain, atol=1e-4, rtol=1e-4)
    norms = [sum(isinstance(m, torch.nn.BatchNorm2d) for m in n.modules()) for n in (folded(network), network)]
    assert norms[0] < norms[1]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
