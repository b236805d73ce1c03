"""A copy of the project whose steps write small stand-ins, so that whole workflows run in seconds.

Rules, stages, parameters and code inputs are the real ones; only `hmr/__main__.py` is replaced. A stand-in's content
depends on the command, its section of the parameters and its inputs, and every job leaves a line in `ran.txt`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = (
    "Snakefile",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    ".gitignore",
    "hmr",
    "workflow",
    ".dvc/config",
)

_STUB = """
import hashlib, json, sys, time
from pathlib import Path

if sys.argv[1] in ("record", "adopt", "preset"):
    from hmr import real_main
    sys.exit(real_main.main())
import yaml
from hmr.params import effective, load_params

command, *words = sys.argv[1:]
params = yaml.safe_load(Path("params.yaml").read_text())
section = params.get({"predict-set": "predict", "pretrain": "none"}.get(command, command))
if command == "train":
    section = effective(load_params().variant(words[0]))
inputs = sorted(word for word in words if Path(word).is_file() and not word.startswith("--"))
with open("ran.txt", "a") as log:
    log.write(f"{command}\\n")
if command == "normalize" and Path("hang").exists():
    time.sleep(600)
content = hashlib.sha256(json.dumps(
    [command, words, section, [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in inputs]]
).encode()).hexdigest() * 20000  # larger than what Snakemake compares by content of itself

def write(path, text=content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

out = Path(words[words.index("--out" if "--out" in words else "--raw") + 1])
if command == "download":
    write(out / "data.bin")
    write(out / "manifest.json", content[:64])
elif command == "report":
    for name in ("tables.md", "tables.tex", "index.html"):
        write(out / name, content[:64])
elif command == "evaluate":
    write(out, json.dumps({"mpjpe_mm": int(content[:6], 16) / 1e5}))
    write(out.with_suffix(".csv"), "sample_id,error\\n")
else:
    write(out)
    if "--time" in words:
        write(out.with_suffix(".time.json"), content[:64])
    if command in ("train", "pretrain"):
        for name in ("training.csv", "validation.csv"):
            write(out.with_name(name), content[:64])
"""


def make(folder: Path) -> Path:
    """A fresh copy in `folder`, in a git repository with one commit."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    (folder / "hmr/__main__.py").rename(folder / "hmr/real_main.py")
    (folder / "hmr/__main__.py").write_text(_STUB)
    for command in ("init -q", "add -A", "-c user.name=t -c user.email=t@example.org commit -q -m start"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a console script of this environment in the copy; one that hangs is killed, and raises."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


def environment(folder: Path) -> dict[str, str]:
    """Variables under which this environment's console scripts use the copy."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    cache = str(folder / ".dvc/site")
    return {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "DVC_SITE_CACHE_DIR": cache}


def jobs_since(folder: Path) -> list[str]:
    """Commands of the jobs that ran since the last call."""
    log = folder / "ran.txt"
    ran = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return ran
