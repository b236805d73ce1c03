"""The stored crop: a square about the person, who is always shown at the same scale.

At reference scale the person's diagonal is 150 pixels (the method's convention). How many reference pixels the crop
covers, and with how many of its own, is its size. Pixel centres are whole numbers in the source image and in the crop.
Beyond the image its edge repeats.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from hmr.data.augment import CropSize
from hmr.geometry.affine import compose, invert, transform

PERSON_REFERENCE_PX = 150


@dataclass(frozen=True)
class Crop:
    """A square cut from an image."""

    image: np.ndarray  # uint8 (px, px, 3), colours in the order of the source image
    crop_to_image: np.ndarray  # (2, 3) affine map from crop pixels to source pixels
    keypoints_px: np.ndarray  # (K, 2) in crop pixels


def crop_scale(person_px: float, size: CropSize) -> float:
    """Crop pixels per source pixel."""
    return PERSON_REFERENCE_PX / person_px * size.density


def image_to_crop(center_px: np.ndarray, scale: float, crop_px: int) -> np.ndarray:
    """Affine map (2, 3) from source pixels to crop pixels; `center_px` goes to the crop's middle."""
    shift = (crop_px - 1) / 2 - scale * np.asarray(center_px, np.float64)
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def crop_person(
    image: np.ndarray, *, keypoints_px: np.ndarray, center_px: np.ndarray, person_px: float, size: CropSize
) -> Crop:
    """Cut the person out of an image uint8 (H, W, 3) and move the keypoints (K, 2) along."""
    scale = crop_scale(person_px, size)
    forward = image_to_crop(center_px, scale, size.px)
    backward = invert(forward)
    window, offset = _window(image, backward, size.px)
    small, to_window = _shrunk(window, scale)
    # small -> window -> image -> crop, as one map
    to_crop = compose(forward, compose(np.array([[1.0, 0, offset[0]], [0, 1.0, offset[1]]]), to_window))
    square = cv2.warpAffine(small, to_crop, (size.px, size.px), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return Crop(square, backward, transform(forward, keypoints_px))


def _window(image: np.ndarray, crop_to_image: np.ndarray, crop_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image that the crop sees, with a margin for the filters, and where it starts (x, y).

    Shrinking the whole of a large image for each of its people would cost more than all the rest.
    """
    margin = 4 * max(1.0, crop_to_image[0, 0])
    size = np.array(image.shape[1::-1])
    corners = transform(crop_to_image, np.array([[0, 0], [crop_px - 1, crop_px - 1]]))
    start = np.clip(np.floor(corners[0] - margin), 0, size - 1).astype(int)
    stop = np.clip(np.ceil(corners[1] + margin) + 1, start + 1, size).astype(int)
    return image[start[1] : stop[1], start[0] : stop[0]], start


def _shrunk(window: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The window at about `scale` by area averaging, so that fine texture does not alias, and the map (2, 3) back."""
    height, width = window.shape[:2]
    if scale >= 1:
        return window, np.array([[1.0, 0, 0], [0, 1.0, 0]])
    size = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = width / size[0], height / size[1]
    small = cv2.resize(window, size, interpolation=cv2.INTER_AREA)
    return small, np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])
