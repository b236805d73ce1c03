"""The layout of a C3D file, held against its length before anything trusts it.

`ezc3d` believes what a file says of itself: a wrong size or place sends it round for ever, or ends the process.
Source: The C3D File Format User Guide (c3d.org), chapters on the header and the parameter section.
"""

from math import prod
from pathlib import Path
from typing import NoReturn

from hmr.errors import UserError

_BLOCK = 512
_KEY = 0x50  # the second byte of every C3D file
# By the processor that wrote a file, Intel, DEC or MIPS: the order of bytes, and where in a float its sign is.
_PROCESSORS = {84: ("little", 3), 85: ("little", 1), 86: ("big", 0)}
_TYPES = (-1, 1, 2, 4)  # characters, bytes, integers, floats
# Numbers that are taken as given wherever they are looked for.
_NUMBERS = {
    "POINT": ("USED", "RATE", "SCALE", "FRAMES", "DATA_START"),
    "ANALOG": ("USED", "RATE", "GEN_SCALE"),
    "ROTATION": ("USED", "RATE", "RATIO", "DATA_START"),
}
_PER_CHANNEL = ("SCALE", "OFFSET")
_WAY_OUT = "fetch it again"


def check_layout(path: Path) -> None:
    """UserError for a file whose header and parameters do not fit together or into it, or that is cut."""
    _Layout(Path(path)).check()


class _Layout:
    def __init__(self, path: Path) -> None:
        self.path, self.bytes = path, path.read_bytes()

    def fail(self, problem: str) -> NoReturn:
        raise UserError(f"{self.path}: expected a C3D file, found something else ({problem}); {_WAY_OUT}")

    def integer(self, at: int, size: int = 2, *, signed: bool = False) -> int:
        return int.from_bytes(self.bytes[at : at + size], self.order, signed=signed)

    def check(self) -> None:
        if len(self.bytes) < 2 * _BLOCK or self.bytes[1] != _KEY:
            self.fail("no C3D header")
        start = _BLOCK * (self.bytes[0] - 1)
        if not _BLOCK <= start <= len(self.bytes) - _BLOCK:
            self.fail("parameters outside the file")
        if self.bytes[start] > 1 or self.bytes[start + 3] not in _PROCESSORS:
            self.fail("no parameters where the header has them")
        self.order, self.sign = _PROCESSORS[self.bytes[start + 3]]
        data = _BLOCK * (self.integer(16) - 1)
        if not start < data <= len(self.bytes):
            self.fail("data outside the file")
        self._check_counts(self._read_counts(start + 4, data))
        self._check_frames(data)

    def _read_counts(self, at: int, end: int) -> dict[str, dict[str, tuple[int, int]]]:
        """How many numbers the parameters of each group hold, and the first of them if they are integers."""
        groups: dict[int, str] = {}
        found: dict[int, dict[str, tuple[int, int]]] = {}
        while at < end and (letters := abs(self.integer(at, 1, signed=True))):
            group, body = self.integer(at + 1, 1, signed=True), at + 2 + letters
            name = self.bytes[at + 2 : body].decode("latin-1").strip().upper()
            offset = self.integer(body)
            if group < 0:
                groups[-group] = name
                at_text = body + 2
            elif group > 0:
                values, first, at_text = self._values(body + 2, end, name)
                found.setdefault(group, {})[name] = values, first
            else:
                self.fail(f"{name!r} in no group")
            following = at_text + 1 + self.bytes[at_text] if at_text < end else end + 1
            if following > end or (offset and body + offset < following):
                self.fail(f"{name!r} does not fit into its place")
            if not offset:
                break
            at = body + offset
        if unnamed := found.keys() - groups.keys():
            self.fail(f"parameters of a group {min(unnamed)} that is not there")
        return {name: found.get(group, {}) for group, name in groups.items()}

    def _values(self, at: int, end: int, name: str) -> tuple[int, int, int]:
        """Of one parameter: how many numbers it holds, the first if they are integers, and where its description is."""
        kind, dimensions = self.integer(at, 1, signed=True), self.integer(at + 1, 1)
        data = at + 2 + dimensions
        if kind not in _TYPES or dimensions > 7 or data > end or (kind < 0 and not dimensions):
            self.fail(f"{name!r} is of no known type")
        count = prod(self.bytes[at + 2 : data])
        if data + abs(kind) * count > end:
            self.fail(f"{name!r} is larger than its place")
        numbers = 0 if kind < 0 else count
        return numbers, self.integer(data) if kind == 2 else 0, data + abs(kind) * count

    def _check_counts(self, groups: dict[str, dict[str, tuple[int, int]]]) -> None:
        for group, names in _NUMBERS.items():
            for name in names:
                if groups.get(group, {}).get(name, (1, 0))[0] != 1:
                    self.fail(f"{group}:{name} is not one number")
        points, analog = groups.get("POINT", {}), groups.get("ANALOG", {})
        if "USED" not in points or "LABELS" not in points:
            self.fail("no POINT:USED and POINT:LABELS")
        if points["USED"][1] != self.integer(2):
            self.fail(f"{self.integer(2)} points in the header, {points['USED'][1]} in POINT:USED")
        channels, samples = analog.get("USED", (1, 0))[1], self.integer(18)
        if samples > max(self.integer(4), 255):
            self.fail(f"{samples} analog samples a frame, and {self.integer(4)} values")
        if missing := [name for name in _PER_CHANNEL if analog.get(name, (0, 0))[0] < min(channels, 255)]:
            self.fail(f"{channels} analog channels, and no ANALOG:{missing[0]} for each")

    def _check_frames(self, data: int) -> None:
        first, last = self.integer(6), self.integer(8)
        size = 4 if self.bytes[12 + self.sign] & 0x80 else 2  # a scale below zero: the data are floats
        frame = size * (4 * self.integer(2) + self.integer(4))
        frames, there = last - first + 1, (len(self.bytes) - data) // max(frame, 1)
        if frames < 0:
            self.fail(f"frames {first} to {last}")
        if frame and there < frames:
            raise UserError(f"{self.path}: expected {frames:,} frames, found {there:,}: the file is cut; {_WAY_OUT}")
