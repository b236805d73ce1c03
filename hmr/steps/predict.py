"""`hmr predict`: a person's own pictures and videos in; overlay, mesh, parameters and motion of each body out."""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hmr.body.joints import COCOPLUS_19, SMPL_24
from hmr.body.model import BodyModel
from hmr.device import keep_freed_memory, reproducible
from hmr.download.blazepose import FOLDER
from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.params import load_params
from hmr.photos import film, formats, maps, motion, people, pictures
from hmr.photos.about import summary
from hmr.photos.looker import UNSEEN, Fit, Looker
from hmr.photos.reading import Video, files_of, is_video, names_of, open_video, read_picture
from hmr.photos.recovery import Body, focal_px

_HELP = """
For a picture: NAME-overlay.jpg (bodies over it, in its own resolution), and for each person NAME-views.jpg (front,
side, top), NAME.glb (mesh), NAME.npz (AMASS's names) and NAME.json (every parameter, with units). For a video:
NAME-overlay.mp4, and for each person NAME.npz and NAME.bvh (smoothed motion). With --maps also NAME-maps.npz and .png:
depth, six body parts, and the body's own UV, where they fall in the picture.

People are found in any pose by BlazePose, which "hmr detector" fetches once. Without it OpenCV's detector of people who
stand upright looks for them, and misses nearly all others. Or say --tight if each picture is cropped closely around one
person, or where people are by --boxes.

  hmr predict photo.jpg --out bodies
  hmr predict photo.jpg --out bodies --fit                 # limbs where BlazePose sees them, by SMPLify; such fits
                                                           # need the pool of poses, and no trained network
  hmr predict holiday/ walk.mp4 --out bodies --maps
  hmr predict beach.jpg --boxes boxes.json --out bodies    # {"beach.jpg": [[x, y, width, height], ...]}
  hmr predict beach.jpg --boxes beach_keypoints.json ...   # OpenPose's or COCO's JSON, or a folder of OpenPose's

A file that cannot be used is told in one line, the rest goes on, and the status is 2 at the end.
"""
_FIRST_CENTRE = 0.5  # where the renderer, which counts from the picture's corner, has the first pixel's centre


@dataclass(frozen=True)
class Tools:
    """What every file needs, made once."""

    looker: Looker
    boxes: people.Boxes | None
    tight: bool
    maps: bool
    out: Path


class Complaints:
    """What could not be used: one line each on stderr, as it comes, without tearing the progress bar."""

    def __init__(self) -> None:
        self.any = False

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """The user's mistake within is told and remembered, and does not end the run."""
        try:
            yield
        except UserError as error:
            self.any = True
            tqdm.write(f"hmr predict: {error}", file=sys.stderr)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("paths", nargs="+", type=Path, metavar="IMAGE|VIDEO|FOLDER")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--boxes", type=Path, help="JSON that says where people are: own form, OpenPose's, COCO's")
    where.add_argument("--tight", action="store_true", help="each picture is cropped closely around one person")
    parser.add_argument("--maps", action="store_true", help="also depth, body parts and UV (pictures only)")
    add_looking_arguments(parser)


def add_looking_arguments(parser: argparse.ArgumentParser) -> None:
    """What says who looks, and how."""
    parser.add_argument("--checkpoint", type=Path, help="default: results/train, newest with critics and 3D labels")
    parser.add_argument("--body", type=Path, default=Path("results/body/body.npz"), help="the body it was trained with")
    parser.add_argument("--detector", type=Path, default=FOLDER, help=f"what hmr detector made; default {FOLDER}")
    parser.add_argument("--fit", action="store_true", help="fit bodies to the joints that BlazePose sees, by SMPLify")
    parser.add_argument("--mocap", type=Path, default=Path("results/mocap/pool.h5"), help="poses that --fit may take")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="SMPLify's settings, for --fit")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def open_looker(args: argparse.Namespace, *, find: bool) -> Looker:
    """Who looks, as the arguments say; how more people would be found goes to stderr."""
    fit = Fit(args.mocap, load_params(args.params).predict.smplify) if args.fit else None
    looker = Looker.open(args.checkpoint, args.body, args.device, args.detector, find=find, fit=fit)
    if looker.advice:
        print(f"hmr {args.command}: {looker.advice}", file=sys.stderr)
    return looker


def run(args: argparse.Namespace) -> int:
    """Everything asked for; the status, 2 where some of it could not be done."""
    complaints, files = Complaints(), []
    for path in args.paths:
        with complaints.told():
            files += files_of(path)
    if not files:
        return 2
    tools = _tools(args)
    _writable(args.out)
    counts, start = [], time.perf_counter()
    with _steady(tools.looker.device):
        for path, name in zip(tqdm(files, unit="file", disable=None), names_of(files), strict=True):
            with complaints.told():
                counts.append((_video if is_video(path) else _picture)(path, name, tools, complaints))
    bodies, used, seconds = sum(counts), sum(map(bool, counts)), time.perf_counter() - start
    if not bodies:
        return 2
    _write_json(args.out / "about.json", tools.looker.told)
    print(summary(tools.looker.told))
    of_all = len(files) if used == len(files) else f"{used} of {len(files)}"
    print(
        f"{bodies} {'body' if bodies == 1 else 'bodies'} from {of_all} {'file' if len(files) == 1 else 'files'}"
        f" written to {args.out}, {len(files) / max(seconds, 1e-9):.1f} files a second"
    )
    return 2 if complaints.any else 0


def _steady(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The same sums in the same order. A processor needs no more than one thread; saying more costs it two seconds."""
    keep_freed_memory()
    if device.type == "cuda":
        return reproducible(1)
    torch.set_num_threads(1)
    return contextlib.nullcontext()


def _tools(args: argparse.Namespace) -> Tools:
    boxes = people.read_boxes(args.boxes) if args.boxes else None
    looker = open_looker(args, find=not (args.tight or args.boxes))
    return Tools(looker, boxes, args.tight, args.maps, args.out)


def _writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UserError(f"--out {out}: expected a folder to write to, found none ({error.strerror})") from None


def _boxes(image: np.ndarray, path: Path, tools: Tools, complaints: Complaints) -> np.ndarray:
    """Boxes (n, 4) of the people to recover: as told, else as found. UserError where there is nobody."""
    if tools.tight:
        return people.whole_picture(image.shape[:2], tools.looker.scale)[None]
    if tools.boxes is None:
        found = tools.looker.detector(image)
        if not len(found):
            raise UserError(
                f"{path}: expected a person, found nobody; say where by --boxes, or crop the picture closely and say"
                " --tight"
            )
        return found
    given, kept = people.boxes_for(tools.boxes, path), []
    if not len(given):
        raise UserError(f"{path}: expected boxes for this picture in --boxes, found none")
    for box in given:
        with complaints.told():
            people.check_box(box, image.shape[:2], path.name)
            kept.append(box)
    return np.array(kept).reshape(-1, 4)


def _picture(path: Path, name: str, tools: Tools, complaints: Complaints) -> int:
    """Everything about one picture; how many bodies."""
    image = read_picture(path)
    size, faces = image.shape[:2], tools.looker.body["f"]
    boxes = _boxes(image, path, tools, complaints)
    seen = []
    for box, body in zip(boxes, tools.looker.bodies(image, boxes), strict=True):
        with complaints.told():
            seen.append((box, _seen(body, f"{path}: the person at {_spoken(box)}")))
    if not seen:
        return 0
    bodies = [body for _, body in seen]
    for k, (box, body) in enumerate(seen):
        stem = tools.out / _person(name, k)
        colour = pictures.colour_of(k)
        _write_bytes(stem.with_name(f"{stem.name}-views.jpg"), _encoded(pictures.side_and_top(body, faces, colour)))
        part_colours = maps.PART_COLOURS[tools.looker.body["part6"] + 1]
        _write_bytes(stem.with_name(f"{stem.name}.glb"), formats.glb(body.vertices, faces, part_colours))
        _write_npz(stem.with_name(f"{stem.name}.npz"), _motion_arrays([body], size, 1.0, tools.looker.model))
        told = {**_parameters(body, size), "picture": path.name, "box_px": box, "network": tools.looker.told}
        _write_json(stem.with_name(f"{stem.name}.json"), told)
    _write_bytes(tools.out / f"{name}-overlay.jpg", _encoded(pictures.draw_bodies(image, bodies, faces)))
    if tools.maps:
        with complaints.told():
            found = maps.maps_of(bodies, tools.looker.body, size, path.name)
            _write_npz(tools.out / f"{name}-maps.npz", maps.arrays_of(found))
            _write_bytes(tools.out / f"{name}-maps.png", _encoded(maps.picture_of(found), ".png"))
    return len(bodies)


def _seen(body: Body | None, who: str) -> Body:
    if body is None:
        raise UserError(f"{who}: {UNSEEN}")
    return body


def _spoken(box: np.ndarray) -> str:
    return "x {:.0f}, y {:.0f}".format(*box[:2])


def _video(path: Path, name: str, tools: Tools, complaints: Complaints) -> int:
    """Everything about one video; how many people. Three passes: find, recover, draw; no frame is kept."""
    video = open_video(path)
    tracks = _tracks(video, tools, complaints)
    if not tracks:
        raise UserError(f"{path}: expected a person, found nobody in two looks running; use --boxes")
    tracks, rough = _seen_tracks(path, tracks, film.recover_frames(video, tracks, tools.looker), complaints)
    if not tracks:
        return 0
    bodies = film.smooth(rough, video, tools.looker)
    for k, track in enumerate(tracks):
        of_track = [bodies[frame, k] for frame in film.span(track)]
        _write_npz(
            tools.out / f"{_person(name, k)}.npz",
            _motion_arrays(of_track, video.size_px, video.rate_hz, tools.looker.model),
        )
        rest = tools.looker.model.rest_joints(_tensor(of_track[0].betas)).numpy()
        transl = np.array([body.standing.transl_m(video.size_px) for body in of_track])
        pose = np.array([body.full_pose_rotmat for body in of_track])
        _write_bytes(tools.out / f"{_person(name, k)}.bvh", formats.bvh(pose, rest, transl, video.rate_hz).encode())
    film.draw_video(video, bodies, tools.looker.body["f"], tools.out / f"{name}-overlay.mp4")
    told = {
        "video": path.name,
        "frame_rate_hz": video.rate_hz,
        "people": [{"first_frame": track.frames[0], "last_frame": track.frames[-1]} for track in tracks],
        "network": tools.looker.told,
    }
    _write_json(tools.out / f"{name}.json", told)
    return len(tracks)


def _tracks(video: Video, tools: Tools, complaints: Complaints) -> list[motion.Track]:
    """Who is where: boxes of the whole video stand still, boxes of frames and found ones are followed."""
    last, path = video.frames - 1, video.path
    whole = people.whole_picture(video.size_px, tools.looker.scale)[None] if tools.tight else None
    if tools.boxes is not None and len(given := people.boxes_for(tools.boxes, path)):
        whole = given
    if whole is not None:
        tracks = []
        for box in whole:
            with complaints.told():
                people.check_box(box, video.size_px, path.name)
                tracks.append(motion.Track([0, last], [box, box]) if last else motion.Track([0], [box]))
        return tracks
    looks = []
    for frame, image in enumerate(
        tqdm(video, total=video.frames, unit="frame", desc="finding", leave=False, disable=None)
    ):
        if tools.boxes is None and frame % motion.DETECT_EVERY == 0:
            looks.append((frame, tools.looker.detector(image)))
        elif tools.boxes is not None:
            names = (f"{path.stem}-{frame:06d}", f"{path.stem}_{frame:012d}")
            looks += [(frame, tools.boxes[key]) for key in names if key in tools.boxes]
    return motion.follow(looks, last) if looks else []


def _seen_tracks(
    path: Path, tracks: list[motion.Track], bodies: dict[tuple[int, int], Body | None], complaints: Complaints
) -> tuple[list[motion.Track], film.Bodies]:
    """Who is seen in any frame, numbered anew, and their bodies in all of them; a line for each of the others."""
    kept: list[motion.Track] = []
    held: film.Bodies = {}
    for k, track in enumerate(tracks):
        if found := film.hold_nearest(track, {frame: bodies[frame, k] for frame in film.span(track)}):
            held |= {(frame, len(kept)): body for frame, body in found.items()}
            kept.append(track)
        else:
            with complaints.told():
                raise UserError(f"{path}: the person from frame {track.frames[0]} on: {UNSEEN}")
    return kept, held


def _parameters(body: Body, size_px: tuple[int, int]) -> dict[str, Any]:
    """Every number, each with its unit in its name or beside it."""
    return {
        "units": {
            "full_pose_axis_angle": "radians, root first, camera frame: x right, y down, z forward",
            "betas": "standard deviations of the body's shapes",
            "keypoints_3d_m": "metres from the body's own origin, camera frame",
            "keypoints_2d_px": "pixels of the picture, the first pixel's centre at (0, 0)",
            "weak_perspective": "px_per_m: pixels that a metre takes; origin_px: where the body's origin falls",
            "transl_m": "metres from a camera with focal_px, an assumed focal length",
            "camera": "scale, shift x, shift y of the network's view, which goes from -1 to 1",
            "view_to_image": "affine map from pixels of the network's view, image_px a side, to the picture's",
        },
        "picture_px": {"width": size_px[1], "height": size_px[0]},
        "weak_perspective": {"px_per_m": body.standing.px_per_m, "origin_px": body.standing.origin_px - _FIRST_CENTRE},
        "focal_px": focal_px(size_px),
        "transl_m": body.standing.transl_m(size_px),
        "full_pose_axis_angle": Rotation.from_matrix(body.full_pose_rotmat).as_rotvec(),
        "joint_names": SMPL_24.joints,
        "betas": body.betas,
        "keypoints_3d_m": body.keypoints_3d_m,
        "keypoints_2d_px": body.standing.project(body.keypoints_3d_m) - _FIRST_CENTRE,
        "keypoint_names": COCOPLUS_19.joints,
        "fitted": body.fitted,
        "camera": body.view.camera,
        "view_to_image": body.view.to_image,
        "image_px": body.view.image_px,
    }


def _motion_arrays(
    bodies: list[Body], size_px: tuple[int, int], rate_hz: float, model: BodyModel
) -> dict[str, np.ndarray]:
    pelvis = model.rest_joints(_tensor(bodies[0].betas))[0].numpy().astype(np.float64)
    return formats.amass(
        np.array([body.full_pose_rotmat for body in bodies], np.float64),
        bodies[0].betas,
        np.array([body.standing.transl_m(size_px) for body in bodies]),
        pelvis,
        rate_hz,
    )


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def _person(name: str, k: int) -> str:
    return name if k == 0 else f"{name}-{k + 1}"


def _encoded(image: np.ndarray, suffix: str = ".jpg") -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def _write_bytes(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    _write_bytes(path, (json.dumps(value, indent=1, default=_plain) + "\n").encode())


def _plain(value: Any) -> Any:
    return np.round(np.asarray(value, float), 6).tolist() if isinstance(value, np.ndarray) else float(value)
