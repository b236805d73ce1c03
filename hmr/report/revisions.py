"""Experiments side by side: what git holds of their metrics and parameters, and where these differ."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hmr.errors import UserError
from hmr.report.tables import ABLATION, DASH, Group, Metrics, Row, Table, cell, ordered, set_title, variant_title

WORKSPACE = "workspace"
_KEPT = ("params.yaml", ":(glob)results/evaluate/*/*.json")


@dataclass(frozen=True)
class State:
    """One revision's parameters and metrics."""

    name: str
    params: Mapping[str, Any]
    metrics: Metrics  # variant -> benchmark -> metrics.json

    @property
    def source(self) -> str:
        """Whose data its numbers are on."""
        return str(self.params.get("download", {}).get("source", "studio"))


def read_state(name: str) -> State:
    """A git revision, a DVC experiment by its name, or the files as they lie in the folder (`workspace`)."""
    return _state(name, _files_here() if name == WORKSPACE else _files_in_git(name))


def side_by_side(states: Sequence[State]) -> Table:
    """Rows are a variant's metrics that are not the same everywhere, columns are revisions."""
    variants = ordered({variant for state in states for variant in state.metrics})
    rows = [_row(variant, column, states) for variant in variants for column in ABLATION]
    known = [row for row in rows if set(row.cells) != {DASH}]
    differing = [row for row in known if len(set(row.cells)) > 1]
    notes = [f"{len(known) - len(differing)} of {len(known)} numbers are the same everywhere and left out."]
    notes += list(_changed([state.params for state in states])) or ["The parameters are the same everywhere."]
    names = tuple(state.name for state in states)
    groups = (Group("Revision", "revision", names, False),)
    return Table("revisions", "Revisions side by side", groups, tuple(differing), tuple(notes), datasets=())


def _row(variant: str, column: Any, states: Sequence[State]) -> Row:
    dataset = set_title(column.dataset, {column.dataset: states[0].source})
    cells = tuple(cell(state.metrics.get(variant, {}).get(column.benchmark), column) for state in states)
    return Row(f"{variant_title(variant)}: {dataset}, {column.title}", cells, True)


def _changed(params: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Parameters that are not the same in all, each with its values in order."""
    flat = [dict(_flat(one)) for one in params]
    for key in sorted({key for one in flat for key in one}):
        values = [json.dumps(one[key]) if key in one else DASH for one in flat]
        if len(set(values)) > 1:
            yield f"{key}: {', '.join(values)}"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield path, value
        return
    for key, inner in value.items():
        yield from _flat(inner, f"{path}.{key}" if path else str(key))


def _files_here() -> dict[str, bytes]:
    paths = [Path("params.yaml"), *sorted(Path("results/evaluate").glob("*/*.json"))]
    return {path.as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _files_in_git(name: str) -> dict[str, bytes]:
    archive = _git("archive", "--format=tar", _commit(name), "--", *_KEPT)
    if archive is None:
        raise UserError(f"{name}: expected params.yaml and metrics under results/evaluate in git, found none there")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def _commit(name: str) -> str:
    """The commit behind a revision or a DVC experiment, which DVC keeps under refs/exps."""
    found = None if name.startswith("-") else _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if found is not None:
        return found.decode().strip()
    lines = (_git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps") or b"").decode().splitlines()
    named = [line.split()[0] for line in lines if line.endswith(f"/{name}")]
    if len(named) != 1:
        raise UserError(
            f"{name}: expected a git revision, the name of one DVC experiment or '{WORKSPACE}', found "
            f"{len(named) or 'none'} of that name; 'git log' and 'dvc exp list' name them"
        )
    return named[0]


def _git(*arguments: str) -> bytes | None:
    """What git says, nothing where it fails."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True)
    except FileNotFoundError:
        raise UserError("git: not found; install it, or compare 'workspace' alone") from None
    return done.stdout if done.returncode == 0 else None


def _state(name: str, files: Mapping[str, bytes]) -> State:
    metrics: dict[str, dict[str, Any]] = {}
    try:
        for path, content in files.items():
            if path.endswith(".json"):
                variant, benchmark = Path(path).parent.name, Path(path).stem
                metrics.setdefault(variant, {})[benchmark] = json.loads(content)
        params = yaml.safe_load(files.get("params.yaml", b"{}"))
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{name}: expected metrics and parameters, found something else ({error})") from None
    if not metrics:
        raise UserError(f"{name}: expected metrics under results/evaluate, found none; evaluate there first")
    return State(name, params, metrics)
