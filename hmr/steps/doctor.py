"""`hmr doctor`: what is installed, what is found, and what each missing thing needs. Changes nothing."""

import argparse
import importlib.metadata
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from hmr.body.file import read_body_file
from hmr.catalogue import DATASETS, Dataset
from hmr.data.store import open_store
from hmr.device import pick_precision
from hmr.download.blazepose import FOLDER
from hmr.errors import UserError
from hmr.files import MANIFEST, read_json
from hmr.params import Params, load_params
from hmr.photos.detectors import open_detector

_PACKAGES = ("torch", "numpy", "opencv-contrib-python-headless", "snakemake", "dvc", "smplx")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr doctor`."""
    parser.add_argument("--raw", type=Path, default=Path("data/raw"), metavar="DIR", help="where raw data sets lie")
    parser.add_argument(
        "--normalized", type=Path, default=Path("results/normalize"), metavar="DIR", help="where normalized sets lie"
    )
    parser.add_argument("--body", type=Path, default=Path("results/body/body.npz"), metavar="FILE", help="body file")
    parser.add_argument("--detector", type=Path, default=FOLDER, metavar="DIR", help="what hmr detector made")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters")


def run(args: argparse.Namespace) -> None:
    """Print one section after the other."""
    params = load_params(args.params)
    sections = {
        "Software": software(),
        "Device": device(),
        f"Data (source: {params.download.source})": data(args.raw, params),
        "Normalized samples": samples(args.normalized),
        "Body": body(args.body, params),
        "People in your own pictures": people(args.detector),
        "Disk": disk(Path()),
    }
    for title, lines in sections.items():
        print("\n".join([title, *(f"  {line}" for line in lines)]))


def software() -> Iterator[str]:
    """Versions of Python and of the packages that matter most."""
    yield f"python {platform.python_version()}"
    for name in _PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} missing: pip install -e ."


def device() -> Iterator[str]:
    """What trains."""
    if torch.cuda.is_available():
        yield f"cuda: {torch.cuda.get_device_name()}"
    else:
        yield "cpu: no GPU found; smoke, open and open-long do without one, paper does not"
        yield f"cpu: of precisions, {pick_precision('auto', torch.device('cpu'))} is faster (train.optimiser.precision)"


def data(raw: Path, params: Params) -> Iterator[str]:
    """Each data set: found or not, wanted or not, and what a missing one needs."""
    for name, dataset in DATASETS.items():
        wanted = name in params.download.datasets
        if (found := found_source(raw / name)) is not None:
            yield f"{name}: found in {raw / name} ({found})"
            if found != "studio":
                yield from _terms(dataset)
        elif not wanted:
            yield f"{name}: not here, and not in download.datasets"
        elif params.download.source == "studio":
            yield f"{name}: not here yet; the workflow renders it"
        else:
            yield from needs(name, dataset, raw)
    yield from _mocap(raw, params)


def samples(folder: Path) -> Iterator[str]:
    """How many samples each normalized set holds and how many were left out, beside what the paper's code counts."""
    for name, dataset in DATASETS.items():
        for split in dataset.splits:
            path, count = folder / f"{name}-{split}.h5", dataset.paper_samples.get(split)
            paper = "no count of the paper's is known" if count is None else f"the paper's code counts {count:,}"
            try:
                with open_store(path) as store:
                    found = f"{len(store):,} kept, {len(store.quarantine()):,} left out"
            except UserError as error:
                found = str(error) if path.is_file() else "not here yet"
            yield f"{name} {split}: {found}; {paper}"


def found_source(folder: Path) -> str | None:
    """Where a raw folder's data came from, or None where there is none."""
    if (folder / MANIFEST).is_file():
        manifest = read_json(folder / MANIFEST)
        return str(manifest.get("source", "official")) if isinstance(manifest, dict) else "official"
    return "no manifest yet" if folder.is_dir() and any(folder.iterdir()) else None


def needs(name: str, dataset: Dataset, raw: Path) -> Iterator[str]:
    """What a missing data set takes: where to go, what the licence asks, where its files belong."""
    yield f"{name}: missing ({dataset.title})"
    yield f"  from     {dataset.homepage}"
    yield from _terms(dataset)
    yield from (f"  file     {raw / name / file}" for file in dataset.files)


def _terms(dataset: Dataset) -> Iterator[str]:
    """What whoever uses a data set owes its owners."""
    yield f"  licence  {dataset.licence}"
    yield f"  cite     {dataset.citation}"


def body(path: Path, params: Params) -> Iterator[str]:
    """The body file, and the one that it is made from."""
    source = params.body.source
    if source != "open" and not Path(source).is_file():
        yield f"{source}: missing; register at https://smpl.is.tue.mpg.de and put the model file there"
    if not path.is_file():
        yield f"{path}: not here yet; the workflow makes it"
        return
    try:
        yield f"{path}: found, {read_body_file(path)['v_template'].shape[0]} vertices"
    except UserError as error:
        yield str(error)


def people(folder: Path) -> Iterator[str]:
    """Who would look for people, and how to get somebody better."""
    try:
        detector, advice = open_detector(folder)
        yield advice or f"found by {detector.name}"
    except UserError as error:
        yield str(error)


def disk(folder: Path) -> Iterator[str]:
    """Free space."""
    yield f"{shutil.disk_usage(folder).free / 1e9:.0f} GB free"


def _mocap(raw: Path, params: Params) -> Iterator[str]:
    if (found := found_source(raw / "mocap")) is not None:
        yield f"mocap: found in {raw / 'mocap'} ({found})"
    elif params.download.source == "studio":
        yield "mocap: not here yet; the workflow makes it"
    else:
        yield "mocap: missing; any of .asf with .amc, .c3d, AMASS .npz, MoSh .pkl (docs/datasets.md)"
        yield f"  file     {raw / 'mocap'}/..."
