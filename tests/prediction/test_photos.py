import json

import cv2
import numpy as np
import pytest

from hmr.errors import UserError
from hmr.prediction.photos import find_people, read_boxes


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "beach.png"
    cv2.imwrite(str(path), np.zeros((60, 100, 3), np.uint8))
    return path


def test_a_tight_picture_is_seen_whole(photo):
    (person,) = find_people([photo], None)
    np.testing.assert_allclose(person.center_px, (49.5, 29.5))
    assert person.person_px * 224 / 150 == pytest.approx(100)


def test_boxes_say_where_people_are(photo):
    people = list(find_people([photo], {"beach.png": [[10, 20, 3, 4], [50, 20, 6, 8]]}))
    assert [person.name for person in people] == ["beach", "beach-2"]
    np.testing.assert_allclose(people[0].center_px, (11, 21.5))
    assert people[1].person_px == pytest.approx(10)


def test_a_picture_without_a_box_is_left_out(photo):
    assert list(find_people([photo], {"other.png": [[0, 0, 1, 1]]})) == []


def test_a_video_gives_every_frame(tmp_path):
    path = tmp_path / "walk.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in (0, 120, 240):
        video.write(np.full((48, 64, 3), level, np.uint8))
    video.release()
    people = list(find_people([path], None))
    assert [person.name for person in people] == ["walk-000000", "walk-000001", "walk-000002"]
    assert [round(person.image.mean(), -1) for person in people] == [0, 120, 240]


def test_folders_are_read_in_order_of_names(photo):
    cv2.imwrite(str(photo.with_name("alps.png")), np.zeros((10, 10, 3), np.uint8))
    assert [person.name for person in find_people([photo.parent], None)] == ["alps", "beach"]


def test_mistakes_are_named(tmp_path, photo):
    (tmp_path / "noise.jpg").write_bytes(b"not a picture")
    (tmp_path / "boxes.json").write_text(json.dumps({"beach.png": [[1, 2, 3]]}))
    (tmp_path / "empty").mkdir()
    for paths in ([tmp_path / "noise.jpg"], [tmp_path / "gone.jpg"], [tmp_path / "empty"]):
        with pytest.raises(UserError, match=paths[0].name):
            list(find_people(paths, None))
    with pytest.raises(UserError, match=r"boxes\.json"):
        read_boxes(tmp_path / "boxes.json")
    with pytest.raises(UserError, match="no area"):
        list(find_people([photo], {"beach.png": [[0, 0, 0, 5]]}))
