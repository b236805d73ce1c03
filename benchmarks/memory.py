"""How much memory normalizing takes, by the number of samples: python benchmarks/memory.py [SMALL LARGE]

Each raw set is laid out in its owners' form with one picture under many names, and normalized in a process of its own,
whose largest size is taken (from Linux' /proc).
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import scipy.io

PRESET = Path(__file__).parents[1] / "hmr/presets/open.yaml"
_MEASURED = """
import re, sys
from pathlib import Path
from hmr.__main__ import main
code = main(sys.argv[1:])
# Not getrusage, whose peak begins with that of the process that started this one.
print("peak_kb", re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""


def picture(path: Path) -> None:
    """One picture of noise, so that crops are as large as they get."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def write_lsp_extended(raw: Path, count: int) -> None:
    """`count` pictures and their joints."""
    joints = np.random.default_rng(0).uniform(5, 60, (14, 3, count))
    joints[:, 2] = 1
    picture(raw / "one.jpg")
    (raw / "images").mkdir()
    scipy.io.savemat(raw / "joints.mat", {"joints": joints})
    for number in range(1, count + 1):
        os.link(raw / "one.jpg", raw / f"images/im{number:05d}.jpg")


def write_coco(raw: Path, count: int) -> None:
    """`count` pictures of one person each, with a polygon as long as they often are."""
    rng = np.random.default_rng(0)
    folder = raw / "images/train2014"
    picture(folder / "one.jpg")
    images, people = [], []
    for number in range(1, count + 1):
        name = f"COCO_train2014_{number:012d}.jpg"
        os.link(folder / "one.jpg", folder / name)
        images.append({"id": number, "file_name": name, "height": 64, "width": 64})
        points = np.column_stack([rng.uniform(2, 62, (17, 2)).round(1), np.full(17, 2)])
        person = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "num_keypoints": 17}
        polygon = [0.0, 0.0, 63.0, 63.0, *rng.uniform(0, 63, 76).round(2).tolist()]
        people.append({**person, "keypoints": points.ravel().tolist(), "segmentation": [polygon], "area": 1.0})
    path = raw / "annotations/person_keypoints_train2014.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": [{"id": 1}]}))


SETS = {"lsp_extended": write_lsp_extended, "coco": write_coco}


def peak_mb(dataset: str, count: int) -> float:
    """Largest size of the process that normalizes `count` samples."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        raw.mkdir()
        SETS[dataset](raw, count)
        words = [dataset, "--split", "train", "--raw", raw, "--out", Path(folder) / "a.h5", "--params", PRESET]
        command = [sys.executable, "-c", _MEASURED, "normalize", *map(str, words)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"{count:,} kept" in said, said
    return int(said.split("peak_kb")[1]) / 1e3


def main(small: int = 1_000, large: int = 50_000) -> None:
    for dataset in SETS:
        few, many = peak_mb(dataset, small), peak_mb(dataset, large)
        print(f"{dataset}: {few:.0f} MB for {small:,}, {many:.0f} MB for {large:,}: {many - few:+.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
