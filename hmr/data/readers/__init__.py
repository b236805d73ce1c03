"""One file per data set: its official raw layout in, samples out.

`read(raw, split, params)` yields samples in a stable order and, for each person that it leaves out, why.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

from hmr.data.sample import Rejected, Sample
from hmr.params import NormalizeParams

Reader = Callable[[Path, str, NormalizeParams], Iterator[Sample | Rejected]]


def reader_of(dataset: str) -> Reader:
    """The reader of a data set by its name in the catalogue."""
    return importlib.import_module(f"hmr.data.readers.{dataset}").read
