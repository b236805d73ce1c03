"""The benchmarks: which samples count, which joints, which alignment. Labels and predictions in, metrics out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hmr.body.joints import COCOPLUS_19, LSP_14, MPI_INF_3DHP_17
from hmr.catalogue import BENCHMARKS
from hmr.data.store import Store
from hmr.errors import UserError
from hmr.evaluation import segmentation
from hmr.evaluation.conditions import QUARTERS, occlusions, quarters, training_distances_mm, viewpoints
from hmr.evaluation.metrics import (
    AUC_THRESHOLDS_MM,
    PCK_MM,
    auc_percent,
    both_errors_mm,
    centred,
    joint_errors_mm,
    mean_by,
    pck_percent,
    perspective_corrected,
    torso_px,
)
from hmr.evaluation.predictions import PARTS, Predictions
from hmr.evaluation.uncertainty import intervals_95, unit_totals
from hmr.geometry.affine import transform

LSP_HIPS = [LSP_14.index(f"{side}_hip") for side in ("right", "left")]
LSP_SHOULDERS = [LSP_14.index(f"{side}_shoulder") for side in ("right", "left")]
FRONTAL_CAMERA = "60457274"  # Human3.6M's camera of index 3
MPI_ROOT = MPI_INF_3DHP_17.index("pelvis")
# Joints that belong to a joint group of the owners' code; the others count in MPJPE only.
MPI_GROUPED = [i for i, joint in enumerate(MPI_INF_3DHP_17.joints) if joint not in ("pelvis", "spine2", "head")]
MPI_SCENES = {
    **{"TS1": "studio-green-screen", "TS2": "studio-green-screen", "TS3": "studio", "TS4": "studio"},
    **{"TS5": "outdoor", "TS6": "outdoor"},
}
TORSO_FRACTION = 0.2


@dataclass(frozen=True)
class Result:
    """Metrics of the whole benchmark, and columns with a row for each sample that counted."""

    metrics: dict[str, Any]
    per_sample: dict[str, np.ndarray]


@dataclass(frozen=True)
class Protocol:
    """What a benchmark needs of predictions, and how it counts."""

    needed: tuple[str, ...]
    evaluate: Callable[[Store, Predictions], Result]


def by_training_distance(result: Result, labels: Store, training_joints_m: np.ndarray) -> Result:
    """The result with each sample's distance from the nearest training pose, and mean errors by quarters of it."""
    counted = np.isin(labels["sample_id"], result.per_sample["sample_id"])
    distances = training_distances_mm(_joints(labels, "joints_3d_m", counted), training_joints_m)
    errors = {name: result.per_sample[name] for name in ("mpjpe_mm", "pa_mpjpe_mm")}
    quarter = quarters(distances)
    groups = {
        name: {
            "num_samples": int((quarter == name).sum()),
            "training_distance_mm": distances[quarter == name].mean(),
            **{key: values[quarter == name].mean() for key, values in errors.items()},
        }
        for name in QUARTERS
        if (quarter == name).any()
    }
    return Result(
        {**result.metrics, "per_training_distance": groups},
        {**result.per_sample, "training_distance_mm": distances},
    )


def human36m_p1(labels: Store, predictions: Predictions) -> Result:
    """Protocol 1: both takes, all cameras (paper section 4.1)."""
    return _human36m(labels, predictions, np.ones(len(labels), bool))


def human36m_p2(labels: Store, predictions: Predictions) -> Result:
    """Protocol 2: the first take, the frontal camera (paper section 4.1)."""
    return _human36m(labels, predictions, (labels["trial"] == 0) & (labels["camera"] == FRONTAL_CAMERA))


def human36m_p1_spin(labels: Store, predictions: Predictions) -> Result:
    """SPIN's protocol 1: from the pelvis joint instead of the middle of the hips."""
    return _human36m(labels, predictions, np.ones(len(labels), bool), from_pelvis=True)


def human36m_p2_spin(labels: Store, predictions: Predictions) -> Result:
    """SPIN's protocol 2: the frontal camera, both takes, from the pelvis joint."""
    return _human36m(labels, predictions, labels["camera"] == FRONTAL_CAMERA, from_pelvis=True)


def _human36m(labels: Store, predictions: Predictions, counted: np.ndarray, *, from_pelvis: bool = False) -> Result:
    """14 joints from the middle of the hips, without and with alignment; frames count alike, then actions do.

    # ASSUME: `from_pelvis` takes the prediction's pelvis joint (joints_3d_native_m). The labels' pelvis is the middle
    of their hips, which it is exactly in Human3.6M's skeleton.
    """
    if not counted.any():
        raise UserError(f"{labels.path}: expected samples of this protocol's takes and cameras, found none")
    names = {name: labels[name][counted] for name in ("sample_id", "subject", "action", "trial", "camera", "frame")}
    pred, gt = predictions["joints_3d_m"][counted], _joints(labels, "joints_3d_m", counted)
    by_joint = both_errors_mm(pred_joints_m=pred, gt_joints_m=gt, roots=LSP_HIPS)
    if from_pelvis:
        centred_m = pred - _native(predictions, len(MPI_INF_3DHP_17))[counted][:, MPI_ROOT, None]
        plain = joint_errors_mm(pred_joints_m=centred_m, gt_joints_m=centred(gt, LSP_HIPS))
        by_joint = (plain, by_joint[1])
    plain, aligned = (errors.mean(1) for errors in by_joint)
    takes = ["\t".join(map(str, take)) for take in zip(names["subject"], names["action"], names["trial"], strict=True)]
    metrics = {
        "mpjpe_mm": plain.mean(),
        "pa_mpjpe_mm": aligned.mean(),
        "median_mpjpe_mm": np.median(plain),
        "median_pa_mpjpe_mm": np.median(aligned),
        **_action_means(plain, aligned, names),
        **_mean_intervals({"mpjpe_mm": plain, "pa_mpjpe_mm": aligned}, takes, "take"),
        **_explained(by_joint, LSP_14.joints, _conditions(labels, counted)),
        "num_samples": len(plain),
    }
    return Result(metrics, {**names, "mpjpe_mm": plain, "pa_mpjpe_mm": aligned})


def _mean_intervals(columns: dict[str, np.ndarray], units: list[str] | np.ndarray, unit: str) -> dict[str, Any]:
    """95 % intervals of means over samples; `unit` names what is drawn."""
    totals = unit_totals(np.stack([*columns.values(), np.ones(len(units))], 1), units)

    def means(drawn: np.ndarray) -> dict[str, np.ndarray]:
        return {name: drawn[..., k] / drawn[..., -1] for k, name in enumerate(columns)}

    return {**intervals_95(means, totals), "ci95_unit": unit, "ci95_units": len(totals)}


def _conditions(labels: Store, counted: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "per_viewpoint": viewpoints(_joints(labels, "joints_3d_m", counted)),
        "per_occlusion": occlusions(labels["visible"][counted][:, : len(LSP_14)]),
    }


def _explained(
    by_joint: tuple[np.ndarray, np.ndarray], joints: tuple[str, ...], conditions: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Mean errors of each joint, and of the samples under each condition."""
    pairs = list(zip(("mpjpe_mm", "pa_mpjpe_mm"), by_joint, strict=True))
    return {
        "per_joint": {joint: {key: e[:, k].mean() for key, e in pairs} for k, joint in enumerate(joints)},
        **{
            name: {
                str(value): {
                    "num_samples": int((values == value).sum()),
                    **{key: errors[values == value].mean() for key, errors in pairs},
                }
                for value in np.unique(values)
            }
            for name, values in conditions.items()
        },
    }


def _action_means(plain: np.ndarray, aligned: np.ndarray, names: dict[str, np.ndarray]) -> dict[str, Any]:
    """Each action's mean over its videos' means, and the mean over actions."""
    video = list(zip(*(names[name].tolist() for name in ("action", "subject", "trial", "camera")), strict=True))
    joined = np.array(["\t".join(map(str, entry)) for entry in video])
    by_action: dict[str, dict[str, Any]] = {}
    for key, values in {"mpjpe_mm": plain, "pa_mpjpe_mm": aligned}.items():
        of_videos = mean_by(values, joined)
        of_actions = mean_by(np.array([*of_videos.values()]), [entry.split("\t")[0] for entry in of_videos])
        for action, mean in of_actions.items():
            by_action.setdefault(action, {"num_samples": int((names["action"] == action).sum())})[key] = mean
    return {
        "per_action": by_action,
        "action_mean_mpjpe_mm": np.mean([entry["mpjpe_mm"] for entry in by_action.values()]),
        "action_mean_pa_mpjpe_mm": np.mean([entry["pa_mpjpe_mm"] for entry in by_action.values()]),
    }


def mpi_inf_3dhp(labels: Store, predictions: Predictions) -> Result:
    """17 joints from the pelvis after perspective correction; PCK and AUC over the 14 grouped (paper section 4.1)."""
    return _mpi_inf_3dhp(labels, _corrected(labels, _native(predictions, len(MPI_INF_3DHP_17))))


def mpi_inf_3dhp_spin(labels: Store, predictions: Predictions) -> Result:
    """SPIN's: the same without perspective correction."""
    return _mpi_inf_3dhp(labels, _native(predictions, len(MPI_INF_3DHP_17)))


def _native(predictions: Predictions, count: int) -> np.ndarray:
    """The prediction's joints in MPI-INF-3DHP's order."""
    joints = predictions["joints_3d_native_m"]
    if joints.shape[1] != count:
        raise UserError(
            f"{predictions.path}: joints_3d_native_m: expected {count} joints, found {joints.shape[1]}; order as the "
            "labels'"
        )
    return joints


def _mpi_inf_3dhp(labels: Store, pred: np.ndarray) -> Result:
    everything = np.ones(len(labels), bool)
    gt = _joints(labels, "joints_3d_native_m", everything)
    plain, aligned = both_errors_mm(pred_joints_m=pred, gt_joints_m=gt, roots=[MPI_ROOT])
    sequence = labels["subject"]
    scene = np.array([MPI_SCENES.get(name, "other") for name in sequence.tolist()])
    metrics = {
        **_mpi_metrics(plain, aligned),
        "per_sequence": _mpi_groups(plain, aligned, sequence),
        "per_scene": _mpi_groups(plain, aligned, scene),
        **_mean_intervals(_mpi_columns(plain, aligned), sequence, "sequence"),
        **_explained((plain, aligned), MPI_INF_3DHP_17.joints, _conditions(labels, everything)),
    }
    per_sample = {
        **{"sample_id": labels["sample_id"], "sequence": sequence, "scene": scene, "activity": labels["action"]},
        **{"frame": labels["frame"], "mpjpe_mm": plain.mean(1), "pa_mpjpe_mm": aligned.mean(1)},
        "pck_150mm_percent": 100 * (plain[:, MPI_GROUPED] < 150).mean(1),
    }
    return Result(metrics, per_sample)


def _corrected(labels: Store, pred_m: np.ndarray) -> np.ndarray:
    focal_px, principal_px = labels["focal_px"].astype(float), labels["principal_px"].astype(float)
    if not (np.isfinite(focal_px).all() and np.isfinite(principal_px).all()):
        raise UserError(f"{labels.path}: expected each sample's camera (focal_px, principal_px), found some without")
    return perspective_corrected(pred_m, root_px=_root_px(labels), focal_px=focal_px, principal_px=principal_px)


def _root_px(labels: Store) -> np.ndarray:
    """(N, 2) Middle of the labelled hips in the source image.

    # ASSUME: the owners' code takes the predicted 2D pelvis; here it is the labels' middle of the hips, or of the crop
    where hips are not labelled, so that all programs' predictions are turned alike.
    """
    hips = labels["keypoints_2d_px"].astype(float)[:, LSP_HIPS].mean(1)
    middle = np.where(np.isfinite(hips), hips, (int(labels.attributes["crop_px"]) - 1) / 2)
    return transform(labels["crop_to_image"].astype(float), middle[:, None])[:, 0]


def _mpi_metrics(plain: np.ndarray, aligned: np.ndarray) -> dict[str, float | int]:
    metrics: dict[str, float | int] = {"num_samples": len(plain)}
    for prefix, errors in (("", plain), ("pa_", aligned)):
        grouped = errors[:, MPI_GROUPED]
        metrics[f"{prefix}mpjpe_mm"] = float(errors.mean())
        metrics[f"{prefix}pck_150mm_percent"] = pck_percent(grouped)
        metrics[f"{prefix}auc_percent"] = auc_percent(grouped)
    return metrics


def _mpi_columns(plain: np.ndarray, aligned: np.ndarray) -> dict[str, np.ndarray]:
    """Each sample's share of the metrics: their means over samples are the metrics."""
    columns = {}
    for prefix, errors in (("", plain), ("pa_", aligned)):
        grouped = errors[:, MPI_GROUPED]
        columns[f"{prefix}mpjpe_mm"] = errors.mean(1)
        columns[f"{prefix}pck_150mm_percent"] = 100 * (grouped < PCK_MM).mean(1)
        columns[f"{prefix}auc_percent"] = 100 * np.mean([(grouped < t).mean(1) for t in AUC_THRESHOLDS_MM], 0)
    return columns


def _mpi_groups(plain: np.ndarray, aligned: np.ndarray, groups: np.ndarray) -> dict[str, dict[str, float | int]]:
    return {name: _mpi_metrics(plain[groups == name], aligned[groups == name]) for name in np.unique(groups).tolist()}


def lsp_segmentation(labels: Store, predictions: Predictions) -> Result:
    """Person and six parts over all test images (paper section 4.2).

    # ASSUME: the person's mask is the union of the six parts' labels, not Unite the People's separate file.
    """
    ids = labels["sample_id"]
    counts = np.stack([_confusion(labels, predictions, row, ids[row]) for row in range(len(labels))])
    hidden = occlusions(labels["visible"][:, : len(LSP_14)])
    per_occlusion = {
        name: {"num_samples": int((hidden == name).sum()), **_segmentation_metrics(counts[hidden == name].sum(0))}
        for name in np.unique(hidden).tolist()
    }
    metrics = {
        **_segmentation_metrics(counts.sum(0)),
        **intervals_95(_segmentation_metrics, counts.astype(float)),
        **{"ci95_unit": "picture", "ci95_units": len(ids)},
        "per_occlusion": per_occlusion,
        "num_samples": len(ids),
    }
    return Result(metrics, {"sample_id": ids, **_segmentation_metrics(counts)})


def _segmentation_metrics(counts: np.ndarray) -> dict[str, Any]:
    """Metrics of counts (..., 8, 7), pooled or of single pictures."""
    person = segmentation.foreground(counts)
    return {
        "fg_accuracy_percent": segmentation.accuracy_percent(person),
        "fg_f1": segmentation.mean_f1(person),
        "parts_accuracy_percent": segmentation.accuracy_percent(counts),
        "parts_f1": segmentation.mean_f1(counts),
    }


def _confusion(labels: Store, predictions: Predictions, row: int, sample_id: str) -> np.ndarray:
    gt, data = labels.part_labels(row), predictions[PARTS][row]
    pred = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if pred is None or pred.shape != gt.shape or pred.max(initial=0) >= segmentation.CLASSES:
        found = "no picture" if pred is None else f"size {pred.shape}, ids up to {pred.max(initial=0)}"
        where = f"{predictions.path}: {PARTS}: {sample_id}"
        raise UserError(f"{where}: expected a PNG of size {gt.shape} with ids 0 to 6, found {found}")
    return segmentation.confusion(pred=pred, gt=gt)


def lsp_keypoints(labels: Store, predictions: Predictions) -> Result:
    """Labelled keypoints among LSP's 14 within 0.2 torso lengths, in the source image.

    # ASSUME: the paper reports no such number. The torso is the longest way from a labelled shoulder to a labelled
    hip; pictures without such a pair do not count.
    """
    count = len(LSP_14)
    gt = transform(labels["crop_to_image"].astype(float), labels["keypoints_2d_px"][:, :count])
    labelled = labels["visible"][:, :count]
    torso = torso_px(gt, labelled, shoulders=LSP_SHOULDERS, hips=LSP_HIPS)
    relative = np.linalg.norm(predictions["keypoints_2d_px"][:, :count] - gt, axis=-1) / torso[:, None]
    counted = labelled & np.isfinite(torso)[:, None]
    rows = counted.any(1)
    if not rows.any():
        raise UserError(f"{labels.path}: expected pictures with a labelled shoulder and hip, found none")
    hits = counted & (np.where(counted, relative, np.inf) < TORSO_FRACTION)
    per_joint = {
        joint: 100 * hits[:, k].sum() / counted[:, k].sum()
        for k, joint in enumerate(COCOPLUS_19.joints[:count])
        if counted[:, k].any()
    }
    totals = np.stack((hits[rows].sum(1), counted[rows].sum(1)), 1).astype(float)
    hidden = occlusions(labelled)[rows]
    per_occlusion = {
        name: {"num_samples": int((hidden == name).sum()), **_hit_rate(totals[hidden == name].sum(0))}
        for name in np.unique(hidden).tolist()
    }
    metrics = {
        **_hit_rate(totals.sum(0)),
        **intervals_95(_hit_rate, totals),
        **{"ci95_unit": "picture", "ci95_units": len(totals)},
        **{"per_joint": per_joint, "per_occlusion": per_occlusion, "num_samples": len(totals)},
    }
    columns = {"keypoints": counted.sum(1)[rows], **_hit_rate(totals)}
    return Result(metrics, {"sample_id": labels["sample_id"][rows], **columns})


def _hit_rate(totals: np.ndarray) -> dict[str, Any]:
    """The share of hits from (..., 2) hits and counted keypoints."""
    return {f"pck_torso_{TORSO_FRACTION}_percent": 100 * totals[..., 0] / totals[..., 1]}


PROTOCOLS = {
    "human36m-p1": Protocol(("joints_3d_m",), human36m_p1),
    "human36m-p2": Protocol(("joints_3d_m",), human36m_p2),
    "mpi_inf_3dhp": Protocol(("joints_3d_native_m",), mpi_inf_3dhp),
    "lsp-segmentation": Protocol((PARTS,), lsp_segmentation),
    "lsp-keypoints": Protocol(("keypoints_2d_px",), lsp_keypoints),
}
# Where SPIN's evaluation (Kolotouros et al. 2019), which later work follows, counts in another way.
SPIN_PROTOCOLS = {
    **PROTOCOLS,
    "human36m-p1": Protocol(("joints_3d_m", "joints_3d_native_m"), human36m_p1_spin),
    "human36m-p2": Protocol(("joints_3d_m", "joints_3d_native_m"), human36m_p2_spin),
    "mpi_inf_3dhp": Protocol(("joints_3d_native_m",), mpi_inf_3dhp_spin),
}
RULES = {"paper": PROTOCOLS, "spin": SPIN_PROTOCOLS}
# Labels that a benchmark takes besides those of its own test set, by data set and split.
OTHER_LABELS = {"lsp-keypoints": ("lsp_extended train",)}


def protocol_for(benchmark: str, labels: Store, rules: str = "paper") -> Protocol:
    """A benchmark's protocol. UserError if there is none, or if the labels are not its data set's."""
    if rules not in RULES:
        raise UserError(f"rules {rules!r}: not known; known: {', '.join(RULES)}")
    if benchmark not in PROTOCOLS:
        raise UserError(f"benchmark {benchmark!r}: not known; known: {', '.join(PROTOCOLS)}")
    taken = (f"{BENCHMARKS[benchmark]} test", *OTHER_LABELS.get(benchmark, ()))
    if (found := labels_name(labels)) not in taken:
        raise UserError(f"{labels.path}: {benchmark}: expected labels of {' or '.join(taken)}, found {found}")
    return RULES[rules][benchmark]


def labels_name(labels: Store) -> str:
    """Data set and split of labels."""
    return f"{labels.attributes['dataset']} {labels.attributes['split']}"


def _joints(labels: Store, name: str, counted: np.ndarray) -> np.ndarray:
    joints = labels[name].astype(np.float64)[counted]
    if not np.isfinite(joints).all():
        raise UserError(f"{labels.path}: {name}: expected 3D joints of every sample, found some without")
    return joints
