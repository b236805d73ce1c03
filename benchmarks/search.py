"""How fast an encoder learns to find keypoints, by settings: the search behind the open preset's network.

Needs the normalized sets of a run (results/normalize). Each argument is one trial: changes to params.yaml's train
section, with commas between them; "as-is" changes nothing.

python benchmarks/search.py as-is model.view_px=224 model.encoder.width=32,model.view_px=176
python benchmarks/search.py --steps 5000 optimiser.batch_size=32 optimiser.batch_size=16,pretraining.learning_rate=0.001

Printed is how far off the keypoints of people are whom the encoder never saw, in halves of the paper's view (1 is 112
reference pixels; a person is 150 across), whatever view the trial has, beside the processor seconds that training took.
"""

import argparse
import time
from functools import reduce
from pathlib import Path

import numpy as np
import torch
import yaml

from hmr.data import augment
from hmr.data.store import open_store
from hmr.device import reproducible
from hmr.models.hmr import network_input
from hmr.params import ModelParams, TrainParams, overlay_on, parse_train, read_yaml
from hmr.training import loop, pretrain
from hmr.training.inputs import batches_of

TESTS = ("human36m", "mpi_inf_3dhp", "lsp")
SAMPLES = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="+", metavar="KEY=VALUE[,...]", help='such as model.view_px=224, or "as-is"')
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--data", type=Path, default=Path("results/normalize"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    args = parser.parse_args()
    train = {name: value for name, value in read_yaml(args.params)["train"].items() if name != "variants"}
    print(f"{'processor s':>11} " + " ".join(f"{name:>13}" for name in TESTS) + "  trial")
    for trial in args.trials:
        params = changed(train, trial, args.steps)
        with reproducible(params.optimiser.torch_threads):
            network, seconds = learned(params, args.data)
            errors = [error_of(network, params.model, args.data / f"{name}-test.h5") for name in TESTS]
        print(f"{seconds:11.0f} " + " ".join(f"{error:13.4f}" for error in errors) + f"  {trial}", flush=True)


def changed(train: dict, trial: str, steps: int) -> TrainParams:
    """The parameters of one trial."""
    for change in [f"pretraining.steps={steps}", *(trial.split(",") if trial != "as-is" else [])]:
        key, _, value = change.partition("=")
        overlay = reduce(lambda inner, name: {name: inner}, reversed(key.split(".")), yaml.safe_load(value))
        train = overlay_on(train, overlay, "train", trial)
    return pretrain.pretraining(parse_train(train, trial))


def learned(params: TrainParams, data: Path) -> tuple[torch.nn.Module, float]:
    """An encoder that learned to find keypoints, and the processor seconds of the process that taught it."""
    device = torch.device("cpu")
    batches = batches_of([data / f"{name}-train.h5" for name in params.datasets_2d], params)
    state, start = pretrain.new_state(params, device), time.process_time()
    loop.run(state, params, pretrain.objective, pretrain.WEIGHTS, batches, device)
    return state.network.eval(), time.process_time() - start


@torch.inference_mode()
def error_of(network: torch.nn.Module, model: ModelParams, path: Path) -> float:
    """Mean distance along x and y of the visible keypoints from the labels, in halves of the paper's view."""
    with open_store(path) as store:
        rows = np.unique(np.linspace(0, len(store) - 1, SAMPLES).astype(int))
        views = augment.plain_views(len(rows))
        matrices = augment.view_matrices(views, crop=store.crop_size, image_px=model.image_px, view_px=model.view_px)
        images = [augment.warp(store.images(int(i)), m, model.image_px) for i, m in zip(rows, matrices, strict=True)]
        moved = augment.move_keypoints(store["keypoints_2d_px"][rows], matrices, views)
        visible = store["visible"][rows]
    places = network(network_input(torch.from_numpy(np.stack(images)))).keypoints_norm.numpy()
    off = np.abs(places - augment.to_norm(moved, model.image_px))[visible]
    return float(off.mean()) * model.view_px / augment.VIEW_REFERENCE_PX


if __name__ == "__main__":
    main()
