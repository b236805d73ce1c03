"""`hmr report`: metrics, predictions and test sets in; the paper's tables and one page with all figures out."""

import argparse
import contextlib
import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.catalogue import BENCHMARKS
from hmr.data.store import Store, open_store
from hmr.device import reproducible
from hmr.errors import UserError
from hmr.evaluation.predictions import Predictions, read_predictions, read_time
from hmr.files import atomic_path, read_json
from hmr.mocap.pool import open_pool
from hmr.params import load_params, read_yaml
from hmr.prediction.predictor import Bodies, Poser
from hmr.report import gallery, page
from hmr.report.comparison import comparison
from hmr.report.curves import Log, curves_svg
from hmr.report.gallery import Exhibits
from hmr.report.joints import joints_svg
from hmr.report.meshes import faces_text
from hmr.report.motion import motion_strips
from hmr.report.provenance import TestSet, with_provenance
from hmr.report.revisions import WORKSPACE, read_state, side_by_side
from hmr.report.runtimes import graph_svg, read_jobs
from hmr.report.samples import PerSample, Scores
from hmr.report.tables import make_tables, ordered, variant_title

Metrics = dict[str, dict[str, dict[str, Any]]]  # variant -> benchmark -> metrics.json
_HELP = """
A file's variant, benchmark and data set come from its path: evaluate/VARIANT/BENCHMARK.json, predict/VARIANT/SET.h5,
train/VARIANT/training.csv and validation.csv. What was not measured is a dash; seconds an image are read from the
SET.time.json that predict-set --time writes beside predictions.

  hmr report --evaluate results/evaluate/*/*.json --predict results/predict/*/*.h5 \\
      --normalize results/normalize/*.h5 --train results/train/*/*.csv \\
      --mocap results/mocap/pool.h5 --body results/body/body.npz --out results/report

Experiments side by side, from what git keeps of them: revisions, DVC experiments by name, or 'workspace'.

  hmr report --compare main weaker-critics workspace
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("--evaluate", nargs="+", type=Path, metavar="F.json", help="metrics")
    parser.add_argument(
        "--compare", nargs="+", metavar="REV", help="print where revisions' numbers differ, and make no report"
    )
    parser.add_argument("--predict", nargs="*", type=Path, default=[], metavar="F.h5", help="predictions, for pictures")
    parser.add_argument("--normalize", nargs="*", type=Path, default=[], metavar="F.h5", help="normalized sets")
    parser.add_argument("--train", nargs="*", type=Path, default=[], metavar="F.csv", help="training logs, for curves")
    parser.add_argument("--mocap", type=Path, metavar="POOL.h5", help="motion-capture pool, for strips of it")
    parser.add_argument(
        "--times", type=Path, metavar="DIR", help="Snakemake's .snakemake/metadata, for the graph with run times"
    )
    parser.add_argument("--body", type=Path, help="body file (.npz or .pkl), for pictures")
    parser.add_argument("--out", type=Path, help="folder to write to")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))


def run(args: argparse.Namespace) -> None:
    if args.compare:
        names = args.compare if len(args.compare) > 1 else [*args.compare, WORKSPACE]
        print(page.markdown([side_by_side([read_state(name) for name in names])]), end="")
    else:
        _report(args)


def _report(args: argparse.Namespace) -> None:
    if not args.evaluate or args.out is None:
        raise UserError("expected --evaluate and --out, or --compare; see 'hmr report --help'")
    params, plain = load_params(args.params), read_yaml(args.params)
    metrics, per_sample = _timed(_metrics(args.evaluate), args.predict), _per_sample(args.evaluate)
    if args.predict and args.body is None:
        raise UserError("--predict: pictures need --body, the body that the predictions were made with")
    curves = _curves(args.train)
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(open_store(path)) for path in args.normalize]
        tests = _test_sets(stores)
        sources = {name: str(store.attributes["source"]) for name, store in tests.items()}
        sets = {name: _facts(name, tests[name]) for name in sorted(tests)}
        predictions = _predictions(args.predict, tests)
        tables = make_tables(metrics, sources)
        if tested := comparison(per_sample, sources):
            tables.append(tested)
        tables = with_provenance(tables, sets, _models(predictions), params, plain)
        sections, solids, faces = [], [], ""
        if args.body is not None:
            pose, corners = _poser(args.body)
            shown = Exhibits(tests, predictions, Scores(per_sample), lambda theta: pose(theta).vertices, corners)
            grid, solids = gallery.qualitative(shown, params.report.gallery_samples)
            sections += [grid, gallery.monsters(shown), gallery.best_and_worst(shown)]
            sections += _joints(metrics, pose(np.zeros((1, 85))), corners)
            faces = faces_text(corners)
        sections += curves
        if args.mocap is not None and args.body is not None:
            open_pool(args.mocap)  # says what is wrong with a file that is none
            pool = stack.enter_context(h5py.File(args.mocap))
            sections.append(motion_strips(pool, shown.pose, corners))
        sections += [gallery.label_sheets(stores), *_graph(args.times)]
    files = {
        "tables.md": page.markdown(tables),
        "tables.tex": page.latex(tables),
        "index.html": page.html(
            page.Page(tables, list(sets.values()), [s for s in sections if s is not None], solids, faces)
        ),
    }
    for name, content in files.items():
        with atomic_path(args.out / name) as temporary:
            temporary.write_text(content)
    print(f"{len(files)} files written to {args.out}; open {args.out / 'index.html'}")


def _metrics(paths: list[Path]) -> Metrics:
    """Metrics by variant and benchmark."""
    found: Metrics = {}
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


def _timed(metrics: Metrics, predictions: list[Path]) -> Metrics:
    """Metrics with the seconds that their predictions took, where those were timed."""
    times = {(path.absolute().parent.name, path.stem): read_time(path) for path in predictions}
    return {
        variant: {name: entry | times.get((variant, BENCHMARKS[name]), {}) for name, entry in found.items()}
        for variant, found in metrics.items()
    }


def _per_sample(paths: list[Path]) -> PerSample:
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


def _facts(dataset: str, store: Store) -> TestSet:
    facts = {name: str(store.attributes[name]) for name in ("source", "licence", "raw_sha256")}
    return TestSet(dataset, samples=len(store), left_out=len(store.quarantine()), **facts)


def _predictions(paths: list[Path], tests: Mapping[str, Store]) -> dict[str, dict[str, Predictions]]:
    """What the pictures need of every prediction of a test set that is there, by data set and variant."""
    found: dict[str, dict[str, Predictions]] = {}
    for path in (path for path in paths if path.stem in tests):
        ids, wanted = tests[path.stem]["sample_id"], (*gallery.SHOWN, "keypoints_2d_px")
        read = read_predictions(path, sample_ids=ids, optional=wanted)
        found.setdefault(path.stem, {})[path.absolute().parent.name] = read
    return found


def _models(predictions: Mapping[str, Mapping[str, Predictions]]) -> dict[str, dict[str, str]]:
    """What predicted, by data set and variant, as the files themselves say; nothing for another program's."""
    return {
        dataset: {
            variant: json.loads(str(read.attributes["made_from"]))["model"]
            for variant, read in variants.items()
            if "made_from" in read.attributes
        }
        for dataset, variants in predictions.items()
    }


def _curves(paths: list[Path]) -> list[page.Drawing]:
    text = (
        "The losses that each variant's encoder and critics were trained with, and how far off it was on samples of "
        "its own sets that were left out, on logarithmic axes."
    )
    logs: dict[str, list] = {}
    for path in paths:
        logs.setdefault(path.absolute().parent.name, []).extend(_log(path))
    return [page.Drawing("training", "Training", text, curves_svg(logs))] if logs else []


def _joints(metrics: Mapping[str, Mapping[str, Any]], rest: Bodies, faces: np.ndarray) -> list[page.Drawing]:
    """Protocol 1's error per joint, where it was measured."""
    found = {v: metrics[v].get("human36m-p1", {}).get("per_joint", {}) for v in ordered(metrics)}
    errors = {variant_title(v): {j: e["pa_mpjpe_mm"] for j, e in found[v].items()} for v in found if found[v]}
    text = (
        "Mean distance after rigid alignment, protocol 1, in millimetres. Each circle is as large as the error, on the "
        "scale of the body that it is drawn on. The body's right is on the left, as if it faced you."
    )
    facing = np.array([1.0, -1.0, -1.0])  # bodies stand y up; the drawing has y down
    svg = joints_svg(errors, rest.vertices[0] * facing, faces, rest.joints_3d_m[0] * facing)
    return [page.Drawing("joints", "Error per joint", text, svg)] if errors else []


def _graph(folder: Path | None) -> list[page.Drawing]:
    jobs = read_jobs(folder) if folder is not None else []
    text = (
        "The rules that made this page's numbers, from what they read, with the seconds of their jobs added up: on two "
        "cores half as much passes. These times are the run's own, so this figure differs from run to run."
        if any(job.seconds >= 0.5 for job in jobs)
        else "The rules that made this page's numbers, from what they read. How long their jobs took is not known, "
        "since the results were adopted."
    )
    return [page.Drawing("graph", "The pipeline and its run times", text, graph_svg(jobs))] if jobs else []


def _log(path: Path) -> Log:
    try:
        with open(path, newline="") as file:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: expected a training log with numbers, found something else ({error})") from None


def _poser(path: Path) -> tuple[Callable[[np.ndarray], Bodies], np.ndarray]:
    """What turns (K, 85) camera, pose and shape into bodies, and the faces that they share."""
    body = read_body_file(path)
    poser = Poser(BodyModel(body))

    def pose(theta: np.ndarray) -> Bodies:
        with reproducible(1):
            return poser(torch.from_numpy(np.ascontiguousarray(theta, np.float32)))

    return pose, body["f"]
