"""`hmr evaluate`: predictions and labels in; metrics.json, and per-sample figures as CSV beside it, out."""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from hmr.catalogue import BENCHMARKS
from hmr.data.store import open_store
from hmr.evaluation.predictions import read_predictions
from hmr.evaluation.protocols import Result, protocol_for
from hmr.files import atomic_path, write_json

_HELP = """
--rules spin counts as SPIN's evaluation does, which many later papers follow: Human3.6M from the pelvis joint (it needs
joints_3d_native_m as well) and protocol 2 over both takes; MPI-INF-3DHP without perspective correction; LSP the same.

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
    parser.add_argument("--out", type=Path, required=True, help="metrics to write (.json); a .csv appears beside it")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="not read: protocols are fixed")


def run(args: argparse.Namespace) -> None:
    with open_store(args.labels) as labels:
        protocol = protocol_for(args.benchmark, labels, args.rules)
        predictions = read_predictions(args.predictions, sample_ids=labels["sample_id"], needed=protocol.needed)
        result = protocol.evaluate(labels, predictions)
    metrics = {"benchmark": args.benchmark, **result.metrics}
    metrics |= {} if args.rules == "paper" else {"rules": args.rules}
    metrics |= {name: predictions.attributes[name] for name in _TIME if name in predictions.attributes}
    _write_csv(args.out.with_suffix(".csv"), result)
    write_json(args.out, rounded(metrics))
    shown = {name: value for name, value in rounded(metrics).items() if isinstance(value, (int, float))}
    print(f"{args.benchmark}: " + ", ".join(f"{name} {value:g}" for name, value in sorted(shown.items())))


_TIME = ("seconds_per_image", "device")  # there if prediction was timed


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
