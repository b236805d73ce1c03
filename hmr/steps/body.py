"""`hmr body`: build the open body, or adopt the user's own SMPL file."""

import argparse
from pathlib import Path

from hmr.body.file import Body, read_body_file, write_body_file
from hmr.params import load_params


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr body`."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="body file to write: .npz, or .pkl")
    parser.add_argument(
        "--source", metavar="open|FILE", help="'open', or your own SMPL file (default: body.source of the parameters)"
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters")


def run(args: argparse.Namespace) -> None:
    """Write one body file, whole or not at all."""
    source = args.source or load_params(args.params).body.source
    write_body_file(args.out, _build(args.params) if source == "open" else read_body_file(Path(source)))


def _build(params_path: Path) -> Body:
    from hmr.body.open_body import build_open_body  # adopting a file must not need what only building needs

    params = load_params(params_path).body
    return build_open_body(shapes=params.shapes, poses=params.poses, seed=params.seed)
