"""`hmr predict`: a person's own pictures in; overlay, mesh and parameters of each body out."""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from hmr.body.file import read_body_file
from hmr.body.joints import COCOPLUS_19
from hmr.body.model import BodyModel
from hmr.data import augment
from hmr.data.crop import crop_person
from hmr.device import pick_device, reproducible
from hmr.files import atomic_path
from hmr.geometry.affine import compose, invert, transform
from hmr.prediction.checkpoints import Loaded, open_network
from hmr.prediction.photos import Person, find_people, read_boxes
from hmr.prediction.placement import camera_in_image
from hmr.prediction.predictor import Bodies, bodies_of
from hmr.render.overlay import overlay, side_view, tile

_HELP = """
For each person: NAME-overlay.jpg (picture, body over it, body from the side), NAME.obj (mesh, metres) and NAME.json
(camera, pose, betas, joints). A picture is taken to be tight around one person unless --boxes says where people are.

  hmr predict photo.jpg --out bodies
  hmr predict holiday/ --boxes boxes.json --out bodies     # {"beach.jpg": [[x, y, width, height]], ...}

The default checkpoint was trained on rendered people: expect it to be rough on photographs.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("paths", nargs="+", type=Path, metavar="IMAGE|VIDEO|FOLDER")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--checkpoint", type=Path, default=Path("results/train/paired/checkpoint.safetensors"))
    parser.add_argument("--body", type=Path, default=Path("results/body/body.npz"), help="the body it was trained with")
    parser.add_argument("--boxes", type=Path, help="JSON: picture name to boxes [x, y, width, height], pixels")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> None:
    network = open_network(args.checkpoint, pick_device(args.device))
    body, faces = BodyModel.load(args.body), read_body_file(args.body)["f"]
    boxes = read_boxes(args.boxes) if args.boxes else None
    args.out.mkdir(parents=True, exist_ok=True)
    count = 0
    with reproducible(1):
        for person in tqdm(find_people(args.paths, boxes), unit="person", disable=None):
            recover(person, network, body, faces, args.out)
            count += 1
    print(f"{count} {'body' if count == 1 else 'bodies'} written to {args.out}")


def recover(person: Person, network: Loaded, body: BodyModel, faces: np.ndarray, out: Path) -> None:
    """One person's overlay, mesh and parameters."""
    image_px = network.image_px
    crop = crop_person(
        person.image,
        keypoints_px=np.empty((0, 2)),
        center_px=person.center_px,
        person_px=person.person_px,
        crop_px=augment.CROP_REFERENCE_PX,
    )
    views = augment.plain_views(1, network.scale)
    to_view = augment.view_matrices(views, crop_px=augment.CROP_REFERENCE_PX, image_px=image_px)[0]
    bodies = bodies_of(network.source(augment.warp(crop.image, to_view, image_px)[None]), body)
    view_to_image = compose(crop.crop_to_image, invert(to_view))
    transl, camera = camera_in_image(bodies.camera[0], view_to_image, image_px)
    vertices = bodies.vertices[0] + transl
    pictures = [
        person.image,
        overlay(person.image, vertices, faces, camera),
        side_view(vertices, faces, camera, person.image.shape[:2]),
    ]
    _write_bytes(out / f"{person.name}-overlay.jpg", _jpeg(tile(pictures, 3)))
    _write_bytes(out / f"{person.name}.obj", _obj(bodies.vertices[0], faces))
    _write_bytes(out / f"{person.name}.json", _parameters(bodies, view_to_image, image_px))


def _parameters(bodies: Bodies, view_to_image: np.ndarray, image_px: int) -> bytes:
    keypoints_px = transform(view_to_image, augment.from_norm(bodies.keypoints_norm[0], image_px))
    values = {
        "camera": bodies.camera[0],
        "view_to_image": view_to_image,
        "image_px": np.array(image_px),
        "full_pose_axis_angle": bodies.pose_axis_angle[0],
        "betas": bodies.betas[0],
        "keypoints_3d_m": bodies.keypoints_3d_m[0],
        "keypoints_2d_px": keypoints_px,
    }
    plain = {name: np.round(value.astype(float), 6).tolist() for name, value in values.items()}
    return (json.dumps({**plain, "keypoint_names": COCOPLUS_19.joints}, indent=1) + "\n").encode()


def _obj(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    """Wavefront OBJ, y up as viewers expect, metres."""
    lines = [f"v {x:.5f} {-y:.5f} {-z:.5f}" for x, y, z in vertices]
    return "\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in faces + 1), ""]).encode()


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def _write_bytes(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
