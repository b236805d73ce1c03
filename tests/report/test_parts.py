import itertools
import xml.etree.ElementTree as ElementTree

import pytest

from hmr.report.curves import curves_svg
from hmr.report.gallery import choose, spread
from hmr.report.page import escape_latex
from hmr.report.tables import ordered


@pytest.mark.parametrize(("count", "wanted"), [(100, 6), (6, 6), (3, 6), (0, 6), (7, 1)])
def test_samples_are_evenly_spread(count, wanted):
    rows = spread(count, wanted)
    assert len(rows) == min(count, wanted) == len(set(rows)) and rows == sorted(rows)
    assert all(0 <= row < count for row in rows)
    gaps = [b - a for a, b in itertools.pairwise(rows)]
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_two_sets_share_the_gallery():
    chosen = choose({"human36m": 50, "lsp": 100, "mpi_inf_3dhp": 9}, 5)
    assert {name: len(rows) for name, rows in chosen.items()} == {"lsp": 3, "human36m": 2}
    assert choose({}, 5) == {}


def test_the_papers_variants_come_first_and_the_baseline_last():
    names = ["zoo", "mean-body", "unpaired", "another", "paired"]
    assert ordered(names) == ["paired", "unpaired", "another", "zoo", "mean-body"]


def test_latex_prints_text_as_it_is():
    assert escape_latex("100 % of a_b & c – {d}") == r"100 \% of a\_b \& c -- \{d\}"


def test_curves_are_well_formed_whatever_the_terms():
    logs = {
        "paired": [{"step": 25, "total": 3.0, "a<b": 0.0}, {"step": 50, "total": 1.0, "a<b": 0.0}],
        "unpaired": [{"step": 25, "total": 2.0}],
        "empty": [],
    }
    root = ElementTree.fromstring(curves_svg(logs))
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(lines) == 3
    heights = [float(point.split(",")[1]) for point in lines[0].get("points").split()]
    assert heights[0] < heights[1]  # y points down: a falling loss falls
