"""Experiments side by side, from a git repository."""

import json
import subprocess

import pytest
import yaml

from hmr.__main__ import main

VARIANTS = ("paired", "unpaired", "mean-body")


def git(folder, *words):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def write(folder, adv_weight, errors):
    (folder / "params.yaml").write_text(yaml.safe_dump({"train": {"adv_weight": adv_weight, "seed": 0}}))
    for variant, error in errors.items():
        path = folder / "results/evaluate" / variant / "human36m-p2.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"pa_mpjpe_mm": error, "pa_mpjpe_mm_ci95": [error - 5, error + 5]}))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A commit, a DVC experiment on it as DVC keeps it, and other numbers in the folder."""
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, 1.0, dict.fromkeys(VARIANTS, 100.0))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "start")
    write(tmp_path, 0.1, {"paired": 90.0, "unpaired": 100.0, "mean-body": 100.0})
    git(tmp_path, "commit", "-qam", "experiment")
    git(tmp_path, "update-ref", "refs/exps/ab/cdef/weaker-critics", "HEAD")
    git(tmp_path, "reset", "-q", "--hard", "HEAD~1")
    write(tmp_path, 1.0, {"paired": 100.0, "unpaired": 70.0})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(said):
    return [line for line in said.splitlines() if line.startswith("| **")]


def test_only_what_differs_is_shown_with_the_parameters_behind_it(folder, capsys):
    assert main(["report", "--compare", "main", "weaker-critics"]) == 0
    said = capsys.readouterr().out
    assert rows(said) == ["| **HMR: open-Human3.6M, P2 reconst. (mm)** | 100.0 ± 5.0 | 90.0 ± 5.0 |"]
    assert "- train.adv_weight: 1.0, 0.1" in said and "2 of 3 numbers are the same" in said


def test_one_revision_is_compared_with_the_folder(folder, capsys):
    assert main(["report", "--compare", "main"]) == 0
    said = capsys.readouterr().out
    assert rows(said) == ["| **HMR unpaired: open-Human3.6M, P2 reconst. (mm)** | 100.0 ± 5.0 | 70.0 ± 5.0 |"]
    assert "The parameters are the same everywhere" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--compare", "nowhere"], "expected a git revision"),
        (["--compare", "--upload-pack=x"], "expected"),
        ([], "expected --evaluate and --out, or --compare"),
    ],
)
def test_mistakes_are_one_line(folder, capsys, words, message):
    try:
        status = main(["report", *words])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2 and message in capsys.readouterr().err


def test_a_revision_without_metrics_is_named(folder, capsys):
    git(folder, "rm", "-rq", "--cached", "results")
    git(folder, "commit", "-qm", "none")
    assert main(["report", "--compare", "HEAD", "main"]) == 2
    assert "expected params.yaml and metrics" in capsys.readouterr().err
