"""What the writers of filmed sets share: random numbers by name, videos, and labels in a data set's own joints."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import torch

from hmr.body.joints import JointSet
from hmr.body.model import named_joints
from hmr.errors import UserError
from hmr.studio.shoot import Shot

# OpenCV's own MJPG encoder keeps a fixed quality at any frame rate; MPEG-4 is FFmpeg's.
_ENCODERS = {"MJPG": cv2.CAP_OPENCV_MJPEG, "mp4v": cv2.CAP_FFMPEG}


def rng_of(seed: int, *names: str) -> np.random.Generator:
    """Random numbers of their own for whatever has these names, so that neither order nor number of takes shows."""
    return np.random.default_rng((seed, zlib.crc32("/".join(names).encode())))


def write_video(path: Path, images: Iterable[np.ndarray], codec: str, frame_rate_hz: float) -> None:
    """Write RGB uint8 (H, W, 3) pictures of one size as a video; no time stamp is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video = None
    for image in images:
        height, width = image.shape[:2]
        if video is None:
            if height % 2 or width % 2:  # encoders would cut the last row or column off without a word
                raise UserError(
                    f"image_px: expected videos of even width and height, found {width} x {height}; even it"
                )
            encoder = _ENCODERS[codec], cv2.VideoWriter_fourcc(*codec)
            video = cv2.VideoWriter(str(path), *encoder, frame_rate_hz, (width, height))
            if not video.isOpened():
                raise UserError(f"{path}: expected an OpenCV that writes {codec} videos, found none; reinstall OpenCV")
        video.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if video is not None:
        video.release()


def joints_of(shot: Shot, joints: JointSet) -> tuple[np.ndarray, np.ndarray]:
    """A data set's own joints in a shot: camera-frame metres (J, 3) and pixels (J, 2)."""
    keypoints, smpl = (torch.from_numpy(np.asarray(a, np.float64)) for a in (shot.keypoints_3d_m, shot.joints_3d_m))
    joints_m = named_joints(keypoints, smpl, joints).numpy()
    return joints_m, shot.points_px(joints_m)
