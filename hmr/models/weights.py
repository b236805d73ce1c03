"""Weights that other programs made, read without executing anything and fitted to a network strictly, by name."""

import pickle
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hmr.errors import UserError

CLASSIFIER = ("fc.weight", "fc.bias")
_COUNTER = "num_batches_tracked"


def read_weights(path: Path, way_out: str) -> dict[str, Tensor]:
    """The dictionary of tensors in a .safetensors or PyTorch file, alone or under `model` or `state_dict`."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a checkpoint, found nothing there; {way_out}")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: expected weights alone, found something else or part of one ({said}); {way_out}"
        ) from None
    if isinstance(content, dict):
        content = next((content[key] for key in ("model", "state_dict") if key in content), content)
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: expected a dictionary of tensors, found something else; {way_out}")
    return {name.removeprefix("module."): value for name, value in content.items()}


def _unpickled(path: Path) -> object:
    return torch.load(path, map_location="cpu", weights_only=True)


def check_shapes(weights: Mapping[str, Tensor], network: nn.Module, path: Path, way_out: str) -> dict[str, Tensor]:
    """Those of the weights that the network has, each of its shape; UserError names the first that is not there."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items() if not name.endswith(_COUNTER)}
    for name, shape in wanted.items():
        found = tuple(weights[name].shape) if name in weights else "none"
        if found != shape:
            raise UserError(f"{path}: {name}: expected shape {shape}, found {found}; {way_out}")
    return {name: weights[name] for name in wanted}


def load_encoder(path: Path, encoder: nn.Module, ignored: Collection[str] = CLASSIFIER) -> None:
    """Give an encoder the weights of a file that has exactly its names and shapes, and a classifier's at most."""
    way_out = "set train.model.encoder to the network that the file holds, or its weights to none"
    weights = read_weights(path, way_out)
    kept = check_shapes(weights, encoder, path, way_out)
    if left := sorted(name for name in weights.keys() - kept.keys() - set(ignored) if not name.endswith(_COUNTER)):
        raise UserError(
            f"{path}: {left[0]}: not a weight of this encoder, nor are {len(left) - 1} others in the file; {way_out}"
        )
    encoder.load_state_dict(kept, strict=False)
