"""Write docs/parameters.md from hmr/params.py and the presets: python docs/make_parameters.py

Names and most meanings come from the code, values from the presets. A test compares the page with what this makes.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from hmr import __file__ as package

HERE = Path(__file__).parent
PARAMS = Path(package).parent / "params.py"
PRESETS = ("smoke", "open", "open-long", "paper")
# What the code does not say in a comment of its own; a comment there and a line here for the same key is refused.
MEANINGS = {
    "preset": "The preset's name; decides nothing.",
    "body.seed": "Of the sampled people and poses.",
    "download.seed": "Of everything that the studio makes up.",
    "download.datasets": "Sets to make or fetch; all that training and benchmarks name must be among them.",
    "download.studio.lsp.images": "Pictures, half of them for training.",
    "download.studio.lsp.image_px": "Their long side.",
    "download.studio.lsp_extended.images": "Pictures, all for training.",
    "download.studio.lsp_extended.image_px": "Their long side.",
    "download.studio.mpii.images": "Pictures.",
    "download.studio.mpii.image_px": "Their long side.",
    "download.studio.coco.images": "Pictures.",
    "download.studio.coco.image_px": "Their long side.",
    "download.studio.human36m.actions": "Actions to film: every subject, two takes, four cameras.",
    "download.studio.human36m.image_px": "Side of the videos.",
    "download.studio.mpi_inf_3dhp.image_px": "Long side of the videos and test pictures.",
    "download.studio.mocap.clips": "Clips of motion capture.",
    "download.studio.mocap.seconds": "Length of each.",
    "normalize.jpeg_quality": "Of the stored crops, 0 to 100.",
    "normalize.max_quarantine_fraction": "Where a larger share of samples or of clips is broken, the step stops.",
    "mocap.frame_rate_hz": "Clips are thinned out to this rate.",
    "mocap.mirror": "Add each clip's mirror image.",
    "train.seed": "Of weights, order of samples and augmentation.",
    "train.adv_weight": "Weight of the critics in what the encoder pays; 0 trains without critics.",
    "train.joints_2d_weight": "Weight of the 2D keypoints' loss.",
    "train.joints_3d_weight": "Weight of the 3D joints' loss.",
    "train.smpl_weight": "Weight of the loss on SMPL parameters.",
    "train.datasets_2d": "Sets whose 2D keypoints are used.",
    "train.datasets_3d": "Sets whose 3D labels are used too; half of each batch. Empty: the unpaired setting.",
    "train.critics.learning_rate": "Of the critics, at its full height; it rises and falls with the encoder's.",
    "train.model.image_px": "Side of the picture that the network sees.",
    "train.model.hidden": "Neurons of the regressor's two hidden layers.",
    "train.model.dropout": "After each of them, while training.",
    "train.model.trainable_start": "Whether the start vector (the mean body) is trained along.",
    "train.pretraining.learning_rate": "Of the encoder's pre-training.",
    "train.pretraining.tint": "In place of `train.augmentation.tint`.",
    "train.optimiser.steps": "Steps of the encoder; the critics take as many.",
    "train.optimiser.batch_size": "Pictures a step.",
    "train.optimiser.learning_rate": "Of encoder and regressor.",
    "train.optimiser.warmup_steps": "The rate rises from 0 over so many steps.",
    "train.optimiser.weight_decay": "0 in what the method's code really does. Not of convolutions that Muon moves.",
    "train.augmentation.scale_min": "Smallest factor of size.",
    "train.augmentation.scale_max": "Largest factor of size.",
    "train.augmentation.flip": "Mirror each picture with probability one half.",
    "train.variants": "Overlays on `train` by name: each is one training (see [changing things](change-it.md)).",
    "predict.batch_size": "Pictures at once; the measured seconds an image depend on it.",
    "predict.smplify.seed": "Of that draw, and of the mixture's start.",
    "evaluate.benchmarks": "What is measured: `human36m-p1`, `human36m-p2`, `mpi_inf_3dhp`, `lsp-segmentation`, "
    "`lsp-keypoints`.",
    "report.gallery_samples": "Samples that the page shows with every variant's body.",
}
_INTRO = """<!-- Made by docs/make_parameters.py; do not edit. -->

# Every parameter

All of them live in `params.yaml`; no step reads a setting that decides a result from elsewhere. `hmr preset NAME`
writes one of the four columns. Keys are closed: a typo ends in one line that names the nearest key. Units stand in the
names: `_px` pixels, `_mm` millimetres, `_hz` a second.
"""


def main() -> None:
    """Write the page."""
    (HERE / "parameters.md").write_text(page())


def page() -> str:
    """The page as Markdown, one table for each top-level section."""
    files = {name: PARAMS.parent / "presets" / f"{name}.yaml" for name in PRESETS}
    presets = {name: _flat(yaml.safe_load(file.read_text())) for name, file in files.items()}
    meanings = _meanings()
    lines, section = [_INTRO], None
    for key in presets["open"]:
        first = key.split(".")[0]
        if first != section:
            section = first
            head = f"| key | {' | '.join(PRESETS)} | meaning |"
            lines += ["", f"## {section}", "", head, f"|{'---|' * (2 + len(PRESETS))}"]
        values = " | ".join(_shown(presets[name][key]) for name in PRESETS)
        lines.append(f"| `{key}` | {values} | {meanings[key]} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _meanings() -> dict[str, str]:
    """What every key means: the code's comment behind it, else the line above."""
    found = dict(_commented("Params", ""))
    if twice := found.keys() & MEANINGS.keys():
        raise ValueError(f"meant twice, in {PARAMS.name} and here: {', '.join(sorted(twice))}")
    return found | MEANINGS


def _commented(cls: str, where: str) -> Iterator[tuple[str, str]]:
    source = PARAMS.read_text()
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    classes = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    for field in (node for node in classes[cls].body if isinstance(node, ast.AnnAssign)):
        name, kind = ast.unparse(field.target), ast.unparse(field.annotation)
        key = f"{where}{name}"
        if kind in classes:
            yield from _commented(kind, f"{key}.")
        elif field.lineno in comments and kind != "dict[str, TrainParams]":
            yield key, comments[field.lineno][0].upper() + comments[field.lineno][1:].rstrip(".") + "."


def _flat(values: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Dotted keys; overlays stay one value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, dict) and value and key != "variants"
        flat |= _flat(value, f"{where}{key}.") if nested else {f"{where}{key}": value}
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):
        many = len(value) > 6
        return f"{len(value)} of them" if many else ", ".join(map(str, value)) or "none"
    text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"([|*])", r"\\\1", text)


if __name__ == "__main__":
    main()
