"""What a table was made from: data, networks, parameters, seeds and code, each by the content that it had."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hmr
from hmr.closure import PACKAGE, step_files
from hmr.params import Params
from hmr.report.tables import Table, ordered, set_title, variant_title

STEPS = ("body", "normalize", "mocap", "pretrain", "train", "predict-set", "evaluate")
AGAIN = "snakemake --cores all results/report/tables.md"
SHOWN = 12  # hexadecimal digits of a SHA-256


@dataclass(frozen=True)
class TestSet:
    """What is known of a normalized test set."""

    dataset: str
    source: str
    licence: str
    samples: int
    left_out: int
    raw_sha256: str

    @property
    def title(self) -> str:
        """Its name in tables."""
        return set_title(self.dataset, {self.dataset: self.source})


def pipeline_code(params: Params) -> list[Path]:
    """The files behind every number: all steps before the report, with the readers and layouts that they pick."""
    datasets = params.download.datasets
    readers = [f"hmr.data.readers.{name}" for name in datasets]
    layouts = [f"hmr.studio.layouts.{name}" for name in (*datasets, "mocap")]
    files = [path for step in STEPS for path in step_files(step, *readers)]
    if params.download.source == "studio":
        files += step_files("download", *layouts, without="hmr.download")
    return sorted(set(files))


def with_provenance(
    tables: Sequence[Table],
    sets: Mapping[str, TestSet],
    models: Mapping[str, Mapping[str, str]],
    params: Params,
    plain: Mapping[str, Any],
) -> list[Table]:
    """The tables, each saying what it was made from.

    models: data set to variant to the SHA-256 of what predicted it. plain: params.yaml as it was read.
    """
    common = (_parameters(plain), _code(pipeline_code(params)), f"Make it again: {AGAIN}")
    return [replace(t, made_from=(*_data(t, sets), *_models(t, models), *common)) for t in tables]


def _data(table: Table, sets: Mapping[str, TestSet]) -> Iterator[str]:
    for one in (sets[name] for name in table.datasets if name in sets):
        left_out = f" and {one.left_out:,} left out" if one.left_out else ""
        yield (
            f"Data: {one.title}, {one.samples:,} test samples{left_out}, from {one.source}; "
            f"raw files {one.raw_sha256[:SHOWN]}"
        )


def _models(table: Table, models: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    found = {v: digest for name in table.datasets for v, digest in models.get(name, {}).items()}
    if found:
        yield "Made by: " + "; ".join(f"{variant_title(v)} {found[v][:SHOWN]}" for v in ordered(found))


def _parameters(plain: Mapping[str, Any]) -> str:
    told = {section: values for section, values in plain.items() if section != "report"}
    seeds = ", ".join(f"{key} {value}" for key, value in _seeds(plain))
    return f"Parameters: params.yaml, preset {plain['preset']}, {_digest([json.dumps(told).encode()])}; seeds: {seeds}"


def _seeds(values: Any, path: str = "") -> Iterator[tuple[str, int]]:
    for key, value in values.items() if isinstance(values, Mapping) else ():
        name = f"{path}.{key}" if path else str(key)
        yield from [(name, value)] if key == "seed" else _seeds(value, name)


def _code(files: Sequence[Path]) -> str:
    parts = (part for path in files for part in (path.relative_to(PACKAGE).as_posix().encode(), path.read_bytes()))
    return f"Code: hmr {hmr.__version__}, {len(files)} files {_digest(parts)}"


def _digest(parts: Iterable[bytes]) -> str:
    """Lengths keep the parts apart."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:SHOWN]
