"""A process that trains is killed, twice, and started again: what it makes is what an undisturbed one makes, in bytes.

Run as a program, this file trains in the folder that it is given.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from made_up_training import CPU, PARAMS, MadeUpPool, batches, draw_real
from toy import toy_body

from hmr.body.model import BodyModel
from hmr.data.augment import UNCHANGED
from hmr.data.loader import Batches
from hmr.params import effective
from hmr.training import loop, processes, runs
from hmr.training.checkpoint import load_checkpoint
from hmr.training.validation import Validation, bodies_of

pytestmark = pytest.mark.slow
MADE = (runs.CHECKPOINT, runs.CURVE, runs.CHECKS)


def main(folder: Path) -> None:
    """Train, as the step does, and keep the state at every second step."""
    loop.LOG_EVERY, loop.SAVE_EVERY_S = 2, 0.0
    body, made = BodyModel(toy_body()).for_keypoints(), batches(PARAMS)
    watched = Batches([MadeUpPool(with_3d=True)], steps=1, batch_size=9, image_px=32, augmentation=UNCHANGED, seed=1)[0]

    def train(keep: Path) -> tuple[torch.nn.Module, runs.Log]:
        made.part = processes.share()
        state = loop.new_state(PARAMS, torch.zeros(85), CPU)
        loop.resume(state, keep, CPU, name="paired")
        validation = Validation([watched], bodies_of(body), 160, 4)
        options = {"workers": 1, "keep": keep, "validation": validation}
        loop.train(state, PARAMS, body=body, batches=made, draw_real=draw_real, device=CPU, **options)
        return state.network, state.log

    out = folder / "out" / runs.CHECKPOINT
    facts = effective(PARAMS)
    runs.make("paired", PARAMS, facts=facts, inputs=[], root=folder / "runs", device=CPU, train=train, out=out)


def start(folder: Path, *program: str) -> subprocess.Popen[str]:
    here = Path(__file__)
    paths = os.pathsep.join((str(here.parents[1]), str(here.parents[2])))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, *program, str(here), str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    said, wrong = process.communicate(timeout=600)
    assert process.returncode == 0, wrong[-3000:]
    return said


def step_kept(folder: Path) -> int:
    """The step of the state that a killed training left; 0 where there is none."""
    kept = [loop.load_state(path, CPU) for path in folder.glob(f"runs/*/{runs.STATE}")]
    return kept[0]["step"] if kept else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    ended(start(folder))
    return folder / "out"


def test_killed_at_any_moment_it_ends_with_the_same_bytes(whole: Path, tmp_path: Path):
    left = [0]
    for _ in range(2):
        process, until = start(tmp_path), time.monotonic() + 300
        while (step := step_kept(tmp_path)) <= left[-1]:
            assert process.poll() is None and time.monotonic() < until, f"no new state after step {step}"
            time.sleep(0.02)
        process.kill()
        process.communicate()
        left.append(step_kept(tmp_path))
    assert 0 < left[1] < left[2] < PARAMS.optimiser.steps and not (tmp_path / "out").exists()
    assert f"paired: going on from step {left[2]}\n" in ended(start(tmp_path))
    for name in MADE:
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes(), name
    assert "already trained" in ended(start(tmp_path))


def test_two_processes_by_torchrun_leave_what_one_does(whole: Path, tmp_path: Path):
    """The first of them writes; dropout draws by process, so that weights are not the same ones."""
    ended(start(tmp_path, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(MADE)
    for name in MADE[1:]:
        ours, theirs = ((folder / name).read_text().splitlines() for folder in (tmp_path / "out", whole))
        assert ours[0] == theirs[0] and [row.split(",")[0] for row in ours] == [row.split(",")[0] for row in theirs]
    one, both = (load_checkpoint(folder / runs.CHECKPOINT) for folder in (whole, tmp_path / "out"))
    assert one.origin == both.origin and one.weights.keys() == both.weights.keys()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
