"""Who looks for people, and what each finds. BlazePose's own networks are not here: what is around them is tested with
others, and with themselves where `hmr detector` has fetched them."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from hmr.__main__ import main
from hmr.download import blazepose as networks
from hmr.errors import UserError
from hmr.photos import blazepose, detectors
from hmr.photos.blazepose import BlazePose
from hmr.photos.detectors import Upright, has_interpreter, open_detector
from hmr.photos.people import Place


def test_nobody_is_found_where_nobody_is():
    detector = Upright()
    assert detector(np.full((480, 640, 3), 120, np.uint8)).shape == (0, 4)
    assert detector(np.zeros((20, 20, 3), np.uint8)).shape == (0, 4)
    assert detector(np.zeros((10, 20000, 3), np.uint8)).shape == (0, 4)


def figure(size_px, left_top, tall_px):
    """Someone who stands there, drawn: head, trunk, arms, legs."""
    image, s = np.full((*size_px, 3), 170, np.uint8), tall_px / 96
    shapes = [
        [(-12, 16), (12, 16), (9, 50), (-9, 50)],
        [(-9, 48), (0, 48), (-3, 96), (-9, 96)],
        [(9, 48), (0, 48), (3, 96), (9, 96)],
        [(-12, 16), (-8, 18), (-13, 50), (-16, 49)],
        [(12, 16), (8, 18), (13, 50), (16, 49)],
        np.array((0, 7)) + 6.5 * np.array([(np.cos(turn), np.sin(turn)) for turn in np.linspace(0, 6.2, 24)]),
    ]
    for shape in shapes:
        points = np.rint(np.array(left_top) + (24, 0) + s * np.array(shape)).astype(np.int32)
        cv2.fillPoly(image, [points], (60, 60, 60), cv2.LINE_AA)
    return image


@pytest.mark.parametrize(
    ("size_px", "left_top", "tall_px"),
    [
        ((480, 640), (300, 60), 200),
        ((240, 320), (150, 40), 150),
        ((1900, 2560), (900, 300), 1200),
        ((300, 140), (50, 10), 280),
    ],
)
def test_someone_who_stands_is_found_where_they_stand(size_px, left_top, tall_px):
    """Small, large, and tight, where the detector's window would not fit into the picture."""
    (box,) = Upright()(figure(size_px, left_top, tall_px))
    np.testing.assert_allclose(box[3], tall_px, rtol=0.1)
    np.testing.assert_allclose(box[:2] + box[2:] / 2, np.add(left_top, (24, tall_px / 2)), atol=0.06 * tall_px)


HIPS, TOP, LIMB = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def dots(view: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Middles (n, 2) of the dots of a colour, each a few pixels large."""
    mask = (np.abs(view - np.array(colour)).max(-1) < 80).astype(np.uint8)
    return cv2.connectedComponentsWithStats(mask)[3][1:]


def heads_of_dots(view: np.ndarray) -> list[np.ndarray]:
    """A first network: whoever has one dot of hips and one of the circle's top is one person, seen by one cell."""
    view = (view + 1) * 127.5
    rows, logits = np.zeros((1, 2254, 12)), np.full((1, 2254, 1), -9.0)
    hips, tops = dots(view, HIPS), dots(view, TOP)
    for hip in hips if len(hips) == len(tops) else ():
        top = tops[np.linalg.norm(tops - hip, axis=1).argmin()]
        cell = int(np.linalg.norm(blazepose._cells() - top, axis=1).argmin())
        middle = blazepose._cells()[cell]
        rows[0, cell] = np.concatenate((top - middle, (9, 9), hip - middle, top - middle, np.zeros(4)))
        logits[0, cell] = 3
    return [rows, logits]


def joints_of_dots(view: np.ndarray) -> list[np.ndarray]:
    """A second network: all joints lie at the limbs' dots, ears and shoulders at one of them."""
    limbs = dots(view * 255, LIMB)
    joints = np.zeros((39, 5))
    if len(limbs):
        joints[:33, :2] = limbs[0]
        joints[blazepose._LIMBS, :2] = limbs[np.arange(12) % len(limbs)]
        joints[blazepose._EARS, :2] = joints[blazepose._SHOULDERS, :2].mean(0)  # the head's top is there too
    return [joints.reshape(1, 195), np.array([[1.0 if len(limbs) == 4 else 0.0]])]


def person(turn: float, tall_px: float) -> dict[str, np.ndarray]:
    """Dots around hips at (0, 0)."""
    up = np.array((np.sin(turn), -np.cos(turn)))
    limbs = np.array([(0.3, 0.5), (-0.2, 0.45), (0.25, -0.4), (-0.35, -0.3)]) * tall_px
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return {"top": 0.6 * tall_px * up, "limbs": limbs @ rotation.T}


def drawn(size_px: tuple[int, int], people: list[tuple[float, float, tuple[float, float]]]) -> tuple:
    """A picture of people (turn, height, place) and their boxes (n, 4)."""
    image, boxes = np.full((*size_px, 3), 120, np.uint8), []
    for turn, tall_px, place in people:
        figure, radius = person(turn, tall_px), max(2, round(0.025 * tall_px))
        for points, colour in ((np.zeros((1, 2)), HIPS), (figure["top"][None], TOP), (figure["limbs"], LIMB)):
            for x, y in np.rint(points + place).astype(int):
                cv2.circle(image, (int(x), int(y)), radius, colour, -1)
        limbs = figure["limbs"] + place
        boxes.append(np.concatenate((limbs.min(0), np.ptp(limbs, axis=0))))
    return image, np.array(boxes)


@pytest.mark.parametrize("turn", [0.0, 0.7, np.pi, -2.0])
@pytest.mark.parametrize(
    ("size_px", "tall_px", "place"),
    [((480, 640), 300, (330, 250)), ((200, 150), 120, (70, 90)), ((1800, 2400), 1300, (1300, 900))],
)
def test_a_box_is_around_the_joints_wherever_and_however_somebody_is(turn, size_px, tall_px, place):
    image, boxes = drawn(size_px, [(turn, tall_px, place)])
    np.testing.assert_allclose(BlazePose(heads_of_dots, joints_of_dots)(image), boxes, atol=0.03 * tall_px)


def test_each_of_several_people_is_found_once():
    """Too many for one view, and whole in several windows."""
    people = [(0.2, 200, (160 + 240 * k, 150 + 30 * k)) for k in range(4)]
    image, boxes = drawn((400, 1040), people)
    found = BlazePose(heads_of_dots, joints_of_dots)(image)
    np.testing.assert_allclose(found[np.argsort(found[:, 0])], boxes, atol=6)


def test_a_head_without_joints_is_nobody():
    image, _ = drawn((480, 640), [(0.0, 300, (330, 250))])
    nobody = BlazePose(heads_of_dots, lambda view: [np.zeros((1, 195)), np.array([[0.3]])])
    assert nobody(image).shape == (0, 4)
    assert BlazePose(heads_of_dots, joints_of_dots)(np.full((10, 20_000, 3), 120, np.uint8)).shape == (0, 4)


@pytest.mark.parametrize("turn", [0.0, 0.7, np.pi, -2.0])
def test_joints_are_seen_at_a_place_whichever_way_up_somebody_is(turn):
    image, ((x, y, width, height),) = drawn((480, 640), [(turn, 200, (330, 250))])
    place = Place(np.array((x + width / 2, y + height / 2)), float(np.hypot(width, height)))
    seen = BlazePose(heads_of_dots, joints_of_dots).joints_at(image, place)
    limbs = seen.joints_px[blazepose._LIMBS]
    np.testing.assert_allclose([*limbs.min(0), *np.ptp(limbs, axis=0)], (x, y, width, height), atol=6)
    assert BlazePose(heads_of_dots, joints_of_dots).joints_at(np.zeros_like(image), place) is None


@pytest.mark.parametrize("parts", blazepose._PARTS)
def test_whoever_is_half_as_large_as_a_window_is_whole_in_one(parts):
    rng = np.random.default_rng(parts)
    for size_px in rng.integers(300, 2000, (20, 2)):
        windows = np.array(list(blazepose._windows(tuple(size_px), parts)))
        assert (windows[:, :2] >= 0).all() and (windows[:, :2] + windows[:, 2:] <= size_px[::-1]).all()
        half = max(size_px) // parts // 2
        length = np.minimum(size_px[::-1], half)
        low = rng.integers(0, size_px[::-1] - length + 1, (50, 2))
        inside = (windows[:, None, :2] <= low) & (low + length <= windows[:, None, :2] + windows[:, None, 2:])
        assert inside.all(-1).any(0).all()


def test_answers_for_one_head_are_averaged_by_how_sure_they_are():
    at = np.array([(100.0, 100), (104, 100), (300, 100)])
    points = np.stack((at, np.full((3, 2), 30.0), at + np.array((0, 80)), at - np.array((0, 20))), 1)
    (first, mean), (second, other) = blazepose._merged(np.array([0.6, 0.9, 0.7]), points)
    assert (first, second) == (0.9, 0.7)
    np.testing.assert_allclose(mean, (0.6 * points[0] + 0.9 * points[1]) / 1.5)
    np.testing.assert_allclose(other, points[2])


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with what `hmr detector` takes, made up."""
    path = tmp_path / "made-up.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, member in networks._MEMBERS.items():
            file.writestr(member, name * 3)
    for name in networks.SHA256:
        monkeypatch.setitem(networks.SHA256, name, hashlib.sha256((name * 3).encode()).hexdigest())
    monkeypatch.setattr(
        networks, "WHEEL", replace(networks.WHEEL, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    )
    return path


def test_the_networks_and_their_licence_are_taken_from_the_wheel(wheel, tmp_path, capsys, monkeypatch):
    words = ["detector", "--wheel", str(wheel), "--out", str(tmp_path / "blazepose")]
    monkeypatch.setattr("hmr.steps.detector.has_interpreter", lambda: False)
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Apache 2.0" in said and detectors.INTERPRETER in said
    assert {path.name for path in (tmp_path / "blazepose").iterdir()} == {*networks._MEMBERS, "manifest.json"}
    assert main(words) == 2
    assert "expected a new folder" in capsys.readouterr().err


@pytest.mark.parametrize("mistake", ["no wheel", "another wheel", "another network"])
def test_other_files_are_refused_in_one_line_and_nothing_is_left(wheel, tmp_path, capsys, monkeypatch, mistake):
    if mistake == "no wheel":
        wheel.unlink()
    elif mistake == "another wheel":
        wheel.write_bytes(wheel.read_bytes() + b"0")
    else:
        monkeypatch.setitem(networks.SHA256, networks.JOINTS, "0" * 64)
    assert main(["detector", "--wheel", str(wheel), "--out", str(tmp_path / "blazepose")]) == 2
    said = capsys.readouterr().err
    assert "expected" in said and said.count("\n") == 1 and not (tmp_path / "blazepose").exists()


def test_without_networks_or_interpreter_the_other_detector_looks_and_one_line_says_why(wheel, tmp_path, monkeypatch):
    detector, advice = open_detector(tmp_path / "blazepose")
    assert isinstance(detector, Upright) and "hmr detector" in advice and "\n" not in advice
    networks.unpack_networks(wheel, tmp_path / "blazepose")
    monkeypatch.setattr(detectors, "has_interpreter", lambda: False)
    detector, advice = open_detector(tmp_path / "blazepose")
    assert isinstance(detector, Upright) and detectors.INTERPRETER in advice and "\n" not in advice


@pytest.mark.parametrize("name", networks.SHA256)
def test_a_broken_or_missing_network_is_named(wheel, tmp_path, monkeypatch, name):
    monkeypatch.setattr(detectors, "has_interpreter", lambda: True)
    networks.unpack_networks(wheel, tmp_path / "blazepose")
    (tmp_path / "blazepose" / name).write_bytes(b"half of it")
    with pytest.raises(UserError, match=f"{name}: expected SHA-256 .*'hmr detector'"):
        open_detector(tmp_path / "blazepose")
    (tmp_path / "blazepose" / name).unlink()
    with pytest.raises(UserError, match=f"{name}: .* found nothing there"):
        open_detector(tmp_path / "blazepose")


@pytest.mark.skipif(not (networks.FOLDER.is_dir() and has_interpreter()), reason="hmr detector has not been run here")
@pytest.mark.parametrize("turns", range(4))
def test_an_astronaut_is_found_however_the_picture_is_turned(turns, capfd):
    """Sitting, cut off below the chest; her face is 140 pixels high at (225, 120)."""
    detector, _ = open_detector(networks.FOLDER)
    image = np.ascontiguousarray(np.rot90(skimage.data.astronaut(), turns))
    (x, y, width, height), *_ = detector(image)
    marked = np.zeros(image.shape[:2], bool)
    marked[120, 225] = True
    (row,), (column,) = np.nonzero(np.rot90(marked, turns))
    assert x < column < x + width and y < row < y + height
    assert not capfd.readouterr().err
