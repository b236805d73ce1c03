"""Small raw folders for tests of the readers: pictures, videos and what a reader makes of them."""

import cv2
import numpy as np

from hmr.body.joints import COCOPLUS_19
from hmr.data.readers import reader_of
from hmr.data.sample import Rejected, Sample
from hmr.params import NormalizeParams

PARAMS = NormalizeParams(
    crop_px=64,
    crop_reference_px=320,
    jpeg_quality=95,
    human36m_stride=5,
    mpi_inf_3dhp_motion_mm=200.0,
    boxes="hmr",
    filters="hmr",
    max_quarantine_fraction=0.2,
)


def read(dataset, raw, split="train", params=PARAMS, **only):
    entries = list(reader_of(dataset)(raw, split, params, **only))
    return [e for e in entries if isinstance(e, Sample)], [e for e in entries if isinstance(e, Rejected)]


def write_image(path, value=128, size=(120, 100)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), value, np.uint8))


def touch_all(paths):
    """Empty files, for readers that look for all of theirs before they open one."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def named(points, joints):
    """A sample's 2D labels from a data set's own joints, matched by name one at a time."""
    expected = np.full((19, 2), np.nan)
    for row, joint in enumerate(COCOPLUS_19.joints):
        if joint in joints.joints:
            expected[row] = points[joints.index(joint)]
    return expected


def write_video(path, frames, codec, size=(64, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 50, size)
    for k in range(frames):
        video.write(np.full((size[1], size[0], 3), brightness(k), np.uint8))
    video.release()


def brightness(frame):
    return 10 + 10 * frame
