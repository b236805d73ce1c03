"""Distances between predicted and true joints, and what is counted from them: metres in, millimetres or percent out."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hmr.geometry.alignment import similarity_align

PCK_MM = 150.0
_BLOCK = 1024
AUC_THRESHOLDS_MM = np.arange(0.0, 151.0, 5.0)  # 0, 5, ... 150, as the owners of MPI-INF-3DHP count


def centred(joints_m: Float[ndarray, "*batch joints 3"], roots: Sequence[int]) -> Float[ndarray, "*batch joints 3"]:
    """Joints relative to the mean of the root joints."""
    return joints_m - joints_m[..., list(roots), :].mean(-2, keepdims=True)


def joint_errors_mm(
    *, pred_joints_m: Float[ndarray, "*batch joints 3"], gt_joints_m: Float[ndarray, "*batch joints 3"]
) -> Float[ndarray, "*batch joints"]:
    """Euclidean distance of each joint, millimetres."""
    gap = pred_joints_m - gt_joints_m
    return 1000 * np.sqrt(np.einsum("...k,...k", gap, gap))


def both_errors_mm(
    *,
    pred_joints_m: Float[ndarray, "batch joints 3"],
    gt_joints_m: Float[ndarray, "batch joints 3"],
    roots: Sequence[int],
) -> tuple[Float[ndarray, "batch joints"], Float[ndarray, "batch joints"]]:
    """Errors of root-centred joints, and after the best similarity; in blocks that stay in the processor's cache."""
    plain, aligned = (np.empty(gt_joints_m.shape[:-1]) for _ in range(2))
    for first in range(0, len(gt_joints_m), _BLOCK):
        rows = slice(first, first + _BLOCK)
        pred, gt = pred_joints_m[rows], gt_joints_m[rows]
        plain[rows] = joint_errors_mm(pred_joints_m=centred(pred, roots), gt_joints_m=centred(gt, roots))
        aligned[rows] = joint_errors_mm(pred_joints_m=similarity_align(pred, onto=gt), gt_joints_m=gt)
    return plain, aligned


def pck_percent(errors_mm: Float[ndarray, "..."], threshold_mm: float = PCK_MM) -> float:
    """Percentage of errors strictly below the threshold."""
    return float(100 * np.mean(errors_mm < threshold_mm))


def auc_percent(errors_mm: Float[ndarray, "..."]) -> float:
    """Area under the curve of correct joints over the threshold: the mean of 31 percentages."""
    return float(np.mean([pck_percent(errors_mm, threshold) for threshold in AUC_THRESHOLDS_MM]))


def perspective_corrected(
    joints_m: Float[ndarray, "batch joints 3"],
    *,
    root_px: Float[ndarray, "batch 2"],
    focal_px: Float[ndarray, "batch"],
    principal_px: Float[ndarray, "batch 2"],
) -> Float[ndarray, "batch joints 3"]:
    """Turn bodies seen straight ahead to where they stand in the picture (paper section 4.1; the owners' sample code).

    A crop looks as though the camera faced the person. Turning the body about the camera's vertical by the bearing of
    its root undoes that; the sample corrects the horizontal angle only, and so does this.
    """
    bearing = np.arctan2(root_px[:, 0] - principal_px[:, 0], focal_px)
    cos, sin = np.cos(bearing)[:, None], np.sin(bearing)[:, None]
    x, y, z = np.moveaxis(joints_m, -1, 0)
    return np.stack((cos * x + sin * z, y, cos * z - sin * x), -1)


def mean_by(values: Float[ndarray, "batch"], groups: Sequence[str] | ndarray) -> dict[str, float]:
    """Mean of the values of each group, groups in alphabetical order."""
    names, members = np.unique(np.asarray(groups, str), return_inverse=True)
    means = np.bincount(members, values) / np.maximum(1, np.bincount(members))
    return dict(zip(names.tolist(), means.tolist(), strict=True))


def torso_px(
    keypoints_px: Float[ndarray, "batch points 2"],
    labelled: Bool[ndarray, "batch points"],
    *,
    shoulders: Sequence[int],
    hips: Sequence[int],
) -> Float[ndarray, "batch"]:
    """The longest way from a labelled shoulder to a labelled hip, pixels; NaN where no such pair is labelled."""
    ways = np.linalg.norm(keypoints_px[:, list(shoulders), None] - keypoints_px[:, None, list(hips)], axis=-1)
    known = labelled[:, list(shoulders), None] & labelled[:, None, list(hips)]
    longest = np.where(known, ways, 0).max((1, 2))
    return np.where(longest > 0, longest, np.nan)
