"""The open body: a model in SMPL's format built from MakeHuman's CC0 data. It is not SMPL, nor derived from it."""

from hmr.body.open_body.assemble import build_open_body

__all__ = ["build_open_body"]
