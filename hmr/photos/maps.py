"""What each pixel of the source picture sees of the bodies: whose, which part, which point of the surface, how deep."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr.body.joints import PARTS
from hmr.errors import UserError
from hmr.photos.pictures import far_to_near, window_of
from hmr.photos.recovery import FAR_M, Body
from hmr.render.raster import rasterise

MOST_PX = 40_000_000  # a picture's maps take 20 bytes a pixel in memory
PART_COLOURS = np.array(
    [(0, 0, 0), (240, 200, 60), (130, 130, 130), (214, 64, 55), (43, 110, 201), (240, 140, 120), (120, 190, 240)],
    np.uint8,
)  # background, then PARTS: the body's right is red, its left blue


@dataclass(frozen=True)
class Maps:
    """All (H, W) over the picture; pixel centres are seen. Where bodies cover each other the near one is seen."""

    person: np.ndarray  # int16, -1 where no body is, then the number of the person
    part: np.ndarray  # uint8, 0 where no body is, then 1 + the index into PARTS
    depth_m: np.ndarray  # float32, metres behind that body's pelvis (before it: negative), NaN where no body is
    uv: np.ndarray | None  # float32 (H, W, 2) in the body's own atlas, v up; NaN where none; None without an atlas


def maps_of(bodies: Sequence[Body], model: dict[str, np.ndarray], size_px: tuple[int, int], name: str) -> Maps:
    """Maps of a picture of size (height, width). model: a body file's arrays. UserError for a picture too large."""
    if size_px[0] * size_px[1] > MOST_PX:
        raise UserError(
            f"{name}: --maps takes pictures of at most {MOST_PX / 1e6:.0f} million pixels, found {size_px[1]} x"
            f" {size_px[0]}; shrink it, or leave --maps out"
        )
    person, part = np.full(size_px, -1, np.int16), np.zeros(size_px, np.uint8)
    depth = np.full(size_px, np.nan, np.float32)
    uv = np.full((*size_px, 2), np.nan, np.float32) if "vt" in model and "ft" in model else None
    for k in far_to_near(bodies):
        body = bodies[k]
        window = rows, columns = window_of(body.standing.project(body.vertices), size_px)
        transl, camera = body.standing.seen()
        seen = rasterise(
            body.vertices + transl,
            model["f"],
            camera.cropped(columns.start, rows.start),
            (rows.stop - rows.start, columns.stop - columns.start),
        )
        hit = seen.face_id >= 0
        face = seen.face_id[hit]
        person[window][hit] = k
        part[window][hit] = model["face_part6"][face] + 1
        depth[window][hit] = 1 / seen.inverse_depth[hit] - FAR_M - body.joints_24_m[0, 2]
        if uv is not None:
            uv[window][hit] = _at(model["vt"][model["ft"][face]], seen.barycentrics[hit])
    return Maps(person, part, depth, uv)


def _at(corners: np.ndarray, barycentrics: np.ndarray) -> np.ndarray:
    """Points of faces (n, 2) from the values at their corners (n, 3, 2) and the weights of the last two (n, 2)."""
    second, third = barycentrics[:, :1], barycentrics[:, 1:]
    return (1 - second - third) * corners[:, 0] + second * corners[:, 1] + third * corners[:, 2]


def arrays_of(maps: Maps) -> dict[str, np.ndarray]:
    """What is stored, with the parts' names."""
    arrays = {"person": maps.person, "part": maps.part, "depth_m": maps.depth_m, "part_names": np.array(PARTS)}
    return arrays if maps.uv is None else {**arrays, "uv": maps.uv}


def picture_of(maps: Maps) -> np.ndarray:
    """For people: depth (near is bright), parts and, where there is an atlas, u and v in red and green, in a row."""
    depth = np.zeros((*maps.part.shape, 3), np.uint8)
    hit = maps.person >= 0
    if hit.any():
        low, high = maps.depth_m[hit].min(), maps.depth_m[hit].max()
        depth[hit] = np.rint(255 - 195 * (maps.depth_m[hit, None] - low) / max(high - low, 1e-6)).astype(np.uint8)
    sheets = [depth, PART_COLOURS[maps.part]]
    if maps.uv is not None:
        sheet = np.zeros_like(depth)
        sheet[hit, :2] = np.rint(255 * np.clip(maps.uv[hit], 0, 1))
        sheet[hit, 2] = 80
        sheets.append(sheet)
    return np.concatenate(sheets, 1)
