"""Where to compute, and how exactly."""

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
