"""dvc.yaml restates by hand what the rules say: here the two are compared, stage by stage."""

import re
from pathlib import Path

import pytest
import yaml
from planning import ROOT, Job, planned, stage_of_rules

STAGES = ("body", "download", "normalize", "mocap", "train", "predict", "evaluate", "report")
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Job]]:
    """Every job of the default preset, by stage."""
    folder = tmp_path_factory.mktemp("plan").resolve()
    (folder / "params.yaml").write_bytes((ROOT / "hmr/presets/open.yaml").read_bytes())
    stages, plan = stage_of_rules(), planned(folder)
    return {stage: [job for job in plan if stages.get(job.rule) == stage] for stage in STAGES}


def names(stage: str, kind: str) -> set[str]:
    """Paths, or parameters, that a DVC stage lists."""
    return {item if isinstance(item, str) else next(iter(item)) for item in DVC[stage].get(kind, [])}


def under(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def test_one_word_names_file_stage_and_section():
    assert tuple(DVC) == STAGES
    assert {path.stem for path in (ROOT / "workflow/rules").glob("*.smk")} == {*STAGES, "common"}
    assert set(yaml.safe_load((ROOT / "params.yaml").read_text())) == {*STAGES, "preset"}


@pytest.mark.parametrize("stage", STAGES)
def test_commands_run_one_rule_file_with_no_machine_in_them(stage: str):
    words = DVC[stage]["cmd"].split()
    assert words[:4] == ["snakemake", stage, "-s", f"workflow/rules/{stage}.smk"]
    assert words[words.index("--cores") + 1] == "all"
    assert {"workflow/rules/common.smk", f"workflow/rules/{stage}.smk"} <= names(stage, "deps")


@pytest.mark.parametrize("stage", STAGES)
def test_every_input_is_a_dep_and_every_output_an_out(stage: str, jobs: dict[str, list[Job]]):
    outputs = {path for job in jobs[stage] for path in job.outputs}
    inputs = {path for job in jobs[stage] for path in job.inputs} - outputs
    assert outputs and not [path for path in sorted(outputs) if not under(path, names(stage, "outs"))]
    assert not [path for path in sorted(inputs) if not under(path, names(stage, "deps"))]


@pytest.mark.parametrize("stage", STAGES)
def test_no_dep_and_no_out_is_left_over(stage: str, jobs: dict[str, list[Job]]):
    used = {path for job in jobs[stage] for path in (*job.inputs, *job.outputs)}
    listed = {*names(stage, "deps"), *names(stage, "outs")}
    assert not [name for name in sorted(listed) if not name.startswith("workflow/") and not _stands_for(name, used)]


def _stands_for(name: str, used: set[str]) -> bool:
    # A raw folder's manifest stands for the folder.
    return any(under(path, {name}) for path in used) or f"{name}/manifest.json" in used


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_of_a_rule_is_the_stage_s(stage: str):
    text = Path(ROOT / f"workflow/rules/{stage}.smk").read_text()
    keys = {".".join(re.findall(r'\["(\w+)"\]', found)) for found in re.findall(r'plain((?:\["\w+"\])+)', text)}
    covered = {key.replace(".", "/") for key in names(stage, "params")}
    assert not [key for key in sorted(keys) if not under(key.replace(".", "/"), covered)]
    assert names(stage, "params")
