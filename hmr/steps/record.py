"""`hmr record`: what Snakemake ran goes into DVC's book, if Snakemake vouches for all of it."""

import argparse

from hmr.bookkeeping import dvc_commit, free_page, require_project, stamp, unfinished
from hmr.errors import UserError

_HELP = """
After 'snakemake --cores all all', DVC does not know yet that its stages are done. This writes dvc.lock and fills the
cache, so that 'dvc repro' has nothing to do and 'git commit' fixes the results' versions:

  snakemake --cores all all && hmr record && git add dvc.lock results && git commit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr record`."""
    parser.epilog = _HELP


def run(args: argparse.Namespace) -> None:
    """Commit the workspace to DVC, or say why that would not be the truth."""
    require_project()
    # A lock file written over half-made results would pair new parameters with old numbers.
    if (reason := unfinished()) is not None:
        raise UserError(f"nothing recorded: {reason}")
    dvc_commit()
    free_page()
    stamp()
    print("recorded: dvc.lock and DVC's cache now hold what Snakemake made")
