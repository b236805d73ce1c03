"""How fast the readers decode videos, beside OpenCV reading each of them once through.

    python benchmarks/videos.py [FRAMES]

Makes an MPI-INF-3DHP-like AVI (MJPG, 2048 x 2048) and a Human3.6M-like MP4 (MPEG-4, 1000 x 1002). Of Human3.6M the
method takes every fifth frame. Of MPI-INF-3DHP it takes frames after some motion, 147,221 of 952,560, about one in six;
every frame is measured as well, the worst that can be. Process time, one thread, the best of three.
"""

import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from hmr.data.readers.raw import video_frames

CASES = {
    "MPI-INF-3DHP": ("a.avi", "MJPG", (2048, 2048), (1, 6)),
    "Human3.6M": ("a.mp4", "mp4v", (1000, 1002), (1, 5)),
}


def write(path: Path, codec: str, size: tuple[int, int], frames: int) -> None:
    """A video of something that moves before a background of some detail."""
    background = cv2.resize(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), size)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 50, size)
    for frame in range(frames):
        picture = np.roll(background, 3 * frame, 1)
        cv2.circle(picture, (100 + 5 * frame, 400), 90, (20, 30, 220), cv2.FILLED)
        video.write(picture)
    video.release()


def opencv(path: Path) -> int:
    """Read a video through, as OpenCV's manual does."""
    video, count = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        count += 1
    return count


def reader(path: Path, frames: int, stride: int) -> int:
    """What our readers do with a video."""
    return sum(picture is not None for _, picture in video_frames(path, np.arange(0, frames, stride)))


def seconds(work, *args) -> float:
    """Best process time of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work(*args)
        times.append(time.process_time() - start)
    return min(times)


def main(frames: int = 100) -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, (file, codec, size, strides) in CASES.items():
            path = Path(folder) / file
            write(path, codec, size, frames)
            plain = seconds(opencv, path)
            print(f"{name}: OpenCV reads {frames / plain:.0f} frames/s")
            for stride in strides:
                ours = seconds(reader, path, frames, stride)
                print(f"  the reader, taking one frame in {stride}: {ours / plain:.2f} of OpenCV's time")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
