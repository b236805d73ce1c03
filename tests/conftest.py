"""Shared fixtures. Shapes in types are checked at run time in every test, through jaxtyping and beartype."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from jaxtyping import install_import_hook

install_import_hook(["hmr.geometry", "hmr.body.model", "hmr.models", "hmr.losses"], "beartype.beartype")

from pathlib import Path

import numpy as np
import pytest
import torch
from toy import toy_body

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy() -> dict[str, np.ndarray]:
    """A small body's arrays."""
    return toy_body()


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same body as a file."""
    path = tmp_path_factory.mktemp("body") / "toy.npz"
    np.savez(path, **toy_body())
    return path
