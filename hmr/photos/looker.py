"""All that looking at pictures needs, opened once: network, body, detector, and what to tell of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.device import pick_device
from hmr.errors import UserError
from hmr.params import SmplifyParams
from hmr.photos import people
from hmr.photos.about import EXPECT_OF_FITS, about, newest_checkpoint
from hmr.photos.detectors import INTERPRETER, Detector, has_interpreter, open_detector
from hmr.photos.fitting import JointFitter
from hmr.photos.recovery import Body, recover
from hmr.prediction.checkpoints import Loaded, open_network

_NOBODY_LOOKED = "nobody: where they are was said"


@dataclass(frozen=True)
class Fit:
    """What a fit to seen joints needs beside BlazePose."""

    pool: Path
    settings: SmplifyParams


@dataclass(frozen=True)
class Looker:
    """A network that is ready to look."""

    network: Loaded
    model: BodyModel
    body: dict[str, np.ndarray]
    detector: Detector | None
    advice: str | None  # how to find more people
    fitter: JointFitter | None
    told: dict[str, Any]

    @classmethod
    def open(
        cls,
        checkpoint: Path | None,
        body_path: Path,
        device: str,
        networks: Path,
        *,
        find: bool = True,
        fit: Fit | None = None,
    ) -> Self:
        """UserError for files that are no network and no body.

        networks: where `hmr detector` put BlazePose's. find: whether people will be looked for.
        """
        checkpoint = checkpoint or newest_checkpoint(Path("results"))
        body = read_body_file(body_path)
        network, model = open_network(checkpoint, pick_device(device)), BodyModel(body)
        detector, advice = open_detector(networks) if find else (None, None)
        fitter = _fitter(networks, fit, model) if fit else None
        told = about(checkpoint, body_path, str(body["source"]), detector.name if detector else _NOBODY_LOOKED)
        return cls(
            network=network,
            model=model,
            body=body,
            detector=detector,
            advice=advice,
            fitter=fitter,
            told=told | ({"fitted_by": fitter.name, "expect": EXPECT_OF_FITS} if fitter else {}),
        )

    def bodies(self, image: np.ndarray, boxes: np.ndarray) -> list[Body]:
        """A body for each box (n, 4) of a picture, uint8 (H, W, 3)."""
        return self.recover([(image, people.place_of(box)) for box in boxes])

    def recover(self, views: Sequence[tuple[np.ndarray, people.Place]]) -> list[Body]:
        """A body for each picture, uint8 (H, W, 3), and place in it."""
        bodies = recover(views, self.network, self.model)
        return bodies if self.fitter is None else self.fitter.fitted(views, bodies, self.model)


def _fitter(networks: Path, fit: Fit, model: BodyModel) -> JointFitter:
    if not (networks.is_dir() and has_interpreter()):
        raise UserError(f"--fit: expected BlazePose, found none; once: {INTERPRETER}; hmr detector")
    return JointFitter.open(networks, fit.pool, model, fit.settings)
