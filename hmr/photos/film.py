"""People of a video: a body for each frame in which somebody is, their motion smoothed, and the video drawn with them.

Frames are read one by one as often as they are needed, and none is kept.
"""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.photos import motion, people, pictures
from hmr.photos.looker import Looker
from hmr.photos.reading import Video
from hmr.photos.recovery import Body, pose_bodies
from hmr.prediction.predictor import batched

_FRAMES_AT_ONCE = 16

Bodies = dict[tuple[int, int], Body]
"""By frame and number of the track."""


def span(track: motion.Track) -> range:
    """The frames of a track."""
    return range(track.frames[0], track.frames[-1] + 1)


def recover_frames(video: Video, tracks: list[motion.Track], looker: Looker) -> dict[tuple[int, int], Body | None]:
    """What the looker has for each frame and track."""
    bodies: dict[tuple[int, int], Body | None] = {}
    waiting: list[tuple[tuple[int, int], np.ndarray, people.Place]] = []

    def look() -> None:
        found = looker.recover([(image, place) for _, image, place in waiting])
        bodies.update(zip((key for key, _, _ in waiting), found, strict=True))
        waiting.clear()

    for frame, image in enumerate(_frames(video, "recovering")):
        for k, track in enumerate(tracks):
            if frame in span(track):
                waiting.append(((frame, k), image, people.place_of(track.box_at(frame))))
        if len(waiting) >= _FRAMES_AT_ONCE:
            look()
    look()
    return bodies


def hold_nearest(track: motion.Track, bodies: dict[int, Body | None]) -> dict[int, Body]:
    """A body for each frame of a track, as the nearest frame has it where one has none; nothing where none has one."""
    seen = np.array([frame for frame in span(track) if bodies[frame] is not None])
    return {frame: bodies[int(seen[np.abs(seen - frame).argmin()])] for frame in span(track)} if len(seen) else {}


def smooth(bodies: Bodies, video: Video, looker: Looker) -> Bodies:
    """Each track's motion smoothed, with one shape: a person does not change it."""
    smoothed: Bodies = {}
    for k in sorted({track for _, track in bodies}):
        keys = sorted(key for key in bodies if key[1] == k)
        rough = [bodies[key] for key in keys]
        pose = motion.smooth_rotations(np.array([body.full_pose_rotmat for body in rough]), video.rate_hz)
        standing = motion.smooth_standing([body.standing for body in rough], video.rate_hz)
        betas = np.median([body.betas for body in rough], 0, keepdims=True).repeat(len(keys), 0)
        for part in batched(len(keys), _FRAMES_AT_ONCE):
            smoothed.update(
                zip(keys[part], pose_bodies(standing[part], pose[part], betas[part], looker.model), strict=True)
            )
    return smoothed


def draw_video(video: Video, bodies: Bodies, faces: np.ndarray, out: Path) -> None:
    """Write the video with all bodies over it. UserError where OpenCV cannot."""
    height, width = video.size_px
    people_in = sorted({track for _, track in bodies})
    with atomic_path(out) as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), video.rate_hz, (width, height))
        if not writer.isOpened():
            raise UserError(f"{out}: OpenCV cannot write a video of {width} x {height} here; shrink the video")
        try:
            for frame, image in enumerate(_frames(video, "drawing")):
                seen = [bodies[frame, k] for k in people_in if (frame, k) in bodies]
                drawn = pictures.draw_bodies(image, seen, faces, supersample=1)
                writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        finally:
            writer.release()


def _frames(video: Video, doing: str) -> tqdm:
    return tqdm(video, total=video.frames, unit="frame", desc=doing, leave=False, disable=None)
