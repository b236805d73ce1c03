"""Where a training step's time goes, on the sets that a run has normalized.

    python benchmarks/train.py paired [STEPS]

Prints process time (not wall time, so other work on the machine counts little) for the loader alone, for the whole
step, and their ratio, one thread each.
"""

import sys
import time
from pathlib import Path

import torch

from hmr.body.model import BodyModel
from hmr.mocap.pool import open_pool
from hmr.params import load_params, training_inputs
from hmr.training import loop
from hmr.training.inputs import batches_of, real_bodies
from hmr.training.objective import encoder_weights
from hmr.training.start import mean_start

CPU = torch.device("cpu")


def main(variant: str, steps: int = 12) -> None:
    torch.set_num_threads(1)
    params = load_params().variant(variant)
    batches = batches_of([Path(f"results/normalize/{name}-train.h5") for name in training_inputs(params)], params)
    pool = open_pool(Path("results/mocap/pool.h5"))
    body = BodyModel.load(Path("results/body/body.npz")).for_keypoints()
    state, draw = loop.new_state(params, mean_start(pool), CPU), real_bodies(pool, params, CPU)
    objective, weights = loop.paper_objective(params, body, draw), encoder_weights(params)
    loading = stepping = 0.0
    for step in range(steps + 2):
        began = time.process_time()
        batch = batches[step]
        loaded = time.process_time()
        loop.step(state, params, objective, weights, batch, CPU)
        state.step += 1
        if step >= 2:  # the first steps warm caches up
            loading += loaded - began
            stepping += time.process_time() - loaded
    size = params.optimiser.batch_size
    print(f"loader alone: {steps * size / loading:8.0f} images/s")
    print(f"training:     {steps * size / stepping:8.0f} images/s")
    print(f"ratio:        {stepping / loading:8.1f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
