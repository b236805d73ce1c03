"""How fast `hmr predict` is from start to files written, and what its detectors find.

    python benchmarks/photos.py photo.jpg [lspet_dataset/]

Needs a trained project in the current folder. The photo is taken as it is, many times over, and panned over as a video
of 1920 x 1080 with one person. Seconds are told twice: as passed, and as the processor was busy, which other work on
the machine does not change. LSP-extended's folder (images/, joints.mat) makes the second part: how many of its people
are found, beside the box around their labelled joints, alone and with others in one picture, by OpenCV's detector and
by BlazePose where `hmr detector` has put it; and how near the bodies' joints are to the labelled ones, as the network
says and as `--fit` has them. Expect half a minute, and four for the second part.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from hmr.download.blazepose import FOLDER
from hmr.params import load_params
from hmr.photos.detectors import Detector, Upright, open_detector
from hmr.photos.looker import Fit, Looker
from hmr.photos.motion import iou

PHOTOS, FRAMES, LABELLED = 21, 100, 150
SIDE_BY_SIDE, TILE_PX = ((1, 2), (2, 2), (2, 4)), 300
NEAR = (0.2, 0.5)  # parts of the torso's length
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
    image, looking = cv2.imread(str(photo), cv2.IMREAD_COLOR_RGB), detectors(FOLDER)
    if len(looking[-1](image)):
        told["one photo, cold, people looked for"] = one = seconds("predict", photo, *out)
        told["one more photo, people looked for"] = (seconds("predict", folder / "many", *out) - one) / (PHOTOS - 1)
    for name, (passed, busy) in told.items():
        print(f"{name}: {passed:.3f} s passed, {busy:.3f} s busy")
    for detector in looking:
        detector(image)
        began = time.process_time()
        found = detector(image)
        busy = time.process_time() - began
        print(f"{len(found)} people found in it by {detector.name}: {busy:.3f} s busy, of all threads together")


def detectors(folder: Path) -> list[Detector]:
    """The one that needs no download, and BlazePose where it is in data/blazepose."""
    best, advice = open_detector(folder)
    if advice:
        print(advice)
        return [best]
    return [Upright(), best]


def labelled(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures and joints (14, 2) of every so-manieth person of LSP-extended whose joints are all labelled."""
    joints = scipy.io.loadmat(folder / "joints.mat")["joints"].transpose(2, 0, 1)
    whole = [k for k in np.flatnonzero((joints[..., 2] > 0).all(1)) if (folder / f"images/im{k + 1:05d}.jpg").is_file()]
    picked = whole[:: max(1, len(whole) // LABELLED)]
    read = (cv2.imread(str(folder / f"images/im{k + 1:05d}.jpg"), cv2.IMREAD_COLOR_RGB) for k in picked)
    return [(image, joints[k, :, :2]) for k, image in zip(picked, read, strict=True)]


def is_upright(joints: np.ndarray) -> bool:
    """Whether the head's top lies within 30 degrees above the ankles' middle, in LSP's order of joints."""
    across, down = joints[13] - joints[[0, 5]].mean(0)
    return -down > abs(across) / np.tan(np.radians(30))


def side_by_side(people: list[tuple[np.ndarray, np.ndarray]], columns: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """One picture of several, each shrunk into a square, and the joints of all."""
    tiles, joints = [], []
    for k, (image, points) in enumerate(people):
        scale = TILE_PX / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:TILE_PX, :TILE_PX]
        tile = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
        tile[: small.shape[0], : small.shape[1]] = small
        tiles.append(tile)
        joints.append(points * scale + (k % columns * TILE_PX, k // columns * TILE_PX))
    rows = [np.concatenate(tiles[k : k + columns], 1) for k in range(0, len(tiles), columns)]
    return np.concatenate(rows), joints


def recall(folder: Path, networks: Path) -> None:
    """Of people of LSP-extended, one and several in a picture: how many are found, and how well."""
    people = labelled(folder)
    order = np.random.default_rng(0).permutation(len(people))
    groups = {
        name: [(image, [joints]) for image, joints in people if is_upright(joints) == upright]
        for name, upright in (("upright", True), ("in other poses", False))
    }
    for rows, columns in SIDE_BY_SIDE:
        size = rows * columns
        parts = [order[k : k + size] for k in range(0, len(order) - size + 1, size)]
        groups[f"{rows} x {columns} in a picture"] = [
            side_by_side([people[k] for k in part], columns) for part in parts
        ]
    for detector in detectors(networks):
        print(detector.name)
        for name, pictures in groups.items():
            count(detector, name, pictures)


def count(detector: Detector, name: str, pictures: list[tuple[np.ndarray, list[np.ndarray]]]) -> None:
    """Print what a detector finds in pictures with joints of some of their people."""
    total = others = nobody = 0
    best: list[float] = []
    began = time.process_time()
    found = [detector(image) for image, _ in pictures]
    busy = (time.process_time() - began) / len(pictures)
    for boxes, (_, people) in zip(found, pictures, strict=True):
        nobody += not len(boxes)
        truth = [np.concatenate((joints.min(0), np.ptp(joints, axis=0))) for joints in people]
        overlaps = np.array([[iou(box, person) for box in boxes] for person in truth]).reshape(len(truth), len(boxes))
        best += [float(row.max(initial=0)) for row in overlaps]
        total += len(boxes)
        others += int((overlaps.max(0, initial=0) < FOUND).sum())
    hits = [overlap for overlap in best if overlap >= FOUND]
    print(
        f"  {name}: {len(hits)} of {len(best)} people found, their boxes' median overlap {np.median(hits or [0]):.2f};"
        f" nobody seen in {nobody} of {len(pictures)} pictures; {others} of {total} boxes around something or somebody"
        f" else; {busy:.3f} s busy a picture"
    )


def nearness(folder: Path) -> None:
    """How many labelled joints of LSP-extended's people a body's lie by, where the box is told."""
    if advice := open_detector(FOLDER)[1]:
        print(advice)
        return
    fit = Fit(Path("results/mocap/pool.h5"), load_params(Path("params.yaml")).predict.smplify)
    looker = Looker.open(None, Path("results/body/body.npz"), "cpu", FOLDER, find=False, fit=fit)
    lookers = {
        "network": replace(looker, fitter=None),
        "fitted": looker,
        "fitted, without a network": replace(looker, network=None),
    }
    people = labelled(folder)
    for name, upright in (("upright", True), ("in other poses", False)):
        group = [(image, joints) for image, joints in people if is_upright(joints) == upright]
        for who, eyes in lookers.items():
            near, began = [], time.process_time()
            for image, joints in group:
                (body,) = eyes.bodies(image, np.array([[*joints.min(0), *np.ptp(joints, axis=0)]]))
                if body is None:  # nobody's joints are near
                    near.append([0.0] * len(NEAR))
                    continue
                off = np.linalg.norm(body.standing.project(body.keypoints_3d_m)[:14] - 0.5 - joints, axis=1)
                torso = np.linalg.norm(joints[[2, 3]].mean(0) - joints[[8, 9]].mean(0))
                near.append([(off < part * torso).mean() for part in NEAR])
            busy = (time.process_time() - began) / len(group)
            shares = ", ".join(
                f"{100 * s:.0f} % within {p} torsos" for s, p in zip(np.mean(near, 0), NEAR, strict=True)
            )
            print(f"{name}, {len(group)} people, {who}: {shares}; {busy:.3f} s busy a person")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        speed(Path(sys.argv[1]), Path(temporary))
    if len(sys.argv) > 2:
        recall(Path(sys.argv[2]), FOLDER)
        nearness(Path(sys.argv[2]))
