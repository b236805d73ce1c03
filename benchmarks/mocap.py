"""How near a body's joints come to a captured skeleton's and how fast, and what a large pool of motion costs.

python benchmarks/mocap.py fit FOLDER --body results/body/body.npz    # every .amc below FOLDER, every frame of it
python benchmarks/mocap.py oracle --body results/body/body.npz        # the studio's motions, whose poses are known
python benchmarks/mocap.py markers --body results/body/body.npz       # the studio's markers, as C3D: fit of both stages
python benchmarks/mocap.py real --body results/body/body.npz          # the open pool's real clips, done by the studio
python benchmarks/mocap.py pool --frames 4000000                      # made up; needs 340 bytes of disk a frame
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hmr.body.file import read_body_file
from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.download.humanoid import fetch_clips
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap import retarget as rt
from hmr.mocap.asf_amc import pose_skeleton, read_amc, read_asf, write_amc, write_asf
from hmr.mocap.c3d import Capture, read_c3d, write_c3d
from hmr.mocap.marker_body import MarkerBody, put_markers
from hmr.mocap.marker_fit import fit_actor, fit_frames, marker_points
from hmr.mocap.pool import Clip, open_pool, write_pool
from hmr.mocap.sources import CMU_FRAME_RATE_HZ, ClipReader, find_sources, skeleton_of
from hmr.params import StudioMocap
from hmr.studio.layouts.mocap import (
    METRES_PER_UNIT,
    cmu_channels,
    cmu_skeleton,
    real_motion,
    worn_by_subject,
    write_mocap,
)
from hmr.studio.motion import ACTIONS, sample_motion
from hmr.studio.people import sample_person
from hmr.studio.shoot import Studio

_LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow")
_SHARED = [SMPL_24.index(joint) for joint in rt.SHARED_JOINTS]
_CLIP_FRAMES = 100_000
# The joint above, the hinge, the joint below, and the axis in SMPL's rest pose about which it bends the right way.
_HINGES = {
    "knees": [
        ("left_hip", "left_knee", "left_ankle", (1, 0, 0)),
        ("right_hip", "right_knee", "right_ankle", (1, 0, 0)),
    ],
    "elbows": [
        ("left_shoulder", "left_elbow", "left_wrist", (0, -1, 0)),
        ("right_shoulder", "right_elbow", "right_wrist", (0, 1, 0)),
    ],
}
_WRONG_WAY_DEG = -5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    fit = parts.add_parser("fit")
    fit.add_argument("folder", type=Path)
    fit.add_argument("--body", type=Path, required=True)
    fit.add_argument("--threads", type=int, default=2)
    oracle = parts.add_parser("oracle")
    oracle.add_argument("--body", type=Path, required=True)
    oracle.add_argument("--people", type=int, default=20)
    markers = parts.add_parser("markers")
    markers.add_argument("--body", type=Path, required=True)
    markers.add_argument("--people", type=int, default=17)  # one action each
    markers.add_argument("--first", type=int, default=0, help="seed of the first person; the next has the next")
    markers.add_argument("--threads", type=int, default=2)
    real = parts.add_parser("real")
    real.add_argument("--body", type=Path, required=True)
    real.add_argument("--takes", type=int, default=2, help="of each clip; every other as markers")
    pool = parts.add_parser("pool")
    pool.add_argument("--frames", type=int, default=4_000_000)
    pool.add_argument("--samples", type=int, default=1_000_000)
    args = parser.parse_args()
    if args.part == "fit":
        torch.set_num_threads(args.threads)
        measure_fit(args.folder, rt.RestJoints.of(BodyModel.load(args.body)))
    elif args.part == "oracle":
        measure_oracle(args.people, rt.RestJoints.of(BodyModel.load(args.body)))
    elif args.part == "markers":
        torch.set_num_threads(args.threads)
        arrays = read_body_file(args.body)
        for spoilt in (False, True):
            measure_markers(args.first, args.people, BodyModel(arrays), put_markers(arrays), spoilt=spoilt)
    elif args.part == "real":
        measure_real(args.body, args.takes)
    else:
        measure_pool(args.frames, args.samples)


def measure_fit(folder: Path, body: rt.RestJoints) -> None:
    """Distances are between joints that both skeletons have, the whole body moved so that their means agree."""
    copied, fitted, seconds, processor = [], [], 0.0, 0.0
    bends: dict[str, list[np.ndarray]] = {hinge: [] for hinge in _HINGES}
    actors: dict[Path, rt.Actor] = {}
    for source in tqdm([s for s in find_sources([folder]) if s.path.suffix == ".amc"], unit="clip", disable=None):
        asf = skeleton_of(source.path)
        if asf not in actors:
            actors[asf] = rt.make_actor(*read_asf(asf), body, asf)
        actor = actors[asf]
        channels = read_amc(source.path, actor.skeleton, actor.metres_per_unit)
        channels = channels[np.isfinite(channels).all(1)]
        start, used = time.perf_counter(), time.process_time()
        found = rt.retarget(actor, channels)
        seconds, processor = seconds + time.perf_counter() - start, processor + time.process_time() - used
        posed, world = pose_skeleton(actor.skeleton, channels), rt.world_of(found.pose_axis_angle)
        copied.append(distances_mm(rt.world_rotations(actor, posed), actor, posed))
        fitted.append(distances_mm(world, actor, posed))
        for hinge, joints in _HINGES.items():
            bends[hinge].append(np.stack([bend_deg(world, actor, *joint) for joint in joints], 1))
        mm = fitted[-1]
        print(f"{source.sequence}: {len(mm):,} frames, {mm.mean():.1f} mm, worst frame {mm.mean(1).max():.1f} mm")
    for what, mm in (("bones' turns copied", np.concatenate(copied)), ("fitted", np.concatenate(fitted))):
        print(f"{what}: {mm.mean():.1f} mm, worst frame {mm.mean(1).max():.1f} mm, worst joint {mm.max():.1f} mm")
    for hinge, parts in bends.items():
        wrong = (np.concatenate(parts) < _WRONG_WAY_DEG).any(1).mean()
        print(f"{hinge} bent more than {-_WRONG_WAY_DEG:g} degrees the wrong way in {wrong:.2%} of frames")
    frames = sum(map(len, fitted))
    print(f"{frames / seconds:,.0f} frames/s by the clock, {frames / processor:,.0f} a processor's second")


def distances_mm(world: np.ndarray, actor: rt.Actor, posed: rt.PosedSkeleton) -> np.ndarray:
    """Between the body's joints and the source's, (frames, shared)."""
    gap = rt.place_joints(world, actor.rest_joints_m)[:, _SHARED] - rt.shared_points(posed, actor.skeleton)
    return 1000 * np.linalg.norm(gap - gap.mean(1, keepdims=True), axis=-1)


def bend_deg(
    world: np.ndarray, actor: rt.Actor, above: str, joint: str, below: str, axis: tuple[int, int, int]
) -> np.ndarray:
    """How far a hinge is bent the right way, (frames,); zero is straight."""
    first, middle, last = (actor.rest_joints_m[SMPL_24.index(name)] for name in (above, joint, below))
    upper, lower = world[:, SMPL_24.index(above)], world[:, SMPL_24.index(joint)]
    start, end, hinge = upper @ (middle - first), lower @ (last - middle), upper @ np.array(axis, float)
    start, end = (bone - (bone * hinge).sum(-1, keepdims=True) * hinge for bone in (start, end))
    return np.degrees(np.arctan2((np.cross(start, end) * hinge).sum(-1), (start * end).sum(-1)))


def measure_oracle(people: int, body: rt.RestJoints) -> None:
    """One motion of each made-up person, written as ASF and AMC, read and fitted, shape included; but for the hands."""
    turns, joints = [], []
    told = [joint for joint, name in enumerate(SMPL_24.joints) if not name.endswith("_hand")]
    for person in tqdm(range(people), unit="person", disable=None):
        rng = np.random.default_rng(person)
        rest = body.at(sample_person(rng).betas)
        skeleton = cmu_skeleton(rest)
        motion = sample_motion(rng, tuple(ACTIONS)[person % len(ACTIONS)], 240, CMU_FRAME_RATE_HZ)
        with tempfile.TemporaryDirectory() as folder:
            asf, amc = Path(folder) / "1.asf", Path(folder) / "1_1.amc"
            write_asf(asf, skeleton, name="1", metres_per_unit=METRES_PER_UNIT)
            write_amc(amc, skeleton, cmu_channels(skeleton, rest, motion), metres_per_unit=METRES_PER_UNIT)
            actor = rt.make_actor(*read_asf(asf), body, asf)
            found = rt.world_of(
                rt.retarget(actor, read_amc(amc, actor.skeleton, actor.metres_per_unit)).pose_axis_angle
            )
        true = rt.world_of(motion.full_pose_axis_angle)
        between = Rotation.from_matrix((np.swapaxes(true, -1, -2) @ found).reshape(-1, 3, 3)).magnitude()
        turns.append(np.degrees(between).reshape(-1, 24)[:, told])
        places = [rt.place_joints(true, rest), rt.place_joints(found, actor.rest_joints_m)]
        about = [at[:, told] - at[:, told].mean(1, keepdims=True) for at in places]
        joints.append(1000 * np.linalg.norm(about[0] - about[1], axis=-1))
    degrees = np.concatenate(turns)
    print(f"joints {np.concatenate(joints).mean():.1f} mm on average; bones' world rotations, median of all frames:")
    print(f"{np.median(degrees):.2f} degrees, 95 % within {np.percentile(degrees, 95):.2f}")
    for joint, column in zip(told, degrees.T, strict=True):
        print(f"  {SMPL_24.joints[joint]}: {np.median(column):.2f}")


def measure_markers(first: int, people: int, body: BodyModel, markers: MarkerBody, *, spoilt: bool) -> None:
    """One motion of each made-up person, worn markers beside their places, written as C3D, read and fitted."""
    joints, vertices, turns, stage_one, stage_two, processor, frames = [], [], [], 0.0, 0.0, 0.0, 0
    for person in tqdm(range(first, first + people), unit="person", disable=None):
        rng = np.random.default_rng(person)
        betas = sample_person(rng).betas
        motion = sample_motion(rng, tuple(ACTIONS)[person % len(ACTIONS)], 480, CMU_FRAME_RATE_HZ)
        pelvis_m = motion.transl + np.array([0.0, 1.0, 0.0])
        worn = worn_by_subject(rng, markers)
        points = marker_points(worn, betas, motion.full_pose_axis_angle, pelvis_m)
        if spoilt:
            spoil(rng, points, markers)
        with tempfile.TemporaryDirectory() as folder:
            write_c3d(Path(folder) / "1.c3d", Capture(markers.labels, points, CMU_FRAME_RATE_HZ))
            points = read_c3d(Path(folder) / "1.c3d").points_m
        start = time.perf_counter()
        actor = fit_actor(markers, points, CMU_FRAME_RATE_HZ)
        stage_one += time.perf_counter() - start
        start, used = time.perf_counter(), time.process_time()
        found = fit_frames(actor, points, CMU_FRAME_RATE_HZ)
        stage_two, processor = stage_two + time.perf_counter() - start, processor + time.process_time() - used
        frames += len(points)
        true = motion.full_pose_axis_angle[found.frame]
        between = Rotation.from_matrix(
            (np.swapaxes(rt.world_of(true), -1, -2) @ rt.world_of(found.pose_axis_angle)).reshape(-1, 3, 3)
        )
        turns.append(np.degrees(between.magnitude()).reshape(-1, 24))
        some = slice(None, None, 8)
        pair = (
            placed(body, betas, true[some], pelvis_m[found.frame][some]),
            placed(body, actor.betas, found.pose_axis_angle[some], found.pelvis_m[some]),
        )
        vertices.append(1000 * np.linalg.norm(pair[0][0] - pair[1][0], axis=-1))
        joints.append(1000 * np.linalg.norm(pair[0][1] - pair[1][1], axis=-1))
    per_frame, degrees = np.concatenate(joints).mean(1), np.concatenate(turns)
    told = [joint for joint, name in enumerate(SMPL_24.joints) if not name.endswith("_hand")]
    print("3 mm of noise, 10 % lost, 2 % swapped" if spoilt else "no noise", f"({people} people, {frames:,} frames):")
    print(f"  joints {per_frame.mean():.1f} mm, worst frame {per_frame.max():.1f} mm;", end=" ")
    print(f"vertices {np.concatenate(vertices).mean():.1f} mm, nothing aligned")
    print(f"  bones' world rotations, median {np.median(degrees[:, told]):.2f} degrees,", end=" ")
    print(f"95 % within {np.percentile(degrees[:, told], 95):.1f}, all within {degrees[:, told].max():.0f}")
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        both = degrees[:, [SMPL_24.index(f"{side}_{name}") for side in ("left", "right")]]
        over = (both > 90).any(1).mean()
        print(f"    {name}: median {np.median(both):.1f}, 99 % in {np.percentile(both, 99):.0f}, over 90 in {over:.2%}")
    print(
        f"  stage one {stage_one / people:.1f} s a subject; stage two {frames / stage_two:,.0f} frames/s by the clock,",
        end=" ",
    )
    print(f"{frames / processor:,.0f} a processor's second")


def spoil(rng: np.random.Generator, points: np.ndarray, markers: MarkerBody) -> None:
    """3 mm of noise along each axis; 2 % of the markers swapped with another, half of these with a near one, for 5 to
    25 frames; 10 % lost for 5 to 60 frames."""
    points += rng.normal(0, 0.003, points.shape)
    frames, count = points.shape[:2]
    swapped = np.zeros((frames, count), bool)
    while swapped.mean() < 0.02:
        first, length, start = rng.integers(count), rng.integers(5, 25), rng.integers(frames)
        near = np.argsort(np.linalg.norm(markers.sites_m - markers.sites_m[first], axis=1))
        pair = [first, near[rng.integers(1, 4)] if rng.random() < 0.5 else near[rng.integers(1, count)]]
        points[start : start + length, pair] = points[start : start + length, pair[::-1]]
        swapped[start : start + length, pair] = True
    lost = np.zeros((frames, count), bool)
    while lost.mean() < 0.1:
        start = rng.integers(-60, frames)
        lost[max(0, start) : max(0, start + rng.integers(5, 60)), rng.integers(count)] = True
    points[lost] = np.nan


def placed(body: BodyModel, betas: np.ndarray, pose: np.ndarray, pelvis_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and joints of a body whose pelvis is at a place, metres."""
    rotmat = axis_angle_to_rotmat(torch.from_numpy(pose.astype(np.float32)))
    posed = body(betas=torch.from_numpy(np.tile(betas, (len(pose), 1)).astype(np.float32)), full_pose_rotmat=rotmat)
    shift = torch.from_numpy(pelvis_m.astype(np.float32))[:, None] - posed.joints[:, :1]
    return (posed.vertices + shift).numpy(), (posed.joints + shift).numpy()


def measure_real(body: Path, takes: int) -> None:
    """The real clips as the studio's people do them, written and read as `hmr mocap` would; joints of the mean body."""
    clips, reader = fetch_clips(), ClipReader(read_body_file(body), 10.0)
    true_of = {clip.name: real_motion(clip, CMU_FRAME_RATE_HZ, reader.body.template_m) for clip in clips}
    limbs = [SMPL_24.index(f"{side}_{name}") for side in ("left", "right") for name in _LIMBS]
    joints, turns = [], []
    with tempfile.TemporaryDirectory() as folder:
        write_mocap(Path(folder), Studio(body), StudioMocap(0, 0.0, takes), seed=0, real=clips)
        for source in tqdm(find_sources([Path(folder)]), unit="clip", disable=None):
            found = reader.read(source)
            true = true_of[source.path.stem.rpartition("-")[0]].full_pose_axis_angle[found.frame]
            pair = (
                rt.place_joints(rt.world_of(pose), reader.body.template_m) for pose in (true, found.pose_axis_angle)
            )
            gap = np.subtract(*(at - at[:, :1] for at in pair))
            joints.append(1000 * np.linalg.norm(gap, axis=-1))
            local = [Rotation.from_rotvec(pose.reshape(-1, 3)) for pose in (true, found.pose_axis_angle)]
            turns.append(np.degrees((local[0].inv() * local[1]).magnitude()).reshape(-1, 24)[:, limbs])
            print(f"{source.sequence}: {joints[-1].mean():.1f} mm, {turns[-1].max():.0f} degrees at most")
    mm, degrees = np.concatenate(joints), np.concatenate(turns)
    print(f"joints {mm.mean():.1f} mm, worst {mm.max():.1f} mm; limbs' joints {degrees.max():.0f} degrees at most")


def measure_pool(frames: int, samples: int) -> None:
    """Memory that the pool adds to the process, and frames drawn at random a second, 64 at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.h5"
        write_pool(path, made_up(frames), attributes={"dataset": "mocap"})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        pool = open_pool(path)
        opened = time.perf_counter() - start
        rng, start, used = np.random.default_rng(0), time.perf_counter(), time.process_time()
        for _ in range(samples // 64):
            pool.sample(rng, 64)
        seconds, used = time.perf_counter() - start, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{frames:,} frames: {peak:,.0f} MB at the peak, of which {before:,.0f} MB before the pool was opened")
    drawn = samples // 64 * 64
    print(
        f"opened in {opened:.2f} s; frames at random: {drawn / seconds:,.0f} a second, {drawn / used:,.0f} of its own"
    )


def made_up(frames: int) -> Iterator[Clip]:
    """Clips of noise, made one at a time."""
    rng = np.random.default_rng(0)
    for start in tqdm(range(0, frames, _CLIP_FRAMES), desc="made up", unit="clip", disable=None):
        count = min(_CLIP_FRAMES, frames - start)
        pose = rng.standard_normal((count, 24, 3), np.float32)
        yield Clip(f"clip{start}", pose, rng.standard_normal(10), np.arange(count), 10.0)


if __name__ == "__main__":
    main()
