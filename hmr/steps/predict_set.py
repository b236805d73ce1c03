"""`hmr predict-set`: a checkpoint (or the mean body) and a normalized test set in, predictions.h5 out."""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hmr.body.file import read_body_file
from hmr.body.joints import MPI_INF_3DHP_17
from hmr.body.model import BodyModel
from hmr.data import augment
from hmr.data.store import Store, open_store
from hmr.device import pick_device, reproducible
from hmr.evaluation.predictions import write_predictions
from hmr.files import sha256_file
from hmr.geometry.affine import compose, invert, transform
from hmr.mocap.pool import open_pool
from hmr.params import load_params
from hmr.prediction.parts import part_labels
from hmr.prediction.predictor import Bodies, MeanSource, NetworkSource, ThetaSource, batched, bodies_of
from hmr.training.checkpoint import load_checkpoint
from hmr.training.start import mean_start

_HELP = """
Every sample of the test set is seen once, at the centre of its crop and at reference scale.

  hmr predict-set --checkpoint results/train/paired/checkpoint.safetensors \\
      --data results/normalize/human36m-test.h5 --body results/body/body.npz --out predictions.h5

--time also stores how long prediction took; it is off by default, since it makes two runs' files differ.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", type=Path, help="trained network (.safetensors)")
    source.add_argument("--mean-body", type=Path, metavar="POOL", help="predict this mocap pool's mean body instead")
    parser.add_argument("--data", type=Path, required=True, help="normalized test set (.h5)")
    parser.add_argument("--body", type=Path, required=True, help="body file (.npz or .pkl)")
    parser.add_argument("--out", type=Path, required=True, help="predictions to write (.h5)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--time", action="store_true", help="store seconds_per_image")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> None:
    device = pick_device(args.device)
    source, image_px = _source(args, device)
    batch_size = load_params(args.params).predict.batch_size
    with open_store(args.data) as store, reproducible(1):
        columns, seconds = _predict(store, source, args.body, image_px, batch_size)
        attributes = {
            "dataset": store.attributes["dataset"],
            "joint_names": json.dumps(MPI_INF_3DHP_17.joints),
            "made_from": json.dumps(_origin(args), sort_keys=True),
        }
    if args.time:
        attributes |= {"seconds_per_image": seconds / max(1, len(columns["sample_id"])), "device": str(device)}
    write_predictions(args.out, columns, attributes)


def _source(args: argparse.Namespace, device: torch.device) -> tuple[ThetaSource, int]:
    if args.checkpoint is None:
        return MeanSource(mean_start(open_pool(args.mean_body))), load_params(args.params).train.model.image_px
    checkpoint = load_checkpoint(args.checkpoint)
    return NetworkSource(checkpoint.network(), device), checkpoint.params.model.image_px


def _origin(args: argparse.Namespace) -> dict[str, str]:
    named = {"model": args.checkpoint or args.mean_body, "data": args.data, "body": args.body}
    return {name: sha256_file(path) for name, path in named.items()}


def _predict(
    store: Store, source: ThetaSource, body_path: Path, image_px: int, batch_size: int
) -> tuple[dict[str, np.ndarray], float]:
    """All columns of predictions.h5, and the seconds that the network and the body model took."""
    body, faces = BodyModel.load(body_path), read_body_file(body_path)
    with_parts = "part_labels_png" in store
    crop_to_image, seconds, parts = store["crop_to_image"], 0.0, []
    for batch in tqdm(list(batched(len(store), batch_size)), unit="batch", mininterval=5, disable=None):
        rows = range(batch.start, batch.stop)
        views = augment.plain_views(len(rows))
        to_view = augment.view_matrices(views, crop_px=int(store.attributes["crop_px"]), image_px=image_px)
        images = np.stack([augment.warp(store.images(i), m, image_px) for i, m in zip(rows, to_view, strict=True)])
        began = time.perf_counter()
        bodies = bodies_of(source(images), body)
        seconds += time.perf_counter() - began
        view_to_image = compose(crop_to_image[batch], invert(to_view))
        parts.append(_columns(bodies, view_to_image, image_px))
        if with_parts:
            drawn = [_draw_parts(store, i, bodies, k, view_to_image[k], image_px, faces) for k, i in enumerate(rows)]
            parts[-1]["part_labels_png"] = drawn
    columns = {name: _joined([part[name] for part in parts]) for name in parts[0]} if parts else {}
    return {"sample_id": store["sample_id"], **columns}, seconds


def _columns(bodies: Bodies, view_to_image: np.ndarray, image_px: int) -> dict[str, np.ndarray | list]:
    keypoints_px = transform(view_to_image, augment.from_norm(bodies.keypoints_norm, image_px))
    return {
        "joints_3d_m": bodies.joints_3d_m,
        "joints_3d_native_m": bodies.joints_3dhp_m,
        "keypoints_2d_px": keypoints_px.astype(np.float32),
        "camera": bodies.camera,
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
