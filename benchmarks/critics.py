"""What critics do to poses: how many predictions leave the range of joint angles that the pool of real motion has.

    python benchmarks/critics.py [--predictions results/predict] [--pool results/mocap/pool.h5]

A joint's range is, for each of the three components of its rotation vector, from the least to the greatest of the pool,
and some degrees more on either side: joints that never move in the pool have no range otherwise. A prediction is
outside where any of its 23 joints is. Half of the pool's sequences are judged by the range of the other half, to say
what real motion scores. Prints a row for each variant and test set, and how often `unpaired-no-critics` is outside
against `unpaired`.
"""

import argparse
from pathlib import Path

import h5py
import numpy as np
from scipy.spatial.transform import Rotation

BODY_JOINTS = slice(1, 24)  # the root's turn is the camera's
VARIANTS = ("paired", "paired-no-critics", "unpaired", "unpaired-no-critics")


def angles(pose_axis_angle: np.ndarray) -> np.ndarray:
    """Rotation vectors of the body's joints (N, 69), each the shortest that means the same turn."""
    flat = pose_axis_angle[:, BODY_JOINTS].reshape(-1, 3).astype(np.float64)
    return Rotation.from_rotvec(flat).as_rotvec().reshape(len(pose_axis_angle), -1)


def limits(real: np.ndarray, more_degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest of every component, and so many degrees more, (69,) each."""
    more = np.radians(more_degrees)
    return real.min(0) - more, real.max(0) + more


def outside(predicted: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How many joints of each prediction (N,) leave the range."""
    return ((predicted < low) | (predicted > high)).reshape(len(predicted), -1, 3).any(-1).sum(-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, default=Path("results/predict"))
    parser.add_argument("--pool", type=Path, default=Path("results/mocap/pool.h5"))
    parser.add_argument("--more", type=float, nargs="+", default=[5.0, 10.0, 20.0], help="degrees on either side")
    args = parser.parse_args()
    with h5py.File(args.pool) as file:
        real = angles(file["pose_axis_angle"][:])
        _, sequence = np.unique(file["sequence"].asstr()[:], return_inverse=True)
    variants = [name for name in VARIANTS if (args.predictions / name).is_dir()]
    even = sequence % 2 == 0
    for more in args.more:
        print(f"\nrange of {len(real):,} frames and {more:g} degrees more")
        print(f"{'':22s}{'set':14s}{'predictions outside':>20s}{'joints outside':>16s}")
        _row("real motion", "", outside(real[~even], *limits(real[even], more)))
        found: dict[tuple[str, str], np.ndarray] = {}
        for name in variants:
            for path in sorted((args.predictions / name).glob("*.h5")):
                with h5py.File(path) as file:
                    found[name, path.stem] = outside(angles(file["pose_axis_angle"][:]), *limits(real, more))
                _row(name, path.stem, found[name, path.stem])
        for name, dataset in found:
            if name == "unpaired" and ("unpaired-no-critics", dataset) in found:
                left, without = found[name, dataset], found["unpaired-no-critics", dataset]
                times = [float(b / a) if a else np.inf for a, b in zip(_shares(left), _shares(without), strict=True)]
                print(
                    f"{dataset}: without critics {times[0]:.1f} times the predictions, {times[1]:.1f} times the joints"
                )


def _shares(left: np.ndarray) -> tuple[float, float]:
    """Of predictions, and of joints, that are outside."""
    return (left > 0).mean(), left.mean() / 23


def _row(name: str, dataset: str, left: np.ndarray) -> None:
    predictions, joints = _shares(left)
    print(f"{name:22s}{dataset:14s}{predictions:20.1%}{joints:16.1%}")


if __name__ == "__main__":
    main()
