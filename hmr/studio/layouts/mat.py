"""MATLAB 5 files that are the same bytes whenever they are written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import scipy.io

_HEADER = b"MATLAB 5.0 MAT-file"
_HEADER_BYTES = 116  # of text, free by the format; SciPy puts the time there


def write_mat(path: Path, variables: Mapping[str, Any]) -> None:
    """Write MATLAB variables, without the time stamp that SciPy leaves in the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, variables)
    with open(path, "r+b") as file:
        file.write(_HEADER.ljust(_HEADER_BYTES))
