"""The oracle: what the studio knows of each picture against what a normalized set says of it, for every sample.

Written by the studio in the owners' layout, read by the reader, cropped and stored: 2D within half a pixel, 3D within
a tenth of a millimetre, pose and shape exact, part labels identical, right and left never swapped.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hmr.__main__ import main
from hmr.body.joints import COCO_17, COCOPLUS_19, HUMAN36M_32, LSP_14, MPI_INF_3DHP_17, MPI_INF_3DHP_28, MPII_16
from hmr.data import augment
from hmr.data.crop import crop_person
from hmr.data.readers.human36m import SUBJECTS
from hmr.data.readers.mpi_inf_3dhp import CAMERAS, TEST_SEQUENCES, TRAIN_SUBJECTS
from hmr.data.store import open_store
from hmr.geometry.affine import transform
from hmr.params import StudioHuman36m, StudioImages, StudioMpiInf3dhp
from hmr.studio.layouts import coco, human36m, lsp, lsp_extended, mpi_inf_3dhp, mpii
from hmr.studio.layouts.pictures import HIGH_RESOLUTION, ORIGINAL
from hmr.studio.shoot import Studio

PRESET = Path(__file__).parents[2] / "hmr/presets/open.yaml"
IMAGES = StudioImages(images=6, image_px=160)
FILMS = {
    "human36m": StudioHuman36m(actions=("Posing",), seconds=0.2, image_px=96),
    "mpi_inf_3dhp": StudioMpiInf3dhp(frames=2, test_frames=3, image_px=96),
}
JOINTS = {"lsp": LSP_14, "lsp_extended": LSP_14, "mpii": MPII_16, "coco": COCO_17, "human36m": HUMAN36M_32}


class Remembering(Studio):
    """The studio itself, and what it took."""

    def __init__(self, body_path):
        super().__init__(body_path)
        self.shots = []

    def shoot(self, *args):
        self.shots.append(super().shoot(*args))
        return self.shots[-1]


@dataclass
class Made:
    """A raw folder, and the truth of each record in it by the record's name."""

    raw: Path
    shots: dict


def made_images(module, toy_file, raw, form):
    studio = Remembering(toy_file)
    module.write(raw, studio, IMAGES, 7, **({"form": form} if form else {}))
    names = {
        lsp: "lsp/im{0:04d}",
        lsp_extended: "lsp_extended/im{0:05d}",
        mpii: "mpii/{0:09d}/1",
        coco: "coco/{0}/{0}",
    }
    return Made(raw, {names[module].format(k): shot for k, shot in enumerate(studio.shots, start=1)})


def made_human36m(toy_file, raw):
    studio = Remembering(toy_file)
    human36m.write(raw, studio, FILMS["human36m"], 7)
    takes = product(human36m.EVERYONE, ("Posing 1", "Posing"), human36m.CAMERAS, (0, 5))
    names = [f"human36m/{who}/{prefix}.{camera}/{frame:06d}" for who, prefix, camera, frame in takes]
    return Made(raw, dict(zip(names, studio.shots, strict=True)))


def made_mpi(toy_file, raw):
    studio, params = Remembering(toy_file), FILMS["mpi_inf_3dhp"]
    mpi_inf_3dhp.write(raw, studio, params, 7)
    takes = product(mpi_inf_3dhp.SUBJECTS, ("Seq1", "Seq2"), CAMERAS, range(params.frames))
    names = [f"mpi_inf_3dhp/{who}/{seq}/video_{camera}/{frame:06d}" for who, seq, camera, frame in takes]
    numbers = range(1, params.test_frames + 1)
    names += [f"mpi_inf_3dhp/{seq}/img_{number:06d}" for seq, number in product(TEST_SEQUENCES, numbers)]
    return Made(raw, dict(zip(names, studio.shots, strict=True)))


def expected_visible(dataset, split, shot):
    """Which of the 19 keypoints a set's labels count, by what its owners label and the method makes of it."""
    joints = {"train": MPI_INF_3DHP_28, "test": MPI_INF_3DHP_17}[split] if "mpi" in dataset else JOINTS[dataset]
    owned = np.array([joint in joints.joints for joint in COCOPLUS_19.joints])
    height, width = shot.image.shape[:2]
    points = shot.keypoints_2d_px
    within = ((points >= -0.5) & (points < (width - 0.5, height - 0.5))).all(1)
    if dataset in ("lsp", "lsp_extended"):
        return owned & within & ~shot.occluded
    return owned & within if dataset in ("mpii", "coco") else owned


def check(made, dataset, split, tmp_path, expected_names):
    """Compare every sample with its shot; each record is kept or listed."""
    words = ["normalize", dataset, "--split", split, "--raw", str(made.raw), "--out", str(tmp_path / "a.h5")]
    assert main([*words, "--params", str(PRESET)]) == 0
    with open_store(tmp_path / "a.h5") as store:
        left_out = store.quarantine()
        names = store["sample_id"].tolist()
        assert sorted(names + [entry.sample_id for entry in left_out]) == sorted(expected_names)
        assert not any(entry.bad for entry in left_out) and len(names) > len(left_out)
        columns = {name: store[name] for name in ("keypoints_2d_px", "visible", "crop_to_image", "joints_3d_m")}
        has_3d, has_smpl = store["has_joints_3d"], store["has_smpl"]
        assert has_3d.all() == has_3d.any() == (dataset in FILMS)
        assert has_smpl.all() == has_smpl.any() == (dataset == "human36m")
        for row, name in enumerate(names):
            shot = made.shots[name]
            visible = columns["visible"][row]
            np.testing.assert_array_equal(visible, expected_visible(dataset, split, shot))
            found_px = transform(columns["crop_to_image"][row].astype(np.float64), columns["keypoints_2d_px"][row])
            assert np.abs(found_px - shot.keypoints_2d_px)[visible].max() < 0.5
            check_sides(found_px, visible, shot)
            check_picture(store.images(row), columns, row, shot)
            if dataset in FILMS:
                assert np.abs(columns["joints_3d_m"][row] - shot.keypoints_3d_m[:14]).max() * 1000 < 0.1
            if dataset == "human36m":
                pose, betas = store["pose_axis_angle"][row], store["betas"][row]
                np.testing.assert_array_equal(pose[1:], shot.full_pose_axis_angle[1:].astype(np.float32))
                np.testing.assert_allclose(pose[0], shot.full_pose_axis_angle[0], atol=1e-6)
                np.testing.assert_array_equal(betas, shot.betas.astype(np.float32))
            if (dataset, split) == ("lsp", "test"):
                np.testing.assert_array_equal(store.part_labels(row), shot.part_labels)


def check_sides(found_px, visible, shot):
    """A labelled limb lies nearer to its own side's truth than to the other's, unless the two coincide."""
    for index, joint in enumerate(COCOPLUS_19.joints):
        other = COCOPLUS_19.flip[index]
        if visible[index] and other != index:
            own, wrong = (np.linalg.norm(found_px[index] - shot.keypoints_2d_px[k]) for k in (index, other))
            assert own < wrong or np.linalg.norm(shot.keypoints_2d_px[index] - shot.keypoints_2d_px[other]) < 1, joint


def check_picture(crop, columns, row, shot):
    """The crop shows the picture that the labels are of: a codec blurs it a little, another frame differs a lot."""
    to_image = columns["crop_to_image"][row].astype(np.float64)
    size = crop.shape[0]
    fresh = crop_person(
        shot.image,
        keypoints_px=shot.keypoints_2d_px,
        center_px=transform(to_image, np.full((1, 2), (size - 1) / 2))[0],
        person_px=to_image[0, 0] * 150 * size / augment.REFERENCE_CROP.reference_px,
        size=augment.CropSize(size, augment.REFERENCE_CROP.reference_px),
    ).image
    assert np.abs(crop.astype(int) - fresh).mean() < 4 + 0.25 * shot.image.std()


@pytest.mark.parametrize(
    "module, form",
    [
        *((lsp, ORIGINAL), (lsp, HIGH_RESOLUTION), (lsp_extended, ORIGINAL), (lsp_extended, HIGH_RESOLUTION)),
        *((mpii, None), (coco, "2014"), (coco, "2017")),
    ],
    ids=lambda value: getattr(value, "DATASET", value),
)
def test_pictures(toy_file, tmp_path, module, form):
    (tmp_path / "raw").mkdir()
    made = made_images(module, toy_file, tmp_path / "raw", form)
    assert len(made.shots) == IMAGES.images
    names = list(made.shots)
    halves = {"train": names[:3], "test": names[3:]} if module is lsp else {"train": names}
    for split, expected in halves.items():
        check(made, module.DATASET, split, tmp_path, expected)


@pytest.fixture(scope="module")
def films(toy_file, tmp_path_factory):
    """Both filmed sets, made once."""
    makers = {"human36m": made_human36m, "mpi_inf_3dhp": made_mpi}
    return {name: make(toy_file, tmp_path_factory.mktemp(name)) for name, make in makers.items()}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("dataset", FILMS)
def test_films(films, tmp_path, dataset, split):
    people = {
        "human36m": SUBJECTS,
        "mpi_inf_3dhp": {"train": TRAIN_SUBJECTS, "test": TEST_SEQUENCES},
    }[dataset][split]
    check(films[dataset], dataset, split, tmp_path, [n for n in films[dataset].shots if n.split("/")[1] in people])
