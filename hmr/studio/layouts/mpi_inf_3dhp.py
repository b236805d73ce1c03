"""MPI-INF-3DHP: eight training subjects (videos, annot.mat) and six test sequences (pictures, annot_data.mat)."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from hmr.body.joints import LSP_14, MPI_INF_3DHP_17, MPI_INF_3DHP_28, JointSet
from hmr.data.readers.mpi_inf_3dhp import ACTIVITIES, CAMERAS, MIN_INSIDE, SEQUENCES, TEST_SEQUENCES, inside
from hmr.params import StudioMpiInf3dhp
from hmr.studio.layouts.mat import write_mat
from hmr.studio.layouts.pictures import in_order, save_jpeg
from hmr.studio.layouts.videos import joints_of, rng_of, write_video
from hmr.studio.motion import ACTIONS, Motion, sample_motion
from hmr.studio.people import Person, sample_person
from hmr.studio.rig import PlacedCamera, mpi_inf_3dhp_rig, test_camera
from hmr.studio.scene import green_screen, outdoor, plain_studio
from hmr.studio.shoot import Shot, Studio

DATASET = "mpi_inf_3dhp"
SUBJECTS = tuple(f"S{number}" for number in range(1, 9))
CELLS = 14  # cameras that annot.mat has room for
# ASSUME: the owners film 25 or 50 pictures a second. The method takes only frames in which a joint has moved by
# 200 mm, so the studio films few and lets most of them count.
FRAME_RATE_HZ = 2.5
ACTION_FRAMES = 10  # then another action follows
# ASSUME: where the owners mark test frames as not valid is their capture's business; here every tenth is marked.
INVALID_STRIDE = 10
SCENES = {  # by sequence of the training set, then of the test set
    **{"Seq1": green_screen, "Seq2": plain_studio},
    **{"TS1": green_screen, "TS2": green_screen, "TS3": plain_studio, "TS4": plain_studio},
    **{"TS5": outdoor, "TS6": outdoor},
}
_USER_BLOCK_BYTES = 512
# 116 bytes of text, 8 of nothing, then the version and the mark by which readers know the order of bytes.
_MATLAB_73 = b"MATLAB 7.3 MAT-file, HDF5 schema 1.00 .".ljust(116) + bytes(8) + b"\x00\x02IM"
_ACTIVITY_OF = {
    "Standing/Walking": ("Greeting", "Waiting", "Walking", "WalkDog", "WalkTogether", "Discussion"),
    "Exercising": ("Posing",),
    "Sitting": ("Sitting", "Eating", "Phoning", "Smoking"),
    "Reaching/Crouching": ("Directions", "Purchases"),
    "On the floor": ("SittingDown",),
    "Sports": ("Sport",),
    "Miscellaneous": ("Everyday", "Photo"),
}


def write(raw: Path, studio: Studio, params: StudioMpiInf3dhp, seed: int, jobs: int = 1) -> None:
    """Make the set below `raw`."""
    makers = [partial(_write_train, raw, studio, params, seed, who, name) for who in SUBJECTS for name in SEQUENCES]
    makers += [partial(_write_test, raw, studio, params, seed, name) for name in TEST_SEQUENCES]
    in_order(partial(_call, makers), len(makers), jobs, DATASET)


def _call(makers: list[partial], index: int) -> None:
    makers[index]()


def _write_train(raw: Path, studio: Studio, params: StudioMpiInf3dhp, seed: int, subject: str, sequence: str) -> None:
    """One sequence of a subject, filmed by the eight cameras at chest height."""
    folder = raw / subject / sequence
    rng = rng_of(seed, DATASET, subject, sequence)
    person = _dressed(sample_person(rng_of(seed, DATASET, subject), "any"), sample_person(rng, "any"))
    scene = SCENES[sequence](rng)
    moments = [m for _, motion in _segments(rng, params.frames) for m in studio.pose(person, motion)]
    rig = mpi_inf_3dhp_rig(params.image_px)
    labels = {}
    for camera in CAMERAS:
        shots = [studio.shoot(moment, person, scene, rig[camera]) for moment in moments]
        path = folder / "imageSequence" / f"video_{camera}.avi"
        write_video(path, (shot.image for shot in shots), "MJPG", FRAME_RATE_HZ)
        labels[camera] = _labels(shots, MPI_INF_3DHP_28)
    write_mat(folder / "annot.mat", _annotation(labels, params.frames))
    (folder / "camera.calibration").write_text(_calibration(rig))


def _dressed(person: Person, other: Person) -> Person:
    """The person in another's clothes: the owners' subjects change theirs between the two sequences."""
    clothes = ("top", "trousers", "shoes", "sleeve", "trouser_length", "looseness_m", "gloves", "hat")
    return replace(person, **{name: getattr(other, name) for name in clothes})


def _segments(rng: np.random.Generator, frames: int) -> list[tuple[str, Motion]]:
    """Actions and their motions, one after the other, `frames` in all."""
    lengths = [min(ACTION_FRAMES, frames - start) for start in range(0, frames, ACTION_FRAMES)]
    actions = [str(action) for action in rng.choice(list(ACTIONS), len(lengths))]
    return [(a, sample_motion(rng, a, length, FRAME_RATE_HZ)) for a, length in zip(actions, lengths, strict=True)]


def _labels(shots: list[Shot], joints: JointSet) -> tuple[np.ndarray, np.ndarray]:
    """Joints of a row of shots: millimetres (F, J, 3) and pixels (F, J, 2)."""
    joints_m, points_px = zip(*(joints_of(shot, joints) for shot in shots), strict=True)
    return np.stack(joints_m) * 1000, np.stack(points_px)


def _annotation(labels: dict[int, tuple[np.ndarray, np.ndarray]], frames: int) -> dict[str, np.ndarray]:
    """annot.mat: a cell for each camera with annot2 (F, 56) pixels, annot3 and univ_annot3 (F, 84) mm, camera frame.

    # ASSUME: cameras above and below chest height, which the method does not take, did not film: their cells are empty.
    """
    annot2, annot3 = np.empty((CELLS, 1), object), np.empty((CELLS, 1), object)
    for camera in range(CELLS):
        joints_mm, points_px = labels.get(camera, (np.empty((0, 28, 3)), np.empty((0, 28, 2))))
        annot2[camera, 0] = points_px.reshape(len(points_px), 56)
        annot3[camera, 0] = joints_mm.reshape(len(joints_mm), 84)
    # ASSUME: the owners' univ_annot3 is scaled to one skeleton for all; ours are bodies of known size, as they are.
    return {
        **{"annot2": annot2, "annot3": annot3, "univ_annot3": annot3},
        **{"cameras": np.array(sorted(labels)), "frames": np.arange(frames)[:, None]},
    }


def _calibration(rig: dict[int, PlacedCamera]) -> str:
    """camera.calibration: intrinsics in pixels and extrinsics, world to camera, in mm, both 4 x 4 row by row."""
    lines = ["Skeletool Camera Calibration File V1.0"]
    for number, camera in sorted(rig.items()):
        intrinsic, extrinsic = np.eye(4), np.eye(4)
        intrinsic[[0, 1], [0, 1]] = camera.camera.intrinsics[:2]
        intrinsic[:2, 2] = camera.principal_data_px
        extrinsic[:3] = np.column_stack([camera.rotation, camera.transl * 1000])
        lines += [
            f"name          {number}",
            "  sensor      10 10",
            f"  size        {camera.width_px} {camera.height_px}",
            "  animated    0",
            f"  intrinsic   {_numbers(intrinsic)} ",
            f"  extrinsic   {_numbers(extrinsic)} ",
            "  radial      0",
        ]
    return "\n".join(lines) + "\n"


def _numbers(matrix: np.ndarray) -> str:
    return " ".join(f"{number:.10g}" for number in matrix.ravel())


def _write_test(raw: Path, studio: Studio, params: StudioMpiInf3dhp, seed: int, sequence: str) -> None:
    """One test sequence: its person is in no other one, and its camera stands still."""
    folder = raw / "mpi_inf_3dhp_test_set" / sequence
    rng = rng_of(seed, DATASET, sequence)
    person, scene = sample_person(rng, "any"), SCENES[sequence](rng)
    camera = test_camera(rng, sequence, params.image_px)
    segments = _segments(rng, params.test_frames)
    moments = [moment for _, motion in segments for moment in studio.pose(person, motion)]
    activities = [activity_of(action) for action, motion in segments for _ in range(len(motion))]
    shots = []
    (folder / "imageSequence").mkdir(parents=True)
    for number, moment in enumerate(moments, start=1):
        shots.append(studio.shoot(moment, person, scene, camera))
        save_jpeg(folder / "imageSequence" / f"img_{number:06d}.jpg", shots[-1].image)
    _write_annot_data(folder / "annot_data.mat", _test_annotation(shots, activities))


def activity_of(action: str) -> int:
    """The owners' number of the kind of activity that an action is, 1 to 7."""
    return next(number for number, name in ACTIVITIES.items() if action in _ACTIVITY_OF[name])


def _test_annotation(shots: list[Shot], activities: list[int]) -> dict[str, np.ndarray]:
    """annot_data.mat's variables as HDF5 holds them, axes reversed: (F, 1), (F, 1, 17, 2) and (F, 1, 17, 3)."""
    joints_mm, points_px = _labels(shots, MPI_INF_3DHP_17)
    lsp_px = points_px[:, LSP_14.indices_in(MPI_INF_3DHP_17)]
    in_picture = [inside(points, shot.image.shape) >= MIN_INSIDE for points, shot in zip(lsp_px, shots, strict=True)]
    valid = np.array(in_picture) & (np.arange(len(shots)) % INVALID_STRIDE != INVALID_STRIDE - 1)
    return {
        "activity_annotation": np.array(activities, np.float64)[:, None],
        "annot2": points_px[:, None],
        "annot3": joints_mm[:, None],
        "univ_annot3": joints_mm[:, None],
        "valid_frame": valid.astype(np.float64)[:, None],
    }


def _write_annot_data(path: Path, variables: dict[str, np.ndarray]) -> None:
    """A MATLAB 7.3 file: HDF5 behind 512 bytes that say so. No time stamp is in it."""
    with h5py.File(path, "w", userblock_size=_USER_BLOCK_BYTES) as file:
        for name, values in variables.items():
            dataset = file.create_dataset(name, data=values, track_times=False)
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as file:
        file.write(_MATLAB_73)
