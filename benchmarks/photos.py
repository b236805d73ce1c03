"""How fast `hmr predict` is from start to files written, and what its detector finds.

    python benchmarks/photos.py photo.jpg [lspet_dataset/]

Needs a trained project in the current folder. The photo is taken as it is, many times over, and panned over as a video
of 1920 x 1080 with one person. Seconds are told twice: as passed, and as the processor was busy, which other work on
the machine does not change. LSP-extended's folder (images/, joints.mat) makes the second part: how many of its people
the detector finds, beside the box around their labelled joints. Expect half a minute.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from hmr.photos.motion import iou
from hmr.photos.people import Detector

PHOTOS, FRAMES, LABELLED = 21, 100, 150
FOUND = 0.4  # intersection over union with the box around the joints
HMR = (sys.executable, "-m", "hmr")


def seconds(*words: object) -> np.ndarray:
    """(passed, busy) of one command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*HMR, *map(str, words)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return np.array([time.perf_counter() - began, busy])


def pan(image: np.ndarray, path: Path) -> None:
    """A video of 1080 lines that moves over the picture."""
    scale = max(2048 / image.shape[1], 1152 / image.shape[0])
    wide = cv2.resize(image, None, fx=scale, fy=scale)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (1920, 1080))
    for k in range(FRAMES):
        video.write(np.ascontiguousarray(wide[k // 2 : k // 2 + 1080, k : k + 1920]))
    video.release()


def speed(photo: Path, folder: Path) -> None:
    (folder / "many").mkdir()
    for k in range(PHOTOS):
        (folder / f"many/{k:03d}{photo.suffix}").write_bytes(photo.read_bytes())
    pan(cv2.imread(str(photo)), folder / "pan.mp4")
    (folder / "boxes.json").write_text(json.dumps({"pan.mp4": [[760, 190, 400, 700]]}))
    out = ("--out", folder / "out")
    seconds("predict", photo, *out, "--tight")  # compiles the renderer, once for each installation
    told = {
        "hmr --help": seconds("--help"),
        "one photo, cold": (one := seconds("predict", photo, *out, "--tight")),
        "one more photo": (seconds("predict", folder / "many", *out, "--tight") - one) / (PHOTOS - 1),
        "one more frame": (seconds("predict", folder / "pan.mp4", *out, "--boxes", folder / "boxes.json") - one)
        / FRAMES,
    }
    for name, (passed, busy) in told.items():
        print(f"{name}: {passed:.3f} s passed, {busy:.3f} s busy")
    image, detector = cv2.imread(str(photo), cv2.IMREAD_COLOR_RGB), Detector()
    detector(image)
    began = time.process_time()
    detector(image)
    print(f"finding people in one photo: {time.process_time() - began:.3f} s busy, of all threads together")


def recall(folder: Path) -> None:
    """Every so-manieth picture whose joints are all labelled."""
    joints = scipy.io.loadmat(folder / "joints.mat")["joints"].transpose(2, 0, 1)
    whole = [k for k in np.flatnonzero((joints[..., 2] > 0).all(1)) if (folder / f"images/im{k + 1:05d}.jpg").is_file()]
    picked, detector = whole[:: max(1, len(whole) // LABELLED)], Detector()
    counts = dict.fromkeys(("found", "nobody", "something else alone"), 0)
    others = 0
    for k in picked:
        image = cv2.imread(str(folder / f"images/im{k + 1:05d}.jpg"), cv2.IMREAD_COLOR_RGB)
        points = joints[k, :, :2]
        box = np.concatenate((points.min(0), np.ptp(points, axis=0)))
        hits = [iou(found, box) >= FOUND for found in detector(image)]
        others += len(hits) - any(hits)
        counts["found" if any(hits) else "something else alone" if hits else "nobody"] += 1
    print(f"of {len(picked)} people of LSP-extended: {counts}; {others} boxes around something else")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        speed(Path(sys.argv[1]), Path(temporary))
    if len(sys.argv) > 2:
        recall(Path(sys.argv[2]))
