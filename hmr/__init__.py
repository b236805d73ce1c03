"""HMR: a 3D human body from one photograph, and the workflow that reproduces the paper behind it."""

__version__ = "0.1.0"
