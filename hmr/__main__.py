"""The `hmr` command: one subcommand per step. Parses arguments and turns a user's mistake into one line."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from hmr import __version__
from hmr.errors import UserError

COMMANDS = {
    "doctor": "say what is installed, which data and body models are found, and what each missing one needs",
    "preset": "write params.yaml for smoke, open, open-long or paper, and say what changed",
    "body": "build the open body, or adopt your own SMPL file",
    "download": "make a raw dataset: from the studio or from its official archives",
    "motions": "fetch fifteen clips of real human motion that are free to use, for hmr mocap",
    "normalize": "turn a raw dataset into one normalized HDF5",
    "mocap": "turn motion capture into SMPL poses and shapes",
    "pretrain": "teach the encoder to find keypoints",
    "train": "train one variant",
    "predict-set": "predict a normalized test set with a checkpoint",
    "evaluate": "score predictions on a benchmark",
    "report": "make the paper's tables and galleries from metrics and predictions",
    "detector": "fetch a detector that finds people in any pose, for predict and demo",
    "predict": "recover bodies from your own pictures",
    "demo": "turn bodies of your own pictures in the browser, on this machine",
    "record": "tell DVC what Snakemake ran, if that is true",
    "adopt": "tell Snakemake what DVC ran, if that is true",
}


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser. Only the named command's module is imported, so `hmr --help` is instant."""
    parser = argparse.ArgumentParser(
        prog="hmr", description="End-to-end recovery of human shape and pose.", epilog="'hmr COMMAND --help' says more."
    )
    parser.add_argument("--version", action="version", version=f"hmr {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == command:
            step_module(name).add_arguments(sub)
    return parser


def step_module(command: str):
    """The module behind a command."""
    return importlib.import_module(f"hmr.steps.{command.replace('-', '_')}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: done; 2: the user's mistake, one line on stderr; 1: ours, with a traceback."""
    argv = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in argv if word in COMMANDS), None)
    parser = build_parser(command)
    if not argv:
        parser.print_help(sys.stderr)
        return 2
    arguments = parser.parse_args(argv)
    try:
        return step_module(arguments.command).run(arguments) or 0
    except UserError as error:
        print(f"hmr {arguments.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
