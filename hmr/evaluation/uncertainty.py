"""How far a number may be trusted: bootstrap intervals, and paired tests between two models.

Frames of one video say nearly the same, so whole units are drawn anew, not frames: takes of Human3.6M, sequences of
MPI-INF-3DHP, pictures of LSP. Every metric here is a function of totals over units, which makes a thousand drawings
one matrix product.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

DRAWS = 2000
SEED = 0


def unit_totals(
    values: Float[ndarray, "batch *rest"] | Int[ndarray, "batch *rest"], units: Sequence | ndarray
) -> Float[ndarray, "units *rest"]:
    """Sums over the samples of each unit, units in alphabetical order."""
    members = np.unique(np.asarray(units, str), return_inverse=True)[1]
    totals = np.zeros((members.max(initial=-1) + 1, *values.shape[1:]))
    np.add.at(totals, members, values)
    return totals


def drawn_totals(totals: Float[ndarray, "units *rest"]) -> Float[ndarray, "draws *rest"]:
    """Totals over `DRAWS` drawings of as many units as there are, with replacement; always the same drawings."""
    count = len(totals)
    times = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return (times @ totals.reshape(count, -1)).reshape(DRAWS, *totals.shape[1:])


def intervals_95(
    metrics: Callable[[ndarray], Mapping[str, ndarray]], totals: Float[ndarray, "units *rest"]
) -> dict[str, list[float]]:
    """Percentile bootstrap: `NAME_ci95`, low and high, of each metric that `metrics` computes from (..., *rest) totals.

    A single unit says nothing about others: the interval is then empty and left out. With a handful of units, as in
    MPI-INF-3DHP's six sequences, percentile intervals are somewhat too narrow.
    """
    if len(totals) < 2:
        return {}
    drawn = metrics(drawn_totals(totals))
    return {f"{name}_ci95": np.nanpercentile(values, (2.5, 97.5)).tolist() for name, values in drawn.items()}


@dataclass(frozen=True)
class PairedTest:
    """Mean of first minus second over the same samples, its 95 % interval, and how likely so much is by chance."""

    difference: float
    ci95: tuple[float, float] | None  # None where there is one unit
    p_value: float
    num_units: int
    num_samples: int


def paired_test(
    *, first: Float[ndarray, "batch"], second: Float[ndarray, "batch"], units: Sequence | ndarray
) -> PairedTest:
    """Compare two models sample by sample: bootstrap interval and two-sided sign-flip test over units.

    If the models were alike, each unit's difference might as well have the other sign. Up to 12 units all sign
    patterns are counted, beyond that `DRAWS` random ones; with few units p cannot be small: 6 units give 2 / 64.
    """
    gaps = unit_totals(np.stack((first - second, np.ones(len(first))), 1), units)
    total, observed = gaps[:, 1].sum(), gaps[:, 0].sum()
    count = len(gaps)
    if count <= 12:
        signs = 1 - 2 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        extra = 0  # the observed pattern is among them
    else:
        signs = np.random.default_rng(SEED).choice((-1, 1), (DRAWS, count))
        extra = 1
    as_far = (np.abs(signs @ gaps[:, 0]) >= abs(observed) * (1 - 1e-12)).sum()
    interval = intervals_95(lambda drawn: {"x": drawn[:, 0] / drawn[:, 1]}, gaps).get("x_ci95")
    return PairedTest(
        difference=float(observed / total),
        ci95=tuple(interval) if interval else None,
        p_value=float((as_far + extra) / (len(signs) + extra)),
        num_units=count,
        num_samples=len(first),
    )
