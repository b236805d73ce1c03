"""Encoders under torchvision's names, and weights of the user's own: strictly, by name, or one line."""

import pytest
import torch
from safetensors.torch import save_file

from hmr.errors import UserError
from hmr.models.encoder import Encoder, make_encoder, start_encoder
from hmr.models.resnet import ResNet
from hmr.params import EncoderParams

SMALL = EncoderParams(form="torchvision", weights="none", blocks=(1, 2), width=8, bottleneck=True)


def with_weights(path) -> EncoderParams:
    return EncoderParams(form="torchvision", weights=str(path), blocks=(1, 2), width=8, bottleneck=True)


@pytest.fixture(scope="module")
def weights():
    """What torchvision would save: the encoder's weights and a classifier's."""
    torch.manual_seed(0)
    classifier = {"fc.weight": torch.randn(1000, 64), "fc.bias": torch.randn(1000)}
    return {name: value.clone() for name, value in make_encoder(SMALL).state_dict().items()} | classifier


# Published counts of trainable parameters, less the 513,000 or 2,049,000 of the classifier of 1000 classes.
@pytest.mark.parametrize(
    ("blocks", "bottleneck", "published", "classifier"),
    [((2, 2, 2, 2), False, 11_689_512, 513_000), ((3, 4, 6, 3), True, 25_557_032, 2_049_000)],
)
def test_sizes_are_resnet_18s_and_50s(blocks, bottleneck, published, classifier):
    with torch.device("meta"):
        encoder = ResNet(blocks=blocks, width=64, bottleneck=bottleneck)
    assert sum(p.numel() for p in encoder.parameters()) == published - classifier
    names = encoder.state_dict().keys()
    assert {"conv1.weight", "bn1.running_var", "layer1.0.conv1.weight", "layer4.1.bn2.bias"} <= names
    assert "layer2.0.downsample.0.weight" in names and ("layer1.0.downsample.1.bias" in names) == bottleneck


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("classifier", [True, False])
def test_a_state_dictionary_loads_whole(tmp_path, weights, suffix, classifier):
    """With its classifier or without, as PyTorch or safetensors, with counters of batches or without."""
    kept = {n: v for n, v in weights.items() if (classifier or not n.startswith("fc.")) and "num_batches" not in n}
    path = tmp_path / f"resnet{suffix}"
    save_file(kept, path) if suffix == ".safetensors" else torch.save(kept, path)
    encoder = make_encoder(SMALL)
    start_encoder(encoder, with_weights(path))
    ours = encoder.state_dict()
    assert all(torch.equal(ours[name], weights[name]) for name in ours if "num_batches" not in name)


def test_the_paper_s_form_takes_its_own_names_only(tmp_path, weights):
    params = EncoderParams(
        form="preactivation", weights=str(tmp_path / "own.pt"), blocks=(1,), width=8, bottleneck=False
    )
    other, encoder = make_encoder(params), make_encoder(params)
    torch.save(other.state_dict(), params.weights)
    start_encoder(encoder, params)
    assert isinstance(encoder, Encoder) and torch.equal(encoder.stem[0].weight, other.stem[0].weight)
    torch.save(weights, params.weights)
    with pytest.raises(UserError, match=r"own\.pt: stem\.0\.weight: expected shape \(8, 3, 7, 7\), found none"):
        start_encoder(encoder, params)


class Trap:
    """Would run code if it were unpickled."""

    def __reduce__(self):
        return (print, ("executed",))


def test_what_does_not_fit_is_one_line_and_changes_nothing(tmp_path, weights, capsys):
    name = "layer2.0.conv1.weight"
    cases = {
        "missing": ({n: v for n, v in weights.items() if n != name}, rf"{name}: expected shape .*, found none"),
        "shape": (weights | {name: torch.zeros(3)}, rf"{name}: expected shape \(16, 32, 1, 1\), found \(3,\)"),
        "more": (
            weights | {"layer2.2.conv1.weight": torch.zeros(1)},
            r"layer2\.2\.conv1\.weight: not a weight of this",
        ),
        "trap": ({"model": Trap()}, "expected weights alone"),
        "list": ([1, 2], "expected a dictionary of tensors"),
    }
    for case, (content, message) in cases.items():
        path = tmp_path / f"{case}.pth"
        torch.save(content, path)
        encoder = make_encoder(SMALL)
        before = encoder.conv1.weight.clone()
        with pytest.raises(UserError, match=message) as told:
            start_encoder(encoder, with_weights(path))
        assert case in str(told.value) and "\n" not in str(told.value) and torch.equal(encoder.conv1.weight, before)
    with pytest.raises(UserError, match="found nothing there"):
        start_encoder(make_encoder(SMALL), with_weights(tmp_path / "nowhere.pth"))
    assert "executed" not in capsys.readouterr().out
