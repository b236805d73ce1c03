"""Where a training keeps its state, by a fingerprint of all that decides its outcome.

An interrupted training finds its state there and goes on. A finished one finds its result: asked for the same
variant with the same effective parameters, data and code, `hmr train` hands it out again instead of training. That
is what lets a workflow tool delete and ask for outputs freely. The folder is a cache; deleting it costs time only.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hmr.files import sha256_file

STATE = "state.pt"


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


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
