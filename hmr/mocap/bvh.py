"""Biovision's motion files (.bvh): one skeleton and its motion, whatever its names, channels and units.

A joint lies at an offset from its parent's place; position channels, where it has them, stand in for that offset. Its
rotation channels turn it and all below, multiplied in the order in which they are listed. All angles zero is a pose
too, but which one is up to who wrote the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hmr.errors import UserError

_CHANNELS = tuple(f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation"))
_TOO_LARGE = 1e12  # for any length or angle: as good as not finite
_WAY_OUT = "export it again"


@dataclass(frozen=True)
class Bvh:
    """Joints, parents before children, and the numbers of every frame."""

    names: tuple[str, ...]
    parents: tuple[int, ...]  # -1 above the root
    offsets: Float[ndarray, "joints 3"]  # from the parent, in the file's units
    channels: tuple[tuple[str, ...], ...]  # of each joint, such as xposition or zrotation
    values: Float[ndarray, "frames channels"]  # as in the file: its units and degrees
    rate_hz: float


def pose_joints(
    motion: Bvh, values: Float[ndarray, "frames channels"]
) -> tuple[Float[ndarray, "frames joints 3 3"], Float[ndarray, "frames joints 3"]]:
    """Forward kinematics: how far each joint is turned from the pose of zero angles, and its place in file units."""
    turns, places, start = [], [], 0
    for joint, (parent, channels) in enumerate(zip(motion.parents, motion.channels, strict=True)):
        here = slice(start, start + len(channels))
        start = here.stop
        own = dict(zip(channels, values[:, here].T, strict=True))
        turn, shift = _turn(own, len(values)), np.tile(motion.offsets[joint], (len(values), 1))
        # ASSUME: positions replace the offset, as in Blender, but where all are zero they are meant to be added to it.
        moved = [column for column, name in enumerate(channels) if name.endswith("position")]
        if motion.values[:, here][:, moved].any():
            for name in (channels[column] for column in moved):
                shift[:, "xyz".index(name[0])] = own[name]
        if parent < 0:
            turns.append(turn)
            places.append(shift)
        else:
            turns.append(turns[parent] @ turn)
            places.append(places[parent] + (turns[parent] @ shift[..., None])[..., 0])
    return np.stack(turns, 1), np.stack(places, 1)


def _turn(own: dict[str, ndarray], frames: int) -> Float[ndarray, "frames 3 3"]:
    order = "".join(name[0].upper() for name in own if name.endswith("rotation"))
    if not order:
        return np.tile(np.eye(3), (frames, 1, 1))
    angles = np.stack([own[f"{axis.lower()}rotation"] for axis in order], 1)
    return Rotation.from_euler(order, angles, degrees=True).as_matrix()  # capitals: each about the turned axes


def read_bvh(path: Path) -> Bvh:
    """A skeleton and its motion. UserError names the line that is wrong; numbers that are not finite are handed on."""
    return _Parser(path).parse()


class _Parser:
    """One pass over the lines: the hierarchy's words and braces, then a line of numbers for each frame."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self.lines = enumerate(self.path.read_text("utf-8-sig").splitlines(), start=1)
        except OSError:
            raise UserError(f"{path}: expected a BVH file, found no readable file; {_WAY_OUT}") from None
        except UnicodeDecodeError:
            raise UserError(f"{path}: expected a BVH file, found something that is not text; {_WAY_OUT}") from None
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[list[float] | None] = []
        self.channels: list[tuple[str, ...]] = []

    def fail(self, number: int, problem: str) -> NoReturn:
        raise UserError(f"{self.path}: line {number}: {problem}; {_WAY_OUT}")

    def parse(self) -> Bvh:
        self._hierarchy()
        for name, offset in zip(self.names, self.offsets, strict=True):
            if offset is None:
                raise UserError(f"{self.path}: joint {name!r}: expected an OFFSET, found none; {_WAY_OUT}")
        values, rate_hz = self._motion(sum(map(len, self.channels)))
        return Bvh(
            *(tuple(self.names), tuple(self.parents), np.array(self.offsets, float), tuple(self.channels)),
            values=values,
            rate_hz=rate_hz,
        )

    def _pieces(self) -> Iterator[tuple[int, str]]:
        """Lines without blank ones, and braces apart from what stands beside them."""
        for number, line in self.lines:
            yield from ((number, piece.strip()) for piece in re.split(r"([{}])", line) if piece.strip())

    def _hierarchy(self) -> None:
        """Up to the word MOTION."""
        opened: list[int | None] = []  # joints whose braces are open; None is an end site
        coming: list[int | None] = []
        for number, piece in self._pieces():
            word, *more = piece.split(maxsplit=1)
            key, rest = word.upper(), more[0] if more else ""
            if key == "MOTION" and self.names and not opened:
                return
            if key in ("ROOT", "JOINT"):
                if (key == "ROOT") != (not opened) or (key == "ROOT" and self.names):
                    self.fail(number, "expected one ROOT with all joints below it, found another")
                self._add(rest, opened[-1] if opened else -1, number)
                coming = [len(self.names) - 1]
            elif key == "END" and opened:
                coming = [None]
            elif piece == "{" and coming:
                opened.append(coming.pop())
            elif piece == "}" and opened:
                opened.pop()
            elif key == "OFFSET" and opened:
                numbers = self._numbers(number, rest.split(), 3)
                if not np.isfinite(numbers).all():
                    self.fail(number, f"expected an OFFSET of finite numbers, found {rest}")
                if opened[-1] is not None:
                    self.offsets[opened[-1]] = numbers
            elif key == "CHANNELS" and opened and opened[-1] is not None:
                self.channels[opened[-1]] = self._channels(number, rest.split())
            elif key != "HIERARCHY" or self.names:
                self.fail(number, f"expected a joint of a BVH skeleton, found {piece[:40]!r}")
        raise UserError(f"{self.path}: expected a skeleton and its MOTION, found the end of the file; {_WAY_OUT}")

    def _add(self, name: str, parent: int | None, number: int) -> None:
        if parent is None or not name:
            self.fail(number, "expected a joint with a name and a parent, found none")
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append(None)
        self.channels.append(())

    def _channels(self, number: int, words: list[str]) -> tuple[str, ...]:
        names = tuple(word.lower() for word in words[1:])
        if words[:1] != [str(len(names))]:
            self.fail(number, f"expected as many channels as it says, found {' '.join(words)[:60] or 'none'}")
        if set(names) - set(_CHANNELS) or len(set(names)) < len(names):
            self.fail(number, f"expected each of Xposition ... Zrotation at most once, found {' '.join(words[1:])}")
        return names

    def _motion(self, width: int) -> tuple[Float[ndarray, "frames channels"], float]:
        lines = ((number, words) for number, line in self.lines if (words := line.split()))
        frames = self._headed(lines, "Frames:")
        seconds = self._headed(lines, "Frame Time:")
        if not (seconds > 0 and np.isfinite(1 / seconds)):
            raise UserError(f"{self.path}: expected a Frame Time above zero, found {seconds:g}; {_WAY_OUT}")
        rows = [self._numbers(number, words, width) for number, words in lines]
        if len(rows) != frames or not rows:
            raise UserError(f"{self.path}: expected {frames:g} frames (one at least), found {len(rows)}; {_WAY_OUT}")
        return np.array(rows).reshape(len(rows), width), 1 / seconds

    def _headed(self, lines: Iterator[tuple[int, list[str]]], head: str) -> float:
        number, words = next(lines, (0, []))
        wanted = head.lower().split()
        if [word.lower() for word in words[:-1]] != wanted:
            self.fail(number, f"expected {head!r} and a number, found {' '.join(words)[:40] or 'the end of the file'}")
        return self._numbers(number, words[-1:], 1)[0]

    def _numbers(self, number: int, words: list[str], count: int) -> list[float]:
        if len(words) != count:
            self.fail(number, f"expected {count} numbers, found {len(words)}")
        try:
            values = [np.nan if "#" in word else float(word) for word in words]  # Windows wrote 1.#IND and 1.#QNAN
        except ValueError:
            self.fail(number, f"expected {count} numbers, found {' '.join(words)[:40]}")
        return [value if abs(value) < _TOO_LARGE else np.nan for value in values]
