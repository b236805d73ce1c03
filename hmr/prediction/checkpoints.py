"""Which network a checkpoint file holds: one of this program's, or one in SPIN's form."""

from dataclasses import dataclass
from pathlib import Path

import torch

from hmr.data.augment import VIEW_REFERENCE_PX
from hmr.models import spin
from hmr.prediction.predictor import NetworkSource
from hmr.training.checkpoint import load_checkpoint

# ASSUME: such networks were trained on views in which the joints' box, 1.2 times enlarged, fills the picture; a
# person who is 150 across in the paper's views is then about 187.
_SPIN_SCALE = 1.25


@dataclass(frozen=True)
class Loaded:
    """A network ready to look, and the views that it wants."""

    source: NetworkSource
    image_px: int
    scale: float  # of the person, relative to the paper's views


def open_network(path: Path, device: torch.device) -> Loaded:
    """Load a checkpoint: .pt, .pth and .tar are in SPIN's form, others this program's. UserError for anything else."""
    if path.suffix in (".pt", ".pth", ".tar"):
        return Loaded(NetworkSource(spin.load_spin(path), device, spin.IMAGE_PX), spin.IMAGE_PX, _SPIN_SCALE)
    checkpoint = load_checkpoint(path)
    model = checkpoint.params.model
    source = NetworkSource(checkpoint.network(), device, model.image_px)
    return Loaded(source, model.image_px, VIEW_REFERENCE_PX / model.view_px)
