"""Body parts in pixels: accuracy and F1 from counts that are pooled over the data set (paper section 4.2).

Labels: 0 background, 1 to 6 parts, 255 not to be counted. As in the authors' lineage of evaluations, 255 counts as
background for accuracy, and for F1 nothing predicted there counts.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

CLASSES = 7
IGNORED = CLASSES  # row of the counts that stands for 255
IGNORED_ID = 255


def confusion(*, pred: UInt8[ndarray, "height width"], gt: UInt8[ndarray, "height width"]) -> Int[ndarray, "8 7"]:
    """Pixels by label (0 to 6, then 255) and by predicted class."""
    rows = np.where(gt == IGNORED_ID, IGNORED, gt).astype(np.int64)
    counts = np.bincount((rows * CLASSES + pred).ravel(), minlength=(CLASSES + 1) * CLASSES)
    return counts.reshape(CLASSES + 1, CLASSES)


def foreground(counts: Int[ndarray, "*batch 8 7"]) -> Int[ndarray, "*batch 3 2"]:
    """The same counts for background and person, the last row not to be counted."""
    rows = np.stack((counts[..., 0, :], counts[..., 1:CLASSES, :].sum(-2), counts[..., IGNORED, :]), -2)
    return np.stack((rows[..., 0], rows[..., 1:].sum(-1)), -1)


def accuracy_percent(counts: Int[ndarray, "*batch rows classes"]) -> Float[ndarray, "*batch"]:
    """Correct pixels among all; the last row counts as background."""
    correct = np.trace(counts[..., :-1, :], axis1=-2, axis2=-1) + counts[..., -1, 0]
    return 100 * correct / counts.sum((-1, -2))


def mean_f1(counts: Int[ndarray, "*batch rows classes"]) -> Float[ndarray, "*batch"]:
    """Plain mean over the classes of 2 TP / (2 TP + FP + FN); a class that is nowhere is left out."""
    square = counts[..., :-1, :]
    true_positive = np.diagonal(square, axis1=-2, axis2=-1)
    pixels = square.sum(-1) + square.sum(-2)  # 2 TP + FP + FN
    f1 = np.divide(2.0 * true_positive, pixels, out=np.zeros(pixels.shape), where=pixels > 0)
    return f1.sum(-1) / np.maximum(1, (pixels > 0).sum(-1))
