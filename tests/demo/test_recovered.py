"""What `hmr demo` sends back for a picture."""

import base64
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh

from hmr.errors import UserError
from hmr.models.hmr import Network, start_theta
from hmr.params import load_params, to_plain
from hmr.photos.looker import Looker
from hmr.steps import demo
from hmr.steps.preset import PRESETS
from hmr.training.checkpoint import save_checkpoint


@pytest.fixture(scope="module")
def looker(tmp_path_factory, toy_file):
    path = tmp_path_factory.mktemp("network") / "checkpoint.safetensors"
    params = load_params(PRESETS / "smoke.yaml").train
    torch.manual_seed(0)
    network = Network(params.model, start_theta(torch.zeros(24, 3), torch.zeros(10)))
    save_checkpoint(path, network, {"train": to_plain(params)})
    return Looker.open(path, toy_file, "cpu", Path("no/detector/here"))


@pytest.fixture(scope="module")
def picture():
    grey = np.random.default_rng(0).integers(90, 110, (120, 160, 3), dtype=np.uint8)
    return cv2.imencode(".png", cv2.GaussianBlur(grey, (0, 0), 9))[1].tobytes()


def test_a_box_gives_an_overlay_of_the_pictures_size_and_one_whole_mesh(looker, picture, toy):
    found = demo.recovered(picture, (40, 20, 50, 80), looker)
    overlay = cv2.imdecode(np.frombuffer(base64.b64decode(found["overlay"]), np.uint8), cv2.IMREAD_COLOR)
    assert overlay.shape == (120, 160, 3)
    assert [len(colour) for colour in found["colours"]] == [len("#rrggbb")]
    (glb,) = found["meshes"]
    mesh = trimesh.load(io.BytesIO(base64.b64decode(glb)), file_type="glb", force="mesh", process=False)
    np.testing.assert_array_equal(mesh.faces, toy["f"])
    (body,) = looker.bodies(
        cv2.imdecode(np.frombuffer(picture, np.uint8), 1)[..., ::-1], np.array([[40, 20, 50, 80.0]])
    )
    np.testing.assert_allclose(mesh.vertices * (1, -1, -1), body.vertices, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "box", "expected"),
    [
        (b"dear diary", None, "expected a picture"),
        (b"", None, "expected a picture"),
        (None, None, "nobody was found"),
        (None, (500, 20, 50, 80), "outside"),
        (None, (40, 20, 0, 80), "no area"),
    ],
)
def test_a_mistake_is_one_line(looker, picture, content, box, expected):
    with pytest.raises(UserError, match=expected) as told:
        demo.recovered(picture if content is None else content, box, looker)
    assert "\n" not in str(told.value)


def test_a_picture_with_too_many_pixels_is_refused_before_anything_is_drawn(looker, picture, monkeypatch):
    monkeypatch.setattr(demo, "_MOST_PX", 100)
    with pytest.raises(UserError, match="million pixels"):
        demo.recovered(picture, (40, 20, 50, 80), looker)
