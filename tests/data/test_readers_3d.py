"""The readers of videos with 3D labels, each on a small raw folder in the official layout with known answers."""

import pickle
import shutil

import cdflib.cdfwrite
import h5py
import numpy as np
import pytest
import scipy.io
from raw_files import brightness, named, read, write_image, write_video
from scipy.spatial.transform import Rotation

from hmr.body.joints import HUMAN36M_32, LSP_14, MPI_INF_3DHP_17, MPI_INF_3DHP_28
from hmr.data.readers.human36m import SUBJECTS
from hmr.data.readers.mpi_inf_3dhp import CAMERAS, TRAIN_SUBJECTS, inside, moved
from hmr.data.sample import fault
from hmr.errors import UserError

# Human3.6M

CAMERA_NAMES = ("54138969", "55011271", "58860488", "60457274")
FOCAL, PRINCIPAL = 1145.0, (512.5, 515.25)


def write_metadata(path, subjects, rows):
    header = "".join(f"<td>{name}</td>" for name in ("", "", *subjects))
    table = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    intrinsics = " ".join(f"{FOCAL + k - 1} {FOCAL + k + 1} {PRINCIPAL[0]} {PRINCIPAL[1]} 0 0 0 0 0" for k in range(4))
    path.write_text(
        f"<metadata><mapping><tr>{header}</tr>{table}</mapping>"
        "<actionnames><td>_ALL</td><td>Directions</td></actionnames>"
        f"<dbcameras><index2id>{''.join(f'<td>{c}</td>' for c in CAMERA_NAMES)}</index2id></dbcameras>"
        f"<w0>[{'0 ' * 264}{intrinsics}]</w0></metadata>"
    )


def write_cdf(path, pose):
    path.parent.mkdir(parents=True, exist_ok=True)
    cdf = cdflib.cdfwrite.CDF(path, delete=True)
    spec = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True}
    spec["Dim_Sizes"] = list(pose.shape)
    cdf.write_var(spec, var_data=pose[None].astype(np.float32))
    cdf.close()


def write_human36m(raw, subjects, frames=22):
    """Both takes of Directions for each subject: {(subject, take, camera): (3D mm, 2D px)}."""
    write_metadata(
        raw / "metadata.xml",
        subjects,
        [
            (1, 1, *["_ALL 1"] * len(subjects)),
            (2, 1, *["Directions 1"] * len(subjects)),
            (2, 2, *["Directions"] * len(subjects)),
        ],
    )
    truth, rng = {}, np.random.default_rng(0)
    for subject in subjects:
        for take in ("Directions 1", "Directions"):
            for camera in CAMERA_NAMES:
                name, folder = f"{take}.{camera}", raw / subject
                pose = rng.normal(scale=500, size=(frames, 96)), rng.uniform(0, 48, (frames, 64))
                write_cdf(folder / f"MyPoseFeatures/D3_Positions_mono/{name}.cdf", pose[0])
                write_cdf(folder / f"MyPoseFeatures/D2_Positions/{name}.cdf", pose[1])
                write_video(folder / f"Videos/{name}.mp4", frames, "mp4v")
                truth[subject, take, camera] = pose[0].reshape(-1, 32, 3), pose[1].reshape(-1, 32, 2)
    return truth


@pytest.fixture(scope="module")
def human36m(tmp_path_factory):
    raw = tmp_path_factory.mktemp("human36m")
    return raw, write_human36m(raw, ("S1", "S5", "S6", "S7", "S8", "S9", "S11"))


def test_human36m_frames_labels_and_pictures_belong_together(human36m):
    raw, truth = human36m
    samples, left_out = read("human36m", raw)
    assert len(samples) == 5 * 2 * 4 * 5 and not left_out
    assert {s.subject for s in samples} == {"S1", "S5", "S6", "S7", "S8"}
    for sample in samples:
        take = {0: "Directions 1", 1: "Directions"}[sample.trial]
        joints_mm, keypoints_px = (labels[sample.frame] for labels in truth[sample.subject, take, sample.camera])
        assert np.abs(sample.joints_3d_m * 1000 - joints_mm[LSP_14.indices_in(HUMAN36M_32)]).max() < 0.01
        np.testing.assert_allclose(sample.keypoints_2d_px, named(keypoints_px, HUMAN36M_32), atol=1e-3)
        assert abs(float(sample.load_image().mean()) - brightness(sample.frame)) < 5
        assert sample.focal_px == FOCAL + CAMERA_NAMES.index(sample.camera)
        np.testing.assert_array_equal(sample.principal_px, PRINCIPAL)
        assert sample.action == "Directions" and sample.frame % 5 == 0 and fault(sample) is None
    assert [s.frame for s in samples[:5]] == [0, 5, 10, 15, 20]


def test_human36m_subject_by_subject_is_all_of_it(human36m):
    one_by_one = [s for name in SUBJECTS["train"] for s in read("human36m", human36m[0], subject=name)[0]]
    assert [s.sample_id for s in one_by_one] == [s.sample_id for s in read("human36m", human36m[0])[0]]


def test_human36m_leaves_out_the_broken_video(human36m):
    samples, left_out = read("human36m", human36m[0], "test")
    assert [(r.sample_id, r.bad) for r in left_out] == [("human36m/S11/Directions.54138969", False)]
    assert len({(s.subject, s.trial, s.camera) for s in samples}) == 15


def test_human36m_smpl_truth_is_turned_upright(human36m, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(human36m[0], raw)
    rng = np.random.default_rng(3)
    pose, betas = rng.normal(scale=0.3, size=(4, 24, 3)), rng.normal(size=10)
    upside_down = pose.copy()
    upside_down[:, 0] = (Rotation.from_rotvec(pose[:, 0]) * Rotation.from_rotvec([-np.pi, 0, 0])).as_rotvec()
    path = raw / "mosh/S5/Directions 1_cam2_aligned.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({"new_poses": upside_down.reshape(4, 72), "betas": betas}, protocol=2))
    samples = read("human36m", raw)[0]
    known = [s for s in samples if s.pose_axis_angle is not None]
    assert [(s.subject, s.trial, s.camera, s.frame) for s in known] == [
        ("S5", 0, "58860488", frame) for frame in (0, 5, 10, 15)
    ]
    for sample, truth in zip(known, pose, strict=True):
        np.testing.assert_allclose(sample.pose_axis_angle, truth, atol=1e-9)
        np.testing.assert_array_equal(sample.betas, betas)


def test_human36m_refuses_pickles_that_execute(human36m, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(human36m[0], raw)
    path = raw / "mosh/S1/Directions 1_cam0_aligned.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR.")
    with pytest.raises(UserError, match=r"os\.system"):
        read("human36m", raw)
    assert not (tmp_path / "owned").exists()


def test_a_video_that_ends_early_leaves_its_last_frames_out(human36m, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(human36m[0], raw)
    write_video(raw / "S1/Videos/Directions 1.54138969.mp4", 12, "mp4v")
    samples = [s for s in read("human36m", raw)[0] if s.sample_id.startswith("human36m/S1/Directions 1.54138969/")]
    assert [s.frame for s in samples] == [0, 5, 10, 15, 20]
    assert abs(float(samples[2].load_image().mean()) - brightness(10)) < 5
    for sample in samples[3:]:
        with pytest.raises(UserError, match="end of the video"):
            sample.load_image()


# MPI-INF-3DHP


def write_mpi_train(raw, frames=4, subjects=range(1, 8)):
    """Both sequences of S1 to S7, or of others. Joints move by 100 mm a frame, so every second frame is chosen."""
    rng = np.random.default_rng(0)
    base_px, base_mm = rng.uniform(5, 40, (14, 28, 2)), rng.normal(scale=400, size=(14, 28, 3))
    annot2, annot3 = np.empty((14, 1), object), np.empty((14, 1), object)
    for camera in range(14):
        steps = np.arange(frames)[:, None, None]
        annot2[camera, 0] = (base_px[camera] + 0.5 * steps).reshape(frames, 56)
        annot3[camera, 0] = (base_mm[camera] + 100.0 * steps * [1, 0, 0]).reshape(frames, 84)
    lines = ["Skeletool Camera Calibration File V1.0"]
    for camera in range(14):
        lines += [f"name          {camera}", "  sensor      10 10", "  size        64 48", "  animated    0"]
        lines += [f"  intrinsic   {1500 + camera} 0 31.5 0 0 {1502 + camera} 23.5 0 0 0 1 0 0 0 0 1 "]
        lines += ["  extrinsic   1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 ", "  radial      0"]
    for subject in subjects:
        for sequence in (1, 2):
            folder = raw / f"S{subject}/Seq{sequence}"
            for camera in CAMERAS:
                write_video(folder / f"imageSequence/video_{camera}.avi", frames, "MJPG")
            scipy.io.savemat(folder / "annot.mat", {"annot2": annot2, "annot3": annot3, "frames": np.arange(frames)})
            (folder / "camera.calibration").write_text("\n".join(lines) + "\n")
    return base_px, base_mm


def test_mpi_training_frames(tmp_path):
    base_px, base_mm = write_mpi_train(tmp_path)
    samples, left_out = read("mpi_inf_3dhp", tmp_path)
    assert len(samples) == len(left_out) == 7 * 2 * 8 * 2
    assert {s.frame for s in samples} == {0, 2} and {s.camera for s in samples} == {str(c) for c in CAMERAS}
    assert {(r.kind, r.bad) for r in left_out} == {("moved less than 200 mm", False)}
    for sample in samples:
        camera, frame = int(sample.camera), sample.frame
        joints_mm = base_mm[camera][LSP_14.indices_in(MPI_INF_3DHP_28)] + [100.0 * frame, 0, 0]
        np.testing.assert_allclose(sample.joints_3d_m * 1000, joints_mm, atol=1e-6)
        np.testing.assert_allclose(sample.keypoints_2d_px, named(base_px[camera] + 0.5 * frame, MPI_INF_3DHP_28))
        assert abs(float(sample.load_image().mean()) - brightness(frame)) < 5
        assert sample.focal_px == 1501 + camera
        np.testing.assert_array_equal(sample.principal_px, [31.5, 23.5])


def test_mpi_training_subject_by_subject_is_all_of_it(tmp_path):
    write_mpi_train(tmp_path)
    one_by_one = [s for name in TRAIN_SUBJECTS for s in read("mpi_inf_3dhp", tmp_path, subject=name)[0]]
    assert [s.sample_id for s in one_by_one] == [s.sample_id for s in read("mpi_inf_3dhp", tmp_path)[0]]


def test_motion_is_counted_from_the_last_chosen_frame():
    joints_mm = np.zeros((6, 14, 3))
    joints_mm[:, 3, 1] = [0, 150, 199, 200, 150, 401]
    assert moved(joints_mm, 200.0).tolist() == [True, False, False, True, False, True]


def test_points_inside_a_picture():
    assert inside(np.array([[0, 0], [63.9, 47.9], [64, 0], [-0.1, 5], [5, 48]]), (48, 64, 3)) == 2


def write_mpi_test(raw):
    rng = np.random.default_rng(0)
    truth = {}
    for number in range(1, 7):
        folder = raw / f"mpi_inf_3dhp_test_set/TS{number}"
        size = (64, 64) if number < 5 else (96, 54)
        content = {
            "valid_frame": np.array([[1], [0], [1]], np.float64),
            "annot2": rng.uniform(5, 50, (3, 1, 17, 2)),
            "annot3": rng.normal(scale=400, size=(3, 1, 17, 3)),
            "univ_annot3": rng.normal(scale=400, size=(3, 1, 17, 3)),
            "activity_annotation": np.array([[1], [2], [6]], np.float64),
        }
        for frame in (1, 2, 3):
            write_image(folder / f"imageSequence/img_{frame:06d}.jpg", value=50 * frame, size=size)
        with h5py.File(folder / "annot_data.mat", "w") as file:
            for name, value in content.items():
                file[name] = value
        truth[f"TS{number}"] = content
    return truth


def test_mpi_test_pictures(tmp_path):
    truth = write_mpi_test(tmp_path)
    samples, left_out = read("mpi_inf_3dhp", tmp_path, "test")
    assert [(s.subject, s.frame) for s in samples] == [(f"TS{n}", f) for n in range(1, 7) for f in (1, 3)]
    marked = [(f"mpi_inf_3dhp/TS{n}/img_000002", "marked as not valid by its owners", False) for n in range(1, 7)]
    assert [(r.sample_id, r.reason, r.bad) for r in left_out] == marked
    for sample in samples:
        content, row = truth[sample.subject], sample.frame - 1
        native_mm = content["univ_annot3"][row, 0]
        np.testing.assert_allclose(sample.joints_3d_native_m * 1000, native_mm)
        np.testing.assert_allclose(sample.joints_3d_m * 1000, native_mm[LSP_14.indices_in(MPI_INF_3DHP_17)])
        np.testing.assert_allclose(sample.keypoints_2d_px, named(content["annot2"][row, 0], MPI_INF_3DHP_17))
        assert abs(sample.load_image().mean() - 50 * sample.frame) < 2
        assert sample.action == {1: "Standing/Walking", 3: "Sports"}[sample.frame]
    assert samples[0].focal_px == pytest.approx(1499.2 * 64 / 2048)
    assert samples[-1].focal_px == pytest.approx(1684.0 * 96 / 1920)
