"""How fast the metrics are, and that speed changes nothing.

    python benchmarks/evaluate.py [SAMPLES] [PICTURES]

MPJPE and PA-MPJPE of SAMPLES bodies of 14 joints (100,000): all at once against one by one in NumPy, and the largest
difference between them. Then LSP's part metrics of PICTURES source-size pictures (1,000), drawing each body included;
needs results/body/body.npz. One thread each; seconds of wall time, and of processor time in brackets.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from hmr.body.file import read_body_file
from hmr.body.joints import LSP_14
from hmr.body.model import BodyModel
from hmr.evaluation import segmentation
from hmr.evaluation.metrics import both_errors_mm
from hmr.prediction.parts import part_labels
from hmr.prediction.predictor import Poser

HIPS = [LSP_14.index("right_hip"), LSP_14.index("left_hip")]
HEIGHT, WIDTH = 200, 150  # about what LSP's pictures have
BODY = Path("results/body/body.npz")


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it returns, its wall time and its processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - processor


def at_once(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """(N, 2) MPJPE and PA-MPJPE of each sample, as the protocols compute them."""
    errors = both_errors_mm(pred_joints_m=pred, gt_joints_m=gt, roots=HIPS)
    return np.stack([error.mean(1) for error in errors], 1)


def one_by_one(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """The same from the protocol's text, a sample at a time; shares no code with the package."""
    result = np.empty((len(pred), 2))
    for k, (p, g) in enumerate(zip(pred, gt, strict=True)):
        rooted = p - p[HIPS].mean(0) - (g - g[HIPS].mean(0))
        result[k, 0] = 1000 * np.sqrt((rooted**2).sum(1)).mean()
        p0, g0 = p - p.mean(0), g - g.mean(0)
        u, s, vt = np.linalg.svd(p0.T @ g0)
        d = np.array([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
        rotation = vt.T @ np.diag(d) @ u.T
        moved = (s * d).sum() / (p0**2).sum() * p0 @ rotation.T
        result[k, 1] = 1000 * np.sqrt(((moved - g0) ** 2).sum(1)).mean()
    return result


def joints(samples: int) -> None:
    """Print the first comparison."""
    rng = np.random.default_rng(0)
    gt = rng.normal(0, 0.3, (samples, 14, 3))
    pred = gt + rng.normal(0, 0.1, gt.shape)
    at_once(pred[:100], gt[:100])
    fast, wall, processor = timed(lambda: at_once(pred, gt))
    slow, slow_wall, slow_processor = timed(lambda: one_by_one(pred, gt))
    print(f"{samples:,} samples at once: {wall:.2f} s ({processor:.2f})")
    print(f"one by one: {slow_wall:.2f} s ({slow_processor:.2f}), {slow_processor / processor:.1f} times as much")
    print(f"largest difference: {np.abs(fast - slow).max() / 1000:.1e} m")


def parts(pictures: int) -> None:
    """Print the second figure: bodies posed, drawn at source size and counted against labels of that size."""
    if not BODY.is_file():
        print(f"{BODY}: not there, so no part metrics; 'hmr body --out {BODY}' makes it")
        return
    arrays = read_body_file(BODY)
    pose = Poser(BodyModel(arrays))
    rng = np.random.default_rng(0)
    theta = torch.from_numpy(rng.normal(0, 0.2, (pictures, 85)).astype(np.float32))
    theta[:, :3], theta[:, 3] = torch.tensor([0.9, 0.0, 0.0]), torch.pi
    view_to_image = np.array([[WIDTH / 224, 0.0, 0.0], [0.0, WIDTH / 224, 20.0]])
    gt = rng.integers(0, 7, (HEIGHT, WIDTH), np.uint8)

    def measure() -> np.ndarray:
        counts = []
        for first in range(0, pictures, 64):
            bodies = pose(theta[first : first + 64])
            for vertices, camera in zip(bodies.vertices, bodies.camera, strict=True):
                drawn = part_labels(vertices, camera, view_to_image, 224, (HEIGHT, WIDTH), arrays)
                counts.append(segmentation.confusion(pred=drawn, gt=gt))
        return np.stack(counts)

    part_labels(pose(theta[:1]).vertices[0], theta[0, :3].numpy(), view_to_image, 224, (9, 9), arrays)
    counts, wall, processor = timed(measure)
    print(f"{pictures:,} pictures of {WIDTH} x {HEIGHT}, posed, drawn and counted: {wall:.1f} s ({processor:.1f})")
    print(f"pixels counted: {counts.sum():,}, of a person's: {counts[..., 1:].sum():,}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with threadpool_limits(1):
        joints(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
        parts(int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
