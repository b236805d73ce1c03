"""Who looks for people where none are told: BlazePose where it was fetched, else what OpenCV ships."""

import importlib.util
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hmr.errors import UserError
from hmr.photos.blazepose import BlazePose

INTERPRETER = "pip install -e '.[people]'"

_DETECT_PX = 640  # of the longer side: people of a quarter of it and more are found, in a fraction of a second
_BORDER = 0.2  # of the longer side, repeated around the picture: the detector wants to see something beside a person
_SURE = 0.75  # the detector's own score
_OVERLAP = 0.4
# The detector's window is 64 x 128 around a person 96 high.
_PERSON_IN_WINDOW = (0.5, 0.75)


class Detector(Protocol):
    """Finds people in a picture."""

    name: str

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) of the people in uint8 (H, W, 3), surest first."""


def open_detector(folder: Path) -> tuple[Detector, str | None]:
    """The best detector that is here, and in one line how to get a better one. UserError for broken networks.

    folder: where `hmr detector` put BlazePose's networks.
    """
    if not folder.is_dir():
        return (
            Upright(),
            f"{folder}: no networks, so {Upright.name} looks; for more: {INTERPRETER}; hmr detector",
        )
    if not has_interpreter():
        return Upright(), f"{folder}: no interpreter, so {Upright.name} looks; for more: {INTERPRETER}"
    return BlazePose.open(folder), None


def has_interpreter() -> bool:
    """Whether the library that runs BlazePose's networks is installed."""
    return importlib.util.find_spec("ai_edge_litert") is not None


class Upright:
    """Histograms of oriented gradients (Dalal and Triggs 2005), with OpenCV's weights for standing people.

    It needs no download, and is what it is: `benchmarks/photos.py` measures what it finds and misses.
    """

    name = "OpenCV's detector of people who stand upright"

    def __init__(self) -> None:
        if not hasattr(cv2, "HOGDescriptor"):  # OpenCV 5 keeps it in contrib
            raise UserError(
                f"OpenCV {cv2.__version__} without its contrib part finds no people; install"
                " opencv-contrib-python-headless in its place, or give --boxes or --tight"
            )
        self.hog = cv2.HOGDescriptor()
        self.hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) of the people in uint8 (H, W, 3), surest first."""
        scale = min(1.0, _DETECT_PX / max(image.shape[:2]))
        size = [max(1, round(scale * length)) for length in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
        border = round(_BORDER * max(small.shape[:2]))
        grey = cv2.copyMakeBorder(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), *4 * (border,), cv2.BORDER_REPLICATE)
        if grey.shape[0] < 128 or grey.shape[1] < 64:
            return np.zeros((0, 4))
        windows, scores = self.hog.detectMultiScale(grey, winStride=(8, 8), padding=(16, 16), scale=1.08)
        if not len(windows):
            return np.zeros((0, 4))
        scores = np.asarray(scores, np.float64).ravel()
        kept = cv2.dnn.NMSBoxes([tuple(map(int, window)) for window in windows], scores.tolist(), _SURE, _OVERLAP)
        windows = np.asarray(windows, np.float64)[np.asarray(kept, int).ravel()] - (border, border, 0, 0)
        share = np.array(_PERSON_IN_WINDOW)
        return np.concatenate((windows[:, :2] + windows[:, 2:] * (1 - share) / 2, windows[:, 2:] * share), 1) / scale
