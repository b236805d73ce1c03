"""`hmr normalize`: a raw data set in its official layout in, one normalized HDF5 out."""

import argparse
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from hmr.body.joints import MPI_INF_3DHP_17
from hmr.catalogue import DATASETS
from hmr.data.boxes import boxed
from hmr.data.readers import reader_of
from hmr.data.writing import Counts, join_stores, write_store
from hmr.errors import UserError
from hmr.files import MANIFEST, manifest_sha256, read_json
from hmr.params import NormalizeParams, load_params

_HELP = """
Takes any folder in the data set's official layout, from the studio, from the owners or your own.

  hmr normalize lsp --split test --raw data/raw/lsp --out results/normalize/lsp-test.h5

Sets of long videos can be read subject by subject, by several processes or machines, and joined:

  hmr normalize human36m --split test --raw data/raw/human36m --subject S9 --out S9.h5
  hmr normalize human36m --split test --raw data/raw/human36m --subject S11 --out S11.h5
  hmr normalize human36m --split test --join S9.h5 S11.h5 --out results/normalize/human36m-test.h5
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("dataset", choices=sorted(DATASETS), metavar="DATASET", help=", ".join(sorted(DATASETS)))
    parser.add_argument("--split", required=True, choices=("train", "test"))
    parser.add_argument("--raw", type=Path, help="folder in the data set's official layout")
    parser.add_argument("--subject", help="one subject alone, as a part to be joined")
    parser.add_argument("--join", type=Path, nargs="+", metavar="PART", help="parts to join, in the catalogue's order")
    parser.add_argument("--out", type=Path, required=True, help="normalized data set to write (.h5)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))


def run(args: argparse.Namespace) -> None:
    dataset, params = DATASETS[args.dataset], load_params(args.params).normalize
    if args.split not in dataset.splits:
        raise UserError(f"{args.dataset}: expected split {' or '.join(dataset.splits)}, found {args.split}")
    if (args.raw is None) == (args.join is None):
        raise UserError("hmr normalize: expected either --raw FOLDER or --join PART ...; see 'hmr normalize --help'")
    counts = join_stores(args.out, args.join, params) if args.join else _read(args, params)
    print(" ".join((args.dataset, args.split, *([args.subject] if args.subject else ()))) + f": {counts.summary()}")


def _read(args: argparse.Namespace, params: NormalizeParams) -> Counts:
    """The raw folder as one store, or one of its subjects as a part of it."""
    dataset = DATASETS[args.dataset]
    if not args.raw.is_dir():
        raise UserError(
            f"{args.raw}: expected the raw folder of {dataset.title}, found nothing there; "
            f"make it with 'hmr download {args.dataset}' or bring it from {dataset.homepage}"
        )
    subjects = dataset.subjects_by(params.filters, args.split)
    if args.subject and args.subject not in subjects:
        known = ", ".join(subjects) or f"none, as {args.dataset}'s {args.split} split is read in one go"
        raise UserError(f"--subject: expected one of the split's ({known}), found {args.subject}")
    cv2.setNumThreads(1)
    only = {"subject": args.subject} if args.subject else {}
    samples = boxed(reader_of(args.dataset)(args.raw, args.split, params, **only), params.boxes)
    progress = tqdm(samples, desc=f"{args.dataset} {args.split}", unit="person", mininterval=5, disable=None)
    attributes = _attributes(args.dataset, args.split, args.raw)
    return write_store(args.out, progress, attributes=attributes, params=params, part=bool(args.subject))


def _attributes(dataset: str, split: str, raw: Path) -> dict[str, Any]:
    """Root attributes: who made the data, under which licence, from which files."""
    manifest = read_json(raw / MANIFEST) if (raw / MANIFEST).is_file() else {}
    if not isinstance(manifest, dict):
        raise UserError(f"{raw / MANIFEST}: expected source, licence and files, found a list; make the raw data again")
    attributes = {
        "dataset": dataset,
        "split": split,
        "source": manifest.get("source", "official"),
        "licence": manifest.get("licence", DATASETS[dataset].licence),
        "raw_sha256": manifest_sha256(raw),
    }
    if (dataset, split) == ("mpi_inf_3dhp", "test"):
        attributes["joint_names"] = MPI_INF_3DHP_17.joints
    return attributes
