"""The page is one sound file that asks for nothing; test_browser.py looks at it in a browser."""

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from report.making import report

from hmr.report.page import THREE, bar_percent, with_code

VOID = {"meta", "link", "img", "br"}


class Outline(HTMLParser):
    """Tags with their attributes; fails where one is closed that was not open."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.scripts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append((self.tags[-1][1], data))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(everything, tmp_path):
    assert report(tmp_path, **everything) == 0
    return (tmp_path / "report" / "index.html").read_text()


def test_it_parses_and_asks_for_nothing(page):
    outline = Outline(page)
    assert not outline.open
    addresses = [a[name] for _, a in outline.tags for name in ("src", "href", "srcset", "action") if name in a]
    assert addresses and not [address for address in addresses if not address.startswith(("data:", "#"))]
    assert not re.search(r"url\((?!data:)|@import|fetch\(|XMLHttpRequest", page)
    policy = next(a["content"] for a in outline.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_commands_in_notes_are_code_and_the_rest_is_text():
    note = "of a < b the logs tell (`grep -r image <logs>`)"
    assert with_code(note) == "of a &lt; b the logs tell (<code>grep -r image &lt;logs&gt;</code>)"


def test_names_are_unique_and_links_lead_somewhere(page):
    outline = Outline(page)
    names = Counter(a["id"] for _, a in outline.tags if "id" in a)
    assert names and max(names.values()) == 1
    pointed = {a["href"][1:] for a in outline.all("a")} | {
        a["aria-labelledby"] for _, a in outline.tags if "aria-labelledby" in a
    }
    assert pointed <= set(names)


def test_those_who_do_not_see_are_told(page):
    outline = Outline(page)
    assert all("alt" in a for a in outline.all("img"))
    described = [a["alt"] for a in outline.all("img") if a["src"] != "data:,"]
    assert all(described) and len(described) > 20
    assert all(a.get("aria-label") for a in outline.all("svg"))
    assert outline.all("html")[0]["lang"] == "en" and len(outline.all("h1")) == 1
    assert all("scope" in a for a in outline.all("th"))


def test_every_picture_that_turns_has_its_body(page, toy):
    outline = Outline(page)
    turning = [a for a in outline.all("figure") if a.get("class") == "turning"]
    data = json.loads(next(text for a, text in outline.scripts if a.get("id") == "bodies-data"))
    assert len(turning) == len(data["solids"]) == 6 * 3
    assert len({(one["sample"], one["variant"]) for one in data["solids"]}) == 6 * 3
    vertices = {len(base64.b64decode(one["vertices"])) for one in data["solids"]}
    assert vertices == {toy["v_template"].size * 2} and len(base64.b64decode(data["faces"])) == toy["f"].size * 2


def test_without_bodies_there_is_no_viewer(everything, tmp_path):
    assert report(tmp_path, evaluate=everything["evaluate"]) == 0
    text = (tmp_path / "report" / "index.html").read_text()
    assert 'id="viewer"' not in text and "three" not in text and not Outline(text).open


def test_the_viewer_is_the_one_that_was_looked_at():
    told = re.findall(r"`(three\.\w+\.min\.js)` \| `([0-9a-f]{64})`", (THREE / "README.md").read_text())
    assert len(told) == 2
    assert all(hashlib.sha256((THREE / name).read_bytes()).hexdigest() == digest for name, digest in told)
    assert "MIT" in (THREE / "LICENSE").read_text()
    # The page gives the second file another name; it must be the only one that the first asks for.
    asked = set(re.findall(r'from"([^"]+)"', (THREE / "three.module.min.js").read_text()))
    assert asked == {"./three.core.min.js"}


def test_bars_are_shares_of_the_longest():
    cells = ["50.0 ± 3", "100.0", "–"]
    assert [bar_percent(cell, cells) for cell in cells] == [50.0, 100.0, 0.0]
    assert bar_percent("–", ["–"]) == 0.0
