"""Pickles of arrays, read without executing anything.

SMPL files and MoSh results are Python-2 pickles that may hold chumpy objects. They are read with an unpickler that
knows arrays and inert records only: a file that asks for anything else is refused by name, and chumpy is not needed.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from hmr.errors import UserError


def read_pickle(path: Path, *, expected: str, way_out: str) -> dict[str, Any]:
    """A pickled dictionary of arrays. UserError, which says what was `expected` and the `way_out`, for all else."""
    try:
        with open(path, "rb") as file:
            content = _InertUnpickler(file, origin=path).load()
    except UserError:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise UserError(
            f"{path}: expected {expected}, found something else or part of one "
            f"({type(error).__name__}: {_one_line(error)}); {way_out}"
        ) from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a dictionary of arrays, found {type(content).__name__}; {way_out}")
    return {key: _array_of(value, path) for key, value in content.items()}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class _Record:
    """Stands in for a pickled object: keeps its state and does nothing with it."""

    name = "object"

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def attributes(self) -> dict[str, Any]:
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}


def _new_record(kind: type, *_: Any) -> _Record:
    """In place of `copy_reg._reconstructor`, by which Python 2 made objects."""
    if not (isinstance(kind, type) and issubclass(kind, _Record)):
        raise ValueError(f"a pickled {kind} instead of an array or a chumpy object")
    return kind()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """In place of `_codecs.encode`, by which protocol 2 stores bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes stored as {encoding}")
    return text.encode("latin1")


_NUMPY = {  # the functions and classes by which every version of NumPy pickles its arrays
    **{("numpy", name): getattr(np, name) for name in ("ndarray", "dtype")},
    **{
        (f"numpy.{core}.multiarray", name): getattr(np._core.multiarray, name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): np._core.numeric._frombuffer for core in ("core", "_core")},
}
_PLAIN = {
    ("_codecs", "encode"): _encode,
    ("copy_reg", "_reconstructor"): _new_record,
    ("copyreg", "_reconstructor"): _new_record,
    **{(builtins, "object"): object for builtins in ("__builtin__", "builtins")},
    **{(builtins, "set"): set for builtins in ("__builtin__", "builtins")},
    **{(builtins, "bytes"): bytes for builtins in ("__builtin__", "builtins")},
}
_SPARSE = {f"{layout}_{kind}" for layout in ("csc", "csr", "coo") for kind in ("matrix", "array")}


class _InertUnpickler(pickle.Unpickler):
    """Unpickles arrays, and chumpy's and SciPy's objects as inert records. Refuses everything else."""

    def __init__(self, file: Any, *, origin: Path) -> None:
        super().__init__(file, encoding="latin1")  # SMPL's files were written by Python 2
        self.origin = origin

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NUMPY | _PLAIN:
            return (_NUMPY | _PLAIN)[module, name]
        is_sparse = module.split(".")[:2] == ["scipy", "sparse"] and name in _SPARSE
        if is_sparse or module.split(".")[0] == "chumpy":
            return type("_Record", (_Record,), {"name": f"{module}.{name}"})
        raise UserError(
            f"{self.origin}: expected only arrays, found {module}.{name}, which was not executed; "
            "do not trust this file: take it from its owners"
        )


def _array_of(value: Any, path: Path) -> Any:
    """The array, dense or sparse, behind a record; other values as they are."""
    if not isinstance(value, _Record):
        return value
    attributes = value.attributes()
    try:
        if value.name.startswith("scipy"):
            return _sparse_of(value.name.rsplit(".")[-1], attributes)
        if value.name.endswith(".Select"):
            chosen = np.ravel(_array_of(attributes["a"], path))[np.asarray(attributes["idxs"])]
            shape = attributes.get("preferred_shape")
            return chosen if shape is None else chosen.reshape(shape)
        return np.asarray(_array_of(attributes["x"], path))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: expected plain arrays, found a {value.name} that could not be read "
            f"({type(error).__name__}: {_one_line(error)}); resave the file with plain arrays"
        ) from None


def _sparse_of(kind: str, attributes: dict[str, Any]) -> np.ndarray:
    """Rebuild a sparse matrix through its checked constructor: unchecked indices could point outside memory."""
    shape = attributes["_shape"] if "_shape" in attributes else attributes["shape"]
    if kind.startswith("coo"):
        rows, columns = attributes["coords"] if "coords" in attributes else (attributes["row"], attributes["col"])
        return sp.coo_matrix((attributes["data"], (rows, columns)), shape=shape).toarray()
    build = sp.csc_matrix if kind.startswith("csc") else sp.csr_matrix
    matrix = build((attributes["data"], attributes["indices"], attributes["indptr"]), shape=shape)
    matrix.check_format(full_check=True)
    return matrix.toarray()
