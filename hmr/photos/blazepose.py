"""People in any pose by BlazePose (Bazarevsky et al. 2020): one network finds heads with their hips, another places
joints on each person, and the box goes around these.

The first network sees 224 pixels and people who fill half of them and more, so it looks at the picture through windows:
all of it, halves, and quarters where these showed someone new. What would be too large or too small for its window is
a mistake. Constants and the order of the networks' numbers are those of MediaPipe's graphs pose_detection_cpu and
pose_landmark_cpu; what differs is marked.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hmr.body.joints import COCOPLUS_19
from hmr.download.blazepose import HEADS, JOINTS, WHEEL, check_networks
from hmr.photos.people import Place

_HEADS_PX = 224
_GRIDS = ((28, 2), (14, 2), (7, 6))  # cells a side, and how many answers each cell gives
_JOINTS_PX = 256
_SURE = 0.5  # both that a head is there, and that joints are somebody's
_SAME_HEAD = 0.3  # intersection over union
_PARTS = (1, 2, 4)  # a window's side is this part of the picture's longer side
_SEEN_PX = max(_PARTS) * _HEADS_PX  # of the longer side: more does not reach the networks
_LEAST_WINDOW_PX = 64
_PERSON_IN_WINDOW = (0.125, 1.5)  # a box's diagonal, in sides of the window; larger people are a larger window's
_AROUND = 1.25  # the second network sees this times the circle that the first draws around a person
_SHOULDERS, _EARS = [11, 12], [7, 8]
_LIMBS = [*range(11, 17), *range(23, 29)]  # shoulders, elbows, wrists; hips, knees, ankles
_ROWS = {"nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8} | {
    f"{side}_{joint}": first + (side == "right")
    for joint, first in {"shoulder": 11, "elbow": 13, "wrist": 15, "hip": 23, "knee": 25, "ankle": 27}.items()
    for side in ("left", "right")
}
_CIRCLE = 0.62  # of a person's diagonal is the radius of their circle
# The head's top lies beyond the ears by this part of their way from the shoulders: the median of 739 people of
# LSP-extended, other ones than those on which the detector is measured.
_TOP = 0.61
_SAME_CIRCLE = 0.25  # of a person's radius: whoever is so near them, and about as large, is not looked at again
_SAME_PERSON = 0.6  # of the smaller box lies within the other. Not MediaPipe's, which looks for one person


Network = Callable[[Float[ndarray, "side side 3"]], Sequence[ndarray]]


@dataclass(frozen=True)
class Joints:
    """What the second network says of one person, in pixels of the picture."""

    sure: float  # that somebody is there
    joints_px: np.ndarray  # (33, 2) in MediaPipe's order
    visible: np.ndarray  # (33,) how surely each is in sight
    hips_px: np.ndarray  # (2,) middle of the hips
    top_px: np.ndarray  # (2,) of a circle around them that holds the person

    def keypoints_19(self) -> tuple[Float[ndarray, "19 2"], Float[ndarray, "19"]]:
        """The method's keypoints, and how far each counts. Neck and head's top follow from shoulders and ears."""
        shoulders, ears = self.joints_px[_SHOULDERS].mean(0), self.joints_px[_EARS].mean(0)
        points = {name: self.joints_px[row] for name, row in _ROWS.items()}
        points |= {"neck": shoulders, "head_top": ears + _TOP * (ears - shoulders)}
        counts = {name: self.visible[row] for name, row in _ROWS.items()}
        counts |= {"neck": self.visible[_SHOULDERS].min(), "head_top": self.visible[_EARS].max()}
        order = COCOPLUS_19.joints
        return np.array([points[name] for name in order]), np.array([counts[name] for name in order])


@dataclass(frozen=True)
class _Found:
    """Somebody whom both networks see."""

    sure: float
    box: np.ndarray  # (4,)
    hips: np.ndarray  # (2,) as the first network has them
    top: np.ndarray  # (2,) of the circle around them


class BlazePose:
    """Finds people by two networks: one answers with rows (1, 2254, 12) and logits (1, 2254, 1), the other with
    joints (1, 195) and a certainty (1, 1), and whatever else."""

    name = f"BlazePose ({WHEEL.pin})"

    def __init__(self, heads: Network, joints: Network) -> None:
        self._heads, self._joints = heads, joints

    @classmethod
    def open(cls, folder: Path) -> Self:
        """With the networks in a folder that `hmr detector` made. UserError where they are broken."""
        check_networks(folder)
        return cls(_Interpreted(folder / HEADS), _Interpreted(folder / JOINTS))

    def __call__(self, image: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "n 4"]:
        """Boxes (x, y, width, height) around joints and the head's top, surest first."""
        scale = min(1.0, _SEEN_PX / max(image.shape[:2]))
        seen = _resized(image, scale)
        people: list[_Found] = []
        for parts in _PARTS:
            before = len(people)
            for found in sorted(self._look(seen, parts, people[:]), key=lambda person: -person.sure):
                if all(_shared(found.box, other.box) < _SAME_PERSON for other in people):
                    people.append(found)
            if parts > 1 and 0 < before == len(people):
                break  # nobody new: smaller windows would show parts of people
        people.sort(key=lambda person: -person.sure)
        return np.array([person.box for person in people], np.float64).reshape(-1, 4) / scale

    def _look(self, image: np.ndarray, parts: int, known: Sequence[_Found]) -> Iterator[_Found]:
        """Everybody who is seen through windows of one size and is not known from larger ones."""
        answers = [self._heads_in(image, *window) for window in _windows(image.shape[:2], parts)]
        if not answers:
            return
        least, most = np.array(_PERSON_IN_WINDOW) * (max(image.shape[:2]) / parts)
        scores, points = (np.concatenate(values) for values in zip(*answers, strict=True))
        for score, (_, _, hips, top) in _merged(scores, points):
            if any(_same_circle(hips, top, person) for person in known):
                continue
            seen = self._joints_of(image, hips, top)
            box = _around(seen.joints_px)
            if seen.sure >= _SURE and least <= np.hypot(*box[2:]) and (parts == 1 or np.hypot(*box[2:]) <= most):
                yield _Found(score * seen.sure, box, hips, top)

    def _heads_in(self, image: np.ndarray, x: int, y: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores (n,), and points (n, 4, 2): middle and size of the head's box, middle of the hips, and the top of a
        circle around them that holds the person. Pixels of the picture."""
        scale = _HEADS_PX / max(width, height)
        small = _resized(image[y : y + height, x : x + width], scale)
        view = np.zeros((_HEADS_PX, _HEADS_PX, 3), np.uint8)
        left, top = (_HEADS_PX - small.shape[1]) // 2, (_HEADS_PX - small.shape[0]) // 2
        view[top : top + small.shape[0], left : left + small.shape[1]] = small
        rows, logits = self._heads(view / np.float32(127.5) - 1)
        sure = logits.ravel() >= np.log(_SURE / (1 - _SURE))
        points = rows.reshape(-1, 6, 2)[sure, :4].astype(np.float64)
        points[:, [0, 2, 3]] += _cells()[sure, None] - (left, top)
        points /= scale
        points[:, [0, 2, 3]] += x, y
        return 1 / (1 + np.exp(-logits.ravel()[sure])), points

    def joints_at(self, image: UInt8[ndarray, "h w 3"], place: Place) -> Joints | None:
        """The joints of somebody at a place, whichever way up; None where nobody is seen.

        Looked at from four sides, then along the person; MediaPipe knows the way from its first network.
        """
        sides = [np.array((np.sin(turn), -np.cos(turn))) for turn in np.arange(4) * np.pi / 2]
        radius = _CIRCLE * place.person_px
        seen = [self._joints_of(image, place.center_px, place.center_px + radius * side) for side in sides]
        best = max(seen, key=lambda joints: joints.sure)
        along = self._joints_of(image, best.hips_px, best.top_px)
        best = along if along.sure >= _SURE else best
        return best if best.sure >= _SURE else None

    def _joints_of(self, image: np.ndarray, hips: np.ndarray, top: np.ndarray) -> Joints:
        """What the second network says of a person whose circle goes through `top`."""
        up = (top - hips) * (2 * _AROUND / _JOINTS_PX)  # a pixel of the view, upwards along the person
        turn = np.array([[-up[1], -up[0]], [up[0], -up[1]]])
        to_image = np.column_stack((turn, hips - turn @ np.full(2, (_JOINTS_PX - 1) / 2)))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        view = cv2.warpAffine(image, to_image, (_JOINTS_PX, _JOINTS_PX), flags=flags)
        joints, sure, *_ = self._joints(view / np.float32(255))
        rows = joints.reshape(-1, 5).astype(np.float64)
        points = rows[:, :2] @ turn.T + to_image[:, 2]
        return Joints(float(sure.item()), points[:33], 1 / (1 + np.exp(-rows[:33, 3])), points[33], points[34])


class _Interpreted:
    """A network of one picture, on one thread: the same numbers every time."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter  # an extra: the rest of the program does without it

        with _silence():  # its own news about how it computes
            self._interpreter = Interpreter(str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = sorted(self._interpreter.get_output_details(), key=lambda output: output["name"])
        self._outputs = [output["index"] for output in outputs]

    def __call__(self, view: Float[ndarray, "side side 3"]) -> list[np.ndarray]:
        """Its answers, in the order of their names."""
        self._interpreter.set_tensor(self._input, view[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing on the process's stderr, which libraries in C++ write to by themselves."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


@cache
def _cells() -> np.ndarray:
    """Middles (2254, 2) of the cells that the first network's answers are relative to, in pixels of its view."""
    grids = []
    for cells, answers in _GRIDS:
        middle = (np.arange(cells) + 0.5) * _HEADS_PX / cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        grids.append(np.stack((x, y), -1).reshape(-1, 2).repeat(answers, 0))
    return np.concatenate(grids)


def _resized(image: np.ndarray, scale: float) -> np.ndarray:
    size = [max(1, round(scale * length)) for length in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _windows(size_px: tuple[int, int], parts: int) -> Iterator[tuple[int, int, int, int]]:
    """x, y, width, height of windows that overlap by half and more, so that each person is whole in one of them."""
    side = max(size_px) // parts
    if parts > 1 and side < _LEAST_WINDOW_PX:
        return
    tops, lefts = (
        np.linspace(0, max(0, length - side), 1 + max(0, -(-2 * (length - side) // side))).astype(int)
        for length in size_px
    )
    for top in tops:
        for left in lefts:
            yield int(left), int(top), min(side, size_px[1]), min(side, size_px[0])


def _merged(scores: np.ndarray, points: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """One answer for each head: the mean, weighted by score, of those whose heads overlap a surer one."""
    low, high = points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2
    area = np.prod(high - low, 1)
    left = np.argsort(-scores)
    while len(left):
        first = left[0]
        common = np.prod(np.clip(np.minimum(high[left], high[first]) - np.maximum(low[left], low[first]), 0, None), 1)
        near = common >= _SAME_HEAD * (area[left] + area[first] - common)
        near[0] = True
        yield float(scores[first]), np.average(points[left[near]], 0, scores[left[near]])
        left = left[~near]


def _same_circle(hips: np.ndarray, top: np.ndarray, person: _Found) -> bool:
    """Whether a circle around hips and through a top is about that of a person."""
    theirs = np.hypot(*(person.top - person.hips))
    apart = max(np.hypot(*(hips - person.hips)), abs(np.hypot(*(top - hips)) - theirs))
    return bool(apart < _SAME_CIRCLE * theirs)


def _around(joints: np.ndarray) -> np.ndarray:
    """The box (4,) around limbs and the head's top."""
    ears = joints[_EARS].mean(0)
    points = np.vstack((joints[_LIMBS], ears + _TOP * (ears - joints[_SHOULDERS].mean(0))))
    return np.concatenate((points.min(0), np.ptp(points, axis=0)))


def _shared(first: np.ndarray, second: np.ndarray) -> float:
    """Which part of the smaller of two boxes lies within the other."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[:2] + first[2:], second[:2] + second[2:])
    return float(np.prod(np.maximum(high - low, 0)) / max(min(np.prod(first[2:]), np.prod(second[2:])), 1e-9))
