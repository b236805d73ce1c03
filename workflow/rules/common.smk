"""What every stage file needs: the checked parameters, the fixed names, and helpers that only look.

No rules. Each stage file includes this, so it writes nothing but its process's presence.
"""

import math
import os
import sys
from pathlib import Path
from shutil import which

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # this checkout's package, whichever one is installed

from hmr.catalogue import BASELINES, BENCHMARKS, DATASETS, MEAN_BODY, SMPLIFY, SMPLIFY_ORACLE, check_names
from hmr.closure import step_files
from hmr.errors import UserError
from hmr.params import effective, load_params, pretraining_facts, read_yaml, to_plain, training_inputs
from hmr.presence import enter

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def checked_params():
    """Checked parameters and the same file as plain data; a mistake ends the run with one line and status 2."""
    try:
        if config:
            raise UserError("--config: parameters live in params.yaml, where every step reads them; edit that file")
        checked, plain = load_params(), read_yaml(Path("params.yaml"))
        check_names(checked)
    except UserError as error:
        print(f"snakemake: {error}", file=sys.stderr)
        sys.exit(2)
    return checked, plain


def code(step, *modules, without=None):
    """Files behind `hmr STEP`, so that an edit redoes what depends on it."""
    return [os.path.relpath(path) for path in step_files(step, *modules, without=without)]


def share(cpus):
    """Threads to declare for a job that keeps `cpus` processors busy, so that `--cores` above the machine's own
    number runs no more jobs at once than the machine can carry."""
    try:
        cores = workflow.cores
    except WorkflowError:  # nobody says how many for 'snakemake --report', which runs nothing
        cores = os.cpu_count()
    return min(cores, math.ceil(cpus * cores / os.cpu_count()))


def own_body():
    """The user's own SMPL file, once it is there; until then `hmr body` says what is missing."""
    source = params.body.source
    return [source] if source != "open" and Path(source).is_file() else []


def studio_code(wildcards):
    """The download step and the one layout that it picks by name; what the owners made depends on no code of ours."""
    if not studio:
        return []
    real = code("motions") if wildcards.dataset == "mocap" else []
    return sorted({*real, *code("download", f"hmr.studio.layouts.{wildcards.dataset}", without="hmr.download")})


def reader_code(wildcards):
    """The normalize step, and the one reader that it picks by name."""
    return code("normalize", f"hmr.data.readers.{wildcards.dataset}")


def subject_parts(wildcards):
    """The parts of a split that is read subject by subject."""
    subjects = DATASETS[wildcards.dataset].subjects_by(params.normalize.filters, wildcards.split)
    return [f"results/normalize/{wildcards.dataset}-{wildcards.split}-{subject}.h5" for subject in subjects]


def parts_or_raw(wildcards, input):
    """What `hmr normalize` makes a split from."""
    return ["--join", *input.parts] if input.parts else ["--raw", f"data/raw/{wildcards.dataset}"]


def training_data(wildcards):
    """The normalized sets that a variant trains on."""
    names = training_inputs(params.variant(wildcards.variant))
    return expand("results/normalize/{dataset}-train.h5", dataset=names)


def training_poses(wildcards):
    """Sets whose 3D poses a benchmark's are compared with; none for a benchmark without 3D joints."""
    names = [name for name in params.download.datasets if DATASETS[name].has_3d]
    has_3d = DATASETS[BENCHMARKS[wildcards.benchmark]].has_3d
    return expand("results/normalize/{dataset}-train.h5", dataset=names if has_3d else [])


def pretrained_encoder(wildcards):
    """The encoder that a variant starts from, unless it starts from random weights."""
    wanted = params.variant(wildcards.variant).pretraining.steps
    return ["results/train/encoder/checkpoint.safetensors"] if wanted else []


def own_weights(train):
    """The user's own file that an encoder starts from, once it is there; until then the step says what is missing."""
    path = train.model.encoder.weights
    return [path] if path != "none" and Path(path).is_file() else []


def variant_weights(wildcards):
    """The same for a variant that no pre-training of ours comes before."""
    train = params.variant(wildcards.variant)
    return [] if train.pretraining.steps else own_weights(train)


def training_params(wildcards):
    """What a variant's training really depends on."""
    return effective(params.variant(wildcards.variant))


enter(Path.cwd())
params, plain = checked_params()
variants = list(params.variants)
normalized = [f"{name}-{split}" for name in params.download.datasets for split in DATASETS[name].splits]
test_sets = list(dict.fromkeys(BENCHMARKS[name] for name in params.evaluate.benchmarks))
studio = params.download.source == "studio"
timed = "--time" if params.predict.time else ""
time_files = ["results/predict/{variant}/{dataset}.time.json"] if timed else []
needs_gpu = 1 if which("nvidia-smi") else 0  # without one, jobs share the processors instead of queueing
studio_amounts = plain["download"]["studio"] if studio else {}  # official data depends on none of it


wildcard_constraints:
    dataset="|".join([*DATASETS, "mocap"]),
    split="train|test",
    subject=r"S\d+",
    variant="|".join([*variants, *BASELINES]),
    benchmark="|".join(BENCHMARKS),


# Inert unless a deployment method is asked for; names an environment that the rules need.
container: "docker://python:3.12-slim"


shell.prefix(
    "".join(f"export {name}=1; " for name in THREAD_VARIABLES)
    + f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={ROOT}; "
)
