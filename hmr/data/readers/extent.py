"""Where a person is and how large, from labelled joints: the method's rules.

The person is scaled so that the diagonal of the box round the labelled joints is 150 reference pixels. The word
"extent" below is the length that becomes those 150.
"""

import numpy as np

from hmr.body.joints import COCOPLUS_19

ANKLES = [COCOPLUS_19.index(f"{side}_ankle") for side in ("right", "left")]
TORSO = tuple((COCOPLUS_19.index(f"{side}_shoulder"), COCOPLUS_19.index(f"{side}_hip")) for side in ("left", "right"))
HEAD_TO_HIP = tuple((COCOPLUS_19.index("head_top"), COCOPLUS_19.index(f"{side}_hip")) for side in ("right", "left"))


def box_center(points_px: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Middle (2,) of the box round the visible ones of (J, 2); NaN if there are none."""
    if not visible.any():
        return np.full(2, np.nan)
    return (points_px[visible].min(0) + points_px[visible].max(0)) / 2


def box_diagonal(points_px: np.ndarray, visible: np.ndarray) -> float:
    """Diagonal of the box round the visible ones of (J, 2); NaN if there are none."""
    return float(np.linalg.norm(np.ptp(points_px[visible], 0))) if visible.any() else float("nan")


def mean_length(points_px: np.ndarray, visible: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> float | None:
    """Mean distance over those pairs that are visible at both ends, None if there is none."""
    lengths = [np.linalg.norm(points_px[a] - points_px[b]) for a, b in pairs if visible[a] and visible[b]]
    return float(np.mean(lengths)) if lengths else None
