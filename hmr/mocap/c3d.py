"""Marker captures in C3D files (c3d.org), read and written by `ezc3d`.

Inside: metres, y up, NaN where a marker is lost.
"""

from dataclasses import dataclass
from pathlib import Path

import ezc3d
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.mocap.c3d_layout import check_layout

_WAY_OUT = "fetch it again"
_METRES = {"mm": 0.001, "cm": 0.01, "dm": 0.1, "m": 1.0, "in": 0.0254}
_SPELT = {"": "mm", "millimeters": "mm", "millimetres": "mm", "centimeters": "cm", "meters": "m", "metres": "m"}
# From a file's axes to ours, by the axis that points up. ASSUME: z, unless the file says so (POINT:Y_SCREEN).
_TO_Y_UP = {"Z": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float), "Y": np.eye(3)}


@dataclass(frozen=True)
class Capture:
    """What the cameras saw: labelled points over time."""

    labels: tuple[str, ...]
    points_m: Float[ndarray, "frames labels 3"]
    rate_hz: float


def read_c3d(path: Path) -> Capture:
    """A capture. UserError for a file that is cut, holds no points, or says no unit or rate that makes sense."""
    if not Path(path).is_file():
        raise UserError(f"{path}: expected a C3D file, found nothing there; {_WAY_OUT}")
    check_layout(path)
    try:
        content = ezc3d.c3d(str(path))
    except (OSError, RuntimeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: expected a C3D file, found something else ({reason}); {_WAY_OUT}") from None
    point, points = content["parameters"]["POINT"], content["data"]["points"]
    # A parameter holds at most 255 values; what is more goes into LABELS2 and so on.
    labels = tuple(label for number in ("", *map(str, range(2, 10))) for label in _values(point, f"LABELS{number}"))
    frames = _promised_frames(Path(path))
    if not points.shape[1] or not points.shape[2]:
        raise UserError(f"{path}: expected markers, found a C3D file without points; give one that has them")
    if points.shape[2] < frames:
        raise UserError(f"{path}: expected {frames:,} frames, found {points.shape[2]:,}: the file is cut; {_WAY_OUT}")
    unit = str((_values(point, "UNITS") or [""])[0]).strip().strip("\0").lower()
    unit = _SPELT.get(unit, unit)  # ASSUME: millimetres where a file does not say, as nearly all have them
    if unit not in _METRES:
        raise UserError(f"{path}: POINT:UNITS: expected {', '.join(_METRES)}, found {unit!r}; mend the file")
    rate = float(content["header"]["points"]["frame_rate"])
    if not (np.isfinite(rate) and rate > 0):
        raise UserError(f"{path}: expected a frame rate above zero, found {rate:g}; mend the file")
    up = str((_values(point, "Y_SCREEN") or ["+Z"])[0]).strip().lstrip("+-").upper()
    residual = content["data"]["meta_points"]["residuals"][0]  # (labels, frames); below zero: not seen
    places = np.where(residual < 0, np.nan, points[:3]).transpose(2, 1, 0)
    # A marker at the very origin was not seen either: older files say it so.
    places[(places == 0).all(-1)] = np.nan
    return Capture(labels[: points.shape[1]], _METRES[unit] * places @ _TO_Y_UP.get(up, _TO_Y_UP["Z"]).T, rate)


def _promised_frames(path: Path) -> int:
    """How many frames the file's own header counts; `ezc3d` counts those that are there."""
    with open(path, "rb") as file:
        head = file.read(10)
        file.seek(512 * (head[0] - 1) + 3)
        order = "big" if file.read(1) == bytes([86]) else "little"  # 86: written by a MIPS processor
    first, last = (int.from_bytes(head[at : at + 2], order) for at in (6, 8))
    return last - first + 1


def _values(group: dict, name: str) -> list:
    return list(group[name]["value"]) if name in group else []


def write_c3d(path: Path, capture: Capture) -> None:
    """Write a capture as most laboratories do: millimetres, z up; lost markers have a residual of -1."""
    content = ezc3d.c3d()
    point = content["parameters"]["POINT"]
    point["RATE"]["value"], point["UNITS"]["value"] = [capture.rate_hz], ["mm"]
    point["LABELS"]["value"] = list(capture.labels)
    places = 1000 * (capture.points_m @ _TO_Y_UP["Z"]).transpose(2, 1, 0)  # (3, labels, frames)
    lost = ~np.isfinite(places).all(0, keepdims=True)
    content["data"]["points"] = np.concatenate((np.where(lost, 0.0, places), np.ones_like(lost, float)))
    content["data"]["meta_points"]["residuals"] = np.where(lost, -1.0, 0.0)
    content["data"]["meta_points"]["camera_masks"] = np.zeros((7, *lost.shape[1:]), bool)
    with atomic_path(path) as temporary:
        content.write(str(temporary))
