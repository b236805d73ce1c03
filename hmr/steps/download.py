"""`hmr download`: one raw data set in its owners' layout, rendered by the studio or from their own archives."""

import argparse
import importlib
from pathlib import Path

from hmr.body.file import read_body_file
from hmr.catalogue import DATASETS
from hmr.errors import UserError
from hmr.files import atomic_folder, write_manifest
from hmr.params import DownloadParams, load_params

MOCAP = "mocap"
NAMES = (*DATASETS, MOCAP)
_PICTURES = ("lsp", "lsp_extended", "mpii", "coco")  # single pictures, which processes can share out
_OPEN_LICENCE = "CC0-1.0 (rendered by the studio from CC0 data)"
_HELP = """
The parameters' download.source says where from: studio renders the set with the body; official takes the owners'
archives, or, where a set is gated, says what to put where and checks it.

  hmr download lsp --raw data/raw/lsp --body results/body/body.npz --jobs 4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr download`."""
    parser.epilog = _HELP
    parser.add_argument("dataset", choices=NAMES, metavar="DATASET", help=", ".join(NAMES))
    parser.add_argument("--raw", type=Path, required=True, metavar="DIR", help="raw folder to make")
    parser.add_argument("--body", type=Path, metavar="FILE", help="body file that the studio renders")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that render; changes no result")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters")


def run(args: argparse.Namespace) -> None:
    """Make one raw folder with its manifest."""
    params = load_params(args.params).download
    sources = {"studio": _from_studio, "official": _from_owners}
    if params.source not in sources:
        raise UserError(f"{args.params}: download.source: expected studio or official, found {params.source!r}")
    sources[params.source](args, params)


def _from_studio(args: argparse.Namespace, params: DownloadParams) -> None:
    from hmr.studio.shoot import Studio  # official archives must not need the renderer

    if args.body is None:
        raise UserError("--body: expected the body file that the studio renders; make one with 'hmr body --out FILE'")
    if args.jobs < 1:
        raise UserError(f"--jobs: expected 1 or more, found {args.jobs}")
    studio = Studio(args.body)
    layout = importlib.import_module(f"hmr.studio.layouts.{args.dataset}")
    write = layout.write_mocap if args.dataset == MOCAP else layout.write
    spread = {"jobs": args.jobs} if args.dataset in _PICTURES else {}
    with atomic_folder(args.raw) as raw:
        write(raw, studio, getattr(params.studio, args.dataset), params.seed, **spread)
        write_manifest(raw, dataset=args.dataset, source="studio", licence=_licence(args.body), seed=params.seed)


def _licence(body: Path) -> str:
    """The studio's pictures are CC0 if the body that they show is; else that body's licence governs them."""
    source = str(read_body_file(body)["source"])
    return _OPEN_LICENCE if "(CC0)" in source else f"that of the body shown ({source})"


def _from_owners(args: argparse.Namespace, params: DownloadParams) -> None:
    raise UserError("download.source: official archives are not fetched yet; bring them yourself")
