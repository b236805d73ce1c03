"""Training on made-up views of a toy body: small, but the whole loop."""

import dataclasses
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from made_up_training import CPU, PARAMS, MadeUpPool, batches, draw_real, trained

from hmr.body.model import BodyModel
from hmr.data.augment import UNCHANGED
from hmr.data.loader import WHOLE, Batches, iterate
from hmr.models.hmr import network_input
from hmr.params import TrainParams, effective, pretraining_facts, to_plain
from hmr.training import loop, pretrain
from hmr.training.checkpoint import load_checkpoint, save_checkpoint
from hmr.training.objective import encoder_weights, step_terms


@pytest.fixture(scope="module")
def body(toy_file) -> BodyModel:
    return BodyModel.load(toy_file).for_keypoints()


def weights(state: loop.State) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in state.network.state_dict().items()}


def test_it_learns(body):
    """Few samples, always seen alike: the network must come to know them."""
    optimiser = dataclasses.replace(PARAMS.optimiser, steps=150, learning_rate=4e-3)
    params = dataclasses.replace(
        PARAMS, adv_weight=0.0, joints_2d_weight=0.0, joints_3d_weight=0.0, augmentation=UNCHANGED, optimiser=optimiser
    )
    log = trained(params, body).log
    assert log[-1]["smpl"] < 0.85 * log[0]["smpl"]


def test_twice_is_the_same_to_the_last_bit(body):
    first, second = weights(trained(PARAMS, body)), weights(trained(PARAMS, body))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_interrupted_training_ends_with_the_same_weights(body, tmp_path):
    whole = weights(trained(PARAMS, body))
    state = loop.new_state(PARAMS, torch.zeros(85), CPU)
    objective = loop.paper_objective(PARAMS, body, draw_real)
    for batch in iterate(batches(PARAMS), first=0, workers=0):
        loop.step(state, PARAMS, objective, encoder_weights(PARAMS), batch, CPU)
        state.step += 1
        if state.step == 25:
            break
    loop.save_state(tmp_path / "state.pt", state)
    fresh = loop.new_state(PARAMS, torch.ones(85), CPU)
    fresh.restore(loop.load_state(tmp_path / "state.pt", CPU))
    resumed = weights(trained(PARAMS, body, fresh))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def pretrained(params: TrainParams) -> loop.State:
    params = pretrain.pretraining(params)
    with torch.random.fork_rng():
        state = pretrain.new_state(params, CPU)
        only_2d = Batches(
            [MadeUpPool(with_3d=False)],
            steps=params.optimiser.steps,
            batch_size=params.optimiser.batch_size,
            image_px=params.model.image_px,
            augmentation=params.augmentation,
            seed=params.seed,
        )
        return loop.run(state, params, pretrain.objective, pretrain.WEIGHTS, only_2d, CPU, workers=0)


def test_pretraining_learns_where_keypoints_are():
    params = dataclasses.replace(
        PARAMS, augmentation=UNCHANGED, pretraining=dataclasses.replace(PARAMS.pretraining, steps=150)
    )
    log = pretrained(params).log
    assert log[-1]["joints_2d"] < 0.85 * log[0]["joints_2d"]


def test_a_training_starts_from_the_pretrained_encoder():
    encoder = pretrained(PARAMS).network.encoder.state_dict()
    state = loop.new_state(PARAMS, torch.zeros(85), CPU, encoder)
    ours = state.network.encoder.state_dict()
    assert ours.keys() == encoder.keys() and all(torch.equal(ours[name], encoder[name]) for name in ours)


def test_what_pretraining_depends_on():
    """Critics, 3D labels and the length of the training leave the encoder's start as it is; its data does not."""
    facts = pretraining_facts(PARAMS)
    longer = dataclasses.replace(PARAMS.optimiser, steps=41, learning_rate=1.0)
    same = dataclasses.replace(PARAMS, adv_weight=0.0, datasets_3d=(), smpl_weight=0.0, optimiser=longer)
    assert pretraining_facts(same) == facts
    assert pretraining_facts(pretrain.pretraining(same)) != pretraining_facts(
        pretrain.pretraining(dataclasses.replace(same, datasets_2d=("coco",)))
    )


def test_without_critics_none_are_built(body):
    params = dataclasses.replace(PARAMS, adv_weight=0.0)
    state = trained(params, body)
    assert state.critics is None and "adversarial" not in state.log[-1] and "critics" not in state.log[-1]


def test_unpaired_training_has_no_3d_terms(body):
    params = dataclasses.replace(PARAMS, datasets_3d=())
    assert encoder_weights(params).keys() == {"joints_2d", "keypoints", "adversarial"}
    assert {"joints_3d", "smpl"}.isdisjoint(trained(params, body).log[-1])


def test_where_the_encoder_points_is_the_encoders_alone(body):
    """And costs what the pre-training takes for it. Where its weight is zero, or nothing points, it is not there."""
    state, batch = loop.new_state(PARAMS, torch.zeros(85), CPU), next(iterate(batches(PARAMS), first=0, workers=0))
    costs = step_terms(state.network, state.critics, body, batch, draw_real(0), PARAMS)
    costs.terms["keypoints"].backward()
    moved = {name.split(".")[0] for name, p in state.network.named_parameters() if p.grad is not None}
    assert moved == {"encoder"}
    pretraining = dataclasses.replace(state, network=pretrain.KeypointNetwork(state.network.encoder))
    assert pretrain.objective(pretraining, batch, WHOLE).terms["joints_2d"] == costs.terms["keypoints"]
    without = dataclasses.replace(PARAMS, keypoints_weight=0.0)
    assert "keypoints" not in step_terms(state.network, None, body, batch, None, without).terms
    residual = dataclasses.replace(PARAMS.model.encoder, form="torchvision")
    plain = dataclasses.replace(PARAMS, model=dataclasses.replace(PARAMS.model, encoder=residual))
    assert "keypoints" not in encoder_weights(plain)
    assert effective(plain) == effective(dataclasses.replace(plain, keypoints_weight=0.0)) != effective(PARAMS)


def test_critics_and_encoder_do_not_train_each_other(body):
    state = loop.new_state(PARAMS, torch.zeros(85), CPU)
    batch = next(iterate(batches(PARAMS), first=0, workers=0))
    costs = step_terms(state.network, state.critics, body, batch, draw_real(0), PARAMS)
    costs.terms["adversarial"].backward(retain_graph=True)
    assert all(p.grad is None for p in state.critics.parameters())
    assert any(p.grad.abs().sum() > 0 for p in state.network.parameters() if p.grad is not None)
    state.network.zero_grad(set_to_none=True)
    costs.critics.backward()
    assert all(p.grad is None for p in state.network.parameters())
    assert all(p.grad is not None for p in state.critics.parameters())


def test_the_gradient_penalty_is_the_critics_alone(body):
    state, batch = loop.new_state(PARAMS, torch.zeros(85), CPU), next(iterate(batches(PARAMS), first=0, workers=0))
    state.network.eval()
    costs = []
    for weight in (0.0, 0.5, 1.0):
        params = dataclasses.replace(PARAMS, critics=dataclasses.replace(PARAMS.critics, gradient_penalty=weight))
        costs.append(step_terms(state.network, state.critics, body, batch, draw_real(0), params))
    without, half, full = (float(cost.critics.detach()) for cost in costs)
    assert full - half == pytest.approx(half - without, rel=1e-4) and half > without
    assert all(cost.terms["adversarial"] == costs[0].terms["adversarial"] for cost in costs)


def test_bfloat16_costs_about_the_same_and_leaves_weights_of_32_bits(body):
    half = dataclasses.replace(PARAMS.optimiser, precision="bfloat16")
    rough, exact = trained(dataclasses.replace(PARAMS, optimiser=half), body), trained(PARAMS, body)
    assert all(v.isfinite().all() and v.dtype is not torch.bfloat16 for v in rough.network.state_dict().values())
    assert rough.log != exact.log and rough.log[0]["total"] == pytest.approx(exact.log[0]["total"], rel=0.05)


def test_bodies_are_posed_in_32_bits_whatever_the_precision(body):
    params = dataclasses.replace(PARAMS, keypoints_weight=0.0)
    state, batch = loop.new_state(params, torch.zeros(85), CPU), next(iterate(batches(params), first=0, workers=0))
    said = Mock(return_value=state.network(network_input(batch.image)).detach())
    exact = step_terms(said, state.critics, body, batch, draw_real(0), params)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = step_terms(said, state.critics, body, batch, draw_real(0), params)
    assert low.terms == exact.terms
    torch.testing.assert_close(low.critics, exact.critics)


def test_learning_rates_warm_up_and_decay_together():
    state, rates = loop.new_state(PARAMS, torch.zeros(85), CPU), []
    for state.step in range(40):
        loop.set_rates(state, PARAMS)
        rates.append([state.optimisers[name].param_groups[0]["lr"] for name in ("network", "kernels", "critics")])
    encoder, kernels, critics = np.array(rates).T
    assert encoder[0] < encoder[4] == pytest.approx(2e-3) and encoder[-1] == pytest.approx(2e-4, rel=0.1)
    np.testing.assert_allclose(critics / encoder, PARAMS.critics.learning_rate / PARAMS.optimiser.learning_rate)
    np.testing.assert_allclose(kernels / encoder, PARAMS.optimiser.muon_learning_rate / PARAMS.optimiser.learning_rate)


def test_batches_depend_on_the_step_alone_and_go_through_every_sample():
    made = batches(PARAMS)
    again = batches(PARAMS)
    for step in (7, 3):
        for name, value in vars(made[step]).items():
            torch.testing.assert_close(value, getattr(again[step], name), rtol=0, atol=0)
    seen = np.concatenate([made.indices(step, 0) for step in range(6)])
    assert sorted(seen) == sorted(range(24))


def test_half_of_a_batch_has_3d_labels():
    batch = batches(PARAMS)[0]
    assert batch.has_joints_3d.sum() == 4 and torch.isfinite(batch.joints_3d_m).all()


def test_checkpoint_round_trip_and_bytes(body, tmp_path):
    network = trained(dataclasses.replace(PARAMS, adv_weight=0.0), body).network.eval()
    for name in ("a", "b"):
        save_checkpoint(tmp_path / f"{name}.safetensors", network, {"variant": "v", "train": to_plain(PARAMS)})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    image = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(loaded.network()(image), network(image))
    assert loaded.params == PARAMS
