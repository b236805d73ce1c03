import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from evaluation import labelled

from hmr.data.store import open_store
from hmr.report.curves import curves_svg
from hmr.report.gallery import VIEW_PX, caption, choose, panels, spread
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
    assert choose({"human36m": 50, "lsp": 100}, 1) == {"lsp": [50]}
    assert choose({}, 5) == choose({"lsp": 3}, 0) == {}


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


def test_the_body_is_drawn_where_the_camera_puts_it(tmp_path, toy):
    vertices, camera = toy["v_template"] * (1, -1, -1), np.array([0.7, 0.2, -0.1])
    with open_store(labelled.human36m(tmp_path / "labels.h5")) as store:
        view, labels, body, side = panels(store, 3, vertices, toy["f"], camera)
        assert caption("open-Human3.6M", store, 3) == "open-Human3.6M S9 Eating"
    drawn_y, drawn_x = np.nonzero((body != view).any(-1))
    x, y = ((camera[0] * (vertices[:, :2] + camera[1:]) + 1) * VIEW_PX / 2).T
    found = [drawn_x.min(), drawn_x.max() + 1, drawn_y.min(), drawn_y.max() + 1]
    np.testing.assert_allclose(found, [x.min(), x.max(), y.min(), y.max()], atol=2.5)
    assert (labels != view).any() and side.shape == view.shape == (VIEW_PX, VIEW_PX, 3)


def test_a_camera_from_which_nothing_can_be_drawn_is_not_a_crash(tmp_path, toy):
    with open_store(labelled.lsp(tmp_path / "labels.h5")) as store:
        assert len(panels(store, 0, toy["v_template"], toy["f"], np.array([-0.5, 0.0, 0.0]))) == 4
        assert caption("open-LSP", store, 0) == "open-LSP im1001"
