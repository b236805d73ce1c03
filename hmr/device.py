"""The device that computes, and how to make it compute the same twice."""

import contextlib
import ctypes
import os
from collections.abc import Iterator

import torch

from hmr.errors import UserError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as glibc's malloc.h numbers them


def pick_device(name: str) -> torch.device:
    """The device asked for: auto, cpu or cuda. `auto` takes a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise UserError(f"--device {name}: expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no usable GPU found; use --device cpu")
    if name == "cuda" and "LOCAL_RANK" in os.environ:  # one of several processes: each has a GPU of its own
        return torch.device(name, int(os.environ["LOCAL_RANK"]))
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> str:
    """The precision asked for. `auto` takes bfloat16 where that is faster, on GPUs and processors with units for it
    (Intel's AMX): others take up to ten times as long as in float32.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        pays = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        pays = torch.cpu.get_capabilities().get("amx_bf16", False)
    return "bfloat16" if pays else "float32"


def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees, and say whether it will.

    glibc hands a large block back to the system as soon as it is free, and the next step's has to be cleared page by
    page again, a quarter of a step or a prediction by the paper's network. Other C libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))


@contextlib.contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """The same sums in the same order: a fixed number of threads, and deterministic kernels on a GPU."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(False)
