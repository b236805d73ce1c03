"""The demo's page in a real browser, where there is one; what is recovered is made up here."""

import base64
import shutil
import threading

import cv2
import numpy as np
import pytest

from hmr.demo.server import HOST, make_server
from hmr.errors import UserError
from hmr.photos.formats import glb

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright, to look at the page")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs Chromium on the PATH")]
SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
TALL = cv2.imencode(".png", np.full((900, 300, 3), 90, np.uint8))[1].tobytes()


def two_people(content, box):
    """Triangles for bodies, over a photo of the same size."""
    if content != TALL:
        raise UserError("this file: expected a picture, found none")
    corners, colours = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]), np.full((3, 3), 200, np.uint8)
    mesh = base64.b64encode(glb(corners, np.array([[0, 1, 2]]), colours)).decode()
    photo = base64.b64encode(content).decode()
    return {"overlay": photo, "meshes": [mesh, mesh], "colours": ["#ff0000", "#0000ff"], "about": "made up"}


@pytest.fixture(scope="module")
def page():
    server = make_server(two_people, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=SOFTWARE_GL)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://{HOST}:{server.server_address[1]}")
        yield page
        browser.close()
    server.shutdown()
    server.server_close()
    thread.join()


def give(page, folder, content, said):
    photo = folder / f"{len(content)}.jpg"  # browsers do not tell a page of the same name chosen again
    photo.write_bytes(content)
    page.set_input_files("#file", photo)
    page.get_by_text(said).wait_for()


def test_a_tall_photo_is_wholly_in_sight_and_its_people_are_told_by_their_colours(page, tmp_path):
    give(page, tmp_path, TALL, "2 bodies.")
    page.locator("#shown").wait_for()
    assert page.locator("#photo").bounding_box()["height"] <= 600 and page.locator("#body").is_visible()
    dots = page.locator("#people button i")
    assert dots.evaluate_all("all => all.map((dot) => getComputedStyle(dot).backgroundColor)") == [
        "rgb(255, 0, 0)",
        "rgb(0, 0, 255)",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"dear diary", "This file: expected a picture"), (bytes(26_000_000), "A picture may have 25 MB")],
)
def test_after_what_is_no_photo_nothing_of_the_one_before_is_left(page, tmp_path, content, said):
    give(page, tmp_path, TALL, "2 bodies.")
    give(page, tmp_path, content, said)
    for name in ("#shown", "#turning"):
        page.locator(name).wait_for(state="hidden")
