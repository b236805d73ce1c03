"""Pictures for people: bodies over photographs, side views, keypoints, contact sheets."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmr.render.camera import Camera
from hmr.render.mesh import Mesh
from hmr.render.shade import Lights, draw

NEUTRAL = (166, 189, 219)  # a light steel blue, seen on grass, skin and brick alike
RIGHT = (214, 64, 55)
LEFT = (43, 110, 201)
MIDDLE = (240, 200, 60)
SUBPIXEL_BITS = 4
CAPTION_PX = 20


def overlay(
    photo: NDArray[np.uint8],
    vertices: NDArray,
    faces: NDArray,
    camera: Camera,
    *,
    colour: ArrayLike = NEUTRAL,
    opacity: float = 0.9,
) -> NDArray[np.uint8]:
    """A body, camera-frame vertices (V, 3) in metres, drawn over a photo (H, W, 3) uint8 RGB."""
    return draw(Mesh(vertices, faces, colour), camera, Lights(), photo, opacity=opacity)


def side_view(
    vertices: NDArray,
    faces: NDArray,
    camera: Camera,
    size_px: tuple[int, int],
    *,
    pivot: ArrayLike | None = None,
    colour: ArrayLike = NEUTRAL,
    paper: ArrayLike = (255, 255, 255),
) -> NDArray[np.uint8]:
    """The body seen from its own side by the same camera, on plain paper of size_px = (height, width).

    It is turned by 90 degrees about the vertical through `pivot` (3,), by default the middle of the vertices: what
    was on the camera's far side comes out on the right.
    """
    vertices = np.asarray(vertices, np.float64)
    centre = vertices.mean(0) if pivot is None else np.asarray(pivot, np.float64)
    quarter_turn = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    turned = (vertices - centre) @ quarter_turn.T + centre
    sheet = np.broadcast_to(np.asarray(paper, np.uint8), (*size_px, 3))
    return draw(Mesh(turned, faces, colour), camera, Lights(), sheet)


def draw_keypoints(
    image: NDArray[np.uint8],
    keypoints_px: NDArray,
    visible: NDArray,
    *,
    bones: Sequence[tuple[int, int]],
    right: Collection[int],
    left: Collection[int],
    radius_px: float = 3.0,
) -> NDArray[np.uint8]:
    """A copy of the image with visible keypoints (K, 2) as dots and bones, pairs of keypoint indices, as lines.

    Keypoints in `right` and bones that touch them are red, those in `left` blue, all others yellow.
    """
    canvas = np.array(image, order="C")
    shown = np.asarray(visible, bool) & np.isfinite(keypoints_px).all(1)
    for start, end in bones:
        if shown[start] and shown[end]:
            colour = _side_colour({start, end}, right, left)
            ends = _fixed_point(keypoints_px[start]), _fixed_point(keypoints_px[end])
            thickness = max(1, round(radius_px * 0.7))
            cv2.line(canvas, *ends, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
    for k in np.flatnonzero(shown):
        size = round(radius_px * 2**SUBPIXEL_BITS)
        colour = _side_colour({int(k)}, right, left)
        cv2.circle(canvas, _fixed_point(keypoints_px[k]), size, colour, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)
    return canvas


def tile(
    images: Sequence[NDArray[np.uint8]],
    columns: int,
    captions: Sequence[str] | None = None,
    *,
    gap_px: int = 4,
    paper: ArrayLike = (255, 255, 255),
) -> NDArray[np.uint8]:
    """Contact sheet: RGB images row by row in cells as large as the largest, each with its caption above."""
    if not images or (captions is not None and len(captions) != len(images)):
        raise ValueError(f"tile: expected images and as many captions, found {len(images)} images, captions {captions}")
    top = CAPTION_PX if captions is not None else 0
    height = max(image.shape[0] for image in images) + top + gap_px
    width = max(image.shape[1] for image in images) + gap_px
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    sheet = np.empty((rows * height + gap_px, columns * width + gap_px, 3), np.uint8)
    sheet[:] = np.asarray(paper, np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * height + gap_px, i % columns * width + gap_px
        sheet[y + top : y + top + image.shape[0], x : x + image.shape[1]] = image
        if captions is not None:
            _write(sheet[y : y + top, x : x + width - gap_px], captions[i])
    return sheet


def _write(strip: NDArray[np.uint8], text: str) -> None:
    """Text on one line of a view into a picture, shrunk to its width."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    natural = cv2.getTextSize(text, font, 0.45, 1)[0][0]
    size = 0.45 * min(1.0, strip.shape[1] / max(natural, 1))
    line = np.array(strip, order="C")
    cv2.putText(line, text, (0, CAPTION_PX - 6), font, size, (40, 40, 40), 1, cv2.LINE_AA)
    strip[:] = line


def _side_colour(points: set[int], right: Collection[int], left: Collection[int]) -> tuple[int, int, int]:
    touches_right, touches_left = not points.isdisjoint(right), not points.isdisjoint(left)
    if touches_right == touches_left:
        return MIDDLE
    return RIGHT if touches_right else LEFT


def _fixed_point(point: NDArray) -> tuple[int, int]:
    """OpenCV counts from the first pixel's centre, the renderer from its corner. Far points are held near."""
    x, y = np.rint(np.clip(np.asarray(point, np.float64) - 0.5, -1e4, 1e4) * 2**SUBPIXEL_BITS).astype(int)
    return int(x), int(y)
