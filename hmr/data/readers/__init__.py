"""One file per data set: its official raw layout in, samples out.

`read(raw, split, params)` yields samples in a stable order and, for each person that it leaves out, why. Where the
catalogue names a split's `subjects`, the reader takes one of them as well: `read(raw, split, params, subject=...)`.
"""

import importlib
from collections.abc import Callable, Iterator

from hmr.data.sample import Rejected, Sample

Reader = Callable[..., Iterator[Sample | Rejected]]


def reader_of(dataset: str) -> Reader:
    """The reader of a data set by its name in the catalogue."""
    return importlib.import_module(f"hmr.data.readers.{dataset}").read
