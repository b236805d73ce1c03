"""Small inputs of a report."""

import json
from pathlib import Path

import numpy as np

from hmr.__main__ import main
from hmr.data.store import open_store
from hmr.evaluation.predictions import write_predictions

PARAMS = Path(__file__).parents[2] / "hmr" / "presets" / "open.yaml"


def metrics_file(root, variant, benchmark, **metrics):
    path = root / "evaluate" / variant / f"{benchmark}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics))
    return path


def predictions_file(root, variant, labels, seed=0, **extra):
    with open_store(labels) as store:
        ids, dataset = store["sample_id"], store.attributes["dataset"]
    path = root / "predict" / variant / f"{dataset}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pose = 0.1 * rng.normal(size=(len(ids), 24, 3))
    pose[:, 0] = (np.pi, 0, 0)
    columns = {
        "camera": np.tile((0.8, 0, 0), (len(ids), 1)),
        "pose_axis_angle": pose,
        "betas": np.zeros((len(ids), 10)),
    }
    write_predictions(path, {"sample_id": ids, **columns} | extra, {})
    return path


def report(root, *, evaluate, predict=(), normalize=(), train=(), body=None, params=PARAMS):
    words = ["report", "--out", str(root / "report"), "--params", str(params)]
    words += ["--body", str(body)] if body else []
    for flag, paths in {"evaluate": evaluate, "predict": predict, "normalize": normalize, "train": train}.items():
        words += [f"--{flag}", *map(str, paths)] if paths else []
    return main(words)
