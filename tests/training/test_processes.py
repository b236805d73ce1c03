"""Two processes train as one does, and either goes on where the other was. Parts of a batch cost what it does whole."""

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_training import CPU, PARAMS, MadeUpPool, batches, draw_real
from torch import Tensor
from toy import toy_body

from hmr.body.model import BodyModel
from hmr.data.loader import WHOLE, Batches, Part, iterate
from hmr.errors import UserError
from hmr.params import TrainParams
from hmr.training import loop, processes
from hmr.training.objective import RealBodies, encoder_weights

STEPS, HALF = 12, 6
# Dropout draws by process, so that no two agree; without it nothing is left but the order of sums.
# Muon moves rarest directions as far as any other, where gradients are little more than rounding: so at a low rate.
SETTINGS = dataclasses.replace(PARAMS.optimiser, steps=STEPS, batch_size=10, muon_learning_rate=0.002)
ALIKE = dataclasses.replace(
    PARAMS, optimiser=SETTINGS, model=dataclasses.replace(PARAMS.model, dropout=0.0, iterations=2)
)


def views(params: TrainParams, *, until: int) -> Batches:
    """Batches of two pools, this process's part of each; the training is cut off at step `until`."""
    made = batches(params)
    made.part, made.steps = processes.share(), until
    return made


def as_many_real(step: int) -> RealBodies:
    """As many real bodies as predicted ones."""
    drawn, count = draw_real(step), ALIKE.optimiser.batch_size * ALIKE.model.iterations
    return RealBodies(drawn.body_pose_rotmat[:count], drawn.betas[:count])


def go_on(folder: Path, name: str, *, until: int, start: str | None = None) -> dict[str, Tensor]:
    """Train from a kept state, or anew; keep the state that it ends in. Returns gradients of the last step."""
    body = BodyModel(toy_body()).for_keypoints()
    state = loop.new_state(ALIKE, torch.zeros(85), CPU)
    if start is not None:
        loop.resume(state, folder / f"{start}.pt", CPU, name=name)
    made = views(ALIKE, until=until)
    loop.train(state, ALIKE, body=body, batches=made, draw_real=as_many_real, device=CPU, workers=0)
    if processes.is_first():
        loop.save_state(folder / f"{name}.pt", state)
    return {key: p.grad for key, p in state.network.named_parameters()}


def two(folder: Path) -> None:
    """What each of two processes does."""
    with processes.joined(CPU):
        assert processes.share().of == 2
        first = go_on(folder, "two-first", until=1)
        go_on(folder, "two-half", until=HALF)
        go_on(folder, "one-then-two", until=STEPS, start="one-half")
        go_on(folder, "two", until=STEPS, start="two-half")
        if processes.is_first():
            torch.save(first, folder / "gradients.pt")


def close(folder: Path, name: str, other: str) -> None:
    """Figures agree to rounding; of the weights, which Adam scales, only those whose gradient is more than rounding."""
    left, right = (loop.load_state(folder / f"{n}.pt", CPU) for n in (name, other))
    assert left["step"] == right["step"] == STEPS
    for row, same in zip(left["log"], right["log"], strict=True):
        assert row.keys() == same.keys()
        assert row == pytest.approx(same, rel=2e-3, abs=1e-4)
    for key in ("encoder.stem.1.running_mean", "encoder.stem.1.running_var", "regressor.start"):
        torch.testing.assert_close(left["parts"]["network"][key], right["parts"]["network"][key], rtol=2e-3, atol=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trainings by one process and by two."""
    folder = tmp_path_factory.mktemp("processes")
    gradients = go_on(folder, "one-first", until=1)
    torch.save(gradients, folder / "gradients-of-one.pt")
    go_on(folder, "one-half", until=HALF)
    go_on(folder, "one", until=STEPS, start="one-half")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    here = Path(__file__)
    paths = os.pathsep.join((str(here.parents[1]), str(here.parents[2])))
    done = subprocess.run(
        [*command, "--master-port", port, __file__, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": "lo"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    go_on(folder, "two-then-one", until=STEPS, start="two-half")
    return folder


def test_the_first_step_has_the_same_gradient(folder: Path):
    one, both = (torch.load(folder / name) for name in ("gradients-of-one.pt", "gradients.pt"))
    scale = max(value.abs().max() for value in one.values())
    for name, value in one.items():
        torch.testing.assert_close(both[name], value, rtol=1e-3, atol=float(1e-6 * scale), msg=name)


@pytest.mark.parametrize("name", ["two", "one-then-two", "two-then-one"])
def test_two_processes_learn_what_one_does(folder: Path, name: str):
    close(folder, name, "one")


@pytest.mark.parametrize("of", [2, 3])
def test_parts_of_a_batch_are_the_batch(of: int):
    whole = batches(PARAMS)
    parts = []
    for index in range(of):
        made = batches(PARAMS)
        made.part = Part(index, of)
        parts.append(made)
    for name, value in vars(whole[5]).items():
        for index, made in enumerate(parts):
            torch.testing.assert_close(getattr(made[5], name), value[index::of], rtol=0, atol=0)
    ids = whole.sample_ids(5)
    assert [made.sample_ids(5) for made in parts] == [ids[index::of] for index in range(of)]


def test_parts_of_parts():
    rows = np.arange(24)
    for k in range(2):
        assert rows[Part(1, 3).rows][Part(k, 2).rows].tolist() == rows[Part(1, 3).part(k, 2).rows].tolist()
    assert rows[WHOLE.rows].tolist() == rows.tolist()


def gradient(params: TrainParams, body: BodyModel) -> dict[str, Tensor]:
    """The first step's, with norms that take no statistics: those of a part are its own."""
    state = loop.new_state(params, torch.zeros(85), CPU)
    plain = loop.paper_objective(params, body, draw_real)

    def objective(state, batch, part):
        state.network.eval()
        return plain(state, batch, part)

    batch = next(iterate(batches(params), first=0, workers=0))
    loop.step(state, params, objective, encoder_weights(params), batch, CPU)
    parameters = {**dict(state.network.named_parameters()), **dict(state.critics.named_parameters(prefix="critics"))}
    return {name: p.grad for name, p in parameters.items()}


@pytest.mark.parametrize("count", [2, 3])
def test_accumulated_gradients_are_those_of_the_whole_batch(toy_file: Path, count: int):
    """Three parts of eight samples are uneven, and so are their labels.

    Some gradients are nothing but rounding, as that of the maps' bias, which moves no centre of mass: hence the largest
    of all counts in what is allowed.
    """
    body = BodyModel.load(toy_file).for_keypoints()
    in_parts = dataclasses.replace(PARAMS, optimiser=dataclasses.replace(PARAMS.optimiser, accumulate=count))
    parts, whole = gradient(in_parts, body), gradient(PARAMS, body)
    largest = max(float(value.abs().max()) for value in whole.values())
    for name, value in whole.items():
        allowed = 1e-5 * float(value.abs().max()) + 1e-7 * largest
        torch.testing.assert_close(parts[name], value, rtol=1e-3, atol=allowed, msg=name)


def test_more_parts_than_samples_are_refused(toy_file: Path):
    many = dataclasses.replace(PARAMS, optimiser=dataclasses.replace(PARAMS.optimiser, accumulate=9))
    body = BodyModel.load(toy_file).for_keypoints()
    with pytest.raises(UserError, match="a batch of 8 cannot be cut into 9 parts"):
        loop.train(
            loop.new_state(many, torch.zeros(85), CPU),
            many,
            body=body,
            batches=Batches([MadeUpPool(with_3d=False)], steps=1, batch_size=8, image_px=32, augmentation=None, seed=0),
            draw_real=draw_real,
            device=CPU,
            workers=0,
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    two(Path(sys.argv[1]))
