"""The page in a real browser, where there is one: pip install playwright, and Chromium on the PATH."""

import shutil

import pytest
from report.making import report

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright, to look at the page")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs Chromium on the PATH")]
SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=BROWSER, args=SOFTWARE_GL)


@pytest.fixture
def address(everything, tmp_path):
    assert report(tmp_path, **everything) == 0
    return (tmp_path / "report" / "index.html").as_uri()


def opened(browser, address, **settings):
    """The page, and what it complained of or asked for."""
    page, said = browser.new_page(**settings), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url) if asked.url[:5] not in ("data:", "file:") else None)
    page.goto(address)
    return page, said


def test_a_mesh_turns_by_keys_and_by_hand_and_nothing_is_complained_of(browser, address):
    page, said = opened(browser, address)
    canvas = page.locator("#body")
    canvas.scroll_into_view_if_needed()
    looks = [canvas.screenshot()]
    canvas.focus()
    page.keyboard.press("ArrowRight")
    looks.append(canvas.screenshot())
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 50, steps=4)
    page.mouse.up()
    looks.append(canvas.screenshot())
    page.keyboard.press("0")
    assert len(set(looks)) == 3 and canvas.screenshot() == looks[0]
    page.locator("figure.turning button").last.click()
    assert page.evaluate("document.activeElement.id") == "body" and canvas.screenshot() != looks[0]
    assert not said


def test_tables_sort_by_number_and_keep_dashes_last(browser, address):
    page, _ = opened(browser, address)
    table = page.locator("section:has(> #table-1) table")
    table.locator("thead tr:last-child th button").nth(2).click()

    def column():
        return table.locator("tbody tr td:nth-child(3)").all_inner_texts()

    values = [float(cell) for cell in column() if cell != "–"]
    assert values == sorted(values) and column()[-1] == "–"
    page.keyboard.press("Enter")  # the heading has the focus
    assert [float(cell) for cell in column() if cell != "–"] == sorted(values, reverse=True) and column()[-1] == "–"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_is_wide_enough_and_text_stands_out(browser, address, scheme):
    page, _ = opened(browser, address, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    worst = page.evaluate(CONTRAST)
    assert worst >= 4.5, f"contrast {worst}"


def test_on_a_phone_strips_are_pushed_aside_and_the_contents_stay_in_reach(browser, address):
    page, said = opened(browser, address, viewport={"width": 360, "height": 740}, has_touch=True)
    strip = page.locator("section:has(> #bodies) .strip").first
    tops = strip.evaluate("(strip) => [...strip.children].map((figure) => figure.offsetTop)")
    assert len(set(tops)) == 1 < len(tops) and strip.evaluate("(strip) => strip.scrollWidth > strip.clientWidth")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.locator("nav summary").tap()
    page.locator("nav").get_by_role("link", name="Recovered bodies").tap()
    heading, nav = page.locator("#bodies").bounding_box(), page.locator("nav").bounding_box()
    assert nav["y"] == 0 and nav["height"] <= heading["y"] <= 370  # folded away again, and nothing lies under it
    page.locator("figure.turning button").nth(1).tap()
    page.locator("#back").tap()
    assert page.locator("figure.turning button").nth(1).evaluate("(button) => button === document.activeElement")
    assert not said


def test_two_fingers_bring_the_body_nearer(browser, address):
    page, _ = opened(browser, address)
    canvas = page.locator("#body")
    canvas.scroll_into_view_if_needed()
    canvas.evaluate("(canvas) => { canvas.setPointerCapture = () => {}; }")  # these fingers are made up

    def finger(kind, which, x):
        canvas.dispatch_event(kind, {"pointerId": which, "button": 0, "clientX": x, "clientY": 50})

    before = canvas.screenshot()
    for which, x in ((1, 100), (2, 150)):
        finger("pointerdown", which, x)
    finger("pointermove", 2, 250)
    nearer = canvas.screenshot()
    finger("pointermove", 2, 150)
    assert nearer != before == canvas.screenshot()
    for which in (1, 2):
        finger("pointerup", which, 150)
    finger("pointermove", 1, 300)
    assert canvas.screenshot() == before


@pytest.mark.parametrize("scripts", [True, False])
def test_nothing_stays_folded_on_paper(browser, address, scripts):
    page, _ = opened(browser, address, java_script_enabled=scripts)
    made = page.locator(".made li").first
    assert not made.is_visible()
    page.emulate_media(media="print")
    assert made.is_visible() and not page.locator("nav").is_visible()


@pytest.mark.parametrize("without", ["scripts", "webgl"])
def test_pictures_stay_where_nothing_can_turn(browser, address, without):
    page, said = opened(browser, address, java_script_enabled=without != "scripts")
    if without == "webgl":
        page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
        page.reload()
    assert page.locator("figure.turning img").first.is_visible() and not page.locator("#viewer").is_visible()
    assert page.locator("figure.turning button").count() == 0 and not said


# The least contrast of the page's text against the paper, as WCAG counts it.
CONTRAST = """() => {
  const light = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const ratio = (ink) => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  const text = [...document.querySelectorAll("h1, h2, h3, p, a, th, td, li, figcaption, button, select")];
  return Math.min(...text.map((element) => ratio(luminance(getComputedStyle(element).color))));
}"""
