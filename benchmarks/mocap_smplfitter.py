"""Our fits beside smplfitter's (Sarandi and Pons-Moll 2024), on one body, the same motions and in one run.

python -m pip install smplfitter==0.6.0
python benchmarks/mocap_smplfitter.py --body results/body/body.npz

Motions are the studio's, whose poses are known. smplfitter gets the 24 joints and the 41 points of the skin under the
markers, and one shape for each clip. Our marker fit gets the same points alone; our skeleton fit the joints and bones'
turns that an ASF/AMC file tells, which are more than joints. Joints' distances are taken after a shift of the pelvis.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from smplfitter.pt import BodyFitter
from smplfitter.pt import BodyModel as TheirModel
from tqdm import tqdm

from hmr.body.file import read_body_file, write_body_file
from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap import retarget as rt
from hmr.mocap.marker_body import put_markers
from hmr.mocap.marker_fit import fit_actor, fit_frames
from hmr.studio.layouts.mocap import METRES_PER_UNIT, cmu_channels, cmu_skeleton
from hmr.studio.motion import ACTIONS, sample_motion
from hmr.studio.people import sample_person

RATE_HZ, FRAMES, ITERATIONS = 120.0, 480, 3
_TOLD = [joint for joint, name in enumerate(SMPL_24.joints) if not name.endswith(("_hand", "_foot"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--noise-mm", type=float, default=0.0)
    args = parser.parse_args()
    arrays = read_body_file(args.body)
    body, rest, markers = BodyModel(arrays), rt.RestJoints.of(BodyModel(arrays)), put_markers(arrays)
    skin = [int(np.linalg.norm(arrays["v_template"] - site, axis=1).argmin()) for site in markers.sites_m]
    on_skin = markers.moved(arrays["v_template"][skin] - markers.sites_m)
    with tempfile.TemporaryDirectory() as folder:
        write_body_file(Path(folder) / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", arrays)
        np.save(Path(folder) / "kid_template.npy", arrays["v_template"])  # asked for, and not used
        theirs = BodyFitter(
            TheirModel("smpl", "neutral", model_root=folder, num_betas=10, vertex_subset=np.array(skin))
        )
    scores: dict[str, list] = {}
    for person in tqdm(range(args.people), unit="person", disable=None):
        rng = np.random.default_rng(person)
        betas = sample_person(rng).betas
        motion = sample_motion(rng, tuple(ACTIONS)[person % len(ACTIONS)], FRAMES, RATE_HZ)
        pose = motion.full_pose_axis_angle
        tiled = torch.from_numpy(np.tile(betas, (FRAMES, 1)).astype(np.float32))
        with torch.no_grad():
            posed = body.for_vertices(torch.tensor(skin))(
                betas=tiled, full_pose_rotmat=axis_angle_to_rotmat(torch.from_numpy(pose.astype(np.float32)))
            )
        noise = args.noise_mm / 1000
        points = posed.vertices + noise * torch.from_numpy(rng.standard_normal(posed.vertices.shape, np.float32))
        joints = posed.joints + noise * torch.from_numpy(rng.standard_normal(posed.joints.shape, np.float32))

        start = time.process_time()
        with torch.no_grad():
            found = theirs.fit(
                points, joints, num_iter=ITERATIONS, share_beta=True, requested_keys=["pose_rotvecs", "shape_betas"]
            )
        used = time.process_time() - start
        shape = found["shape_betas"][0].numpy().astype(float)
        scores.setdefault("smplfitter, joints and skin", []).append(
            score(pose, found["pose_rotvecs"].numpy().reshape(-1, 24, 3), rest.at(betas), rest.at(shape), used)
        )

        start = time.process_time()
        actor = fit_actor(on_skin, points.numpy().astype(float), RATE_HZ)
        markers_found = fit_frames(actor, points.numpy().astype(float), RATE_HZ)
        used = time.process_time() - start
        scores.setdefault("ours, skin alone (both stages)", []).append(
            score(pose, markers_found.pose_axis_angle, rest.at(betas), rest.at(actor.betas), used)
        )

        skeleton = cmu_skeleton(rest.at(betas))
        channels = cmu_channels(skeleton, rest.at(betas), motion)
        start = time.process_time()
        of_lengths = rt.make_actor(skeleton, METRES_PER_UNIT, rest, "the studio")
        copied = rt.retarget(of_lengths, channels)
        used = time.process_time() - start
        scores.setdefault("ours, skeleton with bones' turns", []).append(
            score(pose, copied.pose_axis_angle, rest.at(betas), of_lengths.rest_joints_m, used)
        )
    for name, parts in scores.items():
        mm, degrees = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        rate = args.people * FRAMES / sum(part[2] for part in parts)
        print(f"{name}: joints {mm.mean():.1f} mm, bones {np.median(degrees):.2f} degrees in the middle, ", end="")
        print(f"95 % within {np.percentile(degrees, 95):.1f}; {rate:,.0f} frames a processor's second")


def score(
    true: np.ndarray, found: np.ndarray, true_rest: np.ndarray, found_rest: np.ndarray, seconds: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Joints' distances (mm) and bones' world rotations (degrees) apart from the truth."""
    worlds = rt.world_of(true), rt.world_of(found.astype(float))
    places = [rt.place_joints(world, at) for world, at in zip(worlds, (true_rest, found_rest), strict=True)]
    about = [place[:, _TOLD] - place[:, :1] for place in places]
    turns = Rotation.from_matrix((np.swapaxes(worlds[0], -1, -2) @ worlds[1])[:, _TOLD].reshape(-1, 3, 3)).magnitude()
    return 1000 * np.linalg.norm(about[0] - about[1], axis=-1), np.degrees(turns), seconds


if __name__ == "__main__":
    main()
