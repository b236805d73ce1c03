"""`hmr mocap`: motion capture in, one pool of SMPL poses and shapes out."""

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hmr.body.file import read_body_file
from hmr.errors import UserError
from hmr.files import MANIFEST, manifest_sha256, read_json, sha256_file
from hmr.mocap.pool import Clip, LeftOut, source_of, write_pool
from hmr.mocap.retarget import mirror_pose
from hmr.mocap.sources import ClipReader, Source, find_sources, skeleton_of
from hmr.params import load_params

_HELP = """
Takes CMU's .amc (with its .asf beside it), .bvh, .c3d with labelled markers, AMASS .npz and MoSh .pkl, as files or as
folders to look through.

  hmr mocap data/raw/mocap --body results/body/body.npz --out results/mocap/pool.h5
"""
_NOTES = 12  # that are printed, the commonest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _HELP
    parser.add_argument("path", type=Path, nargs="+", metavar="PATH", help="files or folders of motion capture")
    parser.add_argument("--body", type=Path, required=True, help="body file (.npz or .pkl)")
    parser.add_argument("--out", type=Path, required=True, help="pool to write (.h5)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))


def run(args: argparse.Namespace) -> None:
    params = load_params(args.params)
    sources = sorted(find_sources(args.path), key=lambda source: source_of(source.sequence))  # stable
    reader = ClipReader(read_body_file(args.body), params.mocap.frame_rate_hz, params.mocap.marker_set)
    tally = Tally()
    clips = read_clips(sources, reader, tally, max_broken=params.normalize.max_quarantine_fraction)
    copies = (copy for clip in clips for copy in _with_mirror(clip, params.mocap.mirror))
    write_pool(
        args.out,
        copies,
        attributes=_attributes(args.path, sources),
        left_out=tally.left_out,
        weights=params.mocap.sources,
    )
    for note, clips in tally.notes.most_common(_NOTES):
        print(f"mocap: {clips:,} clips: {note}")
    if len(tally.notes) > _NOTES:
        print(f"mocap: and {len(tally.notes) - _NOTES} more such notes")
    print(f"mocap: {tally.summary()}" + ("; with mirror images twice as many" if params.mocap.mirror else ""))


@dataclass
class Tally:
    """What went into the pool and what did not."""

    clips: int = 0
    frames: int = 0
    broken: int = 0
    test_subjects: int = 0
    errors_mm: list[np.ndarray] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)  # of how many clips what was guessed

    def summary(self) -> str:
        """One line for people."""
        line = f"{self.clips:,} clips, {self.frames:,} frames"
        if self.errors_mm:
            errors = np.concatenate(self.errors_mm)
            line += f", fit error {errors.mean():.1f} mm on average, {errors.max():.1f} mm at most"
        for count, what in ((self.broken, "broken"), (self.test_subjects, "of Human3.6M's test subjects")):
            line += f"; {count:,} left out: {what}" if count else ""
        return line + (f" ({self.left_out[0].reason})" if self.broken else "")


def read_clips(sources: list[Source], reader: ClipReader, tally: Tally, *, max_broken: float) -> Iterator[Clip]:
    """Clips one by one; broken ones are left out, and stop the run when they are too many."""
    for source in tqdm(sources, desc="mocap", unit="clip", mininterval=5, disable=None):
        if source.is_test_subject:
            tally.test_subjects += 1
            continue
        try:
            clip = reader.read(source)
        except UserError as error:
            tally.broken += 1
            tally.left_out.append(LeftOut(source.sequence, str(error)))
            continue
        tally.clips, tally.frames = tally.clips + 1, tally.frames + len(clip)
        tally.notes.update(clip.notes)
        if clip.fit_error_mm is not None:
            tally.errors_mm.append(clip.fit_error_mm)
        yield clip
    if tally.broken > max_broken * (tally.broken + tally.clips):
        raise UserError(
            f"mocap: expected at most {max_broken:.0%} broken clips, found {tally.broken} of {len(sources)} "
            f"({tally.left_out[0].reason}); mend them or raise normalize.max_quarantine_fraction"
        )


def _with_mirror(clip: Clip, mirror: bool) -> Iterator[Clip]:
    yield clip
    if mirror:
        yield replace(clip, pose_axis_angle=mirror_pose(clip.pose_axis_angle), captured=None, mirrored=True)


def _attributes(paths: list[Path], sources: list[Source]) -> dict[str, Any]:
    """Root attributes: who made the motion, under which licence, from which files."""
    folder = paths[0] if len(paths) == 1 and paths[0].is_dir() else None
    manifest = read_json(folder / MANIFEST) if folder and (folder / MANIFEST).is_file() else {}
    if not isinstance(manifest, dict):
        raise UserError(f"{folder / MANIFEST}: expected source, licence and files, found a list; make the data again")
    return {
        "dataset": "mocap",
        "source": manifest.get("source", "official"),
        "licence": manifest.get("licence", "that of the motion's owners"),
        "raw_sha256": manifest_sha256(folder) if folder else _fingerprint(sources),
    }


def _fingerprint(sources: list[Source]) -> str:
    """One SHA-256 for all files, skeletons included."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.sequence} {sha256_file(source.path)}\n".encode())
    skeletons = {_skeleton_or_none(source.path) for source in sources if source.path.suffix.lower() == ".amc"} - {None}
    for path in sorted(skeletons):
        digest.update(f"{path.name} {sha256_file(path)}\n".encode())
    return digest.hexdigest()


def _skeleton_or_none(amc: Path) -> Path | None:
    try:
        return skeleton_of(amc)
    except UserError:
        return None
