"""Do two variants really differ? Paired tests over the samples that both were evaluated on."""

from collections.abc import Mapping, Sequence

import numpy as np

from hmr.evaluation.uncertainty import paired_test
from hmr.report.tables import DASH, Group, Row, Table, ordered, set_title, variant_title

Samples = Mapping[str, Sequence[str]]  # column -> values, a line per sample
PerSample = Mapping[str, Mapping[str, Samples]]  # variant -> benchmark -> columns

# What varies together is drawn together: a take seen by four cameras, a sequence, a picture.
_UNIT = {
    "human36m-p1": ("subject", "action", "trial"),
    "human36m-p2": ("subject", "action", "trial"),
    "mpi_inf_3dhp": ("sequence",),
    "lsp-segmentation": ("sample_id",),
    "lsp-keypoints": ("sample_id",),
}
_COLUMNS = (
    ("human36m", "P1 MPJPE (mm)", "human36m-p1", "mpjpe_mm", 1),
    ("human36m", "P1 reconst. (mm)", "human36m-p1", "pa_mpjpe_mm", 1),
    ("mpi_inf_3dhp", "aligned MPJPE (mm)", "mpi_inf_3dhp", "pa_mpjpe_mm", 1),
    ("lsp", "Parts F1, mean of pictures", "lsp-segmentation", "parts_f1", 3),
    ("lsp", "PCK, mean of pictures (%)", "lsp-keypoints", "pck_torso_0.2_percent", 1),
)


def comparison(per_sample: PerSample, sources: Mapping[str, str]) -> Table | None:
    """Every variant less the first, sample by sample. None where there is nothing to compare."""
    first, *others = ordered(per_sample) or [""]
    if not others:
        return None
    sets = dict.fromkeys(dataset for dataset, *_ in _COLUMNS)
    names = {dataset: set_title(dataset, sources) for dataset in sets}
    groups = tuple(
        Group(names[dataset], names[dataset], tuple(c[1] for c in _COLUMNS if c[0] == dataset), False)
        for dataset in sets
    )
    rows = tuple(
        Row(variant_title(v), tuple(_cell(per_sample[v], per_sample[first], *c[2:]) for c in _COLUMNS), True)
        for v in others
    )
    notes = (
        "Difference and its 95 % bootstrap interval; p by sign flips. Whole takes, sequences and pictures are drawn "
        "and flipped, so six sequences can never give a p below 0.03. No correction for the number of comparisons.",
    )
    title = f"Differences from {variant_title(first)}, paired"
    return Table("paired-tests", title, groups, rows, notes, datasets=tuple(sets))


def _cell(ours: Mapping[str, Samples], theirs: Mapping[str, Samples], benchmark: str, key: str, digits: int) -> str:
    a, b = ours.get(benchmark, {}), theirs.get(benchmark, {})
    if key not in a or key not in b or list(a["sample_id"]) != list(b["sample_id"]) or not len(a[key]):
        return DASH
    units = ["\t".join(values) for values in zip(*(a[name] for name in _UNIT[benchmark]), strict=True)]
    test = paired_test(first=np.array(a[key], float), second=np.array(b[key], float), units=units)
    if test.ci95 is None:
        return f"{test.difference:+.{digits}f}"
    low, high = (f"{value:+.{digits}f}" for value in test.ci95)
    p = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
    return f"{test.difference:+.{digits}f} [{low}, {high}], {p}"
