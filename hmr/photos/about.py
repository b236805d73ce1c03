"""Which network speaks, what it was trained with, and how well it did where measured: told with each result."""

import json
from pathlib import Path
from typing import Any

import h5py
from safetensors import SafetensorError, safe_open

from hmr.files import sha256_file

_MEASURED = (
    ("human36m-p2", "human36m-test", "pa_mpjpe_mm", "reconstruction error {:.0f} mm on {}Human3.6M's protocol 2"),
    ("lsp-keypoints", "lsp-test", "pck_torso_0.2_percent", "{:.0f} % of {}LSP's keypoints within 0.2 torsos"),
)


EXPECT_OF_FITS = (
    "Limbs lie where BlazePose sees them; how deep they are is a guess from poses that people take. Size in metres and"
    " distance are those of a plausible body: one picture does not tell them."
)
NO_NETWORK = "none: bodies are fitted, and people whose joints are not seen get none"


def default_checkpoint(results: Path) -> Path | None:
    """The network in RESULTS/train to take where none is named, if there is one.

    First come those trained with critics, without which bodies need not be human, then those trained with 3D labels,
    then the one written last. Time alone would choose among variants by chance: trained side by side, or fetched.
    """
    found = [path for path in results.glob("train/*/checkpoint.safetensors") if _is_network(path)]
    return max(found, key=_worth, default=None)


def about(checkpoint: Path | None, body: Path, body_source: str, people_found_by: str) -> dict[str, Any]:
    """What to write beside a result. Reads the checkpoint's own words about its origin, not its weights."""
    seen = {"body": f"{body.name}: {body_source}", "people_found_by": people_found_by}
    return {"network": NO_NETWORK, **seen} if checkpoint is None else {**_about_network(checkpoint), **seen}


def _about_network(checkpoint: Path) -> dict[str, Any]:
    origin = _origin(checkpoint)
    stems = [Path(name).stem for name in origin.get("inputs", {}) if name.endswith("-train.h5")]
    data = sorted(_prefix(checkpoint, stem) + stem.removesuffix("-train") for stem in stems)
    measured = _measured(checkpoint)
    return {
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": sha256_file(checkpoint),
        "variant": origin.get("variant", "not told by the file"),
        "trained_on": data or "not told by the file",
        "measured": measured or "nothing: no metrics of this network lie beside it",
        "expect": "Rough on photographs where training saw rendered people only. Size in metres and distance are those"
        " of a plausible body: one picture does not tell them.",
    }


def summary(told: dict[str, Any]) -> str:
    """The same for the terminal, a line for each thing."""
    lines = [
        *([f"network: {told['network']}"] if "network" in told else _network_lines(told)),
        *([f"fitted by: {told['fitted_by']}"] if "fitted_by" in told else []),
        f"expect: {told['expect']}",
        f"people found by: {told['people_found_by']}",
    ]
    return "\n".join(lines)


def _network_lines(told: dict[str, Any]) -> list[str]:
    trained = told["trained_on"] if isinstance(told["trained_on"], str) else ", ".join(told["trained_on"])
    measured = told["measured"] if isinstance(told["measured"], str) else "; ".join(told["measured"])
    return [
        f"network: {told['variant']} ({told['checkpoint']}, {told['checkpoint_sha256'][:12]}), trained on: {trained}",
        f"measured: {measured}",
    ]


def _worth(checkpoint: Path) -> tuple[bool, bool, int, Path]:
    train = _origin(checkpoint)["train"]
    return train["adv_weight"] > 0, bool(train.get("datasets_3d")), checkpoint.stat().st_mtime_ns, checkpoint


def _is_network(checkpoint: Path) -> bool:
    """Whether a file is a whole network of this program: a pre-trained encoder is not."""
    try:
        with safe_open(checkpoint, framework="np") as file:
            return "regressor.start" in file.keys() and "train" in _origin(checkpoint)  # noqa: SIM118
    except (SafetensorError, OSError):
        return False


def _origin(checkpoint: Path) -> dict[str, Any]:
    try:
        with safe_open(checkpoint, framework="np") as file:
            return json.loads((file.metadata() or {}).get("hmr", "{}")) or {}
    except (SafetensorError, ValueError, OSError):
        return {}  # another program's form


def _measured(checkpoint: Path) -> list[str]:
    """Figures of results/evaluate/VARIANT for the network results/train/VARIANT/checkpoint.safetensors."""
    folder = checkpoint.resolve().parent
    lines = []
    for benchmark, stem, key, words in _MEASURED:
        file = folder.parent.parent / "evaluate" / folder.name / f"{benchmark}.json"
        if folder.parent.name == "train" and file.is_file():
            lines += [words.format(json.loads(file.read_text())[key], _prefix(checkpoint, stem))]
    return lines


def _prefix(checkpoint: Path, stem: str) -> str:
    """What to put before a data set's name: nothing where the normalized set beside the network says official."""
    try:
        with h5py.File(checkpoint.resolve().parent.parent.parent / "normalize" / f"{stem}.h5") as store:
            return "" if store.attrs["source"] == "official" else "open-"
    except (OSError, KeyError):
        return "open-"
