"""Bad input, each with its reason: kept for what it is, left out, or refused in one line; nothing goes unsaid."""

import json
import struct
import zlib
from pathlib import Path

import cdflib.cdfwrite
import cv2
import h5py
import numpy as np
import pytest
import scipy.io
from data.test_readers import coco_person, mpii_person, points_of, structures, write_coco, write_mpii
from data.test_readers_3d import write_human36m, write_mpi_test, write_mpi_train
from raw_files import PARAMS, read, touch_all, write_image, write_video

from hmr.__main__ import main
from hmr.data.readers import reader_of
from hmr.data.readers.mpi_inf_3dhp import train_files
from hmr.data.readers.raw import load_bgr, video_frames
from hmr.data.store import open_store
from hmr.data.writing import write_store
from hmr.errors import UserError

PRESET = Path(__file__).parents[2] / "hmr/presets/open.yaml"
PICTURE = cv2.resize(np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8), (150, 180))


def encoded(picture, suffix):
    return cv2.imencode(suffix, picture)[1].tobytes()


def turned(jpeg):
    """The same JPEG with EXIF's word that the camera was held on its side."""
    tags = b"Exif\0\0" + b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tags) + 2) + tags + jpeg[2:]


def claiming(png, side):
    """The same PNG with a header that claims another size."""
    header = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


JPEG, PNG = encoded(PICTURE, ".jpg"), encoded(PICTURE, ".png")
GOOD = {
    "a PNG by the name of a JPEG": PNG,
    "grey": encoded(PICTURE[..., 0], ".jpg"),
    "16 bits": encoded(PICTURE.astype(np.uint16) * 257, ".png"),
    "with transparency": encoded(np.dstack([PICTURE, PICTURE[..., 0]]), ".png"),
    "turned by EXIF": turned(JPEG),
}
BAD = {
    "a JPEG cut in half": JPEG[: len(JPEG) // 2],
    "a PNG cut in half": PNG[: len(PNG) // 2],
    "empty": b"",
    "a web page": b"<html>not found</html>",
    "a header that claims a billion pixels": claiming(PNG, 60_000),
}


@pytest.mark.parametrize("name", GOOD)
def test_odd_pictures_are_read_for_what_they_are(tmp_path, name):
    (tmp_path / "im.jpg").write_bytes(GOOD[name])
    found = load_bgr(tmp_path / "im.jpg")
    expected = np.repeat(PICTURE[..., :1], 3, 2) if name == "grey" else PICTURE
    assert found.dtype == np.uint8 and found.shape == PICTURE.shape  # not turned: labels refer to pixels as stored
    assert np.abs(found.astype(int) - expected).mean() < 5


@pytest.mark.parametrize("name", BAD)
def test_pictures_that_are_none_are_refused(tmp_path, name):
    (tmp_path / "im.jpg").write_bytes(BAD[name])
    with pytest.raises(UserError, match=r"im.jpg: expected a picture, found .*; fetch it again") as caught:
        load_bgr(tmp_path / "im.jpg")
    assert "\n" not in str(caught.value)


def sports(raw, pictures, spoil=None):
    """LSP-extended's layout with these pictures; `spoil` changes its joints (N, 14, 3)."""
    joints = np.random.default_rng(1).uniform(20, 130, (len(pictures), 14, 3))
    joints[..., 2] = 1
    if spoil:
        spoil(joints)
    (raw / "images").mkdir(parents=True)
    scipy.io.savemat(raw / "joints.mat", {"joints": joints.transpose(1, 2, 0)})
    for number, data in enumerate(pictures, start=1):
        (raw / f"images/im{number:05d}.jpg").write_bytes(data)


def normalized(raw, out, dataset="lsp_extended"):
    words = ["--split", "train", "--raw", str(raw), "--out", str(out), "--params", str(PRESET)]
    assert main(["normalize", dataset, *words]) == 0
    return open_store(out)


def test_every_record_is_kept_or_listed_with_its_reason(tmp_path, capsys):
    def spoil(joints):
        joints[0, :, 2] = 0  # nobody to be seen
        joints[1, 3, 0] = np.nan
        joints[2, :, :2] += 5000  # outside of the picture
        joints[3, :7, :2] += 5000  # half outside
        joints[4, :, :2] = 50  # all in one point

    pictures = [*GOOD.values(), *BAD.values(), *[JPEG] * 40]
    sports(tmp_path / "raw", pictures, spoil)
    with normalized(tmp_path / "raw", tmp_path / "a.h5") as store:
        left_out = {entry.sample_id: entry.reason for entry in store.quarantine()}
        assert len(store) + len(left_out) == len(pictures)
        kept = set(store["sample_id"].tolist())
    names = [f"lsp_extended/im{number:05d}" for number in range(1, len(pictures) + 1)]
    assert kept | left_out.keys() == set(names) and not kept & left_out.keys()
    bad = names[len(GOOD) : len(GOOD) + len(BAD)]
    assert left_out.keys() == {*names[:3], *bad}
    assert left_out[names[0]] == "no labelled joint"
    assert left_out[names[1]] == "labels broken: a labelled joint has no position"
    assert left_out[names[2]] == "labels broken: no labelled joint lies in the picture"
    assert all(left_out[name].startswith("unreadable file: ") and name[-7:] in left_out[name] for name in bad)
    said = capsys.readouterr().out
    assert f"{len(kept)} kept, {len(left_out)} left out" in said and f"unreadable file: {len(BAD)}" in said


def test_joints_outside_the_picture_are_kept_with_those_inside(tmp_path):
    def half(joints):
        joints[0, :7, :2] += 400

    sports(tmp_path / "raw", [JPEG], half)
    with normalized(tmp_path / "raw", tmp_path / "a.h5") as store:
        assert store["visible"][0, :14].all() and np.isfinite(store["keypoints_2d_px"][0, :14]).all()


# Label files of another kind


def as_matlab_73(path, name="joints"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        file[name] = np.zeros((3, 14, 2))
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


@pytest.mark.parametrize(
    "dataset, name",
    [
        ("lsp", "joints.mat"),
        ("lsp_extended", "joints.mat"),
        ("mpii", "annotations/mpii_human_pose_v1_u12_1.mat"),
        ("mpi_inf_3dhp", "S1/Seq1/annot.mat"),
    ],
)
def test_matlab_files_of_the_newer_version_are_refused(tmp_path, dataset, name):
    (tmp_path / "images").mkdir()
    touch_all(train_files(tmp_path))
    as_matlab_73(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: expected") as caught:
        read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, change, reason",
    [
        ("annot3", lambda pose: pose[:2], r"\(4, 56\) and \(2, 84\) of camera 0"),
        ("annot2", lambda pose: pose[:2], r"\(2, 56\) and \(4, 84\) of camera 0"),
        ("annot2", lambda pose: pose.T, r"\(56, 4\) and \(4, 84\) of camera 0"),
        ("annot2", lambda pose: np.zeros((4, 84)), r"\(4, 84\) and \(4, 84\) of camera 0"),
        ("annot3", lambda pose: np.empty((0, 0)), r"\(4, 56\) and \(0, 0\) of camera 0"),
    ],
)
def test_mpi_labels_that_do_not_go_together_are_refused(tmp_path, name, change, reason):
    write_mpi_train(tmp_path)
    path = tmp_path / "S1/Seq1/annot.mat"
    content = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("_")}
    content[name][0, 0] = change(content[name][0, 0])
    scipy.io.savemat(path, content)
    with pytest.raises(UserError, match=rf"annot\.mat: expected annot2 and annot3 of 14 cameras, found .*{reason}"):
        read("mpi_inf_3dhp", tmp_path)


@pytest.mark.parametrize("name", ["annot2", "annot3"])
def test_mpi_frames_that_are_no_numbers_are_listed_as_broken_and_lose_no_others(tmp_path, name):
    write_mpi_train(tmp_path, frames=7)
    path = tmp_path / "S1/Seq1/annot.mat"
    content = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("_")}
    content[name][0, 0][[0, 3, 4]] = np.nan
    scipy.io.savemat(path, content)
    counts = write_store(
        tmp_path / "a.h5", reader_of("mpi_inf_3dhp")(tmp_path, "train", PARAMS), attributes={}, params=PARAMS
    )
    with open_store(tmp_path / "a.h5") as store:
        kept, left_out = store["sample_id"].tolist(), store.quarantine()
    assert counts.kept + len(left_out) == len(kept) + len(left_out) == 7 * 2 * 8 * 7
    video = "mpi_inf_3dhp/S1/Seq1/video_0/"
    broken = {"annot2": [0, 4], "annot3": [0, 3, 4]}[name]  # by motion, frames 0, 2, 4 and 6 are chosen
    chosen = {"annot2": [2, 6], "annot3": [1, 5]}[name]
    assert [r.sample_id for r in left_out if r.bad] == [f"{video}{k:06d}" for k in broken]
    assert [sample_id for sample_id in kept if sample_id.startswith(video)] == [f"{video}{k:06d}" for k in chosen]


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda text: "", "none of camera 0, 1, 2, 4, 5, 6, 7, 8"),
        (lambda text: text.replace("name          2\n", "name          20\n"), "none of camera 2"),
        (lambda text: "name\n" + text, "list index out of range"),
        (lambda text: text.replace("1500", "wide"), "could not convert"),
    ],
)
def test_mpi_cameras_that_nobody_wrote_down_are_refused(tmp_path, change, reason):
    write_mpi_train(tmp_path)
    path = tmp_path / "S1/Seq1/camera.calibration"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=rf"camera\.calibration: expected name and intrinsic lines, found .*{reason}"):
        read("mpi_inf_3dhp", tmp_path)


def test_mpi_test_frames_count_only_where_their_owners_say_one(tmp_path):
    write_mpi_test(tmp_path)
    with h5py.File(tmp_path / "mpi_inf_3dhp_test_set/TS1/annot_data.mat", "r+") as file:
        file["valid_frame"][:] = [[np.nan], [2], [1]]
        file["activity_annotation"][:] = np.nan
    samples, left_out = read("mpi_inf_3dhp", tmp_path, "test")
    assert [(s.sample_id, s.action) for s in samples if s.subject == "TS1"] == [("mpi_inf_3dhp/TS1/img_000003", "")]
    assert len(samples) + len(left_out) == 6 * 3


@pytest.mark.parametrize("content", ["text", 1.0, np.ones(3)])
def test_mpi_test_labels_of_another_kind_are_refused(tmp_path, content):
    write_mpi_test(tmp_path)
    with h5py.File(tmp_path / "mpi_inf_3dhp_test_set/TS1/annot_data.mat", "r+") as file:
        del file["valid_frame"]
        file["valid_frame"] = content
    with pytest.raises(
        UserError, match=r"annot_data\.mat: .*expected.*valid_frame|annot_data\.mat: valid_frame: expec"
    ):
        read("mpi_inf_3dhp", tmp_path, "test")


def test_matlab_files_of_the_older_version_are_refused_where_the_newer_is_due(tmp_path):
    folder = tmp_path / "mpi_inf_3dhp_test_set/TS1"
    folder.mkdir(parents=True)
    scipy.io.savemat(folder / "annot_data.mat", {"valid_frame": np.ones((3, 1))})
    with pytest.raises(UserError, match=r"annot_data\.mat: expected valid_frame") as caught:
        read("mpi_inf_3dhp", tmp_path, "test")
    assert "\n" not in str(caught.value)


def test_a_cdf_without_poses_is_refused(tmp_path):
    write_human36m(tmp_path, ("S1", "S5", "S6", "S7", "S8"))
    path = next((tmp_path / "S1/MyPoseFeatures/D2_Positions").glob("*.cdf"))
    cdf = cdflib.cdfwrite.CDF(path, delete=True)
    spec = {"Variable": "Angles", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": [5, 64]}
    cdf.write_var(spec, var_data=np.zeros((1, 5, 64), np.float32))
    cdf.close()
    with pytest.raises(UserError, match=f"{path.name}: expected a CDF file of 32 joints") as caught:
        read("human36m", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_film_that_ends_early_loses_its_last_frames_alone(tmp_path):
    write_mpi_train(tmp_path)
    path = tmp_path / "S1/Seq1/imageSequence/video_0.avi"
    whole = {s.sample_id for s in read("mpi_inf_3dhp", tmp_path)[0]}
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 5])
    with_cut = tmp_path / "a.h5"
    params = {"attributes": {"dataset": "mpi_inf_3dhp"}, "params": PARAMS}
    counts = write_store(with_cut, reader_of("mpi_inf_3dhp")(tmp_path, "train", PARAMS), **params)
    with open_store(with_cut) as store:
        lost = whole - set(store["sample_id"].tolist())
        reasons = {entry.sample_id: entry.reason for entry in store.quarantine() if entry.bad}
    assert lost and lost == reasons.keys() and len(lost) == counts.bad.total()
    assert all("S1/Seq1/video_0/" in name and "end of the video" in reasons[name] for name in lost)


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_of_a_video_that_is_none_nothing_but_the_reason_is_said(tmp_path, capfd, suffix):
    path = tmp_path / f"video.{suffix}"
    write_video(path, 3, "MJPG" if suffix == "avi" else "mp4v")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ((_, picture),) = video_frames(path, np.array([2]))
    assert picture is None and not any(capfd.readouterr())


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"category_id": 99}, "labels broken: unknown category 99"),
        ({"category_id": [1]}, r"labels broken: unknown category [1]"),
        ({"keypoints": np.full((16, 3), 1)}, "labels broken: 48 keypoint numbers"),
        ({"keypoints": np.full((17, 3), 7)}, "labels broken: flags of joints other than 0, 1 and 2"),
        ({"segmentation": [[1, 2, 3]]}, "labels broken: "),
    ],
)
def test_broken_people_of_coco_are_listed_one_by_one(tmp_path, changes, reason):
    write_coco(tmp_path, [coco_person(1, **changes), coco_person(2)])
    samples, left_out = read("coco", tmp_path)
    assert [s.sample_id for s in samples] == ["coco/1/2"] and [r.sample_id for r in left_out] == ["coco/1/1"]
    assert left_out[0].reason.startswith(reason)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"id": -1}, "no joint has the number -1"),
        ({"id": 16}, "no joint has the number 16"),
        ({"id": 3.5}, "no joint has the number 3.5"),
        ({"id": np.nan}, "no joint has the number nan"),
        ({"id": np.empty((0, 0))}, ""),
        ({"x": "left"}, "could not convert"),
        ({"y": np.empty((0, 0))}, ""),
    ],
)
def test_broken_people_of_mpii_are_listed_one_by_one(tmp_path, change, reason):
    spoilt = mpii_person(points_of(0))
    spoilt["annopoints"]["point"][3].update(change)
    write_mpii(tmp_path, [([spoilt, mpii_person(points_of(1))], [1, 2])], [1])
    samples, left_out = read("mpii", tmp_path)
    assert [s.sample_id for s in samples] == ["mpii/000000000/2"]
    assert [(r.sample_id, r.bad) for r in left_out] == [("mpii/000000000/1", True)]
    assert left_out[0].reason.startswith(f"labels broken: {reason}")


def apart_of(*cells):
    array = np.empty((len(cells), 1), object)
    array[:, 0] = cells
    return array


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"img_train": np.ones((1, 3))}, "annolist, img_train and single_person of 2, 3, 2"),
        ({"img_train": np.empty((0, 0))}, "annolist, img_train and single_person of 2, 0, 2"),
        ({"single_person": apart_of(*[np.ones((1, 1))] * 3)}, "of 2, 2, 3"),
        ({"single_person": apart_of(np.ones((1, 1)), "first")}, "could not convert"),
        ({"annolist": [{"image": {"name": 5}}, {"image": {"name": "1.jpg"}}]}, "5 as a picture's name"),
        ({"annolist": [{"annorect": 1}, {"annorect": 2}]}, "no attribute 'image'"),
    ],
)
def test_an_mpii_file_whose_pictures_cannot_be_told_is_refused(tmp_path, change, reason):
    write_mpii(tmp_path, [([mpii_person(points_of(k))], [1]) for k in (0, 1)], [1, 1])
    path = tmp_path / "annotations/mpii_human_pose_v1_u12_1.mat"
    release = {
        "annolist": [{"image": {"name": f"{k:09d}.jpg"}} for k in (0, 1)],
        "img_train": np.ones((1, 2)),
        "single_person": apart_of(*[np.ones((1, 1))] * 2),
    } | change
    scipy.io.savemat(path, {"RELEASE": {**release, "annolist": structures(release["annolist"])}})
    with pytest.raises(UserError, match=f"u12_1.mat: expected MPII's RELEASE structure, .*{reason}"):
        read("mpii", tmp_path)


@pytest.mark.parametrize(
    "part, change, reason",
    [
        ("annotations", {"image_id": "1"}, "image_id: '1'"),
        ("annotations", {"id": None}, "id: None"),
        ("images", {"file_name": 5}, "file_name: 5"),
        ("images", {"id": [1]}, r"id: \[1\]"),
    ],
)
def test_a_coco_file_whose_people_and_images_cannot_be_matched_is_refused(tmp_path, part, change, reason):
    write_coco(tmp_path, [coco_person(1), coco_person(2)])
    path = tmp_path / "annotations/person_keypoints_train2014.json"
    content = json.loads(path.read_text())
    content[part][0].update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"train2014.json: expected COCO person keypoints, found none .{reason}"):
        read("coco", tmp_path)


def test_a_coco_file_with_nan_is_no_json_and_is_refused(tmp_path):
    write_coco(tmp_path, [coco_person(1, keypoints=np.full((17, 3), np.nan)), coco_person(2)])
    with pytest.raises(UserError, match=r"train2014.json: expected COCO person keypoints, .*NaN") as caught:
        read("coco", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_coco_file_that_does_not_count_joints_is_read(tmp_path):
    write_coco(tmp_path, [coco_person(1)])
    path = tmp_path / "annotations/person_keypoints_train2014.json"
    path.write_text(path.read_text().replace('"num_keypoints": 17, ', ""))
    assert "num_keypoints" not in path.read_text() and [s.sample_id for s in read("coco", tmp_path)[0]] == ["coco/1/1"]


def test_a_coco_file_of_other_content_is_refused(tmp_path):
    write_image(tmp_path / "images/train2014/a.jpg")
    path = tmp_path / "annotations/person_keypoints_train2014.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(UserError, match="expected COCO person keypoints, found none"):
        read("coco", tmp_path)
