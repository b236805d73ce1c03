"""Human3.6M: S*/Videos/*.mp4, joints as CDF files, MoSh's SMPL truth, names and cameras in metadata.xml.

One laboratory, seven people, four cameras; every person does each action twice.
"""

import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import cdflib.cdfwrite
import numpy as np
from scipy.spatial.transform import Rotation

from hmr.body.joints import HUMAN36M_32
from hmr.data.readers.human36m import MOSH_STRIDE, SMPL_UPRIGHT, SUBJECTS, TOY_ACTION
from hmr.errors import UserError
from hmr.params import StudioHuman36m
from hmr.studio.layouts.pictures import in_order
from hmr.studio.layouts.videos import joints_of, rng_of, write_video
from hmr.studio.motion import ACTIONS, sample_motion
from hmr.studio.people import sample_person
from hmr.studio.rig import PlacedCamera, human36m_rig
from hmr.studio.scene import Scene, lab
from hmr.studio.shoot import Shot, Studio

DATASET = "human36m"
CAMERAS = ("54138969", "55011271", "58860488", "60457274")  # by their indices
EVERYONE = (*SUBJECTS["train"], *SUBJECTS["test"])
FRAME_RATE_HZ = 50
# ASSUME: the owners film 50 pictures a second; here every fifth is new and held until the next, labels as well. The
# method reads every fifth, so it sees no difference.
HELD_FRAMES = MOSH_STRIDE
_SUBJECT_NUMBERS = 11  # metadata.xml has room for S1 to S11
_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # the studio's world, y up, to the owners'
_CDF_FLOAT = 44


@dataclass(frozen=True)
class Take:
    """One take of one action by one subject."""

    subject: str
    action: str
    trial: int  # 0 or 1

    @property
    def prefix(self) -> str:
        """What its files' names begin with."""
        return self.action if self.trial else f"{self.action} 1"


@dataclass(frozen=True)
class Set:
    """Where all takes are filmed; one room and one rig, for the studio keeps their pictures."""

    studio: Studio
    room: Scene
    rig: list[PlacedCamera]
    frames: int  # of each video
    seed: int


def write(raw: Path, studio: Studio, params: StudioHuman36m, seed: int, jobs: int = 1) -> None:
    """Make the set below `raw`.

    # ASSUME: the owners' video of S11, Directions, second take, first camera is broken. Ours is whole; it is left out
    # by the reader all the same.
    """
    if unknown := [action for action in params.actions if action not in ACTIONS]:
        raise UserError(
            f"download.studio.human36m.actions: expected names out of {', '.join(ACTIONS)}, found {unknown}"
        )
    rig, room = human36m_rig(params.image_px), lab(rng_of(seed, DATASET, "lab"))
    (raw / "metadata.xml").write_text(_metadata(params.actions, rig))
    takes = [Take(subject, action, trial) for subject in EVERYONE for action in params.actions for trial in (0, 1)]
    frames = max(1, round(params.seconds * FRAME_RATE_HZ))
    in_order(partial(_write_take, raw, Set(studio, room, rig, frames, seed), takes), len(takes), jobs, DATASET)


def _write_take(raw: Path, film: Set, takes: list[Take], index: int) -> None:
    """One take, filmed by all cameras. The person is the same in all of a subject's takes."""
    take = takes[index]
    person = sample_person(rng_of(film.seed, DATASET, take.subject), "lab")
    rng = rng_of(film.seed, DATASET, take.subject, take.prefix)
    motion = sample_motion(rng, take.action, -(-film.frames // HELD_FRAMES), FRAME_RATE_HZ / HELD_FRAMES)
    moments = film.studio.pose(person, motion)
    for number, camera in enumerate(film.rig):
        shots = [film.studio.shoot(moment, person, film.room, camera) for moment in moments]
        _write_camera(raw, take, number, shots, film.frames)


def _write_camera(raw: Path, take: Take, number: int, shots: list[Shot], frames: int) -> None:
    """What one camera gives of a take: video, joints in three and two dimensions, SMPL truth."""
    name, folder = f"{take.prefix}.{CAMERAS[number]}", raw / take.subject
    held = [shot for shot in shots for _ in range(HELD_FRAMES)][:frames]
    write_video(folder / "Videos" / f"{name}.mp4", (shot.image for shot in held), "mp4v", FRAME_RATE_HZ)
    joints = [joints_of(shot, HUMAN36M_32) for shot in shots]
    order = np.arange(frames) // HELD_FRAMES
    labels = {
        "D3_Positions_mono": np.stack([joints_m * 1000 for joints_m, _ in joints])[order],
        "D2_Positions": np.stack([points_px for _, points_px in joints])[order],
    }
    for kind, values in labels.items():
        _write_cdf(folder / "MyPoseFeatures" / kind / f"{name}.cdf", values.reshape(frames, -1))
    _write_truth(raw / "mosh" / take.subject / f"{take.prefix}_cam{number}_aligned.pkl", shots)


def _write_cdf(path: Path, pose: np.ndarray) -> None:
    """A CDF file with one variable, Pose (1, F, numbers), single precision."""
    # Not compressed: gzip would put the time into the file.
    path.parent.mkdir(parents=True, exist_ok=True)
    cdf = cdflib.cdfwrite.CDF(path, delete=True)
    variable = {"Variable": "Pose", "Data_Type": _CDF_FLOAT, "Num_Elements": 1, "Rec_Vary": True, "Compress": 0}
    cdf.write_var({**variable, "Dim_Sizes": list(pose.shape)}, var_data=pose[None].astype(np.float32))
    cdf.close()


def _write_truth(path: Path, shots: list[Shot]) -> None:
    """MoSh's file: new_poses (N, 72), ten a second, upside down in the camera's frame, and betas (10,)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pose = np.stack([np.asarray(shot.full_pose_axis_angle, np.float64) for shot in shots])
    pose[:, 0] = (Rotation.from_rotvec(pose[:, 0]) * SMPL_UPRIGHT.inv()).as_rotvec()
    truth = {"new_poses": pose.reshape(-1, 72), "betas": np.array(shots[0].betas, np.float64)}
    path.write_bytes(pickle.dumps(truth, protocol=2))


def _metadata(actions: tuple[str, ...], rig: list[PlacedCamera]) -> str:
    """metadata.xml: which files hold which action and take, and the cameras."""
    rows = [["", "", *EVERYONE]]
    for number, action in enumerate(actions, start=2):  # the first action is the calibration takes
        for trial in (0, 1):
            rows.append([str(number), str(trial + 1), *(Take(who, action, trial).prefix for who in EVERYONE)])
    calibration = " ".join(f"{number:.10g}" for number in _calibration(rig))
    return (
        "<metadata>\n"
        f"<mapping>\n{''.join(_row('tr', _cells(row)) for row in rows)}</mapping>\n"
        f"<actionnames>{_cells([TOY_ACTION, *actions])}</actionnames>\n"
        f"<dbcameras>{_row('index2id', _cells(CAMERAS))}</dbcameras>\n"
        f"<w0>[{calibration}]</w0>\n"
        "</metadata>\n"
    )


def _cells(texts: list[str] | tuple[str, ...]) -> str:
    return "".join(f"<td>{escape(text)}</td>" for text in texts)


def _row(tag: str, content: str) -> str:
    return f"<{tag}>{content}</{tag}>\n"


def _calibration(rig: list[PlacedCamera]) -> np.ndarray:
    """w0 (300,): for each camera and subject three angles and the camera's place in mm; then each camera's lens."""
    extrinsics = [np.tile(_extrinsics(camera), _SUBJECT_NUMBERS) for camera in rig]
    return np.concatenate([*extrinsics, *(_intrinsics(camera) for camera in rig)])


def _extrinsics(camera: PlacedCamera) -> np.ndarray:
    """(6,): x_cam = Rx Ry Rz (x_world - place), the world's z up."""
    angles = Rotation.from_matrix(camera.rotation @ _Z_UP.T).as_euler("XYZ")
    return np.concatenate([angles, _Z_UP @ (-camera.rotation.T @ camera.transl) * 1000])


def _intrinsics(camera: PlacedCamera) -> np.ndarray:
    """(9,): two focal lengths, the principal point, and five numbers of distortion, which is none."""
    return np.concatenate([camera.camera.intrinsics[:2], camera.principal_data_px, np.zeros(5)])
