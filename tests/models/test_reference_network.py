"""The networks against plain ones, written out from their definitions in float64, that are given the same weights."""

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from hmr.models.encoder import Encoder, make_encoder, start_encoder
from hmr.models.hmr import Network
from hmr.params import EncoderParams, ModelParams

Weights = dict[str, Tensor]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [((1, 2, 1), False), ((2, 1, 2), True)]


def random_weights(module: torch.nn.Module, seed: int = 0) -> Weights:
    """Every value its own, statistics of norms too, so that no two can be taken for one another."""
    rng = torch.Generator().manual_seed(seed)
    made = {}
    for name, value in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(value.shape, generator=rng)
        fan = value[0].numel() if value.dim() > 1 else 1
        positive = name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight"))
        made[name] = 0.5 + noise.abs() if positive else noise * (2 / fan) ** 0.5 if fan > 1 else 0.3 * noise
    return made


def norm(x: Tensor, w: Weights, name: str) -> Tensor:
    mean, var, scale, shift = (w[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
    mean, var, scale, shift = (v[:, None, None] for v in (mean, var, scale, shift))
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


def plain_torchvision(image: Tensor, w: Weights, blocks: tuple[int, ...], *, bottleneck: bool) -> Tensor:
    """He et al. 2015 as torchvision and timm build it: norms last, the stride in a stage's first unit (its 3 x 3)."""
    mean, std = (torch.tensor(v, dtype=image.dtype)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    x = F.conv2d(((image + 1) / 2 - mean) / std, w["conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(norm(x, w, "bn1").relu(), 3, 2, 1)
    for stage, count in enumerate(blocks):
        for unit in range(count):
            at, stride = f"layer{stage + 1}.{unit}", 2 if stage and not unit else 1
            if bottleneck:
                y = norm(F.conv2d(x, w[f"{at}.conv1.weight"]), w, f"{at}.bn1").relu()
                y = norm(F.conv2d(y, w[f"{at}.conv2.weight"], stride=stride, padding=1), w, f"{at}.bn2").relu()
                y = norm(F.conv2d(y, w[f"{at}.conv3.weight"]), w, f"{at}.bn3")
            else:
                y = norm(F.conv2d(x, w[f"{at}.conv1.weight"], stride=stride, padding=1), w, f"{at}.bn1").relu()
                y = norm(F.conv2d(y, w[f"{at}.conv2.weight"], padding=1), w, f"{at}.bn2")
            if f"{at}.downsample.0.weight" in w:
                x = norm(F.conv2d(x, w[f"{at}.downsample.0.weight"], stride=stride), w, f"{at}.downsample.1")
            x = (x + y).relu()
    return x.mean((2, 3))


def plain_slim(image: Tensor, w: Weights, blocks: tuple[int, ...], *, bottleneck: bool) -> Tensor:
    """He et al. 2016 as TF-slim builds it: norm and ReLU first, the stride in a stage's last unit, none in the last.

    A projected shortcut sees the unit's input after norm and ReLU; a plain one is the input, every other pixel of it.
    The first pooling is padded on both sides, where TensorFlow pads at the end alone.
    """
    x = F.max_pool2d(F.conv2d(image, w["stem.0.weight"], w["stem.0.bias"], 2, 3), 3, 2, 1)
    number = 0
    for stage, count in enumerate(blocks):
        for unit in range(count):
            at, stride = f"units.{number}", 2 if unit == count - 1 and stage < len(blocks) - 1 else 1
            number += 1
            active = norm(x, w, f"{at}.norm").relu()
            if f"{at}.project.weight" in w:
                shortcut = F.conv2d(active, w[f"{at}.project.weight"], w[f"{at}.project.bias"], stride)
            else:
                shortcut = F.max_pool2d(x, 1, stride)
            r = f"{at}.residual"
            if bottleneck:
                y = norm(F.conv2d(active, w[f"{r}.0.weight"]), w, f"{r}.1").relu()
                y = norm(F.conv2d(y, w[f"{r}.3.weight"], stride=stride, padding=1), w, f"{r}.4").relu()
                y = F.conv2d(y, w[f"{r}.6.weight"], w[f"{r}.6.bias"])
            else:
                y = norm(F.conv2d(active, w[f"{r}.0.weight"], stride=stride, padding=1), w, f"{r}.1").relu()
                y = F.conv2d(y, w[f"{r}.3.weight"], w[f"{r}.3.bias"], padding=1)
            x = shortcut + y
    return norm(x, w, "norm").relu().mean((2, 3))


def plain_regressor(features: Tensor, w: Weights, iterations: int) -> Tensor:
    """Equation 5's loop: three linear layers see features and the last theta, and say what to add to it."""
    theta, thetas = w["regressor.start"].expand(len(features), 85), []
    for _ in range(iterations):
        seen = torch.cat((features, theta), 1)
        for layer in (0, 3, 6):
            seen = seen @ w[f"regressor.layers.{layer}.weight"].T + w[f"regressor.layers.{layer}.bias"]
            seen = seen.relu() if layer < 6 else seen
        theta = theta + seen
        thetas.append(theta)
    return torch.stack(thetas)


def double(weights: Weights) -> Weights:
    return {name: value.double() for name, value in weights.items()}


def agree(ours: Tensor, plain: Tensor) -> None:
    assert plain.std() > 1e-3
    torch.testing.assert_close(ours.double(), plain, rtol=0, atol=1e-5 * float(plain.abs().max()))


def images(px: int = 64) -> Tensor:
    return torch.rand((3, 3, px, px + 32), generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("blocks", "bottleneck"), SIZES)
def test_a_file_in_torchvisions_names_gives_the_features_that_torchvisions_network_has(tmp_path, blocks, bottleneck):
    params = EncoderParams("torchvision", str(tmp_path / "resnet.safetensors"), blocks, 8, bottleneck)
    weights = random_weights(make_encoder(params))
    save_file(weights, params.weights)
    encoder = make_encoder(params).eval()
    start_encoder(encoder, params)
    agree(encoder(images()), plain_torchvision(images().double(), double(weights), blocks, bottleneck=bottleneck))


@pytest.mark.parametrize(("blocks", "bottleneck"), SIZES)
def test_the_papers_encoder_is_tf_slims(blocks, bottleneck):
    encoder = Encoder(blocks=blocks, width=8, bottleneck=bottleneck).eval()
    weights = random_weights(encoder)
    encoder.load_state_dict(weights, strict=False)
    agree(encoder(images()), plain_slim(images().double(), double(weights), blocks, bottleneck=bottleneck))


def test_the_whole_network_of_the_paper():
    """ResNet-50, three iterations, a hidden layer of its own size; on a small picture, for time."""
    blocks = (3, 4, 6, 3)
    encoder = EncoderParams("preactivation", "none", blocks, 16, True)
    params = ModelParams(64, 224, encoder, iterations=3, hidden=96, dropout=0.5, trainable_start=True)
    network = Network(params, torch.zeros(85)).eval()
    weights = random_weights(network)
    network.load_state_dict(weights, strict=False)
    exact = double(weights)
    inner = {name.removeprefix("encoder."): value for name, value in exact.items() if name.startswith("encoder.")}
    features = plain_slim(images().double(), inner, blocks, bottleneck=True)
    agree(network(images()), plain_regressor(features, exact, iterations=3))
