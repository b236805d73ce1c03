"""Strips of the motion that critics take for real: bodies, what was captured over them, and how far off fits are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from hmr.mocap.pool import spread_frames
from hmr.prediction.placement import FOCAL_PX
from hmr.render import overlay, weak_perspective_camera
from hmr.report.embed import Fold, Picture, Section, Strip, webp
from hmr.report.gallery import Pose, spread

CLIPS, VIEW_PX, BAND_PX = 8, 120, 48
MORE_CLIPS = 180  # folded away; of a larger pool those with the worst frames: a page should stay small
_SMALL = ("sequence", "frame", "frame_rate_hz", "fit_error_mm", "mirrored")
_LINE, _DOT = (59, 130, 196), (214, 64, 55)
_UP = np.array([1.0, -1.0, -1.0])  # from y up to the camera's y down, seen from the front
Columns = Mapping[str, ndarray]  # a mocap pool's, by name; poses may stay in its file until they are looked at


@dataclass(frozen=True)
class _Seen:
    """What was captured, of the pool's rows that have it."""

    place: Mapping[int, int]  # by row of the pool
    kind: list[str]
    points_m: ndarray  # (places, points, 3), in its file

    @classmethod
    def of(cls, pool: Columns) -> "_Seen":
        group = pool.get("captured")
        if group is None:
            return cls({}, [], np.zeros((0, 0, 3)))
        place = {row: place for place, row in enumerate(group["row"][:].tolist())}
        return cls(place, [kind.decode() for kind in group["kind"][:]], group["points_m"])

    def kind_of(self, rows: Int[ndarray, "frames"]) -> str:
        """Joints, markers, or nothing where the source was a pose."""
        return next((self.kind[self.place[row]] for row in rows.tolist() if row in self.place), "")


def motion_strips(pool: Columns, pose: Pose, faces: ndarray) -> Section | None:
    """A few clips, evenly spread over those of each kind in the pool: of joints, of markers, of poses alone; and the
    others, worst fits first, for who asks for them."""
    seen = _Seen.of(pool)
    pool = {**pool, **{name: pool[name][:] for name in _SMALL}}
    of_kind: dict[str, list[ndarray]] = {}
    for rows in _clips(pool):
        of_kind.setdefault(seen.kind_of(rows), []).append(rows)
    shares = [len(share) for share in np.array_split(np.arange(CLIPS), len(of_kind) or 1)]
    chosen = [
        clips[k] for clips, share in zip(of_kind.values(), shares, strict=False) for k in spread(len(clips), share)
    ]
    first = {int(rows[0]) for rows in chosen}
    others = [rows for clips in of_kind.values() for rows in clips if int(rows[0]) not in first]
    worst = sorted(others, key=lambda rows: -_worst_mm(pool, rows))[:MORE_CLIPS]
    strips, more = (tuple(_strip(pool, seen, rows, pose, faces) for rows in clips) for clips in (chosen, worst))
    told = (
        "Red dots are the joints or markers that were captured in these frames, also those inside the body or behind. "
        if seen.kind
        else "The pool holds nothing of what was captured, only poses. "
    )
    text = (
        "Clips evenly spread over the pool that critics learn from: bodies fitted to the captured motion, at even "
        f"times. {told}Below them each frame's distance from what was captured, where there was a fit."
    )
    title = f"The other clips, worst frame first: {len(more):,} of {len(others):,}"
    folds = (Fold(title, more),) if more else ()
    return Section("motion", "Motion capture", text, strips, folds) if strips else None


def _clips(pool: Columns) -> list[Int[ndarray, "frames"]]:
    """Rows of every clip in the order of its frames, mirror images left out."""
    rows = np.flatnonzero(~np.asarray(pool["mirrored"], bool))
    rows = rows[np.lexsort((pool["frame"][rows], pool["sequence"][rows]))]
    starts = np.flatnonzero(pool["sequence"][rows][1:] != pool["sequence"][rows][:-1]) + 1
    return [part for part in np.split(rows, starts) if len(part)]


def _worst_mm(pool: Columns, rows: Int[ndarray, "frames"]) -> float:
    """The error of a clip's worst frame; 0 where nothing was fitted."""
    errors = pool["fit_error_mm"][rows]
    return float(errors[np.isfinite(errors)].max(initial=0))


def _strip(pool: Columns, seen: _Seen, rows: Int[ndarray, "frames"], pose: Pose, faces: ndarray) -> Strip:
    """A clip at the frames whose captured points the pool has, else at even times."""
    known = np.array([row for row in rows.tolist() if row in seen.place] or rows)
    shown = np.sort(known[spread_frames(len(known))])
    full_pose, betas = pool["pose_axis_angle"][shown].reshape(len(shown), 72), pool["betas"][shown]
    bodies = pose(np.hstack([np.zeros((len(shown), 3)), full_pose, betas]).astype(np.float32))
    points = [seen.points_m[seen.place[row]] if row in seen.place else None for row in shown.tolist()]
    seconds = len(rows) / float(pool["frame_rate_hz"][rows[0]])
    errors = pool["fit_error_mm"][rows].astype(float)
    fitted = errors[np.isfinite(errors)]
    told = f", {np.median(fitted):.1f} mm off in the middle, {fitted.max():.1f} mm at most" if len(fitted) else ""
    kind = seen.kind_of(rows)
    caption = f"{len(rows)} frames, {seconds:.1f} s{told}" + (f"; dots: {kind}" if kind else "")
    picture = strip_picture(bodies, faces, points, errors)
    shown_as = Picture(webp(picture), f"Fitted bodies at even times: {caption}", caption)
    return Strip(pool["sequence"][rows[0]].decode(), (shown_as,), wide=True)


def strip_picture(
    bodies: Float[ndarray, "few verts 3"],
    faces: ndarray,
    points_m: Sequence[Float[ndarray, "points 3"] | None],
    errors_mm: Float[ndarray, "frames"],
    view_px: int = VIEW_PX,
) -> UInt8[ndarray, "height width 3"]:
    """Bodies in one row, y up and seen from the front, with dots at the points that are not NaN; below, all errors."""
    row = np.hstack([_body(body, faces, points, view_px) for body, points in zip(bodies, points_m, strict=True)])
    return np.vstack([row, _band(errors_mm, row.shape[1])]) if np.isfinite(errors_mm).any() else row


def _body(
    vertices: Float[ndarray, "verts 3"], faces: ndarray, points_m: Float[ndarray, "points 3"] | None, view_px: int
) -> UInt8[ndarray, "view view 3"]:
    middle = (vertices.min(0) + vertices.max(0)) / 2
    transl, camera = weak_perspective_camera(0.95, (0.0, 0.0), view_px, FOCAL_PX)
    paper = np.full((view_px, view_px, 3), 255, np.uint8)
    picture = overlay(paper, (vertices - middle) * _UP + transl, faces, camera, opacity=1)
    if points_m is None:
        return picture
    seen = points_m[np.isfinite(points_m).all(1)]
    for x, y in np.rint(16 * camera.project((seen - middle) * _UP + transl)).astype(int).tolist():
        cv2.circle(picture, (x, y), round(0.2 * view_px), _DOT, cv2.FILLED, cv2.LINE_AA, 4)
    return picture


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
