"""C3D files as laboratories write them, and as accidents leave them."""

import os
import signal
import time
from pathlib import Path

import ezc3d
import numpy as np
import pytest

from hmr.body.file import parse_body
from hmr.errors import UserError
from hmr.mocap.c3d import Capture, read_c3d, write_c3d
from hmr.mocap.labels import set_markers
from hmr.mocap.marker_body import MarkerBody, put_markers

POINTS = np.random.default_rng(0).normal(0, 0.5, (24, 5, 3))
LABELS = ("LFHD", "RFHD", "C7", "LTOE", "RTOE")
SECONDS = 10  # far more than any of these files takes


def written(path: Path, labels: tuple[str, ...] = LABELS, points: np.ndarray = POINTS, analog: int = 0, **point: list):
    """A capture's file, with analog channels at four times its rate, and parameters of POINT as given."""
    write_c3d(path, Capture(labels, points, 120.0))
    content = ezc3d.c3d(str(path))
    for name, value in point.items():
        if name in content["parameters"]["POINT"]:
            content["parameters"]["POINT"][name]["value"] = value
        else:
            content.add_parameter("POINT", name, value)
    if analog:
        content["parameters"]["ANALOG"]["RATE"]["value"] = [480.0]
        content["parameters"]["ANALOG"]["LABELS"]["value"] = [f"force {k}" for k in range(analog)]
        content["data"]["analogs"] = np.ones((1, analog, 4 * len(points)))
    content.write(str(path))
    return path


@pytest.fixture(scope="module")
def markers(toy: dict[str, np.ndarray]) -> MarkerBody:
    return put_markers(parse_body(toy, origin=Path("toy")))


def columns_of(labels: tuple[str, ...], markers: MarkerBody) -> tuple[np.ndarray, tuple[str, ...]]:
    """For each of the set's markers which label was taken (its number), and the notes."""
    numbers = np.tile(np.arange(len(labels))[None, :, None], (2, 1, 3)).astype(float)
    points, notes = set_markers(Path("a.c3d"), Capture(labels, numbers, 60.0), markers, "cmu41")
    return points[0, :, 0], notes


@pytest.mark.parametrize("analog", [0, 3])
def test_points_are_read_whatever_else_is_in_the_file(tmp_path: Path, analog: int) -> None:
    read = read_c3d(written(tmp_path / "a.c3d", analog=analog, X_SCREEN=["+X"], TYPE_GROUPS=["ANGLES"]))
    assert read.labels == LABELS and read.rate_hz == 120
    np.testing.assert_allclose(read.points_m, POINTS, atol=1e-6)


@pytest.mark.parametrize(
    ("unit", "metres"), [("mm", 1e-3), ("MM", 1e-3), ("cm ", 0.01), ("m", 1), ("Meters", 1), ("", 1e-3), ("in", 0.0254)]
)
def test_units_are_taken_as_they_are_spelt(tmp_path: Path, unit: str, metres: float) -> None:
    read = read_c3d(written(tmp_path / "a.c3d", UNITS=[unit]))
    np.testing.assert_allclose(read.points_m, POINTS * 1000 * metres, rtol=1e-4, atol=1e-4)


def test_the_axis_that_is_up_is_the_files(tmp_path: Path) -> None:
    for screen, up in (("+Z", POINTS), ("+Y", POINTS @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]])):
        read = read_c3d(written(tmp_path / "a.c3d", X_SCREEN=["+X"], Y_SCREEN=[screen]))
        np.testing.assert_allclose(read.points_m, up, atol=1e-6)


def test_lost_markers_are_zeros_or_have_a_residual_below_zero(tmp_path: Path) -> None:
    path = written(tmp_path / "a.c3d")
    content = ezc3d.c3d(str(path))
    content["data"]["points"][:3, 1, 4] = 0
    content["data"]["meta_points"]["residuals"][0, 2, 5] = -1
    content["data"]["meta_points"]["residuals"][0, 1, 4] = 0
    content.write(str(path))
    lost = np.isnan(read_c3d(path).points_m).all(2)
    assert np.argwhere(lost).tolist() == [[4, 1], [5, 2]]


def test_points_as_scaled_integers(tmp_path: Path) -> None:
    """As older systems wrote them: 16 bits a number, cameras and residual in the fourth, -1 where a marker is lost."""
    path = written(tmp_path / "a.c3d")
    whole, scale = path.read_bytes(), np.float32(0.1)
    data = 512 * (int.from_bytes(whole[16:18], "little") - 1)
    places = np.frombuffer(whole[data : data + 24 * 5 * 16], "<f4").reshape(24, 5, 4)
    numbers = np.rint(np.dstack((places[..., :3] / scale, np.full((24, 5), 0x0302)))).astype("<i2")
    numbers[7, 2, 3] = -1
    head = bytearray(whole[:data])
    head[12:16] = scale.tobytes()
    at = head.index(b"SCALE") + 9  # after the name, the offset, the type and no dimensions
    head[at : at + 4] = scale.tobytes()
    path.write_bytes(bytes(head) + numbers.tobytes())
    read = read_c3d(path)
    assert np.argwhere(np.isnan(read.points_m).all(2)).tolist() == [[7, 2]]
    np.testing.assert_allclose(np.delete(read.points_m, 7, 0), np.delete(POINTS, 7, 0), atol=6e-5)
    path.write_bytes(bytes(head) + numbers[:20].tobytes())
    with pytest.raises(UserError, match="expected 24 frames, found 20: the file is cut"):
        read_c3d(path)


def test_more_labels_than_one_parameter_holds(tmp_path: Path) -> None:
    labels = tuple(f"M{k}" for k in range(600))
    points = np.random.default_rng(1).normal(0, 0.5, (3, 600, 3))
    write_c3d(tmp_path / "a.c3d", Capture(labels, points, 60.0))
    read = read_c3d(tmp_path / "a.c3d")
    assert read.labels == labels
    np.testing.assert_allclose(read.points_m, points, atol=1e-6)


@pytest.mark.parametrize(
    "form", ["{}", "Eric:{}", "subject01-{}", "subject_01_{}", "Eric:a:{}", "{}      ", "liu: {} "]
)
def test_the_subjects_name_in_front_of_a_label_changes_nothing(markers: MarkerBody, form: str) -> None:
    taken, notes = columns_of(tuple(form.format(label) for label in markers.labels), markers)
    np.testing.assert_array_equal(taken, np.arange(41))
    assert not notes


def test_what_else_is_labelled_or_not_is_left_aside_and_told(markers: MarkerBody) -> None:
    others = ("*0", "*12", "U7", "", "LTHMB", "RTHMB", "Eric:LHipAngles")
    kept = tuple(label for label in markers.labels if label != "LMT5")
    taken, notes = columns_of((*others, *kept), markers)
    assert notes == ("points left aside: LTHMB, RTHMB, Eric:LHipAngles, unlabelled ones", "no LMT5")
    assert np.isnan(taken[markers.labels.index("LMT5")])
    assert np.nanmin(taken) == len(others)
    many = tuple(f"thing {k}a" for k in range(20))
    assert columns_of((*many, *kept), markers)[1][0].endswith("thing 5a, 14 more")


def test_plug_in_gaits_names_stand_for_cmus(markers: MarkerBody) -> None:
    others = {"FWT": "ASI", "BWT": "PSI", "SHN": "TIB"}
    names = tuple("RBAK" if n == "RBAC" else n[0] + others.get(n[1:], n[1:]) for n in markers.labels)
    assert names != markers.labels
    np.testing.assert_array_equal(columns_of(names, markers)[0], np.arange(41))
    with pytest.raises(UserError, match="one person's markers, found LFWT twice"):
        columns_of((*markers.labels, "LASI"), markers)


def end_of(path: Path) -> str:
    """What reading a file comes to, in a process that may die of it: read, refused, killed or hung."""
    child = os.fork()
    if child == 0:
        try:
            read_c3d(path)
        except UserError as error:
            os._exit(3 if "\n" not in str(error) and str(path) in str(error) else 4)
        except BaseException:
            os._exit(4)
        os._exit(0)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return {0: "read", 3: "refused"}.get(os.waitstatus_to_exitcode(status), f"status {status}")
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


# Single bytes that send ezc3d round for ever or end its process: (parameter, place after its name, value).
HARMFUL = [
    (b"LABELS", 5, 0xFF),  # larger than the file
    (b"GEN_SCALE", 2, 0xFF),  # text in place of a number
    (b"USED", 3, 0xFF),  # 255 dimensions
    (b"DESCRIPTIONS", 3, 0),  # text of no dimensions
]


@pytest.mark.parametrize(("name", "after", "value"), HARMFUL)
def test_a_harmful_byte_is_refused_in_one_line(tmp_path: Path, name: bytes, after: int, value: int) -> None:
    path = written(tmp_path / "a.c3d")
    content = bytearray(path.read_bytes())
    content[content.index(name) + len(name) + after] = value
    path.write_bytes(content)
    assert end_of(path) == "refused"


def test_no_spoilt_header_hangs_or_kills(tmp_path: Path) -> None:
    """Bytes of the header and the parameters changed at random, and files cut."""
    whole = written(tmp_path / "a.c3d", analog=2).read_bytes()
    seen = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            content[rng.choice([rng.integers(24), rng.integers(512, 1250)])] = rng.choice([0, 1, 127, 128, 255])
        (tmp_path / "b.c3d").write_bytes(content[: rng.integers(len(whole)) if seed % 10 == 0 else None])
        seen.add(end_of(tmp_path / "b.c3d"))
    assert seen == {"read", "refused"}


def test_numbers_that_disagree_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.c3d")
    whole = path.read_bytes()
    for at, value, message in (
        (2, b"\x09\x00", "9 points in the header, 5 in POINT:USED"),
        (16, b"\xff\x7f", "data outside the file"),
        (6, b"\x00\x40", "frames 16384 to 24"),
        (1, b"\x51", "no C3D header"),
        (0, b"\x40", "parameters outside the file"),
    ):
        path.write_bytes(whole[:at] + value + whole[at + len(value) :])
        with pytest.raises(UserError, match=message):
            read_c3d(path)
