"""`hmr evaluate`: predictions and labels in; metrics.json, and per-sample figures as CSV beside it, out."""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from hmr.catalogue import BENCHMARKS, DATASETS
from hmr.data.store import open_store
from hmr.errors import UserError
from hmr.evaluation.predictions import read_predictions
from hmr.evaluation.protocols import Result, by_training_distance, labels_name, protocol_for
from hmr.files import atomic_path, write_json

_HELP = """
--rules spin counts as SPIN's evaluation does, which many later papers follow: Human3.6M from the pelvis joint (it needs
joints_3d_native_m as well) and protocol 2 over both takes; MPI-INF-3DHP without perspective correction; LSP the same.

lsp-keypoints takes LSP-extended's labels as well, real photographs that anybody can have. All of that set is for
training: what was trained on it is only fitted there, not tested.

--training adds each sample's distance from the nearest training pose to F.csv, and the errors by quarters of it to
F.json (Human3.6M and MPI-INF-3DHP).

Works on any program's predictions: an HDF5 with sample_id as in the labels (order is free) and the columns that the
benchmark needs. Writes F.json, and F.csv with a line per sample.

  hmr evaluate --benchmark human36m-p1 --predictions results/predict/paired/human36m.h5 \\
      --labels results/normalize/human36m-test.h5 --out results/evaluate/paired/human36m-p1.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("--benchmark", required=True, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rules", default="paper", metavar="NAME", help="whose way of counting: paper (default), spin")
    parser.add_argument("--predictions", type=Path, required=True, help="predictions of the benchmark's test set (.h5)")
    parser.add_argument("--labels", type=Path, required=True, help="normalized test set (.h5)")
    parser.add_argument(
        "--training",
        nargs="*",
        type=Path,
        default=[],
        metavar="F.h5",
        help="normalized training sets with 3D joints: errors by distance from their poses",
    )
    parser.add_argument("--out", type=Path, required=True, help="metrics to write (.json); a .csv appears beside it")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="not read: protocols are fixed")


def run(args: argparse.Namespace) -> None:
    with open_store(args.labels) as labels:
        protocol = protocol_for(args.benchmark, labels, args.rules)
        predictions = read_predictions(args.predictions, sample_ids=labels["sample_id"], needed=protocol.needed)
        result = protocol.evaluate(labels, predictions)
        if args.training and DATASETS[labels.attributes["dataset"]].has_3d:
            result = by_training_distance(result, labels, _training_joints(args.training))
        other = {} if labels_name(labels) == f"{BENCHMARKS[args.benchmark]} test" else {"labels": labels_name(labels)}
    metrics = {"benchmark": args.benchmark, **other, **result.metrics}
    metrics |= {} if args.rules == "paper" else {"rules": args.rules}
    metrics |= {name: predictions.attributes[name] for name in _TIME if name in predictions.attributes}
    _write_csv(args.out.with_suffix(".csv"), result)
    write_json(args.out, rounded(metrics))
    shown = {name: value for name, value in rounded(metrics).items() if isinstance(value, (int, float))}
    print(f"{args.benchmark}: " + ", ".join(f"{name} {value:g}" for name, value in sorted(shown.items())))


def _training_joints(paths: list[Path]) -> np.ndarray:
    """(N, 14, 3) 3D joints of training sets. UserError if there are none."""
    found = []
    for path in paths:
        with open_store(path) as store:
            found.append(store["joints_3d_m"][store["has_joints_3d"]].astype(np.float64))
    if not sum(map(len, found)):
        raise UserError(f"{paths[0]}: --training: expected samples with 3D joints, found none; leave it out")
    return np.concatenate(found)


_TIME = ("seconds_per_image", "device")  # another program's; ours go round the metrics, whose bytes would differ


def rounded(value: Any) -> Any:
    """Plain numbers with six decimals, so that the last bits of a sum do not show up as changes."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 6)
    return int(value) if isinstance(value, np.integer) else value


def _write_csv(path: Path, result: Result) -> None:
    columns = {name: np.asarray(values).tolist() for name, values in result.per_sample.items()}
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(map(rounded, row) for row in zip(*columns.values(), strict=True))
