"""Snakemake and DVC over the same results: each notices what the other did, and neither writes an untruth."""

import csv
import io
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import planning
import pytest
import stub_project

pytestmark = pytest.mark.slow
ALL = {
    "body": 1,
    "download": 6,
    "normalize": 8 + 14,  # the sets, and the subjects of those with many videos
    "mocap": 1,
    "pretrain": 1,
    "train": 4,
    "predict-set": 21,
    "evaluate": 35,
    "report": 1,
}
AFTER_CRITICS = {"train": 2, "predict-set": 9, "evaluate": 15, "report": 1}


class Project:
    """A project with stand-ins for its steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = stub_project.make(folder)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        done = stub_project.run(self.folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def refused(self, *command: str) -> str:
        """What a refused command said: one line."""
        done = stub_project.run(self.folder, "python", "-m", "hmr", *command)
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
        return done.stderr

    def jobs(self) -> dict[str, int]:
        return dict(Counter(stub_project.jobs_since(self.folder)))

    def set(self, key: str, value: object) -> None:
        planning.set_first(self.folder / "params.yaml", key, value)

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "results")

    def plan(self) -> str:
        done = self.run("snakemake", "-n", "all")
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose results Snakemake made and `hmr record` told DVC of."""
    project = Project(tmp_path_factory.mktemp("project") / "made")
    assert "nothing recorded" in project.refused("record")
    assert "nothing adopted" in project.refused("adopt")
    project.run("snakemake", "--cores", "8", "all")
    assert project.jobs() == ALL
    project.run("python", "-m", "hmr", "record")
    project.commit()
    return project.folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Project:
    """A copy of it, with its time stamps."""
    copy = object.__new__(Project)
    copy.folder = tmp_path / "made"
    subprocess.run(["cp", "-a", str(made), str(copy.folder)], check=True)
    return copy


def test_after_record_neither_has_anything_to_do(project: Project):
    project.run("dvc", "repro")
    assert project.jobs() == {} and "Nothing to be done" in project.plan()


def test_critics_weight_retrains_only_variants_with_critics(project: Project):
    project.set("adv_weight", 0.55)
    assert "nothing recorded" in project.refused("record")
    project.run("snakemake", "--cores", "8", "all")
    assert project.jobs() == AFTER_CRITICS
    project.run("python", "-m", "hmr", "record")
    project.run("dvc", "repro")
    assert project.jobs() == {}


def test_settings_of_the_critics_leave_variants_without_them_alone(project: Project):
    project.set("learning_rate", 0.0123)
    project.run("snakemake", "--cores", "8", "all")
    assert project.jobs()["train"] == 2


def test_dvc_runs_the_stages_that_a_parameter_touches_and_snakemake_knows(project: Project):
    project.set("adv_weight", 0.55)
    project.run("dvc", "repro")
    assert project.jobs() == {name: ALL[name] for name in ("pretrain", "train", "predict-set", "evaluate", "report")}
    assert "Nothing to be done" in project.plan()


def test_an_edit_of_code_redoes_what_depends_on_it(project: Project):
    reader = project.folder / "hmr/data/readers/lsp.py"  # one that the studio does not share
    reader.write_text(reader.read_text() + "# edited\n")
    project.run("snakemake", "--cores", "8", "all")
    jobs = project.jobs()
    # Both splits of the set, and the extended set, whose reader builds on this one.
    assert (jobs["normalize"], jobs["train"]) == (3, 4) and "download" not in jobs


def test_a_checkout_is_adopted_and_changes_are_noticed_after_it(project: Project):
    for folder in (".snakemake", "data", "results"):
        shutil.rmtree(project.folder / folder)
    project.run("git", "checkout", "--", "results")
    project.run("dvc", "checkout")
    assert "Nothing to be done" not in project.plan()
    assert "nothing recorded" in project.refused("record")
    project.run("python", "-m", "hmr", "adopt")
    assert project.jobs() == {} and "Nothing to be done" in project.plan()
    project.set("adv_weight", 0.55)
    assert "nothing adopted" in project.refused("adopt")
    project.run("snakemake", "--cores", "8", "all")
    assert project.jobs() == AFTER_CRITICS


def test_an_experiment_in_a_temporary_folder_runs_what_it_must(project: Project):
    done = project.run("dvc", "exp", "run", "--temp", "--name", "half", "-S", "train.adv_weight=0.55")
    said = done.stdout + done.stderr
    assert [stage for stage in ALL if f"Running stage '{stage}'" in said] == ["train", "evaluate", "report"]
    assert "Stage 'normalize' didn't change, skipping" in said
    project.run("dvc", "exp", "apply", "half")
    assert "adv_weight: 0.55" in (project.folder / "params.yaml").read_text()


def test_experiments_stand_side_by_side(project: Project):
    # One after another: a queue's workers are daemons, which a test cannot be sure to end.
    weights = {"without": "0", "weak": "0.1"}
    for name, weight in weights.items():
        project.run("dvc", "exp", "run", "--temp", "--name", name, "-S", f"train.adv_weight={weight}")
    rows = csv.DictReader(io.StringIO(project.run("dvc", "exp", "show", "--csv").stdout))
    shown = {row["Experiment"]: row for row in rows if row["Experiment"] in weights}
    assert {name: row["train.adv_weight"] for name, row in shown.items()} == weights
    metric = next(key for key in shown["weak"] if key.endswith("paired/human36m-p2.json:mpjpe_mm"))
    assert len({row[metric] for row in shown.values()}) == 2 and all(row[metric] for row in shown.values())


def test_raw_data_that_lies_there_survives_a_redone_download(project: Project):
    brought = project.folder / "data/raw/lsp/brought.txt"
    brought.write_text("the user's own")
    project.set("seed", 1234)
    project.run("dvc", "repro", "download")
    assert brought.read_text() == "the user's own" and project.jobs()["download"] == 6


def test_the_page_stays_a_file_for_browsers(project: Project) -> None:
    """They go by the name of what a link leads to, and DVC's cache has names without endings."""
    page = project.folder / "results/report/index.html"
    assert page.is_file() and not page.is_symlink()
    project.run("dvc", "checkout", "--relink")
    project.run("python", "-m", "hmr", "adopt")
    assert page.is_file() and not page.is_symlink()
    assert "Nothing to be done" in project.plan()
    assert "up to date" in project.run("dvc", "status").stdout
