"""`hmr train VARIANT`: normalized sets, motion capture and a body in; one checkpoint and its training curves out."""

import argparse
from pathlib import Path

from torch import Tensor, nn

from hmr.body.model import BodyModel
from hmr.device import pick_device
from hmr.errors import UserError
from hmr.mocap.pool import open_pool
from hmr.params import TrainParams, effective, load_params, to_plain
from hmr.training import loop, runs
from hmr.training.checkpoint import load_checkpoint
from hmr.training.inputs import batches_of, real_bodies, watched
from hmr.training.live import look_at_bodies
from hmr.training.start import mean_start
from hmr.training.validation import Validation, bodies_of

_HELP = """
Trains a variant of params.yaml's `train` section: `train` itself with the overlay `train.variants.VARIANT`.
Interrupted, it goes on where it was; asked again for a finished training, it hands the result out at once. While it
runs, runs/VARIANT-.../live has its figures (dvc plots show) and a picture of what it sees (bodies.jpg).

  hmr train unpaired --data results/normalize/{lsp,lsp_extended,coco}-train.h5 \\
      --mocap results/mocap/pool.h5 --body results/body/body.npz \\
      --encoder results/train/encoder/checkpoint.safetensors --out unpaired.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("variant", help="a name under train.variants in params.yaml")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="normalized training sets (.h5)")
    parser.add_argument("--mocap", type=Path, required=True, help="motion-capture pool (.h5): critics and mean body")
    parser.add_argument("--body", type=Path, required=True, help="body file (.npz or .pkl)")
    parser.add_argument(
        "--encoder", type=Path, nargs="?", help="what 'hmr pretrain' made, for variants whose encoder starts from it"
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.safetensors)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where interrupted trainings wait (default: runs)"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that prepare batches (default: 1 beside a GPU, else none)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--tensorboard", action="store_true", help="write the figures for TensorBoard too")


def run(args: argparse.Namespace) -> None:
    params = load_params(args.params).variant(args.variant)
    device = pick_device(args.device)
    started = [args.encoder] if args.encoder else runs.own_weights(params)

    def train(keep: Path) -> tuple[nn.Module, runs.Log]:
        pool = open_pool(args.mocap)
        state = loop.new_state(params, mean_start(pool, params.model.view_px), device, _encoder(args.encoder, params))
        loop.resume(state, keep, device, name=args.variant)
        body = BodyModel.load(args.body).for_keypoints().to(device)
        loop.train(
            state,
            params,
            body=body,
            batches=batches_of(args.data, params),
            draw_real=real_bodies(pool, params, device),
            device=device,
            workers=args.workers,
            keep=keep,
            live=runs.live(keep, look_at_bodies(body), state.log, tensorboard=args.tensorboard),
            validation=Validation.of(watched(args.data, params), bodies_of(body), params, device),
        )
        return state.network, state.log

    runs.make(
        args.variant,
        params,
        facts=effective(params),
        inputs=[*args.data, args.mocap, args.body, *started],
        root=args.runs,
        device=device,
        train=train,
        out=args.out,
    )


def _encoder(path: Path | None, params: TrainParams) -> dict[str, Tensor] | None:
    """The pre-trained encoder's weights, where the parameters ask for one."""
    if not params.pretraining.steps:
        return None
    if path is None:
        raise UserError(
            "--encoder: expected what 'hmr pretrain' made, as params.yaml's train.pretraining.steps is not 0"
        )
    checkpoint = load_checkpoint(path)
    if (found := to_plain(checkpoint.params.model.encoder)) != (wanted := to_plain(params.model.encoder)):
        raise UserError(
            f"{path}: expected an encoder with {wanted}, found {found}; set the variant's pretraining.steps to 0, or"
            " pre-train again with these parameters"
        )
    return checkpoint.weights
