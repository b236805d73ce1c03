"""The in-the-wild sets as the studio writes them, read back: labels exact, sides kept, the same bytes twice."""

import sys
import threading
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from raw_files import named, read

from hmr.body.joints import COCO_17, COCOPLUS_19, LSP_14, MPII_16, SMPL_24
from hmr.data.readers.coco import person_px
from hmr.errors import UserError
from hmr.files import write_manifest
from hmr.params import StudioImages
from hmr.studio.layouts import coco, lsp, lsp_extended, mpii, pictures

COUNT = 6
PARAMS = StudioImages(images=COUNT, image_px=120)
WRITERS = {module.DATASET: module for module in (lsp, lsp_extended, coco, mpii)}
SPORT = {"lsp": True, "lsp_extended": True, "coco": False, "mpii": False}


@dataclass
class FlatShot:
    """A picture of one colour with known labels."""

    image: np.ndarray
    part_labels: np.ndarray
    keypoints_2d_px: np.ndarray
    occluded: np.ndarray
    joints_3d_m: np.ndarray
    sport: bool
    projected: list = field(default_factory=list)

    def points_px(self, joints_m):
        return joints_m[:, :2]


def flat_shot(studio, rng, image_px, sport=False):
    """Like the studio's: every number from `rng`; some joints hidden, some out of the picture."""
    width, height = (image_px, image_px * 3 // 4) if rng.random() < 0.5 else (image_px * 3 // 4, image_px)
    part_labels = np.zeros((height, width), np.uint8)
    for part in range(1, 7):
        part_labels[10 + 10 * part : 20 + 10 * part, 10:75] = part
    return FlatShot(
        image=np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8),
        part_labels=part_labels,
        keypoints_2d_px=rng.uniform(-15, (width + 5, height + 5), (19, 2)),
        occluded=rng.random(19) < 0.15,
        joints_3d_m=np.column_stack([rng.uniform(-15, (width + 5, height + 5), (24, 2)), np.ones(24)]),
        sport=sport,
    )


@pytest.fixture(autouse=True)
def flat(monkeypatch):
    monkeypatch.setattr(pictures, "wild_shot", flat_shot)


def shot_of(dataset, index, seed=7):
    return pictures.picture(None, dataset, index, PARAMS, seed, sport=SPORT[dataset])


def write(dataset, raw, seed=7, jobs=1):
    WRITERS[dataset].write(raw, None, PARAMS, seed, jobs)
    return raw


def within(points, image):
    height, width = image.shape[:2]
    return np.array([-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5 for x, y in points])


def contents(raw):
    return {path.relative_to(raw).as_posix(): path.read_bytes() for path in raw.rglob("*") if path.is_file()}


@pytest.mark.parametrize("dataset", WRITERS)
def test_two_runs_and_any_number_of_processes_give_the_same_bytes(tmp_path, dataset):
    once, again = contents(write(dataset, tmp_path / "a")), contents(write(dataset, tmp_path / "b", jobs=3))
    assert once == again and len(once) > COUNT
    assert contents(write(dataset, tmp_path / "c", seed=8)) != once


@pytest.mark.parametrize("dataset", WRITERS)
def test_no_two_sets_share_pictures(dataset):
    others = [shot_of(other, 0).image.tobytes() for other in WRITERS if other != dataset]
    assert shot_of(dataset, 0).image.tobytes() not in others


@pytest.mark.parametrize("form", lsp.FORMS)
@pytest.mark.parametrize("dataset", ["lsp", "lsp_extended"])
def test_sports_sets_come_back_as_they_were(tmp_path, dataset, form):
    WRITERS[dataset].write(tmp_path, None, PARAMS, 7, form=form)
    samples = read(dataset, tmp_path)[0] + (read(dataset, tmp_path, "test")[0] if dataset == "lsp" else [])
    assert len(samples) == COUNT
    for index, sample in enumerate(samples):
        shot = pictures.sports_picture(None, dataset, index, PARAMS, 7, form)
        assert shot.sport == (form == "original")
        seen = ~shot.occluded & within(shot.keypoints_2d_px, shot.image)
        seen[14:] = False
        np.testing.assert_array_equal(sample.visible, seen)
        np.testing.assert_allclose(sample.keypoints_2d_px[seen], shot.keypoints_2d_px[seen])
        diagonal = np.linalg.norm(np.ptp(shot.keypoints_2d_px[seen], axis=0))
        assert sample.person_px == pytest.approx(150 if form == "original" else diagonal)
        assert abs(sample.load_image()[..., ::-1].astype(int) - shot.image).max() <= 3


def test_part_labels_come_back_identical(tmp_path):
    write("lsp", tmp_path)
    assert all(sample.load_part_labels is None for sample in read("lsp", tmp_path)[0])
    folder = tmp_path / "upi-s1h/data/lsp"
    assert len(list(folder.iterdir())) == COUNT
    for index, sample in enumerate(read("lsp", tmp_path, "test")[0], start=COUNT // 2):
        labels = shot_of("lsp", index).part_labels
        np.testing.assert_array_equal(sample.load_part_labels(), labels)
        assert sample.load_image().shape[:2] == labels.shape
        silhouette = cv2.imread(str(folder / f"im{index + 1:04d}_segmentation.png"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(silhouette > 0, labels > 0)


@pytest.mark.parametrize("form", coco.FORMS)
def test_coco_comes_back_as_it_was(tmp_path, form):
    coco.write(tmp_path, None, PARAMS, 7, form=form)
    samples, left_out = read("coco", tmp_path)
    assert len(samples) + len(left_out) == COUNT and not any(entry.bad for entry in left_out)
    assert samples
    for sample in samples:
        shot = shot_of("coco", int(sample.sample_id.split("/")[1]) - 1)
        labelled = within(shot.keypoints_2d_px, shot.image)
        labelled[[k for k, joint in enumerate(COCOPLUS_19.joints) if joint not in COCO_17.joints]] = False
        np.testing.assert_array_equal(sample.visible, labelled)
        np.testing.assert_allclose(sample.keypoints_2d_px[labelled], shot.keypoints_2d_px[labelled], atol=0.01)
        assert sample.person_px == person_px(sample.keypoints_2d_px, labelled)
        assert abs(sample.load_image()[..., ::-1].astype(int) - shot.image).max() <= 3


def test_coco_flags_tell_hidden_from_seen(tmp_path):
    for index in range(COUNT):
        shot = shot_of("coco", index)
        flags = np.reshape(coco._keypoints(shot)["keypoints"], (17, 3))[:, 2]
        rows = [COCOPLUS_19.index(joint) for joint in COCO_17.joints]
        labelled = within(shot.keypoints_2d_px, shot.image)[rows]
        np.testing.assert_array_equal(flags, np.where(labelled, np.where(shot.occluded[rows], 1, 2), 0))


def test_a_person_in_two_pieces_has_two_polygons_that_fill_to_the_mask():
    mask = np.zeros((60, 80), bool)
    mask[5:20, 10:30], mask[30:55, 40:70], mask[58, 75] = True, True, True
    found = coco._mask(mask)
    filled = np.zeros(mask.shape, np.uint8)
    for polygon in found["segmentation"]:
        cv2.fillPoly(filled, [np.reshape(polygon, (-1, 1, 2)).astype(np.int32)], 1)
    assert len(found["segmentation"]) == 2  # a lone pixel has no polygon
    mask[58, 75] = False
    np.testing.assert_array_equal(filled > 0, mask)
    assert found["area"] == mask.sum() + 1


def test_mpii_comes_back_as_it_was(tmp_path):
    write("mpii", tmp_path)
    samples, left_out = read("mpii", tmp_path)
    assert len(samples) + len(left_out) == COUNT and not any(entry.bad for entry in left_out)
    assert samples
    for sample in samples:
        shot = shot_of("mpii", int(sample.sample_id.split("/")[1]) - 1)
        own, labelled, _ = pictures.labels_of(shot, MPII_16)
        expected = named(np.where(labelled[:, None], own, np.nan), MPII_16)
        np.testing.assert_allclose(sample.keypoints_2d_px, expected)
        np.testing.assert_array_equal(sample.visible, np.isfinite(expected[:, 0]))


def test_own_joints_are_found_by_name():
    shot = shot_of("mpii", 0)
    points, labelled, seen = pictures.labels_of(shot, MPII_16)
    for row, joint in enumerate(MPII_16.joints):
        if joint in LSP_14.joints:
            np.testing.assert_array_equal(points[row], shot.keypoints_2d_px[LSP_14.index(joint)])
            assert seen[row] == (labelled[row] and not shot.occluded[LSP_14.index(joint)])
        else:
            np.testing.assert_array_equal(points[row], shot.joints_3d_m[SMPL_24.index(joint), :2])


@pytest.mark.parametrize(
    "point, expected", [((20, 34), True), ((20, 27), False), ((-3, 34), False), ((20.4, 29.6), True)]
)
def test_joints_inside_the_body_are_seen_where_the_torso_is(point, expected):
    shot = shot_of("mpii", 0)
    shot.joints_3d_m[SMPL_24.index("pelvis"), :2] = point
    assert pictures.labels_of(shot, MPII_16)[2][MPII_16.index("pelvis")] == expected


def test_points_on_the_edge_of_the_picture():
    points = np.array([[-0.5, 0], [-0.51, 0], [9.49, 4.49], [9.5, 0], [0, 4.5]])
    assert pictures.inside(points, np.zeros((5, 10))).tolist() == [True, False, True, False, False]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_what_makes_pictures_is_not_sent_along_with_each(tmp_path):
    studio = threading.Lock()  # nothing that can be sent to another process
    assert pictures.in_order(lambda index: (index, studio is not None), 20, 2, "x") == [(k, True) for k in range(20)]


def test_no_process_is_no_way(tmp_path):
    with pytest.raises(UserError, match="--jobs"):
        write("lsp", tmp_path / "raw", jobs=0)


def test_files_hold_no_time(tmp_path):
    write("lsp", tmp_path)
    assert b"Created on" not in (tmp_path / "joints.mat").read_bytes()
    write_manifest(tmp_path, source="studio")
