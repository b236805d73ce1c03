"""The page of `hmr demo` in a real browser: does a photo give a body that turns, and does nothing complain?

    pip install playwright
    python benchmarks/demo.py photo.jpg pictures/

Needs Chromium on the PATH and a trained project in the current folder. The photo should show one person, anywhere: a
box is dragged around the middle of it. Writes pictures of the page to look at, and ends with a fault where a step did
not do what it should.
"""

import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from hmr.demo.server import HOST, make_server
from hmr.download.blazepose import FOLDER
from hmr.photos.looker import Looker
from hmr.steps.demo import recovered

SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
SLOW_MS = 120_000


def must(true: bool, step: str) -> None:
    print(f"{'yes' if true else 'NO '}  {step}", flush=True)
    if not true:
        raise SystemExit(1)


def drag(page: Page, selector: str, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Drag over an element, from and to shares of its width and height."""
    box = page.locator(selector).bounding_box()
    for (x, y), act in ((start, page.mouse.down), (stop, page.mouse.up)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        act()


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def look(page: Page, photo: Path, out: Path) -> None:
    said = page.locator("#said")

    def answered() -> None:
        expect(said).not_to_have_text(re.compile("^(Looking…)?$"), timeout=SLOW_MS)

    page.locator("#file").set_input_files(__file__)
    answered()
    must(
        "expected a picture" in said.inner_text() and page.locator("#turning").is_hidden(), "a file that is no picture"
    )
    page.locator("#file").set_input_files(photo)
    answered()
    must(
        said.inner_text().startswith(("One body", "nobody was found")) or said.inner_text().endswith("bodies."),
        f"a photo: {said.inner_text()}",
    )
    page.locator("#picture").scroll_into_view_if_needed()
    drag(page, "#picture", (0.25, 0.1), (0.75, 0.9))
    took = seconds(answered)
    must(said.inner_text() == "One body.", f"a box dragged on the photo: {said.inner_text()} after {took:.1f} s")
    page.screenshot(path=out / "wide.png", full_page=True)
    canvas = page.locator("#body")
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    page.keyboard.press("0")  # from here on the browser shows where the focus is
    looks = [canvas.screenshot()]
    for key in ("ArrowRight", "+", "ArrowDown"):
        page.keyboard.press(key)
        looks.append(canvas.screenshot())
    drag(page, "#body", (0.3, 0.5), (0.6, 0.5))
    looks.append(canvas.screenshot())
    must(len(set(looks)) == len(looks), "the body turns by keys and by hand, and zooms")
    page.keyboard.press("0")
    must(canvas.screenshot() == looks[0], "0 turns it back")
    with page.expect_download() as download:
        page.locator("#save").click()
    must(Path(download.value.path()).read_bytes()[:4] == b"glTF", "the mesh can be saved")
    page.set_viewport_size({"width": 360, "height": 740})
    must(page.evaluate("document.documentElement.scrollWidth") <= 360, "a phone is wide enough")
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=out / "phone.png", full_page=True)


def main(photo: str, out: str) -> None:
    Path(out).mkdir(parents=True, exist_ok=True)
    looker = Looker.open(None, Path("results/body/body.npz"), "cpu", FOLDER)
    server = make_server(lambda content, box: recovered(content, box, looker), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    complaints: list[str] = []
    here = f"http://{HOST}:{server.server_address[1]}"
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=SOFTWARE_GL
        )
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(SLOW_MS)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((here, "blob:", "data:")) else complaints.append(asked.url),
        )
        page.goto(here)
        look(page, Path(photo), Path(out))
        complaints = [line for line in complaints if "422" not in line]  # the browser tells of our own refusal
        must(not complaints, f"no complaint on the console, no other machine asked {complaints or ''}")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
