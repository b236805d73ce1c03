"""`hmr detector`: a detector that finds people in any pose, for `hmr predict` and `hmr demo`."""

import argparse
import tempfile
from pathlib import Path

from hmr.download.blazepose import FOLDER, LICENCE, WHEEL, unpack_networks
from hmr.errors import UserError
from hmr.photos.detectors import INTERPRETER, has_interpreter

_HELP = f"""
BlazePose's two networks (9 MB) lie as data in the wheel of {WHEEL.pin} (36 MB), which your pip fetches and nobody
installs. Their interpreter is an extra of this program. Both once:

  {INTERPRETER}
  hmr detector

From then on `hmr predict` and `hmr demo`, run in this folder, find people with them. The pipeline needs none of this.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr detector`."""
    parser.epilog = _HELP
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help=f"folder to make; default {FOLDER}")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="take them from this wheel instead of fetching one")


def run(args: argparse.Namespace) -> None:
    """Make the folder."""
    if args.out.exists():
        raise UserError(f"{args.out}: expected a new folder, found something there; choose another --out or delete it")
    with tempfile.TemporaryDirectory() as temporary:
        unpack_networks(args.wheel or WHEEL.fetch(Path(temporary)), args.out)
    print(f"detector: BlazePose in {args.out}; {LICENCE}")
    if not has_interpreter():
        print(f"its interpreter is missing: {INTERPRETER}")
