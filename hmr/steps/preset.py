"""`hmr preset NAME`: a complete set of parameters in, params.yaml and what changed in it out."""

import argparse
from pathlib import Path
from typing import Any

from hmr import __file__ as package
from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.params import load_params, read_yaml

PRESETS = Path(package).parent / "presets"
_HELP = """
  smoke      everything tiny: the whole pipeline in minutes, to see that it runs
  open       the default: data that the studio renders, a network for two processors
  open-long  more pictures, a larger network and hours of training: what open can do with time
  paper      the paper's own settings, on the licensed data

Your own changes to params.yaml are replaced; each one is printed, so that none is lost unseen.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hmr preset`."""
    parser.epilog = _HELP
    parser.add_argument("name", metavar="NAME", help=", ".join(preset_names()))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="file to write")


def run(args: argparse.Namespace) -> None:
    """Write the preset, and print every key whose value it changes."""
    if args.name not in preset_names():
        raise UserError(f"preset {args.name!r}: no such preset; known: {', '.join(preset_names())}")
    preset = PRESETS / f"{args.name}.yaml"
    load_params(preset)
    changes = differences(_present(args.params), read_yaml(preset))
    with atomic_path(args.params) as temporary:
        temporary.write_bytes(preset.read_bytes())
    print("\n".join([*changes, f"{args.params}: preset {args.name}, {len(changes)} values changed"]))


def preset_names() -> list[str]:
    """Presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One line for each dotted key whose value differs: `train.adv_weight: 1.0 -> 0.0`."""
    before, after = _flat(old), _flat(new)
    keys = [*after, *(key for key in before if key not in after)]
    shown = {key: (_shown(before, key), _shown(after, key)) for key in keys if before.get(key) != after.get(key)}
    return [f"{key}: {was} -> {now}" for key, (was, now) in shown.items()]


def _present(path: Path) -> dict[str, Any]:
    """The values that are there now; a missing or broken file has none."""
    try:
        return read_yaml(path)
    except UserError:
        return {}


def _flat(values: dict[str, Any], where: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, dict) and value
        flat |= _flat(value, f"{where}{key}.") if nested else {f"{where}{key}": value}
    return flat


def _shown(flat: dict[str, Any], key: str) -> str:
    return str(flat[key]) if key in flat else "(none)"
