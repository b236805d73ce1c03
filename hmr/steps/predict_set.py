"""`hmr predict-set`: a checkpoint (or a baseline) and a normalized test set in, predictions.h5 out."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hmr.body.file import read_body_file
from hmr.body.joints import COCOPLUS_19, LSP_14, MPI_INF_3DHP_17
from hmr.body.model import BodyModel
from hmr.data import augment
from hmr.data.store import Store, open_store
from hmr.device import keep_freed_memory, pick_device, reproducible
from hmr.errors import UserError
from hmr.evaluation.predictions import read_predictions, write_predictions, write_time
from hmr.files import sha256_file
from hmr.geometry.affine import compose, invert, transform
from hmr.mocap.pool import open_pool
from hmr.params import Params, load_params
from hmr.prediction.checkpoints import open_network
from hmr.prediction.parts import part_labels
from hmr.prediction.pose_prior import PosePrior
from hmr.prediction.predictor import Bodies, MeanSource, Poser, ThetaSource, batched
from hmr.prediction.smplify import Smplify
from hmr.training.start import mean_start

_HELP = """
Every sample of the test set is seen once, at the centre of its crop and at reference scale.

  hmr predict-set --checkpoint results/train/paired/checkpoint.safetensors \\
      --data results/normalize/human36m-test.h5 --body results/body/body.npz --out predictions.h5

A checkpoint in SPIN's PyTorch form (.pt, .pth, .tar) predicts as well; give the SMPL file that it was trained with.

Baselines instead of a network: --mean-body looks at nothing; --smplify fits bodies to the labelled keypoints, or to
those of other predictions of the same test set, with a pose prior that it learns from the mocap pool:

  hmr predict-set --smplify results/mocap/pool.h5 --keypoints results/predict/paired/lsp.h5 \\
      --data results/normalize/lsp-test.h5 --body results/body/body.npz --out predictions.h5

How long prediction took is printed at the end. --time also writes it beside the predictions, here to
predictions.time.json, for the report's table.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", type=Path, help="trained network (.safetensors), or one in SPIN's form (.pt)")
    source.add_argument("--mean-body", type=Path, metavar="POOL", help="predict this mocap pool's mean body instead")
    source.add_argument("--smplify", type=Path, metavar="POOL", help="fit bodies to keypoints; prior from this pool")
    parser.add_argument("--keypoints", type=Path, metavar="F.h5", help="fit these predictions' keypoints, not labels")
    parser.add_argument("--data", type=Path, required=True, help="normalized test set (.h5)")
    parser.add_argument("--body", type=Path, required=True, help="body file (.npz or .pkl)")
    parser.add_argument("--out", type=Path, required=True, help="predictions to write (.h5)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--time", action="store_true", help="write seconds_per_image beside the predictions")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> None:
    if args.keypoints and not args.smplify:
        raise UserError("--keypoints: only --smplify fits keypoints; leave it out, or give --smplify POOL")
    device, params = pick_device(args.device), load_params(args.params)
    keep_freed_memory()
    with open_store(args.data) as store, reproducible(1):
        source = _source(args, store, params, device)
        columns, seconds = _predict(store, source, args.body, params.predict.batch_size)
        attributes = {
            "dataset": store.attributes["dataset"],
            "joint_names": json.dumps(MPI_INF_3DHP_17.joints),
            "made_from": json.dumps(_origin(args), sort_keys=True),
        }
    each = seconds / max(1, len(columns["sample_id"]))
    write_predictions(args.out, columns, attributes)
    write_time(args.out, each if args.time else None, str(device))
    print(f"{len(columns['sample_id']):,} samples, {each:.5f} s an image on {device}, decoding and drawing left out")


class _Source(Protocol):
    """What says thetas of rows of a test set. Only the second half is timed: decoding is no part of a method."""

    image_px: int  # side of the views that thetas speak of
    scale: float  # of the person in them

    def prepare(self, rows: range, to_view: np.ndarray) -> Any:
        """What `thetas` needs of these rows, seen through maps from crop to view."""
        ...

    def thetas(self, prepared: Any) -> Tensor:
        """(rows, 85)."""
        ...


@dataclass(frozen=True)
class _Looking:
    """Predicts from pictures."""

    store: Store
    source: ThetaSource
    image_px: int
    scale: float = 1.0

    def prepare(self, rows: range, to_view: np.ndarray) -> np.ndarray:
        pairs = zip(rows, to_view, strict=True)
        return np.stack([augment.warp(self.store.images(i), matrix, self.image_px) for i, matrix in pairs])

    def thetas(self, prepared: np.ndarray) -> Tensor:
        return self.source(prepared)


@dataclass(frozen=True)
class _Fitting:
    """Fits bodies to keypoints."""

    keypoints_px: np.ndarray  # (N, 19, 2) in crops
    confidence: np.ndarray  # (N, 19)
    fitter: Smplify
    image_px: int
    device: torch.device
    scale: float = 1.0

    def prepare(self, rows: range, to_view: np.ndarray) -> tuple[Tensor, Tensor]:
        keypoints = transform(to_view, self.keypoints_px[rows.start : rows.stop])
        arrays = (augment.to_norm(keypoints, self.image_px), self.confidence[rows.start : rows.stop])
        return tuple(torch.from_numpy(array.astype(np.float32)).to(self.device) for array in arrays)

    def thetas(self, prepared: tuple[Tensor, Tensor]) -> Tensor:
        return self.fitter.fit(*prepared).cpu()


def _source(args: argparse.Namespace, store: Store, params: Params, device: torch.device) -> _Source:
    """Where thetas come from."""
    image_px = params.train.model.image_px
    if args.checkpoint:
        network = open_network(args.checkpoint, device)
        store.must_show(round(augment.VIEW_REFERENCE_PX / network.scale))
        return _Looking(store, network.source, network.image_px, network.scale)
    pool = open_pool(args.mean_body or args.smplify)
    if args.mean_body:
        return _Looking(store, MeanSource(mean_start(pool)), image_px)
    settings = params.predict.smplify
    prior = PosePrior.learn(pool, components=settings.components, frames=settings.frames, seed=settings.seed)
    fitter = Smplify(BodyModel.load(args.body), prior, mean_start(pool), iterations=settings.iterations).to(device)
    keypoints_px, confidence = _keypoints(args.keypoints, store)
    return _Fitting(keypoints_px, confidence, fitter, image_px, device)


def _keypoints(predictions: Path | None, store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints in crops (N, 19, 2), and how far each counts: the labelled ones, or LSP's 14 of other predictions."""
    if predictions is None:
        return store["keypoints_2d_px"].astype(float), store["visible"].astype(float)
    found = read_predictions(predictions, sample_ids=store["sample_id"], needed=["keypoints_2d_px"])
    return transform(invert(store["crop_to_image"].astype(float)), found["keypoints_2d_px"]), np.tile(
        np.arange(len(COCOPLUS_19)) < len(LSP_14), (len(store), 1)
    )


def _origin(args: argparse.Namespace) -> dict[str, str]:
    named = {"model": args.checkpoint or args.mean_body or args.smplify, "data": args.data, "body": args.body}
    named |= {"keypoints": args.keypoints} if args.keypoints else {}
    return {name: sha256_file(path) for name, path in named.items()}


def _predict(store: Store, source: _Source, body_path: Path, batch_size: int) -> tuple[dict[str, np.ndarray], float]:
    """All columns of predictions.h5, and the seconds that the method and the body model took."""
    body = read_body_file(body_path)
    pose, image_px = Poser(BodyModel(body)), source.image_px
    with_parts = "part_labels_png" in store
    crop_to_image, seconds, parts = store["crop_to_image"], 0.0, []
    for batch in tqdm(list(batched(len(store), batch_size)), unit="batch", mininterval=5, disable=None):
        rows = range(batch.start, batch.stop)
        views = augment.plain_views(len(rows), source.scale)
        to_view = augment.view_matrices(views, crop=store.crop_size, image_px=image_px)
        prepared = source.prepare(rows, to_view)
        began = time.perf_counter()
        bodies = pose(source.thetas(prepared))
        seconds += time.perf_counter() - began
        view_to_image = compose(crop_to_image[batch], invert(to_view))
        parts.append(_columns(bodies, view_to_image, image_px, source.scale))
        if with_parts:
            drawn = [_draw_parts(store, i, bodies, k, view_to_image[k], image_px, body) for k, i in enumerate(rows)]
            parts[-1]["part_labels_png"] = drawn
    columns = {name: _joined([part[name] for part in parts]) for name in parts[0]} if parts else {}
    return {"sample_id": store["sample_id"], **columns}, seconds


def _columns(bodies: Bodies, view_to_image: np.ndarray, image_px: int, scale: float) -> dict[str, np.ndarray | list]:
    """What is stored of bodies. `scale`: how much larger people are in these views than in the paper's, of which the
    stored camera speaks, whatever the network sees."""
    keypoints_px = transform(view_to_image, augment.from_norm(bodies.keypoints_norm, image_px))
    return {
        "joints_3d_m": bodies.joints_3d_m,
        "joints_3d_native_m": bodies.joints_3dhp_m,
        "keypoints_2d_px": keypoints_px.astype(np.float32),
        "camera": bodies.camera / np.array([scale, 1, 1], bodies.camera.dtype),
        "pose_axis_angle": bodies.pose_axis_angle,
        "betas": bodies.betas,
    }


def _draw_parts(
    store: Store, index: int, bodies: Bodies, row: int, view_to_image: np.ndarray, image_px: int, body: dict
) -> np.ndarray:
    """The body's part labels over the source image, as PNG bytes."""
    size_px = store.part_labels(index).shape
    labels = part_labels(bodies.vertices[row], bodies.camera[row], view_to_image, image_px, size_px, body)
    return cv2.imencode(".png", labels)[1].ravel()


def _joined(parts: list) -> np.ndarray | list:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [item for part in parts for item in part]
