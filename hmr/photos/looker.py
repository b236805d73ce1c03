"""All that looking at pictures needs, opened once: network, body, detector, and what to tell of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.device import pick_device
from hmr.errors import UserError
from hmr.params import SmplifyParams
from hmr.photos import people
from hmr.photos.about import EXPECT_OF_FITS, about, default_checkpoint
from hmr.photos.detectors import INTERPRETER, Detector, has_interpreter, open_detector
from hmr.photos.fitting import JointFitter
from hmr.photos.recovery import Body, recover
from hmr.prediction.checkpoints import Loaded, open_network

UNSEEN = "no joints are seen, and no network is there to guess; train one, or give --checkpoint"
_NO_NETWORK = (
    "results/train: expected a trained network, found none; run 'snakemake --cores 2 all' first, give --checkpoint and"
    " --body, or fit bodies without one by --fit"
)
_NOBODY_LOOKED = "no detector: --tight or --boxes says where they are"


@dataclass(frozen=True)
class Fit:
    """What a fit to seen joints needs beside BlazePose."""

    pool: Path
    settings: SmplifyParams


@dataclass(frozen=True)
class Looker:
    """A network, a fitter, or both, ready to look."""

    network: Loaded | None
    device: torch.device
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
        """UserError for files that are no network and no body, and where there is neither a network nor a fit.

        networks: where `hmr detector` put BlazePose's. find: whether people will be looked for.
        """
        checkpoint = checkpoint or default_checkpoint(Path("results"))
        if checkpoint is None and fit is None:
            raise UserError(_NO_NETWORK)
        if fit:
            _check_fit(networks, fit)
        body, chosen = read_body_file(body_path), pick_device(device)
        network, model = open_network(checkpoint, chosen) if checkpoint else None, BodyModel(body)
        detector, advice = open_detector(networks) if find else (None, None)
        fitter = JointFitter.open(networks, fit.pool, model, fit.settings) if fit else None
        told = about(checkpoint, body_path, str(body["source"]), detector.name if detector else _NOBODY_LOOKED)
        return cls(
            network=network,
            device=chosen,
            model=model,
            body=body,
            detector=detector,
            advice=advice,
            fitter=fitter,
            told=told | ({"fitted_by": fitter.name, "expect": EXPECT_OF_FITS} if fitter else {}),
        )

    @property
    def scale(self) -> float:
        """Of the person in what is looked at, relative to the paper's view; fits look at that."""
        return self.network.scale if self.network else 1.0

    def bodies(self, image: np.ndarray, boxes: np.ndarray) -> list[Body | None]:
        """A body for each box (n, 4) of a picture, uint8 (H, W, 3); None as in `recover`."""
        return self.recover([(image, people.place_of(box)) for box in boxes])

    def recover(self, views: Sequence[tuple[np.ndarray, people.Place]]) -> list[Body | None]:
        """A body for each picture, uint8 (H, W, 3), and place in it; None where no network guesses, and no joint is
        seen that a body could be fitted to."""
        bodies = recover(views, self.network, self.model) if self.network else [None] * len(views)
        return bodies if self.fitter is None else self.fitter.fitted(views, bodies, self.model)


def _check_fit(networks: Path, fit: Fit) -> None:
    """What a newcomer lacks, before anything that takes time; the pool's command makes the body as well."""
    if not (networks.is_dir() and has_interpreter()):
        raise UserError(f"--fit: expected BlazePose, found none; once: {INTERPRETER}; hmr detector")
    if not fit.pool.is_file():
        raise UserError(
            f"--fit: expected poses in {fit.pool}, found none; once: snakemake --cores 2 results/mocap/pool.h5"
        )
