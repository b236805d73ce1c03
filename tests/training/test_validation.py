"""What is measured while a training runs changes nothing of it, and is what the benchmarks would measure."""

import csv
import dataclasses

import numpy as np
import pytest
import torch
from made_up_training import CPU, PARAMS, MadeUpPool, batches, draw_real, trained
from raw_files import PARAMS as NORMALIZE

from hmr.body.model import BodyModel
from hmr.data.augment import UNCHANGED
from hmr.data.loader import Batch, Batches
from hmr.data.sample import Sample
from hmr.data.writing import write_store
from hmr.evaluation.metrics import both_errors_mm
from hmr.losses import HIPS
from hmr.params import ValidationParams
from hmr.training import live, loop, pretrain, runs
from hmr.training.inputs import batches_of, watched
from hmr.training.validation import PREFIX, Seen, Validation, bodies_of, keypoints_of

BOTH_3D = {"validation_keypoints_px", "validation_mpjpe_mm", "validation_pa_mpjpe_mm"}


@pytest.fixture(scope="module")
def body(toy_file) -> BodyModel:
    return BodyModel.load(toy_file).for_keypoints()


def all_of(*, with_3d: bool) -> Batch:
    pool = MadeUpPool(with_3d=with_3d)
    return Batches([pool], steps=1, batch_size=len(pool), image_px=32, augmentation=UNCHANGED, seed=0)[0]


def watch(look, every_steps: int = 10) -> Validation:
    return Validation([all_of(with_3d=False), all_of(with_3d=True)], look, 160, every_steps)


def without_checks(log: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if not name.startswith(PREFIX)} for row in log]


def test_watched_or_not_and_interrupted_it_ends_the_same(body, tmp_path):
    plain, seen = trained(PARAMS, body), trained(PARAMS, body, validation=watch(bodies_of(body)))
    state, half = loop.new_state(PARAMS, torch.zeros(85), CPU), batches(PARAMS)
    half.steps = 25
    options = {"body": body, "draw_real": draw_real, "device": CPU, "workers": 0}
    loop.train(state, PARAMS, batches=half, validation=watch(bodies_of(body)), **options)
    loop.save_state(tmp_path / "state.pt", state)
    fresh = loop.new_state(PARAMS, torch.ones(85), CPU)
    fresh.restore(loop.load_state(tmp_path / "state.pt", CPU))
    resumed = trained(PARAMS, body, fresh, validation=watch(bodies_of(body)))
    for other in (seen, resumed):
        theirs = other.network.state_dict()
        assert all(torch.equal(value, theirs[name]) for name, value in plain.network.state_dict().items())
    assert without_checks(seen.log) == plain.log and seen.log == resumed.log
    assert [row["step"] for row in seen.log if row.keys() >= BOTH_3D] == [25, 40]


def test_a_row_in_so_many_and_the_last_are_measured():
    made = watch(keypoints_of, every_steps=50)
    assert [step for step in (25, 50, 75, 100, 110) if made.is_due((step - 1) // 25 * 25, step, 110)] == [50, 100, 110]
    assert not Validation([], keypoints_of, 160, 0).is_due(0, 25, 25)


def test_figures_are_those_of_the_benchmarks():
    """Keypoints that are 3 and 4 reference pixels off are 5 off; joints as evaluation counts them, over samples."""
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (24, 14, 3))).float()
    off = torch.tensor((3.0, 4.0)) / 80

    def look(network: torch.nn.Module, batch: Batch) -> Seen:
        return Seen(batch.keypoints_norm + off, batch.joints_3d_m + noise)

    figures = watch(look).figures(torch.nn.Identity())
    gt = all_of(with_3d=True).joints_3d_m
    plain, aligned = both_errors_mm(pred_joints_m=(gt + noise).double().numpy(), gt_joints_m=gt.numpy(), roots=HIPS)
    expected = {"keypoints_px": 5.0, "mpjpe_mm": plain.mean(), "pa_mpjpe_mm": aligned.mean()}
    assert figures == pytest.approx({PREFIX + name: value for name, value in expected.items()}, rel=1e-5)


def test_batches_are_cut_to_a_step_s_size_which_changes_no_figure(body):
    whole, network = watch(bodies_of(body)), loop.new_state(PARAMS, torch.zeros(85), CPU).network
    cut = Validation.of(whole.batches, bodies_of(body), PARAMS, CPU)
    assert [len(batch.image) for batch in cut.batches] == [8] * 6
    assert cut.figures(network) == pytest.approx(whole.figures(network), rel=1e-5)


def test_without_3d_sets_or_bodies_keypoints_alone_are_measured(body):
    only_2d = Validation([all_of(with_3d=False)], bodies_of(body), 160, 10)
    unpaired = trained(dataclasses.replace(PARAMS, datasets_3d=()), body, validation=only_2d)
    assert unpaired.log[-1].keys() & BOTH_3D == {"validation_keypoints_px"}
    network = pretrain.new_state(pretrain.pretraining(PARAMS), CPU).network
    norms = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    assert watch(keypoints_of).figures(network).keys() == {"validation_keypoints_px"}
    assert norms and all(torch.equal(value, network.state_dict()[name]) for name, value in norms.items())


def test_figures_are_shown_and_written_apart(body, tmp_path):
    shown = live.Live(tmp_path / "live", live.look_at_bodies(body))
    state = trained(PARAMS, body, live=shown, validation=watch(bodies_of(body), every_steps=30))
    runs.finish(tmp_path / "run", state.network, state.log, {})
    texts = [(tmp_path / "run" / name).read_text() for name in (runs.CURVE, runs.CHECKS)]
    curve, checks = (list(csv.DictReader(text.splitlines())) for text in texts)
    assert [row["step"] for row in curve] == ["25", "40"] and checks[0].keys() == {"step", *BOTH_3D}
    assert not BOTH_3D & curve[0].keys() and [row["step"] for row in checks] == ["40"]
    for name in BOTH_3D:
        rows = (tmp_path / f"live/plots/metrics/{name}.tsv").read_text().split()
        assert rows[:3] == ["step", name, "40"] and float(rows[3]) == pytest.approx(float(checks[0][name]), rel=1e-5)


def numbers(visible: np.ndarray) -> set[int]:
    """Which samples these are: the labelled joints spell it."""
    return {int(row @ 2 ** np.arange(19)) for row in visible}


def test_what_is_watched_is_not_trained_on(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)

    def samples(dataset: str):
        for k in range(60):
            joints = {"joints_3d_m": rng.normal(0, 0.3, (14, 3)), "subject": "S1", "action": f"A{k // 3}"}
            yield Sample(
                sample_id=f"{dataset}/{k}",
                load_image=lambda: image,
                keypoints_2d_px=rng.uniform(30, 90, (19, 2)),
                visible=(k + 1) >> np.arange(19) & 1 == 1,
                center_px=np.array([60.0, 60.0]),
                person_px=70.0,
                **(joints if dataset == "human36m" else {}),
            )

    paths = [tmp_path / f"{name}.h5" for name in ("lsp", "human36m")]
    for path in paths:
        facts = {"dataset": path.stem, "split": "train", "source": "studio", "licence": "", "raw_sha256": ""}
        write_store(path, samples(path.stem), attributes=facts, params=NORMALIZE)
    params = dataclasses.replace(PARAMS, validation=ValidationParams(every_steps=25, samples=6))
    whole, left = batches_of(paths, PARAMS), batches_of(paths, params)
    assert [len(pool) for pool in whole.pools] == [60, 60] and [len(pool) for pool in left.pools] == [54, 54]
    seen = watched(paths, params)
    assert [len(batch.image) for batch in seen] == [6, 6] and not watched(paths, PARAMS)
    for batch, pool, all_ in zip(seen, left.pools, whole.pools, strict=True):
        out, trained_on = numbers(batch.visible.numpy()), numbers(pool.columns["visible"])
        assert len(out) == 6 and out | trained_on == numbers(all_.columns["visible"]) and not out & trained_on
        assert {pool.sample_id(k) for k in range(54)} <= {all_.sample_id(k) for k in range(60)}
    assert seen[1].has_joints_3d.all() and not seen[0].has_joints_3d.any()
