"""How fast prediction is: from decoded crops to keypoints and mesh.

    python benchmarks/predict.py [params.yaml]

The package's path (channels last, batch norms folded, recorded operations, bodies posed a run at a time) against
a plain form of the same network and body (fp32, eager, NCHW, regressor and body as in the formulas, written out below),
batch 1 and 64, alternating in one run; and SMPLify on as many people.
Needs results/body/body.npz and results/mocap/pool.h5; the network has random weights. One thread. Rates and ratios are
medians of processor time, so that other work on the machine counts little; p50 and p95 are wall time.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from hmr.body.file import read_body_file
from hmr.body.joints import SMPL_PARENTS
from hmr.body.model import BodyModel
from hmr.data import augment
from hmr.mocap.pool import open_pool
from hmr.models.hmr import Network, read_theta
from hmr.params import load_params
from hmr.prediction.pose_prior import PosePrior
from hmr.prediction.predictor import NetworkSource, Poser
from hmr.prediction.smplify import Smplify
from hmr.training.start import mean_start

BODY, POOL = Path("results/body/body.npz"), Path("results/mocap/pool.h5")


class PlainBody:
    """Shape, correct, pose and skin, joint by joint and as in the formulas."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        names = ("v_template", "shapedirs", "posedirs", "weights", "J_regressor", "cocoplus_regressor")
        self.parts = {name: torch.from_numpy(np.asarray(arrays[name], np.float32)) for name in names}

    def __call__(self, rotmat: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        p, count = self.parts, len(betas)
        shaped = p["v_template"] + torch.einsum("bk,vck->bvc", betas, p["shapedirs"])
        rest = torch.einsum("jv,bvc->bjc", p["J_regressor"], shaped)
        bend = (rotmat[:, 1:] - torch.eye(3)).flatten(1)
        posed = shaped + torch.einsum("bk,vck->bvc", bend, p["posedirs"])
        world: list[Tensor] = []
        for joint, parent in enumerate(SMPL_PARENTS):
            local = torch.zeros(count, 4, 4)
            local[:, :3, :3], local[:, 3, 3] = rotmat[:, joint], 1
            local[:, :3, 3] = rest[:, joint] - (rest[:, parent] if parent >= 0 else 0)
            world.append(local if parent < 0 else world[parent] @ local)
        transforms = torch.stack(world, 1)
        moved = transforms[..., :3, 3] - (transforms[..., :3, :3] @ rest[..., None])[..., 0]
        transforms = torch.cat((transforms[..., :3, :3], moved[..., None]), -1)
        blended = torch.einsum("vj,bjrc->bvrc", p["weights"], transforms)
        vertices = (blended[..., :3] @ posed[..., None])[..., 0] + blended[..., 3]
        return vertices, torch.einsum("kv,bvc->bkc", p["cocoplus_regressor"], vertices)


def plain_thetas(network: Network, images: Tensor) -> Tensor:
    """The last theta, the regressor's rounds as the paper writes them."""
    features, theta = network.encoder(images), network.regressor.start.expand(len(images), -1)
    for _ in range(network.regressor.iterations):
        theta = theta + network.regressor.layers(torch.cat((features, theta), 1))
    return theta


def alternating(works: list[Callable[[], object]], rounds: int) -> np.ndarray:
    """(2, rounds, works) seconds of the processor and of the wall; every round runs each once, so all share luck."""
    for work in works:
        work()
    seconds = np.empty((2, rounds, len(works)))
    for k in range(rounds):
        for j, work in enumerate(works):
            began = time.process_time(), time.perf_counter()
            work()
            seconds[:, k, j] = time.process_time() - began[0], time.perf_counter() - began[1]
    return seconds


def main(params_path: str = "params.yaml") -> None:
    params = load_params(Path(params_path))
    image_px = params.train.model.image_px
    crop = augment.CropSize(params.normalize.crop_px, params.normalize.crop_reference_px)
    pool = open_pool(POOL)
    start = mean_start(pool)
    network = Network(params.train.model, start).eval()
    source = NetworkSource(network, torch.device("cpu"), image_px)
    body, plain_body = BodyModel.load(BODY), PlainBody(read_body_file(BODY))
    pose = Poser(body)
    print(f"images of {image_px} px, encoder {params.train.model.encoder}")

    hmr_seconds = {}
    for batch, rounds in ((1, 200), (64, 15)):
        crops = np.random.default_rng(0).integers(0, 256, (batch, crop.px, crop.px, 3), np.uint8)
        views = augment.plain_views(batch)
        to_view = augment.view_matrices(views, crop=crop, image_px=image_px, view_px=params.train.model.view_px)

        def ours(crops: np.ndarray = crops, to_view: np.ndarray = to_view) -> tuple[np.ndarray, np.ndarray]:
            pairs = zip(crops, to_view, strict=True)
            bodies = pose(source(np.stack([augment.warp(c, m, image_px) for c, m in pairs])))
            return bodies.vertices, bodies.keypoints_3d_m

        @torch.inference_mode()
        def plain(crops: np.ndarray = crops, to_view: np.ndarray = to_view) -> tuple[Tensor, Tensor]:
            pairs = zip(crops, to_view, strict=True)
            images = np.stack([augment.warp(c, m, image_px) for c, m in pairs])
            batch_of = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
            estimate = read_theta(plain_thetas(network, batch_of.contiguous()))
            return plain_body(estimate.full_pose_rotmat, estimate.betas)

        gap = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(ours(), plain(), strict=True))
        processor, wall = alternating([ours, plain], rounds)
        rates = batch / np.median(processor, 0)
        p50, p95 = 1000 * np.percentile(wall[:, 0], (50, 95))
        print(
            f"batch {batch}: {rates[0]:.0f} images a second, {rates[0] / rates[1]:.2f} times the plain form's "
            f"{rates[1]:.0f}; p50 {p50:.2f} ms, p95 {p95:.2f} ms; largest difference {1e6 * gap:.2f} micrometres"
        )
        hmr_seconds[batch] = 1 / rates[0]

    settings = params.predict.smplify
    prior = PosePrior.learn(pool, components=settings.components, frames=settings.frames, seed=settings.seed)
    fitter = Smplify(body, prior, start, iterations=settings.iterations)
    poses, _ = pool.sample(np.random.default_rng(1), 64)
    theta = start.repeat(64, 1)
    theta[:, 6:75] = torch.from_numpy(poses[:, 1:]).flatten(1)
    keypoints = torch.from_numpy(pose(theta).keypoints_norm)
    for batch in (1, 64):
        processor, _ = alternating([lambda n=batch: fitter.fit(keypoints[:n], torch.ones(n, 19))], 3)
        each = float(np.median(processor)) / batch
        print(f"SMPLify, batch {batch}: {each:.3f} s an image, {each / hmr_seconds[batch]:.0f} times HMR's")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with threadpool_limits(1):
        main(*sys.argv[1:])
