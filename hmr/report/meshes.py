"""Bodies as compact text, for the page's viewer: whole numbers for vertices, the faces once for all of them."""

import base64
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

_LEVELS = 65535


@dataclass(frozen=True)
class Solid:
    """One body of one sample. A vertex is `low_m + step_m * number`, numbers being uint16, little end first."""

    sample: str
    variant: str
    low_m: tuple[float, float, float]
    step_m: float
    vertices: str  # base64


def solid(sample: str, variant: str, vertices: Float[ndarray, "verts 3"]) -> Solid:
    """Round vertices, metres, to 65,536 steps over the body's largest extent: some hundredths of a millimetre."""
    low = vertices.min(0)
    step = max(float(np.ptp(vertices, axis=0).max()) / _LEVELS, 1e-9)
    numbers = np.rint((vertices - low) / step).astype("<u2")
    return Solid(sample, variant, tuple(round(float(x), 6) for x in low), step, _text(numbers))


def faces_text(faces: Int[ndarray, "faces 3"]) -> str:
    """Vertex indices as uint16, little end first, base64."""
    return _text(faces.astype("<u2"))


def _text(numbers: ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode()
