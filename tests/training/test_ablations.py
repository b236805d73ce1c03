"""Every ablation of docs/experiments.md is an overlay of params.yaml, and trains."""

import dataclasses
import re
from pathlib import Path

import pytest
import torch
import yaml
from made_up_training import CPU, PARAMS, batches, draw_real, trained

from hmr.body.model import BodyModel
from hmr.data.loader import iterate
from hmr.params import TrainParams, effective, overlay_on, parse_train, to_plain
from hmr.training import loop
from hmr.training.objective import RealBodies, step_terms

PAGE = (Path(__file__).parents[2] / "docs/experiments.md").read_text()
VARIANTS = [
    yaml.safe_load(block)["train"]["variants"]
    for block in re.findall(r"```yaml\n(train:\n  variants:.*?)```", PAGE, re.DOTALL)
]
OVERLAYS = next(variants for variants in VARIANTS if "paired-unfactorised" in variants)
BASE = to_plain(dataclasses.replace(PARAMS, optimiser=dataclasses.replace(PARAMS.optimiser, steps=2)))


def overlaid(overlay: dict) -> TrainParams:
    return parse_train(overlay_on(BASE, overlay, "overlay", "page"))


@pytest.fixture(scope="module")
def body(toy_file) -> BodyModel:
    return BodyModel.load(toy_file).for_keypoints()


def real(params: TrainParams):
    """As many real bodies as predicted ones."""
    count = params.optimiser.batch_size * params.model.iterations

    def draw(step: int) -> RealBodies:
        drawn = draw_real(step)
        return RealBodies(drawn.body_pose_rotmat[:count], drawn.betas[:count])

    return draw


def test_the_page_names_every_ablation():
    assert {"unpaired-unfactorised", "paired-direct", "paired-two-iterations", "paired-every-iteration"} <= set(
        OVERLAYS
    )
    assert {"paired-frozen-start", "paired-unfactorised"} <= set(OVERLAYS)


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_trains_two_steps_and_is_another_training(body, name):
    params = overlaid(OVERLAYS[name])
    with torch.random.fork_rng():
        state = loop.new_state(params, torch.zeros(85), CPU)
        start = {key: value.clone() for key, value in state.network.state_dict().items()}
        loop.train(state, params, body=body, batches=batches(params), draw_real=real(params), device=CPU, workers=0)
    ends = state.network.state_dict()
    assert state.step == 2 and all(value.isfinite().all() for value in ends.values())
    assert not torch.equal(start["regressor.layers.0.weight"], ends["regressor.layers.0.weight"])
    moved = not torch.equal(start["regressor.start"], ends["regressor.start"])
    assert moved == params.model.trainable_start and state.network.regressor.iterations == params.model.iterations
    assert (state.critics is None) == (params.adv_weight == 0)
    assert state.critics is None or state.critics.factorised == params.critics.factorised
    assert effective(params) not in [effective(overlaid(o)) for n, o in OVERLAYS.items() if n != name]


def test_every_iteration_is_the_mean_over_iterations(body):
    """Labels on all iterations cost the mean of what each one alone would cost."""
    every = dataclasses.replace(PARAMS, supervise_every_iteration=True, adv_weight=0.0)
    state = loop.new_state(every, torch.zeros(85), CPU)
    batch = next(iterate(batches(every), first=0, workers=0))
    state.network.eval()
    both = step_terms(state.network, None, body, batch, None, every).terms
    alone = []
    for iterations in (1, 2, 3):
        state.network.regressor.iterations = iterations
        last = dataclasses.replace(every, supervise_every_iteration=False)
        alone.append(step_terms(state.network, None, body, batch, None, last).terms)
    for name, value in both.items():
        torch.testing.assert_close(value, sum(terms[name] for terms in alone) / 3)


def test_no_weight_builds_no_critics(body):
    """Not one term of theirs, nor an optimiser, is left."""
    none = trained(overlaid({"adv_weight": 0.0}), body)
    assert none.critics is None and "critics" not in none.optimisers
    assert {"adversarial", "critics"}.isdisjoint(none.log[-1])
