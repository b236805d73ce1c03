"""Six body parts of a predicted mesh, drawn where the mesh falls in the source image (paper section 4.2)."""

import numpy as np

from hmr.prediction.placement import camera_in_image
from hmr.render.raster import rasterise


def part_labels(
    vertices: np.ndarray,
    camera: np.ndarray,
    view_to_image: np.ndarray,
    image_px: int,
    size_px: tuple[int, int],
    body: dict[str, np.ndarray],
) -> np.ndarray:
    """uint8 (height, width): 0 background, then 1 + the part of the face that each pixel's centre sees.

    vertices: (V, 3) metres, root-relative. camera: (3,). view_to_image: (2, 3). body: a body file's arrays.
    """
    transl, pinhole = camera_in_image(camera, view_to_image, image_px)
    face_id = rasterise(vertices + transl, body["f"], pinhole, size_px).face_id
    return np.where(face_id >= 0, body["face_part6"][face_id] + 1, 0).astype(np.uint8)
