"""`hmr report`: metrics, predictions and test sets in; the paper's tables, galleries and a page out."""

import argparse
import contextlib
import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.catalogue import BENCHMARKS
from hmr.data.sheet import contact_sheet
from hmr.data.store import Store, open_store
from hmr.device import reproducible
from hmr.errors import UserError
from hmr.evaluation.predictions import Predictions, read_predictions
from hmr.files import atomic_path, read_json
from hmr.params import load_params
from hmr.prediction.predictor import bodies_of
from hmr.report import gallery, page
from hmr.report.comparison import comparison
from hmr.report.curves import Log, curves_svg
from hmr.report.tables import make_tables, ordered, set_title, variant_title

_HELP = """
A file's variant, benchmark and data set come from its path: evaluate/VARIANT/BENCHMARK.json, predict/VARIANT/SET.h5,
train/VARIANT/training.csv. What was not measured is a dash.

  hmr report --evaluate results/evaluate/*/*.json --predict results/predict/*/*.h5 \\
      --normalize results/normalize/*.h5 --train results/train/*/training.csv \\
      --body results/body/body.npz --out results/report
"""
_CURVES = "training-curves.svg"
_SHOWN = ("camera", "pose_axis_angle", "betas")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("--evaluate", nargs="+", type=Path, required=True, metavar="F.json", help="metrics")
    parser.add_argument(
        "--predict", nargs="*", type=Path, default=[], metavar="F.h5", help="predictions, for galleries"
    )
    parser.add_argument("--normalize", nargs="*", type=Path, default=[], metavar="F.h5", help="normalized sets")
    parser.add_argument("--train", nargs="*", type=Path, default=[], metavar="F.csv", help="training logs, for curves")
    parser.add_argument("--body", type=Path, help="body file (.npz or .pkl), for galleries")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))


def run(args: argparse.Namespace) -> None:
    metrics = _metrics(args.evaluate)
    with contextlib.ExitStack() as stack:
        sets = [stack.enter_context(open_store(path)) for path in args.normalize]
        labels = {_labels_file(store): _jpeg(contact_sheet(store)) for store in sets}
        stores = _test_sets(sets)
        sheets = _galleries(args, stores, load_params(args.params).report.gallery_samples)
        facts = [_facts(name, stores[name]) for name in sorted(stores)]
    sources = {name: store.attributes["source"] for name, store in stores.items()}
    tables = make_tables(metrics, sources)
    if tested := comparison(_per_sample(args.evaluate), sources):
        tables.append(tested)
    files = labels | {"tables.md": page.markdown(tables).encode(), "tables.tex": page.latex(tables).encode()}
    shown = []
    for variant, picture, samples in sheets:
        shown.append(page.Gallery(variant_title(variant), f"gallery-{variant}.jpg", samples))
        files[shown[-1].file] = _jpeg(picture)
    if args.train:
        files[_CURVES] = curves_svg({path.absolute().parent.name: _log(path) for path in args.train}).encode()
    files["index.html"] = page.html(tables, shown, facts, _CURVES if args.train else None, sorted(labels)).encode()
    for name, content in files.items():
        with atomic_path(args.out / name) as temporary:
            temporary.write_bytes(content)
    print(f"{len(files)} files written to {args.out}; open {args.out / 'index.html'}")


def _metrics(paths: list[Path]) -> dict[str, dict[str, dict[str, Any]]]:
    """Metrics by variant and benchmark."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for path in paths:
        variant, benchmark = path.absolute().parent.name, path.stem
        if benchmark not in BENCHMARKS:
            raise UserError(f"{path}: expected VARIANT/BENCHMARK.json with one of {', '.join(BENCHMARKS)}")
        if benchmark in found.setdefault(variant, {}):
            raise UserError(f"{path}: {variant}'s {benchmark} is given twice; leave one out")
        content = read_json(path)
        if not isinstance(content, dict):
            raise UserError(f"{path}: expected metrics by name, found a {type(content).__name__}; evaluate again")
        found[variant][benchmark] = content
    return found


def _per_sample(paths: list[Path]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Columns of the .csv beside each metrics file, by variant and benchmark, where there is one."""
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for path in (path.absolute().with_suffix(".csv") for path in paths):
        if path.is_file():
            names, *lines = csv.reader(path.read_text().splitlines())
            columns = [[line[k] for line in lines] for k in range(len(names))]
            found.setdefault(path.parent.name, {})[path.stem] = dict(zip(names, columns, strict=True))
    return found


def _test_sets(stores: list[Store]) -> dict[str, Store]:
    """Test sets by data set; other splits are passed over."""
    return {str(s.attributes["dataset"]): s for s in stores if s.attributes["split"] == "test"}


def _labels_file(store: Store) -> str:
    """The name of a set's contact sheet."""
    return f"labels-{store.attributes['dataset']}-{store.attributes['split']}.jpg"


def _facts(dataset: str, store: Store) -> page.DataFacts:
    """What the page says about a test set."""
    source = str(store.attributes["source"])
    title = set_title(dataset, {dataset: source})
    return page.DataFacts(title, source, str(store.attributes["licence"]), len(store), len(store.quarantine()))


def _log(path: Path) -> Log:
    try:
        with open(path, newline="") as file:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: expected a training log with numbers, found something else ({error})") from None


def _galleries(args: argparse.Namespace, stores: dict[str, Store], wanted: int) -> list[tuple[str, np.ndarray, int]]:
    """Each variant's contact sheet, and how many samples are on it."""
    by_variant: dict[str, dict[str, Path]] = {}
    for path in args.predict:
        by_variant.setdefault(path.absolute().parent.name, {})[path.stem] = path
    if not by_variant or not stores:
        return []
    if args.body is None:
        raise UserError("--predict: galleries need --body, the body that the predictions were made with")
    body, faces = BodyModel.load(args.body), read_body_file(args.body)["f"]
    rows = gallery.choose({name: len(store) for name, store in stores.items()}, wanted)
    made = []
    for variant in tqdm(ordered(by_variant), desc="galleries", unit="variant", disable=None):
        pictures, captions = [], []
        for dataset in (name for name in rows if name in by_variant[variant]):
            store = stores[dataset]
            title = set_title(dataset, {dataset: store.attributes["source"]})
            drawn = _samples(store, by_variant[variant][dataset], rows[dataset], body, faces)
            pictures += drawn
            captions += [gallery.caption(title, store, row) for row in rows[dataset][: len(drawn)]]
        if pictures:
            made.append((variant, gallery.sheet(pictures, captions), len(pictures)))
    return made


def _samples(store: Store, path: Path, rows: list[int], body: BodyModel, faces: np.ndarray) -> list[list[np.ndarray]]:
    """Panels of some samples; none if another program's predictions say nothing about bodies."""
    predictions = read_predictions(path, sample_ids=store["sample_id"], optional=_SHOWN)
    if not all(name in predictions for name in _SHOWN):
        return []
    with reproducible(1):
        bodies = bodies_of(_theta(predictions, rows), body)
    return [
        gallery.panels(store, row, bodies.vertices[k], faces, bodies.camera[k].astype(float))
        for k, row in enumerate(rows)
    ]


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _theta(predictions: Predictions, rows: list[int]) -> torch.Tensor:
    """(K, 85) camera, pose and shape of some samples."""
    parts = [predictions[name][rows].reshape(len(rows), -1) for name in _SHOWN]
    return torch.from_numpy(np.concatenate(parts, 1).astype(np.float32))
