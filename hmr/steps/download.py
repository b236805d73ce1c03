"""`hmr download`: one raw data set in its owners' layout, rendered by the studio or from their own archives."""

import argparse
import importlib
import shutil
from pathlib import Path

from hmr.body.file import read_body_file
from hmr.catalogue import DATASETS
from hmr.errors import UserError
from hmr.files import atomic_folder, write_manifest
from hmr.params import DownloadParams, load_params

MOCAP = "mocap"
NAMES = (*DATASETS, MOCAP)
MADE_HERE = "MADE_BY_HMR_DOWNLOAD.txt"  # marks folders that may be replaced
CHECKSUMS = "checksums.json"
_MADE_HERE_TEXT = "'hmr download' makes this folder and replaces it as a whole. Keep nothing of your own in it.\n"
_OPEN_LICENCE = "CC0-1.0 (rendered by the studio from CC0 data)"
_HELP = """
The parameters' download.source says where from: studio renders the set with the body; official takes the owners'
archives, or, where a set is gated, says what to put where and checks it.

  hmr download lsp --raw data/raw/lsp --body results/body/body.npz --jobs 4

Official archives are held to a SHA-256: one that is known, or that of their first use, which checksums.json beside the
raw folder keeps.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr download`."""
    parser.epilog = _HELP
    parser.add_argument("dataset", choices=NAMES, metavar="DATASET", help=", ".join(NAMES))
    parser.add_argument("--raw", type=Path, required=True, metavar="DIR", help="raw folder to make")
    parser.add_argument("--body", type=Path, metavar="FILE", help="body file that the studio renders")
    parser.add_argument(
        "--form", metavar="NAME", help="release for the studio to write: lsp, lsp_extended: high-resolution; coco: 2017"
    )
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
    """Render the set."""
    from hmr.studio.shoot import Studio  # official archives must not need the renderer

    if args.body is None:
        raise UserError("--body: expected the body file that the studio renders; make one with 'hmr body --out FILE'")
    if args.jobs < 1:
        raise UserError(f"--jobs: expected 1 or more, found {args.jobs}")
    layout, size = importlib.import_module(f"hmr.studio.layouts.{args.dataset}"), getattr(params.studio, args.dataset)
    forms = getattr(layout, "FORMS", ())
    if args.form and args.form not in forms:
        raise UserError(
            f"--form: {args.dataset} is written as {' or '.join(forms) or 'one form only'}, not {args.form}"
        )
    form = {"form": args.form} if args.form else {}
    _refuse_foreign(args.raw)
    facts: dict[str, object] = {"source": "studio", "licence": _licence(args.body), "seed": params.seed, **form}
    with atomic_folder(args.raw) as raw:
        if args.dataset == MOCAP:
            clips = _real_clips(facts) if size.real_takes else []
            layout.write_mocap(raw, Studio(args.body), size, params.seed, clips)
        else:
            layout.write(raw, Studio(args.body), size, params.seed, jobs=args.jobs, **form)
        _finish(raw, args.dataset, **facts)


def _real_clips(facts: dict[str, object]) -> list:
    """Real motion from a wheel; what the manifest says of it is added to `facts`."""
    from hmr.download.humanoid import LICENCE, SOURCE, fetch_clips

    try:
        clips = fetch_clips()
    except UserError as error:
        raise UserError(f"{error}; or do without: download.studio.mocap.real_takes: 0") from None
    facts |= {"source": f"studio, and {SOURCE}", "licence": f"{facts['licence']}; humanoid/: {LICENCE}"}
    return clips


def _from_owners(args: argparse.Namespace, params: DownloadParams) -> None:
    """Fetch an open set's archives; check a gated set's folder, which only its user can fill."""
    from hmr.download import gated
    from hmr.download.sources import SOURCES

    if args.dataset in SOURCES:
        _refuse_foreign(args.raw)
        _fetch_all(args.raw, args.dataset)
    else:
        gated.check(args.raw, args.dataset)
        facts = {"dataset": args.dataset, "source": "official", "licence": gated.licence_of(args.dataset)}
        write_manifest(args.raw, **facts)


def _fetch_all(folder: Path, dataset: str) -> None:
    """Archives are kept until the whole set stands, so that a run that breaks off fetches nothing twice."""
    from hmr.download.fetch import fetch, remember
    from hmr.download.sources import SOURCES
    from hmr.download.unpack import unpack

    about, archives = DATASETS[dataset], folder.parent / f".{folder.name}.archives"
    print(f"{about.title}: {about.licence}; cite {about.citation}")
    with atomic_folder(folder) as raw:
        used = {}
        for archive in SOURCES[dataset]:
            path, url, sha256 = fetch(archive, archives, folder.parent / CHECKSUMS)
            unpack(path, archive, raw)
            if archive.sha256 is None:
                remember(url, sha256, folder.parent / CHECKSUMS)
            used[url] = sha256
        _finish(raw, dataset, source="official", licence=about.licence, archives=used)
    shutil.rmtree(archives)


def _finish(raw: Path, dataset: str, **facts: object) -> None:
    (raw / MADE_HERE).write_text(_MADE_HERE_TEXT)
    write_manifest(raw, dataset=dataset, **facts)


def _refuse_foreign(raw: Path) -> None:
    """Data that somebody brought is not replaced."""
    if raw.is_dir() and any(raw.iterdir()) and not (raw / MADE_HERE).is_file():
        raise UserError(
            f"{raw}: expected a folder that 'hmr download' made, found one without {MADE_HERE}, which may be your own; "
            "move it away, or give it to 'hmr normalize' as it is"
        )


def _licence(body: Path) -> str:
    """The studio's pictures are CC0 if the body that they show is; else that body's licence governs them."""
    source = str(read_body_file(body)["source"])
    return _OPEN_LICENCE if "(CC0)" in source else f"that of the body shown ({source})"
