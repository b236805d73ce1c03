"""Human3.6M: videos, joints as CDF files, names and cameras in metadata.xml, and MoSh's SMPL truth if there is any.

The method's own converter was never released. This follows its authors' later one: 10 frames a second, crops by the
2D joints, all joints visible.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cdflib
import h5py
import numpy as np
from scipy.spatial.transform import Rotation

from hmr.body.joints import HUMAN36M_32, LSP_14
from hmr.catalogue import DATASETS
from hmr.data.readers.extent import box_center, box_diagonal
from hmr.data.readers.raw import loaded, need, video_frames
from hmr.data.sample import Rejected, Sample, keypoints_19
from hmr.errors import UserError
from hmr.params import NormalizeParams
from hmr.unpickle import read_pickle

DATASET = "human36m"
SUBJECTS = DATASETS[DATASET].subjects
TOY_ACTION = "_ALL"  # calibration takes, listed in metadata.xml among the actions
# The owners' releases spell three actions in two ways, and a release's metadata.xml may differ from its files.
SPELLINGS = (("TakingPhoto", "Photo"), ("WalkingDog", "WalkDog"), ("WalkingTogether", "WalkTogether"))  # second: ours
# (subject, action, trial, camera) whose video is known to be broken.
# ASSUME: the method's evaluation counts 239 sequences, so only this one is left out; its authors' later converter
# leaves out all four cameras of this take and S11's second take of Phoning.
BROKEN = {("S11", "Directions", 1, "54138969")}
VIDEOS, JOINTS_2D, JOINTS_3D = "Videos", "MyPoseFeatures/D2_Positions", "MyPoseFeatures/D3_Positions_mono"
MASKS = "MySegmentsMat/ground_truth_bb"  # boxes drawn as masks, which SPIN's converter reads; _bs has silhouettes
MOSH_STRIDE = 5  # MoSh's poses are at 10 frames a second
SMPL_UPRIGHT = Rotation.from_rotvec([np.pi, 0, 0])  # MoSh's bodies hang upside down in the camera's frame


@dataclass(frozen=True)
class Lens:
    """Intrinsics of a camera in pixels."""

    focal_px: float
    principal_px: np.ndarray  # (2,)


@dataclass(frozen=True)
class Take:
    """One take of one action: the name that its files begin with, and what it is."""

    prefix: str
    action: str
    trial: int  # 0 or 1


@dataclass(frozen=True)
class Metadata:
    """What metadata.xml says."""

    takes: dict[str, list[Take]]  # by subject
    lenses: dict[str, Lens]  # by camera, in the order of their indices


def read(raw: Path, split: str, params: NormalizeParams, subject: str | None = None) -> Iterator[Sample | Rejected]:
    """Every n-th frame of every take and camera of the split's subjects, or of one of them."""
    metadata = read_metadata(need(raw / "metadata.xml", DATASET))
    subjects = (subject,) if subject else SUBJECTS[split]
    for name in subjects:
        need(raw / name, DATASET)
        if not metadata.takes.get(name):
            raise UserError(f"{raw / 'metadata.xml'}: expected takes of {name}, found none; fetch it again")
    for path in files_of(raw, metadata, subjects):  # rather than hours later
        need(path, DATASET)
    for name in subjects:
        for take in metadata.takes[name]:
            for index, camera in enumerate(metadata.lenses):
                yield from _video(raw, name, take, index, camera, metadata.lenses[camera], params)


def _video(
    raw: Path, subject: str, take: Take, index: int, camera: str, lens: Lens, params: NormalizeParams
) -> Iterator[Sample | Rejected]:
    """One camera's frames of a take, in order; the video is decoded straight through."""
    name = f"{take.prefix}.{camera}"
    prefix = f"human36m/{subject}/{name}"
    if (subject, take.action, take.trial, camera) in BROKEN:
        yield Rejected(prefix, "video known to be broken", bad=False)
        return
    joints_m = _read_cdf(_file(raw / subject / JOINTS_3D, f"{name}.cdf"), 3) / 1000
    keypoints_px = _read_cdf(_file(raw / subject / JOINTS_2D, f"{name}.cdf"), 2)
    path = _file(raw / subject / VIDEOS, f"{name}.mp4")
    truth = Truth.read(_spelled(raw / "mosh" / subject, f"{take.prefix}_cam{index}_aligned.pkl"))
    masks = Masks(_file(raw / subject / MASKS, f"{name}.mat")) if params.boxes == "spin" else None
    frames = np.arange(0, max(len(joints_m), len(keypoints_px)), params.human36m_stride)
    for frame, picture in video_frames(path, frames):
        if frame >= min(len(joints_m), len(keypoints_px)):
            yield Rejected(f"{prefix}/{frame:06d}", "labels broken: a frame with joints in 2D or in 3D alone")
            continue
        keypoints, visible = keypoints_19(keypoints_px[frame], np.ones(len(HUMAN36M_32), bool), HUMAN36M_32)
        pose, betas = truth.at(frame)
        try:
            mask_box_px = None if masks is None else masks.box_px(frame)
        except UserError as error:
            yield Rejected(f"{prefix}/{frame:06d}", f"unreadable file: {error}")
            continue
        yield Sample(
            sample_id=f"{prefix}/{frame:06d}",
            load_image=loaded(path, frame, picture),
            keypoints_2d_px=keypoints,
            visible=visible,
            center_px=box_center(keypoints, visible),
            person_px=box_diagonal(keypoints, visible),
            mask_box_px=mask_box_px,
            joints_3d_m=joints_m[frame, LSP_14.indices_in(HUMAN36M_32)],
            pose_axis_angle=pose,
            betas=betas,
            focal_px=lens.focal_px,
            principal_px=lens.principal_px,
            subject=subject,
            action=take.action,
            trial=take.trial,
            camera=camera,
            frame=frame,
        )


def files_of(raw: Path, metadata: Metadata, subjects: tuple[str, ...]) -> Iterator[Path]:
    """Every file of the subjects' takes that the reader wants, there or not."""
    for subject in subjects:
        for take in metadata.takes.get(subject, []):
            for camera in metadata.lenses:
                if (subject, take.action, take.trial, camera) not in BROKEN:
                    for folder, suffix in ((JOINTS_3D, "cdf"), (JOINTS_2D, "cdf"), (VIDEOS, "mp4")):
                        yield _spelled(raw / subject / folder, f"{take.prefix}.{camera}.{suffix}")


def _spelled(folder: Path, name: str) -> Path:
    """A file of a take, under the spelling of its action that is there."""
    others = [name.replace(*pair) for one, other in SPELLINGS for pair in ((one, other), (other, one))]
    return next((folder / each for each in (name, *others) if (folder / each).exists()), folder / name)


def _file(folder: Path, name: str) -> Path:
    return need(_spelled(folder, name), DATASET)


class Masks:
    """The owners' masks of one video (MATLAB 7.3): `Masks` refers to a picture for each frame, axes reversed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def box_px(self, frame: int) -> np.ndarray:
        """Left, top, right and bottom (4,) of what is the person in a frame; NaN where nothing is."""
        try:
            with h5py.File(self.path, "r") as file:
                columns, rows = np.nonzero(file[file["Masks"][frame, 0]][:] == 1)
        except (OSError, KeyError, ValueError, IndexError, TypeError) as error:
            raise UserError(f"{self.path}: expected a mask of frame {frame}, found none ({error})") from None
        if not len(rows):
            return np.full(4, np.nan)
        return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)


@dataclass(frozen=True)
class Truth:
    """SMPL's parameters for one video, at every fifth frame; none where they were never made or are withdrawn."""

    pose_axis_angle: np.ndarray  # (F, 24, 3), root in the camera's frame
    betas: np.ndarray  # (10,)

    @classmethod
    def read(cls, path: Path) -> "Truth":
        """<take>_cam<index>_aligned.pkl, if it is there."""
        if not path.exists():
            return cls(np.empty((0, 24, 3)), np.empty(0))
        way_out = "remove it to go without, or fetch it again"
        content = read_pickle(path, expected="MoSh's new_poses and betas", way_out=way_out)
        try:
            pose, betas = (np.array(content[name], np.float64) for name in ("new_poses", "betas"))
            if pose.ndim != 2 or pose.shape[1] != 24 * 3 or betas.size < 10:
                raise ValueError(f"shapes {pose.shape} and {betas.shape}")
            pose = pose.reshape(-1, 24, 3)
            pose[:, 0] = (Rotation.from_rotvec(pose[:, 0]) * SMPL_UPRIGHT).as_rotvec()
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{path}: expected MoSh's new_poses and betas, found none ({error}); {way_out}") from None
        return cls(pose, betas.ravel()[:10])

    def at(self, frame: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Pose (24, 3) and shape (10,) of a video frame, or nothing."""
        row, rest = divmod(frame, MOSH_STRIDE)
        return (None, None) if rest or row >= len(self.pose_axis_angle) else (self.pose_axis_angle[row], self.betas)


def _read_cdf(path: Path, size: int) -> np.ndarray:
    """A CDF file's Pose as (F, 32, size)."""
    try:
        pose = np.asarray(cdflib.CDF(path).varget("Pose"), np.float64)
        if pose.shape[-1] != len(HUMAN36M_32) * size:
            raise ValueError(f"Pose of shape {pose.shape}")
        return pose.reshape(-1, len(HUMAN36M_32), size)
    except Exception as error:  # cdflib raises many kinds for a broken file
        raise UserError(f"{path}: expected a CDF file of 32 joints, found something else ({error})") from None


def read_metadata(path: Path) -> Metadata:
    """Takes by subject, and cameras, from metadata.xml."""
    try:
        root = ElementTree.parse(path).getroot()
        return Metadata(_takes(root), _lenses(root))
    except (OSError, ElementTree.ParseError, AttributeError, ValueError, IndexError, TypeError) as error:
        raise UserError(
            f"{path}: expected Human3.6M's mapping, actionnames, dbcameras and w0, found something else ({error})"
        ) from None


def _takes(root: ElementTree.Element) -> dict[str, list[Take]]:
    """The mapping's first row names the subjects; the others hold action, take and each subject's file name."""
    spelling = dict(SPELLINGS)
    actions = {number: _text(item) for number, item in enumerate(root.find("actionnames"), start=1)}
    header, *rows = [[_text(cell) for cell in row] for row in root.find("mapping")]
    takes: dict[str, list[Take]] = {subject: [] for subject in header[2:] if subject}
    for action, number, *names in rows:
        if not action.isdigit() or int(action) not in actions or number not in ("1", "2"):
            continue  # rows below the table proper
        name = actions[int(action)]
        for subject, prefix in zip(header[2:], names, strict=False):
            if subject and prefix and not prefix.upper().startswith(TOY_ACTION):
                takes[subject].append(Take(prefix, spelling.get(name, name), int(number) - 1))
    return takes


def _lenses(root: ElementTree.Element) -> dict[str, Lens]:
    """w0 holds 6 extrinsics for each of 4 cameras and 11 subjects, then 9 intrinsics for each camera."""
    cameras = [_text(item) for item in root.find("dbcameras/index2id")]
    numbers = np.array(_text(root.find("w0")).strip("[]").split(), np.float64)
    intrinsics = numbers[6 * 11 * 4 :].reshape(4, 9)
    return {
        camera: Lens(float(row[:2].mean()), row[2:4]) for camera, row in zip(cameras, intrinsics, strict=True) if camera
    }


def _text(element: ElementTree.Element) -> str:
    return (element.text or "").strip()
