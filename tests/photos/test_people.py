import json

import numpy as np
import pytest

from hmr.data.augment import VIEW_REFERENCE_PX
from hmr.data.crop import PERSON_REFERENCE_PX
from hmr.errors import UserError
from hmr.photos.people import (
    ANY,
    boxes_for,
    check_box,
    place_of,
    read_boxes,
    whole_picture,
)

POINTS = [[30, 40, 0.9], [50, 20, 0.8], [45, 140, 0.7], [61, 90, 0.3], [999, 999, 0.1], [0, 0, 0]]
AROUND = [30, 20, 32, 121]  # of those that are known, both ends counted


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("view_px", [224, 160])
def test_a_tight_picture_fills_the_view(view_px):
    place = place_of(whole_picture((60, 100), VIEW_REFERENCE_PX / view_px))
    np.testing.assert_allclose(place.center_px, (49.5, 29.5))
    assert place.person_px * view_px / PERSON_REFERENCE_PX == pytest.approx(100)


@pytest.mark.parametrize("key", ["pose_keypoints", "pose_keypoints_2d"])
def test_openpose_old_and_new(tmp_path, key):
    person = {key: np.ravel(POINTS).tolist()}
    unseen = {key: [0] * 18}
    path = write(tmp_path / "beach_keypoints.json", {"version": 1.2, "people": [person, unseen]})
    np.testing.assert_allclose(read_boxes(path)[ANY], [AROUND])
    np.testing.assert_allclose(read_boxes(tmp_path)["beach"], [AROUND])
    np.testing.assert_allclose(boxes_for(read_boxes(tmp_path), tmp_path / "beach.jpg"), [AROUND])


def test_coco_by_keypoints_where_it_has_them_else_by_box(tmp_path):
    points = [[x, y, 2 if certain > 0.2 else 0] for x, y, certain in POINTS]
    rows = [
        {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": np.ravel(points).tolist()},
        {"image_id": 7, "category_id": 1, "bbox": [5, 6, 7, 8]},
        {"image_id": 7, "category_id": 18, "bbox": [9, 9, 9, 9]},
        {"image_id": 7, "category_id": 1, "bbox": [9, 9, 9, 9], "iscrowd": 1},
    ]
    content = {"images": [{"id": 7, "file_name": "val/beach.jpg"}], "annotations": rows}
    found = read_boxes(write(tmp_path / "coco.json", content))
    assert list(found) == ["beach.jpg"]
    np.testing.assert_allclose(found["beach.jpg"], [AROUND, [5, 6, 7, 8]])


def test_own_form_keeps_people_apart(tmp_path):
    boxes = read_boxes(write(tmp_path / "b.json", {"a.jpg": [[1, 2, 3, 4], [5, 6, 7, 8]], "c.jpg": []}))
    assert boxes_for(boxes, tmp_path / "a.jpg").tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert boxes_for(boxes, tmp_path / "c.jpg").shape == boxes_for(boxes, tmp_path / "other.jpg").shape == (0, 4)


@pytest.mark.parametrize(
    "content",
    [
        "{no json",
        [1, 2],
        {"a.jpg": [[1, 2, 3]]},
        {"a.jpg": [["x", 0, 0, 0]]},
        {"people": [{"face": []}]},
        {"people": [{"pose_keypoints_2d": [1, 2]}]},
        {"annotations": [{"image_id": 1}], "images": []},
        {"annotations": []},
    ],
)
def test_other_shapes_are_named(tmp_path, content):
    with pytest.raises(UserError, match=r"b\.json"):
        read_boxes(write(tmp_path / "b.json", content))


def test_missing_files_of_boxes_are_named(tmp_path):
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(UserError, match=path.name):
            read_boxes(path)


@pytest.mark.parametrize(
    "box", [(100, 0, 5, 5), (0, 60, 5, 5), (-5, 0, 5, 5), (0, 0, 0, 5), (0, 0, 5, -1), (0, 0, np.nan, 5)]
)
def test_boxes_outside_and_without_area_are_named(box):
    with pytest.raises(UserError, match=r"beach\.jpg: box"):
        check_box(np.array(box, float), (60, 100), "beach.jpg")


def test_boxes_that_stick_out_are_fine():
    check_box(np.array([-3.0, -3, 5, 5]), (60, 100), "beach.jpg")
    check_box(np.array([99.0, 59, 50, 50]), (60, 100), "beach.jpg")
