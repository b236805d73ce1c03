"""`hmr train VARIANT`: normalized sets, motion capture and a body in; one checkpoint and its training curve out."""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import torch

from hmr.body.model import BodyModel
from hmr.data.loader import Batches, Pool
from hmr.data.store import open_store
from hmr.device import pick_device, reproducible
from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap.pool import MocapPool, open_pool
from hmr.params import TrainParams, effective, load_params, to_plain, training_inputs
from hmr.training import loop, runs
from hmr.training.checkpoint import save_checkpoint
from hmr.training.objective import RealBodies
from hmr.training.start import mean_start

_HELP = """
Trains a variant of params.yaml's `train` section: `train` itself with the overlay `train.variants.VARIANT`.
Interrupted, it goes on where it was; asked again for a finished training, it hands the result out at once.

  hmr train unpaired --data results/normalize/lsp_extended-train.h5 \\
      --mocap results/mocap/pool.h5 --body results/body/body.npz --out unpaired.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("variant", help="a name under train.variants in params.yaml")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="normalized training sets (.h5)")
    parser.add_argument("--mocap", type=Path, required=True, help="motion-capture pool (.h5): critics and mean body")
    parser.add_argument("--body", type=Path, required=True, help="body file (.npz or .pkl)")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.safetensors)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where interrupted trainings wait (default: runs)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare batches; changes no result")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> None:
    params = load_params(args.params).variant(args.variant)
    device = pick_device(args.device)
    origin = {
        "variant": args.variant,
        "train": to_plain(params),
        "inputs": runs.input_hashes([*args.data, args.mocap, args.body]),
        "code_sha256": runs.loaded_code_sha256(),
    }
    decisive = {**origin, "train": effective(params), "device": device.type, "torch": torch.__version__}
    folder = args.runs / f"{args.variant}-{runs.fingerprint(decisive)}"
    finished = folder / "checkpoint.safetensors"
    if finished.is_file():
        print(f"{args.variant}: already trained with these parameters, data and code; taken from {folder}")
    else:
        with reproducible(params.optimiser.torch_threads):
            _train(args, params, origin, folder, device)
    for source, target in ((folder / "training.csv", args.out.with_name("training.csv")), (finished, args.out)):
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)


def _train(args: argparse.Namespace, params: TrainParams, origin: dict, folder: Path, device: torch.device) -> None:
    pool = open_pool(args.mocap)
    state = loop.new_state(params, mean_start(pool), device)
    if (kept := loop.load_state(folder / runs.STATE, device)) is not None:
        state.restore(kept)
        print(f"{args.variant}: going on from step {state.step} of {params.optimiser.steps}")
    state = loop.train(
        state,
        params,
        body=BodyModel.load(args.body).for_keypoints().to(device),
        batches=_batches(args.data, params),
        draw_real=_real_bodies(pool, params, device),
        device=device,
        workers=args.workers,
        keep=folder / runs.STATE,
    )
    _write_log(folder / "training.csv", state.log)
    save_checkpoint(folder / "checkpoint.safetensors", state.network, origin)
    (folder / runs.STATE).unlink(missing_ok=True)


def _batches(data: list[Path], params: TrainParams) -> Batches:
    """One pool of the sets with 2D labels, one of those with 3D; every file's own `dataset` says where it belongs."""
    by_name = {_dataset_of(path): path for path in data}
    if missing := [name for name in training_inputs(params) if name not in by_name]:
        raise UserError(
            f"--data: no file of {', '.join(missing)}, which params.yaml's train.datasets_2d or datasets_3d name;"
            f" found {', '.join(by_name)}; add the files or shorten the lists"
        )
    groups = [[by_name[name] for name in names] for names in (params.datasets_2d, params.datasets_3d)]
    optimiser = params.optimiser
    return Batches(
        [Pool(group) for group in groups if group],
        steps=optimiser.steps,
        batch_size=optimiser.batch_size,
        image_px=params.model.image_px,
        augmentation=params.augmentation,
        seed=params.seed,
    )


def _dataset_of(path: Path) -> str:
    with open_store(path) as store:
        return str(store.attributes["dataset"])


def _real_bodies(pool: MocapPool, params: TrainParams, device: torch.device) -> loop.DrawReal:
    """As many real bodies as a step has predicted ones: batch size times iterations (the code's 192)."""
    count = params.optimiser.batch_size * params.model.iterations

    def draw(step: int) -> RealBodies:
        pose, betas = pool.sample(np.random.default_rng((params.seed, 3, step)), count)
        rotmat = axis_angle_to_rotmat(torch.from_numpy(pose[:, 1:]).to(device))
        return RealBodies(rotmat, torch.from_numpy(betas).to(device))

    return draw


def _write_log(path: Path, log: list[dict[str, float]]) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, log[0].keys())
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in log)
