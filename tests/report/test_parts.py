import base64
import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from evaluation import labelled

from hmr.data.store import open_store
from hmr.evaluation.predictions import Predictions
from hmr.report.curves import curves_svg
from hmr.report.gallery import VIEW_PX, as_seen, choose, name, recovered, spread
from hmr.report.meshes import solid
from hmr.report.page import escape_latex
from hmr.report.samples import extremes, least_human, reprojection_percent
from hmr.report.tables import make_tables, ordered, seeds


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
    assert escape_latex("100 % of a_b & c – {d}") == r"100 \% of a\_b \& c \textendash{} \{d\}"
    assert escape_latex("p < 0.001 by `hmr x --time`") == r"p $<$ 0.001 by \texttt{hmr x -{}-time}"


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
        view, labels = np.hsplit(as_seen(store, 3), 2)
        body, side = np.hsplit(recovered(store, 3, vertices, toy["f"], camera), 2)
        assert name(store, 3, "open-Human3.6M") == "open-Human3.6M S9 Eating"
    drawn_y, drawn_x = np.nonzero((body != view).any(-1))
    x, y = ((camera[0] * (vertices[:, :2] + camera[1:]) + 1) * VIEW_PX / 2).T
    found = [drawn_x.min(), drawn_x.max() + 1, drawn_y.min(), drawn_y.max() + 1]
    np.testing.assert_allclose(found, [x.min(), x.max(), y.min(), y.max()], atol=2.5)
    assert (labels != view).any() and side.shape == view.shape == (VIEW_PX, VIEW_PX, 3)


def test_a_camera_from_which_nothing_can_be_drawn_is_not_a_crash(tmp_path, toy):
    with open_store(labelled.lsp(tmp_path / "labels.h5")) as store:
        assert recovered(store, 0, toy["v_template"], toy["f"], np.array([-0.5, 0.0, 0.0])).any()
        assert name(store, 0, "open-LSP") == "open-LSP im1001"


def test_best_median_and_worst_are_what_they_say():
    assert extremes(np.array([5.0, np.nan, 1.0, 3.0, 9.0])) == [2, 3, 4]
    assert extremes(np.array([7.0])) == [0, 0, 0]
    assert extremes(np.full(3, np.nan)) == []


def test_monsters_are_right_in_the_picture_and_wrong_in_space():
    flat = np.array([1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0, np.nan])
    deep = np.array([10.0, 30.0, 20.0, 99.0, 1.0, 1.0, 1.0, 1.0, 99.0])
    assert least_human(flat, deep, "abcdefghi", 2) == [1, 2]
    assert least_human(flat, deep, "xxxdefghi", 2) == [1]  # at most one of a group
    assert least_human(flat * np.nan, deep, "abcdefghi", 2) == []


def test_reprojection_is_zero_for_the_labels_and_a_share_of_the_person(tmp_path):
    with open_store(labelled.lsp(tmp_path / "labels.h5")) as store:
        right = labelled.perfect(store)
        assert reprojection_percent(store, Predictions(right, {}, tmp_path)).max() < 1e-3
        size = np.linalg.norm(np.ptp(right["keypoints_2d_px"], axis=1), axis=1)
        moved = right | {"keypoints_2d_px": right["keypoints_2d_px"] + (0.1 * size)[:, None, None] * [0.6, 0.8]}
        np.testing.assert_allclose(reprojection_percent(store, Predictions(moved, {}, tmp_path)), 10.0, atol=1e-3)
        assert np.isnan(reprojection_percent(store, Predictions({}, {}, tmp_path))).all()


def test_a_mesh_comes_back_from_text_within_a_thousandth_of_a_millimetre_a_centimetre(toy):
    made = solid("sample", "variant", toy["v_template"])
    numbers = np.frombuffer(base64.b64decode(made.vertices), "<u2").reshape(-1, 3)
    size = np.ptp(toy["v_template"], axis=0).max()
    np.testing.assert_allclose(made.low_m + made.step_m * numbers, toy["v_template"], atol=size / 65535 + 1e-6)


def test_seeds_of_a_variant_are_put_together_and_only_its_own():
    trained = ["paired-seed2", "paired", "paired-seed1", "paired-no-critics", "unpaired-seed1", "paired-seedless"]
    assert seeds(trained) == {"paired": ["paired", "paired-seed1", "paired-seed2"]}
    errors = zip(trained, (90.0, 80, 85.5, 1, 2, 3), strict=True)
    metrics = {name: {"human36m-p1": {"mpjpe_mm": value}} for name, value in errors}
    table = next(table for table in make_tables(metrics, {}) if table.key == "seeds")
    assert [row.name for row in table.rows] == ["HMR, 3 seeds"]
    assert table.rows[0].cells[:2] == ("85.2 (80.0 to 90.0)", "–")
    assert not [table for table in make_tables({"paired": metrics["paired"]}, {}) if table.key == "seeds"]
