"""Strips of captured motion: the source's joints or markers as dots over the fitted body, and the error over time.

python benchmarks/mocap_strips.py FOLDER --body results/body/body.npz --out strips   # all clips below FOLDER

The report shows such strips of a few clips. Here each clip becomes one picture, and summary.json beside them says how
far off every clip is. Dots are drawn in front of the body also where they lie inside it.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hmr.body.file import read_body_file
from hmr.body.model import BodyModel
from hmr.files import write_json
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap.pool import Clip, spread_frames
from hmr.mocap.sources import ClipReader, find_sources
from hmr.report.motion import strip_picture

SIDE_PX = 220


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second that are fitted")
    args = parser.parse_args()
    arrays = read_body_file(args.body)
    reader, body = ClipReader(arrays, args.rate), BodyModel(arrays)
    args.out.mkdir(parents=True, exist_ok=True)
    summary = {}
    for source in tqdm(find_sources([args.folder]), unit="clip", disable=None):
        clip = reader.read(source)
        picture = strip(clip, body, arrays["f"])
        name = source.sequence.replace("/", "-")
        cv2.imwrite(str(args.out / f"{name}.png"), picture[..., ::-1])
        error = clip.fit_error_mm
        summary[source.sequence] = {"frames": len(clip)} | (
            {}
            if error is None
            else {"fit_error_mm": round(float(error.mean()), 2), "worst_mm": round(float(error.max()), 2)}
        )
    write_json(args.out / "summary.json", summary)


def strip(clip: Clip, body: BodyModel, faces: np.ndarray) -> np.ndarray:
    """The report's strip of a clip, larger."""
    shown = spread_frames(len(clip))
    rotmat = axis_angle_to_rotmat(torch.from_numpy(clip.pose_axis_angle[shown].astype(np.float32)))
    betas = torch.from_numpy(np.tile(clip.betas, (len(shown), 1)).astype(np.float32))
    bodies = body(betas=betas, full_pose_rotmat=rotmat).vertices.numpy().astype(float)
    points = [None] * len(shown) if clip.captured is None else list(clip.captured.points_m[shown])
    errors = np.full(len(clip), np.nan) if clip.fit_error_mm is None else clip.fit_error_mm
    return strip_picture(bodies, faces, points, errors, SIDE_PX)


if __name__ == "__main__":
    main()
