"""How fast training is, each part against a plain form of the same in one run.

    python benchmarks/train.py posing            keypoints alone, forward and backward, against smplx with all vertices
    python benchmarks/train.py step [PRESET]     a whole training step against the plain form written out below
    python benchmarks/train.py loader [VARIANT]  preparing batches and validation against training on them, and waiting
    python benchmarks/train.py compiled [PRESET] the encoder, forward and backward, by torch.compile against as it is

Needs results/body/body.npz but for `compiled`, which needs a C++ compiler; `loader` needs the sets and the pool that a
run has made as well. Networks have random weights. Times are of the process, not of the clock, so other work on the
machine counts little; the two sides take turns, one thread each, and the ratio of their medians counts. Only waiting is
measured by the clock.
"""

import argparse
import contextlib
import copy
import dataclasses
import io
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import smplx
import torch
from torch import Tensor, nn

from hmr import losses
from hmr.body.file import read_body_file, write_body_file
from hmr.body.model import BodyModel
from hmr.data.loader import Batch, iterate
from hmr.device import keep_freed_memory, pick_precision
from hmr.geometry.cameras import weak_perspective
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap.pool import open_pool
from hmr.models.critics import Critics
from hmr.models.encoder import make_encoder
from hmr.models.hmr import Network, network_input, read_theta
from hmr.params import TrainParams, load_params, points_too, training_inputs
from hmr.steps.preset import PRESETS
from hmr.training import loop
from hmr.training.inputs import batches_of, real_bodies, watched
from hmr.training.objective import RealBodies, encoder_weights
from hmr.training.optimisers import network_optimisers
from hmr.training.start import mean_start
from hmr.training.validation import Validation, bodies_of

BODY, POOL, SETS = Path("results/body/body.npz"), Path("results/mocap/pool.h5"), Path("results/normalize")
CPU = torch.device("cpu")


def seconds(call: Callable[[], object]) -> float:
    """Of this process."""
    began = time.process_time()
    call()
    return time.process_time() - began


def ratio(plain: Callable[[], float], ours: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, taking turns after one round that does not count, and how often ours fits into plain."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for taken, call in zip(times, (plain, ours), strict=True):
            taken.append(call())
    slow, fast = (statistics.median(taken[1:]) for taken in times)
    return slow, fast, slow / fast


def reference_body(batch_size: int) -> tuple[nn.Module, Tensor]:
    """The same body in smplx, all 6,890 vertices of it, and the keypoint regressor as a whole matrix."""
    arrays = read_body_file(BODY)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        write_body_file(Path(folder) / "body.pkl", arrays)
        model = smplx.SMPL(
            str(Path(folder) / "body.pkl"),
            batch_size=batch_size,
            create_betas=False,
            create_body_pose=False,
            create_global_orient=False,
            create_transl=False,
        )
    return model, torch.from_numpy(np.asarray(arrays["cocoplus_regressor"], np.float32))


def reference_keypoints(model: nn.Module, regressor: Tensor, pose: Tensor, betas: Tensor) -> Tensor:
    """19 keypoints by smplx, from axis-angle (B, 24, 3)."""
    posed = model(betas=betas, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1))
    return regressor @ posed.vertices


def posing(batch_size: int = 64, rounds: int = 15) -> None:
    """From axis-angle and betas to keypoints and back to gradients, against smplx."""
    rng = torch.Generator().manual_seed(0)
    pose = (0.4 * torch.randn(batch_size, 24, 3, generator=rng)).requires_grad_()
    betas = torch.randn(batch_size, 10, generator=rng).requires_grad_()
    pull = torch.randn(batch_size, 19, 3, generator=rng)
    body, (model, regressor) = BodyModel.load(BODY).for_keypoints(), reference_body(batch_size)

    def back(keypoints: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (keypoints.detach(), *torch.autograd.grad((keypoints * pull).sum(), (pose, betas)))

    def plain() -> tuple[Tensor, Tensor, Tensor]:
        return back(reference_keypoints(model, regressor, pose, betas))

    def ours() -> tuple[Tensor, Tensor, Tensor]:
        posed = body(betas=betas, full_pose_rotmat=axis_angle_to_rotmat(pose))
        return back(body.keypoints(posed.vertices))

    (points, *gradients), (points_plain, *gradients_plain) = ours(), plain()
    apart = [float((a - b).norm() / b.norm()) for a, b in zip(gradients, gradients_plain, strict=True)]
    slow, fast, times = ratio(lambda: seconds(plain), lambda: seconds(ours), rounds)
    print(f"smplx, {len(model.v_template):,} vertices: {slow * 1e3:8.1f} ms for {batch_size} bodies, with gradients")
    print(f"keypoints alone, {len(body.v_template):,}:      {fast * 1e3:8.1f} ms   {times:.1f} times")
    print(f"keypoints differ by at most {float((points - points_plain).abs().max()):.1e} m")
    print(f"gradients differ by {apart[0]:.1e} (pose) and {apart[1]:.1e} (betas), relative")


class PlainCritics(nn.Module):
    """The critics as a loop over joints, with the same weights."""

    def __init__(self, critics: Critics) -> None:
        super().__init__()
        critics = copy.deepcopy(critics)
        self.embed, self.full_pose, self.shape = critics.embed, critics.full_pose, critics.shape
        self.joints = nn.ModuleList()
        for weight, bias in zip(critics.joint_weight, critics.joint_bias, strict=True):
            head = nn.Linear(32, 1)
            head.weight.data, head.bias.data = weight.detach()[None].clone(), bias.detach()[None].clone()
            self.joints.append(head)

    def forward(self, body_pose_rotmat: Tensor, betas: Tensor) -> Tensor:
        embedded = [self.embed(body_pose_rotmat[:, joint].flatten(1)) for joint in range(23)]
        each = [head(one) for head, one in zip(self.joints, embedded, strict=True)]
        return torch.cat((*each, self.full_pose(torch.cat(embedded, 1)), self.shape(betas)), 1)


class PlainStep:
    """A training step as one would write it down: 32-bit, channels first, smplx' whole mesh, critics in a loop.

    With `every_mesh` the body is posed after each iteration, as the method's code does, not after the last alone.
    """

    def __init__(self, state: loop.State, params: TrainParams, start: Tensor, *, every_mesh: bool) -> None:
        self.params, self.every_mesh = params, every_mesh
        self.network = Network(params.model, start)
        self.network.load_state_dict(state.network.state_dict())
        self.critics = PlainCritics(state.critics)
        self.model, self.regressor = reference_body(params.optimiser.batch_size)
        self.optimisers = network_optimisers(self.network, params.optimiser).values()
        self.critic_optimiser = torch.optim.Adam(self.critics.parameters(), params.critics.learning_rate)

    def __call__(self, batch: Batch, real: RealBodies) -> dict[str, float]:
        image, pointing = network_input(batch.image), points_too(self.params)
        thetas, places = self.network.locate(image) if pointing else (self.network(image), None)
        estimates = [read_theta(theta) for theta in thetas]
        posed = [self._keypoints(e) for e in (estimates if self.every_mesh else estimates[-1:])]
        terms = self._labels(estimates[-1], posed[-1], batch)
        if pointing:
            terms["keypoints"] = losses.joints_2d_loss(
                pred_keypoints_norm=places, gt_keypoints_norm=batch.keypoints_norm, visible=batch.visible
            )
        fakes = [(e.full_pose_rotmat[:, 1:], e.betas) for e in estimates]
        scores = torch.cat([self.critics(pose, betas) for pose, betas in fakes])
        terms["adversarial"] = losses.adversarial_loss(scores)
        weights = encoder_weights(self.params)
        total = sum(weights[name] * term for name, term in terms.items())
        self.network.zero_grad()
        total.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        self.critic_optimiser.zero_grad()
        apart = torch.cat([self.critics(pose.detach(), betas.detach()) for pose, betas in fakes])
        bodies = [body.clone().requires_grad_() for body in (real.body_pose_rotmat, real.betas)]
        truly = self.critics(*bodies)
        critic = losses.critic_loss(real_scores=truly, fake_scores=apart)
        if penalty := self.params.critics.gradient_penalty:
            critic = critic + penalty * losses.gradient_penalty(truly, bodies)
        critic.backward()
        self.critic_optimiser.step()
        return {name: value.item() for name, value in {**terms, "total": total, "critics": critic}.items()}

    def _keypoints(self, estimate) -> Tensor:
        return reference_keypoints(self.model, self.regressor, estimate.full_pose_axis_angle, estimate.betas)

    @staticmethod
    def _labels(estimate, keypoints: Tensor, batch: Batch) -> dict[str, Tensor]:
        seen = weak_perspective(keypoints, cam_scale=estimate.cam_scale, cam_shift=estimate.cam_shift)
        return {
            "joints_2d": losses.joints_2d_loss(
                pred_keypoints_norm=seen, gt_keypoints_norm=batch.keypoints_norm, visible=batch.visible
            ),
            "joints_3d": losses.joints_3d_loss(
                pred_joints=keypoints[:, :14], gt_joints=batch.joints_3d_m, has_joints_3d=batch.has_joints_3d
            ),
            "smpl": losses.smpl_loss(
                pred_rotmat=estimate.full_pose_rotmat,
                gt_rotmat=axis_angle_to_rotmat(batch.pose_axis_angle),
                pred_betas=estimate.betas,
                gt_betas=batch.betas,
                has_smpl=batch.has_smpl,
            ),
        }


def made_up(params: TrainParams) -> tuple[Batch, RealBodies]:
    """A batch and real bodies of the right sizes; half of the samples have 3D labels."""
    rng = np.random.default_rng(0)
    size, px = params.optimiser.batch_size, params.model.image_px
    labelled = np.arange(size) % 2 == 0
    arrays = {
        "image": rng.integers(0, 256, (size, px, px, 3), dtype=np.uint8),
        "keypoints_norm": rng.uniform(-0.8, 0.8, (size, 19, 2)).astype(np.float32),
        "visible": rng.random((size, 19)) < 0.8,
        "joints_3d_m": (0.3 * rng.normal(size=(size, 14, 3))).astype(np.float32),
        "has_joints_3d": labelled,
        "pose_axis_angle": (0.3 * rng.normal(size=(size, 24, 3))).astype(np.float32),
        "betas": rng.normal(size=(size, 10)).astype(np.float32),
        "has_smpl": labelled,
    }
    count = size * params.model.iterations
    pose = axis_angle_to_rotmat(torch.from_numpy(0.3 * rng.normal(size=(count, 23, 3))).float())
    real = RealBodies(pose, torch.from_numpy(rng.normal(size=(count, 10))).float())
    return Batch(**{name: torch.from_numpy(value) for name, value in arrays.items()}), real


def serve_plain(params: TrainParams, start: Tensor, pipe: Connection) -> None:
    """Take a step of the form that is asked for, and answer with its seconds and losses.

    In a process of its own: ours keeps the memory that it frees, which a plain form would not think of.
    """
    torch.set_num_threads(1)
    batch, real = made_up(params)
    state = loop.new_state(params, start, CPU)
    forms = {name: PlainStep(state, params, start, every_mesh=every) for name, every in _FORMS.items()}
    while name := pipe.recv():
        began = time.process_time()
        terms = forms[name](batch, real)
        pipe.send((time.process_time() - began, terms))


def step(preset: str, batch_size: int | None, precision: str | None, rounds: int) -> None:
    """A whole step of a preset's `paired` against `PlainStep`; dropout is off, so that both cost the same numbers."""
    params = load_params(PRESETS / f"{preset}.yaml").variant("paired")
    optimiser = dataclasses.replace(
        params.optimiser,
        precision=pick_precision(precision or params.optimiser.precision, CPU),
        batch_size=batch_size or params.optimiser.batch_size,
    )
    model = dataclasses.replace(params.model, dropout=0.0)
    params = dataclasses.replace(params, optimiser=optimiser, model=model)
    batch, real = made_up(params)
    body, start = BodyModel.load(BODY).for_keypoints(), torch.zeros(85)
    start[:4] = torch.tensor((0.9, 0.0, 0.0, torch.pi))
    weights, objective = encoder_weights(params), loop.paper_objective(params, body, lambda _: real)
    state = loop.new_state(params, start, CPU)
    pipe, theirs = multiprocessing.Pipe()
    multiprocessing.get_context("spawn").Process(target=serve_plain, args=(params, start, theirs), daemon=True).start()

    def plain(form: str) -> tuple[float, dict[str, float]]:
        pipe.send(form)
        return pipe.recv()

    keep_freed_memory()
    first = loop.step(state, params, objective, weights, batch, CPU)
    plain_first = plain("once")[1]
    worst = max(abs(float(first[name]) - value) / abs(value) for name, value in plain_first.items())
    print(f"{preset}, {params.model.image_px} px, batch {params.optimiser.batch_size}, ours in {optimiser.precision}")
    print(f"the first step's losses differ by at most {worst:.1e}, relative")

    def ours() -> None:
        loop.step(state, params, objective, weights, batch, CPU)
        state.step += 1

    for name in _FORMS:
        slow, fast, times = ratio(lambda name=name: plain(name)[0], lambda: seconds(ours), rounds)
        print(f"plain, mesh {name:5s} {slow * 1e3:9.0f} ms   ours {fast * 1e3:9.0f} ms   {times:.2f} times")
    pipe.send("")


_FORMS = {"once": False, "thrice": True}


def loader(variant: str, steps: int) -> None:
    """Preparing batches, once from disk and once from what is kept in memory, against training on them."""
    params = load_params().variant(variant)
    data = [SETS / f"{name}-train.h5" for name in training_inputs(params)]
    batches = batches_of(data, params)
    pool = open_pool(POOL)
    body = BodyModel.load(BODY).for_keypoints()
    state, draw = loop.new_state(params, mean_start(pool, params.model.view_px), CPU), real_bodies(pool, params, CPU)
    objective, weights = loop.paper_objective(params, body, draw), encoder_weights(params)
    validation = Validation.of(watched(data, params), bodies_of(body), params, CPU)
    spent: dict[str, list[float]] = {"from disk": [], "kept": [], "step": [], "validation": []}
    for number in range(steps + 2):
        for what, call in (
            ("from disk", lambda n=number: batches[n]),
            ("kept", lambda n=number: batches[n]),
            ("step", lambda n=number: loop.step(state, params, objective, weights, batches[n], CPU)),
            ("validation", lambda: validation.figures(state.network)),
        ):
            began = time.process_time()
            call()
            spent[what].append(time.process_time() - began)
        state.step += 1
    size = params.optimiser.batch_size
    disk, kept, stepping, looking = (statistics.median(times[2:]) for times in spent.values())
    stepping -= kept  # the batch is prepared once more in it
    print(f"training:               {size / stepping:7.0f} images/s")
    print(f"loader, first epoch:    {size / disk:7.0f} images/s   {stepping / disk:.1f} times")
    print(f"loader, crops kept:     {size / kept:7.0f} images/s   {stepping / kept:.1f} times")
    read = sum(
        min(1.0, len(p) / (n * len(batches))) * n / size for p, n in zip(batches.pools, batches.counts, strict=True)
    )
    mean = kept + read * (disk - kept)
    print(f"loader, whole training: {size / mean:7.0f} images/s   {stepping / mean:.1f} times; {read:.0%} are decoded")
    if every := params.validation.every_steps:
        print(f"validation:             {looking * 1e3:7.0f} ms         {looking / (every * stepping):.1%} of the time")
    waiting, working, began = 0.0, 0.0, time.perf_counter()
    for number, batch in enumerate(iterate(batches, first=0, workers=1)):
        waited = time.perf_counter() - began
        loop.step(state, params, objective, weights, batch, CPU)
        if number >= 5:  # until then the worker starts
            waiting, working = waiting + waited, working + time.perf_counter() - began
        if number == steps + 5:
            break
        began = time.perf_counter()
    print(f"waiting for one worker: {waiting / working:7.1%} of the time, by the clock, in the first epoch")


def compiled(preset: str, batch_size: int | None, precision: str | None, rounds: int) -> None:
    """The encoder on a batch of a preset's, and back, as torch.compile makes it and as it is."""
    params = load_params(PRESETS / f"{preset}.yaml").variant("paired")
    precision = pick_precision(precision or params.optimiser.precision, CPU)
    size, px = batch_size or params.optimiser.batch_size, params.model.image_px
    encoder = make_encoder(params.model.encoder).to(memory_format=torch.channels_last)
    quick = torch.compile(encoder)
    images = torch.rand(size, 3, px, px).to(memory_format=torch.channels_last)
    keep_freed_memory()

    def there_and_back(form: Callable[[Tensor], Tensor]) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            features = form(images)
        features.float().square().mean().backward()
        encoder.zero_grad()

    making = seconds(lambda: there_and_back(quick))
    print(f"{preset}, {px} px, batch {size}, {precision}; compiled in {making:.0f} s")
    asis, fast, times = ratio(
        lambda: seconds(lambda: there_and_back(encoder)), lambda: seconds(lambda: there_and_back(quick)), rounds
    )
    print(f"as it is {asis * 1e3:9.0f} ms   compiled {fast * 1e3:9.0f} ms   {times:.2f} times")


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("posing")
    for name in ("step", "compiled"):
        step_parser = commands.add_parser(name)
        step_parser.add_argument("preset", nargs="?", default="open")
        step_parser.add_argument("--batch-size", type=int, help="the preset's own where it is not given")
        step_parser.add_argument(
            "--precision", choices=("float32", "bfloat16", "auto"), help="the preset's own if not given"
        )
        step_parser.add_argument("--rounds", type=int, default=9)
    loader_parser = commands.add_parser("loader")
    loader_parser.add_argument("variant", nargs="?", default="paired")
    loader_parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    if args.command == "posing":
        posing()
    elif args.command == "step":
        step(args.preset, args.batch_size, args.precision, args.rounds)
    elif args.command == "compiled":
        compiled(args.preset, args.batch_size, args.precision, args.rounds)
    else:
        loader(args.variant, args.steps)


if __name__ == "__main__":
    main()
