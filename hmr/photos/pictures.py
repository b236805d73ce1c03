"""Bodies over the picture in its own resolution, and each body from its side and from above."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hmr.photos.recovery import FAR_M, Body
from hmr.render.camera import Camera
from hmr.render.mesh import Mesh
from hmr.render.overlay import NEUTRAL
from hmr.render.shade import Lights, draw

# So that people who touch can be told apart: colour-blind safe, light enough to show shading.
COLOURS = (NEUTRAL, (240, 196, 120), (170, 214, 160), (226, 166, 178), (190, 176, 226), (150, 212, 216))
_BAND_PX = 4_000_000  # of a picture drawn at once, so that memory does not grow with it
_VIEW_PX = 400
_MARGIN = 1.1


def window_of(points_px: Float[ndarray, "n 2"], size_px: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the picture that points, and all between them, may touch; perhaps none."""
    low = np.clip(np.floor(points_px.min(0)) - 1, 0, size_px[::-1]).astype(int)
    high = np.clip(np.ceil(points_px.max(0)) + 1, 0, size_px[::-1]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def far_to_near(bodies: Sequence[Body]) -> list[int]:
    """The order to paint in. # ASSUME: of people of about one height, those who look smaller stand behind."""
    return sorted(range(len(bodies)), key=lambda k: bodies[k].standing.px_per_m)


def draw_bodies(
    image: UInt8[ndarray, "h w 3"], bodies: Sequence[Body], faces: ndarray, *, supersample: int = 2
) -> UInt8[ndarray, "h w 3"]:
    """A copy of the picture with each body over it, the k-th in the k-th colour, far ones first."""
    canvas = image.copy()
    for k in far_to_near(bodies):
        _draw(canvas, bodies[k], faces, COLOURS[k % len(COLOURS)], supersample)
    return canvas


def _draw(canvas: np.ndarray, body: Body, faces: np.ndarray, colour: tuple[int, int, int], supersample: int) -> None:
    rows, columns = window_of(body.standing.project(body.vertices), canvas.shape[:2])
    transl, camera = body.standing.seen()
    mesh = Mesh(body.vertices + transl, faces, colour)
    high = max(1, _BAND_PX // max(1, columns.stop - columns.start))
    for top in range(rows.start, rows.stop, high):
        band = slice(top, min(top + high, rows.stop)), columns
        part = camera.cropped(columns.start, top)
        canvas[band] = draw(mesh, part, Lights(), canvas[band], supersample=supersample, opacity=0.9)


def side_and_top(body: Body, faces: ndarray, colour: tuple[int, int, int] = NEUTRAL) -> UInt8[ndarray, "h w 3"]:
    """The body from the front, from its side and from above, at one scale, side by side on white.

    From the side: what was on the camera's far side is on the right. From above: it is at the top.
    """
    middle = (body.vertices.max(0) + body.vertices.min(0)) / 2
    around = body.vertices - middle
    metres = max(2 * float(np.abs(around).max()), 1e-3) * _MARGIN
    camera = Camera(FAR_M * _VIEW_PX / metres, (_VIEW_PX / 2, _VIEW_PX / 2))
    side = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    above = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    paper = np.full((_VIEW_PX, _VIEW_PX, 3), 255, np.uint8)
    views = [
        draw(Mesh(around @ turn.T + (0, 0, FAR_M), faces, colour), camera, Lights(), paper)
        for turn in (np.eye(3), side, above)
    ]
    return np.concatenate(views, 1)


def colour_of(person: int) -> tuple[int, int, int]:
    """The colour of the k-th person of a picture."""
    return COLOURS[person % len(COLOURS)]
