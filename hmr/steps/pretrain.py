"""`hmr pretrain`: normalized sets in; an encoder that finds keypoints out, for all variants to start from."""

import argparse
from pathlib import Path

import torch

from hmr.device import pick_device, reproducible
from hmr.errors import UserError
from hmr.params import TrainParams, load_params, pretraining_facts, to_plain
from hmr.training import loop, pretrain, runs
from hmr.training.inputs import batches_of

NAME = "encoder"
_HELP = """
Trains the encoder of params.yaml's `train` section, without any overlay, to find the 19 keypoints in the pictures of
train.datasets_2d, for train.pretraining.steps steps. Interrupted, it goes on where it was.

  hmr pretrain --data results/normalize/lsp_extended-train.h5 --out results/train/encoder/checkpoint.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="normalized training sets (.h5)")
    parser.add_argument("--out", type=Path, required=True, help="encoder to write (.safetensors)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where an interrupted run waits (default: runs)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare batches; changes no result")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> None:
    params = load_params(args.params).train
    if not params.pretraining.steps:
        raise UserError(f"{args.params}: train.pretraining.steps is 0, so there is nothing to pre-train")
    params = pretrain.pretraining(params)
    device = pick_device(args.device)
    origin = {
        "variant": NAME,
        "train": to_plain(params),
        "inputs": runs.input_hashes(args.data),
        "code_sha256": runs.loaded_code_sha256(),
    }
    decisive = {**origin, "train": pretraining_facts(params), "device": device.type, "torch": torch.__version__}
    folder = args.runs / f"{NAME}-{runs.fingerprint(decisive)}"
    if runs.is_finished(folder):
        print(f"{NAME}: already trained with these parameters, data and code; taken from {folder}")
    else:
        with reproducible(params.optimiser.torch_threads):
            _train(args, params, origin, folder, device)
    runs.hand_out(folder, args.out)


def _train(args: argparse.Namespace, params: TrainParams, origin: dict, folder: Path, device: torch.device) -> None:
    state = pretrain.new_state(params, device)
    loop.resume(state, folder / runs.STATE, device, name=NAME)
    loop.run(
        state,
        params,
        pretrain.objective,
        pretrain.WEIGHTS,
        batches_of(args.data, params),
        device,
        workers=args.workers,
        keep=folder / runs.STATE,
    )
    runs.finish(folder, state.network.encoder, state.log, origin)
