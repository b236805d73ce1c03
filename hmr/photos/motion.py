"""People through a video: boxes joined to tracks, and motion without the trembling of frames seen one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hmr.photos.recovery import Standing

DETECT_EVERY = 8  # frames; between them boxes move evenly
_SAME = 0.3  # intersection over union of one person's boxes
_LOST = 4  # looks without the person end a track
_SMOOTH_S = 0.4
_DEGREE = 2


@dataclass
class Track:
    """One person's boxes at the frames where they were looked for."""

    frames: list[int] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)

    def box_at(self, frame: int) -> np.ndarray:
        """The box (4,) at a frame between first and last."""
        return np.array([np.interp(frame, self.frames, column) for column in np.array(self.boxes).T])


def follow(looks: Sequence[tuple[int, Float[ndarray, "n 4"]]], last_frame: int) -> list[Track]:
    """Tracks from boxes at some frames, in order of time: each box continues the track that it overlaps most.

    What was seen at one look only is left out where there were several: a person stays, a mistake does not. The first
    and last look are stretched to the video's ends where a track reaches them.
    """
    tracks: list[Track] = []
    for number, (frame, boxes) in enumerate(looks):
        recent = {looks[k][0] for k in range(max(0, number - _LOST), number)}
        open_tracks = [track for track in tracks if track.frames[-1] in recent]
        pairs = [
            (iou(track.boxes[-1], box), t, b) for t, track in enumerate(open_tracks) for b, box in enumerate(boxes)
        ]
        used_tracks: set[int] = set()
        used_boxes: set[int] = set()
        for overlap, t, b in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap >= _SAME and t not in used_tracks and b not in used_boxes:
                open_tracks[t].frames.append(frame)
                open_tracks[t].boxes.append(boxes[b])
                used_tracks.add(t)
                used_boxes.add(b)
        tracks += [Track([frame], [box]) for b, box in enumerate(boxes) if b not in used_boxes]
    if len(looks) > 1:
        tracks = [track for track in tracks if len(track.frames) > 1]
    for track in tracks:
        if track.frames[-1] == looks[-1][0] < last_frame:
            track.frames.append(last_frame)
            track.boxes.append(track.boxes[-1])
    return tracks


def iou(first: Float[ndarray, "4"], second: Float[ndarray, "4"]) -> float:
    """Intersection over union of two boxes (x, y, width, height)."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[:2] + first[2:], second[:2] + second[2:])
    common = float(np.prod(np.maximum(high - low, 0)))
    return common / max(float(np.prod(first[2:]) + np.prod(second[2:])) - common, 1e-9)


def smooth_values(values: Float[ndarray, "t *rest"], rate_hz: float) -> Float[ndarray, "t *rest"]:
    """Savitzky and Golay's filter over time: parabolas fitted to 0.4 s around each frame (fewer frames: to all)."""
    window = min(2 * round(_SMOOTH_S * rate_hz / 2) + 1, len(values) - (len(values) + 1) % 2)
    if window <= _DEGREE:
        return np.array(values, np.float64)
    from scipy.signal import savgol_filter  # here, since it takes longer to import than a picture takes to do

    return savgol_filter(np.asarray(values, np.float64), window, _DEGREE, axis=0)


def smooth_rotations(rotmat: Float[ndarray, "t j 3 3"], rate_hz: float) -> Float[ndarray, "t j 3 3"]:
    """The same for rotations: matrices are filtered as numbers and brought back to the nearest rotation.

    Turning all frames by one rotation, before or after, turns the result by it: no frame of reference is preferred,
    and half turns are nothing special, as they would be for angles.
    """
    near = smooth_values(rotmat, rate_hz)
    u, _, vt = np.linalg.svd(near)
    u[..., -1] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return Rotation.from_matrix((u @ vt).reshape(-1, 3, 3)).as_matrix().reshape(rotmat.shape)


def smooth_standing(standing: Sequence[Standing], rate_hz: float) -> list[Standing]:
    """Places in the picture, size as a ratio."""
    rows = np.array([[np.log(one.px_per_m), *one.origin_px] for one in standing])
    return [Standing(float(np.exp(row[0])), row[1:]) for row in smooth_values(rows, rate_hz)]
