"""MPI-INF-3DHP: eight training subjects filmed by fourteen cameras, six test sequences of pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from hmr.body.joints import LSP_14, MPI_INF_3DHP_17, MPI_INF_3DHP_28
from hmr.catalogue import DATASETS
from hmr.data.readers.extent import box_center, box_diagonal
from hmr.data.readers.raw import lazily, load_bgr, loaded, need, video_frames, video_shape
from hmr.data.sample import Rejected, Sample, keypoints_19
from hmr.errors import UserError
from hmr.params import NormalizeParams

DATASET = "mpi_inf_3dhp"
TRAIN_SUBJECTS = DATASETS[DATASET].subjects["train"]
SEQUENCES = ("Seq1", "Seq2")
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)  # those at chest height
MIN_INSIDE = 8  # of 14 joints within the picture
SPIN_JOINTS = MPI_INF_3DHP_17.indices_in(MPI_INF_3DHP_28)  # all within
SPIN_STRIDE = 10
TEST_SEQUENCES = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")
TEST_FOLDER = "mpi_inf_3dhp_test_set"
# Frames of the owners' S4/Seq2 in which left and right are exchanged (found by users of the set, not by its owners).
SWAPPED = {("S4", "Seq2"): slice(3759, 5853)}
# Focal length over picture width, from the owners' own evaluation code: 2048 px wide studio, 1920 px wide outdoors.
TEST_FOCAL_WIDTHS = {
    **dict.fromkeys(TEST_SEQUENCES[:4], 1499.2 / 2048),
    **dict.fromkeys(TEST_SEQUENCES[4:], 1684 / 1920),
}
ACTIVITIES = {
    **{1: "Standing/Walking", 2: "Exercising", 3: "Sitting", 4: "Reaching/Crouching", 5: "On the floor"},
    **{6: "Sports", 7: "Miscellaneous"},
}


def read(raw: Path, split: str, params: NormalizeParams, subject: str | None = None) -> Iterator[Sample | Rejected]:
    """Frames of the training videos, all or one subject's, or the valid pictures of the test sequences."""
    if split == "test":
        return _test(raw)
    subjects = DATASETS[DATASET].subjects_by(params.filters, split)
    return _train(raw, params, [subject] if subject else subjects)


def train_files(raw: Path, subjects: Sequence[str] = TRAIN_SUBJECTS) -> Iterator[Path]:
    """Every file of training subjects that the reader wants, there or not."""
    for subject in subjects:
        for sequence in SEQUENCES:
            folder = raw / subject / sequence
            yield from (folder / "annot.mat", folder / "camera.calibration")
            yield from (folder / "imageSequence" / f"video_{camera}.avi" for camera in CAMERAS)


def _train(raw: Path, params: NormalizeParams, subjects: Sequence[str]) -> Iterator[Sample | Rejected]:
    for path in train_files(raw, subjects):  # rather than hours later
        need(path, DATASET)
    for subject in subjects:
        for sequence in SEQUENCES:
            folder = raw / subject / sequence
            labels = _train_labels(folder / "annot.mat")
            swap_back(labels, SWAPPED.get((subject, sequence)))
            lenses = read_calibration(folder / "camera.calibration")
            for camera in CAMERAS:
                keypoints_px, joints_mm = (labels[name][camera] for name in ("annot2", "annot3"))
                yield from _video(folder, subject, sequence, camera, keypoints_px, joints_mm, lenses, params)


def _video(
    folder: Path,
    subject: str,
    sequence: str,
    camera: int,
    keypoints_px: np.ndarray,
    joints_mm: np.ndarray,
    lenses: dict[int, tuple[float, np.ndarray]],
    params: NormalizeParams,
) -> Iterator[Sample | Rejected]:
    """One camera's frames, in order; the video is decoded straight through."""
    path = folder / "imageSequence" / f"video_{camera}.avi"
    prefix = f"mpi_inf_3dhp/{subject}/{sequence}/video_{camera}"
    lsp_px, lsp_mm = (values[:, LSP_14.indices_in(MPI_INF_3DHP_28)] for values in (keypoints_px, joints_mm))
    if params.filters == "spin":
        left_out = spin_left_out(keypoints_px, video_shape(path))
    else:
        left_out = still(lsp_mm, params.mpi_inf_3dhp_motion_mm)
    focal_px, principal_px = lenses[camera]
    frames = video_frames(path, np.flatnonzero([reason is None for reason in left_out]))
    for number, reason in enumerate(left_out):
        sample_id = f"{prefix}/{number:06d}"
        if reason is not None:
            yield Rejected(sample_id, reason, bad=False)
            continue
        _, picture = next(frames)
        known = picture is not None and np.isfinite(lsp_px[number]).all()  # what is broken is said by the store
        if known and inside(lsp_px[number], picture.shape) < MIN_INSIDE:
            yield Rejected(sample_id, f"fewer than {MIN_INSIDE} joints in the picture", bad=False)
            continue
        yield Sample(
            sample_id=sample_id,
            load_image=loaded(path, number, picture),
            **_labels_2d(keypoints_px[number], MPI_INF_3DHP_28),
            joints_3d_m=lsp_mm[number] / 1000,
            focal_px=focal_px,
            principal_px=principal_px,
            subject=subject,
            action=sequence,
            camera=str(camera),
            frame=number,
        )


def still(joints_mm: np.ndarray, threshold_mm: float) -> list[str | None]:
    """Why the method leaves out each frame of (F, J, 3) for want of motion, if it does."""
    return [None if moves else f"moved less than {threshold_mm:g} mm" for moves in moved(joints_mm, threshold_mm)]


def spin_left_out(points_px: np.ndarray, shape: tuple[int, ...] | None) -> list[str | None]:
    """Why SPIN leaves out each frame of (F, 28, 2) in pictures of a shape, if it does.

    Of the frames with all joints in the picture it takes every tenth; where the shape is unknown, of all.
    # ASSUME: SPIN counts on from video to video, in whichever order a folder lists its pictures; here each video begins
    # anew in its own order, so that subjects can be read one by one. It asks the test set for all joints as well; here
    # test frames are those that the owners mark, as benchmarks need.
    """
    reasons, found = [], 0
    for points in points_px[:, SPIN_JOINTS]:
        if shape is not None and inside(points, shape) < len(points):
            reasons.append("not all joints in the picture")
        else:
            reasons.append("between every tenth frame" if found % SPIN_STRIDE else None)
            found += 1
    return reasons


def moved(joints_mm: np.ndarray, threshold_mm: float) -> np.ndarray:
    """(F,) bool: frames of (F, J, 3) in which some joint has moved so far since the last such frame, and the first.

    A frame whose joints are not all numbers is chosen as well, to be listed as broken, and nothing is measured from it.
    """
    chosen = ~np.isfinite(joints_mm).all((1, 2))
    last = None
    for number in np.flatnonzero(~chosen).tolist():
        if last is None or np.linalg.norm(joints_mm[number] - last, axis=1).max() >= threshold_mm:
            chosen[number], last = True, joints_mm[number]
    return chosen


def swap_back(labels: dict[str, list[np.ndarray]], frames: slice | None) -> None:
    """Exchange left and right in these frames of annot2 and annot3, in place, where the motion shows it to be right.

    # ASSUME: the method's code trains on those frames as they are.
    """
    if frames is None:
        return
    for keypoints_px, joints_mm in zip(labels["annot2"], labels["annot3"], strict=True):
        if _jumps_sides(joints_mm, frames.start) and _jumps_sides(joints_mm, frames.stop):
            for values in (keypoints_px, joints_mm):
                values[frames] = values[frames][:, MPI_INF_3DHP_28.flip]


def _jumps_sides(joints_mm: np.ndarray, frame: int) -> bool:
    """Whether (F, 28, 3) go on from the frame before more smoothly with left and right exchanged."""
    if not 0 < frame < len(joints_mm):
        return False
    lsp = LSP_14.indices_in(MPI_INF_3DHP_28)
    before, after = (joints_mm[k, lsp] for k in (frame - 1, frame))
    return bool(np.linalg.norm(after[LSP_14.flip] - before) < np.linalg.norm(after - before))


def inside(points_px: np.ndarray, shape: tuple[int, ...]) -> int:
    """How many points (J, 2) lie in a picture of shape (height, width, ...)."""
    return int(((points_px >= 0) & (points_px < (shape[1], shape[0]))).all(1).sum())


def _labels_2d(points_px: np.ndarray, joints: Any) -> dict[str, Any]:
    """The 2D side of a sample from the data set's own joints (J, 2): all count; the person is LSP's 14."""
    keypoints, visible = keypoints_19(points_px, np.ones(len(joints), bool), joints)
    return {
        "keypoints_2d_px": keypoints,
        "visible": visible,
        "center_px": box_center(keypoints, visible),
        "person_px": box_diagonal(keypoints, visible),
    }


def _train_labels(path: Path) -> dict[str, list[np.ndarray]]:
    """annot.mat: for each camera annot2 (F, 28, 2) pixels and annot3 (F, 28, 3) millimetres, camera frame."""
    try:
        content = scipy.io.loadmat(path, variable_names=("annot2", "annot3"))  # univ_annot3 is as large again
        cells = {
            name: [np.asarray(cell, np.float64) for cell in content[name].ravel()] for name in ("annot2", "annot3")
        }
        for camera in CAMERAS:
            in_2d, in_3d = (cells[name][camera].shape for name in ("annot2", "annot3"))
            if (in_2d, in_3d) != ((in_2d[0], 28 * 2), (in_2d[0], 28 * 3)):
                raise ValueError(f"{in_2d} and {in_3d} of camera {camera}")
        return {
            name: [cell.reshape(-1, 28, size) for cell in cells[name]] for name, size in (("annot2", 2), ("annot3", 3))
        }
    except Exception as error:  # SciPy raises many kinds for a broken file
        raise UserError(f"{path}: expected annot2 and annot3 of 14 cameras, found something else ({error})") from None


def read_calibration(path: Path) -> dict[int, tuple[float, np.ndarray]]:
    """camera.calibration: by camera number the focal length and the principal point (2,), pixels."""
    lenses, camera = {}, -1
    try:
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] == ["name"]:
                camera = int(words[1])
            elif words[:1] == ["intrinsic"]:
                matrix = np.array(words[1:17], np.float64).reshape(4, 4)
                lenses[camera] = (float(matrix[0, 0] + matrix[1, 1]) / 2, matrix[:2, 2])
        if lacking := [camera for camera in CAMERAS if camera not in lenses]:
            raise ValueError(f"none of camera {', '.join(map(str, lacking))}")
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{path}: expected name and intrinsic lines, found something else ({error})") from None
    return lenses


def _test(raw: Path) -> Iterator[Sample | Rejected]:
    for sequence in TEST_SEQUENCES:
        folder = need(test_folder(raw) / sequence, DATASET)
        labels = _test_labels(need(folder / "annot_data.mat", DATASET))
        pictures = need(folder / "imageSequence", DATASET)
        is_valid = labels["valid_frame"] == 1
        focal_px, principal_px = _test_lens(
            sequence, [pictures / f"img_{k + 1:06d}.jpg" for k in np.flatnonzero(is_valid)]
        )
        for index in range(len(is_valid)):
            sample_id = f"mpi_inf_3dhp/{sequence}/img_{index + 1:06d}"
            if not is_valid[index]:
                yield Rejected(sample_id, "marked as not valid by its owners", bad=False)
                continue
            native_m = labels["univ_annot3"][index] / 1000
            yield Sample(
                sample_id=sample_id,
                load_image=lazily(pictures / f"img_{index + 1:06d}.jpg"),
                **_labels_2d(labels["annot2"][index], MPI_INF_3DHP_17),
                joints_3d_m=native_m[LSP_14.indices_in(MPI_INF_3DHP_17)],
                joints_3d_native_m=native_m,
                focal_px=focal_px,
                principal_px=principal_px,
                subject=sequence,
                action=ACTIVITIES.get(labels["activity_annotation"][index], ""),
                frame=index + 1,
            )


def test_folder(raw: Path) -> Path:
    """Where the test sequences are. The owners' script unpacks them into a folder of the archive's own name."""
    nested = raw / TEST_FOLDER / TEST_FOLDER
    return nested if nested.is_dir() else raw / TEST_FOLDER


def _test_labels(path: Path) -> dict[str, np.ndarray]:
    """annot_data.mat (MATLAB 7.3): valid_frame and activity_annotation (F,), annot2 (F, 17, 2), univ_annot3 (F, 17, 3).

    univ_annot3 is the truth to use: millimetres, camera frame, scaled to the universal skeleton.
    """
    shapes = {"valid_frame": (1,), "annot2": (1, 17, 2), "univ_annot3": (1, 17, 3), "activity_annotation": (1,)}
    try:
        with h5py.File(path, "r") as file:
            found = {name: np.asarray(file[name], np.float64) for name in shapes}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path}: expected {', '.join(shapes)}, found something else ({error}); fetch it") from None
    frames = found["valid_frame"].size
    for name, shape in shapes.items():  # a file that was saved again may have its axes the other way round
        if found[name].shape != (frames, *shape):
            raise UserError(f"{path}: {name}: expected shape {(frames, *shape)}, found {found[name].shape}; fetch it")
    return {name: values[:, 0] for name, values in found.items()}


def _test_lens(sequence: str, pictures: list[Path]) -> tuple[float, np.ndarray]:
    """Focal length and principal point of a test sequence, from the size of its first readable picture.

    # ASSUME: the principal point is the picture's middle, as in the owners' perspective correction.
    """
    for path in pictures:
        try:
            height, width = load_bgr(path).shape[:2]
        except UserError:
            continue
        return TEST_FOCAL_WIDTHS[sequence] * width, np.array([(width - 1) / 2, (height - 1) / 2])
    return float("nan"), np.full(2, np.nan)
