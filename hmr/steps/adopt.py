"""`hmr adopt`: what DVC ran or fetched goes into Snakemake's book, if DVC vouches for all of it."""

import argparse

from hmr.bookkeeping import dvc_is_clean, free_page, require_project, stamp, unfinished
from hmr.errors import UserError

_HELP = """
After 'dvc pull', 'dvc checkout' or 'dvc exp apply', Snakemake sees files of unknown origin with new time stamps. This
gives them their provenance (parameters, code and inputs as they are now) and runs nothing:

  git checkout BRANCH && dvc checkout && hmr adopt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr adopt`."""
    parser.epilog = _HELP


def run(args: argparse.Namespace) -> None:
    """Rewrite Snakemake's metadata, or say why that would not be the truth."""
    require_project()
    if not dvc_is_clean():
        raise UserError("nothing adopted: DVC's stages are not up to date; run 'dvc repro' ('dvc status' lists them)")
    free_page()
    stamp()
    if (reason := unfinished()) is not None:
        raise UserError(f"not all adopted: {reason}")
    print("adopted: Snakemake takes the results as made with the present parameters, code and inputs")
