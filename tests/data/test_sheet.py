"""Contact sheets: each keypoint's colour says its side, at its place, whatever the reader."""

from dataclasses import replace

import numpy as np
import pytest
from data.test_store import plain, write

from hmr.body.joints import COCOPLUS_19
from hmr.data.sheet import COLUMNS, SAMPLES, contact_sheet, labelled
from hmr.data.store import open_store
from hmr.render.overlay import LEFT, MIDDLE, RIGHT

IN_PLACE = np.array([[1.0, 0, 0], [0, 1.0, 0]])


@pytest.mark.parametrize("joint", range(19))
def test_a_keypoint_has_its_sides_colour_at_its_place(joint):
    visible = np.arange(19) == joint
    picture = labelled(np.zeros((80, 80, 3), np.uint8), np.full((19, 2), (50.0, 30.0)), visible, IN_PLACE)
    side = COCOPLUS_19.joints[joint].partition("_")[0]
    np.testing.assert_array_equal(picture[30, 50], {"right": RIGHT, "left": LEFT}.get(side, MIDDLE))
    assert not picture[:25].any() and not picture[:, :45].any()


def test_keypoints_move_with_the_view():
    visible = np.arange(19) == 0
    half = np.array([[0.5, 0, 4.0], [0, 0.5, 6.0]])
    picture = labelled(np.zeros((80, 80, 3), np.uint8), np.full((19, 2), (50.0, 30.0)), visible, half)
    np.testing.assert_array_equal(picture[21, 29], RIGHT)


@pytest.mark.parametrize("count", [1, 5, 60])
def test_a_sheet_is_as_large_as_its_samples_and_the_same_twice(tmp_path, count):
    write(tmp_path / "a.h5", [plain(k) for k in range(count)])
    with open_store(tmp_path / "a.h5") as store:
        sheet = contact_sheet(store)
        np.testing.assert_array_equal(sheet, contact_sheet(store))
    rows, columns = -(-min(count, SAMPLES) // COLUMNS), min(count, COLUMNS)
    assert abs(sheet.shape[1] / sheet.shape[0] - columns * 164 / (rows * 184)) < 0.1


def test_labels_are_drawn_over_the_crops(tmp_path):
    points = np.random.default_rng(0).uniform(40, 80, (19, 2))
    sheets = []
    for name, visible in (("a", np.ones(19, bool)), ("b", np.arange(19) == 0)):
        write(tmp_path / f"{name}.h5", [replace(plain(1), visible=visible, keypoints_2d_px=points)])
        with open_store(tmp_path / f"{name}.h5") as store:
            sheets.append(contact_sheet(store).astype(int))
    assert sheets[0].shape == sheets[1].shape and (np.abs(sheets[0] - sheets[1]).max(-1) > 60).sum() > 100
