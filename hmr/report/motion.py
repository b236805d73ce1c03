"""Strips of the motion that critics take for real: bodies at even times, and how far off each frame's fit is."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from hmr.prediction.placement import FOCAL_PX
from hmr.render import overlay, weak_perspective_camera
from hmr.report.embed import Picture, Section, Strip, webp
from hmr.report.gallery import Pose

CLIPS, PICTURES, VIEW_PX, BAND_PX = 4, 10, 120, 48
_SMALL = ("sequence", "frame", "frame_rate_hz", "fit_error_mm", "mirrored")
_LINE = (59, 130, 196)
_UP = np.array([1.0, -1.0, -1.0])  # from y up to the camera's y down, seen from the front
Columns = Mapping[str, ndarray]  # a mocap pool's, by name; poses may stay in its file until they are looked at


def motion_strips(pool: Columns, pose: Pose, faces: ndarray) -> Section | None:
    """A few clips, evenly spread over the pool."""
    pool = {**pool, **{name: pool[name][:] for name in _SMALL}}
    clips = _clips(pool)
    chosen = [clips[round(k)] for k in np.linspace(0, len(clips) - 1, min(CLIPS, len(clips)))] if clips else []
    names = [pool["sequence"][rows[0]].decode() for rows in chosen]
    pictures = [_strip(pool, rows, pose, faces) for rows in chosen]
    strips = tuple(Strip(name, (picture,), wide=True) for name, picture in zip(names, pictures, strict=True))
    text = (
        "Clips evenly spread over the pool that critics learn from: bodies fitted to the captured motion, at even "
        "times, and below them each frame's distance from what was captured. The captured skeletons themselves are "
        "not kept in the pool."
    )
    return Section("motion", "Motion capture", text, strips) if strips else None


def _clips(pool: Columns) -> list[Int[ndarray, "frames"]]:
    """Rows of every clip in the order of its frames, mirror images left out."""
    rows = np.flatnonzero(~np.asarray(pool["mirrored"], bool))
    rows = rows[np.lexsort((pool["frame"][rows], pool["sequence"][rows]))]
    starts = np.flatnonzero(pool["sequence"][rows][1:] != pool["sequence"][rows][:-1]) + 1
    return [part for part in np.split(rows, starts) if len(part)]


def _strip(pool: Columns, rows: Int[ndarray, "frames"], pose: Pose, faces: ndarray) -> Picture:
    shown = np.unique(rows[np.linspace(0, len(rows) - 1, min(PICTURES, len(rows))).round().astype(int)])
    full_pose, betas = pool["pose_axis_angle"][shown].reshape(len(shown), 72), pool["betas"][shown]
    bodies = pose(np.hstack([np.zeros((len(shown), 3)), full_pose, betas]).astype(np.float32)) * _UP
    seconds = len(rows) / float(pool["frame_rate_hz"][rows[0]])
    errors = pool["fit_error_mm"][rows].astype(float)
    known = errors[np.isfinite(errors)]
    told = f", {np.median(known):.1f} mm off in the middle, {known.max():.1f} mm at most" if len(known) else ""
    caption = f"{len(rows)} frames, {seconds:.1f} s{told}"
    drawn = np.hstack([_body(vertices, faces) for vertices in bodies])
    picture = np.vstack([drawn, _band(errors, drawn.shape[1])]) if len(known) else drawn
    return Picture(webp(picture), f"Fitted bodies at even times: {caption}", caption)


def _body(vertices: Float[ndarray, "verts 3"], faces: ndarray) -> UInt8[ndarray, "120 120 3"]:
    middle = (vertices.min(0) + vertices.max(0)) / 2
    transl, camera = weak_perspective_camera(0.95, (0.0, 0.0), VIEW_PX, FOCAL_PX)
    return overlay(np.full((VIEW_PX, VIEW_PX, 3), 255, np.uint8), vertices - middle + transl, faces, camera, opacity=1)


def _band(errors_mm: Float[ndarray, "frames"], width: int) -> UInt8[ndarray, "48 width 3"]:
    """The error over time, from zero to its maximum; a gap where there is none."""
    band = np.full((BAND_PX, width, 3), 255, np.uint8)
    across = np.linspace(2, width - 3, len(errors_mm))
    down = BAND_PX - 3 - (BAND_PX - 8) * errors_mm / max(float(np.nanmax(errors_mm)), 1e-9)
    for run in _runs(np.isfinite(errors_mm)):
        points = np.stack([across[run], down[run]], 1)
        cv2.polylines(band, [np.rint(points * 16).astype(np.int32)], False, _LINE, 1, cv2.LINE_AA, 4)
    return band


def _runs(known: ndarray) -> Sequence[ndarray]:
    rows = np.flatnonzero(known)
    return np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
