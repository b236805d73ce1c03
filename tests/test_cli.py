"""The command: help for every step, one line and status 2 for a user's mistake, and the small commands' work."""

import importlib.util
import json
from pathlib import Path

import planning
import pytest
import yaml

from hmr.__main__ import COMMANDS, main
from hmr.catalogue import DATASETS
from hmr.errors import UserError
from hmr.params import load_params
from hmr.steps import doctor
from hmr.steps.doctor import found_source
from hmr.steps.preset import PRESETS, differences, preset_names


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """A parameter file of one's own."""
    path = tmp_path / "params.yaml"
    path.write_bytes((PRESETS / "open.yaml").read_bytes())
    return path


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1 and "Traceback" not in said
    return said


def test_a_user_s_mistake_is_one_line_whatever_a_library_says_of_it():
    assert str(UserError("a.h5: found something else (read failed:\n time = 5\n)")).splitlines() == [
        "a.h5: found something else (read failed:  time = 5 )"
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists_and_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    assert importlib.util.find_spec(f"hmr.steps.{command.replace('-', '_')}")
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0 and COMMANDS[command][:20] in capsys.readouterr().out


def test_no_command_and_a_wrong_one_are_the_user_s_mistakes(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 2
    said = capsys.readouterr().err
    assert all(command in said for command in COMMANDS)
    with pytest.raises(SystemExit) as ended:
        main(["fly"])
    assert ended.value.code == 2


def test_preset_says_what_it_changes(params: Path, capsys: pytest.CaptureFixture[str]):
    planning.set_first(params, "adv_weight", 0.123)
    assert main(["preset", "open", "--params", str(params)]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("train.adv_weight: 0.123 -> ")
    assert params.read_bytes() == (PRESETS / "open.yaml").read_bytes()


@pytest.mark.parametrize("name", preset_names())
def test_presets_write_over_anything(params: Path, name: str):
    params.write_text("preset: [broken")
    assert main(["preset", name, "--params", str(params)]) == 0
    assert load_params(params).preset == name and name in preset_names()


def test_an_unknown_preset_leaves_the_file_alone(params: Path, capsys: pytest.CaptureFixture[str]):
    before = params.read_bytes()
    assert main(["preset", "huge", "--params", str(params)]) == 2
    assert ", ".join(preset_names()) in one_line(capsys) and params.read_bytes() == before


def test_differences_name_dotted_keys_both_ways():
    old = {"a": {"b": 1, "gone": 2}, "same": [1]}
    new = {"a": {"b": 3}, "same": [1], "new": {}}
    assert differences(old, new) == ["a.b: 1 -> 3", "new: (none) -> {}", "a.gone: 2 -> (none)"]


def test_a_variant_without_changes_is_no_difference():
    raw = yaml.safe_load((PRESETS / "open.yaml").read_text())
    assert differences(raw, raw) == []


@pytest.mark.parametrize("preset", preset_names())
def test_doctor_runs_for_every_preset(preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--raw", str(tmp_path), "--body", str(tmp_path / "body.npz"), "--params", str(PRESETS / f"{preset}.yaml")]
    assert main(["doctor", *words]) == 0
    said = capsys.readouterr().out
    assert "torch" in said and "GB free" in said
    assert ("http://vision.imar.ro/human3.6m" in said) == (preset == "paper")


def test_doctor_tells_found_data_by_its_manifest(tmp_path: Path):
    assert found_source(tmp_path / "lsp") is None
    (tmp_path / "lsp").mkdir()
    assert found_source(tmp_path / "lsp") is None
    (tmp_path / "lsp/joints.mat").touch()
    assert found_source(tmp_path / "lsp") == "no manifest yet"
    (tmp_path / "lsp/manifest.json").write_text('{"source": "studio"}')
    assert found_source(tmp_path / "lsp") == "studio"


def test_doctor_says_what_is_owed_for_owners_data_and_nothing_for_the_studio_s(tmp_path: Path):
    """Whether it is here or still missing."""
    params = load_params(PRESETS / "paper.yaml")
    owed = {f"  cite     {dataset.citation}" for dataset in DATASETS.values()}
    assert owed <= set(doctor.data(tmp_path, params))
    for source, says in (("official", True), ("studio", False)):
        for name in DATASETS:
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "manifest.json").write_text(json.dumps({"source": source}))
        said = set(doctor.data(tmp_path, params))
        assert owed <= said if says else owed.isdisjoint(said)


def test_an_unknown_variant_is_refused(params: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = ["--data", "x.h5", "--mocap", "m.h5", "--body", "b.npz", "--out", str(tmp_path / "out.safetensors")]
    assert main(["train", "unpared", *files, "--params", str(params)]) == 2
    assert "'unpared'" in one_line(capsys)


@pytest.mark.parametrize("content", ["a: [", "- a list", "train: 3", "preset: open", "nonsense: 1"])
def test_broken_parameters_are_refused_in_one_line(params: Path, content: str, capsys: pytest.CaptureFixture[str]):
    params.write_text(content)
    assert main(["doctor", "--params", str(params)]) == 2
    assert "params.yaml" in one_line(capsys)


@pytest.mark.parametrize("command", ["record", "adopt"])
def test_record_and_adopt_want_the_project_s_folder(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    assert "Snakefile" in one_line(capsys)
