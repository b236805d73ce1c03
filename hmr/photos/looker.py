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
from hmr.photos.detectors import Detector, open_detector
from hmr.photos.recovery import Body, recover
from hmr.prediction.checkpoints import Loaded, open_network

_NOBODY_LOOKED = "nobody: where they are was said"


@dataclass(frozen=True)
class Looker:
    """A network that is ready to look."""

    network: Loaded
    model: BodyModel
    body: dict[str, np.ndarray]
    detector: Detector | None
    advice: str | None  # how to find more people
    told: dict[str, Any]

    @classmethod
    def open(cls, checkpoint: Path | None, body_path: Path, device: str, networks: Path | None) -> Self:
        """UserError for files that are no network and no body.

        networks: where `hmr detector` put the detector's; None where people need not be looked for.
        """
        checkpoint = checkpoint or newest_checkpoint(Path("results"))
        body = read_body_file(body_path)
        detector, advice = open_detector(networks) if networks else (None, None)
        return cls(
            network=open_network(checkpoint, pick_device(device)),
            model=BodyModel(body),
            body=body,
            detector=detector,
            advice=advice,
            told=about(checkpoint, body_path, str(body["source"]), detector.name if detector else _NOBODY_LOOKED),
        )

    def bodies(self, image: np.ndarray, boxes: np.ndarray) -> list[Body]:
        """A body for each box (n, 4) of a picture, uint8 (H, W, 3)."""
        return recover([(image, people.place_of(box)) for box in boxes], self.network, self.model)
