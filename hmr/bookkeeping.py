"""Two tools keep books about the same results: Snakemake in .snakemake, DVC in dvc.lock. Each can be asked if its own
book is true; only then may it be copied into the other's."""

import subprocess
import sys
from pathlib import Path

from hmr.errors import UserError

PAGE = Path("results/report/index.html")


def require_project() -> None:
    """Refuse to run anywhere but in the project's folder."""
    if missing := [name for name in ("Snakefile", "dvc.yaml") if not Path(name).is_file()]:
        raise UserError(f"{Path.cwd()}: expected the project's folder, found no {missing[0]}; change to it first")


def snakemake(*arguments: str) -> str:
    """Run Snakemake on the whole workflow and return all that it said; files are compared by content."""
    return _run("snakemake", *arguments, "--workflow-profile", "workflow/profiles/default", "--", "all")


def free_page() -> None:
    """Make the report a file again where DVC keeps a link to its cache: a browser goes by the name of what the link
    leads to, which has no ending, and shows the page's source."""
    if PAGE.is_symlink():
        _run("dvc", "unprotect", str(PAGE))


def stamp() -> None:
    """Give every result its place in time and its provenance: parameters, code and inputs as they are now.

    DVC puts links in place of files, and their new time stamps would make Snakemake run everything again.
    """
    # Touching alone would keep the metadata of files that look finished; forcing writes it for every one.
    snakemake("--touch", "--forceall", "--cores", "1")


def unfinished() -> str | None:
    """What stands between the results and Snakemake's book being true, None if nothing does."""
    plan = snakemake("--dry-run")
    if "Nothing to be done" not in plan:
        return "Snakemake has jobs to run; run 'snakemake --cores all all' first ('snakemake -n all' lists them)"
    if "missing metadata" in plan or "outdated" in plan:
        return "Snakemake does not know how some results were made; run 'hmr adopt' if DVC made them"
    return None


def dvc_is_clean() -> bool:
    """Whether DVC finds every stage's parameters, code, inputs and outputs as its lock file has them."""
    return subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"], stdout=subprocess.DEVNULL).returncode == 0


def dvc_commit() -> None:
    """Write what is in the workspace into dvc.lock and the cache."""
    _run("dvc", "commit", "--force")


def _run(tool: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", tool, *arguments], capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("Using workflow")]
        raise UserError(f"{tool} {arguments[0]} ended with status {done.returncode}: {(lines or ['no message'])[-1]}")
    return said
