"""params.yaml is closed and typed: a typo ends in one line that names the key."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

import hmr
from hmr.catalogue import check_names
from hmr.errors import UserError
from hmr.params import effective, load_params, parse_params, to_plain, training_inputs
from hmr.steps.preset import PRESETS, preset_names

PROJECT = Path(hmr.__file__).parents[1]


@pytest.fixture
def raw() -> dict[str, Any]:
    return yaml.safe_load((PRESETS / "open.yaml").read_text())


def changed(raw: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with one dotted key set."""
    copy = deepcopy(raw)
    *folders, last = key.split(".")
    section = copy
    for folder in folders:
        section = section[folder]
    section[last] = value
    return copy


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_complete_and_name_themselves(name: str):
    params = load_params(PRESETS / f"{name}.yaml")
    check_names(params)
    assert params.preset == name
    assert list(params.variants) == ["paired", "unpaired", "paired-no-critics", "unpaired-no-critics"]


def test_the_project_s_parameters_are_a_preset():
    name = load_params(PROJECT / "params.yaml").preset
    assert (PROJECT / "params.yaml").read_bytes() == (PRESETS / f"{name}.yaml").read_bytes()


@pytest.mark.parametrize("name", preset_names())
def test_lists_are_written_as_blocks(name: str):
    """`dvc exp run -S` rewrites other lists, and every experiment's difference would be noise."""
    lines = [line.split("#")[0] for line in (PRESETS / f"{name}.yaml").read_text().splitlines()]
    assert not [line for line in lines if "[" in line and not line.rstrip().endswith("[]")]


def test_the_paper_s_preset_is_the_paper_s():
    train = load_params(PRESETS / "paper.yaml").variants["paired"]
    assert train.optimiser.steps == 75 * 8902 and train.optimiser.batch_size == 64
    assert (train.optimiser.learning_rate, train.critics.learning_rate) == (1e-5, 1e-4)
    assert (train.joints_2d_weight, train.joints_3d_weight, train.smpl_weight, train.adv_weight) == (60, 60, 60, 1)
    assert train.keypoints_weight == 0 and train.critics.gradient_penalty == 0
    assert train.model.encoder.blocks == (3, 4, 6, 3) and train.model.encoder.bottleneck
    assert len(training_inputs(train)) == 6


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train.adv_wieght", 1.0, "did you mean train.adv_weight?"),
        ("train.variants.paired", {"adv_wieght": 0.0}, "train.variants.paired.adv_wieght"),
        ("train.optimiser.steps", "many", "expected int, found 'many'"),
        ("train.optimiser.steps", True, "expected int, found True"),
        ("train.datasets_2d", "lsp", "expected a list"),
        ("train.model", 3, "expected a section"),
        ("variants", {}, "train.variants"),
    ],
)
def test_mistakes_name_the_key(raw: dict[str, Any], key: str, value: Any, said: str):
    with pytest.raises(UserError, match=r"^params\.yaml: ") as caught:
        parse_params(changed(raw, key, value))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_key_is_named(raw: dict[str, Any]):
    del raw["train"]["seed"]
    with pytest.raises(UserError, match=r"missing train\.seed|missing .*seed"):
        parse_params(raw)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("evaluate.benchmarks", ["human36m_p1"], "did you mean human36m-p1?"),
        ("download.datasets", ["lps"], "did you mean lsp?"),
        ("train.datasets_2d", ["lsp", "mpii"], "mpii, which download.datasets lacks"),
    ],
)
def test_names_come_from_the_catalogue(raw: dict[str, Any], key: str, value: Any, said: str):
    with pytest.raises(UserError) as caught:
        check_names(parse_params(changed(raw, key, value)))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_variant_is_refused_with_the_known_ones(raw: dict[str, Any]):
    with pytest.raises(UserError, match="unpaired-no-critics"):
        parse_params(raw).variant("unpared")


def test_without_critics_their_settings_decide_nothing(raw: dict[str, Any]):
    other = parse_params(changed(raw, "train.critics.learning_rate", 0.5)).variants
    same = {name for name, train in parse_params(raw).variants.items() if effective(train) == effective(other[name])}
    assert same == {"paired-no-critics", "unpaired-no-critics"}


def test_plain_values_are_yaml_s(raw: dict[str, Any]):
    plain = to_plain(parse_params(raw))
    assert plain["normalize"] == raw["normalize"] and plain["train"]["model"] == raw["train"]["model"]


def test_a_slip_in_train_is_not_laid_at_the_door_of_an_overlay(raw: dict[str, Any]):
    raw["train"]["adv_wieght"] = raw["train"].pop("adv_weight")  # overlays of it name the right key
    with pytest.raises(UserError, match=r"unknown key train\.adv_wieght; .*did you mean train\.adv_weight"):
        parse_params(raw)
