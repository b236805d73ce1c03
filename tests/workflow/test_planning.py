"""The plan: what Snakemake would run, for every preset, and what it says to a mistaken user."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from planning import ROOT, planned, snakemake

from hmr.steps.preset import preset_names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with the default preset."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "hmr/presets/open.yaml").read_bytes())
    return tmp_path.resolve()


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "params.yaml").read_text()
    assert old in text
    (folder / "params.yaml").write_text(text.replace(old, new, 1))


def said_by(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Lines on stderr, but for Snakemake's note that it found a profile."""
    return [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("Using workflow")]


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_plans_the_whole_graph_from_nothing(folder: Path, preset: str):
    (folder / "params.yaml").write_bytes((ROOT / f"hmr/presets/{preset}.yaml").read_bytes())
    jobs = Counter(job.rule for job in planned(folder))
    sets = 6 if preset == "paper" else 5
    assert jobs["download_first"] + jobs["download_dataset"] == sets + 1 and jobs["normalize_dataset"] == sets + 3
    assert jobs["normalize_subject"] == 5 + 2 + 7
    assert (jobs["build_body"], jobs["build_pool"], jobs["write_report"]) == (1, 1, 1)
    assert (jobs["train_variant"], jobs["predict_dataset"], jobs["predict_mean_body"]) == (4, 12, 3)
    assert (jobs["fit_labelled_keypoints"], jobs["fit_predicted_keypoints"]) == (3, 3)
    assert jobs["evaluate_benchmark"] == 35


def test_spins_filters_read_the_eighth_subject_of_mpi_inf_3dhp_as_well(folder: Path):
    edit(folder, "  filters: hmr\n", "  filters: spin\n")
    parts = [job.outputs[0] for job in planned(folder) if job.rule == "normalize_subject"]
    assert len(parts) == 5 + 2 + 8 and "results/normalize/mpi_inf_3dhp-train-S8.h5" in parts


def test_a_variant_waits_only_for_the_sets_that_it_trains_on(folder: Path):
    needs = {job.outputs[0].split("/")[2]: job.inputs for job in planned(folder) if job.rule == "train_variant"}
    assert "results/normalize/human36m-train.h5" in needs["paired"]
    assert "results/normalize/human36m-train.h5" not in needs["unpaired"]


def test_shorter_lists_plan_less(folder: Path):
    edit(folder, "    - lsp-segmentation\n    - lsp-keypoints\n", "")
    assert not [job for job in planned(folder) if "results/predict/paired/lsp.h5" in job.outputs]


@pytest.mark.parametrize("timed", ["true", "false"])
def test_times_are_made_and_shown_only_where_they_are_asked_for(folder: Path, timed: str):
    edit(folder, "  time: true\n", f"  time: {timed}\n")
    jobs = planned(folder)
    made = {path for job in jobs for path in job.outputs if path.endswith(".time.json")}
    shown = {path for job in jobs if job.rule == "write_report" for path in job.inputs if path.endswith(".time.json")}
    assert made == shown and len(made) == (21 if timed == "true" else 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  adv_weight: ", "  adv_wieght: ", "unknown key"),
        ("    steps: ", "    steps: many # ", "expected int"),
        ("    paired: {}", "    paired:\n      steps: 5", "unknown key train.variants.paired.steps"),
        ("    - lsp_extended\n    - coco\n  datasets_3d", "    - mpii\n  datasets_3d", "download.datasets lacks"),
        ("preset: open", "preset: [open", "not valid YAML"),
    ],
)
def test_a_mistake_in_the_parameters_ends_in_one_line(folder: Path, old: str, new: str, said: str):
    edit(folder, old, new)
    done = snakemake(folder, "-n", "all")
    assert done.returncode == 2 and said in done.stderr
    assert len(said_by(done)) == 1 and "Traceback" not in done.stdout


def test_config_is_refused_since_no_step_would_read_it(folder: Path):
    done = snakemake(folder, "-n", "all", "--config", "adv_weight=0.5")
    assert done.returncode == 2 and "params.yaml" in done.stderr and len(said_by(done)) == 1


@pytest.mark.parametrize(("cores", "jobs"), [(1, 1), (2, 2), (8, 2), (64, 2)])
def test_no_more_jobs_at_once_than_the_machine_carries(cores: int, jobs: int):
    text = (ROOT / "workflow/rules/common.smk").read_text()
    share = "import math\n" + re.search(r"^def share.*?(?=^\S)", text, re.MULTILINE | re.DOTALL)[0]

    class Workflow:
        pass

    class Os:
        cpu_count = staticmethod(lambda: 2)

    Workflow.cores = cores
    space = {"workflow": Workflow, "os": Os}
    exec(share, space)
    assert cores // space["share"](1) == jobs


def test_root_and_workflow_plan_the_same(folder: Path):
    def stats(file: str) -> list[str]:
        command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / file), "--directory", str(folder), "-n"]
        done = subprocess.run(command, capture_output=True, text=True)
        return re.findall(r"^\w+ +\d+$", done.stdout + done.stderr, re.MULTILINE)

    assert stats("Snakefile") == stats("workflow/Snakefile") != []


def test_lint_finds_nothing(folder: Path):
    done = snakemake(folder, "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_formatted():
    command = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
