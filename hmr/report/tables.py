"""The paper's tables from metrics: open numbers in columns of their own, the published ones beside them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hmr.catalogue import BASELINES, BENCHMARKS, DATASETS, MEAN_BODY, SMPLIFY, SMPLIFY_ORACLE
from hmr.report.published import RELEASED_MODEL, TABLE_1, TABLE_2, TABLE_3, TABLE_4, Published

DASH = "–"
Metrics = Mapping[str, Mapping[str, Mapping[str, Any]]]  # variant -> benchmark -> metrics.json
TITLES = {
    "paired": "HMR",
    "unpaired": "HMR unpaired",
    "paired-no-critics": "HMR, no critics",
    "unpaired-no-critics": "HMR unpaired, no critics",
    SMPLIFY_ORACLE: "SMPLify oracle",
    SMPLIFY: "SMPLify",
    MEAN_BODY: "Mean body (looks at nothing)",
}


@dataclass(frozen=True)
class Column:
    """One metric of one benchmark, and how it is printed."""

    title: str
    benchmark: str
    key: str
    digits: int
    unit: str = ""

    @property
    def dataset(self) -> str:
        """The data set that the benchmark is measured on."""
        return BENCHMARKS[self.benchmark]


@dataclass(frozen=True)
class Group:
    """Neighbouring columns with a common heading. `published` ones hold the paper's numbers."""

    title: str
    short: str  # for formats without headings over several columns
    columns: tuple[str, ...]
    published: bool


@dataclass(frozen=True)
class Row:
    """A method and its cells, groups one after another."""

    name: str
    cells: tuple[str, ...]
    ours: bool


@dataclass(frozen=True)
class Table:
    """A table as text, ready for any format."""

    key: str
    title: str
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    datasets: tuple[str, ...]  # whose test sets its numbers come from
    made_from: tuple[str, ...] = ()  # data, parameters, code and the command that makes it again
    bars: bool = False  # one quantity throughout, so that the page may draw a bar behind each number


@dataclass(frozen=True)
class _Layout:
    key: str
    title: str
    dataset: str
    columns: tuple[Column, ...]
    published: tuple[Published, ...]
    notes: tuple[str, ...] = ()


_STAR = "* outputs more than joints."
_SMPLIFY = (
    "SMPLify oracle fits the labelled keypoints. SMPLify fits those of a network's predicted body "
    "(predict.smplify.keypoints_from), where the paper takes a keypoint detector's."
)
_ANEW = "Measured anew, beside other jobs, in every run: of these tables, only times differ between two runs."
_LAYOUTS = (
    _Layout(
        key="table-1",
        title="Table 1. Protocol 2: reconstruction error",
        dataset="human36m",
        columns=(Column("Reconst. error (mm)", "human36m-p2", "pa_mpjpe_mm", 1),),
        published=TABLE_1,
        notes=(_STAR, _SMPLIFY),
    ),
    _Layout(
        key="table-2",
        title="Table 2. Protocol 1: joint error and reconstruction error",
        dataset="human36m",
        columns=(
            Column("MPJPE (mm)", "human36m-p1", "mpjpe_mm", 1),
            Column("Reconst. error (mm)", "human36m-p1", "pa_mpjpe_mm", 1),
        ),
        published=TABLE_2,
        notes=(_STAR, RELEASED_MODEL),
    ),
    _Layout(
        key="table-3",
        title="Table 3. Correct joints and joint error, before and after rigid alignment",
        dataset="mpi_inf_3dhp",
        columns=(
            Column("PCK (%)", "mpi_inf_3dhp", "pck_150mm_percent", 1),
            Column("AUC (%)", "mpi_inf_3dhp", "auc_percent", 1),
            Column("MPJPE (mm)", "mpi_inf_3dhp", "mpjpe_mm", 1),
            Column("aligned PCK (%)", "mpi_inf_3dhp", "pa_pck_150mm_percent", 1),
            Column("aligned AUC (%)", "mpi_inf_3dhp", "pa_auc_percent", 1),
            Column("aligned MPJPE (mm)", "mpi_inf_3dhp", "pa_mpjpe_mm", 1),
        ),
        published=TABLE_3,
        notes=(_STAR, "PCK is the share of joints within 150 mm."),
    ),
    _Layout(
        key="table-4",
        title="Table 4. Foreground and part segmentation",
        dataset="lsp",
        columns=(
            Column("FB acc. (%)", "lsp-segmentation", "fg_accuracy_percent", 2),
            Column("FB F1", "lsp-segmentation", "fg_f1", 2),
            Column("Parts acc. (%)", "lsp-segmentation", "parts_accuracy_percent", 2),
            Column("Parts F1", "lsp-segmentation", "parts_f1", 2),
            Column("Time", "lsp-segmentation", "seconds_per_image", 4, " s"),
        ),
        published=TABLE_4,
        notes=(_SMPLIFY,),
    ),
)
ABLATION = (
    Column("P1 MPJPE (mm)", "human36m-p1", "mpjpe_mm", 1),
    Column("P1 reconst. (mm)", "human36m-p1", "pa_mpjpe_mm", 1),
    Column("P2 reconst. (mm)", "human36m-p2", "pa_mpjpe_mm", 1),
    Column("PCK (%)", "mpi_inf_3dhp", "pck_150mm_percent", 1),
    Column("aligned MPJPE (mm)", "mpi_inf_3dhp", "pa_mpjpe_mm", 1),
    Column("Parts F1", "lsp-segmentation", "parts_f1", 2),
    Column("PCK, 0.2 torso (%)", "lsp-keypoints", "pck_torso_0.2_percent", 1),
)
_ABLATION_SETS = (("human36m", 3), ("mpi_inf_3dhp", 2), ("lsp", 2))  # how many of those columns each set has


@dataclass(frozen=True)
class _Breakdown:
    title: str
    dataset: str
    benchmark: str
    key: str
    metric: str
    measured: str


_BREAKDOWNS = (
    _Breakdown(
        "By action", "human36m", "human36m-p1", "per_action", "pa_mpjpe_mm", "protocol 1: reconstruction error, mm"
    ),
    _Breakdown("By viewpoint", "human36m", "human36m-p1", "per_viewpoint", "mpjpe_mm", "protocol 1: joint error, mm"),
    _Breakdown(
        *("By distance from the training poses", "human36m", "human36m-p1", "per_training_distance", "pa_mpjpe_mm"),
        "protocol 1: reconstruction error, mm",
    ),
    _Breakdown("By sequence", "mpi_inf_3dhp", "mpi_inf_3dhp", "per_sequence", "mpjpe_mm", "joint error, mm"),
    _Breakdown("By scene", "mpi_inf_3dhp", "mpi_inf_3dhp", "per_scene", "mpjpe_mm", "joint error, mm"),
    _Breakdown(
        "By hidden joints", "lsp", "lsp-keypoints", "per_occlusion", "pck_torso_0.2_percent", "PCK at 0.2 torso, %"
    ),
)


def make_tables(metrics: Metrics, sources: Mapping[str, str]) -> list[Table]:
    """All tables. `sources` says of each data set whether it is the "studio"'s or "official"; unknown means studio."""
    paper = [_paper_table(layout, metrics, sources) for layout in _LAYOUTS]
    side_by_side = _ablation(metrics, sources)
    return [*paper, side_by_side, *_seeds(metrics, side_by_side), *_breakdowns(metrics, sources)]


def variant_title(variant: str) -> str:
    """A variant's name for people."""
    return TITLES.get(variant, variant)


def ordered(variants: Iterable[str]) -> list[str]:
    """The paper's variants first, then others by name, the baselines last."""
    known = list(TITLES)
    return sorted(variants, key=lambda v: (v in BASELINES, known.index(v) if v in known else len(known), v))


def set_title(dataset: str, sources: Mapping[str, str]) -> str:
    """A data set's name: what the studio made is never called by the original's name alone."""
    title = {"lsp": "LSP"}.get(dataset, DATASETS[dataset].title)
    return title if sources.get(dataset) == "official" else f"open-{title}"


def cell(metrics: Mapping[str, Any] | None, column: Column) -> str:
    """One number as printed, with half the width of its 95 % interval; a dash where it was not measured."""
    value = (metrics or {}).get(column.key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return DASH
    low, high = (metrics or {}).get(f"{column.key}_ci95") or (value, value)
    spread = f" ± {(high - low) / 2:.{column.digits}f}" if high > low else ""
    return f"{value:.{column.digits}f}{spread}{column.unit}"


def _paper_table(layout: _Layout, metrics: Metrics, sources: Mapping[str, str]) -> Table:
    """Published rows in the paper's order, each with its reproduction; then what only we have."""
    name, original = set_title(layout.dataset, sources), set_title(layout.dataset, {layout.dataset: "official"})
    titles = tuple(column.title for column in layout.columns)
    published = f"{original}, as published" + ("" if name == original else " (other data: not comparable)")
    short = "paper" if name == original else "paper, other data"
    reproduced = {row.variant for row in layout.published}
    rows = [_row(_starred(row), metrics.get(row.variant or ""), layout, row.values) for row in layout.published]
    blank = (None,) * len(titles)
    rows += [_row(variant_title(v), metrics[v], layout, blank) for v in ordered(metrics) if v not in reproduced]
    return Table(
        key=layout.key,
        title=layout.title,
        groups=(Group(f"{name}, measured", name, titles, False), Group(published, short, titles, True)),
        rows=tuple(rows),
        notes=(
            *layout.notes,
            *_interval_note(layout, metrics),
            *_time_note(layout, metrics),
            *_data_note(name, original),
        ),
        datasets=(layout.dataset,),
    )


def _row(name: str, ours: Mapping[str, Any] | None, layout: _Layout, published: tuple[str | None, ...]) -> Row:
    cells = [cell((ours or {}).get(column.benchmark), column) for column in layout.columns]
    return Row(name, (*cells, *(value or DASH for value in published)), ours is not None)


def _starred(row: Published) -> str:
    return f"{row.method}*" if row.starred else row.method


def _interval_note(layout: _Layout, metrics: Metrics) -> tuple[str, ...]:
    """What was drawn for the intervals, if any were."""
    return _drawn_note([m[c.benchmark] for m in metrics.values() for c in layout.columns if c.benchmark in m])


def _drawn_note(entries: list[Mapping[str, Any]]) -> tuple[str, ...]:
    drawn = sorted({f"{e['ci95_units']} {e['ci95_unit']}s" for e in entries if "ci95_unit" in e})
    return (f"± half the width of the 95 % bootstrap interval, drawn over {', '.join(drawn)}.",) if drawn else ()


def _time_note(layout: _Layout, metrics: Metrics) -> tuple[str, ...]:
    timed = [column for column in layout.columns if column.key == "seconds_per_image"]
    if not timed:
        return ()
    found = {variant: m[timed[0].benchmark] for variant, m in metrics.items() if timed[0].benchmark in m}
    measured = {variant: entry for variant, entry in found.items() if timed[0].key in entry}
    devices = sorted({str(entry["device"]) for entry in measured.values() if "device" in entry})
    notes = (f"Time: network or fit, and body model, on {', '.join(devices)}. {_ANEW}",) if devices else ()
    notes += _ratio_note(measured)
    if found and len(measured) == len(found):
        return notes
    return (*notes, f"Time: {DASH} was not stored; the logs of predictions tell it (`grep -r image logs/predict`).")


def _ratio_note(measured: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """How many times as long fitting takes as the network, the paper's comparison; on one device only."""
    network = measured.get("paired", {})
    if not network.get("seconds_per_image"):
        return ()
    times = {
        TITLES[fit]: measured[fit]["seconds_per_image"] / network["seconds_per_image"]
        for fit in (SMPLIFY_ORACLE, SMPLIFY)
        if fit in measured and measured[fit].get("device") == network.get("device")
    }
    ratios = ", ".join(f"{title} {ratio:,.1f} times" for title, ratio in times.items())
    return (f"Time as against {TITLES['paired']}'s: {ratios}. In the paper: about 1 min against 0.04 s.",) * bool(times)


def _data_note(name: str, original: str) -> tuple[str, ...]:
    if name == original:
        return ()
    return (
        f"{name} is rendered data in {original}'s layout, with an open body. The paper's numbers are on {original} "
        "itself: other people, other pictures, another body. They are not comparable with the measured ones.",
    )


def _ablation(metrics: Metrics, sources: Mapping[str, str]) -> Table:
    """Every variant that was evaluated, a few metrics of each benchmark."""
    groups, first = [], 0
    for dataset, count in _ABLATION_SETS:
        titles = tuple(column.title for column in ABLATION[first : first + count])
        name = set_title(dataset, sources)
        groups.append(Group(name, name, titles, False))
        first += count
    rows = [
        Row(variant_title(v), tuple(cell(metrics[v].get(c.benchmark), c) for c in ABLATION), True)
        for v in ordered(metrics)
    ]
    return Table(
        key="ablations",
        title="Variants side by side",
        groups=tuple(groups),
        rows=tuple(rows),
        notes=_drawn_note([m[c.benchmark] for m in metrics.values() for c in ABLATION if c.benchmark in m]),
        datasets=tuple(dataset for dataset, _ in _ABLATION_SETS),
    )


def seeds(variants: Iterable[str]) -> dict[str, list[str]]:
    """Variants that were trained with several seeds, each with all of them: NAME, NAME-seed1, NAME-seed2, ..."""
    known = list(variants)
    others = {name: [v for v in known if re.fullmatch(rf"{re.escape(name)}-seed\d+", v)] for name in ordered(known)}
    return {name: [name, *sorted(found)] for name, found in others.items() if found}


def _seeds(metrics: Metrics, side_by_side: Table) -> list[Table]:
    """What another seed of the training gives: mean, lowest and highest, for variants that have several."""
    rows = tuple(
        Row(f"{variant_title(name)}, {len(found)} seeds", tuple(_over(found, metrics, c) for c in ABLATION), True)
        for name, found in seeds(metrics).items()
    )
    note = "Mean over seeds of the training, and the lowest and highest. Everything else is the same."
    made = replace(side_by_side, key="seeds", title="What another seed gives", rows=rows, notes=(note,))
    return [made] if rows else []


def _over(variants: list[str], metrics: Metrics, column: Column) -> str:
    values = [metrics[v].get(column.benchmark, {}).get(column.key) for v in variants]
    if any(value is None for value in values):
        return DASH
    mean, low, high = (f"{value:.{column.digits}f}" for value in (sum(values) / len(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"


def _breakdowns(metrics: Metrics, sources: Mapping[str, str]) -> list[Table]:
    """Where the error sits: a table a kind of group, a row a group, a column a variant."""
    made = (_breakdown(one, metrics, set_title(one.dataset, sources)) for one in _BREAKDOWNS)
    return [table for table in made if table]


def _breakdown(one: _Breakdown, metrics: Metrics, dataset: str) -> Table | None:
    found = {v: m[one.benchmark].get(one.key, {}) for v, m in metrics.items() if one.benchmark in m}
    variants = [v for v in ordered(found) if found[v]]
    names = sorted({name for v in variants for name in found[v]})
    if len(names) < 2:
        return None
    column = Column("", one.benchmark, one.metric, 1)
    titles = tuple(variant_title(v) for v in variants)
    heading = f"{dataset}, {one.measured}"
    return Table(
        key=f"{one.benchmark}-{one.key}".replace("_", "-"),
        title=one.title,
        groups=(Group(heading, dataset, titles, False),),
        rows=tuple(Row(name, tuple(cell(found[v].get(name), column) for v in variants), False) for name in names),
        notes=(),
        datasets=(one.dataset,),
        bars=True,
    )
