"""Checkpoints: weights in safetensors, which cannot execute anything, with what made them beside the weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.models.hmr import Network
from hmr.params import TrainParams, parse_train

SCHEMA = 3


@dataclass(frozen=True)
class Checkpoint:
    """A trained network's weights and origin: variant, parameters, fingerprints of data and code."""

    weights: dict[str, Tensor]
    origin: dict[str, Any]

    @property
    def params(self) -> TrainParams:
        """The parameters that the network was trained with."""
        return parse_train(self.origin["train"])

    def network(self) -> Network:
        """The network with these weights, ready to predict."""
        network = Network(self.params.model, self.weights["regressor.start"])
        network.load_state_dict(self.weights)
        return network.eval()


def save_checkpoint(path: Path, network: nn.Module, origin: dict[str, Any]) -> None:
    """Write weights and origin, whole or not at all, the same bytes for the same values."""
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(path) as temporary:
        # One metadata key: the format keeps several in an order that changes from run to run.
        save_file(weights, temporary, metadata={"hmr": json.dumps({"schema": SCHEMA, **origin}, sort_keys=True)})


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; anything else, or a part of one, is the user's mistake."""
    way_out = "train it again with 'hmr train', or give another --checkpoint"
    if not Path(path).is_file():
        raise UserError(f"{path}: expected a checkpoint (.safetensors), found nothing there; {way_out}")
    try:
        with safe_open(path, framework="pt") as file:
            origin = json.loads((file.metadata() or {}).get("hmr", "null"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error}); {way_out}") from None
    if not isinstance(origin, dict) or "schema" not in origin:
        raise UserError(f"{path}: a safetensors file, but not a checkpoint of this program; {way_out}")
    if origin["schema"] != SCHEMA:
        raise UserError(f"{path}: expected a checkpoint of schema {SCHEMA}, found {origin['schema']}; {way_out}")
    return Checkpoint(weights, origin)
