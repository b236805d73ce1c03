"""SPIN's boxes: what they hold fills the network's picture, and nothing but the box changes."""

from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
from data.test_store import plain
from raw_files import PARAMS

from hmr.data.augment import CropSize
from hmr.data.boxes import boxed
from hmr.data.crop import crop_scale
from hmr.data.readers.human36m import Masks
from hmr.data.sample import Rejected
from hmr.errors import UserError

RECT = np.array([30.0, 20.0, 80.0, 120.0])


def side_px(sample, network_px=224):
    """The square of the source picture that the network sees."""
    size = CropSize(PARAMS.crop_px, PARAMS.crop_reference_px)
    return network_px * size.density / crop_scale(sample.person_px, size)


def spin(sample):
    return next(iter(boxed([sample], "spin")))


def test_the_box_is_larger_by_a_fifth_than_the_joints():
    sample = plain(3)
    points = sample.keypoints_2d_px[sample.visible]
    changed = spin(sample)
    assert side_px(changed) == pytest.approx(1.2 * np.ptp(points, axis=0).max())
    np.testing.assert_allclose(changed.center_px, (points.min(0) + points.max(0)) / 2)
    kept = [f.name for f in fields(sample) if f.name not in ("center_px", "person_px")]
    assert all(getattr(changed, name) is getattr(sample, name) for name in kept)


def test_a_mask_goes_before_joints():
    changed = spin(replace(plain(3), mask_box_px=RECT))
    assert side_px(changed) == pytest.approx(0.9 * 100)
    np.testing.assert_allclose(changed.center_px, (55, 70))


def test_the_methods_own_boxes_are_left_alone():
    entries = [plain(1), Rejected("x", "y")]
    assert list(boxed(entries, "hmr")) == entries and list(boxed(entries, "spin"))[1] is entries[1]
    with pytest.raises(UserError, match="hmr or spin"):
        list(boxed(entries, "mine"))


def test_masks_of_matlab_files_have_their_axes_reversed(tmp_path):
    picture = np.zeros((150, 100), np.uint8)
    picture[20:120, 30:80] = 1
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["#refs#/a"], file["#refs#/b"] = picture.T, np.zeros((100, 150), np.uint8)
        cells = np.array([[file[f"#refs#/{name}"].ref] for name in "ab"], h5py.ref_dtype)
        file.create_dataset("Masks", data=cells, dtype=h5py.ref_dtype)
    masks = Masks(tmp_path / "a.mat")
    np.testing.assert_array_equal(masks.box_px(0), RECT)
    assert np.isnan(masks.box_px(1)).all()
    with pytest.raises(UserError, match="mask of frame 2"):
        masks.box_px(2)
