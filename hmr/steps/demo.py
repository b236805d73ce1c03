"""`hmr demo`: a local web page where a picture is dropped and its bodies turn in the browser."""

import argparse
import base64
from typing import Any

import cv2
import numpy as np
import torch

from hmr.demo.server import HOST, Box, make_server
from hmr.errors import UserError
from hmr.photos import formats, maps, people, pictures
from hmr.photos.about import summary
from hmr.photos.looker import UNSEEN, Looker
from hmr.photos.reading import decode_picture
from hmr.steps.predict import add_looking_arguments, open_looker

_HELP = """
Open the address that is printed, drop a picture, turn its bodies; drag a box around someone who is not found. The page
is served to this machine alone, takes pictures of up to 25 MB and 40 million pixels, and stores nothing: neither
pictures nor bodies.

  hmr demo
  hmr demo --port 8080 --checkpoint results/train/unpaired/checkpoint.safetensors
  hmr demo --fit            # limbs where BlazePose sees them
"""
_MOST_PX = 40_000_000  # of a picture: what a phone makes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("--port", type=int, default=8000, help="default 8000; 0 takes any that is free")
    add_looking_arguments(parser)


def run(args: argparse.Namespace) -> None:
    looker = open_looker(args, find=True)
    torch.set_num_threads(1)
    server = make_server(lambda content, box: recovered(content, box, looker), args.port)
    print(summary(looker.told))
    print(f"http://{HOST}:{server.server_address[1]} is ready; Ctrl+C ends it", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


def recovered(content: bytes, box: Box | None, looker: Looker) -> dict[str, Any]:
    """What the page shows of a picture. UserError for what is no picture, too large, or without a person."""
    image = decode_picture(content, "this file")
    if image.shape[0] * image.shape[1] > _MOST_PX:
        raise UserError(f"this picture has more than {_MOST_PX // 1_000_000} million pixels; shrink it")
    boxes = looker.detector(image) if box is None else np.array([box])
    for one in boxes:
        people.check_box(one, image.shape[:2], "this picture")
    if not len(boxes):
        raise UserError("nobody was found; drag a box around a person in the picture")
    bodies, faces = [body for body in looker.bodies(image, boxes) if body is not None], looker.body["f"]
    if not bodies:
        raise UserError(f"a person is there, but {UNSEEN}")
    colours = maps.PART_COLOURS[looker.body["part6"] + 1]
    overlay = cv2.cvtColor(pictures.draw_bodies(image, bodies, faces), cv2.COLOR_RGB2BGR)
    return {
        "overlay": _text(cv2.imencode(".jpg", overlay)[1].tobytes()),
        "meshes": [_text(formats.glb(body.vertices, faces, colours)) for body in bodies],
        "colours": ["#{:02x}{:02x}{:02x}".format(*pictures.colour_of(k)) for k in range(len(bodies))],  # in the overlay
        "about": summary(looker.told),
    }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
