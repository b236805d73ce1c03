"""The pipeline's graph with how long each of its rules took, as Snakemake's own book has it, drawn as an SVG."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr.report.curves import text

WIDTH, HEIGHT, ACROSS, DOWN = 170, 40, 20, 28


@dataclass(frozen=True)
class Job:
    """One finished job of a rule."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    seconds: float


def read_jobs(folder: Path) -> list[Job]:
    """Jobs in Snakemake's metadata folder, which has a file for each output; none where it keeps none."""
    found: dict[tuple, list[tuple[str, Mapping]]] = {}
    for path in sorted(folder.glob("*")):
        if record := _record(path):
            of_one_job = (record["rule"], record.get("shellcmd"), record.get("endtime"))
            found.setdefault(of_one_job, []).append((_output(path.name), record))
    return [_job(rule, outputs) for (rule, *_), outputs in found.items()]


def graph_svg(jobs: Iterable[Job]) -> str:
    """A box a rule, below those that it needs, with its number of jobs and their seconds together.

    Less than half a second is a dash: that is what Snakemake knows of results that DVC brought.
    """
    by_rule: dict[str, list[Job]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    needs = _needs(by_rule)
    depth = {rule: _depth(rule, needs) for rule in by_rule}
    lines = [sorted(rule for rule in by_rule if depth[rule] == d) for d in range(max(depth.values(), default=0) + 1)]
    step_x, step_y = WIDTH + ACROSS, HEIGHT + DOWN
    wide, tall = max(map(len, lines), default=1) * step_x, len(lines) * step_y
    place = {
        rule: ((wide - len(rules) * step_x) / 2 + k * step_x, row * step_y)
        for row, rules in enumerate(lines)
        for k, rule in enumerate(rules)
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 {wide} {tall}" role="img" '
        'font-family="sans-serif" fill="currentColor" aria-label="Rules of the pipeline and how long they took">'
    ]
    parts += [_edge(place[first], place[rule]) for rule in by_rule for first in sorted(_direct(rule, needs))]
    for rule, (x, y) in place.items():
        parts.append(f'<path d="M{x} {y}h{WIDTH}v{HEIGHT}h-{WIDTH}z" fill="var(--tint, #dbe7f5)" stroke="#3b82c4"/>')
        parts.append(text(x + 8, y + 16, rule.replace("_", " "), size=11))
        parts.append(text(x + 8, y + 31, _told(by_rule[rule])))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _record(path: Path) -> Mapping | None:
    """A metadata file's content; nothing for what cannot be read, since this is a picture and no result."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("rule") and not record.get("incomplete") else None


def _output(name: str) -> str:
    """The output that a metadata file speaks of."""
    try:
        return base64.b64decode(name).decode()
    except ValueError:
        return name


def _job(rule: str, outputs: Sequence[tuple[str, Mapping]]) -> Job:
    records = [record for _, record in outputs]
    inputs = {str(name) for record in records for name in record.get("input") or ()}
    start = min(record.get("starttime") or 0.0 for record in records)
    end = max(record.get("endtime") or 0.0 for record in records)
    return Job(rule, tuple(sorted(inputs)), tuple(name for name, _ in outputs), max(0.0, end - start))


def _needs(by_rule: Mapping[str, Sequence[Job]]) -> dict[str, set[str]]:
    """The rules whose outputs each rule reads."""
    made_by = {output: rule for rule, jobs in by_rule.items() for job in jobs for output in job.outputs}
    return {
        rule: {made_by[name] for job in jobs for name in job.inputs if made_by.get(name, rule) != rule}
        for rule, jobs in by_rule.items()
    }


def _depth(rule: str, needs: Mapping[str, set[str]]) -> int:
    return 1 + max((_depth(first, needs) for first in needs[rule]), default=-1)


def _direct(rule: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Needs that no other need already implies."""
    return {first for first in needs[rule] if not any(first in _all(other, needs) for other in needs[rule])}


def _all(rule: str, needs: Mapping[str, set[str]]) -> set[str]:
    return needs[rule].union(*(_all(first, needs) for first in needs[rule]))


def _told(jobs: Sequence[Job]) -> str:
    seconds = sum(job.seconds for job in jobs)
    time = "–" if seconds < 0.5 else f"{seconds / 60:.1f} min" if seconds >= 100 else f"{seconds:.0f} s"
    return f"{len(jobs)} job{'s' if len(jobs) > 1 else ''}, {time}"


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (x_end, y_end) = (start[0] + WIDTH / 2, start[1] + HEIGHT), (end[0] + WIDTH / 2, end[1])
    return (
        f'<path d="M{x} {y}C{x} {y + DOWN} {x_end} {y_end - DOWN} {x_end} {y_end}" fill="none" '
        'stroke="currentColor" opacity="0.45"/>'
    )
