"""Strips of captured motion: the source's joints or markers as dots over the fitted body, and the error over time.

python benchmarks/mocap_strips.py FOLDER --body results/body/body.npz --out strips   # all clips below FOLDER

Each clip becomes one picture, and summary.json beside them says how far off every clip is. Dots are drawn in front of
the body also where they lie inside it.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hmr.body.file import Body, read_body_file
from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.files import write_json
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap.asf_amc import pose_skeleton, read_amc
from hmr.mocap.bvh import read_bvh
from hmr.mocap.bvh_fit import fit_bvh
from hmr.mocap.c3d import read_c3d
from hmr.mocap.pool import Clip
from hmr.mocap.retarget import SHARED_JOINTS, shared_points
from hmr.mocap.sources import ClipReader, Source, find_sources, skeleton_of
from hmr.render import Camera, overlay

PICTURES, SIDE_PX, BAND_PX, DISTANCE_M, FOCAL = 10, 220, 70, 6.0, 3.0
_FLIP = np.array([1.0, -1.0, -1.0])  # from y up to the camera's y down, seen from the front
_DOT, _LINE, _GRID = (214, 64, 55), (43, 110, 201), (225, 225, 225)


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
        picture = strip(clip, points_of(reader, source, clip), body, arrays)
        name = source.sequence.replace("/", "-")
        cv2.imwrite(str(args.out / f"{name}.png"), picture[..., ::-1])
        error = clip.fit_error_mm
        summary[source.sequence] = {"frames": len(clip)} | (
            {}
            if error is None
            else {"fit_error_mm": round(float(error.mean()), 2), "worst_mm": round(float(error.max()), 2)}
        )
    write_json(args.out / "summary.json", summary)


def points_of(reader: ClipReader, source: Source, clip: Clip) -> np.ndarray | None:
    """What was captured in the clip's frames, (frames, points, 3), metres, y up; None where that is a pose."""
    suffix = source.path.suffix.lower()
    if suffix == ".c3d":
        return read_c3d(source.path).points_m[clip.frame]
    if suffix == ".amc":
        actor = reader.actors[skeleton_of(source.path)]
        channels = read_amc(source.path, actor.skeleton, actor.metres_per_unit)[clip.frame]
        return shared_points(pose_skeleton(actor.skeleton, channels), actor.skeleton)
    if suffix == ".bvh":
        return fit_bvh(read_bvh(source.path), clip.frame, reader.body, source.path).points_m
    return None


def strip(clip: Clip, points_m: np.ndarray | None, body: BodyModel, arrays: Body) -> np.ndarray:
    """Bodies at even times in one row, and below them the error of all frames."""
    chosen = np.unique(np.linspace(0, len(clip) - 1, PICTURES).round().astype(int))
    rotmat = axis_angle_to_rotmat(torch.from_numpy(clip.pose_axis_angle[chosen].astype(np.float32)))
    betas = torch.from_numpy(np.tile(clip.betas, (len(chosen), 1)).astype(np.float32))
    posed = body(betas=betas, full_pose_rotmat=rotmat)
    cells = []
    for place, frame in enumerate(chosen):
        vertices, joints = posed.vertices[place].numpy().astype(float), posed.joints[place].numpy().astype(float)
        dots = None if points_m is None else points_m[frame]
        cells.append(_cell(vertices, joints, dots, arrays))
    row = np.hstack(cells)
    return row if clip.fit_error_mm is None else np.vstack((row, _band(clip.fit_error_mm, row.shape[1])))


def _cell(vertices: np.ndarray, joints: np.ndarray, dots: np.ndarray | None, arrays: Body) -> np.ndarray:
    middle = (vertices.min(0) + vertices.max(0)) / 2
    camera = Camera(FOCAL * SIDE_PX, (SIDE_PX / 2, SIDE_PX / 2))
    shift = np.array([0, 0, DISTANCE_M])
    paper = np.full((SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    picture = overlay(paper, (vertices - middle) * _FLIP + shift, arrays["f"], camera, opacity=1.0)
    if dots is not None:
        seen = dots[np.isfinite(dots).all(1)]
        at = camera.project((seen + _offset(vertices, joints, dots, arrays) - middle) * _FLIP + shift)
        for x, y in at:
            cv2.circle(picture, (round(x * 16), round(y * 16)), 32, _DOT, cv2.FILLED, cv2.LINE_AA, 4)
    return picture


def _offset(vertices: np.ndarray, joints: np.ndarray, dots: np.ndarray, arrays: Body) -> np.ndarray:
    """The shift from the captured world to the body's, whose pelvis is at its own place: by joints or by the skin."""
    if len(dots) == len(SHARED_JOINTS):
        return (joints[[SMPL_24.index(name) for name in SHARED_JOINTS]] - dots).mean(0)
    seen = dots[np.isfinite(dots).all(1)]
    shift = (vertices.min(0) + vertices.max(0)) / 2 - (seen.min(0) + seen.max(0)) / 2
    for _ in range(10):  # nearest points, the shift alone
        gaps = np.linalg.norm(vertices[:, None, ::1] - (seen + shift), axis=-1)
        shift = shift + (vertices[gaps.argmin(0)] - seen - shift).mean(0)
    return shift


def _band(errors_mm: np.ndarray, width: int) -> np.ndarray:
    """The error over time from zero to its maximum, with a line every 10 mm."""
    band = np.full((BAND_PX, width, 3), 255, np.uint8)
    top = max(10.0, float(errors_mm.max()))
    for level in range(0, int(top) + 1, 10):
        y = round(BAND_PX - 4 - (BAND_PX - 12) * level / top)
        cv2.line(band, (0, y), (width, y), _GRID, 1)
        cv2.putText(band, f"{level} mm", (4, y - 2), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (120, 120, 120), 1, cv2.LINE_AA)
    across = np.linspace(SIDE_PX / 2, width - SIDE_PX / 2, len(errors_mm))
    line = np.stack((across, BAND_PX - 4 - (BAND_PX - 12) * errors_mm / top), 1)
    cv2.polylines(band, [np.rint(line * 16).astype(np.int32)], False, _LINE, 1, cv2.LINE_AA, 4)
    return band


if __name__ == "__main__":
    main()
