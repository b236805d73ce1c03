"""Error per joint, drawn on a body as an SVG: each circle is as large as the error, on the body's own scale."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hmr.body.joints import LSP_14
from hmr.report.curves import text

PIXELS_A_METRE = 150
MARGIN = 24
_DETAIL_PX = 0.6  # an outline may leave out less than this


def joints_svg(
    errors: Mapping[str, Mapping[str, float]],
    vertices: Float[ndarray, "verts 3"],
    faces: ndarray,
    joints: Float[ndarray, "14 3"],
    columns: int = 3,
) -> str:
    """One body a variant. errors: name to joint to mm. vertices, joints: metres, y down, from the front."""
    place = _placing(vertices)
    width, height = (place(vertices).max(0) + MARGIN).tolist()
    outline = _outline(place(vertices), faces, (round(height), round(width)))
    step, rows = height + 30, -(-len(errors) // columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * width:.0f} {rows * step:.0f}" role="img" '
        'font-family="sans-serif" fill="currentColor" aria-label="Error per joint on a body, one for each variant">',
        f'<defs><path id="body-outline" fill="currentColor" opacity="0.18" d="{outline}"/></defs>',
    ]
    for k, (title, found) in enumerate(errors.items()):
        parts.append(f'<g transform="translate({k % columns * width:.0f} {k // columns * step + 24:.0f})">')
        parts += [text(MARGIN, -8, title, size=12), '<use href="#body-outline"/>']
        parts += _circles(found, dict(zip(LSP_14.joints, place(joints), strict=True)))
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _placing(vertices: ndarray):
    low = vertices[:, :2].min(0)
    return lambda points: (points[:, :2] - low) * PIXELS_A_METRE + MARGIN


def _outline(points: Float[ndarray, "verts 2"], faces: ndarray, size: tuple[int, int]) -> str:
    """The body's shadow as a path."""
    mask = np.zeros(size, np.uint8)
    for corners in np.rint(points[faces]).astype(np.int32):
        cv2.fillConvexPoly(mask, corners, 255)
    found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return "".join(_path(cv2.approxPolyDP(contour, _DETAIL_PX, True)[:, 0]) for contour in found if len(contour) > 3)


def _path(points: Sequence[Sequence[int]] | ndarray) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points) + "Z"


def _circles(errors: Mapping[str, float], places: Mapping[str, ndarray]) -> list[str]:
    parts = []
    for joint in (name for name in places if name in errors):
        (x, y), value = places[joint], errors[joint]
        words = f"{joint.replace('_', ' ')}: {value:.0f} mm"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{value / 1000 * PIXELS_A_METRE:.1f}" fill="#d9553f" '
            f'fill-opacity="0.45" stroke="#d9553f"><title>{words}</title></circle>'
        )
        parts.append(text(x, y + 3, f"{value:.0f}", anchor="middle", size=9))
    return parts
