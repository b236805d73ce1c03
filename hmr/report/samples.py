"""Every sample's score, and which samples are worth looking at."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hmr.data.store import Store
from hmr.evaluation.predictions import Predictions

PerSample = Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]  # variant -> benchmark -> columns


@dataclass(frozen=True)
class Score:
    """What tells a benchmark's good samples from bad ones."""

    dataset: str
    title: str
    column: str
    told: str
    lower_is_better: bool


SCORES = {
    "human36m-p1": Score("human36m", "protocol 1", "pa_mpjpe_mm", "reconstruction error {:.0f} mm", True),
    "human36m-p2": Score("human36m", "protocol 2", "pa_mpjpe_mm", "reconstruction error {:.0f} mm", True),
    "mpi_inf_3dhp": Score("mpi_inf_3dhp", "test set", "pa_mpjpe_mm", "aligned joint error {:.0f} mm", True),
    "lsp-segmentation": Score("lsp", "segmentation", "parts_f1", "parts F1 {:.2f}", False),
    "lsp-keypoints": Score("lsp", "keypoints", "pck_torso_0.2_percent", "PCK {:.0f} %", False),
}


class Scores:
    """Scores by variant, benchmark and sample."""

    def __init__(self, per_sample: PerSample) -> None:
        self._found = {
            (variant, benchmark): dict(
                zip(columns["sample_id"], map(float, columns[SCORES[benchmark].column]), strict=True)
            )
            for variant, benchmarks in per_sample.items()
            for benchmark, columns in benchmarks.items()
            if SCORES[benchmark].column in columns
        }

    def column(self, variant: str, benchmark: str, sample_ids: Sequence[str] | ndarray) -> Float[ndarray, "n"]:
        """Scores in the order of `sample_ids`, NaN where a sample was not scored."""
        found = self._found.get((variant, benchmark), {})
        return np.array([found.get(str(name), np.nan) for name in sample_ids], float)

    def told(self, variant: str, benchmark: str, sample_id: str) -> str:
        """One score in words; nothing where there is none."""
        value = self._found.get((variant, benchmark), {}).get(sample_id)
        return "" if value is None else SCORES[benchmark].told.format(value)


def extremes(values: Float[ndarray, "n"]) -> list[int]:
    """Rows of the lowest value, the median and the highest; ties by order. Nothing where all are NaN."""
    rows = np.argsort(values, kind="stable")[: np.isfinite(values).sum()]
    return [int(rows[0]), int(rows[(len(rows) - 1) // 2]), int(rows[-1])] if len(rows) else []


def least_human(
    flat: Float[ndarray, "n"], deep: Float[ndarray, "n"], groups: Sequence[Hashable], wanted: int
) -> list[int]:
    """Of the quarter with the lowest `flat` error the rows with the highest `deep` one, at most one of a group."""
    both = np.isfinite(flat) & np.isfinite(deep)
    if not both.any():
        return []
    low = np.flatnonzero(both & (flat <= np.quantile(flat[both], 0.25)))
    picked: dict[Hashable, int] = {}
    for row in low[np.argsort(-deep[low], kind="stable")].tolist():
        picked.setdefault(groups[row], row)
    return list(picked.values())[:wanted]


def reprojection_percent(store: Store, predictions: Predictions) -> Float[ndarray, "n"]:
    """Mean distance of visible keypoints from their labels, as a share of the box around the labelled ones.

    Percent of its diagonal, so that large and small people count alike; NaN without predicted or visible keypoints.
    """
    if "keypoints_2d_px" not in predictions:
        return np.full(len(store), np.nan)
    to_image, visible = store["crop_to_image"].astype(float), store["visible"].astype(bool)
    labels = np.einsum("nij,nkj->nki", to_image[:, :, :2], store["keypoints_2d_px"]) + to_image[:, None, :, 2]
    distance = np.linalg.norm(predictions["keypoints_2d_px"] - labels, axis=-1)
    return np.array(
        [_share(labels[k][seen], distance[k][seen]) if seen.sum() > 1 else np.nan for k, seen in enumerate(visible)]
    )


def _share(labels: Float[ndarray, "k 2"], distance: Float[ndarray, "k"]) -> float:
    return float(100 * distance.mean() / np.linalg.norm(np.ptp(labels, axis=0)))
