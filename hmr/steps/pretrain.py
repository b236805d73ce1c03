"""`hmr pretrain`: normalized sets in; an encoder that finds keypoints out, for all variants to start from."""

import argparse
from pathlib import Path

from torch import nn

from hmr.device import pick_device
from hmr.errors import UserError
from hmr.params import load_params, pretraining_facts
from hmr.training import loop, pretrain, runs
from hmr.training.inputs import batches_of, watched
from hmr.training.live import look_for_keypoints
from hmr.training.validation import Validation, keypoints_of

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
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that prepare batches (default: 1 beside a GPU, else none)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--tensorboard", action="store_true", help="write the figures for TensorBoard too")


def run(args: argparse.Namespace) -> None:
    params = load_params(args.params).train
    if not params.pretraining.steps:
        raise UserError(f"{args.params}: train.pretraining.steps is 0, so there is nothing to pre-train")
    params = pretrain.pretraining(params)
    device = pick_device(args.device)

    def train(keep: Path) -> tuple[nn.Module, runs.Log]:
        state = pretrain.new_state(params, device)
        loop.resume(state, keep, device, name=NAME)
        batches, weights = batches_of(args.data, params), pretrain.WEIGHTS
        live = runs.live(keep, look_for_keypoints, state.log, tensorboard=args.tensorboard)
        loop.run(
            state,
            params,
            pretrain.objective,
            weights,
            batches,
            device,
            workers=args.workers,
            keep=keep,
            live=live,
            validation=Validation.of(watched(args.data, params), keypoints_of, params, device),
        )
        return state.network.encoder, state.log

    runs.make(
        NAME,
        params,
        facts=pretraining_facts(params),
        inputs=[*args.data, *runs.own_weights(params)],
        root=args.runs,
        device=device,
        train=train,
        out=args.out,
    )
