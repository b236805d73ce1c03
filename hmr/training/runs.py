"""Where a training keeps its state, by a fingerprint of all that decides its outcome.

An interrupted training finds its state there and goes on. A finished one finds its result: asked for the same
variant with the same effective parameters, data and code, `hmr train` hands it out again instead of training. That
is what lets a workflow tool delete and ask for outputs freely. The folder is a cache; deleting it costs time only.
"""

import csv
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hmr.device import keep_freed_memory, pick_precision, reproducible
from hmr.errors import UserError
from hmr.files import atomic_path, sha256_file
from hmr.params import TrainParams, to_plain
from hmr.training import processes
from hmr.training.checkpoint import save_checkpoint
from hmr.training.live import Live, Look
from hmr.training.validation import PREFIX

Log = Sequence[Mapping[str, float]]

STATE = "state.pt"
CHECKPOINT = "checkpoint.safetensors"
CURVE = "training.csv"
CHECKS = "validation.csv"
LIVE = "live"


def make(
    name: str,
    params: TrainParams,
    *,
    facts: Mapping[str, Any],
    inputs: Iterable[Path],
    root: Path,
    device: torch.device,
    train: Callable[[Path], tuple[nn.Module, Log]],
    out: Path,
) -> None:
    """Write what a training makes to `out`, and beside it its curve and what was measured while it trained.

    `facts` are those of its parameters that decide its outcome. Under `root`, `train` is called with the path where the
    state is kept and found, unless this very training ended there before.
    """
    origin = {
        "variant": name,
        "train": to_plain(params),
        "precision": pick_precision(params.optimiser.precision, device),
        "inputs": input_hashes(inputs),
        "code_sha256": loaded_code_sha256(),
    }
    decisive = {**origin, "train": facts, "device": device.type, "torch": torch.__version__}
    folder = root / f"{name}-{fingerprint(decisive)}"
    with processes.joined(device):
        first, found = processes.is_first(), is_finished(folder)
        if not found:
            keep_freed_memory()
            with reproducible(params.optimiser.torch_threads):
                network, log = train(folder / STATE)
        elif first:
            print(f"{name}: already trained with these parameters, data and code; taken from {folder}")
        if first:
            if not found:
                finish(folder, network, log, origin)
            hand_out(folder, out)


def live(keep: Path, look: Look, log: Log, *, tensorboard: bool) -> Live | None:
    """What shows a training beside its kept state; only the first of several processes shows anything."""
    if not processes.is_first():
        return None
    return Live(keep.parent / LIVE, look, before=log, tensorboard=tensorboard)


def own_weights(params: TrainParams) -> list[Path]:
    """The user's own file that the encoder starts from, if there is one."""
    wanted = params.model.encoder.weights
    if wanted != "none" and not Path(wanted).is_file():
        raise UserError(
            f"train.model.encoder.weights: expected a file of weights at {wanted}, found nothing; put it there, or set"
            " the key to none"
        )
    return [] if wanted == "none" else [Path(wanted)]


def loaded_code_sha256() -> str:
    """Fingerprint of every module of this package that the process has loaded."""
    modules = {name: module for name, module in sys.modules.items() if name == "hmr" or name.startswith("hmr.")}
    files = {name: getattr(module, "__file__", None) for name, module in modules.items() if name != "hmr.__main__"}
    return _digest({name: sha256_file(Path(path)) for name, path in files.items() if path})


def input_hashes(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each input, by file name."""
    return {path.name: sha256_file(path) for path in map(Path, paths)}


def fingerprint(facts: Mapping[str, Any]) -> str:
    """A name for a run, short enough for a folder."""
    return _digest(facts)[:20]


def is_finished(folder: Path) -> bool:
    """Whether the run ended."""
    return (folder / CHECKPOINT).is_file()


def finish(folder: Path, network: nn.Module, log: Log, origin: dict[str, Any]) -> None:
    """Leave a run's result; its state is not needed any more."""
    names = dict.fromkeys(name for row in log for name in row)
    checks = [name for name in names if name.startswith(PREFIX)]
    _write_rows(folder / CURVE, [name for name in names if name not in checks], log)
    _write_rows(folder / CHECKS, ["step", *checks], [row for row in log if row.keys() & set(checks)])
    save_checkpoint(folder / CHECKPOINT, network, origin)
    (folder / STATE).unlink(missing_ok=True)


def hand_out(folder: Path, checkpoint: Path) -> None:
    """Copy a finished run's curves and checkpoint to where they are wanted."""
    beside = [(name, checkpoint.with_name(name)) for name in (CURVE, CHECKS)]
    for source, target in (*beside, (CHECKPOINT, checkpoint)):
        with atomic_path(target) as temporary:
            shutil.copyfile(folder / source, temporary)


def _write_rows(path: Path, columns: Sequence[str], rows: Log) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([f"{row[name]:.6g}" for name in columns] for row in rows)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
