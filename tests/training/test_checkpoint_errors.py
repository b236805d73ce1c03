import pytest
import torch
from safetensors.torch import save_file

from hmr.errors import UserError
from hmr.training.checkpoint import load_checkpoint


def test_what_is_not_a_checkpoint_is_named(tmp_path):
    missing, noise, foreign = (tmp_path / name for name in ("missing", "noise", "foreign"))
    noise.write_bytes(b"not safetensors at all")
    save_file({"weight": torch.zeros(3)}, foreign)
    for path in (missing, noise, foreign):
        with pytest.raises(UserError, match=path.name):
            load_checkpoint(path)


def test_a_checkpoint_cut_in_half_is_named(tmp_path):
    whole, half = tmp_path / "whole", tmp_path / "half"
    save_file({"weight": torch.zeros(300)}, whole, metadata={"hmr": "{}"})
    half.write_bytes(whole.read_bytes()[:700])
    with pytest.raises(UserError, match="half"):
        load_checkpoint(half)
