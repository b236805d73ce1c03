"""`hmr predict`, from pictures to files: what is written agrees with itself and with what the picture says."""

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh

from hmr.__main__ import main
from hmr.body.model import BodyModel
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.models.hmr import Network, start_theta
from hmr.params import load_params, to_plain
from hmr.photos.detectors import Upright
from hmr.steps.preset import PRESETS
from hmr.training.checkpoint import save_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that has learned nothing, but whose answer depends on the picture."""
    path = tmp_path_factory.mktemp("network") / "checkpoint.safetensors"
    params = load_params(PRESETS / "smoke.yaml").train
    torch.manual_seed(0)
    network = Network(params.model, start_theta(torch.zeros(24, 3), torch.zeros(10)))
    save_checkpoint(path, network, {"train": to_plain(params)})
    return path


@pytest.fixture
def predict(checkpoint: Path, toy_file: Path, tmp_path: Path):
    """Predict into a folder of its own; the status. Without boxes, pictures are tight around one person."""

    def run(*words: object, out: Path = tmp_path / "out") -> int:
        files = ["--out", out, "--checkpoint", checkpoint, "--body", toy_file, "--device", "cpu"]
        files += ["--detector", tmp_path / "no-detector"]
        files += [] if "--boxes" in words or "--find" in words else ["--tight"]
        words = [word for word in words if word != "--find"]
        return main(["predict", *map(str, [*words, *files])])

    return run


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Something to look at, BGR."""
    noise = np.random.default_rng(3).integers(0, 255, (330, 300, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 6) * 2


def saved(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


def said(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The numbers of a body's JSON."""
    content = json.loads((folder / f"{name}.json").read_text())
    return {key: np.array(value) for key, value in content.items() if isinstance(value, list | int | float)}


def assert_same_body(a: dict[str, np.ndarray], b: dict[str, np.ndarray], atol: float = 2e-6) -> None:
    for key in ("camera", "full_pose_axis_angle", "betas"):
        np.testing.assert_allclose(a[key], b[key], atol=atol)


def turned_by_its_exif(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG with an EXIF block that says how the camera was held."""
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)  # one entry: a short, and no next block
    block = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + entry
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def test_mesh_and_numbers_are_of_one_body(predict, picture, toy_file, tmp_path):
    assert predict(saved(tmp_path / "a.png", picture)) == 0
    numbers = said(tmp_path / "out", "a")
    mesh = trimesh.load(tmp_path / "out/a.glb", force="mesh", process=False)
    body = BodyModel.load(toy_file)
    rotmat = axis_angle_to_rotmat(torch.tensor(numbers["full_pose_axis_angle"]).float())
    posed = body(betas=torch.tensor(numbers["betas"]).float(), full_pose_rotmat=rotmat)
    np.testing.assert_allclose(mesh.vertices * (1, -1, -1), posed.vertices.numpy(), atol=1e-4)
    np.testing.assert_allclose(numbers["keypoints_3d_m"], body.keypoints(posed.vertices).numpy(), atol=1e-4)
    with np.load(toy_file) as file:
        np.testing.assert_array_equal(mesh.faces, file["f"])


def test_keypoints_in_the_picture_are_those_in_space_through_the_camera(predict, picture, tmp_path):
    assert predict(saved(tmp_path / "a.png", picture)) == 0
    numbers = said(tmp_path / "out", "a")
    scale, *shift = numbers["camera"]
    norm = scale * (numbers["keypoints_3d_m"][:, :2] + shift)
    view = (norm + 1) * numbers["image_px"] / 2 - 0.5  # pixel centres are whole numbers, -1 and 1 the outer edges
    expected = view @ numbers["view_to_image"][:, :2].T + numbers["view_to_image"][:, 2]
    np.testing.assert_allclose(numbers["keypoints_2d_px"], expected, atol=0.02)


def test_a_box_moves_with_the_picture_and_so_does_the_body(predict, picture, tmp_path):
    """The same person further left and up: the same body, its keypoints as far left and up."""
    left, up = 30, 20
    saved(tmp_path / "a.png", picture)
    saved(tmp_path / "b.png", picture[up:, left:])
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"a.png": [[130, 120, 50, 60]], "b.png": [[130 - left, 120 - up, 50, 60]]}))
    assert predict(tmp_path / "a.png", tmp_path / "b.png", "--boxes", boxes) == 0
    a, b = said(tmp_path / "out", "a"), said(tmp_path / "out", "b")
    assert_same_body(a, b)
    np.testing.assert_allclose(a["keypoints_2d_px"] - b["keypoints_2d_px"], np.tile((left, up), (19, 1)), atol=1e-3)


def test_who_found_the_people_is_written_beside_every_body(predict, picture, tmp_path, monkeypatch):
    photo = saved(tmp_path / "a.png", picture)
    monkeypatch.setattr(Upright, "__call__", lambda *_: np.array([[100.0, 100, 60, 90]]))
    assert predict(photo, "--find") == predict(photo, out=tmp_path / "told") == 0
    for out, who in (("out", Upright.name), ("told", "no detector: --tight or --boxes says where they are")):
        about = json.loads((tmp_path / out / "about.json").read_text())
        assert about == json.loads((tmp_path / out / "a.json").read_text())["network"]
        assert about["people_found_by"] == who


def test_a_fit_without_blazepose_is_one_line_that_tells_the_way(predict, picture, tmp_path, capfd):
    assert predict(saved(tmp_path / "a.png", picture), "--fit", "--params", PRESETS / "smoke.yaml") == 2
    (line,) = told(capfd)
    assert "--fit: expected BlazePose" in line and "hmr detector" in line


def test_people_in_one_picture_are_seen_one_by_one(predict, picture, tmp_path):
    photo, boxes = saved(tmp_path / "a.png", picture), tmp_path / "boxes.json"
    one, other = [100, 100, 60, 90], [180, 60, 40, 80]
    boxes.write_text(json.dumps({"a.png": [one, other]}))
    assert predict(photo, "--boxes", boxes) == 0
    boxes.write_text(json.dumps({"a.png": [other]}))
    assert predict(photo, "--boxes", boxes, out=tmp_path / "alone") == 0
    assert_same_body(said(tmp_path / "out", "a-2"), said(tmp_path / "alone", "a"))
    difference = said(tmp_path / "out", "a")["keypoints_2d_px"] - said(tmp_path / "alone", "a")["keypoints_2d_px"]
    assert np.abs(difference).max() > 5


def test_another_picture_gives_another_body(predict, picture, tmp_path):
    """Or the agreements here would say nothing."""
    assert predict(saved(tmp_path / "a.png", picture), saved(tmp_path / "b.png", 255 - picture)) == 0
    with pytest.raises(AssertionError):
        assert_same_body(said(tmp_path / "out", "a"), said(tmp_path / "out", "b"))


def test_a_picture_is_the_same_in_every_form(predict, picture, tmp_path):
    grey = picture[..., 0]
    forms = {
        "colour": cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR),
        "grey": grey,
        "alpha": cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA),
        "deep": grey.astype(np.uint16) * 257,
    }
    assert predict(*(saved(tmp_path / f"{name}.png", image) for name, image in forms.items())) == 0
    for name in ("grey", "alpha", "deep"):
        assert_same_body(said(tmp_path / "out", name), said(tmp_path / "out", "colour"))


def test_a_photo_is_turned_as_the_camera_was_held(predict, picture, tmp_path):
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    (tmp_path / "held.jpg").write_bytes(turned_by_its_exif(jpeg, 6))  # the top is at the right
    upright = cv2.rotate(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.ROTATE_90_CLOCKWISE)
    assert predict(tmp_path / "held.jpg", saved(tmp_path / "upright.png", upright)) == 0
    assert_same_body(said(tmp_path / "out", "held"), said(tmp_path / "out", "upright"))


def test_a_video_that_breaks_off_gives_what_it_has(predict, tmp_path, capfd):
    frames = 12
    path = film(tmp_path / "walk.avi", frames)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert predict(path) == 0
    said = capfd.readouterr().err
    assert "walk.avi: breaks off after" in said
    with np.load(tmp_path / "out/walk.npz") as motion:
        assert 0 < len(motion["poses"]) < frames


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("notes.jpg", b"dear diary", "expected a picture"),
        ("empty.png", b"", "expected a picture"),
        ("film.mp4", b"no film", "expected a video"),
    ],
)
def test_a_file_that_is_none_is_one_line(predict, tmp_path, capfd, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert predict(tmp_path / name) == 2
    lines = told(capfd)
    assert len(lines) == 1 and name in lines[0] and expected in lines[0]
    assert not list((tmp_path / "out").iterdir())


def told(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Lines of stderr but progress."""
    return [line for line in capfd.readouterr().err.splitlines() if not line.rstrip().endswith(("s]", "/it]"))]


@pytest.mark.parametrize("mistake", ["nobody", "box", "folder", "gone", "file for out"])
def test_every_mistake_is_one_line_that_names_the_thing(predict, picture, tmp_path, capfd, mistake):
    photo, boxes = saved(tmp_path / "a.png", np.full_like(picture, 90)), tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"a.png": [[5000, 10, 20, 20]]}))
    (tmp_path / "none").mkdir()
    words, out, expected = {
        "nobody": ((photo, "--find"), "out", ("a.png", "--boxes", "--tight")),
        "box": ((photo, "--boxes", boxes), "out", ("a.png", "outside")),
        "folder": ((tmp_path / "none",), "out", ("none", "found none")),
        "gone": ((tmp_path / "gone.jpg",), "out", ("gone.jpg", "found nothing")),
        "file for out": ((photo,), "a.png", ("--out", "a.png", "expected a folder")),
    }[mistake]
    assert predict(*words, out=tmp_path / out) == 2
    *advice, line = told(capfd)
    assert line.startswith("hmr predict: ") and all(word in line for word in expected)
    assert ["hmr detector" in word for word in advice] == [True] * (mistake == "nobody")
    assert not list(tmp_path.glob("out/*"))


def test_one_mistake_does_not_stop_the_rest(predict, picture, tmp_path, capfd):
    (tmp_path / "a.jpg").write_text("dear diary")
    saved(tmp_path / "b.png", picture)
    assert predict(tmp_path) == 2
    assert [line for line in told(capfd) if "a.jpg" in line]
    assert (tmp_path / "out/b.glb").is_file() and not (tmp_path / "out/a.glb").exists()


def test_a_picture_20000_wide_is_drawn_whole(predict, tmp_path):
    wide = np.random.default_rng(0).integers(0, 255, (60, 20_000, 3), dtype=np.uint8)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"wide.png": [[19_800, 5, 30, 50]]}))
    assert predict(saved(tmp_path / "wide.png", wide), "--boxes", boxes) == 0
    assert cv2.imread(str(tmp_path / "out/wide-overlay.jpg")).shape == wide.shape


def film(path: Path, frames: int) -> Path:
    """A short video of noise."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for noise in np.random.default_rng(0).integers(0, 255, (frames, 48, 64, 3), dtype=np.uint8):
        video.write(noise)
    video.release()
    return path


def test_a_video_gives_motion_for_each_person_and_an_overlay_of_every_frame(predict, tmp_path):
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"walk.avi": [[5, 5, 20, 40], [40, 5, 20, 40]]}))
    assert predict(film(tmp_path / "walk.avi", 12), "--boxes", boxes) == 0
    overlay = cv2.VideoCapture(str(tmp_path / "out/walk-overlay.mp4"))
    count = 0
    while overlay.read()[0]:
        count += 1
    assert count == 12
    for name in ("walk", "walk-2"):
        with np.load(tmp_path / f"out/{name}.npz") as motion:
            assert len(motion["poses"]) == len(motion["trans"]) == 12 and motion["mocap_framerate"] == 10
        assert "Frames: 12" in (tmp_path / f"out/{name}.bvh").read_text()
    assert len(json.loads((tmp_path / "out/walk.json").read_text())["people"]) == 2


def test_a_missing_or_foreign_checkpoint_is_one_line_and_makes_nothing(toy_file, picture, tmp_path, capsys):
    photo = saved(tmp_path / "a.png", picture)
    (tmp_path / "foreign.safetensors").write_bytes(b"weights")
    for name, expected in (("gone.safetensors", "found nothing there"), ("foreign.safetensors", "not a whole")):
        words = ["--out", tmp_path / "out", "--checkpoint", tmp_path / name, "--body", toy_file]
        assert main(["predict", str(photo), *map(str, words)]) == 2
        said = capsys.readouterr().err
        assert len(said.strip().splitlines()) == 1 and expected in said and not (tmp_path / "out").exists()


def test_a_second_run_writes_the_same_bytes(predict, picture, tmp_path):
    photo = saved(tmp_path / "a.png", picture)
    outs = [tmp_path / "one", tmp_path / "two"]
    assert [predict(photo, out=out) for out in outs] == [0, 0]
    files = [{path.name: path.read_bytes() for path in out.iterdir()} for out in outs]
    names = {"about.json", *(f"a{end}" for end in (".json", ".npz", ".glb", "-overlay.jpg", "-views.jpg"))}
    assert files[0] == files[1] and files[0].keys() == names
