"""Where to compute, and how exactly."""

import platform
import subprocess
import sys

import pytest
import torch

from hmr.device import pick_device, pick_precision
from hmr.errors import UserError

CPU = torch.device("cpu")


@pytest.mark.parametrize(("capabilities", "picked"), [({"amx_bf16": True}, "bfloat16"), ({}, "float32")])
def test_auto_lowers_the_precision_only_where_that_is_faster(monkeypatch, capabilities, picked):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert pick_precision("auto", CPU) == picked
    assert [pick_precision(name, CPU) for name in ("float32", "bfloat16")] == ["float32", "bfloat16"]


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == CPU
    with pytest.raises(UserError, match="--device cuda: no usable GPU"):
        pick_device("cuda")
    with pytest.raises(UserError, match="--device tpu: expected auto, cpu or cuda"):
        pick_device("tpu")


_FAULTS_OF_A_LATER_BLOCK = """
import resource, torch
from hmr.device import keep_freed_memory
kept = {call} and keep_freed_memory()
torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**23)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize("call", [True, False])
def test_freed_memory_is_kept_where_the_c_library_can(call):
    """In a process of its own, as the whole process keeps it. A block of 32 MiB has 8,192 pages to be cleared."""
    told = subprocess.run(
        [sys.executable, "-c", _FAULTS_OF_A_LATER_BLOCK.format(call=call)], capture_output=True, text=True, check=True
    )
    kept, faults = told.stdout.split()
    assert kept == str(call and platform.libc_ver()[0] == "glibc")
    assert int(faults) < 100 if kept == "True" else int(faults) > 1000
