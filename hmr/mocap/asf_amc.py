"""Acclaim motion capture, as the CMU database has it: a skeleton (.asf), its motions (.amc), and how they move.

A bone goes from its parent's end to its own end. Its frame has axes C (the file's `axis`); angles R in that frame
turn it and all that hangs on it: local rotation C R C^-1. The world is y up. Inside, lengths are metres and angles
radians; the files' inches (scaled by `length`) and degrees stay at the door. Source: mocap.cs.cmu.edu, its FAQ's
description of both formats.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hmr.errors import UserError
from hmr.files import atomic_path

METRES_PER_INCH = 0.0254
ROOT = "root"
ROOT_CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz")
_ROTATIONS = ("rx", "ry", "rz")
_WAY_OUT = "fetch it again"


@dataclass(frozen=True)
class Skeleton:
    """Bones, parents before children; bone 0 is the root, which has a place and no length."""

    names: tuple[str, ...]
    parents: tuple[int, ...]  # -1 above the root
    offsets_m: Float[ndarray, "bones 3"]  # from start to end in the rest pose; for the root its place
    axes_deg: Float[ndarray, "bones 3"]  # the frame's angles about fixed axes, in the order of `axis_orders`
    axis_orders: tuple[str, ...]  # such as "xyz": x first
    dofs: tuple[tuple[str, ...], ...]  # channels of each bone, in the order that they turn it

    @cached_property
    def frames(self) -> Float[ndarray, "bones 3 3"]:
        """The bones' axes C as rotation matrices."""
        angles = zip(self.axis_orders, self.axes_deg, strict=True)
        return np.stack([Rotation.from_euler(order, deg, degrees=True).as_matrix() for order, deg in angles])

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first channel of each bone, and the number of channels at the end."""
        return tuple(np.cumsum([0] + [len(dofs) for dofs in self.dofs]).tolist())

    def index(self, name: str) -> int:
        """Position of a bone."""
        return self.names.index(name)


@dataclass(frozen=True)
class PosedSkeleton:
    """A moving skeleton in the world: how far each bone is turned from the rest pose, and where it ends."""

    rotations: Float[ndarray, "frames bones 3 3"]
    ends_m: Float[ndarray, "frames bones 3"]


def pose_skeleton(skeleton: Skeleton, channels: Float[ndarray, "frames channels"]) -> PosedSkeleton:
    """Forward kinematics. All channels zero give the rest skeleton."""
    rotations, ends = [], []
    for bone, parent in enumerate(skeleton.parents):
        local = _local_rotation(skeleton, bone, channels)
        rotations.append(local if parent < 0 else rotations[parent] @ local)
        if parent < 0:
            ends.append(skeleton.offsets_m[bone] + _translation(skeleton, channels))
        else:
            ends.append(ends[parent] + rotations[bone] @ skeleton.offsets_m[bone])
    return PosedSkeleton(np.stack(rotations, 1), np.stack(ends, 1))


def _local_rotation(skeleton: Skeleton, bone: int, channels: ndarray) -> Float[ndarray, "frames 3 3"]:
    first, frame = skeleton.starts[bone], skeleton.frames[bone]
    turn = np.broadcast_to(np.eye(3), (len(channels), 3, 3))
    for column, dof in enumerate(skeleton.dofs[bone], start=first):
        if dof in _ROTATIONS:
            turn = _turn_about(dof[1], channels[:, column]) @ turn
    return frame @ turn @ frame.T


def _turn_about(axis: str, angle: Float[ndarray, "frames"]) -> Float[ndarray, "frames 3 3"]:
    return Rotation.from_rotvec(angle[:, None] * np.eye(3)["xyz".index(axis)]).as_matrix()


def _translation(skeleton: Skeleton, channels: ndarray) -> Float[ndarray, "frames 3"]:
    shift = np.zeros((len(channels), 3))
    for column, dof in enumerate(skeleton.dofs[0]):
        if dof[0] == "t":
            shift[:, "xyz".index(dof[1])] = channels[:, column]
    return shift


def read_asf(path: Path) -> tuple[Skeleton, float]:
    """A skeleton, and the metres that a unit of length stands for. UserError names the line that is wrong."""
    return _AsfParser(path).parse()


class _AsfParser:
    """One pass over the lines, section by section."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = Path(path), _lines(path, "an Acclaim skeleton (.asf)")
        self.metres, self.degrees = METRES_PER_INCH, True
        self.root: dict[str, list[str]] = {}
        self.bones: dict[str, dict[str, list[str]]] = {}
        self.parents: dict[str, str] = {}
        self.at: dict[str, int] = {}  # where a bone begins, for messages

    def fail(self, number: int, problem: str) -> NoReturn:
        raise UserError(f"{self.path}: line {number}: {problem}; {_WAY_OUT}")

    def parse(self) -> tuple[Skeleton, float]:
        section, bone = "", None
        for number, words in self.lines:
            if words[0].startswith(":"):
                section = words[0].lower()
            elif section == ":units":
                self._unit(number, words)
            elif section == ":root":
                self.root[words[0].lower()] = words[1:]
            elif section == ":bonedata":
                bone = self._bone_line(number, words, bone)
            elif section == ":hierarchy" and words[0] not in ("begin", "end"):
                self.parents.update(dict.fromkeys(words[1:], words[0]))
        if bone is not None or not self.bones or not self.parents:
            missing = "the end of a bone" if bone is not None else ":bonedata and :hierarchy"
            raise UserError(f"{self.path}: expected {missing}, found the end of the file; {_WAY_OUT}")
        return self._skeleton(), self.metres

    def _unit(self, number: int, words: list[str]) -> None:
        if words[0] == "length":
            # ASSUME: a unit is 1/length inches, as CMU's FAQ says: 0.45 gives 0.056444 m.
            scale = self.numbers(number, words[1:], 1)[0]
            if not scale > 0:
                self.fail(number, f"length: expected a positive number, found {scale:g}")
            self.metres = METRES_PER_INCH / scale
        elif words[0] == "angle":
            self.degrees = "".join(words[1:2]).lower().startswith("deg")

    def _bone_line(self, number: int, words: list[str], bone: dict | None) -> dict | None:
        if words[0] == "begin":
            return {"begin": [str(number)]}
        if bone is None:
            self.fail(number, f"expected 'begin' of a bone, found {words[0]!r}")
        if words[0] != "end":
            bone.setdefault(words[0].lower(), words[1:])
            return bone
        if missing := [key for key in ("name", "direction", "length", "axis") if not bone.get(key)]:
            self.fail(number, f"expected a bone with {missing[0]}, found none")
        name = bone["name"][0]
        if name in self.bones or name == ROOT:
            self.fail(number, f"expected each bone once, found {name!r} again")
        self.bones[name], self.at[name] = bone, int(bone["begin"][0])
        return None

    def numbers(self, number: int, words: Sequence[str], count: int) -> list[float]:
        return _numbers(self.path, number, words, count)

    def _skeleton(self) -> Skeleton:
        names, parents = self._order()
        offsets, axes, orders, dofs = [self._root_place()], [self._root_axes()], [self._root_order()], [self._dofs()]
        for name in names[1:]:
            bone, number = self.bones[name], self.at[name]
            direction = np.array(self.numbers(number, bone["direction"], 3))
            norm = np.linalg.norm(direction)
            if not norm > 0:
                self.fail(number, f"bone {name!r}: expected a direction, found no length")
            length = self.numbers(number, bone["length"], 1)[0] * self.metres
            offsets.append(length * direction / norm)
            axes.append(self._degrees(self.numbers(number, bone["axis"][:3], 3)))
            orders.append(self._axis_order(number, bone["axis"][3:]))
            dofs.append(self._bone_dofs(number, name, bone.get("dof", [])))
        return Skeleton(names, parents, np.array(offsets), np.array(axes), tuple(orders), tuple(dofs))

    def _order(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Bones with parents first, as the hierarchy hangs them on the root."""
        for name, parent in self.parents.items():
            for bone in (name, parent):
                if bone not in self.bones and bone != ROOT:
                    raise UserError(f"{self.path}: hierarchy: expected bones of :bonedata, found {bone!r}; {_WAY_OUT}")
        names = [ROOT]
        for parent in names:
            names.extend(name for name, above in self.parents.items() if above == parent and name not in names)
        if loose := [name for name in self.bones if name not in names]:
            raise UserError(f"{self.path}: hierarchy: expected every bone below root, {loose[0]!r} is not; {_WAY_OUT}")
        return tuple(names), (-1, *(names.index(self.parents[name]) for name in names[1:]))

    def _degrees(self, angles: Sequence[float]) -> list[float]:
        return list(angles) if self.degrees else np.degrees(angles).tolist()

    def _root_place(self) -> list[float]:
        return [self.metres * value for value in self.numbers(0, self.root.get("position", ["0"] * 3), 3)]

    def _root_axes(self) -> list[float]:
        return self._degrees(self.numbers(0, self.root.get("orientation", ["0"] * 3), 3))

    def _root_order(self) -> str:
        return self._axis_order(0, self.root.get("axis", []))

    def _axis_order(self, number: int, words: list[str]) -> str:
        order = words[0].lower() if words else "xyz"
        if sorted(order) != ["x", "y", "z"]:
            self.fail(number, f"expected an order of axes such as XYZ, found {order!r}")
        return order

    def _dofs(self) -> tuple[str, ...]:
        order = tuple(word.lower() for word in self.root.get("order", ROOT_CHANNELS))
        if unknown := [word for word in order if word not in ROOT_CHANNELS]:
            raise UserError(f"{self.path}: root order: expected TX TY TZ RX RY RZ, found {unknown[0]!r}; {_WAY_OUT}")
        return order

    def _bone_dofs(self, number: int, name: str, words: list[str]) -> tuple[str, ...]:
        dofs = tuple(word.lower() for word in words)
        if unknown := [word for word in dofs if word not in _ROTATIONS]:
            self.fail(number, f"bone {name!r}: expected degrees of freedom rx, ry or rz, found {unknown[0]!r}")
        return dofs


def read_amc(path: Path, skeleton: Skeleton, metres_per_unit: float) -> Float[ndarray, "frames channels"]:
    """A motion of `skeleton`: root translations in metres, angles in radians. UserError names the line that is wrong.

    A bone that moves in the skeleton must be in every frame; numbers that are not finite are handed on.
    """
    frames: list[ndarray] = []
    seen, degrees = 0, True
    needed = sum(1 for dofs in skeleton.dofs if dofs)
    slices = {name: slice(*skeleton.starts[b : b + 2]) for b, name in enumerate(skeleton.names)}
    number = 0
    for number, words in _lines(path, "an Acclaim motion (.amc)"):
        if words[0].startswith(":"):
            degrees = words[0].upper() != ":RADIANS" and degrees
        elif len(words) == 1 and words[0].isdigit():
            _check_frame(path, number, seen, needed if frames else 0)
            frames.append(np.full(skeleton.starts[-1], np.nan))
            seen = 0
        elif words[0] not in slices or not frames:
            expected = "a bone of the skeleton" if frames else "a frame number"
            raise UserError(f"{path}: line {number}: expected {expected}, found {words[0]!r}; {_WAY_OUT}")
        else:
            place = slices[words[0]]
            frames[-1][place] = _numbers(path, number, words[1:], place.stop - place.start)
            seen += 1
    if not frames:
        raise UserError(f"{path}: expected frames of motion, found none; {_WAY_OUT}")
    _check_frame(path, number, seen, needed)
    return np.stack(frames) * channel_units(skeleton, metres_per_unit, degrees=degrees)


def channel_units(skeleton: Skeleton, metres_per_unit: float, *, degrees: bool = True) -> Float[ndarray, "channels"]:
    """What a file's one is in each channel, in metres or radians."""
    angle = np.pi / 180 if degrees else 1.0
    return np.array([metres_per_unit if dof[0] == "t" else angle for dofs in skeleton.dofs for dof in dofs])


def _check_frame(path: Path, number: int, seen: int, needed: int) -> None:
    if seen != needed:
        raise UserError(
            f"{path}: line {number}: expected {needed} bones in the frame that ends here, found {seen}; {_WAY_OUT}"
        )


def write_asf(path: Path, skeleton: Skeleton, *, name: str, metres_per_unit: float) -> None:
    """Write a skeleton as CMU's files have it: scaled inches, degrees, one paragraph a bone."""
    lines = ["# Acclaim skeleton", ":version 1.10", f":name {name}", ":units", "  mass 1.0"]
    lines += [
        f"  length {METRES_PER_INCH / metres_per_unit:.9g}",
        "  angle deg",
        ":documentation",
        "   generated motion",
    ]
    place = _spaced(skeleton.offsets_m[0] / metres_per_unit)
    lines += [":root", f"   order {' '.join(skeleton.dofs[0]).upper()}", f"   axis {skeleton.axis_orders[0].upper()}"]
    lines += [f"   position {place}", f"   orientation {_spaced(skeleton.axes_deg[0])}", ":bonedata"]
    for bone in range(1, len(skeleton.names)):
        lines += _bone_paragraph(skeleton, bone, metres_per_unit)
    lines += [":hierarchy", "  begin"]
    for parent, parent_name in enumerate(skeleton.names):
        if below := [n for n, p in zip(skeleton.names, skeleton.parents, strict=True) if p == parent]:
            lines.append(f"    {parent_name} {' '.join(below)}")
    _write_lines(path, [*lines, "  end"])


def _bone_paragraph(skeleton: Skeleton, bone: int, metres_per_unit: float) -> list[str]:
    length = float(np.linalg.norm(skeleton.offsets_m[bone]))
    direction, axis = skeleton.offsets_m[bone] / length, _spaced(skeleton.axes_deg[bone])
    lines = ["  begin", f"     id {bone}", f"     name {skeleton.names[bone]}", f"     direction {_spaced(direction)}"]
    lines += [f"     length {length / metres_per_unit:.7g}", f"     axis {axis}  {skeleton.axis_orders[bone].upper()}"]
    if dofs := skeleton.dofs[bone]:
        limits = ["(-180.0 180.0)"] * len(dofs)
        lines += [f"    dof {' '.join(dofs)}", "    limits " + "\n           ".join(limits)]
    return [*lines, "  end"]


def write_amc(
    path: Path, skeleton: Skeleton, channels: Float[ndarray, "frames channels"], *, metres_per_unit: float
) -> None:
    """Write a motion (metres and radians) in the file's units: three decimals of length, two of degrees."""
    decimals = [3 if dof[0] == "t" else 2 for dofs in skeleton.dofs for dof in dofs]
    values = channels / channel_units(skeleton, metres_per_unit)
    values = np.stack([column.round(n) for column, n in zip(values.T, decimals, strict=True)], 1) + 0.0  # no -0.00
    paragraph = "\n".join(
        " ".join([name, *("%.3f" if dof[0] == "t" else "%.2f" for dof in dofs)])
        for name, dofs in zip(skeleton.names, skeleton.dofs, strict=True)
        if dofs
    )
    frames = [f"{number}\n{paragraph % tuple(row)}" for number, row in enumerate(values.tolist(), start=1)]
    _write_lines(path, [":FULLY-SPECIFIED", ":DEGREES", *frames])


def angles_of(
    skeleton: Skeleton, rotations: Float[ndarray, "frames bones 3 3"]
) -> dict[str, Float[ndarray, "frames dofs"]]:
    """The angles (radians) that turn each bone as the world rotations say: the inverse of `pose_skeleton`.

    Only for bones with all three angles, or none; a bone without angles turns as its parent does.
    """
    angles = {}
    for bone, dofs in enumerate(skeleton.dofs):
        order = "".join(dof[1] for dof in dofs if dof in _ROTATIONS)
        if order:
            parent, frame = skeleton.parents[bone], skeleton.frames[bone]
            local = rotations[:, bone] if parent < 0 else np.swapaxes(rotations[:, parent], -1, -2) @ rotations[:, bone]
            angles[skeleton.names[bone]] = _euler(frame.T @ local @ frame, order)
    return angles


def _euler(rotations: ndarray, order: str) -> ndarray:
    """Angles about fixed axes. At a gimbal lock one of the many right triples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Rotation.from_matrix(rotations).as_euler(order)


def _lines(path: Path, expected: str) -> Iterator[tuple[int, list[str]]]:
    """Numbered lines as words, without blank lines and comments."""
    try:
        text = Path(path).read_text("ascii")
    except OSError:
        raise UserError(f"{path}: expected {expected}, found no readable file; {_WAY_OUT}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: expected {expected}, found something that is not text; {_WAY_OUT}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if (words := line.split()) and not words[0].startswith("#"):
            yield number, words


def _numbers(path: Path, number: int, words: Sequence[str], count: int) -> list[float]:
    try:
        values = [np.nan if "#" in word else float(word) for word in words]  # Windows wrote 1.#IND and 1.#QNAN
    except ValueError:
        values = []
    if len(values) != count:
        found = " ".join(words)[:40] or "none"
        raise UserError(f"{path}: line {number}: expected {count} numbers, found {found}; {_WAY_OUT}")
    return values


def _spaced(values: Sequence[float] | ndarray) -> str:
    return " ".join(f"{value + 0.0:.7g}" for value in values)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
