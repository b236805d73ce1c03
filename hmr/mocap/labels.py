"""Which of a capture's points are the markers of a set, whatever else the cameras saw and however it is labelled."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hmr.errors import UserError
from hmr.mocap.c3d import Capture
from hmr.mocap.marker_body import MarkerBody

_MIN_KNOWN = 0.5  # of a set's markers must be in a capture
_UNLABELLED = re.compile(r"\*.*|U?\d*")
_LISTED = 6  # names in a note


def set_markers(
    path: Path, capture: Capture, markers: MarkerBody, marker_set: str
) -> tuple[Float[ndarray, "frames markers 3"], tuple[str, ...]]:
    """The set's markers in metres, NaN for those that the capture lacks; and what was left aside or is missing."""
    columns: dict[str, int] = {}
    aside = []
    for column, label in enumerate(capture.labels):
        name = _known(label, markers)
        if name is None:
            aside.append(label.strip())
        elif name in columns:
            raise UserError(f"{path}: expected one person's markers, found {name} twice; export one person alone")
        else:
            columns[name] = column
    if len(columns) < _MIN_KNOWN * len(markers.labels):
        raise UserError(
            f"{path}: expected the markers of set {marker_set} ({', '.join(markers.labels)}), found "
            f"{len(columns)} of them; unknown: {', '.join(aside) or 'none'}; give their table as mocap.marker_set"
        )
    points = np.full((len(capture.points_m), len(markers.labels), 3), np.nan)
    for row, name in enumerate(markers.labels):
        if name in columns:
            points[:, row] = capture.points_m[:, columns[name]]
    missing = [name for name in markers.labels if name not in columns]
    notes = [f"points left aside: {_listed(aside)}"] * bool(aside) + [f"no {_listed(missing)}"] * bool(missing)
    return points, tuple(notes)


def _known(label: str, markers: MarkerBody) -> str | None:
    """The marker's name in the set: by what stands after the subject's name and a colon, a dash or a line, if any."""
    whole = label.rpartition(":")[2].strip().upper()
    for name in (whole, re.split(r"[-_ ]", whole)[-1]):
        if name in markers.labels:
            return name
        if name in markers.other_names:
            return markers.other_names[name]
    return None


def _listed(names: list[str]) -> str:
    """Names in a few words; points that nobody labelled have numbers for names, which differ from file to file."""
    labelled = [name for name in names if not _UNLABELLED.fullmatch(name.upper())]
    words = labelled[:_LISTED]
    words += [f"{len(labelled) - _LISTED} more"] * (len(labelled) > _LISTED)
    words += ["unlabelled ones"] * (len(labelled) < len(names))
    return ", ".join(words)
