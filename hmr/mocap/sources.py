"""Motion capture of every kind as clips of SMPL poses: one reader per suffix.

`.amc` (with its `.asf`) and `.bvh` are retargeted, `.c3d` is fitted to its markers; AMASS `.npz` and MoSh `.pkl` hold
SMPL poses already and are only resampled.
"""

import glob
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hmr.body.file import Body
from hmr.body.model import BodyModel
from hmr.errors import UserError
from hmr.mocap.asf_amc import read_amc, read_asf
from hmr.mocap.bvh import read_bvh
from hmr.mocap.bvh_fit import fit_bvh
from hmr.mocap.c3d import read_c3d
from hmr.mocap.labels import set_markers
from hmr.mocap.marker_body import put_markers
from hmr.mocap.marker_fit import MarkerActor, fit_actor, fit_frames
from hmr.mocap.pool import Captured, Clip
from hmr.mocap.retarget import Actor, RestJoints, make_actor, resample, retarget
from hmr.unpickle import read_pickle

CMU_FRAME_RATE_HZ = 120.0  # ASSUME: .amc files do not say; CMU's cameras ran at 120 Hz
# ASSUME: the released MoSh archive stores no rate; it was thinned out to about CMU's rate divided by 12.
MOSH_FRAME_RATE_HZ = 10.0
_HUMAN36M_TEST = re.compile(r"(?<![A-Za-z0-9])S(9|11)(?![0-9])")
_NO_MOTION = re.compile(r"(^|_)(shape|stagei)\.npz$")  # AMASS keeps subjects' shapes beside their motions
_WAY_OUT = "give .amc with .asf, .bvh, .c3d, AMASS .npz or MoSh .pkl, or folders of them"
_CLIPS_OF_A_SUBJECT = 8  # that its shape is taken from
_SHAPE_RATE_HZ = 10.0  # of their frames


@dataclass(frozen=True)
class Source:
    """A file of motion, and the stable name of its sequence."""

    path: Path
    sequence: str
    is_test_subject: bool = False  # of Human3.6M, whom the critics must not see


def find_sources(paths: Iterable[Path]) -> list[Source]:
    """Files of motion among `paths`, and below those that are folders; each once, in a stable order."""
    found: dict[Path, Source] = {}
    for path in map(Path, paths):
        for source in _below(path) if path.is_dir() else [_named(path)]:
            found.setdefault(source.path.resolve(), source)
    return list(found.values())


def _named(path: Path) -> Source:
    if not path.is_file():
        raise UserError(f"{path}: expected motion capture, found nothing there; {_WAY_OUT}")
    if path.suffix.lower() not in _READERS:
        raise UserError(f"{path}: expected motion capture, found suffix {path.suffix!r}; {_WAY_OUT}")
    sequence = f"{path.parent.name}/{path.stem}"
    return Source(path, sequence, _shows_test_subject(sequence))


def _shows_test_subject(name: str) -> bool:
    return _HUMAN36M_TEST.search(name) is not None


def _below(folder: Path) -> list[Source]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    motions = [path for path in files if path.suffix.lower() in _READERS and not _NO_MOTION.search(path.name)]
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in motions]
    sources = [
        Source(path, name, _shows_test_subject(f"{folder.name}/{name}"))
        for path, name in zip(motions, names, strict=True)
    ]
    if not sources:
        raise UserError(f"{folder}: expected motion capture below this folder, found none; {_WAY_OUT}")
    return sources


class ClipReader:
    """Reads any source as a clip at one frame rate. Remembers the subjects that it has seen."""

    def __init__(self, body: Body, frame_rate_hz: float, marker_set: str = "cmu41") -> None:
        self.body, self.frame_rate_hz = RestJoints.of(BodyModel(body)), frame_rate_hz
        self.markers = put_markers(body, marker_set)
        self.marker_set = marker_set
        self.actors: dict[Path, Actor] = {}
        self.marker_actors: dict[tuple[Path, str], MarkerActor] = {}

    def read(self, source: Source) -> Clip:
        """One clip; frames that are not finite are left out. UserError for a file that cannot be read."""
        return _READERS[source.path.suffix.lower()](self, source)

    def amc(self, source: Source) -> Clip:
        """CMU's motion as SMPL poses, with the error of the fit."""
        actor = self._actor(skeleton_of(source.path))
        channels = read_amc(source.path, actor.skeleton, actor.metres_per_unit)
        frames, notes = self._frames(source, channels, CMU_FRAME_RATE_HZ)
        fitted = retarget(actor, channels[frames])
        rate = min(CMU_FRAME_RATE_HZ, self.frame_rate_hz)
        pose, error = fitted.pose_axis_angle, fitted.fit_error_mm
        captured = Captured("joints", fitted.captured_m)
        return Clip(source.sequence, pose, actor.betas, frames, rate, error, captured=captured, notes=notes)

    def bvh(self, source: Source) -> Clip:
        """Any skeleton's motion as SMPL poses, with the error of the fit."""
        motion = read_bvh(source.path)
        frames, notes = self._frames(source, motion.values, motion.rate_hz)
        fit = fit_bvh(motion, frames, self.body, source.path)
        rate = min(motion.rate_hz, self.frame_rate_hz)
        pose, error = fit.found.pose_axis_angle, fit.found.fit_error_mm
        captured, notes = Captured("joints", fit.found.captured_m), (fit.note, *notes)
        return Clip(source.sequence, pose, fit.betas, frames, rate, error, captured=captured, notes=notes)

    def c3d(self, source: Source) -> Clip:
        """Markers as SMPL poses of their subject, with the error of the fit."""
        actor = self._marker_actor(source.path)
        capture = read_c3d(source.path)
        frames = resample(len(capture.points_m), capture.rate_hz, self.frame_rate_hz)
        points, notes = set_markers(source.path, capture, self.markers, self.marker_set)
        fitted = fit_frames(actor, points, capture.rate_hz, frames)
        if not len(fitted.frame):
            raise UserError(f"{source.path}: expected frames with enough markers, found none; fetch it again")
        rate = min(capture.rate_hz, self.frame_rate_hz)
        pose, error, frames = fitted.pose_axis_angle, fitted.fit_error_mm, fitted.frame
        moved = self.body.at(actor.betas)[0] - fitted.pelvis_m  # the pelvis to its place in the rest pose
        captured = Captured("markers", points[frames] + moved[:, None])
        return Clip(source.sequence, pose, actor.betas, frames, rate, error, captured=captured, notes=notes)

    def npz(self, source: Source) -> Clip:
        """AMASS: 156 or 165 numbers a frame, of which the first 66 are SMPL's root and body.

        # ASSUME: hands stay in the rest pose; betas are taken as they are, though AMASS fits a body per gender.
        """
        content = _read_npz(source.path)
        key = next((key for key in ("mocap_framerate", "mocap_frame_rate") if key in content), None)
        if missing := [name for name in ("poses", "betas") if name not in content] + ["mocap_framerate"] * (not key):
            raise UserError(f"{source.path}: expected AMASS's {missing[0]}, found none; {_WAY_OUT}")
        poses = _array(source, content["poses"], "poses", (None, (156, 165)))
        rate = float(_array(source, content[key], key, ()))
        if not (np.isfinite(rate) and rate > 0):
            raise UserError(f"{source.path}: {key}: expected a positive rate, found {rate:g}; fetch it again")
        full = np.concatenate((poses[:, :66], np.zeros((len(poses), 6))), 1)
        return self._smpl(source, full, content["betas"], rate, z_up=True)

    def pkl(self, source: Source) -> Clip:
        """MoSh's results as released with the method: 72 numbers a frame under `poses` or `new_poses`."""
        content = read_pickle(source.path, expected="MoSh's poses and betas", way_out="fetch it again")
        key = next((key for key in ("poses", "new_poses") if key in content), None)
        if key is None or "betas" not in content:
            raise UserError(f"{source.path}: expected MoSh's poses and betas, found neither or one; {_WAY_OUT}")
        full = _array(source, content[key], key, (None, (72,)))
        return self._smpl(source, full, content["betas"], MOSH_FRAME_RATE_HZ, z_up=False)

    def _smpl(self, source: Source, poses: np.ndarray, betas: object, rate: float, *, z_up: bool) -> Clip:
        shape = _array(source, betas, "betas", (None,))[:10]
        if len(shape) < 10 or not np.isfinite(shape).all():
            raise UserError(f"{source.path}: betas: expected 10 finite numbers, found others; fetch it again")
        frames, notes = self._frames(source, poses, rate)
        pose = poses[frames].reshape(-1, 24, 3)
        if z_up:
            pose[:, 0] = (Rotation.from_euler("x", -90, degrees=True) * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
        return Clip(source.sequence, pose, shape, frames, min(rate, self.frame_rate_hz), notes=notes)

    def _frames(self, source: Source, values: np.ndarray, rate: float) -> tuple[np.ndarray, tuple[str, ...]]:
        """Those to keep, and a note if some are not finite."""
        every = resample(len(values), rate, self.frame_rate_hz)
        frames = every[np.isfinite(values[every]).all(1)]
        if not len(frames):
            raise UserError(f"{source.path}: expected frames of finite numbers, found none; fetch it again")
        return frames, ("frames left out that are not finite",) * (len(frames) < len(every))

    def _actor(self, asf: Path) -> Actor:
        if asf not in self.actors:
            self.actors[asf] = make_actor(*read_asf(asf), self.body, asf)
        return self.actors[asf]

    def _marker_actor(self, path: Path) -> MarkerActor:
        """The shape and marker places of a capture's subject, from some of the subject's captures in the folder.

        A subject is what a file's name says up to its last underscore, as in CMU's 01_02.c3d.
        """
        subject = (path.parent, path.stem.rpartition("_")[0] or path.stem)
        if subject not in self.marker_actors:
            clips = [p for p in sorted(path.parent.glob(f"{glob.escape(subject[1])}*")) if _same_subject(path, p)]
            thinned = []
            for clip in clips[:_CLIPS_OF_A_SUBJECT]:
                capture = read_c3d(clip)
                points, _ = set_markers(clip, capture, self.markers, self.marker_set)
                thinned.append(points[resample(len(points), capture.rate_hz, _SHAPE_RATE_HZ)])
            self.marker_actors[subject] = fit_actor(self.markers, np.concatenate(thinned), _SHAPE_RATE_HZ)
        return self.marker_actors[subject]


def _same_subject(path: Path, other: Path) -> bool:
    return other.suffix.lower() == ".c3d" and other.stem.rpartition("_")[0] == path.stem.rpartition("_")[0]


_READERS: dict[str, Callable[[ClipReader, Source], Clip]] = {
    ".amc": ClipReader.amc,
    ".bvh": ClipReader.bvh,
    ".c3d": ClipReader.c3d,
    ".npz": ClipReader.npz,
    ".pkl": ClipReader.pkl,
}


def skeleton_of(amc: Path) -> Path:
    """The skeleton of a motion: 01.asf for 01_02.amc, or the folder's only one."""
    named = amc.with_name(f"{amc.stem.rpartition('_')[0]}.asf")
    if named.is_file():
        return named
    all_here = sorted(amc.parent.glob("*.asf"))
    if len(all_here) != 1:
        raise UserError(
            f"{amc}: expected its skeleton {named.name} in the same folder, found {len(all_here)} .asf; put it there"
        )
    return all_here[0]


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            wanted = ("poses", "betas", "mocap_framerate", "mocap_frame_rate")
            return {name: archive[name] for name in wanted if name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: expected an AMASS .npz, found something else ({reason}); fetch it again") from None


def _array(source: Source, value: object, name: str, shape: tuple[tuple[int, ...] | None, ...]) -> np.ndarray:
    """Numbers of a shape; None allows any size, a tuple the sizes in it."""
    array = np.asarray(value)
    fits = array.ndim == len(shape) and all(
        allowed is None or size in allowed for size, allowed in zip(array.shape, shape, strict=True)
    )
    if array.dtype.kind not in "fiu" or not fits:
        wanted = " x ".join("any" if sizes is None else " or ".join(map(str, sizes)) for sizes in shape) or "one number"
        found = f"{array.dtype} {array.shape}"
        raise UserError(f"{source.path}: {name}: expected numbers ({wanted}), found {found}; fetch it again")
    return array.astype(np.float64)
