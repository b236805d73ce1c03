"""The readers of pictures, each on a small raw folder in its data set's official layout with known answers."""

import json

import cv2
import numpy as np
import pytest
import scipy.io
from raw_files import named, read, touch_all, write_image

from hmr.body.joints import COCO_17, COCOPLUS_19, HUMAN36M_32, LSP_14, MPI_INF_3DHP_17, MPI_INF_3DHP_28, MPII_16
from hmr.data.readers.coco import mask_px
from hmr.data.readers.mpi_inf_3dhp import train_files
from hmr.errors import UserError


@pytest.mark.parametrize(
    "own, expected",
    [
        (HUMAN36M_32, [3, 2, 1, 6, 7, 8, 27, 26, 25, 17, 18, 19, 13, 15]),
        (MPI_INF_3DHP_28, [25, 24, 23, 18, 19, 20, 16, 15, 14, 9, 10, 11, 5, 7]),
        (MPI_INF_3DHP_17, [10, 9, 8, 11, 12, 13, 4, 3, 2, 5, 6, 7, 1, 0]),
        (MPII_16, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9]),
    ],
)
def test_names_give_the_published_orders(own, expected):
    assert LSP_14.indices_in(own) == expected


def test_joints_of_mpi_test_labels_are_those_of_the_training_labels_that_the_owners_name():
    from_one = [8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]  # their set "relevant"
    assert MPI_INF_3DHP_17.indices_in(MPI_INF_3DHP_28) == [number - 1 for number in from_one]


# Leeds Sports Pose


def write_lsp(raw, count=4):
    rng = np.random.default_rng(0)
    joints = np.concatenate([rng.uniform(10, 90, (2, 14, count)), rng.random((1, 14, count)) < 0.3])
    raw.mkdir(exist_ok=True)
    scipy.io.savemat(raw / "joints.mat", {"joints": joints})
    for number in range(1, count + 1):
        write_image(raw / "images" / f"im{number:04d}.jpg", value=10 * number)
        labels = rng.choice([0, 1, 2, 3, 4, 5, 6, 255], (100, 120)).astype(np.uint8)
        path = raw / f"upi-s1h/data/lsp/im{number:04d}_part_segmentation.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), labels)
    return joints.transpose(2, 1, 0)


def test_lsp_halves_and_flags(tmp_path):
    truth = write_lsp(tmp_path)
    train, test = read("lsp", tmp_path)[0], read("lsp", tmp_path, "test")[0]
    assert [s.sample_id for s in train + test] == [f"lsp/im{k:04d}" for k in range(1, 5)]
    for sample, labels in zip(train + test, truth, strict=True):
        np.testing.assert_array_equal(sample.visible[:14], labels[:, 2] == 0)  # occluded joints do not count
        assert not sample.visible[14:].any() and sample.person_px == 150
        np.testing.assert_array_equal(sample.keypoints_2d_px[sample.visible], labels[labels[:, 2] == 0, :2])
        counted = labels[labels[:, 2] == 0, :2]
        np.testing.assert_allclose(sample.center_px, (counted.min(0) + counted.max(0)) / 2)
        assert abs(sample.load_image().mean() - 10 * int(sample.sample_id[-4:])) < 2


def test_lsp_part_labels_are_for_testing_and_exact(tmp_path):
    write_lsp(tmp_path)
    assert all(s.load_part_labels is None for s in read("lsp", tmp_path)[0])
    for sample in read("lsp", tmp_path, "test")[0]:
        path = tmp_path / f"upi-s1h/data/lsp/{sample.sample_id[4:]}_part_segmentation.png"
        np.testing.assert_array_equal(sample.load_part_labels(), cv2.imread(str(path), cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 1, 0)])  # 14 x 3 x N as it ships, and LSP's own 3 x 14 x N
def test_lsp_extended_in_either_order(tmp_path, order):
    rng = np.random.default_rng(1)
    labels = np.concatenate([rng.uniform(10, 90, (3, 14, 2)), rng.random((3, 14, 1)) < 0.8], 2)
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": labels.transpose(order)})
    for number in (1, 2, 3):
        write_image(tmp_path / "images" / f"im{number:05d}.jpg")
    samples = read("lsp_extended", tmp_path)[0]
    assert [s.sample_id for s in samples] == [f"lsp_extended/im{k:05d}" for k in (1, 2, 3)]
    for sample, truth in zip(samples, labels, strict=True):
        np.testing.assert_array_equal(sample.visible[:14], truth[:, 2] == 1)
        np.testing.assert_array_equal(sample.keypoints_2d_px[sample.visible], truth[truth[:, 2] == 1, :2])


@pytest.mark.parametrize(
    "dataset, flag, name", [("lsp", 0, "images/im{:04d}.jpg"), ("lsp_extended", 1, "im{:05d}.png")]
)
def test_people_of_the_high_resolution_releases_are_scaled_by_their_joints(tmp_path, dataset, flag, name):
    joints = np.random.default_rng(2).uniform(0, 1000, (8, 14, 3))
    joints[..., 2] = flag
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints.transpose(1, 2, 0)})
    for number in range(1, 9):
        write_image(tmp_path / name.format(number), value=10 * number, size=(300, 300))
    samples = read(dataset, tmp_path)[0]
    assert len(samples) == (4 if dataset == "lsp" else 8)
    for number, (sample, points) in enumerate(zip(samples, joints[..., :2], strict=False), start=1):
        assert sample.person_px == pytest.approx(np.linalg.norm(np.ptp(points, axis=0)))
        assert abs(sample.load_image().mean() - 10 * number) < 2


def test_pictures_that_are_missing_empty_cut_short_or_none(tmp_path):
    write_lsp(tmp_path, count=10)
    images = tmp_path / "images"
    (images / "im0001.jpg").unlink()
    (images / "im0002.jpg").write_bytes(b"")
    cv2.imwrite(str(images / "im0003.jpg"), np.random.default_rng(0).integers(0, 256, (100, 120, 3)))
    data = (images / "im0003.jpg").read_bytes()
    (images / "im0003.jpg").write_bytes(data[: int(0.7 * len(data))])
    (images / "im0004.jpg").write_text("hello")
    samples = read("lsp", tmp_path)[0]
    for sample in samples[:4]:
        with pytest.raises(UserError, match=sample.sample_id[4:]):
            sample.load_image()
    assert samples[4].load_image().shape == (100, 120, 3)


# COCO


def coco_person(number, image=1, **changes):
    rng = np.random.default_rng(number)
    keypoints = np.concatenate([rng.uniform(20, 100, (17, 2)).round(2), np.full((17, 1), 2)], 1)
    person = {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 17,
        "keypoints": keypoints,
        "segmentation": [[10, 10, 90, 10, 90, 30], [15, 60, 20, 80, 30, 75]],
    }
    return {**person, **changes}


def flagged(flags, number=1):
    """Keypoints with flag 2 for the named joints, 0 for the rest."""
    keypoints = coco_person(number)["keypoints"].copy()
    keypoints[:, 2] = [2 * (joint in flags or joint.partition("_")[2] in flags) for joint in COCO_17.joints]
    keypoints[keypoints[:, 2] == 0, :2] = 0
    return keypoints


FORMS = {
    "2014": ("images/train2014", "COCO_train2014_{:012d}.jpg"),
    "2017": ("images/train2017", "{:012d}.jpg"),
    "2017 as it unpacks": ("train2017", "{:012d}.jpg"),
}


def write_coco(raw, people, form="2014"):
    folder, name = FORMS[form]
    for image in {person["image_id"] for person in people}:
        write_image(raw / folder / name.format(image), value=20 * image)
    people = [
        {**p, "keypoints": np.ravel(p["keypoints"]).tolist(), "num_keypoints": p["num_keypoints"]} for p in people
    ]
    images = [{"id": k, "file_name": name.format(k)} for k in {p["image_id"] for p in people}]
    categories = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]
    path = raw / f"annotations/person_keypoints_train{form[:4]}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": categories}))


@pytest.mark.parametrize("form", FORMS)
def test_coco_people_by_image_with_both_flags(tmp_path, form):
    hidden = coco_person(7, image=2)
    hidden["keypoints"][3, 2] = 1
    hidden["keypoints"][5] = 0
    write_coco(tmp_path, [coco_person(9, image=3), hidden, coco_person(5, image=2), coco_person(4, image=3)], form)
    samples, left_out = read("coco", tmp_path)
    assert [s.sample_id for s in samples] == ["coco/2/5", "coco/2/7", "coco/3/4", "coco/3/9"] and not left_out
    own = named(hidden["keypoints"][:, :2], COCO_17)
    labelled = np.isfinite(own[:, 0])
    labelled[COCOPLUS_19.index("left_shoulder")] = False
    np.testing.assert_array_equal(samples[1].visible, labelled)
    np.testing.assert_allclose(samples[1].keypoints_2d_px[labelled], own[labelled])
    assert not samples[1].visible[[LSP_14.index("neck"), LSP_14.index("head_top")]].any()
    assert abs(samples[0].load_image().mean() - 40) < 2


def test_coco_sizes(tmp_path):
    legs = coco_person(1, keypoints=flagged({"ankle", "knee", "hip", "shoulder"}))
    torso = coco_person(2, keypoints=flagged({"wrist", "hip", "shoulder"}))
    arms = coco_person(3, keypoints=flagged({"wrist", "elbow", "shoulder"}))
    write_coco(tmp_path, [legs, torso, arms])
    samples = read("coco", tmp_path)[0]

    def diagonal(person):
        points = person["keypoints"][person["keypoints"][:, 2] > 0, :2]
        return np.linalg.norm(np.ptp(points, axis=0))

    sides = [
        np.linalg.norm(
            np.subtract(*(torso["keypoints"][COCO_17.index(f"{side}_{j}"), :2] for j in ("shoulder", "hip")))
        )
        for side in ("left", "right")
    ]
    np.testing.assert_allclose([s.person_px for s in samples], [diagonal(legs), 2 * np.mean(sides), 3 * diagonal(arms)])


def test_coco_rules(tmp_path):
    few = flagged({"ankle", "knee"})
    few[:2, 2] = 1
    people = [
        coco_person(1, iscrowd=1, segmentation={"counts": [1, 2], "size": [3, 1]}),
        coco_person(2, category_id=3),
        coco_person(3, num_keypoints=0),
        coco_person(4, keypoints=few),
        coco_person(5, segmentation=[[10, 10, 70, 10, 70, 30]]),  # 60 px, and the rule is more than 60
        coco_person(6, segmentation=[[10, 10, 71, 10, 71, 30]]),
        coco_person(7, keypoints=flagged({"nose", "eye", "ear", "shoulder"})),
        coco_person(8, keypoints=np.zeros((3, 3))),
        coco_person(9, category_id=99),
        coco_person(10, segmentation=[[10, 10, 70]]),
    ]
    write_coco(tmp_path, people)
    samples, left_out = read("coco", tmp_path)
    assert [s.sample_id for s in samples] == ["coco/1/6"]
    assert len(samples) + len(left_out) == len(people)
    assert [(r.sample_id, r.kind, r.bad) for r in left_out] == [
        ("coco/1/1", "a crowd in place of a person", False),
        ("coco/1/2", "not a person", False),
        ("coco/1/3", "no joint labelled", False),
        ("coco/1/4", "fewer than 6 visible joints", False),
        ("coco/1/5", "mask of 60 px or less", False),
        ("coco/1/7", "only face and shoulders labelled", False),
        ("coco/1/8", "labels broken", True),
        ("coco/1/9", "labels broken", True),
        ("coco/1/10", "labels broken", True),
    ]
    assert left_out[-2].reason == "labels broken: unknown category 99"


def test_the_mask_box_spans_all_polygons():
    assert mask_px([[0, 0, 10, 0, 10, 5], [3, 90, 8, 90, 8, 95]]) == 95


# MPII


def mpii_person(points):
    points = [{"x": x, "y": y, "id": k, "is_visible": np.array([])} for k, (x, y) in points.items()]
    return {"annopoints": {"point": points}, "scale": 2.0, "objpos": {"x": 50, "y": 50}}


def structures(items):
    """MATLAB's structure array."""
    array = np.empty(len(items), object)
    array[:] = items
    return array


def write_mpii(raw, images, train):
    """`images`: for each (people, numbers of those apart)."""
    cells = np.empty((len(images), 1), object)
    for k, (_, apart) in enumerate(images):
        cells[k, 0] = np.array(apart, np.uint8)[:, None]
    annolist = [
        {"image": {"name": f"{k:09d}.jpg"}, "annorect": structures(people)} for k, (people, _) in enumerate(images)
    ]
    for k in range(len(images)):
        write_image(raw / "images" / f"{k:09d}.jpg", value=20 * k)
    path = raw / "annotations/mpii_human_pose_v1_u12_1.mat"
    path.parent.mkdir()
    release = {"annolist": structures(annolist), "img_train": np.array([train]), "single_person": cells}
    scipy.io.savemat(path, {"RELEASE": release})


def points_of(seed, joints=range(16)):
    rng = np.random.default_rng(seed)
    return {k: tuple(rng.uniform(10, 90, 2).tolist()) for k in joints}


def test_mpii_people_apart_in_training_images(tmp_path):
    people = [mpii_person(points_of(k)) for k in range(5)]
    single = mpii_person(points_of(9, joints=[3]))
    write_mpii(tmp_path, [(people[:3], [1, 3]), (people[3:4], [1]), ([], []), ([people[4], single], [2])], [1, 0, 1, 1])
    samples, left_out = read("mpii", tmp_path)
    assert [s.sample_id for s in samples] == ["mpii/000000000/1", "mpii/000000000/3"]
    assert [(r.sample_id, r.kind, r.bad) for r in left_out] == [
        ("mpii/000000000/2", "not apart from other people", False),
        ("mpii/000000003/1", "not apart from other people", False),
        ("mpii/000000003/2", "fewer than two joints labelled", False),
    ]
    for sample, seed in zip(samples, (0, 2), strict=True):
        np.testing.assert_allclose(
            sample.keypoints_2d_px, named(np.array([points_of(seed)[k] for k in range(16)]), MPII_16)
        )
        assert sample.visible.sum() == 14


def test_mpii_with_one_image_of_one_person(tmp_path):
    write_mpii(tmp_path, [([mpii_person(points_of(0))], [1])], [1])
    assert [s.sample_id for s in read("mpii", tmp_path)[0]] == ["mpii/000000000/1"]


def test_mpii_sizes(tmp_path):
    ids = {joint: k for k, joint in enumerate(MPII_16.joints)}
    chosen = [
        points_of(0),
        points_of(1, [ids[j] for j in ("head_top", "right_hip", "left_hip", "left_shoulder")]),
        points_of(2, [ids[j] for j in ("left_shoulder", "left_hip", "right_hip", "neck")]),
        points_of(3, [ids[j] for j in ("left_shoulder", "right_hip", "left_wrist")]),
    ]
    write_mpii(tmp_path, [([mpii_person(p) for p in chosen], [1, 2, 3, 4])], [1])
    samples, left_out = read("mpii", tmp_path)

    def distance(points, a, b):
        return np.linalg.norm(np.subtract(points[ids[a]], points[ids[b]]))

    labelled = np.array([p for k, p in chosen[0].items() if MPII_16.joints[k] in LSP_14.joints])
    head = [distance(chosen[1], "head_top", hip) for hip in ("right_hip", "left_hip")]
    expected = [
        np.linalg.norm(np.ptp(labelled, axis=0)),
        150 / 75 * np.mean(head),
        150 / 56 * distance(chosen[2], "left_shoulder", "left_hip"),
    ]
    np.testing.assert_allclose([s.person_px for s in samples], expected)
    assert [r.kind for r in left_out] == ["too close"]


@pytest.mark.parametrize("dataset", ["lsp", "lsp_extended", "coco", "mpii", "human36m", "mpi_inf_3dhp"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_folder_is_the_users_mistake(tmp_path, dataset, split):
    with pytest.raises(UserError, match=f"expected part of .* from http.*'hmr download {dataset}'") as caught:
        read(dataset, tmp_path, split)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "dataset, name",
    [
        ("lsp", "joints.mat"),
        ("mpii", "annotations/mpii_human_pose_v1_u12_1.mat"),
        ("coco", "annotations/person_keypoints_train2014.json"),
        ("human36m", "metadata.xml"),
        ("mpi_inf_3dhp", "S1/Seq1/annot.mat"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"hello", b"{}", bytes(300)])
def test_broken_labels_are_the_users_mistake(tmp_path, dataset, name, content):
    for folder in ("images/train2014", "annotations"):
        (tmp_path / folder).mkdir(parents=True)
    touch_all(train_files(tmp_path))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name) as caught:
        read(dataset, tmp_path)
    assert "\n" not in str(caught.value)
