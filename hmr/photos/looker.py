"""All that looking at pictures needs, opened once: network, body, detector, and what to tell of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.device import pick_device
from hmr.photos import people
from hmr.photos.about import about, newest_checkpoint
from hmr.photos.recovery import Body, recover
from hmr.prediction.checkpoints import Loaded, open_network


@dataclass(frozen=True)
class Looker:
    """A network that is ready to look."""

    network: Loaded
    model: BodyModel
    body: dict[str, np.ndarray]
    detector: people.Detector | None
    told: dict[str, Any]

    @classmethod
    def open(cls, checkpoint: Path | None, body_path: Path, device: str, *, finds: bool) -> Self:
        """UserError for files that are no network and no body. finds: whether people have to be looked for."""
        checkpoint = checkpoint or newest_checkpoint(Path("results"))
        body = read_body_file(body_path)
        return cls(
            network=open_network(checkpoint, pick_device(device)),
            model=BodyModel(body),
            body=body,
            detector=people.Detector() if finds else None,
            told=about(checkpoint, body_path, str(body["source"])),
        )

    def bodies(self, image: np.ndarray, boxes: np.ndarray) -> list[Body]:
        """A body for each box (n, 4) of a picture, uint8 (H, W, 3)."""
        return recover([(image, people.place_of(box)) for box in boxes], self.network, self.model)
