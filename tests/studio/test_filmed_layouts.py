"""The filmed sets as the studio writes them, read back: labels exact, sides kept, the same bytes twice."""

from dataclasses import replace
from itertools import product

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
from flat_studio import FlatStudio
from raw_files import PARAMS, read
from scipy.spatial.transform import Rotation

from hmr.body.joints import COCOPLUS_19, HUMAN36M_32, LSP_14, MPI_INF_3DHP_17, MPI_INF_3DHP_28
from hmr.data.readers import reader_of
from hmr.data.readers.human36m import SUBJECTS, read_metadata
from hmr.data.readers.mpi_inf_3dhp import ACTIVITIES, CAMERAS, TEST_SEQUENCES, read_calibration
from hmr.data.sample import fault
from hmr.errors import UserError
from hmr.params import StudioHuman36m, StudioMpiInf3dhp
from hmr.studio.layouts import human36m, mpi_inf_3dhp
from hmr.studio.layouts.videos import write_video
from hmr.studio.motion import ACTIONS
from hmr.studio.shoot import Studio

HUMAN36M = StudioHuman36m(actions=("Directions", "Walking"), seconds=0.24, image_px=64)  # 12 frames
MPI = StudioMpiInf3dhp(frames=4, test_frames=11, image_px=64)
SMALL = {
    "human36m": (human36m, StudioHuman36m(actions=("Directions",), seconds=0.02, image_px=32)),
    "mpi_inf_3dhp": (mpi_inf_3dhp, StudioMpiInf3dhp(frames=2, test_frames=2, image_px=32)),
}


def contents(raw):
    return {path.relative_to(raw).as_posix(): path.read_bytes() for path in raw.rglob("*") if path.is_file()}


@pytest.mark.parametrize("dataset", SMALL)
def test_two_runs_and_any_number_of_processes_give_the_same_bytes(toy_file, tmp_path, dataset):
    module, params = SMALL[dataset]
    made = []
    for name, seed, jobs in (("a", 7, 1), ("b", 7, 2), ("c", 8, 1)):
        (tmp_path / name).mkdir()
        module.write(tmp_path / name, FlatStudio(toy_file), params, seed, jobs)
        made.append(contents(tmp_path / name))
    assert made[0] == made[1] and len(made[0]) > 20
    assert made[0] != made[2]


def same_picture(sample, shot):
    difference = np.abs(sample.load_image()[..., ::-1].astype(int) - shot.image)
    return difference.mean() < 4 + 0.25 * shot.image.std()  # a codec keeps less of a picture that has more in it


@pytest.mark.parametrize("dataset", SMALL)
def test_no_video_is_opened_twice(toy_file, tmp_path, monkeypatch, dataset):
    module, params = SMALL[dataset]
    module.write(tmp_path, FlatStudio(toy_file), params, 7)
    opened, capture = [], cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda path, *backend: opened.append(path) or capture(path, *backend))
    for split in ("train", "test"):
        read(dataset, tmp_path, split)
    assert len(opened) == len(set(opened)) > 10


def test_odd_videos_are_refused(tmp_path):
    with pytest.raises(UserError, match="even width and height"):
        write_video(tmp_path / "a.avi", [np.zeros((32, 33, 3), np.uint8)], "MJPG", 5)


class Remembering(Studio):
    """The studio itself, and what it took."""

    def __init__(self, body_path):
        super().__init__(body_path)
        self.shots = []

    def shoot(self, *args):
        self.shots.append(super().shoot(*args))
        return self.shots[-1]


def test_the_studios_own_films_come_back(toy_file, tmp_path):
    studio = Remembering(toy_file)
    human36m.write(tmp_path, studio, StudioHuman36m(("Posing",), 0.2, 96), seed=7)
    keys = product(human36m.EVERYONE, ("Posing",), (0, 1), human36m.CAMERAS, (0, 5))
    shots = dict(zip(keys, studio.shots, strict=True))
    for sample in read("human36m", tmp_path)[0] + read("human36m", tmp_path, "test")[0]:
        check_human36m(sample, shots.pop((sample.subject, sample.action, sample.trial, sample.camera, sample.frame)))
    assert not shots


def test_the_studios_own_test_pictures_come_back(toy_file, tmp_path):
    studio = Remembering(toy_file)
    mpi_inf_3dhp.write(tmp_path, studio, StudioMpiInf3dhp(frames=1, test_frames=2, image_px=96), seed=7)
    shots = dict(zip(product(TEST_SEQUENCES, (1, 2)), studio.shots[-12:], strict=True))
    for sample in read("mpi_inf_3dhp", tmp_path, "test")[0]:
        check_mpi(sample, shots.pop((sample.subject, sample.frame)), MPI_INF_3DHP_17)
    assert not shots
    samples = read("mpi_inf_3dhp", tmp_path)[0]
    assert len(samples) == 7 * 2 * len(CAMERAS)
    shots = iter(studio.shots)
    for sample in samples:
        check_mpi(sample, next(shots), MPI_INF_3DHP_28)


# Human3.6M


@pytest.fixture(scope="module")
def filmed(toy_file, tmp_path_factory):
    raw, studio = tmp_path_factory.mktemp("human36m"), FlatStudio(toy_file)
    human36m.write(raw, studio, HUMAN36M, seed=7)
    keys = product(human36m.EVERYONE, HUMAN36M.actions, (0, 1), human36m.CAMERAS, (0, 5, 10))
    return raw, dict(zip(keys, studio.shots, strict=True)), studio


@pytest.mark.parametrize("split", ["train", "test"])
def test_human36m_comes_back_as_it_was(filmed, split):
    raw, shots, _ = filmed
    samples, left_out = read("human36m", raw, split)
    expected = {key for key in shots if key[0] in SUBJECTS[split]}
    broken = {("S11", "Directions", 1, "54138969", frame) for frame in (0, 5, 10)}
    found = {(s.subject, s.action, s.trial, s.camera, s.frame): s for s in samples}
    assert found.keys() == expected - broken and len(found) == len(samples)
    assert [(r.sample_id, r.bad) for r in left_out] == (
        [("human36m/S11/Directions.54138969", False)] if split == "test" else []
    )
    for key, sample in found.items():
        check_human36m(sample, shots[key])


def check_human36m(sample, shot):
    labelled = [joint in HUMAN36M_32.joints for joint in COCOPLUS_19.joints]
    np.testing.assert_array_equal(sample.visible, labelled)
    assert np.abs(sample.keypoints_2d_px - shot.keypoints_2d_px)[labelled].max() < 1e-3
    assert np.abs(sample.joints_3d_m - shot.keypoints_3d_m[:14]).max() * 1000 < 1e-3
    np.testing.assert_array_equal(sample.betas.astype(np.float32), shot.betas.astype(np.float32))
    np.testing.assert_array_equal(sample.pose_axis_angle[1:], shot.full_pose_axis_angle[1:])
    np.testing.assert_allclose(sample.pose_axis_angle[0], shot.full_pose_axis_angle[0], atol=1e-9)
    again = sample.joints_3d_m[:, :2] / sample.joints_3d_m[:, 2:] * sample.focal_px + sample.principal_px
    assert np.abs(again - sample.keypoints_2d_px[:14]).max() < 0.01
    assert same_picture(sample, shot) and fault(sample) is None


def test_human36m_labels_and_pictures_agree_in_every_frame(filmed):
    raw, shots, _ = filmed
    samples = list(reader_of("human36m")(raw, "train", replace(PARAMS, human36m_stride=1)))
    assert {s.frame for s in samples} == set(range(12))
    for sample in samples:
        shot = shots[sample.subject, sample.action, sample.trial, sample.camera, sample.frame // 5 * 5]
        assert np.abs(sample.joints_3d_m - shot.keypoints_3d_m[:14]).max() * 1000 < 1e-3
        assert np.nanmax(np.abs(sample.keypoints_2d_px - shot.keypoints_2d_px)) < 1e-3
        assert same_picture(sample, shot)


def test_human36m_has_one_person_a_subject_and_one_room(filmed):
    _, shots, _ = filmed
    bodies = {key[0]: shot.betas.tobytes() for key, shot in shots.items()}
    assert len(set(bodies.values())) == len(human36m.EVERYONE)
    assert all(shot.betas.tobytes() == bodies[key[0]] for key, shot in shots.items())
    first = shots["S1", "Directions", 0, "54138969", 0]
    other = shots["S1", "Directions", 1, "54138969", 0]
    assert not np.allclose(first.full_pose_axis_angle, other.full_pose_axis_angle)


def test_human36m_calibration_takes_the_world_to_every_camera(filmed):
    raw, shots, _ = filmed
    numbers = np.array((raw / "metadata.xml").read_text().split("[")[1].split("]")[0].split(), float)
    assert numbers.shape == (300,)
    for index, camera in enumerate(human36m.CAMERAS):
        placed = shots["S9", "Walking", 0, camera, 0].placed_camera
        angles, place_mm = np.split(numbers[6 * (index * 11 + 8) :][:6], 2)
        x, y, z = (Rotation.from_euler(axis, angle) for axis, angle in zip("xyz", angles, strict=True))
        point_m = np.array([0.3, 1.1, -0.4])
        as_theirs_mm = np.array([point_m[0], -point_m[2], point_m[1]]) * 1000  # z up
        expected = placed.rotation @ point_m + placed.transl
        np.testing.assert_allclose((x * y * z).apply(as_theirs_mm - place_mm) / 1000, expected, atol=1e-6)
        lens = read_metadata(raw / "metadata.xml").lenses[camera]
        np.testing.assert_allclose(lens.principal_px, placed.principal_data_px)
    assert place_mm[2] > 0


def test_an_action_means_the_same_whichever_others_there_are(filmed, toy_file, tmp_path):
    raw, _, _ = filmed
    alone = StudioHuman36m(actions=("Walking",), seconds=0.24, image_px=64)
    human36m.write(tmp_path, FlatStudio(toy_file), alone, seed=7)
    files, all_files = contents(tmp_path), contents(raw)
    assert all(content == all_files[name] for name, content in files.items() if name != "metadata.xml")


def test_unknown_actions_are_named(toy_file, tmp_path):
    with pytest.raises(UserError, match="Juggling"):
        human36m.write(tmp_path, FlatStudio(toy_file), StudioHuman36m(("Juggling",), 1.0, 64), seed=7)


# MPI-INF-3DHP


@pytest.fixture(scope="module")
def captured(toy_file, tmp_path_factory):
    raw, studio = tmp_path_factory.mktemp("mpi_inf_3dhp"), FlatStudio(toy_file)
    mpi_inf_3dhp.write(raw, studio, MPI, seed=7)
    keys = [*product(mpi_inf_3dhp.SUBJECTS, ("Seq1", "Seq2"), map(str, CAMERAS), range(MPI.frames))]
    keys += [(sequence, frame) for sequence in TEST_SEQUENCES for frame in range(1, MPI.test_frames + 1)]
    return raw, dict(zip(keys, studio.shots, strict=True)), studio


def check_mpi(sample, shot, joints):
    labelled = [joint in joints.joints for joint in COCOPLUS_19.joints]
    np.testing.assert_array_equal(sample.visible, labelled)
    np.testing.assert_allclose(sample.keypoints_2d_px[labelled], shot.keypoints_2d_px[labelled], atol=1e-6)
    np.testing.assert_allclose(sample.joints_3d_m, shot.keypoints_3d_m[:14], atol=1e-9)
    again = sample.joints_3d_m[:, :2] / sample.joints_3d_m[:, 2:] * sample.focal_px + sample.principal_px
    assert np.abs(again - sample.keypoints_2d_px[:14]).max() < 0.01
    assert same_picture(sample, shot) and fault(sample) is None


def test_mpi_training_videos_come_back_as_they_were(captured):
    raw, shots, _ = captured
    samples, left_out = read("mpi_inf_3dhp", raw)
    assert len(samples) + len(left_out) == 7 * 2 * len(CAMERAS) * MPI.frames
    assert not any(entry.bad for entry in left_out)
    assert len(samples) > len(left_out)
    for sample in samples:
        check_mpi(sample, shots[sample.subject, sample.action, sample.camera, sample.frame], MPI_INF_3DHP_28)


def test_mpi_test_pictures_come_back_as_they_were(captured):
    raw, shots, _ = captured
    samples, left_out = read("mpi_inf_3dhp", raw, "test")
    assert len(samples) + len(left_out) == len(TEST_SEQUENCES) * MPI.test_frames
    assert not any(entry.bad for entry in left_out) and {s.subject for s in samples} == set(TEST_SEQUENCES)
    for sample in samples:
        shot = shots[sample.subject, sample.frame]
        check_mpi(sample, shot, MPI_INF_3DHP_17)
        native = sample.joints_3d_native_m
        np.testing.assert_allclose(native[MPI_INF_3DHP_17.index("pelvis")], shot.joints_3d_m[0], atol=1e-9)
        order = LSP_14.indices_in(MPI_INF_3DHP_17)
        np.testing.assert_allclose(native[order], shot.keypoints_3d_m[:14], atol=1e-9)
        assert sample.action in ACTIVITIES.values()


def test_mpi_frames_that_are_not_valid_are_not_read(captured):
    raw, _, _ = captured
    for sequence in TEST_SEQUENCES:
        with h5py.File(raw / "mpi_inf_3dhp_test_set" / sequence / "annot_data.mat") as file:
            valid = file["valid_frame"][:, 0] == 1
            assert file["annot2"].shape == (MPI.test_frames, 1, 17, 2)
        assert not valid[9] and valid.any()
        read_frames = {s.frame for s in read("mpi_inf_3dhp", raw, "test")[0] if s.subject == sequence}
        assert read_frames == set(np.flatnonzero(valid) + 1)


def test_mpi_annotations_are_matlab_files(captured):
    raw, _, _ = captured
    head = (raw / "mpi_inf_3dhp_test_set/TS1/annot_data.mat").read_bytes()[:520]
    assert head.startswith(b"MATLAB 7.3 MAT-file") and head[124:128] == b"\x00\x02IM"
    assert head[512:].startswith(b"\x89HDF")
    content = scipy.io.loadmat(raw / "S8/Seq2/annot.mat")
    assert content["annot2"].shape == content["annot3"].shape == content["univ_annot3"].shape == (14, 1)
    assert [len(cell) for cell in content["annot2"][:, 0]] == [MPI.frames * (c in CAMERAS) for c in range(14)]
    assert not [name for name, data in contents(raw).items() if b"Created on" in data]


def test_mpi_calibration_takes_the_world_to_every_camera(captured):
    raw, shots, _ = captured
    path = raw / "S3/Seq2/camera.calibration"
    lines = [line.split() for line in path.read_text().splitlines()]
    extrinsics = [np.array(words[1:], float).reshape(4, 4) for words in lines if words[0] == "extrinsic"]
    for camera, extrinsic in zip(CAMERAS, extrinsics, strict=True):
        placed = shots["S3", "Seq2", str(camera), 0].placed_camera
        expected = placed.rotation @ [0.3, 1.1, -0.4] + placed.transl
        np.testing.assert_allclose((extrinsic @ [300, 1100, -400, 1])[:3] / 1000, expected, atol=1e-6)
        np.testing.assert_allclose(read_calibration(path)[camera][1], placed.principal_data_px)


def test_mpi_people_of_the_two_splits_differ(captured):
    _, shots, _ = captured
    bodies = {key[0]: shot.betas.tobytes() for key, shot in shots.items()}
    assert len(set(bodies.values())) == 8 + 6
    assert all(shot.betas.tobytes() == bodies[key[0]] for key, shot in shots.items())


def test_every_action_is_an_activity():
    assert {mpi_inf_3dhp.activity_of(action) for action in ACTIONS} == set(ACTIVITIES)
