"""What the owners' own files hold beside the plain case, each oddity in a small file: read for what it means."""

import json
import pickle
import shutil
import struct

import cdflib.cdfwrite
import cv2
import h5py
import numpy as np
import pytest
import scipy.io
from data.test_readers import coco_person, write_coco
from data.test_readers_3d import CAMERA_NAMES, write_metadata, write_mpi_test
from raw_files import PARAMS, brightness, named, read, write_image, write_video

from hmr.body.joints import LSP_14, MPI_INF_3DHP_28, MPII_16
from hmr.data.readers import reader_of
from hmr.data.readers.human36m import read_metadata
from hmr.data.readers.mpi_inf_3dhp import swap_back
from hmr.data.readers.raw import load_bgr
from hmr.download import gated
from hmr.errors import UserError

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")

# Human3.6M


def write_pose(path, pose, kind=44, compress=0, **file):
    path.parent.mkdir(parents=True, exist_ok=True)
    cdf = cdflib.cdfwrite.CDF(path, cdf_spec=file, delete=True)
    if file.get("Majority") == "column_major":  # cdflib writes numbers as they come
        pose = pose.ravel("F").reshape(pose.shape)
    spec = {"Variable": "Pose", "Data_Type": kind, "Num_Elements": 1, "Rec_Vary": True, "Compress": compress}
    cdf.write_var({**spec, "Dim_Sizes": list(pose.shape)}, var_data=pose[None])
    cdf.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two takes of one action whose spelling the owners changed; poses of 12 frames, videos of 14."""
    raw, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    prefixes = [("TakingPhoto 1", *["Photo"] * 6), ("TakingPhoto", *["Photo 1"] * 6)]
    rows = [(1, 1, *["_All 1"] * 7), (1, 2, *["_ALL"] * 7), (2, 1, *prefixes[0]), (2, 2, *prefixes[1])]
    write_metadata(raw / "metadata.xml", SUBJECTS, [*rows, ("", "", *["0"] * 7), (17, 1, *["x"] * 7)])
    text = (raw / "metadata.xml").read_text()
    (raw / "metadata.xml").write_text(text.replace("Directions", "TakingPhoto"))
    truth = {}
    for subject, first, second in zip(SUBJECTS[:5], *prefixes, strict=False):  # who is read
        for trial, prefix in enumerate((first, second)):
            for number, camera in enumerate(CAMERA_NAMES):
                name = f"{prefix.replace('TakingPhoto', 'Photo')}.{camera}"
                pose = rng.normal(scale=500, size=(12, 96)), rng.uniform(0, 48, (12, 64))
                write_pose(
                    raw / subject / f"MyPoseFeatures/D3_Positions_mono/{name}.cdf",
                    pose[0].astype(np.float32),
                    compress=6 * (number % 2),
                    Compressed=6 * (number == 2),
                    Majority="column_major" if number == 3 else "row_major",
                )
                write_pose(raw / subject / f"MyPoseFeatures/D2_Positions/{name}.cdf", pose[1], kind=45, compress=6)
                write_video(raw / subject / f"Videos/{name}.mp4", 14, "mp4v")
                truth[subject, trial, camera] = pose
    (raw / "mosh/S1").mkdir(parents=True)
    smpl = {"new_poses": rng.normal(scale=0.1, size=(3, 72)), "betas": np.arange(10.0)}
    (raw / "mosh/S1/Photo 1_cam2_aligned.pkl").write_bytes(pickle.dumps(smpl, protocol=2))
    return raw, truth


def test_human36m_takes_are_those_of_the_table_however_they_are_spelled(photos):
    raw, truth = photos
    takes = read_metadata(raw / "metadata.xml").takes
    assert [(t.prefix, t.action, t.trial) for t in takes["S1"]] == [
        ("TakingPhoto 1", "Photo", 0),
        ("TakingPhoto", "Photo", 1),
    ]
    assert [(t.prefix, t.trial) for t in takes["S7"]] == [("Photo", 0), ("Photo 1", 1)]
    samples, left_out = read("human36m", raw)
    assert not left_out and len(samples) == 5 * 2 * 4 * 3
    for sample in samples:
        pose_mm, points_px = truth[sample.subject, sample.trial, sample.camera]
        assert abs(float(sample.load_image().mean()) - brightness(sample.frame)) < 5
        assert np.abs(sample.joints_3d_m[LSP_14.index("neck")] - pose_mm[sample.frame, 39:42] / 1000).max() < 1e-5
        found = sample.keypoints_2d_px[LSP_14.index("left_hip")]
        np.testing.assert_allclose(found, points_px[sample.frame, 12:14], atol=1e-9)
    assert [(s.subject, s.trial, s.camera, s.frame) for s in samples if s.betas is not None] == [
        ("S1", 0, CAMERA_NAMES[2], frame) for frame in (0, 5, 10)
    ]


@pytest.mark.parametrize("theirs, ours", [("WalkingDog", "WalkDog"), ("WalkingTogether", "WalkTogether")])
def test_human36m_actions_have_one_name_however_table_and_files_spell_them(tmp_path, theirs, ours):
    write_metadata(tmp_path / "metadata.xml", SUBJECTS, [(2, 1, *[f"{ours} 1"] * 7), (2, 2, *[theirs] * 7)])
    text = (tmp_path / "metadata.xml").read_text()
    (tmp_path / "metadata.xml").write_text(text.replace("Directions", theirs))
    takes = read_metadata(tmp_path / "metadata.xml").takes["S8"]
    assert [(take.prefix, take.action, take.trial) for take in takes] == [(f"{ours} 1", ours, 0), (theirs, ours, 1)]


def test_each_missing_file_of_human36m_is_named_by_the_table(photos, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(photos[0], raw)
    assert {name.partition("/")[0] for name in gated.still_missing(raw, "human36m")} == {"S9", "S11"}
    gone = [raw / "S5/Videos/Photo 1.60457274.mp4", raw / "S1/MyPoseFeatures/D2_Positions/Photo.54138969.cdf"]
    for path in gone:
        path.unlink()
    with pytest.raises(UserError, match="found nothing there"):  # before any of S1's videos is read
        next(reader_of("human36m")(raw, "train", PARAMS))
    with pytest.raises(UserError) as caught:
        gated.check(raw, "human36m")
    named = str(caught.value).partition("; register")[0].partition("missing ")[2].split(", ")
    assert set(named) >= {"S5/Videos/Photo 1.60457274.mp4", "S1/MyPoseFeatures/D2_Positions/TakingPhoto.54138969.cdf"}
    assert len(named) == 4  # and the two folders of the test's subjects


# MPI-INF-3DHP


def test_mpi_test_sequences_may_lie_one_folder_deeper_and_have_pictures_without_labels(tmp_path):
    write_mpi_test(tmp_path / "made")
    plain = [s.sample_id for s in read("mpi_inf_3dhp", tmp_path / "made", "test")[0]]
    deeper = tmp_path / "raw" / "mpi_inf_3dhp_test_set"
    deeper.mkdir(parents=True)
    (tmp_path / "made" / "mpi_inf_3dhp_test_set").rename(deeper / "mpi_inf_3dhp_test_set")
    write_image(deeper / "mpi_inf_3dhp_test_set/TS4/imageSequence/img_000004.jpg")
    samples, left_out = read("mpi_inf_3dhp", tmp_path / "raw", "test")
    assert [s.sample_id for s in samples] == plain and len(left_out) == 6
    assert all(s.load_image().size for s in samples)
    assert not [name for name in gated.still_missing(tmp_path / "raw", "mpi_inf_3dhp") if "TS" in name]


def test_mpi_test_labels_with_their_axes_the_other_way_are_refused(tmp_path):
    write_mpi_test(tmp_path)
    path = tmp_path / "mpi_inf_3dhp_test_set/TS1/annot_data.mat"
    with h5py.File(path, "r+") as file:
        turned = file["annot2"][:].T
        del file["annot2"]
        file["annot2"] = turned
    with pytest.raises(
        UserError, match=r"annot_data\.mat: annot2: expected shape \(3, 1, 17, 2\), found \(2, 17, 1, 3\)"
    ):
        read("mpi_inf_3dhp", tmp_path, "test")


@pytest.mark.parametrize("exchanged", [True, False])
def test_mpi_frames_with_left_and_right_exchanged_are_mended_only_if_they_are(exchanged):
    rng, flip = np.random.default_rng(0), MPI_INF_3DHP_28.flip
    steps = np.arange(9)[:, None, None]
    truth = {"annot2": rng.uniform(0, 900, (28, 2)) + steps, "annot3": rng.normal(scale=400, size=(28, 3)) + 10 * steps}
    lsp = LSP_14.indices_in(MPI_INF_3DHP_28)
    labels = {name: [values.copy() for _ in range(14)] for name, values in truth.items()}
    if exchanged:
        for values in (*labels["annot2"], *labels["annot3"]):
            values[3:7] = values[3:7][:, flip]
    swap_back(labels, slice(3, 7))
    for name, cameras in labels.items():
        for values in cameras:
            np.testing.assert_array_equal(values[:, lsp], truth[name][:, lsp])
    before = [values.copy() for values in labels["annot2"]]
    swap_back(labels, None)
    swap_back(labels, slice(3, 12))  # a shorter recording than the one that is known
    np.testing.assert_array_equal(labels["annot2"], before)


# MPII


def structures(items):
    """MATLAB's structure array (1, N)."""
    if not items:
        return np.empty((0, 0))
    array = np.empty((1, len(items)), [(name, object) for name in items[0]])
    for column, item in enumerate(items):
        array[0, column] = tuple(item.values())
    return array


def test_mpii_fields_are_missing_empty_single_and_of_any_kind(tmp_path):
    rng = np.random.default_rng(0)
    positions = rng.integers(10, 90, (16, 2))
    seen = [np.empty((0, 0)), "1", "0", np.uint8(1), np.float64(0), ""]
    points = [
        {"x": np.uint16(x), "y": float(y), "id": np.uint8(k), "is_visible": seen[k % len(seen)]}
        for k, (x, y) in enumerate(positions)
    ]
    without_flags = [{k: v for k, v in point.items() if k != "is_visible"} for point in points]
    head = {name: np.uint16(20) for name in ("x1", "y1", "x2", "y2")}
    place = {"scale": 2.0, "objpos": {"x": np.uint16(5), "y": np.uint16(6)}}
    people = [
        structures([{**head, "annopoints": {"point": structures(points)}, **place}]),
        structures([{**head, "annopoints": {"point": structures(without_flags)}, **place}]),
        structures([{**head, "annopoints": {"point": structures(points[:1])}, **place}]),  # one joint
        structures([{**head, "annopoints": np.empty((0, 0)), **place}]),
        structures([head]),  # a head's box alone
        structures([place]),  # as in pictures for testing
        np.empty((0, 0)),  # nobody
        structures(
            [
                {
                    **head,
                    "annopoints": {"point": structures(points)},
                    "scale": np.empty((0, 0)),
                    "objpos": np.empty((0, 0)),
                }
            ]
        ),
    ]
    images = [
        {"image": {"name": f"{k:09d}.jpg"}, "annorect": each, "frame_sec": np.uint16(3), "vididx": np.uint16(9)}
        for k, each in enumerate(people)
    ]
    apart = np.empty((len(images), 1), object)
    apart[:, 0] = [np.uint8([[1]])] * len(images)
    apart[6, 0] = np.empty((0, 0))
    for k in range(len(images)):
        write_image(tmp_path / f"images/{k:09d}.jpg", value=20 * k)
    release = {"annolist": structures(images), "img_train": np.ones((1, len(images)), np.uint8), "single_person": apart}
    release |= {"version": "12", "act": structures([{"cat_name": "sports", "act_id": np.int32(-1)}] * len(images))}
    path = tmp_path / "annotations/mpii_human_pose_v1_u12_1.mat"
    path.parent.mkdir()
    scipy.io.savemat(path, {"RELEASE": release}, do_compression=True)
    samples, left_out = read("mpii", tmp_path)
    assert [s.sample_id for s in samples] == [f"mpii/{k:09d}/1" for k in (0, 1, 7)]
    assert [r.sample_id for r in left_out] == [f"mpii/{k:09d}/1" for k in (2, 3, 4, 5)]
    assert {(r.reason, r.bad) for r in left_out} == {("fewer than two joints labelled", False)}
    for sample in samples:  # hidden joints count as well
        np.testing.assert_array_equal(sample.keypoints_2d_px, named(positions.astype(float), MPII_16))


# COCO


def test_coco_crowds_as_run_lengths_and_pictures_of_nobody(tmp_path):
    crowds = [
        coco_person(900100000001, iscrowd=1, num_keypoints=0, segmentation={"counts": [5, 9], "size": [100, 120]}),
        coco_person(900100000002, iscrowd=1, num_keypoints=0, segmentation={"counts": "Wd0", "size": [100, 120]}),
        coco_person(2, segmentation={"counts": "Wd0", "size": [100, 120]}),
        coco_person(3, area=1203.4561, bbox=[3.5, 2, 0.0, 1e-3], score=1),
        coco_person(4, keypoints=np.zeros((17, 3)), num_keypoints=0),
    ]
    write_coco(tmp_path, crowds)
    path = tmp_path / "annotations/person_keypoints_train2014.json"
    content = json.loads(path.read_text())
    content["images"].append({"id": 77, "file_name": "COCO_train2014_000000000077.jpg"})  # nobody, and not unpacked
    content = {"info": {"year": 2014}, "images": content["images"], "licenses": [], **content}
    path.write_text(json.dumps(content))
    samples, left_out = read("coco", tmp_path)
    assert [s.sample_id for s in samples] == ["coco/1/3"]
    assert [(r.sample_id, r.reason, r.bad) for r in left_out] == [
        ("coco/1/2", "no polygon round the person", False),
        ("coco/1/4", "no joint labelled", False),
        ("coco/1/900100000001", "a crowd in place of a person", False),
        ("coco/1/900100000002", "a crowd in place of a person", False),
    ]


# LSP-extended in high resolution


def write_high(raw, numbers, labels, suffix="png"):
    joints = np.random.default_rng(2).uniform(0, 1000, (labels, 14, 3))
    joints[..., 2] = 1
    raw.mkdir(exist_ok=True)
    scipy.io.savemat(raw / "joints.mat", {"joints": joints.transpose(1, 2, 0)})
    for number in numbers:
        write_image(raw / f"im{number:05d}.{suffix}", value=20 * number, size=(300, 300))
    return joints


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_labels_go_to_pictures_in_order_where_numbers_are_left_out(tmp_path, suffix):
    numbers = (1, 2, 4, 7)
    joints = write_high(tmp_path, numbers, 4, suffix)
    samples = read("lsp_extended", tmp_path)[0]
    assert [s.sample_id for s in samples] == [f"lsp_extended/im{n:05d}" for n in numbers]
    for sample, number, labels in zip(samples, numbers, joints, strict=True):
        np.testing.assert_array_equal(sample.keypoints_2d_px[:14], labels[:, :2])
        assert abs(sample.load_image().mean() - 20 * number) < 2


def test_a_picture_that_is_missing_shifts_no_labels(tmp_path):
    joints = write_high(tmp_path, (1, 3, 4), 4)
    samples = read("lsp_extended", tmp_path)[0]
    assert [s.sample_id for s in samples] == [f"lsp_extended/im{n:05d}" for n in (1, 2, 3, 4)]
    np.testing.assert_array_equal(samples[2].keypoints_2d_px[:14], joints[2, :, :2])
    with pytest.raises(UserError, match=r"im00002\.png"):
        samples[1].load_image()


def test_pictures_whose_labels_nobody_knows_are_refused(tmp_path):
    write_high(tmp_path, (1, 3, 9), 4)
    with pytest.raises(
        UserError, match=r"expected 4 pictures, as many as joints\.mat has labels, found 3 up to im00009"
    ):
        read("lsp_extended", tmp_path)


# JPEGs of every make

PICTURE = cv2.resize(np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8), (150, 180))
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()


def with_thumbnail(jpeg):
    """The same JPEG with a small one in a segment of its own, as cameras write it."""
    body = b"Exif\0\0" + cv2.imencode(".jpg", PICTURE[::4, ::4])[1].tobytes()
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize(
    "content",
    [PROGRESSIVE, with_thumbnail(JPEG), JPEG + bytes(3 * len(JPEG))],
    ids=["progressive", "with a thumbnail", "with a film behind it, as phones write"],
)
def test_whole_jpegs_are_read(tmp_path, content):
    (tmp_path / "im.jpg").write_bytes(content)
    assert np.abs(load_bgr(tmp_path / "im.jpg").astype(int) - PICTURE).mean() < 5


@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE], ids=["plain", "progressive"])
@pytest.mark.parametrize("left", [0.3, 0.6, 0.99])
def test_a_thumbnails_end_is_not_the_pictures(tmp_path, jpeg, left):
    thumb = len(with_thumbnail(jpeg)) - len(jpeg)
    (tmp_path / "im.jpg").write_bytes(with_thumbnail(jpeg)[: thumb + int(left * len(jpeg))])
    with pytest.raises(UserError, match="found the beginning of one"):
        load_bgr(tmp_path / "im.jpg")
