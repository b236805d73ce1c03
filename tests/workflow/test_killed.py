"""A run that is killed leaves nothing in the way of the next one; two living runs do not step on each other."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import stub_project
from snakemake.persistence.file import FilePersistence as Persistence

from hmr.presence import enter

pytestmark = pytest.mark.slow


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A run in a session of its own whose normalize jobs never end, once they have begun."""
    folder = stub_project.make(tmp_path)
    (folder / "hang").touch()
    command = ("snakemake", "--cores", "2", "all")
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=stub_project.environment(folder),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 600
    while not ((ran := folder / "ran.txt").exists() and "normalize" in ran.read_text()):
        assert process.poll() is None and time.monotonic() < ends, "the run never came to normalize"
        time.sleep(0.1)
    yield process
    if process.poll() is None:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_goes_on_after_a_hard_kill(hanging: subprocess.Popen, tmp_path: Path):
    kill(hanging)
    assert not list((tmp_path / "results").glob("normalize/*.h5"))
    (tmp_path / "hang").unlink()
    stub_project.jobs_since(tmp_path)
    again = stub_project.run(tmp_path, "snakemake", "--cores", "2", "all")
    assert again.returncode == 0, again.stderr
    assert "body" not in stub_project.jobs_since(tmp_path)  # what was finished stays
    assert "Nothing to be done" in stub_project.run(tmp_path, "snakemake", "-n", "all").stdout


def test_a_living_run_keeps_its_lock(hanging: subprocess.Popen, tmp_path: Path):
    second = stub_project.run(tmp_path, "snakemake", "--cores", "2", "all")
    assert second.returncode == 1 and "cannot be locked" in second.stderr


def test_only_the_dead_are_cleared_away(tmp_path: Path):
    output = tmp_path / "results" / ("long" * 60) / "half.h5"
    marks = [tmp_path / ".snakemake/locks/0.input.lock", mark_of(tmp_path, output)]
    for path in (output, *marks):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    enter(tmp_path)
    assert not output.exists() and not any(mark.exists() for mark in marks)
    marks[0].touch()
    enter(tmp_path)
    assert marks[0].exists()  # ours: we are still here


def mark_of(folder: Path, output: Path) -> Path:
    """Where Snakemake itself marks an output as incomplete."""
    persistence = Persistence(path=folder / ".snakemake")
    return Path(persistence._record_path(persistence._incomplete_path, str(output.relative_to(folder))))
